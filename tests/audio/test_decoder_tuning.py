"""`earsight tune-decoder` end to end: settings that are stored, read back and used."""

import itertools
import json
import shutil

import numpy as np
import pytest

from earsight.audio.decoder_tuning import best_cell, read_clips, tune_decoder
from earsight.audio.evaluating import evaluate_model
from earsight.audio.noise_clips import noise_clips
from earsight.audio.recognition.recogniser import SpeechRecogniser
from earsight.common import model_folder
from earsight.common.data.texts import read_texts
from earsight.common.decoding.ngrams.making import make_model
from earsight.common.errors import EarsightError
from earsight.common.inference.runtime import Runtime
from earsight.common.model_folder import read_config


@pytest.fixture(scope="module")
def tuned(tone_corpus, tone_models, tmp_path_factory):
    """The model of tones, tuned with a language model of its texts; and the report."""
    folder = tmp_path_factory.mktemp("tuned")
    shutil.copytree(tone_models["ctc"], folder / "tones")
    text = folder / "text.txt"
    text.write_text("\n".join(row.split(",")[1] for row in (tone_corpus / "tones.csv").read_text().splitlines()[1:]))
    make_model(read_texts([text]), 2, folder / "made.arpa")
    report, errors = tune_decoder(str(folder / "tones"), [tone_corpus / "tones.csv"], folder / "made.arpa")
    assert not errors
    return folder / "tones", report


def test_what_is_tuned_is_stored_and_used(tuned, tone_corpus):
    folder, report = tuned
    config = read_config(folder)
    assert set(config.confidence) == {"words", "transcript", "sound"}
    assert len(config.confidence["sound"]["weights"]) == 4 * config.n_features
    assert "greedy" in report and "chosen: " in report and "lm weight" in report and "blank penalty" in report
    measured, errors = evaluate_model(str(folder), tone_corpus / "tones.csv")
    assert not errors and measured.words.rate == 0
    assert measured.calibration.words_after < 0.2
    if config.decoding:
        assert (folder / config.decoding["lm"]).is_file()


def test_a_stored_language_model_travels_with_the_folder(tuned, tone_corpus, tmp_path):
    folder = tmp_path / "moved"
    shutil.copytree(tuned[0], folder)
    shutil.copy(tuned[0].parent / "made.arpa", folder / "lm.arpa")
    config = json.loads((folder / "config.json").read_text())
    config["decoding"] = {"decoder": "beam", "lm": "lm.arpa", "beam": 10, "lm_weight": 1.0, "word_score": 0.0}
    (folder / "config.json").write_text(json.dumps(config))
    recogniser = SpeechRecogniser(folder, "ctc")
    path, text = (tone_corpus / "tones.csv").read_text().splitlines()[3].split(",")  # three words of 0.45 s
    transcript = recogniser.transcribe(tone_corpus / path)
    assert transcript.text == text and 0 < transcript.confidence < 1
    assert [word.text for word in transcript.words] == text.split()
    for i, word in enumerate(transcript.words):
        assert 0.45 * i - 0.2 < word.start < word.end < 0.45 * (i + 1) + 0.2
    for before, after in itertools.pairwise(transcript.words):
        assert before.end <= after.start
    assert transcript.words[-1].end <= transcript.duration
    (folder / "lm.arpa").unlink()
    with pytest.raises(EarsightError, match="lm.arpa: the language model cannot be read"):
        SpeechRecogniser(folder, "ctc")


def test_test_sets_and_models_without_text_are_refused(tone_models, tone_corpus, tmp_path):
    with pytest.raises(EarsightError, match="an4-test.jsonl.gz: a test set by its name"):
        tune_decoder(str(tone_models["ctc"]), [tmp_path / "an4-test.jsonl.gz"])
    with pytest.raises(EarsightError, match="writes no text of speech"):
        tune_decoder(str(tone_models["classification"]), [tone_corpus / "tones.csv"])


def test_a_language_model_that_is_none_is_refused_before_the_clips_are_read(tone_models, tmp_path):
    (tmp_path / "none.arpa").write_text("nothing\n")
    with pytest.raises(EarsightError, match="none.arpa: no n-gram model"):
        tune_decoder(str(tone_models["ctc"]), [tmp_path / "nowhere.jsonl.gz"], tmp_path / "none.arpa")


def test_decoding_is_for_folders_that_write_text(tone_models, tone_runs, tone_corpus):
    given = {"decoder": "beam"}
    with pytest.raises(EarsightError, match="classification writes no text; leave --decoder"):
        evaluate_model(str(tone_models["classification"]), tone_corpus / "classes", decoding=given)
    with pytest.raises(EarsightError, match="model.ckpt writes no text; leave --decoder"):
        evaluate_model(str(tone_runs["classification"] / "model.ckpt"), tone_corpus / "classes", decoding=given)


def test_a_checkpoint_is_decoded_as_its_folder_is(tone_models, tone_runs, tone_corpus, tmp_path):
    """With a lexicon that lacks a word, which greedy decoding reads."""
    (tmp_path / "lexicon.txt").write_text("lo\nmi\n")
    checkpoint, clips = str(tone_runs["ctc"] / "model.ckpt"), tone_corpus / "tones.csv"
    given = {"decoder": "beam", "lexicon": str(tmp_path / "lexicon.txt")}
    read, as_folder = ({clip.id: clip.hypothesis for clip in evaluate_model(model, clips, decoding=given)[0].utterances}
                       for model in (checkpoint, str(tone_models["ctc"])))
    assert read == as_folder
    assert {word for hypothesis in read.values() for word in hypothesis.split()} == {"lo", "mi"}
    assert any("hi" in clip.hypothesis for clip in evaluate_model(checkpoint, clips)[0].utterances)


def test_a_lucky_cell_does_not_win():
    grid = np.full((5, 6), 10.0)
    grid[0, 0] = 1.0  # alone
    grid[2:5, 3:6] = 3.0
    assert best_cell(grid) == (3, 4)
    assert best_cell(np.array([[5.0, 2.0, 2.0, 2.0, 9.0]])) == (0, 2)


def test_noise_is_the_same_for_the_same_seed_and_within_bounds():
    first, again, other = (list(noise_clips(12, 8000, seed)) for seed in (1, 1, 2))
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert not any(np.array_equal(a, b) for a, b in zip(first, other, strict=True))
    for sound in first:
        assert 8000 <= len(sound) <= 48000 and sound.dtype == np.float32
        assert 1e-3 < np.abs(sound).max() < 1.01


def test_an_installed_model_stays_as_it_is(tone_models, tone_corpus, tmp_path, monkeypatch):
    folder = tmp_path / "package/audio/models/tones"
    shutil.copytree(tone_models["ctc"], folder)
    monkeypatch.setattr(model_folder, "PACKAGE_ROOT", tmp_path / "package")
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    with pytest.raises(EarsightError, match="installed model, .*--output DIR"):
        tune_decoder("tones", [tone_corpus / "tones.csv"])
    with pytest.raises(EarsightError, match="installed model"):
        tune_decoder(str(tone_models["ctc"]), [tone_corpus / "tones.csv"], output=folder)
    report, _ = tune_decoder("tones", [tone_corpus / "tones.csv"], output=tmp_path / "tuned")
    assert f"stored in {tmp_path / 'tuned'}" in report
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert read_config(tmp_path / "tuned").confidence and Runtime(tmp_path / "tuned").config.task == "ctc"


def test_texts_are_needed(tone_models, tone_corpus, tmp_path):
    clip = tone_corpus / "text/00.wav"
    (tmp_path / "labels.csv").write_text(f"path,label\n{clip},one\n")
    shutil.copytree(tone_models["ctc"], tmp_path / "tones")
    with pytest.raises(EarsightError, match="labels.csv: no clip has a text"):
        tune_decoder(str(tmp_path / "tones"), [tmp_path / "labels.csv"])
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes/kept.txt").write_text("mine")
    with pytest.raises(EarsightError, match="exists and is no model folder"):
        tune_decoder(str(tmp_path / "tones"), [tone_corpus / "tones.csv"], output=tmp_path / "notes")


def test_texts_are_in_the_form_in_which_the_model_writes(tone_corpus, tmp_path):
    (tmp_path / "texts.csv").write_text(f'path,text\n{tone_corpus / "text/00.wav"},"Two, SEVEN\u2013four."\n')
    clips, errors = read_clips(Runtime("en-small"), [tmp_path / "texts.csv"])
    assert not errors and [clip.text for clip in clips] == ["two seven four"]
