"""The dispatchers of one bus: one for each event loop, one for plain functions."""

from __future__ import annotations

import asyncio
import inspect
import threading
from collections.abc import Callable
from typing import Any

from neuralcore._bus.dispatch import (
    Dispatcher,
    LoopDispatcher,
    LoopThread,
    ThreadDispatcher,
    wait_until,
)
from neuralcore._bus.message import Message
from neuralcore._bus.subscription import Handler


class Handlers:
    """Finds out where a handler runs, and ends them all. Thread-safe.

    :param workers: threads for handlers that are plain functions.
    """

    def __init__(self, workers: int) -> None:
        self._workers = workers
        self._lock = threading.Lock()
        self._loops: dict[asyncio.AbstractEventLoop, LoopDispatcher] = {}
        self._threads: ThreadDispatcher | None = None
        self._helper: LoopThread | None = None

    def place(
        self, handler: Handler, loop: asyncio.AbstractEventLoop | None
    ) -> tuple[Dispatcher, asyncio.AbstractEventLoop | None]:
        """Who calls the handler, and the loop that goes with it."""
        if is_coroutine_function(handler):
            chosen = loop or self.helper().loop
            return self._on_loop(chosen), chosen
        with self._lock:
            if self._threads is None:
                self._threads = ThreadDispatcher(self._workers)
            return self._threads, loop

    def helper(self) -> LoopThread:
        """An event loop for coroutines that have none."""
        with self._lock:
            if self._helper is None:
                self._helper = LoopThread()
            return self._helper

    def is_current(self) -> bool:
        """Whether the caller is one of the handlers."""
        return any(dispatcher.is_current() for dispatcher in self._all())

    def drain(self, deadline: float) -> None:
        """Waits until nothing waits or runs, or it is that late by ``time.monotonic``."""
        for dispatcher in self._all():
            if dispatcher.can_finish():
                wait_until(dispatcher.is_idle, deadline)

    def close(self, *, cancel: bool) -> None:
        """Ends it all; handlers that still run are cancelled, or left to end by themselves."""
        for dispatcher in self._all():
            dispatcher.close(cancel=cancel)
        if self._helper is not None and cancel:
            self._helper.close()

    def _on_loop(self, loop: asyncio.AbstractEventLoop) -> LoopDispatcher:
        with self._lock:
            for closed in [other for other in self._loops if other.is_closed()]:
                del self._loops[closed]
            if loop not in self._loops:
                self._loops[loop] = LoopDispatcher(loop)
            return self._loops[loop]

    def _all(self) -> list[Dispatcher]:
        with self._lock:
            threads = [self._threads] if self._threads is not None else []
            return [*self._loops.values(), *threads]


def converting(handler: Handler, convert: Callable[[Message], Any]) -> Handler:
    """The coroutine function that calls a coroutine function with something made of the message.

    It is no coroutine function to ``inspect``, so that a message takes one coroutine and not two.
    """

    def call(message: Message) -> Any:
        return handler(convert(message))

    call.gives_coroutines = True  # type: ignore[attr-defined]
    return call


def is_coroutine_function(handler: Handler) -> bool:
    if getattr(handler, "gives_coroutines", False) is True:
        return True
    call = getattr(handler, "__call__", None)  # noqa: B004
    return inspect.iscoroutinefunction(handler) or inspect.iscoroutinefunction(call)
