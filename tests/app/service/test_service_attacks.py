"""What clients send by mistake or on purpose gets the right status; the others are served on, and nothing is left."""

import asyncio
import os
import resource
import signal
import socket
import ssl
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import httpx
import numpy as np
import pytest
import soundfile
import uvicorn
from services import CLASSIFICATIONS, EXAMPLES, FILMS, PATIENCE, TRANSCRIPTIONS, running, until
from starlette.responses import Response
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from earsight.app.main import main
from earsight.app.service.connections import listen, timed_protocol
from earsight.app.service.hosts import with_known_hosts

CLIP = EXAMPLES / "date.mp3"
SOUND = CLIP.read_bytes()


@pytest.fixture(scope="module")
def service():
    with running("--max-upload", 1, "--max-duration", 600, "--idle-time", 2, "--upload-time", 5, "--max-connections",
                 40, "--max-time", 60) as one:
        yield one
        assert one.uploads == [] and all(line.startswith("{") for line in one.lines), one.lines


@pytest.fixture(scope="module")
def brief(tmp_path_factory):
    """A clip that takes no time."""
    path = tmp_path_factory.mktemp("brief") / "brief.wav"
    soundfile.write(path, 1e-3 * np.random.default_rng(1).standard_normal(4000), 16000)
    return path


@pytest.fixture(autouse=True)
def others_are_served(request, brief):
    yield
    if "service" in request.fixturenames:
        service = request.getfixturevalue("service")
        assert service.post(clip=brief).status_code == 200
        until(lambda: service.uploads == [])


def raw(service):
    return socket.create_connection(("127.0.0.1", service.port), timeout=PATIENCE)


def head(length, path=TRANSCRIPTIONS):
    return (f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n"
            "Content-Type: multipart/form-data; boundary=x\r\n\r\n").encode()


FILE_PART = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.mp3"\r\n\r\n'


def told(sock):
    """The status and the body of the answer; None and nothing where the connection was closed without one."""
    data = b""
    while chunk := sock.recv(1 << 16):
        data += chunk
        if b"\r\n\r\n" in data:
            before, _, body = data.partition(b"\r\n\r\n")
            length = next((int(line.split(b":")[1]) for line in before.split(b"\r\n")
                           if line.lower().startswith(b"content-length")), 0)
            if len(body) >= length:
                return int(before.split()[1]), body
    return None, data


@pytest.mark.parametrize("files, data, status, code", [
    ([], {"model": "whisper-1"}, 400, "missing_file"),
    ([("file", SOUND), ("file", SOUND)], {}, 400, "many_files"),
    ([("sound", SOUND)], {}, 400, "unknown_field"),
    ([("file", SOUND)], {"colour": "red"}, 400, "unknown_field"),
    ([("file", SOUND), ("model", b"en-small")], {}, 400, "wrong_type"),
    ([], {"file": "a text"}, 400, "wrong_type"),
    ([("file", SOUND)], {"response_format": "docx"}, 400, "invalid_value"),
    ([("file", SOUND)], {"temperature": "hot"}, 400, "invalid_value"),
    ([("file", SOUND)], {"temperature": "nan"}, 400, "invalid_value"),
    ([("file", SOUND)], {"stream": "perhaps"}, 400, "invalid_value"),
    ([("file", SOUND)], {"timestamp_granularities[]": "letter"}, 400, "invalid_value"),
    ([("file", SOUND)], {"model": ["en-small", "en"]}, 400, "invalid_value"),
    ([("file", SOUND)], {"prompt": "x" * 100_000}, 413, "too_large"),
    ([("file", SOUND)], {"prompt": ["x"] * 100}, 400, "bad_body"),
    ([("file", SOUND)], {"prompt": "x" * 40_000, "language": "y" * 40_000}, 413, "too_large"),
    ([("file", b"")], {}, 400, "bad_file"),
    ([("file", b"hello" * 1000)], {}, 400, "bad_file"),
    ([("file", SOUND[: len(SOUND) // 2])], {"stream": "true"}, None, None),
    ([("file", bytes(2_000_000))], {}, 413, "too_large"),
])
def test_wrong_requests(files, data, status, code, service):
    with service.client() as client:
        answer = client.post(TRANSCRIPTIONS, files=[(name, ("a.mp3", content)) for name, content in files] or {
            name: (None, value) for name, value in data.items()}, data=data if files else None)
    if status is None:  # an MP3 without a length can be cut anywhere
        assert answer.status_code in (200, 400)
        return
    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (status, code)
    assert set(error) == {"message", "type", "param", "code"} and str(service.temporary) not in error["message"]


@pytest.mark.parametrize("kind, body, status", [
    ("application/json", b"{}", 415), ("text/plain", SOUND, 415), ("multipart/form-data", SOUND, 415),
    ("multipart/form-data; boundary=x", b"no part", 400),
    (f"multipart/form-data; boundary={'x' * 500}", SOUND, 400),
    ("multipart/form-data; boundary=x", FILE_PART + SOUND, 400),  # no end
    ("multipart/form-data; boundary=x", b"--x\r\n" + b"A: b\r\n" * 1000 + b"\r\n\r\n--x--\r\n", 400),
    ("multipart/form-data; boundary=x", b"--x\r\nContent-Disposition: form-data\r\n\r\n1\r\n--x--\r\n", 400),
    ("multipart/form-data; boundary=x", b'--x\r\nContent-Disposition: form-data; name="model"\r\n\r\n\xff\r\n--x--\r\n',
     400),
])
def test_wrong_bodies(kind, body, status, service):
    with service.client() as client:
        answer = client.post(TRANSCRIPTIONS, content=body, headers={"Content-Type": kind})
    assert answer.status_code == status and answer.json()["error"]["message"]


def test_wrong_classifications(service):
    for fields, status in (({"top": "0"}, 400), ({"top": "two"}, 400), ({"response_format": "verbose_json"}, 400),
                           ({"model": "en"}, 404), ({"language": "en"}, 400)):
        assert service.post(CLASSIFICATIONS, FILMS / "push-ups.mp4", **fields).status_code == status, fields


def test_a_body_that_is_larger_than_it_says_is_counted(service):
    def body():
        yield FILE_PART
        for _ in range(40):
            yield bytes(100_000)

    with service.client() as client:
        answer = client.post(TRANSCRIPTIONS, content=body(),
                             headers={"Content-Type": "multipart/form-data; boundary=x"})
    assert answer.status_code == 413


def test_an_upload_that_breaks_off(service):
    with raw(service) as sock:
        sock.sendall(head(100_000) + FILE_PART + SOUND[:5000])
        until(lambda: service.uploads)
    until(lambda: not service.uploads)


@pytest.mark.parametrize("stream", [False, True])
def test_a_client_that_does_not_wait_for_its_answer(stream, service):
    """Its worker, which would never be done, is replaced."""
    asked = b'--x\r\nContent-Disposition: form-data; name="stream"\r\n\r\ntrue\r\n' if stream else b""
    body = asked + FILE_PART + SOUND + b"\r\n--x--\r\n"
    with service.held() as before:
        with raw(service) as sock:
            sock.sendall(head(len(body)) + body)
            until(lambda: service.uploads)
            time.sleep(0.5)
        until(lambda: not service.uploads)
        until(lambda: service.workers() not in ([], [before]))
        assert service.post().status_code == 200


def letter_by_letter(service, sock):
    """Until it is left."""
    begun = time.monotonic()
    with pytest.raises(OSError):
        while time.monotonic() - begun < PATIENCE:
            sock.sendall(b"G")
            time.sleep(0.2)
            sock.setblocking(False)
            try:
                if not sock.recv(10):
                    raise ConnectionResetError
            except BlockingIOError:
                pass
            sock.settimeout(PATIENCE)


def a_letter_at_a_time(service):
    with raw(service) as sock:
        letter_by_letter(service, sock)


def nothing_at_all(service):
    with raw(service) as sock:
        assert sock.recv(10) == b""


def letters_after_a_request_that_was_whole(service):
    with raw(service) as sock:
        sock.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert told(sock)[0] == 200
        letter_by_letter(service, sock)


def a_body_that_stops(service):
    with raw(service) as sock:
        sock.sendall(head(100_000) + FILE_PART)
        assert told(sock)[0] == 408


def a_body_that_trickles(service):
    with raw(service) as sock:
        sock.sendall(head(100_000) + FILE_PART)
        stop = threading.Event()

        def trickle():
            while not stop.wait(0.3):
                try:
                    sock.sendall(b"x")
                except OSError:
                    return

        thread = threading.Thread(target=trickle)
        thread.start()
        try:
            assert told(sock)[0] == 408
        finally:
            stop.set()
            thread.join()


def test_slow_clients_are_left(service):
    """All at a time, as each takes its time."""
    ways = (a_letter_at_a_time, nothing_at_all, letters_after_a_request_that_was_whole, a_body_that_stops,
            a_body_that_trickles)
    with ThreadPoolExecutor(len(ways)) as pool:
        for done in [pool.submit(way, service) for way in ways]:
            done.result()


def test_who_does_not_read_its_answer_is_left():
    """Seen from within: the connection is lost, and with it what waited to be written."""
    ended = threading.Event()

    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for _ in range(1000):  # more than any system holds for a socket
            await send({"type": "http.response.body", "body": bytes(1 << 20), "more_body": True})
        ended.set()

    protocol = timed_protocol(0.5, 10)
    server = uvicorn.Server(uvicorn.Config(app, http=protocol, log_config=None, lifespan="off"))
    with listen("127.0.0.1", 0) as place:
        thread = threading.Thread(target=lambda: asyncio.run(server.serve([place])))
        thread.start()
        try:
            with socket.create_connection(place.getsockname()) as sock:
                sock.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
                assert ended.wait(PATIENCE)
        finally:
            server.should_exit = True
            thread.join(PATIENCE)


@pytest.mark.parametrize("host, status", [
    ("localhost", 200), ("LOCALHOST:1", 200), ("127.0.0.1:80", 200), ("[::1]", 200), ("192.0.2.1", 200),
    ("proxy.example.org", 200), ("a.localhost.", 200), ("evil.example.org", 403), ("127.0.0.1.example.org", 403),
    ("localhost@evil.org", 403), ("evil.org#localhost", 403), ("", 403), ("[::1", 403)])
def test_the_name_of_another_site_that_points_here(host, status):
    """DNS rebinding: the page's own origin is then this service's."""
    async def app(scope, receive, send):
        await Response()(scope, receive, send)

    async def asked():
        transport = httpx.ASGITransport(with_known_hosts(app, {"proxy.example.org"}))
        async with httpx.AsyncClient(transport=transport, base_url="http://here") as client:
            return await client.get("/", headers={"Host": host})

    answer = asyncio.run(asked())
    assert answer.status_code == status and (status == 200 or answer.json()["error"]["code"] == "wrong_host")


def test_the_service_minds_the_name_that_it_is_called_by(service):
    with service.client(headers={"Host": "evil.example.org"}) as client:
        for path in ("/", "/v1/models", "/health"):
            assert client.get(path).json()["error"]["code"] == "wrong_host", path
    with service.client(headers={"Sec-Fetch-Site": "cross-site"}) as client:
        answer = client.post(TRANSCRIPTIONS, files={"file": SOUND})
        assert (answer.status_code, answer.json()["error"]["code"]) == (403, "wrong_origin")
        assert client.get("/health").status_code == 200  # a link
    with service.client(headers={"Sec-Fetch-Site": "same-origin"}) as client:
        assert client.post(TRANSCRIPTIONS, files={"file": SOUND}).status_code == 200
    with pytest.raises(InvalidStatus) as refused:
        connect(f"ws://evil.example.org:{service.port}", sock=raw(service))
    assert refused.value.response.status_code == 403


@pytest.mark.parametrize("path", [TRANSCRIPTIONS, CLASSIFICATIONS])
@pytest.mark.parametrize("content", [
    "#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:5,\n{clip}\n#EXT-X-ENDLIST\n", "ffconcat version 1.0\nfile {clip}\n",
    "v=0\nm=audio 5004 RTP/AVP 0\n", "file:{clip}\n"])
def test_files_that_name_other_files_open_none(content, path, service):
    """Playlists, which libav would follow."""
    with service.client() as client:
        answer = client.post(path, files={"file": ("a.m3u8", content.format(clip=CLIP).encode())})
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "bad_file")


def test_no_request_at_all(service):
    for sent in (b"\0" * 100, b"GET\r\n\r\n", b"GET / HTTP/9\r\n\r\n", b"A" * 100_000,
                 b"GET / HTTP/1.1\r\nHost: localhost\r\n" + b"x: y\r\n" * 20_000,
                 b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
                 b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n"):
        with raw(service) as sock:
            try:
                sock.sendall(sent)
                assert told(sock)[0] in (400, None)
            except ConnectionError:
                pass


@pytest.mark.parametrize("path", ["/%0d%0aX-Evil:%20yes", "/v1/models/%0d%0aX-Evil:%20yes", "/v1/models/..%2f..%2fetc"])
def test_lines_in_an_address_come_back_in_no_header(path, service):
    with service.client() as client:
        answer = client.get(path)
    assert answer.status_code == 404 and "x-evil" not in answer.headers


@pytest.mark.parametrize("name", ["../../evil.mp3", "/etc/evil.mp3", "C:\\evil.mp3", "a\r\nX-Evil: yes.mp3",
                                  "\0evil.mp3", "x" * 1000 + "evil.mp3", "evil.npy"])
def test_names_of_files_are_not_trusted(name, service):
    with service.client() as client:
        answer = client.post(CLASSIFICATIONS, files={"file": (name, SOUND)})
    assert answer.status_code == 200 and "x-evil" not in answer.headers
    path = answer.json()["path"]
    assert len(path) <= 200 and not set("/\\\r\n\0") & set(path)
    assert not list(service.temporary.parent.glob("*evil*"))


def test_a_small_file_that_holds_days_of_silence(service, tmp_path):
    bomb = tmp_path / "bomb.flac"
    with soundfile.SoundFile(bomb, "w", 8000, 1, "PCM_16") as file:
        for _ in range(40):
            file.write(np.zeros(8000 * 60))
    assert bomb.stat().st_size < 1e6
    for path in (TRANSCRIPTIONS, CLASSIFICATIONS):
        answer = service.post(path, bomb)
        assert (answer.status_code, answer.json()["error"]["code"]) == (413, "too_large"), path
        assert answer.json()["error"]["message"].startswith("bomb.flac: longer than 600 s")


def test_more_sockets_than_there_may_be(service):
    sockets = [raw(service) for _ in range(200)]
    try:
        assert service.post().status_code == 200
    finally:
        for sock in sockets:
            sock.close()


def test_a_worker_that_is_killed(service):
    (worker,) = service.workers()
    os.kill(worker, signal.SIGKILL)  # at rest
    until(lambda: service.workers() not in ([], [worker]))
    assert service.post().status_code == 200
    with ThreadPoolExecutor(1) as pool:  # at work
        with service.held() as worker:
            answer = pool.submit(service.post)
            until(lambda: service.uploads)
            time.sleep(0.5)
            os.kill(worker, signal.SIGKILL)
        answer = answer.result()
    assert answer.status_code == 503 and answer.headers["retry-after"]
    assert answer.json()["error"]["code"] == "worker_lost"


def test_keys(tmp_path):
    keys = tmp_path / "keys.txt"
    keys.write_text("# ours\nfirst-key\nsecond-key\n")
    with running("--keys", keys, env={"EARSIGHT_API_KEYS": "third-key"}) as service:
        for given, status in (("first-key", 200), ("second-key", 200), ("third-key", 200), ("first-ke", 401),
                              ("x", 401), ("# ours", 401), ("first-key\xe9", 401)):
            with service.client(headers={"Authorization": f"Bearer {given}".encode("latin-1")}) as client:
                assert client.get("/v1/models").status_code == status, given
                assert client.get("/health").status_code == 200
        with service.client() as client:
            answer = client.post(TRANSCRIPTIONS, files={"file": SOUND})
            assert answer.status_code == 401 and answer.json()["error"]["code"] == "invalid_api_key"
            assert client.get("/metrics").status_code == 401
        address = service.url.replace("http", "ws")
        with pytest.raises(InvalidStatus) as refused:
            connect(address)
        assert refused.value.response.status_code == 401
        for how in ({"additional_headers": {"Authorization": "Bearer first-key"}},
                    {"subprotocols": ["realtime", "openai-insecure-api-key.second-key"]}):
            with connect(f"{address}/v1/realtime", **how) as sock:
                assert "session.created" in sock.recv(PATIENCE)
        assert not any("-key" in line for line in service.lines)
        for worker in service.workers():  # who opens what clients send knows no key
            assert b"-key" not in Path(f"/proc/{worker}/environ").read_bytes()


def test_a_request_that_takes_too_long():
    with running("--max-time", 0.2) as service:
        with service.held():
            answer = service.post()
        assert (answer.status_code, answer.json()["error"]["code"]) == (504, "timeout")
        until(lambda: service.uploads == [])


def test_a_line_that_is_full_and_a_disk():
    with running("--max-queue", 1) as service:
        with ThreadPoolExecutor(6) as pool:
            answers = list(pool.map(lambda _: service.post(), range(12)))
        statuses = [answer.status_code for answer in answers]
        assert set(statuses) == {200, 429}
        assert all(int(answer.headers["retry-after"]) >= 1 for answer in answers if answer.status_code == 429)
        resource.prlimit(service.process.pid, resource.RLIMIT_FSIZE, (10_000, 10_000))  # as a full disk has it
        answer = service.post()
        assert (answer.status_code, answer.json()["error"]["code"]) == (507, "no_room")
        assert service.uploads == []
        with service.client() as client:
            assert client.get("/health").status_code == 200


def test_a_worker_that_takes_too_much_memory_is_replaced():
    """What films take more than sound is above the limit."""
    with running("--max-memory", 0.16) as service:
        for _ in range(2):
            answer = service.post(CLASSIFICATIONS, FILMS / "push-ups.mp4")
            assert (answer.status_code, answer.json()["error"]["code"]) == (413, "too_large")
            assert service.post().status_code == 200


@pytest.mark.parametrize("number, answered", [(signal.SIGTERM, True), (signal.SIGINT, False)])
def test_the_end(number, answered):
    """SIGTERM lets requests under way finish; Ctrl-C does not wait for long. Nothing is left."""
    with running() as service, ThreadPoolExecutor(1) as pool:
        workers = service.workers()
        with service.held():
            under_way = pool.submit(service.post)
            until(lambda: service.uploads)
            time.sleep(0.5)
            service.process.send_signal(number)
            with suppress(subprocess.TimeoutExpired):
                service.process.wait(1.5 if answered else PATIENCE)
            assert (service.process.poll() is None) == answered
        status = service.process.wait(PATIENCE)
        assert status == 0 or not answered
        if answered:
            assert under_way.result().status_code == 200
        else:
            under_way.exception()
        assert list(service.temporary.iterdir()) == []
        until(lambda: not any(os.path.exists(f"/proc/{worker}") for worker in workers))


def test_what_a_killed_service_leaves_is_removed_by_the_next():
    with running() as service:
        (folder,) = service.temporary.iterdir()
        workers = service.workers()
        service.stop(signal.SIGKILL)
        until(lambda: not any(os.path.exists(f"/proc/{worker}") for worker in workers))
        assert folder.is_dir()
        with running("--temporary", service.temporary) as other:
            assert other.process.poll() is None and not folder.exists() and len(list(service.temporary.iterdir())) == 1


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    path = tmp_path_factory.mktemp("certificate") / "server.pem"
    try:
        done = subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", path, "-out",
                               f"{path}.crt", "-subj", "/CN=localhost", "-days", "1"], capture_output=True)
    except FileNotFoundError:
        pytest.skip("openssl is not installed")
    assert done.returncode == 0, done.stderr
    path.write_text(path.read_text() + path.with_suffix(".pem.crt").read_text())
    return path


def test_https(certificate):
    with running("--certificate", certificate) as service:
        assert service.url.startswith("https://")
        context = ssl.create_default_context(cafile=certificate)
        context.check_hostname = False
        with service.client(verify=context) as client:
            assert client.post(TRANSCRIPTIONS, files={"file": SOUND}).json()["text"].startswith("november")


def test_everybody_may_come_in_is_told():
    with running("--host", "0.0.0.0") as service:
        assert service.post().status_code == 200
    assert service.lines[0].startswith("warning: whoever reaches 0.0.0.0:") and "--keys" in service.lines[0]


def test_what_it_cannot_begin_with_is_one_line(capsys, tmp_path, monkeypatch):
    monkeypatch.delenv("EARSIGHT_API_KEYS", raising=False)
    (tmp_path / "empty").write_text("# none\n")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        for options, reason in (
                (["--port", port], f"127.0.0.1:{port}: cannot be listened at"),
                (["--host", "192.0.2.1", "--port", "0"], "192.0.2.1:0: cannot be listened at"),
                (["--model", "digits"], "model digits is for speech and classification"),
                (["--video-model", "en-small"], "model en-small is for speech and ctc"),
                (["--model", "no-such-model"], "model 'no-such-model': no such file or folder"),
                (["--keys", str(tmp_path / "none")], "the keys cannot be read"),
                (["--keys", str(tmp_path / "empty")], "holds no key"),
                (["--certificate", str(tmp_path / "empty")], "no certificate"),
                (["--certificate-key", str(tmp_path / "empty")], "goes with --certificate"),
                (["--temporary", str(tmp_path / "none")], "uploads cannot be kept there")):
            assert main(["serve", *options]) == 1
            (line,) = capsys.readouterr().err.splitlines()
            assert line.startswith("error: ") and reason in line, line
