"""Something under way that synchronous and asynchronous callers can both wait for."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Generator
from concurrent.futures import Future
from typing import Any, Generic, TypeVar

log = logging.getLogger("neuralcore.messaging")

T = TypeVar("T")


class Completion(Generic[T]):
    """Await it, or call :meth:`result`. If nobody does, a failure is logged."""

    def __init__(self, future: Future[T], what: str) -> None:
        self._future = future
        self._what = what
        self._watched = False
        future.add_done_callback(self._log_unwatched)

    def result(self, timeout: float | None = None) -> T:
        """Blocks until it is done, at most ``timeout`` seconds."""
        self._watched = True
        return self._future.result(timeout)

    def done(self) -> bool:
        return self._future.done()

    def __await__(self) -> Generator[Any, None, T]:
        self._watched = True
        if not self._future.done():
            yield from asyncio.wrap_future(self._future).__await__()
        return self._future.result()

    def _log_unwatched(self, future: Future[T]) -> None:
        if not self._watched and not future.cancelled() and future.exception() is not None:
            log.error("%s failed: %s", self._what, future.exception())


def on_running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


def run(work: Callable[[], T], what: str) -> Completion[T]:
    """Does blocking work: here and now, or on a running event loop in a thread of its own."""
    future: Future[T] = Future()
    if on_running_loop() is None:
        future.set_result(work())
        return Completion(future, what)
    completion = Completion(future, what)

    def in_thread() -> None:
        try:
            future.set_result(work())
        except BaseException as error:
            future.set_exception(error)

    threading.Thread(target=in_thread, name="neuralcore-bus", daemon=True).start()
    return completion
