"""What frames that name channels have in common."""

from __future__ import annotations

import struct

from neuralcore._wire.frames import Payload
from neuralcore.errors import ProtocolError

U16 = struct.Struct("<H")
ZEROS = bytes(8)


def decode_names(payload: Payload | memoryview, at: int, count: int) -> tuple[list[str], int]:
    """Channel names, and where what follows them begins."""
    names = []
    for _ in range(count):
        (length,) = U16.unpack_from(payload, at)
        at += 2 + length
        names.append(str(payload[at - length : at], "utf-8"))
    return names, at + (-at % 8)


def check_end(payload: Payload | memoryview, at: int, entries: int, claimed: int) -> None:
    if at != len(payload) or entries != claimed:
        raise ProtocolError(
            f"A frame of {len(payload)} bytes claims {claimed} entries that end at {at}."
        )
