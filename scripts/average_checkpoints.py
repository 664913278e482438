"""The mean of the weights of several trainings of one model, as a checkpoint that `earsight export` takes.

    python scripts/average_checkpoints.py runs/one/model.ckpt runs/two/model.ckpt --output runs/mean.ckpt

Trainings that began with the same weights end where their mean is as good or better, without taking longer to run
(Wortsman et al., 2022, "Model soups"). So does one training and the model that it began with (the same, "Robust
fine-tuning of zero-shot models"): that may be a model folder or an installed model, behind the first checkpoint. What
is named twice counts twice.
"""

import argparse
import sys
from pathlib import Path

from earsight.common.checkpoint import read_checkpoint
from earsight.common.errors import EarsightError
from earsight.common.training.folder_weights import starting_weights
from earsight.common.training.weights import average_checkpoints


def average(paths: list[Path], output: Path) -> None:
    """Write the mean; of what is no weight, the first checkpoint's.

    Raises:
        EarsightError: a checkpoint cannot be read, or is of another model.
    """
    read_checkpoint(paths[0])  # a model folder holds too little of a training to begin with
    first, *others = (_shapes(path) for path in paths)
    for path, shapes in zip(paths[1:], others, strict=True):
        if odd := next((name for name in {**first, **shapes} if first.get(name) != shapes.get(name)), None):
            raise EarsightError(f"{path}: is of another model than {paths[0]} ({odd} is of another size, or in one of "
                                "both alone); name trainings of one recipe")
    average_checkpoints(list(map(str, paths)), str(paths[0]), output)


def _shapes(path: Path) -> dict[str, tuple[int, ...]]:
    found = starting_weights(str(path))
    return {name: tuple(value.shape) for name, value in found["state_dict"].items()} | {
        f"label {symbol}": (place,) for place, symbol in enumerate(found["earsight"]["labels"]["symbols"])}


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("checkpoint", type=Path, nargs="+")
    parser.add_argument("--output", type=Path, required=True, metavar="FILE")
    given = parser.parse_args(arguments)
    try:
        average(given.checkpoint, given.output)
    except EarsightError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(given.output)
    return 0


if __name__ == "__main__":
    sys.exit(main())
