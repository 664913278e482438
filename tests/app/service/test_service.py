"""`earsight serve` answers as OpenAI's interface does, with what the command line finds."""

import io
import json
import sys

import numpy as np
import openai
import pysrt
import pytest
import soundfile
import webvtt
from services import CLASSIFICATIONS, EXAMPLES, FILMS, TRANSCRIPTIONS, running, until

import earsight
from earsight.app.main import main
from earsight.common.inference.recognition import as_json

CLIP = EXAMPLES / "date.mp3"


@pytest.fixture(scope="module")
def service():
    with running() as one:
        yield one


@pytest.fixture(scope="module")
def client(service):
    with openai.OpenAI(api_key="any", base_url=f"{service.url}/v1", max_retries=0) as one:
        yield one


@pytest.fixture(scope="module")
def expected():
    return earsight.transcribe(CLIP, "en-small")


@pytest.fixture(scope="module")
def long_clip(tmp_path_factory):
    """Several utterances with pauses between them, longer than the model's clips."""
    sound, rate = soundfile.read(EXAMPLES / "command-telephone.wav")
    pause = 1e-4 * np.random.default_rng(1).standard_normal(2 * rate)
    path = tmp_path_factory.mktemp("long") / "long.wav"
    soundfile.write(path, np.concatenate([sound, pause] * 4), rate)
    return path


@pytest.mark.parametrize("model", ["whisper-1", "en-small"])
def test_openais_client_reads_what_the_command_line_does(model, client, expected):
    with CLIP.open("rb") as file:
        told = client.audio.transcriptions.create(file=file, model=model, language="en", temperature=0, prompt="a date")
    assert told.text == expected.text and told.usage.seconds == int(np.ceil(expected.duration))


def test_verbose_json_has_segments_words_and_confidences(client, expected):
    with CLIP.open("rb") as file:
        told = client.audio.transcriptions.create(file=file, model="whisper-1", response_format="verbose_json",
                                                  timestamp_granularities=["word", "segment"])
    assert (told.text, told.language, told.duration) == (expected.text, "english", round(expected.duration, 3))
    assert [(word.word, word.start, word.end, word.confidence) for word in told.words] == [
        (word.text, round(word.start, 3), round(word.end, 3), round(word.confidence, 4)) for word in expected.words]
    (segment,) = told.segments
    assert (segment.text, segment.start, segment.end) == (expected.text, told.words[0].start, told.words[-1].end)
    assert segment.confidence == round(expected.confidence, 4)


@pytest.mark.parametrize("asked, there", [([], {"segments"}), (["word"], {"words"}), (["segment"], {"segments"}),
                                          (["word", "segment"], {"words", "segments"})])
def test_granularities_choose_what_verbose_json_has(asked, there, service):
    told = service.post(response_format="verbose_json", **{"timestamp_granularities[]": asked}).json()
    assert told.keys() & {"words", "segments"} == there


def test_subtitles_and_text(client, expected):
    def asked(form):
        with CLIP.open("rb") as file:
            return client.audio.transcriptions.create(file=file, model="whisper-1", response_format=form)

    assert asked("text") == f"{expected.text}\n"
    assert " ".join(cue.text for cue in pysrt.from_string(asked("srt"))) == expected.text
    assert " ".join(cue.text for cue in webvtt.from_buffer(io.StringIO(asked("vtt")))) == expected.text


def test_a_stream_tells_utterances_one_by_one(client, service, long_clip):
    whole = service.post(clip=long_clip).json()["text"]
    assert whole == earsight.transcribe(long_clip, "en-small").text
    with long_clip.open("rb") as file:
        events = list(client.audio.transcriptions.create(file=file, model="whisper-1", stream=True))
    deltas = [event.delta for event in events if event.type == "transcript.text.delta"]
    assert len(deltas) >= 3 and "".join(deltas) == whole
    assert events[-1].type == "transcript.text.done" and events[-1].text == whole


def test_segments_of_a_long_recording_are_its_utterances(service, long_clip):
    told = service.post(clip=long_clip, response_format="verbose_json").json()
    assert len(told["segments"]) >= 3 and "\n".join(each["text"] for each in told["segments"]) == told["text"]
    starts = [each["start"] for each in told["segments"]]
    assert starts == sorted(starts) and told["segments"][-1]["end"] <= told["duration"]


def test_models(client):
    names = {model.id: model for model in client.models.list()}
    assert {"en", "en-small", "digits", "actions-10"} <= names.keys()
    assert client.models.retrieve("en").owned_by == "earsight"


@pytest.mark.parametrize("model", ["no-such-model", "digits", "actions-10", str(EXAMPLES), "../en-small"])
def test_a_model_that_is_not_there_or_does_something_else(model, client):
    with CLIP.open("rb") as file, pytest.raises(openai.NotFoundError) as told:
        client.audio.transcriptions.create(file=file, model=model)
    assert told.value.code == "model_not_found" and told.value.param == "model"


def test_a_language_that_the_model_does_not_know(client):
    with CLIP.open("rb") as file, pytest.raises(openai.BadRequestError) as told:
        client.audio.transcriptions.create(file=file, model="en-small", language="de")
    assert told.value.code == "unsupported_language"


def test_films_and_sound_are_classified(service):
    film = FILMS / "push-ups.mp4"
    told = service.post(CLASSIFICATIONS, film).json()
    assert told == json.loads(as_json(earsight.classify(film))) | {"path": "push-ups.mp4"}
    timeline = service.post(CLASSIFICATIONS, film, response_format="timeline").json()
    assert {segment["label"] for segment in timeline["segments"]} == {"PushUps"}
    (cue,) = pysrt.from_string(service.post(CLASSIFICATIONS, film, response_format="srt").text)
    assert cue.text.startswith("PushUps")
    table = service.post(CLASSIFICATIONS, film, response_format="csv").text.splitlines()
    assert table[0] == "path,start,end,label,probability" and table[1].startswith("push-ups.mp4,0.000,")
    assert service.post(CLASSIFICATIONS, EXAMPLES / "grid-sentence.wav").json()["model"] == "digits"


def test_supervisors_and_prometheus(service):
    with service.client() as client:
        before = client.get("/metrics").text
        assert client.get("/health").status_code == client.get("/ready").status_code == 200
        service.post()
        after = client.get("/metrics").text
    assert figure(after, "earsight_sound_seconds_total") - figure(before, "earsight_sound_seconds_total") == (
        pytest.approx(soundfile.info(CLIP).duration, abs=0.1))
    assert figure(after, "earsight_workers") == 1 and figure(after, "earsight_queue") == 0
    assert figure(after, "earsight_workers_memory_bytes") > 1e7
    name = f'earsight_requests_total{{endpoint="{TRANSCRIPTIONS}",status="200"}}'
    assert figure(after, name) - figure(before, name) == 1


def figure(text: str, name: str) -> float:
    (line,) = [line for line in text.splitlines() if line.startswith(f"{name} ")] or [f"{name} 0"]
    return float(line.split()[-1])


def test_addresses_and_methods_that_are_not_there(service):
    with service.client() as client:
        for method, path, status in (("GET", "/v1/nothing", 404), ("GET", TRANSCRIPTIONS, 405), ("PUT", "/", 405)):
            told = client.request(method, path)
            assert told.status_code == status and told.json()["error"]["type"] == "invalid_request_error"
        assert "<title>Earsight</title>" in client.get("/").text
        assert "access-control-allow-origin" not in client.get("/", headers={"Origin": "https://example.org"}).headers


def test_the_description_names_each_address(service):
    with service.client() as client:
        paths = client.get("/openapi.json").json()["paths"]
    assert {TRANSCRIPTIONS, CLASSIFICATIONS, "/v1/models", "/health", "/ready", "/metrics"} <= paths.keys()


def test_the_log_is_json_without_what_was_said(service, expected):
    before = len(service.logged())
    service.post(clip=CLIP)
    # Lines of requests before it may come meanwhile.
    until(lambda: any(each["path"] == TRANSCRIPTIONS and each["status"] == 200 for each in service.logged()[before:]))
    assert all(line.startswith("{") for line in service.lines)
    last = [each for each in service.logged() if each["path"] == TRANSCRIPTIONS and each["status"] == 200][-1]
    assert last["sound"] > 4 and len(last["request"]) == 32
    assert expected.words[0].text not in "".join(service.lines) and CLIP.name not in "".join(service.lines)


def test_nothing_is_kept_of_clients(service):
    assert service.uploads == []


def test_an_extra_that_is_not_installed(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "starlette", None)
    assert main(["serve"]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "pip install 'earsight[serve]'" in line
