"""What ``publish`` returns where a confirmation was asked for."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Generator, Iterable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from typing import Any

from neuralcore._bus.batch import Batch
from neuralcore._bus.message import MessageId
from neuralcore.errors import RequestTimeout, error_for

_NEVER = float("inf")


class Confirmation(MessageId):
    """A message's id, known at once; await it, or call :meth:`result`, to know that it is safe.

    Both give the id, or raise what the daemon said: ``QueueFull``, ``StorageFull``, …
    """

    __slots__ = ("_batch", "_sequence")
    _batch: Batch
    _sequence: int

    @classmethod
    def of(cls, id: str, sequence: int, batch: Batch) -> Confirmation:
        self = cls(id)
        self._batch = batch
        self._sequence = sequence
        return self

    def done(self) -> bool:
        """Whether the daemon has answered."""
        return self._batch.done

    def result(self, timeout: float | None = None) -> MessageId:
        """Blocks until the daemon has answered, at most ``timeout`` seconds."""
        batch = self._batch
        if not batch.done:
            deadline = _NEVER if timeout is None else time.monotonic() + timeout
            read = batch.read
            if read is not None:
                read(lambda: batch.done, deadline)
            waiter: Future[None] = Future()
            if batch.wait(waiter):
                try:
                    waiter.result(
                        None if timeout is None else max(0.0, deadline - time.monotonic())
                    )
                except FutureTimeout:
                    raise RequestTimeout(
                        f"The daemon has not confirmed message {self} within {timeout} s."
                    ) from None
        return self._check()

    def __await__(self) -> Generator[Any, None, MessageId]:
        batch = self._batch
        if not batch.done:
            waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            if batch.wait(waiter):
                yield from waiter
        return self._check()

    def _check(self) -> MessageId:
        batch = self._batch
        if batch.error is not None:
            raise batch.error
        code = batch.rejected.get(self._sequence)
        if code is not None:
            raise error_for(code, f"Message {self} was not taken: {code}.")
        return self


class MessageIds(list[MessageId]):
    """The ids of ``publish_many``; awaiting them awaits every confirmation that was asked for."""

    def __init__(self, ids: Iterable[MessageId] = ()) -> None:
        super().__init__(ids)

    def result(self, timeout: float | None = None) -> MessageIds:
        """Blocks until all are confirmed, each at most ``timeout`` seconds."""
        for one in self:
            if isinstance(one, Confirmation):
                one.result(timeout)
        return self

    def __await__(self) -> Generator[Any, None, MessageIds]:
        for one in self:
            yield from one.__await__()
        return self
