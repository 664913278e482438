"""The CNN that turns pictures into embeddings: any torchvision classifier without its last layer."""

import pickle
import warnings
import zipfile
from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor, nn

from ...common.errors import EarsightError
from ...common.files import whole_file
from .pictures import PictureSettings

IMAGENET_MEAN, IMAGENET_DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of torchvision's weights
SECOND_HEADS = ("inception_v3", "googlenet")  # two classifiers, one of them in the middle


class FrameEmbedder(nn.Module):
    """Pictures (..., height, width, 3) uint8 -> embeddings (..., feature).

    One CNN reads the pictures of both streams, so that a frozen one is stored once.

    Args:
        backbone: a torchvision classifier's name: mobilenet_v2, resnet50, efficientnet_b0, convnext_tiny, ...
        weights: one of torchvision's names for them (IMAGENET1K_V1), or a file of them; none leaves them random.
        tuned_blocks: how many blocks, counted from the output, are trained; 0 freezes all, -1 none.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self, backbone: str = "mobilenet_v2", weights: str | None = None, tuned_blocks: int = 0):
        super().__init__()
        self.cnn, self.n_features = build_backbone(backbone, weights)
        blocks = list(_blocks(self.cnn))
        self.tuned = blocks if tuned_blocks < 0 else blocks[len(blocks) - min(tuned_blocks, len(blocks)):]
        self.cnn.requires_grad_(False)
        for block in self.tuned:
            block.requires_grad_(True)
        self.register_buffer("mean", 255 * torch.tensor(IMAGENET_MEAN)[:, None, None], persistent=False)
        self.register_buffer("deviation", 255 * torch.tensor(IMAGENET_DEVIATION)[:, None, None], persistent=False)

    def train(self, mode: bool = True) -> "FrameEmbedder":
        """Frozen blocks stay as they are in use: batch normalisation keeps its statistics, nothing is dropped."""
        super().train(mode)
        self.cnn.eval()
        for block in self.tuned:
            block.train(mode)
        return self

    def forward(self, pictures: Tensor) -> Tensor:
        # Channels come first before anything is computed: ONNX Runtime subtracts from planes twenty times as fast as
        # from triples.
        images = pictures.float().flatten(0, -4).permute(0, 3, 1, 2)
        return self.cnn((images - self.mean) / self.deviation).unflatten(0, pictures.shape[:-3])


def build_backbone(name: str, weights: str | None) -> tuple[nn.Module, int]:
    """A torchvision classifier that gives what its last layer took, (batch, feature), and how wide that is.

    Raises:
        EarsightError: the name is unknown; the weights are missing, damaged or another network's.
    """
    import torchvision

    known = torchvision.models.list_models(torchvision.models)
    if name not in known or name in SECOND_HEADS:
        raise EarsightError(f"model.backbone {name!r} is unknown; choose one of torchvision's classifiers, "
                            "such as mobilenet_v2, resnet50, efficientnet_b0, convnext_tiny")
    cnn = torchvision.models.get_model(name)
    if weights:
        state = _read_weights(Path(weights)) if Path(weights).suffix else _named_weights(name, weights)
        try:
            cnn.load_state_dict(state)
        except (RuntimeError, TypeError) as error:
            raise EarsightError(f"{weights}: weights of another network than {name}; choose the backbone they are of"
                                ) from error
    path, last = [(path, module) for path, module in cnn.named_modules() if isinstance(module, nn.Linear)][-1]
    parent, _, attribute = path.rpartition(".")
    setattr(cnn.get_submodule(parent), attribute, nn.Identity())
    return cnn.eval(), last.in_features


def export_onnx(embedder: FrameEmbedder, settings: PictureSettings, path: str | Path) -> None:
    """Write the graph pictures (1, time, height, width, 3) uint8 -> frames (1, time, feature)."""
    shapes = {stream.shape for stream in (settings.picture, settings.motion) if stream} or {(224, 224)}
    example = torch.zeros(1, 2, *sorted(shapes)[0], 3, dtype=torch.uint8, device=embedder.mean.device)
    # A single shape is written into the graph: some networks need that, and it runs a little faster.
    sides = {2: "height", 3: "width"} if len(shapes) > 1 else {}
    with whole_file(path) as temporary, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # this exporter, the older one, makes the faster graph
        torch.onnx.export(
            embedder.eval(), (example,), str(temporary), input_names=["pictures"], output_names=["frames"],
            dynamic_axes={"pictures": {1: "time", **sides}, "frames": {1: "time"}}, opset_version=17, dynamo=False)


def _blocks(cnn: nn.Module) -> Iterator[nn.Module]:
    """The parts of a network in the order data passes them: its children, and theirs where one is a mere list."""
    for child in cnn.children():
        parts = list(child.children()) if type(child) is nn.Sequential else [child]
        yield from (part for part in parts if any(True for _ in part.parameters()))


def _named_weights(backbone: str, weights: str) -> dict:
    import torchvision

    try:
        found = torchvision.models.get_model_weights(backbone)[weights]
    except KeyError as error:
        names = ", ".join(w.name for w in torchvision.models.get_model_weights(backbone))
        raise EarsightError(f"model.weights {weights!r}: {backbone} has {names}, or name a file") from error
    try:
        return found.get_state_dict(check_hash=True)
    except OSError as error:
        raise EarsightError(f"model.weights {weights}: cannot be fetched from {found.url} ({error}); "
                            "fetch that file yourself and name it in model.weights") from error


def _read_weights(path: Path) -> dict:
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise EarsightError(f"{path}: no such file of weights; correct model.weights") from error
    except (pickle.UnpicklingError, RuntimeError, EOFError, OSError, zipfile.BadZipFile, ValueError, KeyError) as error:
        raise EarsightError(f"{path}: not a file of weights that can be read ({type(error).__name__})") from error
    return state
