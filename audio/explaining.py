"""`earsight explain` for sound and stored frames: waveform, frames, posteriors, words, gates."""

from pathlib import Path
from typing import TYPE_CHECKING

from ..common.errors import EarsightError
from ..common.explain.encoder_graph import run_encoder
from ..common.explain.explaining import Choice, check_duration, decision_text, inside_panels, inside_title, output_panel
from ..common.explain.figure import figure, frames_panel, waveform_panel, words_panel
from ..common.model_folder import find_model, read_config
from ..common.reports import layout
from .reading import FRAME_SUFFIXES, info, read
from .recognition.recogniser import SpeechRecogniser

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def explain(path: str | Path, model: str | Path, choice: Choice = Choice()) -> "Figure":
    """What a speech model does with a clip, as a figure.

    Raises:
        EarsightError: the clip or the model cannot be read, the clip is too long, or there is no such layer or unit.
    """
    recogniser = SpeechRecogniser(model, read_config(find_model(model)).task)
    runtime, path = recogniser.runtime, Path(path)
    heard = path.suffix.lower() not in FRAME_SUFFIXES
    if heard:
        check_duration(path, info(path).duration)
    frames, duration = recogniser.frames_and_duration(path)
    if len(frames) == 0:
        raise EarsightError(f"{path}: shorter than one frame of model {runtime.name}; give a longer clip")
    shift = runtime.config.frame_shift
    check_duration(path, duration)
    run = run_encoder(runtime.folder, frames)
    encoder = runtime.config.frontend.get("encoder")
    name = (f"{encoder}'s frames" if encoder else "MFCC frames") if heard else "frames"
    panels = [frames_panel(name, frames, shift, f"{frames.shape[1]} {'features' if encoder else 'coefficients'}")]
    if heard:
        panels.insert(0, waveform_panel(read(path, recogniser.sample_rate).samples, recogniser.sample_rate))
    panels.append(output_panel(runtime, frames, run))
    if runtime.config.task == "ctc":
        words = recogniser.transcript(frames, str(path), duration).words
        panels.append(words_panel(words))
        said = layout.number(len(words), "word")
    else:
        words, said = (), decision_text(recogniser.classification(frames, str(path)))
    panels += inside_panels(runtime, run, choice)
    said = f"{said} · {runtime.name}, {inside_title(runtime, run, choice)}"
    return figure(path.name, said, duration, panels, words)
