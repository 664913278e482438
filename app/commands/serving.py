"""The command that serves others: serve."""

import argparse
from dataclasses import fields

from ...common.errors import require

NEEDED = ("starlette", "uvicorn", "python_multipart", "prometheus_client", "websockets")


def serve_command(args: argparse.Namespace) -> int:
    for module in NEEDED:
        require(module, "serve")
    from ..service.running import serve
    from ..service.settings import Settings

    return serve(Settings(**{each.name: getattr(args, each.name) for each in fields(Settings)}))
