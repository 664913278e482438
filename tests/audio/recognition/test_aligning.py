"""Alignment with a model of tones, whose places are known by construction."""

import json

import numpy as np
import pytest
from praatio import textgrid as praat

from conftest import TONES, tone, write_wav
from earsight.app.main import main
from earsight.audio.recognition.aligning import UNLIKELY, Aligner
from earsight.common.errors import EarsightError
from earsight.common.metrics import align

SAID = ("lo", "hi", "mi")
LENGTHS = (0.35, 0.35, 0.35)
GAP = 0.1


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    """`lo hi mi`, as the corpus has it."""
    sound = [np.concatenate([tone(TONES[name], 0.35, seed=9), 1e-3 * tone(1, GAP)]) for name in SAID]
    return write_wav(tmp_path_factory.mktemp("clip") / "said.wav", np.concatenate(sound))


@pytest.fixture(scope="module")
def aligner(tone_models):
    return Aligner(tone_models["ctc"])


@pytest.fixture
def run(tone_models, capsys):
    def earsight(*arguments) -> tuple[int, str, str]:
        status = main(["align", "--model", str(tone_models["ctc"]), *map(str, arguments)])
        return status, *capsys.readouterr()

    return earsight


def test_words_are_where_their_tones_are(aligner, clip):
    alignment = aligner.align(clip, " ".join(SAID))
    words = alignment.transcript.words
    assert [word.text for word in words] == list(SAID)
    for number, word in enumerate(words):
        first = number * (LENGTHS[0] + GAP)
        assert first - 0.1 <= word.start < word.end <= first + LENGTHS[0] + GAP + 0.1
    assert all(a.end <= b.start for a, b in zip(words, words[1:]))
    assert alignment.score < UNLIKELY
    assert all(0.5 < word.confidence <= 1 for word in words)
    # Its labels fill each word.
    assert "".join(symbol.text for symbol in alignment.symbols) == "".join(SAID)
    assert [(s.start, s.end) for s in alignment.symbols][::2] == [
        (word.start, symbol.end) for word, symbol in zip(words, alignment.symbols[::2])]
    assert all(a.end <= b.start for a, b in zip(alignment.symbols, alignment.symbols[1:]))


def test_what_is_recognised_is_aligned_with_the_same_times(aligner, clip):
    from earsight import transcribe

    read = transcribe(clip, aligner.runtime.folder)
    assert read.text == " ".join(SAID)
    again = aligner.align(clip, read.text).transcript
    assert [(w.text, w.start, w.end) for w in again.words] == [(w.text, w.start, w.end) for w in read.words]


def test_another_text_is_unlikely(aligner, clip, run):
    assert aligner.align(clip, "hi lo lo").score > UNLIKELY
    status, out, error = run(clip, "hi lo lo", "--format", "ctm")
    assert status == 0 and len(out.splitlines()) == 3
    assert error.startswith(f"warning: {clip}: the text is ") and "nats a frame less likely" in error


def test_a_text_file_and_a_textgrid(clip, run, tmp_path):
    text = tmp_path / "said.txt"
    text.write_text("lo hi\nmi\n")
    assert run(clip, text, "--output", tmp_path / "out") == (0, "", "")
    grid = praat.openTextgrid(str(tmp_path / "out/said.TextGrid"), includeEmptyIntervals=False)
    assert grid.tierNames == ("words", "characters")
    assert [entry.label for entry in grid.getTier("words").entries] == list(SAID)
    assert [entry.label for entry in grid.getTier("characters").entries] == list("lohimi")


def test_a_manifest_is_aligned_with_its_own_texts(tone_corpus, run, tmp_path):
    manifest = tone_corpus / "tones.csv"
    status, out, error = run(manifest, "--format", "json")
    assert (status, error) == (0, "")
    found = [json.loads(line) for line in out.splitlines()]
    for one in found:
        assert "".join(symbol["text"] for symbol in one["symbols"]) == one["text"].replace(" ", "")
        assert one["kind"] == "characters" and one["score"] < UNLIKELY
    texts = [line.split(",")[1] for line in manifest.read_text().splitlines()[1:]]
    assert [one["text"] for one in found] == texts
    assert run(manifest, "--format", "srt", "--output", tmp_path)[0] == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(f"{one['path']}.srt" for one in found)
    status, _, error = run(manifest, "--format", "srt")
    assert status == 1 and "add --output DIR" in error


def test_clips_of_one_name_get_files_of_their_own(clip, run, tmp_path):
    (tmp_path / "b").mkdir()
    for folder in ("a", "b"):
        write_wav(tmp_path / folder / "x.wav", tone(TONES["lo"], 0.35))
    table = tmp_path / "clips.csv"
    table.write_text("path,text,id\na/x.wav,lo,a/x\nb/x.wav,lo,b/x\n")
    assert run(table, "--format", "ctm", "--output", tmp_path / "out")[0] == 0
    written = sorted((tmp_path / "out").iterdir())
    assert [path.name for path in written] == ["a-x.ctm", "b-x.ctm"]
    assert [path.read_text().split()[0] for path in written] == ["a-x", "b-x"]


@pytest.mark.parametrize(("text", "complaint"), [
    ("", "the text is empty"),
    (" \n", "the text is empty"),
    ("lo zebra", "word 'zebra': 'z' is outside the model's alphabet"),
    ("lo hi mi " * 50, "text of 150 words does not fit: the clip of 1.35 s is silent, or its 67 frames are too few"),
])
def test_texts_that_cannot_be_aligned(aligner, clip, text, complaint):
    with pytest.raises(EarsightError, match=complaint):
        aligner.align(clip, text)


def test_silence_holds_no_text(aligner, tmp_path):
    silence = write_wav(tmp_path / "silence.wav", np.zeros(16000, np.float32))
    with pytest.raises(EarsightError, match="silence.wav: the text of 1 words does not fit: .* silent"):
        aligner.align(silence, "lo")


def test_files_that_are_not_there(clip, run, tmp_path):
    assert run(tmp_path / "no.wav", "lo")[0] == 1
    status, _, error = run(clip, "no.txt")
    assert status == 1 and error.startswith("error: no.txt: the text cannot be read")
    status, _, error = run(clip)
    assert status == 1 and "give its text too" in error
    status, _, error = run(tmp_path / "no.jsonl.gz")
    assert status == 1 and "no such manifest" in error
    status, _, error = run(clip, "lo", "--lexicon", "no.lex")
    assert status == 1 and error.startswith("error: no.lex: the lexicon cannot be read")


def test_a_model_of_classes_is_refused(tone_models, clip, capsys):
    assert main(["align", str(clip), "lo", "--model", str(tone_models["classification"])]) == 1
    assert "is for speech and `earsight classify`" in capsys.readouterr().err


def test_an_unknown_format_is_refused(clip, run, capsys):
    with pytest.raises(SystemExit):
        run(clip, "lo", "--format", "docx")
    assert "invalid choice: 'docx'" in capsys.readouterr().err


def test_words_outside_the_lexicon_of_phones(tmp_path):
    aligner = Aligner("en-small")
    frames = np.random.default_rng(1).normal(size=(200, 13)).astype(np.float32)
    with pytest.raises(EarsightError, match=r"word 'zebra' is not in the lexicon of model en-small; give its phones"):
        aligner.align_frames(frames, "two zebra", "clip")
    with pytest.raises(EarsightError, match="word .4. is not in the lexicon .*; write numbers as words, or add --nu"):
        aligner.align_frames(frames, "two 4", "clip")
    lexicon = tmp_path / "words.txt"
    lexicon.write_text("zebra Z IY B R AH\n")
    words = Aligner("en-small", lexicon).align_frames(frames, "two zebra", "clip").transcript.words
    assert [word.text for word in words] == ["two", "zebra"]


def test_the_packaged_model_aligns_the_example(run):
    said = "four one five two oh nine seven three six eight"
    alignment = Aligner("en-small").align("scripts/examples/phone-number.ogg", said)
    assert alignment.kind == "phones" and alignment.score < 0.1
    assert all(edit.kind == "ok" for edit in align(said.split(), [word.text for word in alignment.transcript.words]))


@pytest.mark.parametrize("written, words", [
    ("Lo, HI \u2014 mi!", ["Lo,", "HI", "mi!"]),
    ("\ufeff\u201clo\u00a0hi\u201d mi\u2026", ["\u201clo", "hi\u201d", "mi\u2026"]),
    ("lo-hi/mi", ["lo-hi/mi"]),
    ("l\u200bo h\u2019i mi", ["lo", "h\u2019i", "mi"]),
])  # fmt: skip
def test_a_text_as_people_write_it(aligner, clip, written, words):
    """The words are aligned in the model's form, and written as they were."""
    plain, found = aligner.align(clip, " ".join(SAID)), aligner.align(clip, written)
    assert [word.text for word in found.transcript.words] == words
    assert [symbol.text for symbol in found.symbols] == [symbol.text for symbol in plain.symbols]
    assert found.score == pytest.approx(plain.score)
    ends = [(word.start, word.end) for word in plain.transcript.words]
    assert found.transcript.words[0].start == ends[0][0] and found.transcript.words[-1].end == ends[-1][1]
    if len(words) == 3:
        assert [(word.start, word.end) for word in found.transcript.words] == ends


def test_a_text_of_marks_alone_is_empty(aligner, clip):
    with pytest.raises(EarsightError, match="the text is empty; give the words that are said"):
        aligner.align(clip, " \u2014 ... !")


def test_forms_of_words_in_a_lexicon():
    frames = np.random.default_rng(1).normal(size=(300, 13)).astype(np.float32)
    plain = Aligner("en-small").align_frames(frames, "two hundred one", "clip")
    digits = Aligner("en-small", numbers="words").align_frames(frames, "201!", "clip")
    assert [word.text for word in digits.transcript.words] == ["201!"]
    assert [symbol.text for symbol in digits.symbols] == [symbol.text for symbol in plain.symbols]


def test_a_manifest_without_texts_is_not_aligned(clip, run, tmp_path):
    table = tmp_path / "clips.csv"
    table.write_text(f"path,label\n{clip},lo\n")
    status, _, error = run(table, "--format", "ctm")
    assert status == 1 and "said: the manifest gives it no text to align" in error
