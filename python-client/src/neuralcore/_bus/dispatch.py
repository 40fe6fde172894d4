"""Who calls handlers: a task on an event loop, or worker threads."""

from __future__ import annotations

import asyncio
import functools
import inspect
import logging
import threading
import time
from collections.abc import Awaitable, Generator, Sequence
from time import monotonic
from typing import TYPE_CHECKING, Any, Protocol

from neuralcore._bus.inbox import Schedule
from neuralcore._bus.limits import TURN_SECONDS
from neuralcore._bus.message import Message
from neuralcore._bus.native import fast

if TYPE_CHECKING:
    from neuralcore._bus.subscription import Subscription

log = logging.getLogger("neuralcore.messaging")

SMALL_BACKLOG = 8
"""Up to so many waiting messages, asyncio handlers are kept apart by ``TICKS`` loop ticks."""
TICKS = 3


class Dispatcher(Protocol):
    @property
    def schedule(self) -> Schedule | None:
        """Whose turn it is among its subscriptions."""

    def arrived(self, subscription: Subscription, messages: Sequence[Message]) -> None:
        """Messages for one of its subscriptions, in the daemon's order. From any thread."""

    def wake(self) -> None:
        """Something has arrived. From any thread."""

    def is_idle(self) -> bool:
        """Whether nothing waits or is being handled."""

    def can_finish(self) -> bool:
        """Whether what waits will be handled if one waits for it."""

    def is_current(self) -> bool:
        """Whether the caller is one of its handlers."""

    def close(self, *, cancel: bool) -> None:
        """Ends it; handlers still running are cancelled, if asked for and possible."""


class LoopDispatcher:
    """Calls the coroutine handlers of one bus on one event loop.

    One task, the leader, takes message after message and awaits the handler in place, which costs
    no task a message. If a handler has not finished after three loop ticks, the leader is left to
    it and a new one goes on with the other subscriptions' messages; so handlers *start* in the
    order of the queue, and a slow one delays only its own subscription.

    Between two handlers there are three loop ticks while the backlog is small: whoever waits for a
    handler's effect on the same loop sees it before the next handler runs. With a larger backlog
    throughput counts, and the loop gets a tick about every millisecond.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.schedule = self._schedule = Schedule(self.wake)
        self._loop = loop
        self._leader: asyncio.Task[None] | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._woken = False
        self._handling = False
        self._calls = 0
        self._ticked = 0.0
        self._closed = False

    def arrived(self, subscription: Subscription, messages: Sequence[Message]) -> None:
        self._schedule.arrived(subscription, messages)

    def wake(self) -> None:
        # A leader at work looks for what has arrived by itself, before it gives up its place.
        if self._woken or (self._leader is not None and not self._handling):
            return
        if asyncio._get_running_loop() is self._loop:
            self._lead()
            return
        self._woken = True
        try:
            self._loop.call_soon_threadsafe(self._lead)
        except RuntimeError:  # the loop is closed
            self._closed = True
            self._schedule.clear()

    def is_idle(self) -> bool:
        return self._schedule.idle

    def can_finish(self) -> bool:
        return self._loop.is_running() and not self._closed

    def is_current(self) -> bool:
        try:
            return asyncio.current_task() in self._tasks
        except RuntimeError:  # no loop runs in this thread
            return False

    def close(self, *, cancel: bool) -> None:
        self._closed = True
        self._schedule.clear()
        if not cancel:
            return
        try:
            self._loop.call_soon_threadsafe(self._cancel)
        except RuntimeError:
            self._tasks.clear()

    def _cancel(self) -> None:
        for task in self._tasks:
            task.cancel()

    def _lead(self) -> None:
        """Makes a task the leader if there is none. On the loop."""
        self._woken = False
        if self._leader is not None or self._closed or not len(self._schedule):
            return
        task = self._loop.create_task(self._run() if fast is None else self._run_in_c())
        self._leader = task
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        self._loop.call_soon(self._watch, task, -1, 0)

    def _watch(self, leader: asyncio.Task[None], calls: int, ticks: int) -> None:
        """Every loop tick: has the leader been in one handler for too long?"""
        if self._leader is not leader:
            return
        if self._handling and self._calls == calls:
            ticks += 1
        else:
            calls, ticks = self._calls, 0
        if ticks >= TICKS and len(self._schedule):
            self._leader = None
            self._lead()
        elif ticks < TICKS or not self._handling:
            self._loop.call_soon(self._watch, leader, calls, ticks)
        else:
            # Nothing else to do: `wake` will see that the leader is stuck.
            self._leader = None

    async def _run(self) -> None:
        me = asyncio.current_task()
        schedule = self._schedule
        try:
            while self._leader is me:
                subscription = schedule.begin()
                if subscription is None:
                    return
                try:
                    await self._serve(subscription, me)
                finally:
                    schedule.end(subscription)
        except asyncio.CancelledError:
            self._closed = True  # the loop is shutting down, or the bus
            raise
        finally:
            self._end_leading(me)

    async def _serve(self, subscription: Subscription, me: asyncio.Task[None] | None) -> None:
        """Handles messages of a subscription while it has the most urgent ones."""
        schedule = self._schedule
        while True:
            if subscription.is_simple:
                await self._serve_many(subscription, me)
            else:
                await self._serve_one(subscription)
            if self._leader is not me:
                return
            self._handling = False
            await self._let_loop_turn(schedule.waiting)
            if self._leader is not me or not schedule.goes_on(subscription):
                return

    async def _serve_one(self, subscription: Subscription) -> None:
        if subscription.batch_limit:
            messages = subscription.take_batch()
            self._schedule.took(subscription, len(messages))
            work = subscription.handle_batch(messages)
        else:
            message = subscription.inbox.pop()
            self._schedule.took(subscription)
            work = subscription.handle(message)
        self._calls += 1
        self._handling = True
        await work

    async def _serve_many(self, subscription: Subscription, me: asyncio.Task[None] | None) -> None:
        """One turn of the loop: as many messages of one priority as take about a millisecond.

        For a handler that is only to be called: what :meth:`Subscription.handle` does beside that,
        and all bookkeeping, is done once a turn.
        """
        schedule = self._schedule
        inbox = subscription.inbox
        most = max(
            1, min(len(inbox.first), subscription.turn_messages, schedule.waiting - SMALL_BACKLOG)
        )
        if schedule.contended:
            most = 1
        turn = _Turn(subscription, most)
        began = monotonic()
        self._handling = True
        try:
            await self._call_handlers(turn, me)
        finally:
            inbox.took(turn.done)
            schedule.took(subscription, turn.done)
            inbox.handled += turn.done - turn.failed
            subscription.turn_took(turn.done, monotonic() - began)

    async def _call_handlers(self, turn: _Turn, me: asyncio.Task[None] | None) -> None:
        subscription = turn.subscription
        inbox = subscription.inbox
        queue = inbox.first
        handler = subscription.handler
        auto_ack = subscription.auto_ack
        incoming = self._schedule.incoming
        while turn.done < turn.most:
            message = queue.popleft()
            turn.done += 1
            self._calls += 1
            try:
                result = await handler(message)
            except BaseException as error:
                turn.failed += 1
                if subscription.failed_async(message, error):
                    raise
            else:
                if result is not None:
                    subscription.succeeded(message, result)
                elif auto_ack:
                    subscription.ack(message)
            if incoming or self._leader is not me or inbox.cancelled:
                return

    async def _run_in_c(self) -> None:
        """:meth:`_run` with the schedule's twin in C, which calls handlers by itself, those of many
        subscriptions one after the other. It comes back with each message to which there is more
        than a handler that ends without waiting for anything and returns nothing."""
        me = asyncio.current_task()
        schedule: Any = self._schedule
        try:
            while self._leader is me:
                outcome, subscription, message, value = schedule.turn(SMALL_BACKLOG, TURN_SECONDS)
                if subscription is not None:
                    try:
                        if outcome == _MORE:
                            await self._serve_one(subscription)
                        else:
                            await self._end_of(subscription, outcome, message, value)
                    finally:
                        schedule.end(subscription)
                    if self._leader is not me:
                        return
                    self._handling = False
                elif not message:  # nothing was there to be handled
                    return
                await self._let_loop_turn(schedule.waiting)
        except asyncio.CancelledError:
            self._closed = True  # the loop is shutting down, or the bus
            raise
        finally:
            self._end_leading(me)

    async def _end_of(
        self, subscription: Subscription, outcome: int, message: Message, value: Any
    ) -> None:
        """What there is to a message whose handler was called."""
        error: BaseException | None = None
        if outcome == _RAISED:
            error = value
        elif outcome == _WAITS:
            self._calls += 1
            self._handling = True
            try:
                value = await _Begun(*value)
            except BaseException as raised:
                error = raised
        try:
            if error is not None:
                if subscription.failed_async(message, error):
                    raise error
                return
            subscription.inbox.handled += 1
            if value is not None:
                subscription.succeeded(message, value)
            elif subscription.auto_ack:
                subscription.ack(message)
        finally:
            subscription.finished()

    async def _let_loop_turn(self, waiting: int) -> None:
        if waiting <= SMALL_BACKLOG:
            for _ in range(TICKS):
                await asyncio.sleep(0)
            self._ticked = monotonic()
        elif monotonic() - self._ticked > TURN_SECONDS:
            await asyncio.sleep(0)
            self._ticked = monotonic()

    def _end_leading(self, me: asyncio.Task[None] | None) -> None:
        if self._leader is me:
            self._leader = None
        if self._leader is None and len(self._schedule) and not self._closed:
            self.wake()


class _Turn:
    """What a subscription does before the loop or another has its turn."""

    __slots__ = ("done", "failed", "most", "subscription")

    def __init__(self, subscription: Subscription, most: int) -> None:
        self.subscription = subscription
        self.most = most
        self.done = 0
        self.failed = 0


if fast is not None:
    _, _, _RAISED, _WAITS, _MORE = fast.OUTCOMES


class _Begun:
    """What a handler returned, to be awaited: if a coroutine, it waits for something already."""

    __slots__ = ("_awaitable", "_waits_for")

    def __init__(self, awaitable: Any, waits_for: Any) -> None:
        self._awaitable = awaitable
        self._waits_for = waits_for

    def __await__(self) -> Generator[Any, Any, Any]:
        coroutine, waits_for = self._awaitable, self._waits_for
        if not inspect.iscoroutine(coroutine):
            return (yield from coroutine.__await__())
        while True:
            try:
                sent = yield waits_for
            except GeneratorExit:
                coroutine.close()
                raise
            except BaseException as error:
                go_on = functools.partial(coroutine.throw, error)
            else:
                go_on = functools.partial(coroutine.send, sent)
            try:
                waits_for = go_on()
            except StopIteration as end:
                return end.value


class ThreadDispatcher:
    """Calls the plain functions of one bus on up to ``workers`` daemon threads.

    They start in the order of the queue; those of different subscriptions overlap.
    """

    def __init__(self, workers: int) -> None:
        self.schedule = self._schedule = Schedule(self.wake)
        self._workers = workers
        self._condition = threading.Condition()
        self._threads: list[threading.Thread] = []
        self._sleeping = 0
        self._closed = False

    def arrived(self, subscription: Subscription, messages: Sequence[Message]) -> None:
        self._schedule.arrived(subscription, messages)

    def wake(self) -> None:
        with self._condition:
            if self._closed:
                return
            self._schedule.sort()
            waiting = self._schedule.waiting
            if self._sleeping:
                self._condition.notify(waiting)
            missing = min(waiting, self._workers) - self._sleeping
            while missing > 0 and len(self._threads) < self._workers:
                missing -= 1
                name = f"neuralcore-handler-{len(self._threads)}"
                thread = threading.Thread(target=self._work, name=name, daemon=True)
                self._threads.append(thread)
                thread.start()

    def is_idle(self) -> bool:
        return self._schedule.idle

    def can_finish(self) -> bool:
        return not self._closed

    def is_current(self) -> bool:
        return threading.current_thread() in self._threads

    def close(self, *, cancel: bool) -> None:
        with self._condition:
            self._schedule.clear()
            self._closed = True
            self._condition.notify_all()

    def _work(self) -> None:
        schedule = self._schedule
        while True:
            with self._condition:
                subscription = schedule.begin()
                while subscription is None:
                    if self._closed:
                        return
                    self._sleeping += 1
                    self._condition.wait()
                    self._sleeping -= 1
                    subscription = schedule.begin()
                if subscription.batch_limit:
                    messages = subscription.take_batch()
                else:
                    messages = [subscription.inbox.pop()]
                schedule.took(subscription, len(messages))
            try:
                if subscription.batch_limit:
                    subscription.handle_batch_here(messages)
                else:
                    subscription.handle_here(messages[0])
            finally:
                with self._condition:
                    schedule.end(subscription)
                    if self._sleeping and schedule.waiting:
                        self._condition.notify()


class LoopThread:
    """An event loop in a thread of its own, for coroutine handlers without a loop."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="neuralcore-loop", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        asyncio.set_event_loop(self.loop)
        try:
            self.loop.run_forever()
            left = asyncio.all_tasks(self.loop)
            for task in left:
                task.cancel()
            if left:
                self.loop.run_until_complete(asyncio.wait(left))
        finally:
            self.loop.close()

    def run(self, awaitable: Awaitable[Any]) -> Any:
        """Waits for a result from another thread."""

        async def wait() -> Any:
            return await awaitable

        return asyncio.run_coroutine_threadsafe(wait(), self.loop).result()

    def close(self) -> None:
        self.loop.call_soon_threadsafe(self.loop.stop)
        if threading.current_thread() is not self._thread:
            self._thread.join(1.0)


def wait_until(check: Any, deadline: float) -> None:
    """Looks every millisecond whether something is so, until then (``time.monotonic``)."""
    while not check() and time.monotonic() < deadline:
        time.sleep(0.001)
