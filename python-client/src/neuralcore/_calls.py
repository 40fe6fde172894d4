"""Calling services through whichever client there is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

_ROOM_FOR_HEAD = 64 << 10


class Caller(Protocol):
    """What this package needs of a ``Client``, be it a daemon's or the fallback's."""

    @property
    def backend(self) -> str:
        """ "daemon" or "fallback"."""

    @property
    def binary_frame_limit(self) -> int:
        """Bytes that one request, or one answer, may have."""

    def call(
        self,
        address: str,
        params: Mapping[str, object] | None = None,
        tensors: Sequence[Any] = (),
        *,
        timeout: float | None = None,
    ) -> tuple[dict[str, Any], list[Any]]: ...


def resolve(client: Caller | None) -> Caller:
    """The client given, or the process's own, which may start a daemon."""
    if client is not None:
        return client
    from neuralcore._default import default_client

    return default_client()


def frame_room(client: Caller) -> int:
    """Bytes that the attachments of one call may have."""
    return client.binary_frame_limit - _ROOM_FOR_HEAD
