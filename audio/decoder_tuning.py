"""`earsight tune-decoder`: beam search settings and the calibration of confidence, fitted on a development set.

The model runs once over the set; the search over settings then works on its outputs in memory.
"""

import re
import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from itertools import product
from pathlib import Path

import numpy as np
from lhotse.cut import Cut
from tqdm import tqdm

from ..common import metrics
from ..common.batch_run import default_jobs
from ..common.data.cuts import text_of
from ..common.data.datamodule import read_frames_cut
from ..common.data.manifest import read_manifest
from ..common.data.openers import Openers
from ..common.decoding.decoders import Decoder, Hypothesis
from ..common.decoding.lexicon import find_lexicon
from ..common.decoding.ngrams.kenlm_binary import is_binary
from ..common.decoding.options import DecodingOptions
from ..common.errors import EarsightError
from ..common.files import whole_file, whole_folder
from ..common.inference.confidence import (
    Calibration,
    confidences,
    fit_logistic,
    sound_features,
    transcript_features,
    word_confidences,
    word_features,
)
from ..common.inference.runtime import Runtime
from ..common.labels import form_of
from ..common.model_folder import CONFIG, demand_own, read_config, write_config
from ..common.reports.evaluation import run_folder
from ..common.reports.layout import percent, table
from .corpora.importers import OPENERS
from .data import read_clip
from .noise_clips import noise_clips

LM_WEIGHTS = (0.0, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 4.0)
WORD_SCORES = (-2.0, -1.0, 0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0)
BLANK_PENALTIES = (0.0, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0)
BEAMS = (10, 20, 50, 100, 200)
SEARCH_BEAM = 50  # while weights are searched
NOISE_CLIPS = 240
NOISE_SHARE = 0.1  # how many clips without speech are thought to come on one of speech
LM_NAMES = {True: "lm.bin", False: "lm.arpa"}  # in the model folder, by whether it is of KenLM's binary format
LEXICON_NAME = "lexicon.txt"


FrameReader = Callable[[Cut], np.ndarray]  # a clip's frames (time, feature)


@dataclass(frozen=True, eq=False)
class Clip:
    """A clip's true text, frames (time * stride, feature) and log-probabilities (time, label).

    The text is in the form in which the model writes.
    """

    text: str
    frames: np.ndarray
    log_probs: np.ndarray


def tune_decoder(model: str, manifests: Sequence[Path], lm: Path | None = None, lexicon: Path | None = None,
                 output: Path | None = None, openers: Openers = OPENERS,
                 readers: Callable[[Runtime], Sequence[FrameReader]] | None = None) -> tuple[str, list[EarsightError]]:
    """Tune a model folder's decoding on development sets, calibrate its confidence, and store both.

    Beam search becomes the folder's default where it makes fewer errors than greedy decoding.

    Args:
        output: a folder for a tuned copy; None changes the model's own, unless that is installed.
        openers: how clips that a CSV or folder names are looked into.
        readers: of a model of another medium than sound and frames: what reads a clip's frames (time, feature) for it;
            several where each clip is to be read in several ways.

    Returns:
        What was found, for a reader, and an error for each clip that could not be read.

    Raises:
        EarsightError: no text model, a set that calls itself a test set, an installed model without `output`, or no
            clip with a text that can be read.
    """
    for manifest in manifests:
        if "test" in re.split(r"[^a-z]+", manifest.name.lower()):
            raise EarsightError(f"{manifest}: a test set by its name; tune on a development set, or the test's figures "
                                "mean nothing")
    runtime = Runtime(model)
    demand_own(output or runtime.folder)
    if output and output.is_dir() and any(output.iterdir()) and not (output / CONFIG).is_file():
        raise EarsightError(f"{output}: exists and is no model folder; choose another --output")
    if runtime.config.task != "ctc" or not (readers or runtime.config.medium in ("speech", "frames")):
        raise EarsightError(f"model {runtime.name} writes no text of speech; there is no decoder to tune")
    given = DecodingOptions(decoder="beam", lm=str(lm or ""), lexicon=str(lexicon or ""))
    Decoder(runtime.labels, given)  # what cannot be used is told before the long work
    clips, errors = read_clips(runtime, manifests, openers, readers)
    if not clips:
        raise errors[0]
    noise = _read_noise(runtime)
    best, report = _search(runtime, clips, given)
    calibration, figures = _calibrate(Decoder(runtime.labels, best), clips, noise)
    if output is None or output.resolve() == runtime.folder.resolve():
        _store(runtime.folder, best, calibration)
    else:
        with whole_folder(output) as folder:
            shutil.copytree(runtime.folder, folder, dirs_exist_ok=True)
            _store(folder, best, calibration)
    return f"{report}\n\n{figures}\n\nstored in {output or runtime.folder}", errors


def _no_text(manifests: Sequence[Path]) -> EarsightError:
    return EarsightError(f"{', '.join(map(str, manifests))}: no clip has a text, and a decoder is tuned on texts; give "
                         "a development set with a column text")


def read_clips(runtime: Runtime, manifests: Sequence[Path], openers: Openers = OPENERS,
               readers: Callable[[Runtime], Sequence[FrameReader]] | None = None
               ) -> tuple[list[Clip], list[EarsightError]]:
    """What a model makes of manifests' clips, and an error for each clip that could not be read; see `tune_decoder`."""
    rate = runtime.config.sample_rate
    ways = readers(runtime) if readers else (partial(read_clip, sample_rate=rate) if rate else read_frames_cut,)
    clips, errors, form = [], {}, form_of(runtime.labels)
    sets = [read_manifest(manifest, openers) for manifest in manifests]
    if not any((text_of(cut) or "").strip() for cuts in sets for cut in cuts):
        raise _no_text(manifests)  # before the long work
    for cuts, read in product(sets, ways):
        run = run_folder(runtime, cuts, read, default_jobs(), lambda frames: (runtime.outputs(frames), frames))
        for cut, outcome in tqdm(run, total=len(cuts), unit="clip", disable=None):
            if isinstance(outcome, EarsightError):
                errors[str(outcome)] = outcome  # once, however many ways the clip is read in
            else:
                clips.append(Clip(form(text_of(cut) or ""), outcome[1], outcome[0]))
    return clips, list(errors.values())


def _read_noise(runtime: Runtime) -> list[Clip]:
    """Clips in which nothing is said, for models that read sound."""
    rate = runtime.config.sample_rate if runtime.config.medium == "speech" else 0
    frames = [runtime.frames(sound) for sound in noise_clips(NOISE_CLIPS, rate)] if rate else []
    return [Clip("", of_clip, runtime.outputs(of_clip)) for of_clip in frames]


def _search(runtime: Runtime, clips: Sequence[Clip], given: DecodingOptions) -> tuple[DecodingOptions, str]:
    """The best settings, and a report."""
    def rate(options: DecodingOptions) -> float:
        return _word_error_rate(Decoder(runtime.labels, options), clips)

    greedy = rate(DecodingOptions())
    given = replace(given, beam=SEARCH_BEAM)
    lm_weights = LM_WEIGHTS if given.lm else (given.lm_weight,)
    word_scores = WORD_SCORES if find_lexicon(runtime.labels, given) else (given.word_score,)
    grid = np.array([[rate(replace(given, lm_weight=lm_weight, word_score=word_score)) for word_score in word_scores]
                     for lm_weight in tqdm(lm_weights, unit="row", disable=None)])
    row, column = best_cell(grid)
    best = replace(given, lm_weight=lm_weights[row], word_score=word_scores[column])
    of_penalty = np.array([[rate(replace(best, blank_penalty=penalty)) for penalty in BLANK_PENALTIES]])
    best = replace(best, blank_penalty=BLANK_PENALTIES[best_cell(of_penalty)[1]])
    of_beam = {beam: rate(replace(best, beam=beam)) for beam in BEAMS}
    best = replace(best, beam=next(beam for beam in BEAMS if of_beam[beam] <= min(of_beam.values()) + 5e-4))
    weights = table(["lm weight", *(f"word score {score:g}" for score in word_scores)],
                    [[f"{weight:g}", *map(percent, rates)] for weight, rates in zip(lm_weights, grid)])
    penalties = table(["blank penalty", "WER"], [[f"{penalty:g}", percent(wer)]
                                                 for penalty, wer in zip(BLANK_PENALTIES, of_penalty[0])])
    others = table(["", "WER"], [["greedy", percent(greedy)],
                                 *([f"beam {beam}", percent(wer)] for beam, wer in of_beam.items())])
    chosen = (f"chosen: lm weight {best.lm_weight:g}, word score {best.word_score:g}, blank penalty "
              f"{best.blank_penalty:g}, beam {best.beam}")
    if of_beam[best.beam] >= greedy:
        best, chosen = DecodingOptions(), "chosen: greedy, which beam search does not better"
    title = f"Word error rates, {len(clips)} clips, beam {SEARCH_BEAM}"
    return best, "\n\n".join([f"{title}\n{weights}", penalties, others, chosen])


def best_cell(grid: np.ndarray) -> tuple[int, int]:
    """The cell (row, column) of error rates whose neighbourhood of up to 3 x 3 has the lowest mean.

    Single cells differ by a few words, so that the lowest of them is as much luck as merit.
    """
    padded = np.pad(grid, 1, constant_values=np.nan)
    shifted = [padded[i:i + grid.shape[0], j:j + grid.shape[1]] for i in range(3) for j in range(3)]
    means = np.nanmean(shifted, axis=0)
    return np.unravel_index(means.argmin(), grid.shape)


def _word_error_rate(decoder: Callable[[np.ndarray], list[Hypothesis]], clips: Sequence[Clip]) -> float:
    counts = [metrics.word_errors(clip.text, decoder(clip.log_probs)[0].text) for clip in clips]
    return sum(counts, metrics.ErrorCounts()).rate


def _calibrate(decoder: Decoder, clips: Sequence[Clip], noise: Sequence[Clip]) -> tuple[Calibration, str]:
    """Fit the calibration, and tell what it does to the clips that it is fitted on."""
    readings = [decoder(clip.log_probs) for clip in [*clips, *noise]]
    features = [word_features(read, clip.log_probs) for read, clip in zip(readings, clips)]
    right = [[e.kind == "ok" for e in metrics.align(clip.text.split(), [word.text for word in read[0].words])
              if e.kind != "del"] for read, clip in zip(readings, clips)]
    flat = np.array([value for values in right for value in values], dtype=float)
    if not len(flat):
        raise EarsightError("the model reads no word in the development set; there is no confidence to calibrate")
    words = fit_logistic(np.concatenate(features), flat)
    sound = None
    if noise:
        counts = np.repeat([1.0, NOISE_SHARE * len(clips) / len(noise)], [len(clips), len(noise)])
        said = np.repeat([1.0, 0.0], [len(clips), len(noise)])
        sound = fit_logistic(np.concatenate([sound_features(clip.frames) for clip in [*clips, *noise]]), said, counts)
    of_words = [word_confidences(read, clip.log_probs, clip.frames, words, sound)
                for read, clip in zip(readings, [*clips, *noise])]
    all_right = [clip.text.split() == read[0].text.split() for read, clip in zip(readings, clips)]
    transcript = fit_logistic(np.concatenate([transcript_features(values) for values in of_words[:len(clips)]]),
                              np.array(all_right, dtype=float))
    of_speech = [value for values in of_words[:len(clips)] for value in values]
    of_noise = [value for values in of_words[len(clips):] for value in values]
    raw = [value for read, clip in zip(readings, clips)
           for value in confidences(read, clip.log_probs, clip.frames, None)[0]]
    before, after = metrics.calibration_error(raw, flat), metrics.calibration_error(of_speech, flat)
    figures = [f"confidence of {len(flat)} words: expected calibration error {before:.3f}, {after:.3f} when calibrated "
               "(on the clips it is fitted on)"]
    if noise:
        doubtful = sum(value < 0.5 for value in of_noise)
        figures.append(f"{len(noise)} clips of noise, tones and music: {len(of_noise)} words, {doubtful} of them with "
                       "a confidence below 0.5")
    return Calibration(words, transcript, sound), "\n".join(figures)


def _store(folder: Path, options: DecodingOptions, calibration: Calibration) -> None:
    """Put the settings into `config.json`, with copies of the language model and the lexicon beside it."""
    stored = {}
    if options.decoder == "beam":
        stored = {name: value for name, value in asdict(options).items() if name not in ("hotwords", "n_best")}
        if options.lm:
            stored["lm"] = _copy(options.lm, folder / LM_NAMES[is_binary(options.lm)])
        if options.lexicon:
            stored["lexicon"] = _copy(options.lexicon, folder / LEXICON_NAME)
    write_config(folder, replace(read_config(folder), decoding=stored, confidence=calibration.to_dict()))


def _copy(source: str, destination: Path) -> str:
    if not (destination.exists() and destination.samefile(source)):
        with whole_file(destination) as temporary:
            shutil.copyfile(source, temporary)
    return destination.name
