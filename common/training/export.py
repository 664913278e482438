"""From a checkpoint to a model folder: ONNX graphs, checked against the checkpoint before they are kept."""

import importlib.metadata
import io
import json
import logging
import os
import shutil
import warnings
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from tqdm import tqdm

from ..errors import EarsightError
from ..files import whole_folder
from ..inference.runtime import WEIGHTS, Runtime
from ..model_folder import CONFIG, ENCODER, FRONTEND, ModelConfig, demand_own, find_model, read_config, write_config
from ..nn.encoder import Encoder, JointEncoder, RecurrentLayers, StreamEncoder
from ..nn.heads import StreamHeads
from ..nn.module import SequenceModel

TOLERANCE = 1e-3  # of float32 log-probabilities; int8 is measured on data instead (`earsight evaluate`)


class EqualLengths(nn.Module):
    """A model's normaliser, encoder and head for clips of one length: (batch, time, feature) -> outputs."""

    def __init__(self, model: SequenceModel):
        super().__init__()
        self.model = model.eval()
        encoder = model.encoder
        self.above = encoder.above.equal_lengths().eval() if isinstance(encoder, JointEncoder) else None
        encoder = encoder.below if isinstance(encoder, JointEncoder) else encoder
        apart = isinstance(encoder, StreamEncoder)
        self.parts: Callable[[Tensor], list[Tensor]] = encoder.parts if apart else lambda frames: [frames]
        encoders = encoder.each() if apart else [encoder]
        self.encoders = nn.ModuleList(EqualLengthsEncoder(encoder) for encoder in encoders)

    @property
    def weighs(self) -> bool:
        """Whether there is a second output, how much each stream counts: (batch, time, stream)."""
        return isinstance(self.model.head, StreamHeads) and self.model.head.scores is not None

    def forward(self, frames: Tensor) -> tuple[Tensor, ...]:
        lengths = torch.ones_like(frames[:, :, 0], dtype=torch.int64).sum(dim=1)
        frames = self.model.normaliser(frames, lengths)
        read = [encoder(part, lengths) for encoder, part in zip(self.encoders, self.parts(frames))]
        hidden = torch.cat([states for states, _ in read], dim=-1) if len(read) > 1 else read[0][0]
        if self.above is not None:
            hidden = self.above(hidden)
        head = self.model.head
        weights = head.weights(hidden) if isinstance(head, StreamHeads) else None
        outputs = head(hidden, read[0][1])
        return (outputs,) if weights is None else (outputs, weights)


class EqualLengthsEncoder(nn.Module):
    """An encoder for clips of one length: (batch, time, feature), (batch,) -> last layer's states, lengths."""

    def __init__(self, encoder: Encoder):
        super().__init__()
        self.encoder = encoder
        layers = encoder.layers
        # One LSTM operator reads both directions; the two cells of training would be several.
        self.layers = layers.equal_lengths().eval() if isinstance(layers, RecurrentLayers) else None

    def forward(self, frames: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        if self.encoder.subsample is not None:
            frames, lengths = self.encoder.subsample(frames, lengths)
        if self.layers is not None:
            return self.layers(frames), lengths
        return self.encoder.layers(frames, lengths)[-1], lengths


def export_model(model: SequenceModel, destination: Path, frontend: Callable[[Path], None] | None, settings: dict,
                 int8: bool = False, card: Path | None = None) -> Path:
    """Write a model folder, whole or not at all.

    Args:
        model: as `audio.model.load_model` gives it.
        destination: the folder; an older model folder there is replaced.
        frontend: writes the frontend's graph to a path; none for a model of stored frames.
        settings: the medium's share of `ModelConfig`: sample_rate, frame_shift, frontend.
        int8: store and run the encoder's weights as 8-bit integers, a quarter of the size.
        card: JSON object for the folder's `about`, which `earsight models` shows: description, trained_on, licence,
            figures.

    Raises:
        EarsightError: the destination is something else than a model folder, or the graph does not compute
            what the checkpoint does.
    """
    demand_own(destination)
    if destination.is_dir() and not (destination / CONFIG).is_file() and any(destination.iterdir()):
        raise EarsightError(f"{destination}: exists and is no model folder; choose another destination")
    if os.fsencode(destination) != str(destination).encode(errors="replace"):
        raise EarsightError(f"{destination}: a name that is not UTF-8, which torch's exporter does not take; choose "
                            "another destination")
    about = _read_card(card) if card else {}
    with whole_folder(destination) as folder:
        steps = tqdm(total=3 + int8, desc="exporting", unit="step", leave=False, disable=None)
        if frontend is not None:
            frontend(folder / FRONTEND)
        steps.update()
        _export_encoder(model, folder / ENCODER)
        steps.update()
        write_config(folder, ModelConfig(
            task="classification" if model.labels.kind == "classes" else "ctc",
            labels={**model.labels.to_dict(), "bpe_model": ""}, n_features=model.normaliser.n_input,
            stride=model.encoder.stride, precision="int8" if int8 else "float32",
            model={k: v for k, v in model.settings.items()
                   if k not in ("mfcc", "pretrained", "pictures", "mouth", "network", "longest_clip")},
            about=about, longest_clip=model.settings.get("longest_clip", ModelConfig.longest_clip),
            versions={name: importlib.metadata.version(name) for name in ("torch", "onnx", "onnxruntime")},
            **{"medium": model.medium, **settings}))
        _compare(model, folder)
        steps.update()
        if int8:
            quantise(folder / ENCODER)
        steps.close()
    return destination


def borrowed_frontend(model: str | Path, n_features: int) -> tuple[Callable[[Path], None], dict[str, Any]]:
    """What makes the frames that a model of stored frames was trained on: a model folder's or an installed model's.

    Args:
        n_features: of the frames that the model takes.

    Returns:
        What writes its graph to a path, and the medium's share of `ModelConfig`.

    Raises:
        EarsightError: it has no frontend, or one that makes frames of another width.
    """
    folder = find_model(model)
    config = read_config(folder)
    if not (folder / FRONTEND).is_file():
        raise EarsightError(f"model {folder.name} has no {FRONTEND}, so that it makes no frames; name the model whose "
                            "frames were stored (`earsight prepare embeddings ... model=NAME`)")
    if config.n_features != n_features:
        raise EarsightError(f"model {folder.name} makes frames of {config.n_features} features, and the checkpoint "
                            f"takes {n_features}; name the model whose frames were stored")

    def write(path: Path) -> None:
        for graph in folder.glob("*.onnx"):  # and what finds people, of one with a pose stream
            if graph.name != ENCODER:
                shutil.copyfile(graph, path.with_name(graph.name))

    share = ("medium", "sample_rate", "frame_shift", "frontend")
    return write, {name: getattr(config, name) for name in share}


def _read_card(path: Path) -> dict:
    try:
        card = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise EarsightError(f"{path}: no readable JSON object ({error})") from error
    if not isinstance(card, dict):
        raise EarsightError(f"{path}: holds a JSON {type(card).__name__}; a card is an object")
    return card


def _export_encoder(model: SequenceModel, path: Path) -> None:
    example = torch.randn(1, 50, model.normaliser.n_input)
    axes = {"frames": {0: "batch", 1: "time"}, "outputs": {0: "batch"}}
    if model.labels.kind != "classes":
        axes["outputs"][1] = "output_time"
    graph = EqualLengths(model)
    names = ["outputs", WEIGHTS] if graph.weighs else ["outputs"]
    axes |= {name: {0: "batch", 1: "output_time"} for name in names[1:]}
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings(), redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
        # The exporter warns of an LSTM with a batch size other than 1; initial states are zeros of the
        # batch's own size here, and the comparison below runs several sizes.
        warnings.simplefilter("ignore")
        torch.onnx.export(graph, (example,), str(path), input_names=["frames"], output_names=names, dynamic_axes=axes,
                          opset_version=17, dynamo=False)


def _compare(model: SequenceModel, folder: Path) -> None:
    runtime = Runtime(folder)
    generator = torch.Generator().manual_seed(1)
    for time in (1, 7, 50, 333):
        frames = 5 * torch.randn(time, model.normaliser.n_input, generator=generator)
        with torch.no_grad():
            expected = model.eval()(frames[None], torch.tensor([time]))[0][0].numpy()
        error = float(np.abs(runtime.graph_outputs(frames.numpy()) - expected).max())
        if not error <= TOLERANCE:
            raise EarsightError(f"the exported graph differs from the checkpoint by {error:.2g} on {time} frames; "
                                "nothing was written; please report this with the versions of torch and onnx")


def quantise(path: Path) -> None:
    """Turn the weights of a graph's matrix products and LSTMs into 8-bit integers, in place."""
    from onnxruntime.quantization import QuantType, quantize_dynamic
    from onnxruntime.quantization.preprocess import quant_pre_process

    prepared = path.with_suffix(".prepared.onnx")
    level = logging.getLogger().level
    logging.getLogger().setLevel(logging.ERROR)
    try:
        quant_pre_process(str(path), str(prepared), skip_symbolic_shape=True)
        quantize_dynamic(str(prepared), str(path), weight_type=QuantType.QInt8, per_channel=True,
                         op_types_to_quantize=["LSTM", "MatMul", "Gemm"])  # ConvInteger is slower than float32
        _drop_shapes(path)
    finally:
        logging.getLogger().setLevel(level)
        prepared.unlink(missing_ok=True)


def _drop_shapes(path: Path) -> None:
    """Leave out the shapes inside a graph, which preparing it for quantising writes and nothing that runs it reads."""
    import onnx

    graph = onnx.load(str(path))
    del graph.graph.value_info[:]
    onnx.save(graph, str(path))
