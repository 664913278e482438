"""What the parser of settings complains of, as one line that says what to do."""

import difflib
import inspect
import re
import typing
from dataclasses import is_dataclass

import pytorch_lightning as pl

from ..data.datamodule import SequenceData
from ..nn.module import SequenceModel


def explain(message: str) -> str:
    """The parser's complaint as one line, with the nearest known name of a setting that it does not know."""
    if moved := re.search(r"class_path '((?:audio|video|common)\.[\w.]*?(\w+))'", message):
        return f"class {moved[1]!r} is named as before version 0.2; write {moved[2]}"
    unknown = re.search(r"(?:unrecognized arguments?:|not accept option|Option|[Kk]ey) *'?-*([\w.]+)'?", message)
    if unknown and re.search("unrecognized|not accept|not expected|not accepted", message):
        name = unknown[1].split(".")[-1]
        near = difflib.get_close_matches(name, _known_settings(), 1)
        return f"setting {unknown[1]!r} is unknown" + (f"; did you mean {near[0]!r}?" if near else "")
    if missing := re.search(r"Expected a path but (\w+) either not accessible", message):
        classes = [kind.__name__ for base in (SequenceModel, SequenceData) for kind in (base, *base.__subclasses__())]
        near = difflib.get_close_matches(missing[1], classes, 1)
        return f"class {missing[1]!r} is unknown; " + (f"did you mean {near[0]}?" if near
                                                       else f"there are {', '.join(classes)}")
    if "arguments are required: fit." in message:
        return "no model and no data are given; name a recipe, as in `earsight train fit --config configs/an4.yaml`"
    keys = re.findall(r'Parser key "([\w.]+)"', message)  # from the outermost to the setting
    kinds = [kind for kind in re.findall(r"Expected (?:an? )?<class '([\w.]+)'>", message) if kind != "NoneType"]
    value = re.search(r"(?:Got|Given) value: (.*)", message)
    if keys and kinds and value and set(kinds) <= {"bool", "int", "float", "str"}:
        return f"setting {'.'.join(keys)}: {value[1]!r} is not of type {' or '.join(dict.fromkeys(kinds))}"
    lines = [line.strip(" -") for line in message.splitlines()]
    telling = [line for line in lines if line and not re.match(
        r"Does not validate|Subtypes:|Errors:|Expected a <class 'NoneType'>|Given value|Parser key", line)]
    return f"setting {'.'.join(keys)}: {' '.join(telling)}" if keys and telling else " ".join(telling or lines)


def named_classes(error: Exception) -> list[str]:
    """The classes whose making failed, as the parser's message has them."""
    return list(dict.fromkeys(re.findall(r"class_path='([\w.]+)'", str(error))))


def _known_settings() -> set[str]:
    """Names of all settings of the trainer, the models and the data modules."""
    known = {"run", "threads", "average", "seed_everything", "trainer", "model", "data"}
    queue: list = [pl.Trainer, SequenceModel, SequenceData]
    while queue:
        owner = queue.pop()
        known |= set(inspect.signature(owner).parameters)
        queue += owner.__subclasses__()
        if owner is not pl.Trainer:
            hints = typing.get_type_hints(owner.__init__).values()
            queue += [kind for hint in hints for kind in (hint, *typing.get_args(hint)) if is_dataclass(kind)]
    return known
