"""The page in a real browser: what somebody does there, seen from outside."""

import hashlib
import json
import re
import shutil
from pathlib import Path

import pytest
from services import EXAMPLES, FILMS, PATIENCE, TRANSCRIPTIONS, running

import earsight
from conftest import REPOSITORY
from earsight.app.main import main

PAGE = REPOSITORY / "app" / "page"
CLIP, FILM = EXAMPLES / "date.mp3", FILMS / "push-ups.mp4"
TOKEN = "a-key-for-the-page"


@pytest.fixture(scope="module")
def service():
    with running() as one:
        yield one


@pytest.fixture(scope="module")
def browser():
    sync_api = pytest.importorskip("playwright.sync_api", reason="needs playwright")
    found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if found is None:
        pytest.skip("needs Chromium (Debian: apt-get install chromium)")
    with sync_api.sync_playwright() as playwright:
        # A container has no sandbox; the microphone is a file, as the test that records says.
        one = playwright.chromium.launch(executable_path=found, args=[
            "--no-sandbox", "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream",
            f"--use-file-for-fake-audio-capture={EXAMPLES / 'grid-sentence.wav'}%noloop"])
        yield one
        one.close()


@pytest.fixture
def visit(browser):
    """Opens the page of a service, in a profile of the test's own; at the end nothing had been asked of anyone else."""
    contexts, wrong = [], []

    def open_page(service, ready=True, **how):
        if not contexts:
            contexts.append(browser.new_context(accept_downloads=True, **how))
        page = contexts[0].new_page()
        page.set_default_timeout(1000 * PATIENCE)
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("console", lambda said: wrong.append(said.text) if "Content Security Policy" in said.text else None)
        page.on("request", lambda asked: None if asked.url.removeprefix("blob:").startswith(service.url)
                else wrong.append(asked.url))
        page.goto(service.url)
        if ready:
            page.locator("html[data-ready]").wait_for(state="attached")
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert wrong == []


def put(page, *files):
    """Give files to the page and wait until they are read."""
    page.set_input_files("#files", files)
    for file in files:
        row = page.locator("#recordings li", has_text=Path(file).name)
        row.wait_for()
        row.locator("progress").wait_for(state="hidden")


def words(page) -> list[str]:
    return page.locator("#words .word").all_text_contents()


def saved(page, choice: str) -> tuple[str, str]:
    """The name and the text of a file that the page saves."""
    page.select_option("#format", choice)
    with page.expect_download() as waiting:
        page.click("#export")
    return waiting.value.suggested_filename, Path(waiting.value.path()).read_text()


def correct(page, at: int, text: str, key: str = "Enter") -> None:
    page.locator("#words .word").nth(at).dblclick()
    page.locator(".editor").fill(text)
    page.locator(".editor").press(key)


def clock(page) -> float:
    minutes, seconds = page.inner_text("#clock").split(" /")[0].split(":")
    return 60 * int(minutes) + float(seconds)


def test_words_are_seen_gone_to_corrected_kept_and_saved(visit, service, tmp_path):
    expected = earsight.transcribe(CLIP, "en-small")
    page = visit(service)
    put(page, CLIP)
    assert words(page) == [word.text for word in expected.words]
    page.locator("#words .word").nth(2).click()
    page.locator("#words .word.now", has_text=expected.words[2].text).wait_for()
    assert clock(page) == pytest.approx(expected.words[2].start, abs=0.06)

    correct(page, 2, "  23rd ")
    correct(page, 4, "eighty or")
    page.reload()
    page.locator("#words .corrected").first.wait_for()
    texts = [word.text for word in expected.words]
    assert words(page) == [*texts[:2], "23rd", texts[3], "eighty", "or", *texts[5:]]
    assert clock(page) == pytest.approx(expected.words[4].start, abs=0.06)  # the place is kept too

    name, text = saved(page, "transcript json")
    told = json.loads(text)
    assert name == "date.json" and told["text"] == " ".join(words(page)) and told["path"] == CLIP.name
    times = [(word["start"], word["end"]) for word in told["words"]]
    own = [(round(word.start, 3), round(word.end, 3)) for word in expected.words]
    assert times[:4] == own[:4] and times[6:] == own[5:]
    assert times[4][0] == own[4][0] and times[4][1] == times[5][0] and times[5][1] == own[4][1]
    assert [word["confidence"] == 1 for word in told["words"]][2:6] == [True, expected.words[3].confidence == 1, True, True]

    for _ in range(2):
        page.keyboard.press("Control+z")
    assert words(page) == texts
    page.keyboard.press("Control+Shift+Z")
    assert words(page)[2] == "23rd"


def test_every_format_is_the_command_lines(visit, service, tmp_path, monkeypatch):
    page = visit(service)
    put(page, CLIP)
    monkeypatch.chdir(CLIP.parent)
    forms = [value.split()[1] for value in page.locator("#format option").evaluate_all("all => all.map(o => o.value)")]
    assert len(forms) == 9
    for form in forms:
        assert main(["transcribe", CLIP.name, "--model", "en-small", "--format", form, "--output", str(tmp_path)]) == 0
        (file,) = tmp_path.glob(f"*.{form}")
        assert saved(page, f"transcript {form}") == (file.name, file.read_text())


def test_keys_and_doubts(visit, service):
    page = visit(service)
    put(page, EXAMPLES / "spelled-name.flac")
    expected = earsight.transcribe(EXAMPLES / "spelled-name.flac", "en-small").words
    page.locator("#doubt").fill("90")
    doubtful = [i for i, word in enumerate(expected) if word.confidence < 0.9]
    assert doubtful and page.locator("#words .doubtful").count() == len(doubtful)
    page.locator("#words .word").nth(0).click()
    page.keyboard.press("n")
    assert page.locator("#words .chosen").get_attribute("data-at") == str(next(i for i in doubtful if i))
    before = page.locator("#words .doubtful").count()
    page.keyboard.press("Enter")  # looked at, and kept as it is
    page.keyboard.press("Enter")
    assert page.locator("#words .doubtful").count() == before - 1

    page.locator("#words .word").nth(0).click()
    page.keyboard.press("Shift+ArrowRight")
    assert clock(page) == pytest.approx(expected[1].start, abs=0.06)
    page.keyboard.press("ArrowLeft")
    assert clock(page) == 0
    page.keyboard.press("j")
    assert len(words(page)) == len(expected) - 1
    page.keyboard.press("Delete")
    assert words(page)[1] == expected[3].text
    page.keyboard.press(".")
    assert page.input_value("#speed") == "1.25"
    page.keyboard.press("Space")
    page.locator("#play[aria-label=Pause]").wait_for()
    page.locator("#words .word.now").wait_for()

    page.keyboard.press("/")
    page.keyboard.type(expected[-1].text)
    page.keyboard.press("Enter")
    assert page.locator("#words .here").inner_text() == expected[-1].text
    assert "of" in page.inner_text("#search-result")


def test_a_films_timeline(visit, service):
    page = visit(service)
    put(page, FILM)
    page.locator(".strip[data-ready] canvas").first.wait_for()
    segment = page.locator(".segment")
    assert segment.count() == 1 and segment.get_attribute("aria-label").startswith("PushUps, from 0:00.0 to 0:05.0, ")
    page.locator(".curves").click(position={"x": page.locator(".curves").bounding_box()["width"] / 2, "y": 5})
    assert clock(page) == pytest.approx(2.5, abs=0.15)
    by_command = service.post("/v1/video/classifications", FILM, response_format="srt").text
    assert saved(page, "timeline srt") == ("push-ups.srt", by_command + "\n" * (not by_command.endswith("\n")))
    name, table = saved(page, "timeline csv")
    assert table.splitlines()[0] == "path,start,end,label,probability"
    assert not page.is_visible("#words .word") and "without sound" in page.inner_text("#problem")


def test_the_microphone(visit, service):
    page = visit(service, permissions=["microphone"])
    page.click("#record")
    page.locator("#record[aria-pressed=true]").wait_for()
    page.wait_for_timeout(3500)
    page.click("#record")
    row = page.locator("#recordings li")
    row.wait_for()
    row.locator("progress").wait_for(state="hidden")
    assert row.locator(".name").inner_text().startswith("Recording ")
    said = earsight.transcribe(EXAMPLES / "grid-sentence.wav", "en-small").text.split()
    assert set(words(page)) & set(said) and 3 < float(page.inner_text("#clock").split(":")[-1]) < 6


def test_several_are_queued_and_cancelled(visit, tmp_path):
    for name in ("one.mp3", "two.mp3"):
        shutil.copy(CLIP, tmp_path / name)
    (tmp_path / "notes.txt").write_text("no sound")
    (tmp_path / "broken.wav").write_bytes(b"RIFF no sound")
    with running() as own:
        page = visit(own)
        page.route(f"**{TRANSCRIPTIONS}", lambda route: None)  # never answered
        page.set_input_files("#files", [tmp_path / name for name in ("one.mp3", "two.mp3", "notes.txt", "broken.wav")])
        rows = page.locator("#recordings li")
        page.locator("#told", has_text="notes.txt").wait_for()
        assert rows.count() == 3
        page.get_by_role("button", name="Cancel: one.mp3").click()
        page.get_by_role("button", name="Again: one.mp3").wait_for()
        page.unroute(f"**{TRANSCRIPTIONS}")
        page.reload()  # who waited waits again
        for name, told in (("two.mp3", "words"), ("broken.wav", "not read"), ("one.mp3", "cancelled")):
            rows.filter(has_text=name).locator(".facts", has_text=told).wait_for()
        page.get_by_role("button", name="Again: one.mp3").click()
        rows.filter(has_text="one.mp3").locator(".facts", has_text="words").wait_for()
        page.get_by_role("button", name="Remove broken.wav").click()
        page.reload()
        assert rows.count() == 2


def test_a_key_is_asked_for_once(visit):
    with running(env={"EARSIGHT_API_KEYS": TOKEN}) as locked:
        page = visit(locked, ready=False)
        page.locator("#key-dialog[open]").wait_for()
        for key in ("wrong", TOKEN):
            page.fill("#key", key)
            page.keyboard.press("Enter")
            if key == "wrong":
                page.locator("#key-wrong").wait_for()
        page.locator("html[data-ready]").wait_for(state="attached")
        put(page, CLIP)
        page.reload()
        page.locator("#words .word").first.wait_for()
        assert not page.is_visible("#key-dialog")
        assert page.context.storage_state()["origins"][0]["localStorage"] and TOKEN not in json.dumps(
            page.context.storage_state())
