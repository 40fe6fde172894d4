"""What ``connect()`` gives where there is no daemon."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from neuralcore.client import Client
from neuralcore.errors import ConnectError
from neuralcore.fallback.services import Services

_FRAME = 16 << 20


class FallbackClient(Client):
    """Answers in this process what the daemon would: exact search, nothing stored. Thread-safe.

    It has all methods of :class:`neuralcore.Client`, which are made of calls of services; those
    that the fallback lacks raise ``NotSupported``. There is no ``connection``.
    """

    backend: Literal["daemon", "fallback"] = "fallback"

    def __init__(self) -> None:
        self._services = Services()
        self._closed = False

    @property
    def url(self) -> str:
        return "fallback:"

    @property
    def binary_frame_limit(self) -> int:
        return _FRAME

    def call(
        self,
        address: str,
        params: Mapping[str, object] | None = None,
        tensors: Sequence[Any] = (),
        *,
        timeout: float | None = None,
    ) -> tuple[dict[str, Any], list[Any]]:
        """Calls a service in the caller's thread; the timeout does nothing here."""
        if self._closed:
            raise ConnectError("The client is closed.")
        return self._services.call(address, params or {}, tensors)

    def close(self) -> None:
        """Forgets its collections. Idempotent."""
        self._closed = True
        self._services = Services()
