"""Calling a service of whichever backend a client has, in portions that fit a frame."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

_DEFAULT_FRAME = 16 << 20
_ROOM_FOR_HEAD = 64 << 10


class Caller(Protocol):
    """What ``Client`` and ``FallbackClient`` have in common, and this package needs of them."""

    @property
    def backend(self) -> str:
        """ "daemon" or "fallback"."""

    def call(
        self,
        address: str,
        params: Mapping[str, Any] | None = None,
        tensors: Sequence[Any] = (),
        *,
        timeout: float | None = None,
    ) -> tuple[dict[str, Any], list[Any]]: ...


def resolve(client: Caller | None) -> Caller:
    """The client given, or the process's own, which may start a daemon."""
    if client is not None:
        return client
    from ._default import default_client

    return default_client()


def frame_room(client: Caller) -> int:
    """Bytes that the attachments of one call may have."""
    connection = getattr(client, "connection", None)
    return int(getattr(connection, "max_frame", _DEFAULT_FRAME)) - _ROOM_FOR_HEAD
