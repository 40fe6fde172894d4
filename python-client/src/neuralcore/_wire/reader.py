"""Payloads out of a byte stream, and the length word before each."""

from __future__ import annotations

import struct

from neuralcore._wire.frames import MAX_BINARY, MAX_TEXT, Payload
from neuralcore.errors import ProtocolError

LENGTH = struct.Struct(">i")
# First byte of a JSON frame; no binary kind has this value.
JSON_OPEN = 0x7B


class FrameReader:
    """Cuts a byte stream into payloads.

    Args:
        max_text: largest JSON frame in bytes.
        max_binary: largest binary frame in bytes.
    """

    __slots__ = ("_awaited", "_filled", "_max_any", "_max_binary", "_max_text", "_partial", "_word")

    def __init__(self, max_text: int = MAX_TEXT, max_binary: int = MAX_BINARY) -> None:
        self._max_text = max_text
        self._max_binary = max_binary
        self._max_any = max(max_text, max_binary)
        self._word = b""
        self._awaited = -1
        self._partial: bytearray | None = None
        self._filled = 0

    @property
    def mid_frame(self) -> bool:
        """Whether bytes of an unfinished frame are held."""
        return self._awaited >= 0 or bool(self._word)

    def feed(self, chunk: bytes) -> list[Payload]:
        """The payloads that ``chunk`` completes, in order, each a copy.

        Raises:
            ProtocolError: a length that is not positive or exceeds the limit; the stream cannot
                be read on after it.
        """
        payloads: list[Payload] = []
        at, end = 0, len(chunk)
        while at < end:
            if self._awaited < 0:
                if not self._word and end - at >= 4:
                    (self._awaited,) = LENGTH.unpack_from(chunk, at)
                    at += 4
                else:
                    take = min(4 - len(self._word), end - at)
                    self._word += chunk[at : at + take]
                    at += take
                    if len(self._word) < 4:
                        break
                    (self._awaited,) = LENGTH.unpack(self._word)
                    self._word = b""
                if not 0 < self._awaited <= self._max_any:
                    check_length(self._awaited, self._max_any)
                if at == end:
                    break
            length = self._awaited
            if self._partial is None:
                limit = self._max_text if chunk[at] == JSON_OPEN else self._max_binary
                if length > limit:
                    check_length(length, limit)
                if end - at >= length:
                    payloads.append(chunk[at : at + length])
                    at += length
                    self._awaited = -1
                    continue
                self._partial = bytearray(length)
                self._filled = 0
            take = min(end - at, length - self._filled)
            self._partial[self._filled : self._filled + take] = memoryview(chunk)[at : at + take]
            self._filled += take
            at += take
            if self._filled == length:
                payloads.append(self._partial)
                self._partial = None
                self._awaited = -1
        return payloads


def check_length(length: int, limit: int) -> None:
    """Raises ProtocolError unless 0 < length ≤ limit."""
    if length <= 0:
        raise ProtocolError(f"A frame claims a length of {length} bytes; it must be positive.")
    if length > limit:
        raise ProtocolError(
            f"A frame of {length} bytes exceeds the limit of {limit}.", code="FRAME_TOO_LARGE"
        )
