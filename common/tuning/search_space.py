"""What `earsight tune` searches: settings, and the ranges they are drawn from."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import optuna
import yaml
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from ..errors import EarsightError
from ..recipes import read_yaml

DEFAULT_SPACE = (
    "model.optimiser.learning_rate=log(3e-4,1e-2)", "model.optimiser.weight_decay=log(1e-3,1e-1)",
    "model.encoder.dropout=uniform(0,0.5)", "model.encoder.hidden=choice(64,128,192,256)",
)
FORMS = "log(LOW,HIGH), uniform(LOW,HIGH), int(LOW,HIGH) or int(LOW,HIGH,STEP), choice(A,B,...)"
Value = None | bool | int | float | str
Distribution = CategoricalDistribution | FloatDistribution | IntDistribution


@dataclass(frozen=True)
class Setting:
    """A setting that is searched: its name, as `train fit` takes it, and its range as it was written."""

    name: str
    text: str
    distribution: Distribution

    def draw(self, trial: optuna.Trial) -> Value:
        """The trial's value; one it has already is kept."""
        d = self.distribution
        if isinstance(d, CategoricalDistribution):
            return trial.suggest_categorical(self.name, d.choices)
        if isinstance(d, IntDistribution):
            return trial.suggest_int(self.name, d.low, d.high, step=d.step)
        return trial.suggest_float(self.name, d.low, d.high, log=d.log)

    def examples(self) -> tuple[Value, ...]:
        """All choices, or the ends of a range."""
        d = self.distribution
        return d.choices if isinstance(d, CategoricalDistribution) else (d.low, d.high)


def parse_space(given: Sequence[str]) -> list[Setting]:
    """The settings of `SETTING=RANGE` words and of YAML files; the default ones where nothing is given.

    Raises:
        EarsightError: a range that cannot be read, or a setting twice.
    """
    pairs: list[tuple[str, str]] = []
    for word in given or DEFAULT_SPACE:
        if "=" not in word and word.endswith((".yaml", ".yml")):
            pairs += _read(Path(word))
            continue
        name, equals, text = word.partition("=")
        if not equals:
            raise EarsightError(f"--space {word}: give SETTING=RANGE, where RANGE is {FORMS}")
        pairs.append((name.strip().lstrip("-"), text))
    names = [name for name, _ in pairs]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice:
        raise EarsightError(f"--space: {twice} is given twice")
    return [Setting(name, text.replace(" ", ""), _distribution(name, text)) for name, text in pairs]


def written(value: Value) -> str:
    """A value as YAML and the command line take it."""
    return yaml.safe_dump(value, default_flow_style=True).removesuffix("...\n").strip()


def _read(path: Path) -> list[tuple[str, str]]:
    space = read_yaml(path)
    if not all(isinstance(text, str) for text in space.values()):
        raise EarsightError(f"{path}: holds no lines of SETTING: RANGE, where RANGE is {FORMS}")
    return list(space.items())


def _distribution(name: str, text: str) -> Distribution:
    match = re.fullmatch(r"\s*(log|uniform|int|choice)\((.*)\)\s*", text)
    if not match:
        raise EarsightError(f"--space {name}={text}: no range that is known; give {FORMS}")
    kind, parts = match[1], [part.strip() for part in match[2].split(",")]
    if kind == "choice":
        return CategoricalDistribution([_scalar(part) for part in parts])
    try:
        numbers = [int(part) if kind == "int" else float(part) for part in parts]
        low, high, *step = numbers
        if low >= high or (kind == "log" and low <= 0) or len(step) > (kind == "int") or any(s < 1 for s in step):
            raise ValueError
    except ValueError:
        raise EarsightError(f"--space {name}={text}: needs numbers, the lower first (above 0 for log); the forms are "
                            f"{FORMS}") from None
    if kind == "int":
        least, most, each = int(low), int(high), int(step[0]) if step else 1
        return IntDistribution(least, most - (most - least) % each, step=each)
    return FloatDistribution(low, high, log=kind == "log")


def _scalar(text: str) -> Value:
    try:
        return float(text) if re.fullmatch(r"[-+]?\d+(\.\d*)?[eE][-+]?\d+", text) else yaml.safe_load(text)
    except Exception:  # PyYAML's, and Python's own of what begins like a date and is none
        return text
