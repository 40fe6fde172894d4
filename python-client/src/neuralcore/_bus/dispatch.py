"""Who calls handlers: a task on an event loop, or worker threads."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Awaitable
from typing import Any, Protocol

from neuralcore._bus.ready import ReadyQueue

log = logging.getLogger("neuralcore.messaging")

SMALL_BACKLOG = 8
"""Up to so many waiting messages, asyncio handlers are kept apart by ``TICKS`` loop ticks."""
TICKS = 3
_TURN = 64
"""With a larger backlog the loop gets a tick after so many messages."""


class Dispatcher(Protocol):
    queue: ReadyQueue

    def wake(self) -> None:
        """There is something in the queue. From any thread."""

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
    throughput counts, and the loop gets a tick every 64 messages.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.queue = ReadyQueue()
        self._loop = loop
        self._leader: asyncio.Task[None] | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._woken = False
        self._handling = False
        self._calls = 0
        self._closed = False

    def wake(self) -> None:
        if self._woken:
            return
        self._woken = True
        try:
            self._loop.call_soon_threadsafe(self._lead)
        except RuntimeError:  # the loop is closed
            self._closed = True
            self.queue.clear()

    def can_finish(self) -> bool:
        return self._loop.is_running() and not self._closed

    def is_current(self) -> bool:
        try:
            return asyncio.current_task() in self._tasks
        except RuntimeError:  # no loop runs in this thread
            return False

    def close(self, *, cancel: bool) -> None:
        self._closed = True
        self.queue.clear()
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
        if self._leader is not None or self._closed or not len(self.queue):
            return
        task = self._loop.create_task(self._run())
        self._leader = task
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        self._watch(task, -1, 0)

    def _watch(self, leader: asyncio.Task[None], calls: int, ticks: int) -> None:
        """Every loop tick: has the leader been in one handler for too long?"""
        if self._leader is not leader:
            return
        if self._handling and self._calls == calls:
            ticks += 1
        else:
            calls, ticks = self._calls, 0
        if ticks >= TICKS and len(self.queue):
            self._leader = None
            self._lead()
        elif ticks < TICKS or not self._handling:
            self._loop.call_soon(self._watch, leader, calls, ticks)
        else:
            # Nothing else to do: `wake` will see that the leader is stuck.
            self._leader = None

    async def _run(self) -> None:
        me = asyncio.current_task()
        try:
            while self._leader is me:
                entry = self.queue.pop()
                if entry is None:
                    return
                subscription, message = entry
                self._calls += 1
                self._handling = True
                try:
                    await subscription.handle(message)
                    subscription.finished()
                    if self._leader is me:
                        self._handling = False
                    await self._pause()
                finally:
                    self.queue.done(subscription)
        finally:
            if self._leader is me:
                self._leader = None
            if self._leader is None and len(self.queue):
                self.wake()

    async def _pause(self) -> None:
        if len(self.queue) <= SMALL_BACKLOG:
            for _ in range(TICKS):
                await asyncio.sleep(0)
        elif self._calls % _TURN == 0:
            await asyncio.sleep(0)


class ThreadDispatcher:
    """Calls the plain functions of one bus on up to ``workers`` daemon threads.

    They start in the order of the queue; those of different subscriptions overlap.
    """

    def __init__(self, workers: int) -> None:
        self.queue = ReadyQueue()
        self._workers = workers
        self._condition = threading.Condition()
        self._threads: list[threading.Thread] = []
        self._waiting = 0
        self._closed = False

    def wake(self) -> None:
        with self._condition:
            if self._closed:
                return
            if self._waiting:
                self._condition.notify(len(self.queue))
            missing = min(len(self.queue), self._workers) - self._waiting
            while missing > 0 and len(self._threads) < self._workers:
                missing -= 1
                name = f"neuralcore-handler-{len(self._threads)}"
                thread = threading.Thread(target=self._work, name=name, daemon=True)
                self._threads.append(thread)
                thread.start()

    def can_finish(self) -> bool:
        return not self._closed

    def is_current(self) -> bool:
        return threading.current_thread() in self._threads

    def close(self, *, cancel: bool) -> None:
        self.queue.clear()
        with self._condition:
            self._closed = True
            self._condition.notify_all()

    def _work(self) -> None:
        while True:
            entry = self.queue.pop()
            if entry is None:
                with self._condition:
                    while not len(self.queue) and not self._closed:
                        self._waiting += 1
                        self._condition.wait()
                        self._waiting -= 1
                    if self._closed:
                        return
                continue
            subscription, message = entry
            try:
                subscription.handle_here(message)
            finally:
                self.queue.done(subscription)
                subscription.finished()


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
