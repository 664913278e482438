"""Live sound over websockets: vosk-server's protocol and OpenAI's, with their own clients' messages."""

import asyncio
import base64
import json

import numpy as np
import openai
import pytest
from services import EXAMPLES, PATIENCE, running
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

import earsight
from earsight.audio.reading import read, resample

CLIP = EXAMPLES / "grid-sentence.wav"


@pytest.fixture(scope="module")
def service():
    with running("--max-streams", 3, "--stream-idle", 3, "--max-duration", 60) as one:
        yield one


@pytest.fixture(scope="module")
def expected():
    return earsight.transcribe(CLIP, "en-small")


def pcm(path, rate, pause=0.0):
    samples = resample(read(path).samples, read(path).sample_rate, rate)
    noise = 1e-4 * np.random.default_rng(1).standard_normal(round(pause * rate))
    return (np.clip(np.concatenate([samples, noise]), -1, 1) * 32767).astype("<i2").tobytes()


def opened(service, path=""):
    return connect(service.url.replace("http", "ws") + path, open_timeout=PATIENCE)


def pieces(sound, size):
    return [sound[i:i + size] for i in range(0, len(sound), size)]


def conversation(socket, sound, size, config):
    """What vosk-server's own test client does: a piece, then the answer; the answers, that to the end last."""
    answers = []
    socket.send(json.dumps({"config": config}))
    for piece in pieces(sound, size):
        socket.send(piece)
        answers.append(json.loads(socket.recv(PATIENCE)))
    socket.send('{"eof" : 1}')
    return [*answers, json.loads(socket.recv(PATIENCE))]


def test_vosks_client_hears_what_a_file_says(service, expected):
    with opened(service) as socket:
        answers = conversation(socket, pcm(CLIP, 16000), 8000, {"sample_rate": 16000})
    partials = [answer["partial"] for answer in answers if "partial" in answer]
    finals = [answer for answer in answers if "text" in answer]
    assert any(partials) and " ".join(each["text"] for each in finals if each["text"]) == expected.text
    words = [word for each in finals for word in each.get("result", ())]
    assert [word["word"] for word in words] == expected.text.split()
    assert all(abs(word["start"] - other.start) < 0.15 and 0 <= word["conf"] <= 1
               for word, other in zip(words, expected.words, strict=True))


def test_a_pause_ends_an_utterance_and_times_go_on(service, expected):
    once = pcm(CLIP, 16000, pause=1.5)
    with opened(service) as socket:
        answers = conversation(socket, once * 2, 8000, {"sample_rate": 16000})
    finals = [answer for answer in answers if answer.get("text")]
    assert [each["text"] for each in finals] == [expected.text] * 2
    seconds = len(once) / 2 / 16000
    for one, other in zip(finals[0]["result"], finals[1]["result"], strict=True):
        assert other["end"] - one["end"] == pytest.approx(seconds, abs=0.1)
    # Of the first word, the noise before the second sentence may move the start.
    for one, other in zip(finals[0]["result"][1:], finals[1]["result"][1:], strict=True):
        assert other["start"] - one["start"] == pytest.approx(seconds, abs=0.1)


def test_a_reset_begins_anew(service, expected):
    sound = pcm(CLIP, 16000)
    with opened(service) as socket:
        socket.send(json.dumps({"config": {"sample_rate": 16000, "words": False}}))
        for _ in range(2):
            socket.send(sound)
            assert "partial" in json.loads(socket.recv(PATIENCE))
            socket.send('{"reset" : 1}')
            assert json.loads(socket.recv(PATIENCE)) == {"text": expected.text}


@pytest.mark.parametrize("message", ["hello", "[1]", '{"strange": 1}', '{"config": 3}',
                                     '{"config": {"sample_rate": "fast"}}', '{"config": {"sample_rate": 10}}',
                                     "[" * 100_000])
def test_text_for_sound_is_refused(message, service):
    with opened(service) as socket:
        socket.send(message)
        with pytest.raises(ConnectionClosed) as told:
            socket.send(b"\0\0" * 8000)
            socket.recv(PATIENCE)
    assert told.value.rcvd.code == 1003 and told.value.rcvd.reason


def test_who_says_nothing_is_left(service):
    with opened(service) as socket, pytest.raises(ConnectionClosed) as told:
        socket.recv(PATIENCE)
    assert told.value.rcvd.code == 1008 and "nothing came" in told.value.rcvd.reason


def test_a_stream_may_not_last_for_ever(service):
    with opened(service) as socket:
        socket.send(json.dumps({"config": {"sample_rate": 8000}}))
        with pytest.raises(ConnectionClosed) as told:
            for _ in range(8):
                socket.send(bytes(160_000))
                socket.recv(PATIENCE)
    assert told.value.rcvd.code == 1009


def test_more_streams_than_there_may_be(service):
    with opened(service), opened(service), opened(service, "/v1/realtime?intent=transcription"):
        with pytest.raises(InvalidStatus) as told:
            opened(service)
    assert told.value.response.status_code == 429 and told.value.response.headers["retry-after"]
    assert json.loads(told.value.response.body)["error"]["code"] == "rate_limit_exceeded"


def test_pages_of_other_sites_may_not_listen(service):
    with pytest.raises(InvalidStatus) as told:
        connect(service.url.replace("http", "ws"), origin="https://example.org")
    assert told.value.response.status_code == 403


def test_openais_client_hears_it(service, expected):
    sound = pcm(CLIP, 24000, pause=1.5)

    async def talk():
        client = openai.AsyncOpenAI(api_key="any", base_url=f"{service.url}/v1")
        events = []
        async with client.realtime.connect(extra_query={"intent": "transcription"}) as connection:
            await connection.session.update(session={
                "type": "transcription",
                "audio": {"input": {"format": {"type": "audio/pcm", "rate": 24000},
                                    "transcription": {"model": "whisper-1"},
                                    "turn_detection": {"type": "server_vad", "silence_duration_ms": 800}}}})
            for piece in pieces(sound, 9600):
                await connection.input_audio_buffer.append(audio=base64.b64encode(piece).decode())
            async with asyncio.timeout(PATIENCE):
                async for event in connection:
                    events.append(event)
                    if event.type == "conversation.item.input_audio_transcription.completed":
                        return events

    events = asyncio.run(talk())
    kinds = [event.type for event in events]
    assert kinds[:2] == ["session.created", "session.updated"] and "error" not in kinds
    assert kinds.index("input_audio_buffer.speech_started") < kinds.index("input_audio_buffer.committed")
    deltas = [event.delta for event in events if event.type.endswith(".delta")]
    assert events[-1].transcript == expected.text and len(deltas) > 1 and "".join(deltas).split()[-1] == "again"
    assert [word["word"] for word in events[-1].words] == expected.text.split()
    assert len({event.item_id for event in events if hasattr(event, "item_id")}) == 1


def test_an_utterance_that_the_client_ends(service, expected):
    with opened(service, "/v1/realtime?intent=transcription") as socket:
        def said():
            return json.loads(socket.recv(PATIENCE))

        assert said()["type"] == "session.created"
        # As the beta of the interface had it.
        socket.send(json.dumps({"type": "transcription_session.update", "session": {
            "input_audio_format": "pcm16", "input_audio_transcription": {"model": "en-small"},
            "turn_detection": None}}))
        assert said()["type"] == "transcription_session.updated"
        socket.send(json.dumps({"type": "input_audio_buffer.append",
                                "audio": base64.b64encode(pcm(CLIP, 24000)).decode()}))
        socket.send(json.dumps({"type": "input_audio_buffer.commit"}))
        events = [said() for _ in range(5)]
        assert events[-1]["type"].endswith(".completed") and events[-1]["transcript"] == expected.text
        socket.send(json.dumps({"type": "input_audio_buffer.commit"}))
        assert said()["error"]["code"] == "input_audio_buffer_commit_empty"


@pytest.mark.parametrize("message", [
    "hello", "{}", '{"type": "response.create"}', '{"type": "input_audio_buffer.append"}',
    '{"type": "input_audio_buffer.append", "audio": "no base64!"}', '{"type": "session.update"}',
    '{"type": "session.update", "session": {"audio": {"input": {"format": {"type": "audio/pcmu"}}}}}',
    '{"type": "session.update", "session": {"audio": {"input": {"format": {"rate": 1}}}}}',
    '{"type": "session.update", "session": {"audio": {"input": {"transcription": {"model": "no-such"}}}}}',
    '{"type": "session.update", "session": {"audio": {"input": {"turn_detection": {"silence_duration_ms": -1}}}}}',
    b"\0\0",
])
def test_a_wrong_event_is_told_and_the_session_goes_on(message, service):
    with opened(service, "/v1/realtime") as socket:
        socket.recv(PATIENCE)
        socket.send(message)
        told = json.loads(socket.recv(PATIENCE))
        assert told["type"] == "error" and told["error"]["message"] and told["error"]["type"] == "invalid_request_error"
        socket.send('{"type": "input_audio_buffer.clear"}')
        assert json.loads(socket.recv(PATIENCE))["type"] == "input_audio_buffer.cleared"


def test_sound_of_the_shared_recordings(service, shared_data):
    """Utterances of two GRID sentences with a pause between them are what their files say."""
    names = (shared_data / "grid/splits/dev.txt").read_text().split()[:2]
    clips = [shared_data / f"grid/s1/{name}.mp4" for name in names]
    sound = b"".join(pcm(clip, 16000, pause=1.2) for clip in clips)
    with opened(service) as socket:
        answers = conversation(socket, sound, 4000, {"sample_rate": 16000})
    finals = [answer["text"] for answer in answers if answer.get("text")]
    assert len(finals) == 2
    for text, clip in zip(finals, clips, strict=True):
        assert text.split()[-1] == earsight.transcribe(clip, "en-small").text.split()[-1]


