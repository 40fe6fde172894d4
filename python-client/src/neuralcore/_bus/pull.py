"""Subscriptions without a handler: ``for message in …`` and ``async for message in …``."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import TYPE_CHECKING

from neuralcore._bus.message import Message
from neuralcore._bus.subscription import Subscription, Terms

if TYPE_CHECKING:
    from neuralcore._bus.subscription import Owner


class _NoDispatcher:
    """In the place of whoever calls handlers."""

    schedule = None

    def arrived(self, subscription: Subscription, messages: Sequence[Message]) -> None:
        assert isinstance(subscription, PulledMessages)
        subscription.put(messages)

    def wake(self) -> None:
        """Whoever iterates was woken by :meth:`PulledMessages.put`."""

    def is_idle(self) -> bool:
        return True

    def can_finish(self) -> bool:
        return False

    def is_current(self) -> bool:
        return False

    def close(self, *, cancel: bool) -> None:
        """There is nothing to end."""


class PulledMessages(Subscription):
    """What ``MessageBus.subscribe`` returns where no handler was given.

    Iterate in one place at a time, in a thread or on an event loop. A message counts as dealt with,
    and with ``ack="auto"`` as done, when the next one is asked for. The iteration ends when the
    subscription is cancelled or the bus stopped.
    """

    def __init__(self, owner: Owner, number: int, channel: str, terms: Terms) -> None:
        super().__init__(owner, number, channel, _no_handler, terms, _NoDispatcher(), None)
        self._condition = threading.Condition()
        self._waiter: asyncio.Future[None] | None = None
        self._current: Message | None = None

    def put(self, messages: Sequence[Message]) -> None:
        """On the I/O thread."""
        with self._condition:
            self.inbox.extend(messages)
            self._release()

    def ended(self) -> None:
        super().ended()
        with self._condition:
            self._release()

    def _release(self) -> None:
        """Wakes whoever waits. With the lock held."""
        self._condition.notify_all()
        waiter, self._waiter = self._waiter, None
        if waiter is not None:
            try:
                waiter.get_loop().call_soon_threadsafe(_set, waiter)
            except RuntimeError:  # its loop is closed
                return

    def next_now(self) -> Message | None:
        """The next message if one is here."""
        self._finish_current()
        while True:
            with self._condition:
                if not self.inbox.size:
                    return None
                message = self.inbox.pop()
                self.inbox.running += 1
            self._current = message
            if self._admits_quietly(message):
                self.inbox.handled += 1
                return message
            self._finish_current(settle=False)

    def next(self, timeout: float | None = None) -> Message | None:
        """The next message, for which it blocks; None after ``timeout`` seconds or at the end."""
        while True:
            message = self.next_now()
            if message is not None or self.cancelled:
                return message
            with self._condition:
                if not self._condition.wait_for(lambda: self.inbox.size or self.cancelled, timeout):
                    return None

    def _finish_current(self, *, settle: bool = True) -> None:
        message, self._current = self._current, None
        if message is None:
            return
        self.inbox.running -= 1
        if settle and self.auto_ack:
            message.ack()
        self.finished()

    def __iter__(self) -> Iterator[Message]:
        while True:
            message = self.next()
            if message is None:
                return
            yield message

    async def __aiter__(self) -> AsyncIterator[Message]:
        await self
        while True:
            message = self.next_now()
            if message is not None:
                yield message
                continue
            if self.cancelled:
                return
            waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            with self._condition:
                if self.inbox.size:
                    continue
                self._waiter = waiter
            await waiter


def _set(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)


def _no_handler(message: Message) -> None:
    raise AssertionError(f"message {message.id} has no handler")
