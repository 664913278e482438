"""Greedy and beam search on log-probabilities whose best words are known by construction or by trying all."""

import itertools

import numpy as np
import pytest

from earsight.common.ctc import Token
from earsight.common.decoding.decoders import Decoder
from earsight.common.decoding.hotwords import parse_hotword
from earsight.common.decoding.ngrams.arpa import write_arpa
from earsight.common.decoding.ngrams.making import estimate
from earsight.common.decoding.options import DecodingOptions, decoding_options, given_options
from earsight.common.errors import EarsightError
from earsight.common.labels import Labels, build_labels

PHONES = Labels("phones", ("<blank>", "|", "N", "OW", "T", "UW", "W"), {
    "two": [("T", "UW")], "no": [("N", "OW")], "to": [("T", "UW")], "toe": [("T", "OW")], "won": [("W", "OW", "N")]})
LETTERS = Labels("characters", ("<blank>", " ", *"abc"))
BPE_TEXTS = ["new news newer", "new york", "a newt"] * 4


def outputs(labels: Labels, path: list[str], sure: float = 0.9) -> np.ndarray:
    """Log-probabilities (time, label) that have `path`, symbols or "" for the blank, as their best."""
    ids = [labels.symbols.index(symbol) if symbol else 0 for symbol in path]
    probabilities = np.full((len(ids), len(labels)), (1 - sure) / (len(labels) - 1), np.float32)
    probabilities[range(len(ids)), ids] = sure
    return np.log(probabilities)


def beam(**options) -> DecodingOptions:
    return DecodingOptions("beam", **{"word_score": 0.0, **options})


def hotwords(*given: str) -> tuple:
    return tuple(map(parse_hotword, given))


def lm_file(path, sentences: list[str], order: int = 2) -> str:
    write_arpa(estimate([sentence.split() for sentence in sentences], order), path)
    return str(path)


@pytest.mark.parametrize("options", [DecodingOptions(), beam()])
def test_words_and_their_frames(options):
    path = ["", "T", "T", "UW", "", "", "|", "|", "N", "", "OW", "OW", ""]
    best = Decoder(PHONES, options)(outputs(PHONES, path))[0]
    assert best.text == "two no"
    assert [word.tokens for word in best.words] == [(Token(4, 1, 3), Token(5, 3, 4)),
                                                    (Token(2, 8, 9), Token(3, 10, 12))]


@pytest.mark.parametrize("options", [DecodingOptions(), beam()])
@pytest.mark.parametrize("labels", [PHONES, LETTERS])
def test_nothing_said(options, labels):
    decoder = Decoder(labels, options)
    blanks = np.full((7, len(labels)), -np.inf, np.float32)
    blanks[:, 0] = 0
    for log_probs in (blanks, blanks[:1], blanks[:0], outputs(labels, [""] * 20)):
        assert decoder(log_probs)[0].words == ()


def test_only_words_of_the_lexicon_come_out():
    log_probs = outputs(PHONES, ["T", "N", "|", "W", "OW", "N"])
    assert Decoder(PHONES, beam())(log_probs)[0].text in {"two won", "to won", "toe won", "no won"}


def best_word_by_trying_all(log_probs: np.ndarray) -> tuple[str, float]:
    """The one word with the best CTC path that ends in a separator, which the last frame may lack."""
    def best_path(ids):
        states = [0]
        for i in ids:
            states += [i, 0]
        scores = np.full(len(states), -np.inf)
        scores[:2] = log_probs[0, states[:2]]
        for frame in log_probs[1:]:
            before = scores.copy()
            for s in range(len(states)):
                from_ = [before[s], before[s - 1] if s else -np.inf]
                if s > 1 and states[s] and states[s] != states[s - 2]:
                    from_.append(before[s - 2])
                scores[s] = max(from_) + frame[states[s]]
        return max(scores[-2:])
    last = np.full((1, log_probs.shape[1]), -1000.0)
    last[0, 1] = 0
    log_probs = np.concatenate([log_probs, last])
    of = {word: best_path([PHONES.symbols.index(p) for p in phones] + [1])
          for word, (phones,) in PHONES.lexicon.items() if word != "to"}
    return max(of.items(), key=lambda item: item[1])


def test_the_best_word_is_that_of_a_full_search():
    rng = np.random.default_rng(1)
    decoder = Decoder(PHONES, beam(beam=500, beam_threshold=1e4, word_score=-60.0))  # one word, never two
    for time in (5, 6, 9):
        for _ in range(20):
            log_probs = np.log(rng.dirichlet(np.full(len(PHONES), 0.5), time)).astype(np.float32).clip(-30)
            log_probs[:, 1] -= 5  # no separators at the start, which the search allows and the other does not
            word, score = best_word_by_trying_all(log_probs)
            found = {reading.text: reading.score for reading in decoder(log_probs)}
            assert found[word] == pytest.approx(score - 60, abs=1e-3)
            assert max(value for text, value in found.items() if text) == found[word]


def test_a_language_model_tells_homophones_apart(tmp_path):
    log_probs = outputs(PHONES, ["N", "OW", "|", "T", "UW"])
    for word in ("two", "to"):
        lm = lm_file(tmp_path / f"{word}.arpa", [f"no {word}", "won two to toe"])
        assert Decoder(PHONES, beam(lm=lm))(log_probs)[0].text == f"no {word}"


@pytest.mark.parametrize(("common", "given"), [(True, {}), (False, {"hotwords": hotwords("gh:30")})])
def test_a_likely_word_outlives_others_that_sound_a_little_better(tmp_path, common, given):
    """In a beam that the others alone would fill: what a word is worth is known before its end."""
    labels = Labels("characters", ("<blank>", " ", *"abcdefgh"))
    others = ["".join(pair) for pair in itertools.permutations("abcdef", 2)]
    lm = lm_file(tmp_path / "lm.arpa", ["gh"] * 100 + others if common else ["gh"] + others * 9, 1)
    lexicon = tmp_path / "words.txt"
    lexicon.write_text("\n".join(["gh", *others]) + "\n")
    log_probs = np.log(np.array([[1e-4, 1e-4, *[0.15] * 6, 0.05, 0.05]] * 2, np.float32))
    for size in (2, 100):
        options = beam(lm=lm, lexicon=str(lexicon), lm_weight=4.0, word_score=9.0, beam=size, **given)
        assert Decoder(labels, options)(log_probs)[0].text == "gh"


def test_a_penalty_of_blanks_brings_labels_forth():
    log_probs = outputs(LETTERS, ["a", "", "b"])
    log_probs[1, [0, LETTERS.symbols.index("c")]] = np.log([0.6, 0.3])
    for penalty, text in ((0.0, "ab"), (0.5, "ab"), (1.0, "acb"), (1e299, "acb"), (-1e299, "")):
        assert Decoder(LETTERS, beam(blank_penalty=penalty))(log_probs)[0].text == text


def test_hotwords_decide_and_unlikely_ones_do_not():
    log_probs = outputs(PHONES, ["N", "OW", "|", "T", "UW"])
    for given, expected in ((("two:1",), "no two"), (("to:1",), "no to"), (("no to:1", "two:0.5"), "no to"),
                            (("to:1", "two:1.5"), "no two"), (("won:2", "to:1"), "no to")):
        best = Decoder(PHONES, beam(hotwords=hotwords(*given)))(log_probs)[0]
        assert best.text == expected
    without = Decoder(PHONES, beam())(log_probs)[0].score
    assert Decoder(PHONES, beam(hotwords=hotwords("no to:2", "no:1")))(log_probs)[0].score == pytest.approx(without + 3)


def test_a_language_model_of_no_weight_leaves_hotwords_theirs(tmp_path):
    log_probs = outputs(PHONES, ["N", "OW", "|", "T", "UW"])
    lm = lm_file(tmp_path / "lm.arpa", ["no to", "won two"])
    assert Decoder(PHONES, beam(lm=lm, lm_weight=0.0, hotwords=hotwords("two:1")))(log_probs)[0].text == "no two"
    assert Decoder(PHONES, beam(lm=lm, lm_weight=0.0))(log_probs)[0].text == "no two"


def test_a_hotword_can_be_new_to_lexicon_and_language_model(tmp_path):
    log_probs = outputs(PHONES, ["T", "UW", "|", "N", "UW"])
    assert "new" not in Decoder(PHONES, beam())(log_probs)[0].text
    given = hotwords("new:3=N UW")
    assert Decoder(PHONES, beam(hotwords=given))(log_probs)[0].text in ("two new", "to new")
    lm = lm_file(tmp_path / "lm.arpa", ["two no", "two toe"])
    assert Decoder(PHONES, beam(hotwords=given, lm=lm))(log_probs)[0].text == "two new"


def test_n_best_differ_and_fall():
    readings = Decoder(PHONES, beam(n_best=5))(outputs(PHONES, ["T", "UW", "|", "N", "OW"], 0.6))
    texts, scores = [r.text for r in readings], [r.score for r in readings]
    assert len(set(texts)) == len(texts) >= 5 and scores == sorted(scores, reverse=True)
    assert texts[0] == "two no" and "two toe" in texts


def test_letters_without_a_lexicon(tmp_path):
    log_probs = outputs(LETTERS, ["a", "b", " ", "c", "", "c", "a"])
    assert Decoder(LETTERS, beam())(log_probs)[0].text == "ab cca"
    assert [w.tokens[0].first for w in Decoder(LETTERS, beam())(log_probs)[0].words] == [0, 3]
    unsure = outputs(LETTERS, ["a", "b", " ", "c"], 0.45)
    assert Decoder(LETTERS, beam(hotwords=hotwords("ac:9")))(unsure)[0].text.split()[0] == "ac"
    # A hotword is a whole word: one that only begins so gains nothing.
    assert Decoder(LETTERS, beam(hotwords=hotwords("a:1")))(log_probs)[0].score == pytest.approx(
        Decoder(LETTERS, beam())(log_probs)[0].score)
    lm = tmp_path / "letters.arpa"
    write_arpa(estimate([list("ac|c"), list("ac"), list("c|ac"), list("b")], 3), lm)
    assert Decoder(LETTERS, beam(lm=str(lm), lm_weight=1.0))(unsure)[0].text == "ac c"


def test_letters_take_their_words_from_the_language_model(tmp_path):
    lm = lm_file(tmp_path / "lm.arpa", ["ab ca", "ca xyz"])  # no label spells xyz
    assert Decoder(LETTERS, beam(lm=lm))(outputs(LETTERS, ["a", "b", "b", " ", "c", "c"]))[0].text == "ab ca"


def test_pieces_with_a_lexicon(tmp_path):
    labels = build_labels("bpe", BPE_TEXTS, vocabulary=24)
    assert labels.separator is None
    (tmp_path / "words.txt").write_text("new\nyork\nnews\n")
    search = Decoder(labels, beam(lexicon=str(tmp_path / "words.txt")))
    for text in ("new york", "news new new", "york"):
        pieces = labels._sentencepiece.encode(text, out_type=str)
        gaps = [symbol for piece in pieces for symbol in (piece, piece, "")]
        assert search(outputs(labels, gaps))[0].text == text
        if all(a != b for a, b in itertools.pairwise(pieces)):
            assert search(outputs(labels, pieces))[0].text == text  # no blanks at all


def test_pieces_are_spelled_as_sentencepiece_spells():
    labels = build_labels("bpe", BPE_TEXTS, vocabulary=28)
    for word in ("new", "news", "newt", "york", "renew", "kroy", "wwnneeww", "a"):
        assert list(labels.spell(word)) == labels._sentencepiece.encode(word, out_type=str)


# What cannot be used


def test_a_language_model_that_is_none(tmp_path):
    (tmp_path / "text.arpa").write_text("one two three\n")
    (tmp_path / "empty.arpa").write_text("")
    cut = lm_file(tmp_path / "cut.arpa", ["two no", "to won"])
    (tmp_path / "cut.arpa").write_text((tmp_path / "cut.arpa").read_text()[:120])
    none = "no n-gram model that KenLM reads"
    for name, complaint in (("text.arpa", none), ("empty.arpa", none), (cut, none), ("nowhere.arpa", "cannot be read")):
        with pytest.raises(EarsightError, match=f"{(tmp_path / name).name}: .*{complaint}"):
            Decoder(PHONES, beam(lm=str(tmp_path / name)))


def test_a_language_model_of_other_words(tmp_path):
    lm = lm_file(tmp_path / "other.arpa", ["drei vier"])
    with pytest.raises(EarsightError, match="other.arpa: knows none of the 5 words"):
        Decoder(PHONES, beam(lm=lm))


def test_kenlm_is_quiet(tmp_path, capfd):
    Decoder(PHONES, beam(lm=lm_file(tmp_path / "lm.arpa", ["two no"])))
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(("labels", "lines", "complaint"), [
    (PHONES, "two T UW\nzoo Z UW\n", "words.txt, line 2: 'Z' is outside the model's alphabet"),
    (LETTERS, "abc\nabd\n", "words.txt, line 2: 'd' is outside"),
    (PHONES, "two\n", "line 1: 'two' has no phones"),
    (PHONES, "\n \n", "the lexicon is empty"),
])  # fmt: skip
def test_a_lexicon_that_does_not_fit(labels, lines, complaint, tmp_path):
    (tmp_path / "words.txt").write_text(lines)
    with pytest.raises(EarsightError, match=complaint):
        Decoder(labels, beam(lexicon=str(tmp_path / "words.txt")))


@pytest.mark.parametrize(("labels", "given", "complaint"), [
    (PHONES, "zoo", "'zoo' is not in the lexicon; give its phones"),
    (PHONES, "zoo=Z UW", "hotword 'zoo': 'Z' is outside"),
    (LETTERS, "zoo", "hotword 'zoo': 'z' is outside"),
])  # fmt: skip
def test_a_hotword_that_cannot_be_spelled(labels, given, complaint):
    with pytest.raises(EarsightError, match=complaint):
        Decoder(labels, beam(hotwords=hotwords(given)))


def test_greedy_takes_no_language_model():
    for given in ({"lm": "lm.arpa"}, {"hotwords": hotwords("two")}, {"lexicon": "words.txt"}, {"n_best": 3}):
        with pytest.raises(EarsightError, match="the decoder is greedy; add --decoder beam"):
            DecodingOptions("greedy", **given)
    with pytest.raises(EarsightError, match="'viterbi' is unknown"):
        DecodingOptions("viterbi")


def test_what_a_user_gives_changes_what_is_stored(tmp_path):
    stored = {"decoder": "beam", "lm": "lm.arpa", "beam": 20, "word_score": 3.0}
    assert decoding_options(tmp_path, {}, {}) == DecodingOptions()
    assert decoding_options(tmp_path, stored, {}).lm == str(tmp_path / "lm.arpa")
    assert decoding_options(tmp_path, stored, given_options(lm="mine.arpa", n_best=None)).lm == "mine.arpa"
    assert decoding_options(tmp_path, stored, {"decoder": "greedy"}) == DecodingOptions()
    assert decoding_options(tmp_path, {}, given_options(["two:2"])).decoder == "beam"
    assert decoding_options(tmp_path, {}, {"n_best": 1}).decoder == "greedy"
    with pytest.raises(EarsightError, match="damaged.*tune-decoder"):
        decoding_options(tmp_path, {**stored, "beem": 3}, {})


@pytest.mark.parametrize(("labels", "path", "given", "known"), [
    (PHONES, ["T", "", "UW", "|", "N", "OW"], "Two,", "two"), (PHONES, ["N", "OW"], "NO:3", "no:3"),
    (LETTERS, [*"cab", " ", *"ba"], "Cab. bA", "cab ba"),
])  # fmt: skip
def test_hotwords_are_in_the_form_in_which_the_model_writes(labels, path, given, known):
    log_probs = outputs(labels, path, 0.6)
    read, expected, without = (Decoder(labels, beam(hotwords=hotwords(*words)))(log_probs)[0]
                               for words in ([given], [known], []))
    assert read == expected and read.score > without.score


def test_a_hotword_without_a_letter_is_told_as_it_was_given():
    with pytest.raises(EarsightError, match="hotword '...': '.' is outside the model's alphabet"):
        Decoder(LETTERS, beam(hotwords=hotwords("...")))
