"""`earsight watch` as a whole: films, cameras, addresses, signals, and what is no picture."""

import json
import signal
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import cv2
import numpy as np
import pytest

from conftest import REPOSITORY, tone, write_wav
from earsight.app.main import main
from earsight.video.reading import is_live, with_opencv
from earsight.video.reading.with_libav import open_stream
from earsight.video.recognition.recogniser import ActionRecogniser

FILM = REPOSITORY / "scripts/films/three-exercises.mp4"
EDGES = [tuple(line.split("\t")) for line in FILM.with_suffix(".txt").read_text().splitlines()]
SOON = 6.0  # seconds; one or two as a rule


def start(*arguments, **how):
    return subprocess.Popen([sys.executable, "-m", "earsight", "watch", *map(str, arguments)], cwd=REPOSITORY,
                            text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **how)


def watched(capsys, *arguments):
    """The exit status, the events, and the errors."""
    status = main(["watch", *map(str, arguments), "--format", "jsonl"])
    told = capsys.readouterr()
    return status, [json.loads(line) for line in told.out.splitlines()], told.err


@pytest.fixture(scope="module")
def of_the_film():
    """The events of the film as a file."""
    done = subprocess.run([sys.executable, "-m", "earsight", "watch", str(FILM), "--format", "jsonl"], cwd=REPOSITORY,
                          capture_output=True, text=True, timeout=300)
    assert (done.returncode, done.stderr) == (0, "")
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_a_films_actions_are_events_where_they_are_done(of_the_film):
    ends = [event for event in of_the_film if event["type"] == "end"]
    assert [event["label"] for event in ends] == [label for _, _, label in EDGES]
    for event, (start, end, _) in zip(ends, EDGES, strict=True):
        middle = (event["start"] + event["end"]) / 2
        assert float(start) < middle < float(end) and 0.3 < event["probability"] <= 1
    begun = [(event["label"], event["start"]) for event in of_the_film if event["type"] == "start"]
    assert begun == [(event["label"], event["start"]) for event in ends]


def test_windows_are_those_of_the_timeline(monkeypatch, capsys):
    """As `classify --timeline` has them."""
    seen = []
    monkeypatch.setattr("earsight.common.inference.events.Hysteresis.push",
                        lambda self, time, probabilities: seen.append((time, probabilities)) or [])
    assert main(["watch", str(FILM)]) == 0
    expected = ActionRecogniser("actions-10", 1).timeline(FILM)
    assert np.allclose([row[:10] for _, row in seen], expected.probabilities, atol=5e-3)  # int8
    assert np.allclose([time for time, _ in seen][1:], expected.times[1:]) and seen[0][0] == 0.0


OpenCvs = cv2.VideoCapture


class Camera:
    """OpenCV's camera, before which the film is played; its clock is the film's, and it is then unplugged."""

    now = 0.0

    def __init__(self, number):
        self.film = OpenCvs(str(FILM)) if number == 0 else None

    def isOpened(self):
        return self.film is not None

    def grab(self):
        Camera.now += 1 / self.film.get(cv2.CAP_PROP_FPS)
        return self.film.grab()

    def retrieve(self):
        return self.film.retrieve()

    def release(self):
        self.film.release()


@pytest.fixture
def camera(monkeypatch, tmp_path):
    Camera.now = 0.0
    monkeypatch.setattr(cv2, "VideoCapture", Camera)
    monkeypatch.setattr(with_opencv, "monotonic", lambda: Camera.now)
    monkeypatch.chdir(tmp_path)  # no file is called 0 here


def test_a_camera_shows_the_same_and_goes_away(camera, capsys, of_the_film):
    status, events, errors = watched(capsys, 0)
    assert status == 1 and errors.count("\n") == 1
    assert errors.startswith("error: camera 0: gives no picture any more, after 24.6 s")
    assert [(event["type"], event["label"]) for event in events] == [
        (event["type"], event["label"]) for event in of_the_film]
    assert all(abs(event["start"] - other["start"]) <= 0.5 for event, other in zip(events, of_the_film))


def test_a_camera_that_is_not_there_is_one_line(camera, capsys):
    status, events, errors = watched(capsys, 3)
    assert (status, events) == (1, []) and errors.startswith("error: camera 3: not there") and errors.count("\n") == 1


@pytest.fixture
def server(tmp_path):
    """The film over HTTP: /film whole, /cut with less than it announces, /slow no more after two thirds."""
    _repeat(FILM, tmp_path / "film.ts", 1)
    content, over = (tmp_path / "film.ts").read_bytes(), threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            if self.path == "/none":
                return self.send_error(404)
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            try:
                self.wfile.write(content if self.path == "/film" else content[:len(content) * 2 // 3])
                if self.path == "/slow":
                    self.wfile.flush()
                    over.wait(60)
            except OSError:
                pass

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as one:
        one.daemon_threads = True
        threading.Thread(target=one.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{one.server_address[1]}"
        over.set()
        one.shutdown()


def test_a_film_that_is_elsewhere(server, capsys, of_the_film):
    status, events, errors = watched(capsys, f"{server}/film")
    assert (status, errors) == (0, "")
    assert [(event["type"], event["label"]) for event in events] == [
        (event["type"], event["label"]) for event in of_the_film]


@pytest.mark.parametrize("path, expected", [
    ("/none", "cannot be opened (Server returned 404 Not Found)"),
    ("/slow", "gives no picture any more, after"),
    ("/cut", "gives no picture any more, after"),
])
def test_a_stream_that_fails_is_one_line(path, expected, server, capsys):
    status, events, errors = watched(capsys, server.replace("//", "//user:secret@") + path)
    assert status == 1 and expected in errors and errors.count("\n") == 1
    assert "user:***@127.0.0.1" in errors and "secret" not in errors
    assert [event["type"] for event in events].count("end") == [event["type"] for event in events].count("start")
    assert bool(events) == (path != "/none")


@pytest.mark.parametrize("options, expected", [
    (["no-such.mp4"], "no such file"),
    (["rtsp://127.0.0.1:1/x"], "cannot be opened (Connection refused)"),
    (["nonsense://x"], "cannot be opened"),
    (["{folder}/clip.wav"], "cannot be decoded"),
    (["{folder}/text.mp4"], "cannot be decoded"),
    ([FILM, "--model", "digits"], "does not take pictures"),
    ([FILM, "--hop", "5"], "--hop 5"),
    ([FILM, "--on", "0.4", "--off", "0.5"], "--off 0.5"),
])
def test_what_is_no_picture_is_one_line(options, expected, tmp_path, capsys):
    write_wav(tmp_path / "clip.wav", tone(440, 0.5))
    (tmp_path / "text.mp4").write_text("words\n" * 100)
    status, events, errors = watched(capsys, *(str(option).replace("{folder}", str(tmp_path)) for option in options))
    assert (status, events) == (1, []) and errors.startswith("error: ") and errors.count("\n") == 1
    assert expected in errors


def test_a_number_is_a_camera_unless_a_file_is_called_so(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert is_live("0") and is_live("rtsp://camera/stream") and not is_live("film.mp4") and not is_live("C:\\film.mp4")
    (tmp_path / "0").touch()
    assert not is_live("0")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_with_what_was_seen(number, tmp_path):
    """Of an hour's film, whose first event is told as over."""
    long = tmp_path / "long.mp4"
    _repeat(FILM, long, 100)
    process = start(long, "--format", "jsonl")
    first = json.loads(process.stdout.readline())
    begun = time.monotonic()
    process.send_signal(number)
    rest, errors = process.communicate(timeout=60)
    assert time.monotonic() - begun < SOON and process.returncode == 128 + number
    assert errors == f"error: stopped by {number.name}; what was seen until then is told\n"
    events = [first, *map(json.loads, rest.splitlines())]
    assert events[-1]["type"] == "end" and events[0]["type"] == "start"


def test_a_stream_ends_well_at_a_signal(server):
    """It has no end of its own."""
    process = start(f"{server}/slow", "--format", "jsonl")
    first = json.loads(process.stdout.readline())
    process.send_signal(signal.SIGINT)
    rest, errors = process.communicate(timeout=60)
    assert (process.returncode, errors, first["type"]) == (0, "", "start")
    assert json.loads(rest.splitlines()[-1])["type"] == "end"


def test_a_streams_clock_that_leaps_is_not_believed(tmp_path):
    """Nor does it stand still for long: behind the leap it goes on as the stream's does."""
    _repeat(FILM, tmp_path / "film.ts", 2, leap=100.0)
    times = [time for time, _ in open_stream(str(tmp_path / "film.ts"))]
    film = OpenCvs(str(FILM))
    count, rate = film.get(cv2.CAP_PROP_FRAME_COUNT), film.get(cv2.CAP_PROP_FPS)
    film.release()
    assert len(times) == 2 * count and times[0] == 0
    steps = np.diff(times)
    assert steps.min() > 0 and np.allclose(np.sort(steps)[:-1], 1 / rate, atol=1e-3) and steps.max() < 0.1


def _repeat(film, path, times, leap=0.0):
    """A film's packets one behind another, again and again, with so many seconds between."""
    import av

    with av.open(str(path), "w") as output:
        stream, offset = None, 0
        for _ in range(times):
            with av.open(str(film)) as source:
                own, last = source.streams.video[0], 0
                stream = stream or output.add_stream_from_template(own)
                for packet in source.demux(own):
                    if packet.dts is None:
                        continue
                    last = max(last, packet.pts + packet.duration)
                    packet.pts, packet.dts, packet.stream = packet.pts + offset, packet.dts + offset, stream
                    output.mux(packet)
                offset += last + round(leap / own.time_base)
