"""Words cut out of sentences, and new sentences made of them."""

import subprocess
import sys

import numpy as np
import pytest
from cut_words import EDGE, _words_on_path, word_cut

from conftest import REPOSITORY
from earsight.common.data.cuts import frames_cut, speaker_of, text_of
from earsight.common.data.datamodule import read_frames_cut
from earsight.common.data.manifest import read_manifest, write_manifest
from earsight.common.labels import BLANK, build_labels


class Model:
    """What a CTC model with phones and output frames of 30 ms says of itself."""

    class encoder:
        stride = 3

    class frontend:
        frame_shift = 0.01


@pytest.fixture
def model(tmp_path):
    (tmp_path / "lexicon.txt").write_text("go G OW\nno N OW\n")
    Model.labels = build_labels("phones", ["go no"], tmp_path / "lexicon.txt")
    return Model


def test_words_lie_between_their_neighbours_phones(model):
    symbol = {name: i for i, name in enumerate(model.labels.symbols)}
    first, second = model.labels.encode("go"), model.labels.encode("no")
    boundary = model.labels.encode("go no")[len(first)]
    assert symbol["G"] == first[0]
    # Silence, G OW, a boundary that holds two frames, N OW, silence: 40 frames of 30 ms.
    path = np.full(40, BLANK)
    path[[10, 12]], path[15:17], path[[20, 24]] = first, boundary, second
    (go, go_start, go_end), (no, no_start, no_end) = _words_on_path(["go", "no"], path, model, 1.2)
    assert (go, no) == ("go", "no")
    assert go_start == pytest.approx(10 * 0.03 - EDGE) and no_end == pytest.approx(25 * 0.03 + EDGE)
    assert go_end == no_start == pytest.approx(16 * 0.03)  # half-way from OW to N


def test_sentences_are_one_speakers_words(tmp_path):
    cuts = []
    for speaker in ("ann", "bob"):
        for i, word in enumerate(("one", "two", "two", "six")):
            value = 10.0 * (speaker == "bob") + i
            np.save(tmp_path / f"{speaker}{i}.npy", np.full((30, 13), value, np.float32))
            sentence = frames_cut(f"{speaker}{i}", tmp_path / f"{speaker}{i}.npy", shape=(30, 13), text=f"um {word}",
                                  speaker=speaker)
            cuts.append(word_cut(sentence, f"{speaker}{i}-1", word, 0.1, 0.3, tmp_path / "words"))
    assert all(read_frames_cut(cut).shape == (20, 13) for cut in cuts)
    manifest = write_manifest(cuts, tmp_path / "words" / "words.jsonl.gz")
    for name in ("a", "b"):
        subprocess.run([sys.executable, "scripts/splice_words.py", manifest, tmp_path / name, "--clips", "20"],
                       cwd=REPOSITORY, check=True, capture_output=True)
    made, again = (list(read_manifest(tmp_path / name / "train.jsonl.gz")) for name in ("a", "b"))
    assert [text_of(cut) for cut in made] == [text_of(cut) for cut in again]
    assert len({text_of(cut) for cut in made}) > 10
    for cut in made:
        words, frames = text_of(cut).split(), read_frames_cut(cut)
        assert set(words) <= {"one", "two", "six"} and 1 <= len(words) <= 8
        assert len(frames) == 20 * len(words) - 2 * (len(words) - 1)  # two frames of each join are shared
        low = 10.0 * (speaker_of(cut) == "bob")
        assert frames[:, 1].min() >= low and frames[:, 1].max() <= low + 3
        assert np.ptp(frames[:, 0]) < 1e-4  # one level throughout
