"""The fallback's client behind the methods of :class:`neuralcore.aio.AsyncClient`."""

from __future__ import annotations

import asyncio
import inspect
from types import TracebackType
from typing import Any


def async_fallback(sync: Any) -> Any:
    """An object with the methods of AsyncClient, for a synchronous client."""
    return AsyncFallback(sync)


class AsyncFallback:
    """Each method of a synchronous client or collection as a coroutine, run in a worker thread.

    Args:
        sync: what to call; its attributes that are no methods are this object's too.
    """

    def __init__(self, sync: Any) -> None:
        self._sync = sync

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._sync, name)
        if not inspect.ismethod(value):
            return value

        async def in_thread(*args: Any, **kwargs: Any) -> Any:
            result = await asyncio.to_thread(value, *args, **kwargs)
            return AsyncFallback(result) if hasattr(result, "upsert") else result

        return in_thread

    async def __aenter__(self) -> AsyncFallback:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, e: BaseException | None, at: TracebackType | None
    ) -> None:
        await asyncio.to_thread(self._sync.close)

    def __repr__(self) -> str:
        return repr(self._sync)
