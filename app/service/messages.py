"""JSON objects over a pipe, each behind its length: how the service and its workers talk. No pickle, no code."""

import json
import struct
from typing import Any, BinaryIO

LENGTH = struct.Struct(">I")


def packed(message: dict[str, Any]) -> bytes:
    """A message as bytes."""
    body = json.dumps(message).encode()
    return LENGTH.pack(len(body)) + body


def read_message(file: BinaryIO) -> dict[str, Any] | None:
    """The next message; None where the pipe ends."""
    head = file.read(LENGTH.size)
    if len(head) < LENGTH.size:
        return None
    body = file.read(LENGTH.unpack(head)[0])
    return json.loads(body)
