"""`earsight train`, and its recipes opened for a test before the training."""

import io
from contextlib import redirect_stdout, suppress
from pathlib import Path
from typing import TypeVar

import yaml

from ..data.datamodule import SequenceData
from ..nn.module import SequenceModel
from ..recipes import read_yaml
from .cli import RecipeCLI, TrainingCLI
from .process import training_process

CLI = TypeVar("CLI", bound=TrainingCLI)

COMMANDS = ("fit", "validate", "test", "predict")
TRAINER_DEFAULTS = {"use_distributed_sampler": False, "gradient_clip_val": 1.0, "log_every_n_steps": 10}


def run_training(arguments: list[str]) -> int:
    """Run `fit`, `validate` or `test` with LightningCLI's arguments; 0 if all went well.

    Raises:
        EarsightError: a setting that is unknown or wrong, or data that cannot be trained on.
    """
    strict = {"exit_on_error": False}
    with training_process():
        _parse(TrainingCLI, arguments, save_config_kwargs={"overwrite": True},
               parser_kwargs={**strict, **{name: strict for name in COMMANDS}})
    return 0


def open_recipe(arguments: list[str]) -> RecipeCLI:
    """The model, data and trainer of `train fit`'s arguments, for a test before the training.

    Raises:
        EarsightError: as `run_training`.
    """
    with training_process():
        return _parse(RecipeCLI, arguments, run=False, save_config_callback=None,
                      parser_kwargs={"exit_on_error": False})


def resolve(arguments: list[str]) -> dict:
    """The settings that `train fit` would run with; nothing is opened.

    Raises:
        EarsightError: a setting that is unknown or wrong.
    """
    text = io.StringIO()
    with redirect_stdout(text), suppress(SystemExit):
        run_training(["fit", *arguments, "--print_config"])
    return yaml.safe_load(text.getvalue())


def _parse(cli: type[CLI], arguments: list[str], **options) -> CLI:
    _check_recipes(arguments)
    return cli(SequenceModel, SequenceData, subclass_mode_model=True, subclass_mode_data=True,
               trainer_defaults=TRAINER_DEFAULTS, seed_everything_default=1, load_from_checkpoint_support=False,
               args=arguments, **options)


def _check_recipes(arguments: list[str]) -> None:
    """Raise EarsightError for a recipe without settings: the parser would not name the file."""
    for place, argument in enumerate(arguments):
        flag, equals, value = argument.partition("=")
        recipe = value if equals else "".join(arguments[place + 1:place + 2])
        if flag == "--config" and Path(recipe).is_file():
            read_yaml(recipe)
