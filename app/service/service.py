"""What the endpoints share: settings, workers, figures, and which model a client may ask for."""

import logging
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ...common.errors import EarsightError
from ...common.model_folder import find_model, installed_models, package_models, read_config
from .errors import ApiError
from .metrics import Metrics
from .pool import Pool
from .settings import Settings

log = logging.getLogger("earsight.service")

# What clients of OpenAI's name where they want whatever there is.
DEFAULTS = ("", "whisper-1", "gpt-4o-transcribe", "gpt-4o-mini-transcribe")
ENGLISH = ("", "en", "english")


@dataclass
class Service:
    """One running service.

    Attributes:
        folder: of uploads.
        keys: of clients; none for a service that is open.
        streams: websockets that are open.
    """

    settings: Settings
    pool: Pool
    metrics: Metrics
    folder: Path
    keys: frozenset[str]
    streams: int = 0
    _models: dict[str, dict[str, Any]] = field(default_factory=dict)

    def models(self) -> dict[str, dict[str, Any]]:
        """Name -> model, medium and task, of all that a request may name: those installed, and those of the options."""
        if not self._models:
            given = {find_model(model).name: Path(model) for model in (self.settings.model, self.settings.video_model)
                     if Path(model).expanduser().is_dir()}
            for name, folder in {**installed_models(), **given}.items():
                try:
                    config = read_config(folder)
                except EarsightError as error:  # others are served with the others
                    log.warning("a model is left out", extra={"why": str(error)})
                    continue
                self._models[name] = {"model": str(given.get(name, name)), "medium": config.medium, "task": config.task,
                                      "created": int((folder / "config.json").stat().st_mtime)}
        return self._models

    def transcriber(self, name: str) -> str:
        """The model of transcription that a request names, as `app.recognisers.transcriber` takes it."""
        return self.settings.model if name in DEFAULTS else self._named(name, ("speech", "lips", "audiovisual"), "ctc")

    def listener(self, name: str) -> str:
        """Likewise of sound that is still coming, which models of films do not take."""
        return self.settings.model if name in DEFAULTS else self._named(name, ("speech",), "ctc")

    def classifier(self, name: str) -> str:
        """Likewise of classification; "" for that which fits the file."""
        return "" if name in DEFAULTS else self._named(name, ("speech", "video"), "classification")

    def _named(self, name: str, media: tuple[str, ...], task: str) -> str:
        fitting = {each: about["model"] for each, about in self.models().items()
                   if about["medium"] in media and about["task"] == task}
        if name not in fitting:  # a path, as of a folder of this machine's, is no name
            raise ApiError(404, f"there is no model {name[:100]!r} for this; there are {', '.join(fitting)}",
                           "model_not_found", "model")
        return fitting[name]

    def language(self, given: str, model: str) -> str:
        """What a transcript's language is said to be: the packaged models know English; of others the client knows."""
        if find_model(model) not in package_models().values():
            return given
        if given.lower() not in ENGLISH:
            raise ApiError(400, f"model {model} knows English alone; train one of {given[:20]!r}, or leave `language` "
                           "out", "unsupported_language", "language")
        return "english"

