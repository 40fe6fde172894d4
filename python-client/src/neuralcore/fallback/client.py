"""What ``connect()`` gives where there is no daemon."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from ..errors import ConnectError
from .services import Services


class FallbackClient:
    """Answers in this process what the daemon would: exact search, nothing stored. Thread-safe."""

    backend: Literal["fallback"] = "fallback"
    url: str | None = None

    def __init__(self) -> None:
        self._services = Services()
        self._closed = False

    def call(
        self,
        address: str,
        params: Mapping[str, Any] | None = None,
        tensors: Sequence[Any] = (),
        *,
        timeout: float | None = None,
    ) -> tuple[dict[str, Any], list[Any]]:
        """Calls a service; the timeout does nothing here."""
        if self._closed:
            raise ConnectError("The client is closed.")
        return self._services.call(address, params or {}, tensors)

    def close(self) -> None:
        self._closed = True
