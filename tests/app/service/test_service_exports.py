"""Results that come back are written as the command line writes them, and what is no result is refused."""

import json
from dataclasses import replace

import pytest
from services import CLASSIFICATIONS, EXAMPLES, FILMS, TRANSCRIPTIONS, running

import earsight
from earsight.app.main import main
from earsight.app.recognisers import classifier
from earsight.common.formats.transcripts import FORMATS
from earsight.common.inference import recognition

EXPORTS = "/v1/exports"
CLIP, FILM = EXAMPLES / "date.mp3", FILMS / "jumping-jacks.mp4"
TRANSCRIPT = {"path": "a.wav", "text": "one two", "duration": 2.0, "model": "m", "confidence": 0.5,
              "words": [{"text": "one", "start": 0.1, "end": 0.4, "confidence": 0.9},
                        {"text": "two", "start": 0.5, "end": 0.9, "confidence": 0.6}]}
TIMELINE = {"path": "a.mp4", "segments": [{"start": 0.0, "end": 1.0, "label": "up", "probability": 0.7}],
            "labels": ["up", "down"], "times": [0.5], "probabilities": [[0.7, 0.3]], "duration": 1.0, "model": "m"}


@pytest.fixture(scope="module")
def service():
    with running() as one:
        yield one


def written(service, body, form):
    text = body if isinstance(body, str) else json.dumps(body)
    with service.client() as client:
        return client.post(EXPORTS, files={"file": ("result.json", text)}, data={"response_format": form})


@pytest.fixture(scope="module")
def transcript():
    return recognition.as_json(earsight.transcribe(CLIP, "en-small"))


@pytest.mark.parametrize("form", FORMATS)
def test_a_transcript_is_written_as_by_the_command_line(form, service, transcript, tmp_path, monkeypatch):
    monkeypatch.chdir(CLIP.parent)
    plain = json.loads(transcript) | {"path": CLIP.name}
    assert main(["transcribe", CLIP.name, "--model", "en-small", "--format", form, "--output", str(tmp_path)]) == 0
    (file,) = tmp_path.glob(f"*.{form}")
    assert written(service, plain, form).text == file.read_text()


def test_a_timeline_is_written_as_by_the_command_line(service):
    expected = replace(classifier("actions-10", 1).timeline(FILM), path=FILM.name)
    timeline = service.post(CLASSIFICATIONS, FILM, response_format="timeline").json()
    for form in ("txt", "json", "csv", "srt"):
        assert written(service, timeline, form).text == recognition.written(expected, form) + "\n"


def without(plain, *names):
    return {name: value for name, value in plain.items() if name not in names}


def with_word(**changes):
    return TRANSCRIPT | {"words": [TRANSCRIPT["words"][0] | changes, TRANSCRIPT["words"][1]]}


@pytest.mark.parametrize("body, form, told", [
    ("", "txt", "no JSON"), ("[" * 100_000, "txt", "no JSON"), ("[]", "txt", "neither"), ("null", "txt", "neither"),
    (TRANSCRIPT | TIMELINE, "txt", "neither"), (TRANSCRIPT, "csv", "no csv"), (TIMELINE, "vtt", "no vtt"),
    (without(TRANSCRIPT, "text"), "txt", "`text`"), (without(TRANSCRIPT, "duration"), "srt", "`duration`"),
    (without(TRANSCRIPT, "path"), "ctm", "`path`"), (TRANSCRIPT | {"words": "one two"}, "txt", "`words`"),
    (TRANSCRIPT | {"text": "one three"}, "txt", "same words"), (TRANSCRIPT | {"words": [1, 2]}, "txt", "`words`"),
    (TRANSCRIPT | {"duration": float("nan")}, "srt", "`duration`"), (with_word(start=-1), "srt", "`start`"),
    (with_word(start="0.1"), "srt", "`start`"), (with_word(end=0.05), "srt", "behind"),
    (with_word(end=1e300), "srt", "`end`"),
    (with_word(confidence=True), "json", "`confidence`"), (with_word(start=0.6, end=0.7), "srt", "order"),
    (TIMELINE | {"labels": [1]}, "txt", "`labels`"), (TIMELINE | {"times": [[1]]}, "json", "`times`"),
    (TIMELINE | {"times": []}, "json", "`times`"), (TIMELINE | {"probabilities": [[0.7]]}, "json", "`probabilities`"),
    (TIMELINE | {"probabilities": [["a", "b"]]}, "json", "`probabilities`"),
    (TIMELINE | {"labels": []}, "json", "`times`"), (TIMELINE | {"times": [float("inf")]}, "json", "`times`"),
    (TIMELINE | {"segments": [{"start": 0.0, "end": 1.0, "label": 3, "probability": 0.5}]}, "txt", "`label`"),
    (TIMELINE | {"segments": [{"start": 0.0, "end": 1.0, "label": "up"}]}, "txt", "`probability`"),
])
def test_what_is_no_result_is_refused(body, form, told, service):
    answer = written(service, body, form)
    assert answer.status_code == 400 and told in answer.json()["error"]["message"], answer.text


def test_words_of_any_letters_and_formats_that_are_none(service):
    words = [word | {"text": text} for word, text in zip(TRANSCRIPT["words"], ("naïve -->", "\ud800 \x00<b>"))]
    odd = TRANSCRIPT | {"words": words, "text": "naïve --> \ud800 \x00<b>", "path": "\udcff/../x"}
    for form in FORMATS:
        assert written(service, odd, form).status_code == 200
    assert written(service, TRANSCRIPT, "docx").status_code == 400
    assert service.uploads == []


def test_a_stream_of_verbose_json_has_words(service):
    whole = service.post(response_format="verbose_json", **{"timestamp_granularities[]": ["word", "segment"]}).json()
    asked = {"stream": "true", "response_format": "verbose_json", "timestamp_granularities[]": ["word", "segment"]}
    lines = service.post(TRANSCRIPTIONS, CLIP, **asked).text.splitlines()
    *deltas, done = [json.loads(line.removeprefix("data: ")) for line in lines if line.startswith("data: ")]
    assert [word for delta in deltas for word in delta["words"]] == whole["words"]
    assert done == {**whole, "type": "transcript.text.done"}
