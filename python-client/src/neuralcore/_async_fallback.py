"""What ``connect_async()`` gives where there is no daemon."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from neuralcore.aio import AsyncClient
from neuralcore.errors import RequestTimeout

if TYPE_CHECKING:
    from neuralcore.fallback.client import FallbackClient


class AsyncFallbackClient(AsyncClient):
    """The fallback behind the methods of :class:`AsyncClient`; its work is done in worker threads.

    A call that is cancelled is not awaited any more, and carried out nevertheless. There is no
    ``connection``.
    """

    backend: Literal["daemon", "fallback"] = "fallback"

    def __init__(self, sync: FallbackClient) -> None:
        self._sync = sync

    @property
    def url(self) -> str:
        return self._sync.url

    @property
    def binary_frame_limit(self) -> int:
        return self._sync.binary_frame_limit

    async def call(
        self,
        address: str,
        params: Mapping[str, object] | None = None,
        tensors: Sequence[Any] = (),
        *,
        timeout: float | None = None,
    ) -> tuple[dict[str, Any], list[Any]]:
        """Calls a service in a worker thread, and waits for at most ``timeout`` seconds."""
        work = asyncio.to_thread(self._sync.call, address, params, tensors)
        try:
            return await asyncio.wait_for(work, timeout)
        except asyncio.TimeoutError:  # before Python 3.11 not the builtin
            raise RequestTimeout(f"{address} took longer than {timeout:g} s.") from None

    async def close(self) -> None:
        """Forgets its collections. Idempotent."""
        self._sync.close()
