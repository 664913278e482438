import itertools

import numpy as np
import pytest

from earsight.common.ctc import Token, tokens_of_path
from earsight.common.inference.alignment import best_path, path_words, text_graph


def random_log_probs(rng: np.random.Generator, time: int, labels: int) -> np.ndarray:
    return np.log(rng.dirichlet(np.full(labels, 0.3), time) + 1e-12).astype(np.float32)


def test_paths_are_those_of_torchaudio():
    torch, functional = pytest.importorskip("torch"), pytest.importorskip("torchaudio.functional")
    rng = np.random.default_rng(1)
    impossible = 0
    for _ in range(200):
        time, labels = int(rng.integers(1, 60)), int(rng.integers(2, 6))
        ids = rng.integers(1, labels, int(rng.integers(1, 10))).tolist()  # few labels: many repeats
        log_probs = random_log_probs(rng, time, labels)
        graph = text_graph([[ids]], None)
        path, score = best_path(log_probs, graph)
        if time < len(ids) + sum(a == b for a, b in zip(ids, ids[1:])):
            impossible += 1
            assert score == -np.inf
            continue
        said = np.array(graph.labels)[path]
        assert [token.label for token in tokens_of_path(said)] == ids
        _, scores = functional.forced_align(torch.tensor(log_probs)[None], torch.tensor([ids], dtype=torch.int32))
        assert score == pytest.approx(scores.sum().item(), abs=1e-3)
        assert log_probs[np.arange(time), said].sum() == pytest.approx(score, abs=1e-3)
    assert 0 < impossible < 100


@pytest.mark.parametrize("separator", [None, 1])
def test_the_best_of_all_spellings_is_found(separator):
    rng = np.random.default_rng(2)
    for _ in range(30):
        words = [[rng.integers(1, 4, int(rng.integers(1, 3))).tolist() for _ in range(int(rng.integers(1, 4)))]
                 for _ in range(3)]
        log_probs = random_log_probs(rng, int(rng.integers(14, 30)), 4)
        _, score = best_path(log_probs, text_graph(words, separator))
        between = [] if separator is None else [separator]
        singly = [best_path(log_probs, text_graph([[[*a, *between, *b, *between, *c]]], None))[1]
                  for a, b, c in itertools.product(*words)]
        assert score == pytest.approx(max(singly))


def test_words_get_the_frames_of_their_labels():
    said = [0, 2, 2, 0, 3, 0, 1, 1, 2, 0, 2, 0]
    log_probs = np.full((len(said), 4), -10.0, np.float32)
    log_probs[np.arange(len(said)), said] = -0.01
    graph = text_graph([[[2], [2, 3]], [[3], [2, 2]]], 1)
    path, score = best_path(log_probs, graph)
    assert score == pytest.approx(-0.12)
    words = path_words(path, graph, ["one", "two"])
    assert [word.text for word in words] == ["one", "two"]
    assert words[0].tokens == (Token(2, 1, 3), Token(3, 4, 5))
    assert words[1].tokens == (Token(2, 8, 9), Token(2, 10, 11))


def test_one_frame():
    log_probs = np.log(np.array([[0.25, 0.75]], np.float32))
    path, score = best_path(log_probs, text_graph([[[1]]], None))
    assert len(path) == 1 and score == pytest.approx(np.log(0.75))


def test_what_a_model_rules_out_has_no_path():
    silence = np.full((9, 3), -np.inf, np.float32)
    silence[:, 0] = 0.0
    assert best_path(silence, text_graph([[[1]]], None))[1] == -np.inf
