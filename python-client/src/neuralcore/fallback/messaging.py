"""The bus within one process, for when there is no daemon.

It keeps the daemon's rules: strict priority, first come first served within a priority and across
channels, a bounded queue and a credit for each subscription, at most one delivery, nothing stored.
``src/main/java/neuralcore/bus`` is the original. Messages are encoded and decoded as if they
travelled, so that a program behaves the same with the daemon. What it lacks it refuses with
``NotSupported``: acknowledgements, durable groups, replay, patterns, filters, delays, and channels
that are persistent unless the bus was made with ``allow_volatile=True``.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import threading
import time
import weakref
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Any, Literal

from neuralcore._bus.backend import Listener, OnMessages
from neuralcore._bus.batch import Batch, Rejected
from neuralcore._bus.message import ABOUT, Message
from neuralcore._wire import AnySettlement, Outgoing
from neuralcore.errors import InvalidRequest, NotSupported

MAX_QUEUE_SIZE = 1000
_DEFAULTS: dict[str, Any] = {"max_queue_size": MAX_QUEUE_SIZE, "drop_policy": "drop_new"}


class _Waiting:
    """A message, and how many subscriptions still have it queued."""

    __slots__ = ("copies", "delivered", "expires_at", "message", "order", "publisher", "sequence")

    def __init__(
        self, message: Outgoing, publisher: LocalBackend, order: int, sequence: int
    ) -> None:
        self.message = message
        self.publisher = publisher
        self.order = order
        self.sequence = sequence
        self.copies = 0
        self.delivered = False
        self.expires_at = (
            time.monotonic() + message.ttl_ms / 1000 if message.ttl_ms else float("inf")
        )

    def is_lost(self) -> bool:
        return not self.copies and not self.delivered

    def __lt__(self, other: _Waiting) -> bool:
        mine, others = self.message.priority, other.message.priority
        return self.order < other.order if mine == others else mine < others


class _Queue:
    """One subscription: what waits for it, and how much it may be given."""

    def __init__(self, number: int, channel: _Channel, credit: int, deliver: OnMessages) -> None:
        self.number = number
        self.channel = channel
        self.credit = credit
        self.deliver = deliver
        self.heap: list[_Waiting] = []

    def offer(self, waiting: _Waiting) -> _Waiting | None:
        """Queues a copy; returns what had to give way, the newcomer itself or another."""
        counts, displaced = self.channel.counts, None
        if self._is_full():
            counts["dropped"] += 1
            displaced = waiting
            if self.channel.options["drop_policy"] == "drop_old":
                # The worst priority, and within it the oldest.
                worst = max(w.message.priority for w in self.heap)
                if waiting.message.priority <= worst:
                    displaced = min(w for w in self.heap if w.message.priority == worst)
            if displaced is waiting:
                return waiting
            self.heap.remove(displaced)
            heapq.heapify(self.heap)
            displaced.copies -= 1
            counts["queued"] -= 1
        heapq.heappush(self.heap, waiting)
        waiting.copies += 1
        counts["queued"] += 1
        return displaced

    def _is_full(self) -> bool:
        limit: int = self.channel.options["max_queue_size"]
        if limit <= 0 or len(self.heap) - self.credit < limit:
            return False
        self._sweep()
        return len(self.heap) - self.credit >= limit

    def _sweep(self) -> None:
        now = time.monotonic()
        kept = [w for w in self.heap if w.expires_at > now]
        for waiting in self.heap:
            if waiting.expires_at <= now:
                self._expired(waiting)
        heapq.heapify(kept)
        self.heap = kept

    def _expired(self, waiting: _Waiting) -> None:
        waiting.copies -= 1
        self.channel.counts["queued"] -= 1
        self.channel.counts["expired"] += 1

    def head(self) -> _Waiting | None:
        """What would be delivered next, if there is credit for it."""
        now = time.monotonic()
        while self.heap and self.credit > 0:
            if self.heap[0].expires_at > now:
                return self.heap[0]
            self._expired(heapq.heappop(self.heap))
        return None

    def take(self) -> Message:
        waiting = heapq.heappop(self.heap)
        waiting.copies -= 1
        waiting.delivered = True
        self.credit -= 1
        self.channel.counts["queued"] -= 1
        self.channel.counts["delivered"] += 1
        message = waiting.message
        return Message(
            message.channel,
            message.priority,
            waiting.order,
            1,
            ABOUT.pack(
                waiting.publisher.publisher,
                message.sequence,
                waiting.sequence,
                message.timestamp_ns,
            ),
            message.payload_type | message.meta_type << 8,
            message.payload,
            message.meta,
        )


class _Channel:
    def __init__(self) -> None:
        self.options = dict(_DEFAULTS)
        self.configured = False
        self.queues: list[_Queue] = []
        self.last_sequence = 0
        names = ("published", "delivered", "dropped", "expired", "unrouted", "queued")
        self.counts = dict.fromkeys(names, 0)


class _Namespace:
    """The channels that buses of one name share. Thread-safe.

    Receivers are called with the lock held, so that they get everything in order; they only queue.
    """

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.channels: dict[str, _Channel] = {}
        self.orders = itertools.count()

    def channel(self, name: str) -> _Channel:
        return self.channels.setdefault(name, _Channel())

    def publish(self, publisher: LocalBackend, batch: Sequence[Outgoing]) -> list[Rejected]:
        """Queues a batch; which of it found no room. Others' losses are told to them."""
        lost: dict[LocalBackend, list[Rejected]] = {}
        with self.lock:
            touched: dict[_Queue, None] = {}
            for message in batch:
                channel = self.channel(message.channel)
                channel.counts["published"] += 1
                channel.last_sequence += 1
                if not channel.queues:
                    channel.counts["unrouted"] += 1
                    continue
                waiting = _Waiting(message, publisher, next(self.orders), channel.last_sequence)
                for queue in channel.queues:
                    displaced = queue.offer(waiting)
                    touched[queue] = None
                    if displaced is not None and displaced is not waiting and displaced.is_lost():
                        _note_lost(lost, displaced)
                if waiting.is_lost():
                    channel.last_sequence -= 1
                    _note_lost(lost, waiting)
            self.deliver(list(touched))
        mine = lost.pop(publisher, [])
        for backend, rejected in lost.items():
            backend.listener.rejected(rejected)
        return mine

    def deliver(self, queues: list[_Queue]) -> None:
        """Hands out what credit allows, over all the queues the most urgent and oldest first."""
        heads = [(head, i) for i, queue in enumerate(queues) if (head := queue.head())]
        heapq.heapify(heads)
        run: list[Message] = []
        current = -1
        while heads:
            _, i = heapq.heappop(heads)
            if i != current and run:
                queues[current].deliver(run)
                run = []
            current = i
            run.append(queues[i].take())
            head = queues[i].head()
            if head is not None:
                heapq.heappush(heads, (head, i))
        if run:
            queues[current].deliver(run)


def _note_lost(lost: dict[LocalBackend, list[Rejected]], waiting: _Waiting) -> None:
    message = waiting.message
    rejected = Rejected(message.sequence, message.channel, "QUEUE_FULL")
    lost.setdefault(waiting.publisher, []).append(rejected)


_shared: weakref.WeakValueDictionary[str, _Namespace] = weakref.WeakValueDictionary()
_shared_lock = threading.Lock()


class LocalBackend:
    """One bus's access to a namespace of this process. Thread-safe, never waits."""

    kind: Literal["fallback"] = "fallback"

    def __init__(
        self, namespace: str, publisher: int, listener: Listener, *, allow_volatile: bool
    ) -> None:
        self.publisher = publisher
        self.listener = listener
        self._allow_volatile = allow_volatile
        self._queues: dict[int, _Queue] = {}
        with _shared_lock:
            self._namespace = _shared.setdefault(namespace, _Namespace())

    def attach(self, loop: asyncio.AbstractEventLoop) -> None:
        """It has no thread of its own."""

    def open(self, path: str, timeout: float) -> None:
        """The bus has said that losing messages is fine."""

    def send(self, batch: Batch, wait: float) -> bool:
        if batch.delayed:
            raise _lacks("delayed delivery")
        rejected = self._namespace.publish(self, [message for message, _ in batch.messages()])
        batch.settle(rejected)
        if rejected:
            self.listener.rejected(rejected)
        return True

    def flush(self, timeout: float) -> None:
        """Nothing is on its way."""

    def subscribe(
        self,
        number: int,
        channel: str,
        window: Callable[[], int],
        on_messages: OnMessages,
        options: dict[str, Any],
        timeout: float,
    ) -> None:
        if options:
            raise _lacks(f"a subscription with {', '.join(sorted(options))}")
        if "*" in channel:
            raise _lacks(f"a pattern such as {channel!r}")
        with self._namespace.lock:
            of = self._namespace.channel(channel)
            queue = _Queue(number, of, window(), on_messages)
            of.queues.append(queue)
            self._queues[number] = queue

    def unsubscribe(self, number: int, forget: bool, timeout: float) -> None:
        with self._namespace.lock:
            queue = self._queues.pop(number, None)
            if queue is not None:
                queue.channel.queues.remove(queue)
                queue.channel.counts["queued"] -= len(queue.heap)
                for waiting in queue.heap:
                    waiting.copies -= 1

    def grant(self, number: int, messages: int) -> None:
        with self._namespace.lock:
            queue = self._queues.get(number)
            if queue is not None:
                queue.credit += messages
                if queue.heap:
                    self._namespace.deliver([queue])

    def settle(self, number: int, settlements: Sequence[AnySettlement]) -> Future[Any]:
        raise _lacks("acknowledgement")

    def create(self, channel: str, options: dict[str, Any], timeout: float) -> bool:
        policy = options.get("drop_policy", "drop_new")
        if policy == "block":
            raise _lacks("drop_policy 'block'")
        if policy not in ("drop_new", "drop_old"):
            raise InvalidRequest(f"drop_policy is {policy!r}; 'drop_new' or 'drop_old' is needed.")
        if options.get("persistent") and not self._allow_volatile:
            raise _lacks(
                f"the persistent channel {channel!r}",
                hint="Pass allow_volatile=True to the bus if losing its messages is fine.",
            )
        with self._namespace.lock:
            of = self._namespace.channel(channel)
            if of.configured:
                return False
            of.configured = True
            of.options.update(options)
            return True

    def call(self, verb: str, params: dict[str, Any], timeout: float) -> dict[str, Any]:
        raise _lacks(f"neuralcore.messaging.{verb}")

    def declare(self, channel: str, options: dict[str, Any]) -> None:
        self.create(channel, options, 0.0)

    def stats(self, timeout: float) -> dict[str, dict[str, int]]:
        with self._namespace.lock:
            return {
                name: {**channel.counts, "subscriptions": len(channel.queues)}
                for name, channel in self._namespace.channels.items()
            }

    def close(self, timeout: float) -> None:
        for number in list(self._queues):
            self.unsubscribe(number, False, timeout)


def _lacks(what: str, hint: str = "Start the daemon.") -> NotSupported:
    return NotSupported(f"Without the daemon there is no {what}.", hint=hint)
