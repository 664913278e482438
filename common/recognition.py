"""What recognising gives: transcripts and classifications, and how they are written."""

import json
from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class Transcript:
    """What was said in a clip.

    Attributes:
        path: the clip.
        text: the words; empty where nothing was said.
        duration: seconds.
        model: name of the model that read it.
    """

    path: str
    text: str
    duration: float
    model: str


@dataclass(frozen=True)
class Classification:
    """What a clip is.

    Attributes:
        path: the clip.
        label: the likeliest class.
        probabilities: class -> probability, the likeliest first.
        duration: seconds.
        model: name of the model.
    """

    path: str
    label: str
    probabilities: dict[str, float]
    duration: float
    model: str


def as_text(result: Transcript | Classification, top: int = 1) -> str:
    """One result for a person: the text, or the `top` labels with their probabilities."""
    if isinstance(result, Transcript):
        return result.text
    return ", ".join(f"{label} {value:.1%}" for label, value in list(result.probabilities.items())[:top])


def as_json(result: Transcript | Classification) -> str:
    """One result as one line of JSON, its keys the dataclass's fields."""
    plain = asdict(result)
    plain["duration"] = round(plain["duration"], 3)
    if "probabilities" in plain:
        plain["probabilities"] = {label: round(value, 4) for label, value in plain["probabilities"].items()}
    return json.dumps(plain, ensure_ascii=False)
