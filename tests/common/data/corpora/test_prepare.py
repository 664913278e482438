"""Mistakes in the names of corpora and of their options."""

import pytest

from earsight.audio.corpora.importers import prepare
from earsight.common.errors import EarsightError
from earsight.video.corpora.importers import prepare as prepare_videos


def test_unknown_names(tmp_path):
    for name, message in [
        ("gird", "unknown corpus 'gird'; did you mean grid"),
        ("aishel", "did you mean lhotse:aishell"),
        ("lhotse:yesnoo", "did you mean lhotse:yesno"),
        ("qqqqqq", "known: an4, grid, fsdd, librispeech, pseudo, csv, folder, lhotse:NAME"),
    ]:
        with pytest.raises(EarsightError, match=message):
            prepare(name, tmp_path, tmp_path / "out")
    with pytest.raises(EarsightError, match="fsdd has no option 'holdout'; did you mean hold_out"):
        prepare("fsdd", tmp_path, tmp_path / "out", holdout="x")
    with pytest.raises(EarsightError, match="gone: not there"):
        prepare("fsdd", tmp_path / "gone", tmp_path / "out")
    with pytest.raises(EarsightError, match="no usable clip of fsdd found"):
        prepare("fsdd", tmp_path, tmp_path / "out")
    with pytest.raises(EarsightError, match="an4_train.fileids: No such file"):
        prepare("an4", tmp_path, tmp_path / "out")
    with pytest.raises(EarsightError, match="option dev_share is 'x'; it is a number"):
        prepare("folder", tmp_path, tmp_path / "out", dev_share="x")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(("importing", "corpus", "option"), [
    (prepare, "pseudo", "teacher"), (prepare_videos, "embeddings", "config"), (prepare_videos, "mouths", "config"),
])
def test_options_that_a_corpus_needs(importing, corpus, option, tmp_path):
    with pytest.raises(EarsightError, match=f"{corpus} needs the option {option}; give {option}=..."):
        importing(corpus, tmp_path, tmp_path / "out")
    assert not (tmp_path / "out").exists()
