"""`earsight evaluate --report`: the page parses, holds all it shows, and its figures are the report's."""

import base64
import io
import json
import re
import shutil
from html.parser import HTMLParser

import numpy as np
import pytest
import soundfile
from films import sliding, write_film
from PIL import Image

from conftest import tone, write_wav
from earsight.app.main import main
from earsight.common.data.manifest import read_manifest
from earsight.common.errors import EarsightError
from earsight.common.reports.pages.exhibits import Exhibit, frames_exhibit
from earsight.common.reports.pages.html import Html, cell, data_uri, page, table, tag
from earsight.common.reports.pages.page import write_page
from earsight.common.reports.transcription import Confidence, TranscriptResult, transcription_report

VOID = {"img", "meta"}
NAME = "<script>alert('x')</script>"


class Page(HTMLParser):
    """Every element closed in its turn; `text` and `links` as a browser has them."""

    def __init__(self, source: str):
        super().__init__()
        self.open, self.text, self.links, self.names = [], [], [], []
        self.feed(source)
        self.close()
        assert not self.open

    def handle_starttag(self, name, attributes):
        self.names.append(name)
        self.links += [value for key, value in attributes if key in ("src", "href")]
        if name not in VOID:
            self.open.append(name)

    def handle_endtag(self, name):
        assert self.open.pop() == name

    def handle_data(self, data):
        if not self.open or self.open[-1] not in ("script", "style"):
            self.text.append(data)

    @property
    def words(self) -> str:
        return " ".join(" ".join(self.text).split())


def read_page(folder) -> Page:
    return Page((folder / "index.html").read_text(encoding="utf-8"))


def content(uri: str) -> io.BytesIO:
    return io.BytesIO(base64.b64decode(uri.split("base64,")[1]))


def test_text_is_escaped_wherever_it_stands(tmp_path):
    sure, doubtful = Confidence((0.9, 0.8, 0.7), 0.6), Confidence((0.5,), 0.5)
    results = [TranscriptResult(NAME, NAME, f"a {NAME}", f"{NAME} & b", 1, sure, sure),
               TranscriptResult("b", "bo", "c", "d", 2, doubtful, doubtful)]
    errors = [EarsightError(f"{NAME}: cannot be read")]
    picture = data_uri(b"none", "image/png")

    def exhibit(name):
        if name == "b":
            raise EarsightError(NAME)
        return Exhibit(picture, NAME, 1.0, picture)

    write_page(tmp_path, transcription_report(results), NAME, tmp_path / f"{NAME}.csv", exhibit, errors)
    found = read_page(tmp_path)
    assert found.names.count("script") == 1  # the page's own
    assert found.words.count(NAME) >= 6
    assert "There is nothing to show" in found.words
    assert found.links == [picture, picture]


def test_elements():
    assert tag("p", "a < b", Html("<b>c</b>"), class_="x", data_value=1.5, title=None) == \
        '<p class="x" data-value="1.5">a &lt; b<b>c</b></p>'
    assert 'data-value="0.5"' in cell("50 %", 0.5, bar=0.5) and "data-value" not in cell("ann")
    found = Page(page("title", table(["a", "b"], [[cell("x"), cell("2", 2)]], [1])))
    assert found.names.count("td") == 2 and found.links == []


def with_an_error(tone_corpus, folder):
    """The corpus as a table, with a clip more whose name is markup and whose text is not what is said."""
    shutil.copytree(tone_corpus / "text", folder / "text")
    shutil.copy(folder / "text/02.wav", folder / "text/odd.wav")
    rows = [row.split(",") for row in (tone_corpus / "tones.csv").read_text().splitlines()[1:]]
    lines = [f"{path},{text},{path[5:-4]}" for path, text in rows]
    lines = ["path,text,id", *lines, f"text/odd.wav,lo hi mi lo,{NAME}"]
    (folder / "tones.csv").write_text("\n".join(lines) + "\n")
    return folder / "tones.csv"


def test_report_of_sound(tone_corpus, tone_models, tmp_path):
    manifest = with_an_error(tone_corpus, tmp_path)
    out = tmp_path / "report"
    assert main(["evaluate", str(tone_models["ctc"]), str(manifest), "--report", str(out), "--json",
                          str(tmp_path / "report.json")]) == 0
    figures = json.loads((tmp_path / "report.json").read_text())
    found = read_page(out)
    assert [file.name for file in out.iterdir()] == ["index.html"]
    for rate in (figures["words"]["rate"], figures["characters"]["rate"], figures["sentence_error_rate"]):
        assert f"{100 * rate:.2f} %" in found.words
    counts = figures["words"]
    row = re.search(r"words \d+\.\d\d % (\d+) (\d+) (\d+) (\d+) (\d+) characters", found.words)
    assert [int(each) for each in row.groups()] == [counts[key] for key in (
        "edits", "substitutions", "deletions", "insertions", "reference_length")]
    assert f'{figures["calibration_error"]["words_after"]:.3f} expected calibration error' in found.words
    wrong = [each for each in figures["utterances"] if each["words"]["edits"]]
    assert NAME in [each["id"] for each in wrong] and NAME in found.words
    assert found.names.count("audio") == found.names.count("img") == len(wrong)
    assert all(link.startswith("data:") for link in found.links)
    pictures = [Image.open(content(link)) for link in found.links if link.startswith("data:image/png")]
    assert all(picture.height == 128 for picture in pictures) and len(pictures) == len(wrong)
    worst = figures["worst"][0]["id"]
    sound = next(link for link in found.links if link.startswith("data:audio"))
    seconds = next(each["duration"] for each in figures["utterances"] if each["id"] == worst)
    samples, rate = soundfile.read(content(sound))
    assert len(samples) / rate == pytest.approx(seconds, abs=0.1)
    transcripts = {each["id"]: each for each in figures["utterances"]}
    assert all(" ".join(word["text"] for word in each["heard"]) == each["hypothesis"] for each in transcripts.values())
    page_text = (out / "index.html").read_text(encoding="utf-8")
    assert page_text.count('class="marks"') == sum(bool(each["heard"]) for each in wrong) > 0
    places = re.findall(r'left: ([\d.]+)%; width', page_text.partition('class="marks"')[2].partition("</div>")[0])
    first = next(transcripts[each["id"]] for each in figures["worst"] if transcripts[each["id"]]["heard"])
    assert [float(place) / 100 * first["duration"] for place in places] == pytest.approx(
        [word["start"] for word in first["heard"]], abs=0.02)


def test_broken_clips_are_named_and_the_others_shown(tone_corpus, tone_models, tmp_path, capsys):
    shutil.copytree(tone_corpus / "classes", tmp_path / "classes")
    (tmp_path / "manifest").mkdir()
    main(["prepare", "folder", str(tmp_path / "classes"), str(tmp_path / "manifest"), "medium=sound"])
    manifest = tmp_path / "manifest/train.jsonl.gz"
    broken = next(iter(read_manifest(manifest))).recording.sources[0].source
    with open(broken, "r+b") as file:
        file.truncate(20)
    out = tmp_path / "report"
    assert main(["evaluate", str(tone_models["classification"]), str(manifest), "--report", str(out)]) == 1
    found = read_page(out)
    assert "Clips that could not be read" in found.words
    told = [line.removeprefix("error: ") for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
    assert len(told) == 1 and told[0] in found.words
    assert "Reliability of the confidences" in found.words and found.names.count("circle") >= 1


def test_report_of_frames(tmp_path):
    from earsight.common.reports.pages.exhibits import COLUMNS, FEATURES

    frames = np.zeros((3000, 200), np.float32)
    frames[:, 150] = np.linspace(-1, 1, 3000)  # the only feature that says anything
    seen = frames_exhibit(frames, 30.0)
    assert seen.sound is None and seen.seconds == 30.0 and f"{FEATURES} of 200" in seen.about
    picture = Image.open(content(seen.picture))
    assert picture.size == (COLUMNS, FEATURES)
    indices = np.asarray(picture)
    rising = [row for row in indices if row[-1] > row[0]]
    assert len(rising) == 1 and (np.diff(rising[0].astype(int)) >= 0).all()
    short = frames_exhibit(np.ones((1, 3), np.float32), 0.01)
    assert Image.open(content(short.picture)).size == (1, 3)
    long = frames_exhibit(np.ones((24000, 3), np.float32), 240.0)
    assert long.seconds == 60.0


def test_spectrogram_has_a_tone_at_its_place():
    from earsight.audio.exhibits import spectrogram

    seen = spectrogram(tone(2000, 1.0), 16000)
    assert seen.shape[0] == 128 and seen.min() >= 0 and seen.max() == 1
    assert abs(int(seen[:, 50].argmax()) - 2000 / 8000 * 128) <= 1
    assert spectrogram(np.zeros(1, np.float32), 16000).shape[0] == 128


def test_strip_of_a_video(tmp_path):
    from earsight.common.data.cuts import video_cut
    from earsight.video.exhibits import GAP, PICTURES, exhibit

    path = write_film(tmp_path / "film.mkv", sliding(32, (48, 64)))
    cut = video_cut("film", path, width=64, height=48, frame_rate=16, num_frames=32, label="x")
    seen = exhibit(cut)
    assert seen.sound is None and seen.seconds == 0
    assert Image.open(content(seen.picture)).size == (PICTURES * (160 + GAP) - GAP, 120)
    path.write_bytes(b"nothing")
    with pytest.raises(EarsightError, match="film.mkv"):
        exhibit(cut)


def test_a_report_that_cannot_be_written_is_told_before_the_work(tone_corpus, tone_models, tmp_path, capsys):
    write_wav(tmp_path / "file", tone(440))
    assert main(["evaluate", str(tone_models["ctc"]), str(tone_corpus / "tones.csv"), "--report",
                          str(tmp_path / "file/report")]) == 1
    told = capsys.readouterr()
    assert told.out == "" and told.err.startswith(f"error: {tmp_path / 'file/report'}: cannot be made")
