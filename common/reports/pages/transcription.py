"""The errors of a set of transcripts as a web page."""

from collections.abc import Sequence
from math import isfinite

from ...metrics import Edit, ErrorCounts
from .. import layout
from ..error_analysis import LengthErrors, by_reference_word, by_seconds, by_words
from ..transcription import TranscriptionReport, UtteranceErrors, worst_first
from .html import Html, cell, section, table, tag
from .parts import SHOWN, Mark, Shown, clip, reliability_section, tiles

WORDS = 200  # rows of a table of words at most
LISTED = 1000  # utterances without picture and sound at most
LARGEST = 1e9  # stands for an infinite rate where a column sorts


def body(report: TranscriptionReport, shown: Shown) -> list[Html]:
    """The page's sections."""
    return [_totals(report), _where(report), _words(report), _reliability(report), *_worst(report, shown)]


def _totals(report: TranscriptionReport) -> Html:
    def row(name: str, counts: ErrorCounts) -> list[Html]:
        parts = (counts.edits, counts.substitutions, counts.deletions, counts.insertions, counts.reference_length)
        return [cell(name), _rate(counts), *(cell(part, part) for part in parts)]

    utterances = len(report.utterances)
    head = ["", "error rate", "errors", "substituted", "deleted", "inserted", "of"]
    return tag(
        "section",
        tiles((layout.percent(report.words.rate), "word error rate (WER)"),
              (layout.percent(report.characters.rate), "character error rate (CER)"),
              (layout.percent(report.sentence_error_rate),
               f"utterances with an error: {report.sentence_errors} of {utterances}"),
              (layout.duration(report.duration), layout.number(utterances, "utterance"))),
        table(head, [row("words", report.words), row("characters", report.characters)], range(1, 7)))


def _where(report: TranscriptionReport) -> Html:
    parts = []
    if any(speaker.speaker is not None for speaker in report.speakers):
        rows = [(layout.known(s.speaker), s.words, s.utterances) for s in report.speakers]
        parts.append(_rates("speaker", rows))
    for name, lengths in (("words", by_words(report.utterances)), ("seconds", by_seconds(report.utterances))):
        if len(lengths) > 1:
            parts.append(_rates(f"length, {name}", [(_range(each), each.words, each.utterances) for each in lengths],
                                [each.low for each in lengths]))
    return section("Where the errors are", tag("div", *(tag("div", part) for part in parts), class_="columns"),
                   note="A click on a column's head sorts by it.") if parts else Html()


def _rates(name: str, rows: Sequence[tuple[str, ErrorCounts, int]], order: Sequence[float] = ()) -> Html:
    worst = max((words.rate for _, words, _ in rows if isfinite(words.rate)), default=0.0) or 1.0
    return table([name, "WER", "errors", "words", "utterances"],
                 [[cell(text, *order[i:i + 1]), _rate(words, worst), cell(words.edits, words.edits),
                   cell(words.reference_length, words.reference_length), cell(utterances, utterances)]
                  for i, (text, words, utterances) in enumerate(rows)], range(0 if order else 1, 5))


def _range(each: LengthErrors) -> str:
    if not isfinite(each.high):
        return f"{each.low:g} or more"
    if isinstance(each.low, float):
        return f"{each.low:g} to {each.high:g}"
    return f"{each.low}" if each.high == each.low + 1 else f"{each.low} to {each.high - 1:g}"


def _words(report: TranscriptionReport) -> Html:
    said = [word for word in by_reference_word(report.utterances) if word.errors]
    if not said and not report.inserted:
        return Html()
    words = table(
        ["word", "errors", "said", "error rate", "deleted", "read as"],
        [[cell(word.word), cell(word.errors, word.errors), cell(word.count, word.count),
          cell(layout.percent(word.rate), word.rate, word.rate), cell(word.deleted, word.deleted),
          cell(", ".join(f"{other} {count}" if count > 1 else other for other, count in word.read_as[:4]))]
         for word in said[:WORDS]], range(1, 5))
    confusions = table(["said", "read as", "times"], [[cell(pair.reference), cell(pair.hypothesis),
                                                       cell(pair.count, pair.count)]
                                                      for pair in report.substituted[:WORDS]], [2])
    inserted = table(["inserted", "times"], [[cell(pair.hypothesis), cell(pair.count, pair.count)]
                                           for pair in report.inserted[:WORDS]], [1])
    parts = ((words, said, "Said and not read right"), (confusions, report.substituted, "Substituted"),
             (inserted, report.inserted, "Inserted"))
    return section("Which words", tag("div", *(
        tag("div", tag("details", tag("summary", f"{title}: {_number(rows, WORDS)}"), part, open=""))
        for part, rows, title in parts if rows), class_="columns"))


def _reliability(report: TranscriptionReport) -> Html:
    words = report.judged
    if not words.right:
        return Html()
    kinds = {"": words.calibrated}
    if words.raw != words.calibrated:
        kinds = {"before calibration": words.raw, "after calibration": words.calibrated}
    return reliability_section("words", words.right, kinds)


def _worst(report: TranscriptionReport, shown: Shown) -> list[Html]:
    wrong = worst_first(report.utterances)
    if not wrong:
        return [section("No errors", note="Every word of every utterance was read right.")]
    key = tag("p", "Above: what was said. Below: what was read. ", tag("span", "substituted", class_="key sub"), " ",
              tag("span", "deleted", class_="key del"), " ", tag("span", "inserted", class_="key ins"), class_="note")
    parts = [section(f"The {len(wrong[:SHOWN])} worst utterances", key,
                     *(clip(each.id, _facts(each), [_aligned(each.alignment())], shown(each.id), _heard(each))
                       for each in wrong[:SHOWN]))]
    if rest := wrong[SHOWN:SHOWN + LISTED]:
        parts.append(tag("details", tag("summary", f"Further utterances with errors: {_number(wrong[SHOWN:], LISTED)}"),
                         *(tag("article", tag("h3", each.id), tag("div", _facts(each), class_="facts"),
                               _aligned(each.alignment()), class_="clip") for each in rest)))
    return parts


def _number(rows: Sequence, most: int) -> str:
    return f"{len(rows)}, the first {most} shown" if len(rows) > most else str(len(rows))


def _facts(utterance: UtteranceErrors) -> str:
    words = utterance.words
    facts = [f"{layout.number(words.edits, 'error')} in {layout.number(words.reference_length, 'word')}",
             f"{utterance.duration:.2f} s"]
    return ", ".join(facts + ([f"speaker {utterance.speaker}"] if utterance.speaker else []))


def _aligned(edits: Sequence[Edit]) -> Html:
    """Each word that was said over the one that was read."""
    return tag("div", *(tag("span", tag("i", edit.reference or ""), tag("i", edit.hypothesis or ""),
                            class_=None if edit.kind == "ok" else edit.kind) for edit in edits), class_="aligned")


def _heard(utterance: UtteranceErrors) -> list[Mark]:
    """The words that were read, at their times, if these are known."""
    kinds = [edit.kind for edit in utterance.alignment() if edit.kind != "del"]
    if len(kinds) != len(utterance.heard):
        return []
    return [Mark(word.text, word.start, word.end, kind) for word, kind in zip(utterance.heard, kinds)]


def _rate(counts: ErrorCounts, worst: float | None = None) -> Html:
    rate = counts.rate if isfinite(counts.rate) else LARGEST
    return cell(layout.percent(counts.rate), rate, worst and rate / worst)
