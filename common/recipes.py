"""Reading the YAML files that a person writes: recipes, ranges to search."""

from __future__ import annotations

from pathlib import Path

from .errors import EarsightError, first_line, require


def read_yaml(path: str | Path) -> dict:
    """The settings in a YAML file. Raises EarsightError, which names the file, where it is none or holds none."""
    yaml = require("yaml", "train")
    try:
        settings = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except yaml.MarkedYAMLError as error:
        where = f"line {error.problem_mark.line + 1}" if error.problem_mark else "this"
        raise EarsightError(f"{path}: {where} is no YAML ({error.problem or error.context}); mend it there") from error
    except Exception as error:  # PyYAML raises what Python does of a date that is none
        raise EarsightError(f"{path}: cannot be read as YAML ({first_line(error)})") from error
    if not isinstance(settings, dict):
        raise EarsightError(f"{path}: holds no settings; lines of `name: value` belong there")
    return settings
