"""Arguments of `serve`."""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..service.settings import KEYS, Settings
from .shared import add_ray
from .values import amount, port, positive


def serve(sub: argparse.ArgumentParser) -> None:
    def option(name: str, what: str, kind: Callable[[str], Any], metavar: str) -> None:
        default = getattr(Settings, name)
        told = "" if default is None else f" (default: {default:g})" if kind is amount else f" (default: {default})"
        sub.add_argument(f"--{name.replace('_', '-')}", type=kind, default=default, metavar=metavar, help=what + told)

    option("host", "address to listen at; 0.0.0.0 for all of this machine's", str, "ADDRESS")
    option("port", "0 for one that is free", port, "N")
    option("model", "model folder or installed model that transcribes", str, "MODEL")
    option("video_model", "likewise, that classifies videos", str, "MODEL")
    option("jobs", "worker processes (default: one a core)", positive, "N")
    add_ray(sub, "As many are begun as requests wait for, up to --jobs")
    option("keys", f"API keys, one a line; also those of {KEYS} in the environment", Path, "FILE")
    sub.add_argument("--allow-host", type=str, nargs="+", default=(), metavar="NAME",
                     help="names by which requests may call this machine, as behind a proxy, where it listens for "
                     "itself alone and without keys (default: localhost and addresses)")
    option("certificate", "PEM file, for HTTPS", Path, "FILE")
    option("certificate_key", "its private key, where that is in a file of its own", Path, "FILE")
    option("temporary", "where uploads are while they are read (default: the system's folder)", Path, "DIR")
    option("max_upload", "of a request", amount, "MB")
    option("max_duration", "of a file or a stream", amount, "SECONDS")
    option("max_queue", "requests that wait; more get 429", positive, "N")
    option("max_streams", "websockets at a time", positive, "N")
    option("max_time", "of a worker for a request", amount, "SECONDS")
    option("max_memory", "of a worker", amount, "GB")
    option("max_connections", "open sockets", positive, "N")
    option("upload_time", "for a request's body", amount, "SECONDS")
    option("idle_time", "for the next part of a request", amount, "SECONDS")
    option("stream_idle", "for the next message of a websocket", amount, "SECONDS")
    option("drain", "for requests under way, after SIGTERM", amount, "SECONDS")
