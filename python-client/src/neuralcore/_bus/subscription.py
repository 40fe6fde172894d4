"""One subscription of a bus: its handler, its credit, its acknowledgements, its counts."""

from __future__ import annotations

import asyncio
import inspect
import logging
import threading
import traceback
from collections import deque
from collections.abc import Awaitable, Callable, Generator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from time import monotonic
from typing import TYPE_CHECKING, Any, Protocol, cast

from neuralcore._bus.completion import Completion
from neuralcore._bus.inbox import Inbox
from neuralcore._bus.limits import TURN_SECONDS
from neuralcore._bus.message import Message
from neuralcore._bus.native import fast
from neuralcore._wire import ACK, BY_BACKOFF, EXTEND, NACK, TERM, AnySettlement, json_bytes

if TYPE_CHECKING:
    from neuralcore._bus.dispatch import Dispatcher, LoopThread

log = logging.getLogger("neuralcore.messaging")

Handler = Callable[[Any], Awaitable[Any] | Any]
Filter = Callable[[Message], bool]

_GRANT_AFTER_SECONDS = 0.001
_GROW_WITHIN_SECONDS = 0.02
_FIRST_WINDOW = 64
_LAST_WINDOW = 8192
_MOST_IN_A_TURN = 256
_MOST_SETTLEMENTS = 256
_TRACEBACK_CHARACTERS = 4000
_KINDS = {"ack": ACK, "nack": NACK, "term": TERM, "extend": EXTEND}


@dataclass(frozen=True)
class Terms:
    """What a subscription asks for.

    :ivar acknowledge: "none", "auto" (by the handler's success) or "manual".
    :ivar credit: messages that may be on their way or waiting here; None adapts to the handler.
    :ivar batch_limit: the most messages a batch handler gets at once; 0 if it takes single ones.
    :ivar answers: whether what the handler returns answers a request.
    :ivar options: what the daemon is told beside the channel and the credit.
    """

    acknowledge: str = "none"
    credit: int | None = None
    concurrency: int = 1
    batch_limit: int = 0
    filter_fn: Filter | None = None
    answers: bool = True
    options: dict[str, Any] = field(default_factory=dict)


class Owner(Protocol):
    """What a subscription needs of its bus."""

    @property
    def hooks(self) -> Hooks | None: ...

    def grant(self, subscription: Subscription, messages: int) -> None: ...

    def settle(
        self, subscription: Subscription, settlements: Sequence[AnySettlement]
    ) -> Future[Any]: ...

    def answer(self, request: Message, payload: Any, error: BaseException | None) -> None: ...

    def helper_loop(self) -> LoopThread: ...

    def cancel(self, subscription: Subscription, forget: bool = False) -> Completion[None]: ...


class Hooks(Protocol):
    """What plugins do around a handler."""

    def before_dispatch(self, message: Message) -> bool: ...

    def after_dispatch(self, message: Message, error: BaseException | None) -> None: ...


class Subscription:
    """What ``MessageBus.subscribe`` returns: await it to know that the daemon has it.

    Without an event loop it is established when ``subscribe`` returns. ``cancel()``, or leaving
    ``with`` or ``async with``, ends it.

    :ivar id: a number, unique in this process.
    :ivar channel: name or pattern.
    :ivar acknowledges: whether the daemon keeps each message until it is settled.
    """

    def __init__(
        self,
        owner: Owner,
        number: int,
        channel: str,
        handler: Handler,
        terms: Terms,
        dispatcher: Dispatcher,
        loop: asyncio.AbstractEventLoop | None,
    ) -> None:
        self.id = number
        self.channel = channel
        self.terms = terms
        self.acknowledges = terms.acknowledge != "none"
        self.concurrency = terms.concurrency
        self.batch_limit = terms.batch_limit
        self.dispatcher = dispatcher
        self.established: Completion[None] | None = None
        self.filtered = 0
        self.errors = 0
        # Of the dispatcher's schedule:
        self.turn: tuple[int, int, int, Subscription] | None = None
        self._owner = owner
        self.handler = handler
        self._filter = terms.filter_fn
        self.loop = loop
        self.auto_ack = terms.acknowledge == "auto"
        # Whether a message takes nothing but the call of its handler, and perhaps its "done".
        self._only_calls = terms.concurrency == 1 and not (terms.filter_fn or terms.batch_limit)
        self.turn_messages = 16
        self._lock = threading.Lock()
        self._window = terms.credit or _FIRST_WINDOW
        self._ungranted = 0
        self._granted_at = 0.0
        self._since_grown = 0
        self._grown_at = 0.0
        self._settlements: deque[AnySettlement] = deque()
        self._acked: deque[int] = deque()  # most settlements are a number and nothing else
        self._settling = False  # whether they will be sent
        self.inbox = Inbox(
            self,
            dispatcher.schedule,
            handler,
            self.ack if self.auto_ack else None,
            terms.concurrency,
            self._only_calls,
            self.acknowledges,
            self._window,
        )

    @property
    def cancelled(self) -> bool:
        """Whether it gets nothing more."""
        return self.inbox.cancelled

    @property
    def received(self) -> int:
        """How many messages have come."""
        return self.inbox.received

    @property
    def handled(self) -> int:
        """How many messages its handler has returned from."""
        return self.inbox.handled

    @property
    def receiver(self) -> Callable[[Sequence[Message]], None]:
        """What takes what arrives: :meth:`deliver`, or what does the same from the frame on."""
        if fast is not None and self.dispatcher.schedule is not None:
            return cast("Callable[[Sequence[Message]], None]", self.inbox)
        return self.deliver

    @property
    def credit(self) -> int:
        """How many messages may be on their way or waiting here, at this moment."""
        return self._window

    def cancel(self, *, forget: bool = False) -> Completion[None]:
        """Ends the subscription; what waits here for it is discarded.

        What was not acknowledged comes again: to the group's others, or when it subscribes anew.

        :param forget: deletes what the daemon remembers of a durable group.
        """
        return self._owner.cancel(self, forget)

    def ended(self) -> None:
        """It gets nothing more."""
        self.inbox.cancelled = True

    def deliver(self, messages: Sequence[Message]) -> None:
        """Takes what arrived. On the I/O thread, in order."""
        self.inbox.received += len(messages)
        if self.acknowledges:
            for message in messages:
                message._subscription = self
        self.dispatcher.arrived(self, messages)
        self.dispatcher.wake()

    # Credit. An acknowledged message gives its own back when it is settled.

    def finished(self, messages: int = 1) -> None:
        """So many messages have been dealt with: grants credit, in halves of the window.

        After a pause credit is granted at once, so that a slow handler gets the most urgent next. A
        window that was not asked for is doubled where a whole one is used up within 20 ms.
        """
        self._ungranted += messages
        self._since_grown += messages
        now = monotonic()
        more = 0
        if self._since_grown >= self._window:
            if self.terms.credit is None and now - self._grown_at < _GROW_WITHIN_SECONDS:
                more = min(self._window, _LAST_WINDOW - self._window)
                self._window += more
                self.inbox.window = self._window
            self._since_grown = 0
            self._grown_at = now
        if (
            more
            or self._ungranted * 2 >= self._window
            or now - self._granted_at >= _GRANT_AFTER_SECONDS
        ):
            self._granted_at = now
            self._grant(more)

    def _grant(self, more: int) -> None:
        with self._lock:
            grant, self._ungranted = self._ungranted + more, 0
        if grant and not self.cancelled and not self.acknowledges:
            self._owner.grant(self, grant)

    def window(self) -> int:
        """The credit to subscribe with: what may be outstanding less what waits here already."""
        with self._lock:
            self._ungranted = self.inbox.owed = 0
            return max(0, self._window - self.inbox.size - self.inbox.running)

    # Handling

    @property
    def is_simple(self) -> bool:
        """Whether a message takes nothing but the call of its handler, one after the other."""
        return self._only_calls and self._owner.hooks is None

    def turn_took(self, messages: int, seconds: float) -> None:
        """After a turn of a simple subscription: how long the next may be."""
        if seconds < TURN_SECONDS / 2:
            self.turn_messages = min(_MOST_IN_A_TURN, self.turn_messages * 2)
        elif seconds > TURN_SECONDS:
            self.turn_messages = max(1, self.turn_messages // 2)
        self.finished(messages)

    def succeeded(self, message: Message, result: Any) -> None:
        """A handler has returned."""
        try:
            self._succeeded(message, result)
        except Exception as error:
            self._failed(message, error)

    def failed_async(self, message: Message, error: BaseException) -> bool:
        """A coroutine handler has raised; whether that was meant for the task that runs it."""
        if not isinstance(error, (Exception, asyncio.CancelledError)):
            return True
        self._failed(message, error)
        if isinstance(error, Exception):
            return False
        # Raised by what the handler awaited, or meant for the task that runs handlers?
        cancelling = getattr(asyncio.current_task(), "cancelling", None)
        return cancelling is None or bool(cancelling())

    async def handle(self, message: Message) -> None:
        """Runs the handler on its event loop. Its failures are logged and counted."""
        try:
            if not self._admits(message):
                return
            result = await self.handler(message)
            self.inbox.handled += 1
            self._succeeded(message, result)
        except BaseException as error:
            if self.failed_async(message, error):
                raise
        finally:
            self.finished()

    def handle_here(self, message: Message) -> None:
        """Runs the handler in the calling thread."""
        try:
            if not self._admits(message):
                return
            result = self.handler(message)
            if inspect.isawaitable(result):
                result = self._wait(result)
            self.inbox.handled += 1
            self._succeeded(message, result)
        except BaseException as error:
            self._failed(message, error)
        finally:
            self.finished()

    def take_batch(self) -> list[Message]:
        """The next messages for a batch handler, most urgent first."""
        inbox = self.inbox
        return [inbox.pop() for _ in range(min(inbox.size, self.batch_limit))]

    async def handle_batch(self, messages: list[Message]) -> None:
        """:meth:`handle` for a handler that takes lists."""
        admitted = [m for m in messages if self._admits_quietly(m)]
        try:
            if admitted:
                await self.handler(admitted)
                self._all_succeeded(admitted)
        except BaseException as error:
            meant_for_us = [self.failed_async(message, error) for message in admitted]
            if any(meant_for_us):
                raise
        finally:
            self.finished(len(messages))

    def handle_batch_here(self, messages: list[Message]) -> None:
        """:meth:`handle_here` for a handler that takes lists."""
        admitted = [m for m in messages if self._admits_quietly(m)]
        try:
            if admitted:
                result = self.handler(admitted)
                if inspect.isawaitable(result):
                    self._wait(result)
                self._all_succeeded(admitted)
        except BaseException as error:
            self._all_failed(admitted, error)
        finally:
            self.finished(len(messages))

    def _wait(self, awaitable: Awaitable[Any]) -> Any:
        """Awaits what a plain function returned: on its subscriber's loop if that still runs."""
        if self.loop is None or not self.loop.is_running():
            return self._owner.helper_loop().run(awaitable)

        async def wait() -> Any:
            return await awaitable

        return asyncio.run_coroutine_threadsafe(wait(), self.loop).result()

    def _admits(self, message: Message) -> bool:
        """Whether the handler is to see it; what it is not to see is done with."""
        hooks = self._owner.hooks
        if (self._filter is None or self._filter(message)) and (
            hooks is None or hooks.before_dispatch(message)
        ):
            return True
        self.filtered += 1
        if self.acknowledges:
            message.ack()
        return False

    def _admits_quietly(self, message: Message) -> bool:
        try:
            return self._admits(message)
        except Exception as error:
            self._failed(message, error)
            return False

    def _succeeded(self, message: Message, result: Any) -> None:
        if self.auto_ack:
            self.ack(message)
        hooks = self._owner.hooks
        if hooks is not None:
            hooks.after_dispatch(message, None)
        if result is not None and self.terms.answers and message.expects_reply:
            self._owner.answer(message, result, None)

    def _all_succeeded(self, messages: list[Message]) -> None:
        self.inbox.handled += len(messages)
        for message in messages:
            self._succeeded(message, None)

    def _all_failed(self, messages: list[Message], error: BaseException) -> None:
        for message in messages:
            self._failed(message, error)

    def _failed(self, message: Message, error: BaseException) -> None:
        self.errors += 1
        if isinstance(error, asyncio.CancelledError):  # not its fault, as where the bus stops
            log.warning(
                "A handler of channel %r was cancelled on message %s.", self.channel, message.id
            )
        else:
            log.error(
                "A handler of channel %r failed on message %s.",
                self.channel,
                message.id,
                exc_info=error,
            )
        try:
            if self.auto_ack:
                message.nack(reason=error)
            hooks = self._owner.hooks
            if hooks is not None:
                hooks.after_dispatch(message, error)
            if message.expects_reply and not self.acknowledges:
                self._owner.answer(message, None, error)
        except Exception:
            log.exception("What came of message %s could not be told.", message.id)

    # Acknowledging

    def settle(self, message: Message, kind: str, delay: float | None, reason: Any) -> None:
        """Tells the daemon what came of a message, in batches."""
        milliseconds = BY_BACKOFF if delay is None else _milliseconds(delay)
        settlement = (
            self.id,
            _KINDS[kind],
            message.namespace_sequence,
            milliseconds,
            _reason(reason),
        )
        self._settlements.append(settlement)
        self._see_to_settlements()

    def ack(self, message: Message) -> None:
        """Tells the daemon that a message is done, if it has not been told what came of it."""
        if not message._settled:
            message._settled = True
            acked = self._acked
            acked.append(message.namespace_sequence)
            if not self._settling or len(acked) >= _MOST_SETTLEMENTS:
                self._see_to_settlements()

    def _see_to_settlements(self) -> None:
        if not self._settling:
            self._settling = True
            try:
                asyncio.get_running_loop().call_soon(self.send_settlements)
                return
            except RuntimeError:
                self.send_settlements()
        elif len(self._acked) + len(self._settlements) >= _MOST_SETTLEMENTS:
            self.send_settlements()

    def send_settlements(self) -> None:
        self._settling = False  # before they are taken: what comes after sees to itself
        with self._lock:
            settlements = [self._settlements.popleft() for _ in range(len(self._settlements))]
            acked = [self._acked.popleft() for _ in range(len(self._acked))]
        settlements += [(self.id, ACK, number, BY_BACKOFF, b"") for number in acked]
        if settlements:
            self._owner.settle(self, settlements)

    # Its end

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
        return f"<{type(self).__name__} {self.id} to {self.channel!r}, {state}>"


def _milliseconds(seconds: float) -> int:
    return min(BY_BACKOFF - 1, max(0, round(seconds * 1000)))


def _reason(reason: Any) -> bytes:
    """What the daemon keeps with a dead letter."""
    if reason is None:
        return b""
    if isinstance(reason, BaseException):
        lines = traceback.format_exception(type(reason), reason, reason.__traceback__)
        told = {
            "error_type": type(reason).__name__,
            "error": str(reason),
            "traceback": "".join(lines)[-_TRACEBACK_CHARACTERS:],
        }
    else:
        told = {"error_type": "", "error": str(reason), "traceback": ""}
    return json_bytes(told)
