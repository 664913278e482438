"""The errors of a set of transcripts, for a reader (`.text()`) and a program (`.json()`).

A report holds plain values; its text and its JSON are two printings of the same ones.
"""

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from .. import metrics
from ..inference.recognition import Word
from ..metrics import Edit, ErrorCounts
from . import layout


@dataclass(frozen=True)
class Confidence:
    """The probability that each word of a hypothesis is right, and that all of it is."""

    words: tuple[float, ...]
    transcript: float


@dataclass(frozen=True)
class TranscriptResult:
    """What was said in a clip and what was recognised, with its confidence before and after calibration.

    `duration` is in seconds; `heard` are the hypothesis's words at their times, none where these are not known.
    """

    id: str
    speaker: str | None
    reference: str
    hypothesis: str
    duration: float
    raw: Confidence
    calibrated: Confidence
    heard: tuple[Word, ...] = ()


@dataclass(frozen=True)
class UtteranceErrors:
    """One utterance with its counts; `duration` in seconds, `heard` as in `TranscriptResult`."""

    id: str
    speaker: str | None
    duration: float
    reference: str
    hypothesis: str
    words: ErrorCounts
    characters: ErrorCounts
    heard: tuple[Word, ...] = ()

    def alignment(self) -> list[Edit]:
        """The word alignment that `words` counts."""
        return metrics.align(metrics.words(self.reference), metrics.words(self.hypothesis))


@dataclass(frozen=True)
class SpeakerErrors:
    """The sums over one speaker's utterances; `speaker` is None where none is known."""

    speaker: str | None
    utterances: int
    duration: float
    words: ErrorCounts
    characters: ErrorCounts


@dataclass(frozen=True)
class WordCount:
    """How often one word was read as another; None stands for no word."""

    reference: str | None
    hypothesis: str | None
    count: int


@dataclass(frozen=True)
class JudgedWords:
    """All words of all hypotheses: each one's confidence before and after calibration, and whether it is right."""

    raw: tuple[float, ...]
    calibrated: tuple[float, ...]
    right: tuple[bool, ...]


@dataclass(frozen=True)
class CalibrationErrors:
    """Expected calibration errors (10 bins of equal width), before and after calibration; of words, of transcripts."""

    words_before: float
    words_after: float
    transcripts_before: float
    transcripts_after: float


@dataclass(frozen=True)
class TranscriptionReport:
    """Errors of a set of transcripts. Every rate is edits over the set by symbols over the set."""

    words: ErrorCounts
    characters: ErrorCounts
    sentence_errors: int  # utterances with at least one wrong word
    duration: float  # seconds
    speakers: tuple[SpeakerErrors, ...]  # highest word error rate first
    substituted: tuple[WordCount, ...]  # commonest first, as the next two
    deleted: tuple[WordCount, ...]
    inserted: tuple[WordCount, ...]
    worst: tuple[UtteranceErrors, ...]  # most word errors first, then the highest rate
    utterances: tuple[UtteranceErrors, ...]  # as given
    judged: JudgedWords
    calibration: CalibrationErrors

    @property
    def sentence_error_rate(self) -> float:
        return self.sentence_errors / len(self.utterances)

    def text(self) -> str:
        """The report for a terminal."""
        sections = [self._totals(), self._confidence(), self._speakers(), self._confusions(), self._worst()]
        return "\n\n".join(section for section in sections if section) + "\n"

    def json(self) -> str:
        """The report as a JSON object, one entry of a list a line.

        Keys: `report` ("transcription"), `version`, `utterance_count`, `duration` (seconds), `words`,
        `characters` (counts), `sentence_errors`, `sentence_error_rate`, `speakers` (speaker, utterances,
        duration, words, characters), `calibration_error` (expected calibration errors: words_before,
        words_after, transcripts_before, transcripts_after; before and after the model's calibration),
        `substituted` (reference, hypothesis, count), `deleted` (reference, count), `inserted` (hypothesis,
        count), `worst` (id, and alignment: a list of [kind, reference word, hypothesis word], where kind is
        ok, sub, del or ins), and `utterances` (id, speaker, duration, reference, hypothesis, words,
        characters, heard: a list of text, start, end, confidence). Counts are an object: rate, edits, substitutions,
        deletions, insertions, reference_length. A rate is a fraction, not a percentage; it is null where
        the reference is empty and the hypothesis is not.
        """
        return layout.json_text(
            {
                "report": "transcription",
                "version": layout.JSON_VERSION,
                "utterance_count": len(self.utterances),
                "duration": self.duration,
                "words": layout.error_counts(self.words),
                "characters": layout.error_counts(self.characters),
                "sentence_errors": self.sentence_errors,
                "sentence_error_rate": self.sentence_error_rate,
                "speakers": [layout.plain(speaker) for speaker in self.speakers],
                "calibration_error": layout.plain(self.calibration),
                "substituted": [layout.plain(pair) for pair in self.substituted],
                "deleted": [{"reference": pair.reference, "count": pair.count} for pair in self.deleted],
                "inserted": [{"hypothesis": pair.hypothesis, "count": pair.count} for pair in self.inserted],
                "worst": [
                    {
                        "id": utterance.id,
                        "alignment": [[e.kind, e.reference, e.hypothesis] for e in utterance.alignment()],
                    }
                    for utterance in self.worst
                ],
                "utterances": [layout.plain(utterance) | {"heard": [
                    {"text": word.text, "start": round(word.start, 3), "end": round(word.end, 3),
                     "confidence": round(word.confidence, 4)} for word in utterance.heard]}
                    for utterance in self.utterances],
            }
        )

    def _totals(self) -> str:
        def row(name: str, counts: ErrorCounts) -> list[str]:
            parts = (counts.edits, counts.substitutions, counts.deletions, counts.insertions)
            return [name, layout.percent(counts.rate), *map(str, parts), str(counts.reference_length)]

        utterances = len(self.utterances)
        sentences = ["sentences", layout.percent(self.sentence_error_rate), str(self.sentence_errors)]
        table = layout.table(
            ["", "error rate", "errors", "subst.", "deleted", "inserted", "of"],
            [
                row("WER", self.words),
                row("CER", self.characters),
                [*sentences, "", "", "", str(utterances)],
            ],
        )
        return f"{layout.number(utterances, 'utterance')}, {layout.duration(self.duration)}\n\n{table}"

    def _confidence(self) -> str:
        errors = layout.plain(self.calibration)
        return "Expected calibration error of the confidence\n" + layout.table(
            ["of", "before", "after calibration"],
            [[kind, *(f"{errors[f'{kind}_{when}']:.3f}" for when in ("before", "after"))]
             for kind in ("words", "transcripts")])

    def _speakers(self) -> str:
        if all(speaker.speaker is None for speaker in self.speakers):
            return ""
        return "By speaker\n" + layout.table(
            ["speaker", "word error rate", "errors", "words", "character error rate", "utterances"],
            [
                [
                    layout.known(speaker.speaker),
                    layout.percent(speaker.words.rate),
                    str(speaker.words.edits),
                    str(speaker.words.reference_length),
                    layout.percent(speaker.characters.rate),
                    str(speaker.utterances),
                ]
                for speaker in self.speakers
            ],
        )

    def _confusions(self) -> str:
        kinds = {
            "substituted": [f"{pair.reference} -> {pair.hypothesis}" for pair in self.substituted],
            "deleted": [str(pair.reference) for pair in self.deleted],
            "inserted": [str(pair.hypothesis) for pair in self.inserted],
        }
        columns = [
            layout.table(
                ["", kind],
                [[str(getattr(self, kind)[i].count), name] for i, name in enumerate(names[: layout.TEXT_CONFUSIONS])],
                align="><",
            ).splitlines()
            for kind, names in kinds.items()
            if names
        ]
        return "Commonest errors\n" + layout.beside(columns) if columns else ""

    def _worst(self) -> str:
        if not self.worst:
            return ""
        return "Worst utterances\n" + "\n\n".join(
            f"{utterance.id}: {layout.number(utterance.words.edits, 'error')} in "
            f"{layout.number(utterance.words.reference_length, 'word')} ({layout.percent(utterance.words.rate)})\n"
            f"{_aligned(utterance.alignment())}"
            for utterance in self.worst
        )


def transcription_report(results: Sequence[TranscriptResult], worst: int = 10) -> TranscriptionReport:
    """Count the errors of `results`, and pick the `worst` utterances.

    Raises EarsightError for an empty set, and for an id that comes twice (it would count twice).
    """
    utterances = tuple(
        UtteranceErrors(
            result.id,
            result.speaker,
            float(result.duration),
            result.reference,
            result.hypothesis,
            metrics.word_errors(result.reference, result.hypothesis),
            metrics.character_errors(result.reference, result.hypothesis),
            result.heard,
        )
        for result in results
    )
    layout.check_ids([utterance.id for utterance in utterances], "utterance")
    wrong = worst_first(utterances)
    edits = Counter(
        (edit.kind, edit.reference, edit.hypothesis) for utterance in wrong for edit in utterance.alignment()
    )
    by_speaker: dict[str | None, list[UtteranceErrors]] = {}
    for utterance in utterances:
        by_speaker.setdefault(utterance.speaker, []).append(utterance)
    speakers = [SpeakerErrors(speaker, len(theirs), *_sums(theirs)) for speaker, theirs in by_speaker.items()]
    duration, words, characters = _sums(utterances)
    judged = _judged(results, utterances)
    return TranscriptionReport(
        words=words,
        characters=characters,
        sentence_errors=len(wrong),
        duration=duration,
        speakers=tuple(sorted(speakers, key=lambda s: (-s.words.rate, s.speaker is None, s.speaker or ""))),
        substituted=_commonest(edits, "sub"),
        deleted=_commonest(edits, "del"),
        inserted=_commonest(edits, "ins"),
        worst=tuple(wrong[:worst]),
        utterances=utterances,
        judged=judged,
        calibration=_calibration_errors(results, utterances, judged),
    )


def worst_first(utterances: Iterable[UtteranceErrors]) -> list[UtteranceErrors]:
    """Those with a wrong word: most word errors first, then the highest rate."""
    wrong = [utterance for utterance in utterances if utterance.words.edits]
    return sorted(wrong, key=lambda u: (-u.words.edits, -u.words.rate, u.id))


def _judged(results: Sequence[TranscriptResult], utterances: Sequence[UtteranceErrors]) -> JudgedWords:
    right = tuple(e.kind == "ok" for utterance in utterances for e in utterance.alignment() if e.kind != "del")
    return JudgedWords(tuple(value for result in results for value in result.raw.words),
                       tuple(value for result in results for value in result.calibrated.words), right)


def _calibration_errors(results: Sequence[TranscriptResult], utterances: Sequence[UtteranceErrors],
                        words: JudgedWords) -> CalibrationErrors:
    all_right = [not utterance.words.edits for utterance in utterances]
    return CalibrationErrors(
        metrics.calibration_error(words.raw, words.right),
        metrics.calibration_error(words.calibrated, words.right),
        metrics.calibration_error([result.raw.transcript for result in results], all_right),
        metrics.calibration_error([result.calibrated.transcript for result in results], all_right),
    )


def _sums(utterances: Sequence[UtteranceErrors]) -> tuple[float, ErrorCounts, ErrorCounts]:
    return (
        math.fsum(utterance.duration for utterance in utterances),
        sum((utterance.words for utterance in utterances), ErrorCounts()),
        sum((utterance.characters for utterance in utterances), ErrorCounts()),
    )


def _commonest(edits: Counter, kind: str) -> tuple[WordCount, ...]:
    pairs = [WordCount(edit[1], edit[2], count) for edit, count in edits.items() if edit[0] == kind]
    return tuple(sorted(pairs, key=lambda pair: (-pair.count, pair.reference or "", pair.hypothesis or "")))


def _aligned(edits: Sequence[Edit]) -> str:
    """REF and HYP under each other, `*` where a word is missing, and S, D or I below each wrong word."""
    columns = []
    for edit in edits:
        reference, hypothesis = edit.reference or "", edit.hypothesis or ""
        width = max(layout.width(reference), layout.width(hypothesis))
        mark = "" if edit.kind == "ok" else edit.kind[0].upper()
        columns.append(
            [layout.pad(word, width) for word in (reference or "*" * width, hypothesis or "*" * width, mark)]
        )
    blocks: list[list[list[str]]] = [[]]
    used = 0
    for column in columns:
        used += layout.width(column[0]) + 1
        if blocks[-1] and used > layout.TEXT_WIDTH - 7:
            blocks.append([])
            used = layout.width(column[0]) + 1
        blocks[-1].append(column)
    return "\n".join(
        f"  {name}  {' '.join(column[row] for column in block)}".rstrip()
        for block in blocks
        for row, name in enumerate(("REF", "HYP", "   "))
        if row < 2 or any(column[2].strip() for column in block)
    )
