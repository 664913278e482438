"""Running a model folder with ONNX Runtime. torch is never imported here."""

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import numpy as np

from ..errors import EarsightError, first_line
from ..labels import BLANK, Labels
from ..model_folder import CONFIG, ENCODER, FRONTEND, find_model, read_config
from ..threads import spins
from .unknown import FAMILIARITY, Familiarity, Rejection

WEIGHTS = "weights"  # an encoder's output: how much each of its streams counts
PIECE, BESIDE = 20.0, 2.0  # s, of what goes through a pretrained encoder at once, and of what it hears at both ends


class Runtime:
    """A model folder, ready to run.

    Safe to share between threads: ONNX Runtime's sessions are, and nothing else changes.

    Args:
        model: a model folder or the name of an installed model.
        threads: CPU threads that work on one clip.
    """

    def __init__(self, model: str | Path, threads: int = 1):
        self.folder = find_model(model)
        self.name = self.folder.name
        self.config = read_config(self.folder)
        self.labels = Labels.from_dict(self.config.labels)
        self.threads = threads
        self.rejection = Rejection(**self.config.unknown) if self.config.unknown else None
        self._encoder = open_session(self.folder / ENCODER, threads)
        if self.rejection and FAMILIARITY not in (output.name for output in self._encoder.get_outputs()):
            raise EarsightError(f"{self.folder / CONFIG}: has a threshold for what is unknown, and {ENCODER} gives no "
                                "score for it; fit both again with `earsight calibrate`")

    def frames(self, inputs: np.ndarray) -> np.ndarray:
        """Frontend: a waveform (samples,) or pictures (time, height, width, 3) -> frames (time, feature)."""
        if "encoder" in self.config.frontend:
            return self._pretrained_frames(inputs)
        return self._run(self._frontend, inputs[None])[0][0]

    def _pretrained_frames(self, samples: np.ndarray) -> np.ndarray:
        """The frames of a pretrained encoder, which sees all of a clip at once, and takes none longer than `longest`.

        Longer sound goes through in pieces, each with some sound at its ends beside it. Digital silence gives frames of
        0, which hold no words.
        """
        settings, shift = self.config.frontend, self.config.frame_shift
        hop, piece, beside = settings["hop_length"], round(PIECE / shift), round(BESIDE / shift)
        if np.ptp(samples) == 0:
            return np.zeros((-(-len(samples) // hop), self.config.n_features), np.float32)
        samples = np.pad(samples, (0, max(0, settings["shortest"] - len(samples))))
        before, after = settings.get("silence", (0, 0))
        if before + len(samples) + after <= settings["longest"] * self.config.sample_rate and (before or after):
            # Encoders that were trained on sound with silence around it hear words that are cut closely better so.
            frames = self._run(self._frontend, np.pad(samples, (before, after))[None])[0][0]
            return frames[before // hop:][:-(-len(samples) // hop)]
        if len(samples) <= settings["longest"] * self.config.sample_rate:
            return self._run(self._frontend, samples[None])[0][0]
        parts = []
        for first in range(0, len(samples) // hop, piece):
            start = max(first - beside, 0)
            sound = samples[start * hop:(first + piece + beside) * hop]
            parts.append(self._run(self._frontend, sound[None])[0][0][first - start:][:piece])
        return np.concatenate(parts)

    def outputs(self, frames: np.ndarray) -> np.ndarray:
        """Encoder and head: frames (time, feature) -> log-probabilities (time / stride, label) or logits (label,).

        Constant frames, as digital silence gives, hold no words whatever the model makes of them: blanks alone.
        """
        if self.config.task == "ctc" and (len(frames) == 0 or np.ptp(frames, axis=0).max() == 0):
            blanks = np.full((-(-len(frames) // self.config.stride), len(self.labels)), -np.inf, dtype=np.float32)
            blanks[:, BLANK] = 0.0
            return blanks
        return self.graph_outputs(frames)

    def graph_outputs(self, frames: np.ndarray) -> np.ndarray:
        """What the encoder's graph itself computes from frames (time, feature), at least one."""
        return self.batch_outputs(frames[None])[0]

    def batch_outputs(self, frames: np.ndarray) -> np.ndarray:
        """The same for clips of one length: (batch, time, feature) -> (batch, ...)."""
        return self._encoded(frames)[0]

    def _encoded(self, frames: np.ndarray, names: Sequence[str] = ()) -> list[np.ndarray]:
        """The encoder's outputs of these names, its logits or log-probabilities first; those alone without names."""
        outputs = self._run(self._encoder, np.ascontiguousarray(frames, dtype=np.float32), names)
        if outputs[0].ndim != 2 + (self.config.task == "ctc"):
            raise EarsightError(f"{self.folder / CONFIG}: damaged, its task is {self.config.task}, and {ENCODER} is of "
                                "another; export the model again")
        if outputs[0].shape[-1] != len(self.labels):
            raise EarsightError(f"{self.folder / CONFIG}: damaged, it has {len(self.labels)} labels for "
                                f"{outputs[0].shape[-1]} outputs; export the model again")
        return outputs

    def weights(self, frames: np.ndarray) -> np.ndarray | None:
        """How much each stream of frames (time, feature) counts, (time / stride, stream), adding up to 1; None where
        the model does not weigh them."""
        if WEIGHTS not in (output.name for output in self._encoder.get_outputs()):
            return None
        return self._encoded(frames[None], ("outputs", WEIGHTS))[1][0]

    def judged(self, frames: np.ndarray) -> tuple[np.ndarray, Familiarity | None]:
        """A classifier's calibrated logits (label,) of frames (time, feature), and whether they are of a class.

        Without a calibration (`earsight calibrate`) the logits are as they are, and nothing is known of the rest.
        """
        logits, scores = self._batch_judged(frames[None])
        return logits[0], None if scores is None or self.rejection is None else self.rejection.familiarity(
            float(scores[0]))

    def batch_judged(self, frames: np.ndarray) -> np.ndarray:
        """The same for clips of one length, as logits: (batch, time, feature) -> (batch, label).

        With a calibration they have a column more, of none of the classes.
        """
        logits, scores = self._batch_judged(frames)
        return logits if scores is None or self.rejection is None else self.rejection.with_unknown(logits, scores)

    def _batch_judged(self, frames: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
        if self.rejection is None:
            return self.batch_outputs(frames), None
        logits, scores = self._encoded(frames, ("outputs", FAMILIARITY))
        return logits / self.rejection.temperature, scores

    def check_frames(self, frames: np.ndarray, name: str) -> None:
        """Refuse frames of another width than the model's, naming where they come from."""
        if frames.ndim != 2 or frames.shape[1] != self.config.n_features:
            raise EarsightError(f"{name}: frames of shape {frames.shape} do not fit model {self.name}, "
                                f"which takes (time, {self.config.n_features})")

    def load_frontend(self) -> None:
        """Load the frontend, which else is done when it is first used."""
        self._frontend  # noqa: B018

    @cached_property
    def _frontend(self):
        return open_session(self.folder / FRONTEND, self.threads)

    def _run(self, session, inputs: np.ndarray, names: Sequence[str] = ()) -> list[np.ndarray]:
        try:
            return run_outputs(session, inputs, names)
        except MemoryError:
            raise
        except Exception as error:  # ONNX Runtime's own exceptions share no base class but this
            if "allocate" in str(error):
                raise MemoryError from error
            raise EarsightError(f"{self.folder}: damaged, a graph of it does not take arrays of shape {inputs.shape}; "
                                f"export the model again ({first_line(error)})") from error


def open_session(path: Path, threads: int):
    """An ONNX Runtime session over a graph, on the CPU.

    Raises:
        EarsightError: the file is missing or damaged.
    """
    if not path.is_file():
        raise EarsightError(f"{path}: missing; export the model again, or install the package again")
    try:
        # Not its name, which ONNX Runtime takes for UTF-8.
        graph = path.read_bytes()
    except OSError as error:
        raise EarsightError(f"{path}: cannot be read ({error.strerror}); change its permissions") from error
    return open_graph(graph, str(path), threads)


def open_graph(graph: bytes, name: str, threads: int):
    """An ONNX Runtime session over a graph's bytes (.onnx or .ort), on the CPU.

    Raises:
        EarsightError: the graph is damaged; the message begins with `name`.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    if not spins():
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        return onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"], enable_fallback=0)
    except Exception as error:  # ONNX Runtime's own exceptions share no base class but this
        raise EarsightError(f"{name}: damaged, ONNX Runtime cannot load it; export the model again "
                            f"({first_line(error)})") from error


def run_graph(session, inputs: np.ndarray) -> np.ndarray:
    """The first output of a session for its first input. A graph that also asks which of it counts is told: all."""
    return run_outputs(session, inputs)[0]


def run_outputs(session, inputs: np.ndarray, names: Sequence[str] = ()) -> list[np.ndarray]:
    """The same for the outputs of these names; the first without names."""
    feed = {session.get_inputs()[0].name: inputs}
    for mask in session.get_inputs()[1:]:
        feed[mask.name] = np.ones(inputs.shape, dtype=np.int64)
    return session.run(names or [session.get_outputs()[0].name], feed)
