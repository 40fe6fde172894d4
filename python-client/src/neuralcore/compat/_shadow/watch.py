"""An object whose methods do what they did, and tell somebody else too."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from neuralcore.compat._shadow.report import Report

T = TypeVar("T")


class Watch:
    """Calls of the old object that are repeated on the new one.

    The application goes on using the old one, and gets its results and errors alone. What the new
    one does is done beside it, in tasks of the same event loop, and what goes wrong there is a
    difference like any other.

    :ivar report: what was found so far.
    """

    def __init__(self, old: Any, new: Any, report: Report | None) -> None:
        self.old = old
        self.new = new
        self.report = report or Report()
        self._tasks: set[asyncio.Task[None]] = set()
        self._replaced: list[str] = []

    def _replace(self, name: str, method: Callable[..., Any]) -> Any:
        """Puts a method in the object's place of that name; the one that it had."""
        before = getattr(self.old, name)
        setattr(self.old, name, method)
        self._replaced.append(name)
        return before

    def _beside(self, work: Awaitable[None]) -> None:
        async def run() -> None:
            try:
                await work
            except Exception as error:
                self.report.differs("not compared", type(self.old).__name__, told(error))

        task = asyncio.get_running_loop().create_task(run())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _timed(self, side: str, call: Awaitable[T]) -> T:
        started = time.perf_counter()
        try:
            return await call
        finally:
            self.report.took(side, time.perf_counter() - started)

    async def settle(self, timeout: float = 30.0) -> Report:
        """Waits for what is under way beside, at most so many seconds; the report."""
        if self._tasks:
            await asyncio.wait(set(self._tasks), timeout=timeout)
        return self.report

    async def end(self, timeout: float = 30.0) -> Report:
        """The old object is as it was; the report. The new one is left running."""
        for name in self._replaced:
            delattr(self.old, name)
        self._replaced.clear()
        return await self.settle(timeout)


def told(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"
