"""One subscription of a bus: its handler, its credit, its counts."""

from __future__ import annotations

import asyncio
import inspect
import logging
import threading
import time
from collections.abc import Awaitable, Callable, Generator, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from neuralcore._bus.completion import Completion
from neuralcore._bus.message import Message

if TYPE_CHECKING:
    from neuralcore._bus.dispatch import Dispatcher, LoopThread
    from neuralcore._wire import Delivered

log = logging.getLogger("neuralcore.messaging")

Handler = Callable[[Message], Awaitable[Any] | Any]
Filter = Callable[[Message], bool]

_GRANT_AFTER_SECONDS = 0.001


class Owner(Protocol):
    """What a subscription needs of its bus."""

    def grant(self, subscription: Subscription, messages: int) -> None: ...

    def answer(self, request: Message, payload: Any, error: BaseException | None) -> None: ...

    def helper_loop(self) -> LoopThread: ...

    def cancel(self, subscription: Subscription) -> Completion[None]: ...


class Subscription:
    """What ``MessageBus.subscribe`` returns: await it to know that the daemon has it.

    Without an event loop it is established when ``subscribe`` returns. ``cancel()``, or leaving
    ``with`` or ``async with``, ends it.

    :ivar id: a number, unique in this process.
    :ivar channel: name.
    :ivar credit: how many messages may be on their way or waiting here.
    """

    def __init__(
        self,
        owner: Owner,
        number: int,
        channel: str,
        handler: Handler,
        *,
        filter_fn: Filter | None,
        credit: int,
        concurrency: int,
        dispatcher: Dispatcher,
        loop: asyncio.AbstractEventLoop | None,
    ) -> None:
        self.id = number
        self.channel = channel
        self.credit = credit
        self.concurrency = concurrency
        self.dispatcher = dispatcher
        self.established: Completion[None] | None = None
        self.cancelled = False
        self.running = 0  # guarded by the dispatcher's queue
        self.received = 0
        self.handled = 0
        self.filtered = 0
        self.errors = 0
        self._owner = owner
        self._handler = handler
        self._filter = filter_fn
        self._loop = loop
        self._lock = threading.Lock()
        self._outstanding = 0
        self._ungranted = 0
        self._granted_at = 0.0

    def cancel(self) -> Completion[None]:
        """Ends the subscription; what waits for it is discarded."""
        return self._owner.cancel(self)

    def deliver(self, batch: Sequence[Delivered]) -> None:
        """Takes what arrived. On the I/O thread, in order."""
        with self._lock:
            self._outstanding += len(batch)
            self.received += len(batch)
        self.dispatcher.queue.push(self, [Message.received(delivered) for delivered in batch])
        self.dispatcher.wake()

    def finished(self) -> None:
        """One message has been dealt with: grants credit, in portions while messages pour in."""
        now = time.monotonic()
        with self._lock:
            self._outstanding -= 1
            self._ungranted += 1
            if (
                self._outstanding > 0
                and self._ungranted * 4 < self.credit
                and now - self._granted_at < _GRANT_AFTER_SECONDS
            ):
                return
            grant, self._ungranted, self._granted_at = self._ungranted, 0, now
        if not self.cancelled:
            self._owner.grant(self, grant)

    def window(self) -> int:
        """The credit to subscribe with: what may be outstanding less what waits here already."""
        with self._lock:
            self._ungranted = 0
            return max(0, self.credit - self._outstanding)

    async def handle(self, message: Message) -> None:
        """Runs the handler on its event loop. Its failures are logged and counted."""
        try:
            if self._is_filtered(message):
                return
            result = self._handler(message)
            if inspect.isawaitable(result):
                result = await result
            self._succeeded(message, result)
        except asyncio.CancelledError as error:
            self._failed(message, error)
            # Raised by what the handler awaited, or meant for the task that runs handlers?
            cancelling = getattr(asyncio.current_task(), "cancelling", None)
            if cancelling is None or cancelling():
                raise
        except Exception as error:
            self._failed(message, error)

    def handle_here(self, message: Message) -> None:
        """Runs the handler in the calling thread."""
        try:
            if self._is_filtered(message):
                return
            result = self._handler(message)
            if inspect.isawaitable(result):
                result = self._wait(result)
            self._succeeded(message, result)
        except BaseException as error:
            self._failed(message, error)

    def _wait(self, awaitable: Awaitable[Any]) -> Any:
        """Awaits what a plain function returned: on its subscriber's loop if that still runs."""
        if self._loop is None or not self._loop.is_running():
            return self._owner.helper_loop().run(awaitable)

        async def wait() -> Any:
            return await awaitable

        return asyncio.run_coroutine_threadsafe(wait(), self._loop).result()

    def _is_filtered(self, message: Message) -> bool:
        if self._filter is None or self._filter(message):
            return False
        self.filtered += 1
        return True

    def _succeeded(self, message: Message, result: Any) -> None:
        self.handled += 1
        if result is not None and message.expects_reply:
            self._owner.answer(message, result, None)

    def _failed(self, message: Message, error: BaseException) -> None:
        self.errors += 1
        log.error(
            "A handler of channel %r failed on message %s.",
            self.channel,
            message.id,
            exc_info=error,
        )
        try:
            if message.expects_reply:
                self._owner.answer(message, None, error)
        except Exception:
            log.exception("The requester of %s could not be told.", message.id)

    def __await__(self) -> Generator[Any, None, Subscription]:
        if self.established is not None:
            yield from self.established.__await__()
        return self

    def __enter__(self) -> Subscription:
        return self

    def __exit__(self, *_: object) -> None:
        self.cancel()

    async def __aenter__(self) -> Subscription:
        return await self

    async def __aexit__(self, *_: object) -> None:
        await self.cancel()

    def __repr__(self) -> str:
        state = "cancelled" if self.cancelled else "active"
        return f"<Subscription {self.id} to {self.channel!r}, {state}>"
