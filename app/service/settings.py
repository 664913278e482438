"""What `earsight serve` is told: where to listen, which models, and the limits."""

import os
from dataclasses import dataclass
from pathlib import Path

from ...common.errors import EarsightError
from ..recognisers import DEFAULT_CLASSIFIERS, DEFAULT_TRANSCRIBER

KEYS = "EARSIGHT_API_KEYS"  # in the environment: keys, with white space or commas between them


@dataclass(frozen=True)
class Settings:
    """All options of the service.

    Attributes:
        host, port: where it listens; port 0 is one that is free.
        model: of transcription where a request names none.
        video_model: of the classification of videos, likewise.
        jobs: worker processes; None for one a core.
        ray: cluster whose processes they are, as `app.cluster` has it; None for this machine's own.
        max_upload: megabytes of a request's body.
        max_duration: seconds of sound or pictures in a file, or in a stream.
        max_queue: requests that wait for a worker; those beyond are refused.
        max_streams: websockets at a time.
        max_time: seconds that a worker may take for a request.
        max_memory: gigabytes that a worker may take.
        max_connections: open sockets; of more, those that have sent nothing for longest are closed.
        upload_time: seconds in which a request's body must be there.
        idle_time: seconds after which who sends nothing of a request's headers or body is left.
        stream_idle: likewise, of a stream.
        drain: seconds for requests under way after SIGTERM.
        keys: file with an API key a line.
        allow_host: names by which requests may call this machine, where it listens for itself alone and without keys.
        certificate, certificate_key: PEM files; with the first, HTTPS alone is spoken.
        temporary: folder under which uploads are kept while they are read; None for the system's.
    """

    host: str = "127.0.0.1"
    port: int = 8000
    model: str = DEFAULT_TRANSCRIBER
    video_model: str = DEFAULT_CLASSIFIERS["video"]
    jobs: int | None = None
    ray: str | None = None
    max_upload: float = 200.0
    max_duration: float = 4 * 3600.0
    max_queue: int = 64
    max_streams: int = 16
    max_time: float = 600.0
    max_memory: float = 3.0
    max_connections: int = 1000
    upload_time: float = 120.0
    idle_time: float = 20.0
    stream_idle: float = 60.0
    drain: float = 20.0
    keys: Path | None = None
    allow_host: tuple[str, ...] = ()
    certificate: Path | None = None
    certificate_key: Path | None = None
    temporary: Path | None = None


def read_keys(path: Path | None) -> frozenset[str]:
    """The API keys of a file, a line each (`#` begins a comment), and of the environment; none where neither has any.

    Raises:
        EarsightError: the file cannot be read, or names no key: an open service would not be what was meant.
    """
    keys = set(os.environ.get(KEYS, "").replace(",", " ").split())
    if KEYS in os.environ and not keys:
        raise EarsightError(f"{KEYS} is set and holds no key; give it one, or unset it")
    if path is not None:
        try:
            lines = [line.partition("#")[0].strip() for line in path.read_text(encoding="utf-8").splitlines()]
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "not UTF-8"
            raise EarsightError(f"{path}: the keys cannot be read ({reason}); give a text file, a key a line"
                                ) from error
        found = {line for line in lines if line}
        if not found:
            raise EarsightError(f"{path}: holds no key; write one a line")
        keys |= found
    if bad := [key for key in keys if not key.isascii() or not key.isprintable() or " " in key]:
        raise EarsightError(f"a key of {len(bad[0])} characters holds some that no header can; use letters and digits")
    return frozenset(keys)
