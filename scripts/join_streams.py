"""Two video models of the same classes, each with streams of its own, as one model that reads both.

    python scripts/join_streams.py MODEL ADDED DESTINATION [--card CARD]

Streams with late fusion learn alone (`common.nn.heads.StreamHeads`), so that one may be trained without the others, and
later: DESTINATION is what a model of all streams would have been, the mean of the log-probabilities of each. MODEL and
ADDED are model folders that sample videos alike; pictures of the same stream in both, or two CNNs, are refused.
"""

import argparse
import json
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, compose, helper, numpy_helper

from earsight.common.errors import EarsightError
from earsight.common.files import whole_folder
from earsight.common.inference.runtime import Runtime
from earsight.common.model_folder import ENCODER, FRONTEND, ModelConfig, find_model, read_config, write_config
from earsight.video.frontends.pictures import CNN_STREAMS, STREAMS, PictureSettings
from earsight.video.pose.graphs import DETECTOR, LANDMARKER


def join(model: Path, added: Path, destination: Path, about: dict) -> ModelConfig:
    """Write the folder of both; see above.

    Raises:
        EarsightError: they do not go together.
    """
    first, second = read_config(model), read_config(added)
    ours, theirs = (PictureSettings.from_dict(config.frontend).streams for config in (first, second))
    if [*ours, *theirs] != [name for name in STREAMS if name in [*ours, *theirs]] or set(theirs) & set(CNN_STREAMS):
        raise EarsightError(f"{added}: its streams ({', '.join(theirs)}) do not go behind those of {model} "
                            f"({', '.join(ours)}); join features that need no CNN, in the order {', '.join(STREAMS)}")
    for name in ("labels", "frame_shift", "stride", "medium", "task"):
        if getattr(first, name) != getattr(second, name):
            raise EarsightError(f"{added}: its {name} is not that of {model}; train it on the same classes and rate")
    lag = first.frontend["lag"], second.frontend["lag"]
    if lag[0] != lag[1]:
        raise EarsightError(f"{added}: its lag is {lag[1]:g} s, that of {model} {lag[0]:g} s; train it with the same")
    streams = [first.model["encoder"]["streams"] or [first.n_features],
               second.model["encoder"]["streams"] or [second.n_features]]
    settings = {**first.model, "n_features": first.n_features + second.n_features,
                "encoder": {**first.model["encoder"], "streams": sum(streams, [])}}
    config = replace(first, n_features=first.n_features + second.n_features, model=settings, about=about,
                     frontend={**first.frontend, **{name: second.frontend[name] for name in theirs}})
    with whole_folder(destination) as folder:
        shutil.copyfile(model / FRONTEND, folder / FRONTEND)
        for source in (model, added):
            for name in (DETECTOR, LANDMARKER):
                if "pose" in read_config(source).frontend and (source / name).is_file():
                    shutil.copyfile(source / name, folder / name)
        onnx.save(joined(onnx.load(model / ENCODER), onnx.load(added / ENCODER), (first.n_features, second.n_features),
                         tuple(map(len, streams))), folder / ENCODER)
        write_config(folder, config)
        Runtime(folder)  # it loads, or nothing is written
    return config


def joined(first: onnx.ModelProto, second: onnx.ModelProto, widths: tuple[int, int], streams: tuple[int, int]
           ) -> onnx.ModelProto:
    """One graph, frames (batch, time, sum of widths) -> logits (batch, label), of two that read their own shares.

    Args:
        streams: how many there are in each; each stream counts the same.
    """
    shares = [numpy_helper.from_array(np.float32(count / sum(streams)), f"share{k}") for k, count in enumerate(streams)]
    sizes = numpy_helper.from_array(np.array(widths, np.int64), "widths")
    parts = [compose.add_prefix(graph, prefix) for graph, prefix in ((first, "a_"), (second, "b_"))]
    entries, results = ([getattr(part.graph, side)[0].name for part in parts] for side in ("input", "output"))
    nodes = [helper.make_node("Split", ["frames", "widths"], entries, axis=2)]
    nodes += [node for part in parts for node in part.graph.node]
    for k, result in enumerate(results):
        nodes += [helper.make_node("LogSoftmax", [result], [f"said{k}"], axis=-1),
                  helper.make_node("Mul", [f"said{k}", f"share{k}"], [f"counted{k}"])]
    nodes += [helper.make_node("Add", ["counted0", "counted1"], ["mean"]),
              helper.make_node("LogSoftmax", ["mean"], ["outputs"], axis=-1)]
    labels = parts[0].graph.output[0].type.tensor_type.shape.dim[1].dim_value
    graph = helper.make_graph(
        nodes, "joined",
        [helper.make_tensor_value_info("frames", TensorProto.FLOAT, ["batch", "time", sum(widths)])],
        [helper.make_tensor_value_info("outputs", TensorProto.FLOAT, ["batch", labels])],
        [sizes, *shares, *(constant for part in parts for constant in part.graph.initializer)])
    opsets = {opset.domain: opset.version for part in (second, first) for opset in part.opset_import}
    return helper.make_model(graph, opset_imports=[helper.make_opsetid(*each) for each in opsets.items()],
                             ir_version=max(first.ir_version, second.ir_version))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", help="a model folder or an installed model")
    parser.add_argument("added", help="the model whose streams are added")
    parser.add_argument("destination", type=Path)
    parser.add_argument("--card", type=Path, help="JSON object for the folder's `about` (default: MODEL's)")
    args = parser.parse_args()
    try:
        model, added = find_model(args.model), find_model(args.added)
        about = json.loads(args.card.read_text("utf-8")) if args.card else read_config(model).about
        join(model, added, args.destination, about)
    except (EarsightError, OSError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
