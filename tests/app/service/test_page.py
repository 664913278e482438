"""The page in a real browser: what somebody does there, seen from outside."""

import hashlib
import json
import re
import shutil
from base64 import b64encode
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile
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


def reload(page):
    page.reload()
    page.locator("html[data-ready]").wait_for(state="attached")


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
    reload(page)
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
    assert [told["words"][at]["confidence"] for at in (2, 4, 5)] == [1, 1, 1]

    page.get_by_role("button", name="Read again").click()
    page.get_by_role("button", name="Cancel").last.click()  # of the question, as corrections would be lost
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

    page.keyboard.press("Enter")  # on the word that is heard, wherever one was chosen
    page.locator(".editor").wait_for()
    page.locator("#play[aria-label=Play]").wait_for()  # the browser tells that it stands still a little later
    page.keyboard.press("Escape")

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
    assert re.fullmatch(r"PushUps \d\d %, from 0:00.0 to 0:05.0", segment.get_attribute("aria-label"))
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
        reload(page)  # who waited waits again
        for name, told in (("two.mp3", "words"), ("broken.wav", "not read"), ("one.mp3", "cancelled")):
            rows.filter(has_text=name).locator(".facts", has_text=told).wait_for()
        page.get_by_role("button", name="Again: one.mp3").click()
        rows.filter(has_text="one.mp3").locator(".facts", has_text="words").wait_for()
        page.get_by_role("button", name="Remove broken.wav").click()
        reload(page)
        assert rows.count() == 2


def test_what_is_dropped_and_what_is_too_large(visit):
    with running("--max-upload", 0.05) as own:
        page = visit(own)
        dropped = page.evaluate_handle("""async names => {
            const all = new DataTransfer();
            for (const [name, letters] of names) {
                all.items.add(new File([Uint8Array.from(atob(letters), letter => letter.charCodeAt(0))], name));
            }
            return all;
        }""", [[name, b64encode((EXAMPLES / name).read_bytes()).decode()] for name in (CLIP.name, "grid-sentence.wav")])
        page.dispatch_event("body", "dragenter", {"dataTransfer": dropped})
        page.locator("#drop").wait_for()
        page.dispatch_event("body", "drop", {"dataTransfer": dropped})
        rows = page.locator("#recordings li")
        rows.filter(has_text=CLIP.name).locator(".facts", has_text="6 words").wait_for()
        rows.filter(has_text="grid-sentence.wav").locator(".facts", has_text="not read").wait_for()
        rows.filter(has_text="grid-sentence.wav").locator(".row").click()
        assert "0.05 MB" in page.inner_text("#problem") and not page.is_visible("#drop")

        page.click("#export-all")
        page.select_option("#all-format", "transcript srt")
        with page.expect_download() as waiting:
            page.locator("#all-dialog").get_by_role("button", name="Save").click()
        assert waiting.value.suggested_filename == "date.srt"
        assert Path(waiting.value.path()).read_text() == own.post(response_format="srt").text


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
        reload(page)
        page.locator("#words .word").first.wait_for()
        assert not page.is_visible("#key-dialog")
        assert page.context.storage_state()["origins"][0]["localStorage"] and TOKEN not in json.dumps(
            page.context.storage_state())


@pytest.fixture(scope="module")
def talking_film(tmp_path_factory):
    """A film that a browser plays, of one example's pictures and another's sound."""
    path = tmp_path_factory.mktemp("film") / "talking.mp4"
    with av.open(FILM) as pictures, av.open(EXAMPLES / "grid-sentence.wav") as sound, av.open(path, "w") as film:
        picture_track = film.add_stream_from_template(pictures.streams.video[0])
        sound_track = film.add_stream("aac", rate=16000)
        for packet in pictures.demux(video=0):
            if packet.dts is not None:
                packet.stream = picture_track
                film.mux(packet)
        for frame in sound.decode(audio=0):
            film.mux(sound_track.encode(frame))
        film.mux(sound_track.encode(None))
    return path


def subtitles(page, word: str) -> list[str]:
    """The words of the film's subtitles, once one of them is there."""
    return page.evaluate("""word => new Promise(done => {
        const look = () => {
            const cues = document.querySelector("track")?.track.cues ?? [];
            const words = [...cues].flatMap(cue => cue.text.split(/\\s+/));
            if (words.includes(word)) done(words);
            else setTimeout(look, 50);
        };
        look();
    })""", word)


def test_a_film_with_sound_has_subtitles_and_a_timeline(visit, service, talking_film):
    page = visit(service)
    put(page, talking_film)
    assert subtitles(page, words(page)[0]) == words(page)
    correct(page, 1, "twice")
    assert subtitles(page, "twice") == words(page)
    page.locator("#saved", has_text="Saved").wait_for()
    assert page.locator(".segment").count() == 1 and page.locator("#film").evaluate("film => film.videoWidth") == 320
    assert saved(page, "timeline txt")[0] == "talking.actions.txt"
    assert saved(page, "transcript txt") == ("talking.txt", " ".join(words(page)) + "\n")


def test_first_lines_are_there_before_the_last_is_read(visit, service, tmp_path):
    sound, rate = soundfile.read(EXAMPLES / "command-telephone.wav")
    pause = 1e-4 * np.random.default_rng(1).standard_normal(2 * rate)
    (tmp_path / "talks").mkdir()
    # Long enough for many answers: a short one is read so fast that a browser may draw it at once.
    soundfile.write(tmp_path / "talks" / "long.wav", np.concatenate([sound, pause] * 40), rate)
    page = visit(service)
    page.evaluate("""() => {
        window.counts = [];
        new MutationObserver(() => counts.push(document.querySelectorAll("#words .word").length))
            .observe(document.getElementById("words"), { childList: true });
    }""")
    page.set_input_files("#folder", tmp_path / "talks")
    row = page.locator("#recordings li", has_text="talks/long.wav")
    row.locator(".facts", has_text="words").wait_for()
    row.locator("progress").wait_for(state="hidden")
    total = len(words(page))
    assert any(0 < count < total for count in page.evaluate("counts")) and page.locator(".utterance").count() > 2
    assert saved(page, "transcript txt")[1].splitlines() == [
        " ".join(one.split()) for one in page.locator(".utterance p").all_text_contents()]


def test_a_waveform_stays_where_nothing_can_be_heard(visit, service):
    page = visit(service)
    # As Firefox does on a machine without a sound device: what is played fails after it has begun.
    page.evaluate("""() => { HTMLMediaElement.prototype.play = async function () {
        setTimeout(() => this.dispatchEvent(new Event("error")));
    } }""")
    put(page, CLIP)
    drawn = """() => {
        const canvas = document.querySelector("#wave > div")?.shadowRoot.querySelector("canvas");
        if (!canvas) return 0;
        const pixels = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
        return pixels.filter((value, at) => at % 4 === 3 && value).length;
    }"""
    page.wait_for_function(f"() => ({drawn})() > 1000")
    page.click("#play")
    page.locator("#told", has_text="cannot play it").wait_for()
    assert page.evaluate(drawn) > 1000


def test_a_recording_that_is_cut_off_is_recovered(visit, service):
    page = visit(service, permissions=["microphone"])
    page.on("dialog", lambda dialog: dialog.accept())
    page.click("#record")
    page.wait_for_timeout(2500)
    reload(page)  # a browser that dies asks as little
    row = page.locator("#recordings li", has_text="Recovered recording")
    row.wait_for()
    row.locator("progress").wait_for(state="hidden")
    assert row.locator(".facts.bad").count() == 0
    reload(page)
    assert page.locator("#recordings li").count() == 1


def test_another_tab_shows_what_one_corrects(visit, service):
    page = visit(service)
    put(page, CLIP)
    other = visit(service)
    other.locator("#words .word").first.wait_for()
    correct(page, 0, "changed")
    other.locator("#words .corrected", has_text="changed").wait_for()
    correct(other, 1, "too")
    page.locator("#words .corrected", has_text="too").wait_for()
    assert words(page) == words(other)


def test_a_phone_light_and_dark(visit, service):
    page = visit(service, viewport={"width": 360, "height": 740}, has_touch=True, is_mobile=True)
    put(page, CLIP, FILM)
    grounds = set()
    for _ in range(3):
        grounds.add(page.evaluate("getComputedStyle(document.body).backgroundColor"))
        page.click("#theme")
    assert len(grounds) == 2
    for row in page.locator(".row").all():
        row.click()
        assert page.evaluate("document.documentElement.scrollWidth") <= 360
    for button in page.locator("button:visible").all():
        assert button.evaluate("each => each.innerText.trim() || each.ariaLabel"), button.inner_html()


def test_the_page_may_do_nothing_else(service):
    with service.client() as client:
        answers = [client.get("/") for _ in range(2)]
        policies = [answer.headers["content-security-policy"] for answer in answers]
        assert policies[0] != policies[1]  # by the nonce
        rules = dict(rule.strip().split(" ", 1) for rule in policies[0].split(";"))
        assert rules["default-src"] == "'none'" and rules["script-src"] == "'self'" and "unsafe" not in policies[0]
        assert rules["connect-src"] == "'self' blob:"
        for name in ("main.js", "page.css", "icon.svg", "vendor/wavesurfer.esm.js"):
            answer = client.get(f"/page/{name}")
            assert answer.status_code == 200 and answer.headers["x-content-type-options"] == "nosniff"
            assert re.match("text/javascript|application/javascript|text/css|image/svg", answer.headers["content-type"])
        for path in ("/page/nothing.js", "/page/../service/page.py", "/page/%2e%2e/service/page.py", "/page/"):
            assert client.get(path).status_code == 404


def test_the_page_asks_nobody_else():
    for path in PAGE.glob("*"):
        if path.is_file():
            assert not re.search(r"(https?:)?//(?!www\.w3\.org/)\w+\.", path.read_text()), path.name


def test_what_is_vendored_is_what_was_published():
    about = json.loads((PAGE / "vendor" / "wavesurfer.json").read_text())
    assert hashlib.sha256((PAGE / "vendor" / "wavesurfer.esm.js").read_bytes()).hexdigest() == about["sha256"]
    assert about["licence"] == "BSD-3-Clause" and "BSD 3-Clause" in (PAGE / "vendor" / "wavesurfer.LICENSE").read_text()
    assert {path.name.split(".")[0] for path in (PAGE / "vendor").iterdir()} == {"wavesurfer"}
