"""The project's own speech: what is said, how it is stored, and the demo's examples."""

import csv
import shutil
import subprocess

import numpy as np
import pytest
import soundfile
import synthesise

from conftest import REPOSITORY
from earsight.common.data.cuts import speaker_of, text_of
from earsight.common.data.manifest import read_manifest
from earsight.common.errors import EarsightError
from earsight.common.labels import read_lexicon

EXAMPLES = REPOSITORY / "scripts" / "examples"
LEXICON = REPOSITORY / "configs" / "lexicon.txt"
needs_engines = pytest.mark.skipif(
    not (shutil.which("espeak-ng") and shutil.which("flite")),
    reason="needs the speech synthesisers: apt install espeak-ng flite",
)


def _draw(seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


# The lexicon


def test_lexicon_is_the_vocabulary_in_the_phones_of_an4():
    lexicon = read_lexicon(LEXICON)
    assert set(lexicon) == set(synthesise.vocabulary())
    phones = {phone for said in lexicon.values() for each in said for phone in each}
    assert " ".join(sorted(phones)) == (
        # OH is our own: it lets a model learn from the words around it when "oh" is said and when "o".
        "AA AE AH AO AW AY B CH D EH ER EY F G HH IH IY JH K L M N OH OW P R S T TH UW V W Y Z"
    )
    assert all(len(set(each)) == len(each) for each in lexicon.values()), "a pronunciation is there twice"


@pytest.mark.parametrize(
    ("word", "phones"),
    [("a", "EY"), ("z", "Z IY"), ("one", "W AH N"), ("enter", "EH N T ER"), ("bin", "B IH N")],
)
def test_lexicon_puts_the_usual_pronunciation_first(word, phones):
    assert " ".join(read_lexicon(LEXICON)[word][0]) == phones


def test_lexicon_holds_every_pronunciation_of_an4(shared_data):
    ours = read_lexicon(LEXICON)
    for line in (shared_data / "an4" / "etc" / "an4.dic").read_text().splitlines():
        word, *phones = line.split()
        word = word.split("(")[0].lower()
        if phones and word in ours:
            assert tuple(phones) in ours[word] or word == "oh"
        else:
            assert word.startswith("<") or not phones, f"{word} is not in the lexicon"


# Sentences


def test_sentences_are_in_the_vocabulary_and_never_an_example():
    known = set(synthesise.vocabulary())
    sentences = [synthesise.draw_sentence(_draw(seed)) for seed in range(3000)]
    assert {word for sentence in sentences for word in sentence.split()} == known
    assert not synthesise.EXAMPLE_TEXTS & set(sentences)


def test_an_example_that_comes_up_is_drawn_again(monkeypatch):
    first = synthesise.draw_sentence(_draw(4))
    monkeypatch.setattr(synthesise, "EXAMPLE_TEXTS", frozenset({first}))
    assert synthesise.draw_sentence(_draw(4)) != first


@needs_engines
@pytest.mark.parametrize("accent", ["en-us", "en-gb", "en-gb-scotland", "en-029"])
def test_espeak_says_the_names_of_letters(accent):
    text = " ".join(synthesise.respell(word, "espeak-ng") for word in ("enter", *"abioz"))
    command = ["espeak-ng", "-v", accent, "-q", "-x", text]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    names = [name.strip(";") for name in said.replace("'", "").split()][1:]
    assert names[:2] == ["eI", "bi:"] and names[2].startswith("aI") and names[3] == "oU"
    assert names[4] == ("zi:" if accent == "en-us" else "zEd")


@needs_engines
def test_flite_says_the_names_of_letters(tmp_path):
    text = " ".join(synthesise.respell(word, "flite") for word in ("at", *"abioz"))
    command = ["flite", "-voice", "slt", "-ps", "-t", text, "-o", str(tmp_path / "said.wav")]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert said.strip() == "pau ae t ey b iy ay ow z iy pau"


# Places


def test_noise_is_as_far_below_speech_as_asked():
    tone = np.sin(2 * np.pi * 440 * np.arange(16000) / 16000).astype(np.float32)
    noise = synthesise.in_noise(tone, _draw(0), snr=20, slope=0) - tone
    assert np.mean(tone**2) / np.mean(noise**2) == pytest.approx(100, rel=0.05)


def test_a_room_adds_its_share_after_the_sound():
    click = np.zeros(16000, np.float32)
    click[100] = 1
    wet = synthesise.in_room(click, _draw(0), decay=0.3, wetness=0.25)
    assert wet[100] == pytest.approx(1, abs=1e-5) and np.abs(wet[:100]).max() < 1e-5
    assert np.sum(wet[101:] ** 2) == pytest.approx(0.25, rel=1e-3)


def test_a_telephone_takes_what_is_above_4_khz():
    time = np.arange(16000) / 16000
    low, high = (np.sin(2 * np.pi * f * time).astype(np.float32) for f in (1000, 6000))
    kept = synthesise.over_telephone(low + high)
    assert len(kept) == 16000
    assert np.abs(kept - low)[1000:-1000].max() < 0.01


def test_silences_are_short_and_never_clip():
    for seed in range(40):
        samples = synthesise.draw_silence(_draw(seed))
        assert 0.3 <= len(samples) / 16000 <= 4.0 and samples.dtype == np.float32
        assert np.isfinite(samples).all() and np.abs(samples).max() <= synthesise.LOUDEST + 1e-6


# Clips


@pytest.fixture(scope="module")
def rendered(tmp_path_factory):
    folder = tmp_path_factory.mktemp("synth")
    synthesise.synthesise(folder, clips=6, dev_clips=2, seed=31, progress=False)
    return folder


@needs_engines
def test_manifests_read_back_and_tell_the_truth(rendered):
    lexicon = read_lexicon(LEXICON)
    for split, count in (("train", 6), ("dev", 2)):
        cuts = list(read_manifest(rendered / f"{split}.jsonl.gz"))
        assert len(cuts) == count
        for cut in cuts:
            path = rendered / "audio" / f"{cut.id}.flac"
            info = soundfile.info(path)
            assert (info.samplerate, info.channels, info.subtype) == (16000, 1, "PCM_16")
            assert cut.num_samples == info.frames and cut.duration == pytest.approx(info.frames / 16000)
            assert cut.supervisions[0].duration == cut.duration
            assert cut.load_audio().shape == (1, info.frames)
            assert all(word in lexicon for word in text_of(cut).split())
            if text_of(cut):  # nobody says a word in under 80 ms
                assert cut.duration > 0.08 * len(text_of(cut).split()) + 0.2


@needs_engines
def test_same_seed_same_clips_another_seed_others(rendered, tmp_path):
    synthesise.synthesise(tmp_path / "again", clips=3, dev_clips=0, seed=31, progress=False)
    synthesise.synthesise(tmp_path / "other", clips=3, dev_clips=0, seed=32, progress=False)
    for number in range(3):
        name = f"audio/synth-train-{number:05d}.flac"
        assert (tmp_path / "again" / name).read_bytes() == (rendered / name).read_bytes()
        assert (tmp_path / "other" / name).read_bytes() != (rendered / name).read_bytes()
    assert not (tmp_path / "again" / "dev.jsonl.gz").exists()


@needs_engines
def test_a_clip_without_speech_keeps_its_empty_text(tmp_path, monkeypatch):
    monkeypatch.setattr(synthesise, "SILENT_SHARE", 1.0)
    paths = synthesise.synthesise(tmp_path, clips=2, dev_clips=1, seed=1, progress=False)
    for path in paths.values():
        for cut in read_manifest(path):
            assert text_of(cut) == "" and speaker_of(cut) is None


def test_no_voice_is_in_training_and_development():
    voices = [{synthesise.draw_voice(_draw(seed), dev) for seed in range(2000)} for dev in (False, True)]
    assert len(voices[0]) > 100 and len(voices[1]) > 20
    assert not voices[0] & voices[1]


def test_a_missing_engine_is_named_with_its_remedy(tmp_path, monkeypatch, capsys):
    synthesise.check_engines.cache_clear()
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(EarsightError, match="espeak-ng is not installed.*apt install espeak-ng flite"):
        synthesise.speak("one", synthesise.Voice("flite", "slt"))
    assert synthesise.main(["train", str(tmp_path / "synth")]) == 1
    assert capsys.readouterr().err.startswith("error: espeak-ng is not installed")
    assert not (tmp_path / "synth").exists()


# Examples


def test_examples_in_the_repository_are_what_the_table_says():
    rows = list(csv.DictReader((EXAMPLES / "transcripts.csv").open()))
    lexicon = read_lexicon(LEXICON)
    assert [(row["path"], row["text"]) for row in rows] == [
        (example.file, example.text) for example in synthesise.EXAMPLE_CLIPS
    ]
    assert "" in [row["text"] for row in rows]
    for row, example in zip(rows, synthesise.EXAMPLE_CLIPS, strict=True):
        assert all(word in lexicon for word in row["text"].split())
        info = soundfile.info(EXAMPLES / row["path"])
        assert (info.samplerate, info.channels) == (example.rate, example.channels)
        assert 1 < info.duration < 10
    files = {path.name for path in EXAMPLES.iterdir()}
    assert files == {"transcripts.csv", "explain.png", *(row["path"] for row in rows)}
    assert sum(path.stat().st_size for path in EXAMPLES.iterdir()) < 600_000


@needs_engines
def test_examples_are_rendered_by_the_script(tmp_path):
    for path in synthesise.render_examples(tmp_path):
        ours, theirs = soundfile.info(path), soundfile.info(EXAMPLES / path.name)
        # Another release of an engine may speak a little faster or slower.
        assert ours.duration == pytest.approx(theirs.duration, rel=0.2)
    assert (tmp_path / "transcripts.csv").read_text() == (EXAMPLES / "transcripts.csv").read_text()
