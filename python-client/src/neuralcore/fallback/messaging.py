"""The bus within one process, for when there is no daemon.

It keeps the daemon's rules: strict priority, first come first served within a priority and across
channels, a bounded queue and a credit for each subscription, nothing stored.
``src/main/java/neuralcore/bus`` is the original. Messages are encoded and decoded as if they
travelled, so that a program behaves the same with the daemon. What it lacks it refuses with
``NotSupported``: groups, replay, patterns, filters, rates, delays, and channels that are persistent
unless the bus was made with ``allow_volatile=True``. A message that was not acknowledged is tried
again, but a process that ends takes it along.
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
from neuralcore._wire import ACK, BY_BACKOFF, EXTEND, NACK, AnySettlement, Outgoing
from neuralcore.errors import InvalidRequest, NotFound, NotSupported
from neuralcore.fallback._attempts import BUS, Attempts, Keys, key_of, letter, timers

MAX_QUEUE_SIZE = 1000
_DEFAULTS: dict[str, Any] = {"max_queue_size": MAX_QUEUE_SIZE, "drop_policy": "drop_new"}
_UNDERSTOOD = {"ack", "name", "max_attempts", "backoff", "lease"}
_KEY_SECONDS = 60.0


class _Waiting:
    """A message, and how many subscriptions still have it queued.

    :ivar publisher: None if it is the bus itself.
    :ivar key: its idempotency key, while nobody has dealt with it.
    """

    __slots__ = (
        "copies",
        "delivered",
        "expires_at",
        "key",
        "message",
        "order",
        "publisher",
        "sequence",
    )

    def __init__(
        self, message: Outgoing, publisher: LocalBackend | None, order: int, sequence: int
    ) -> None:
        self.message = message
        self.publisher = publisher
        self.order = order
        self.sequence = sequence
        self.copies = 0
        self.delivered = False
        self.key: str | None = None
        self.expires_at = (
            time.monotonic() + message.ttl_ms / 1000 if message.ttl_ms else float("inf")
        )

    def is_lost(self) -> bool:
        return not self.copies and not self.delivered

    def __lt__(self, other: _Waiting) -> bool:
        mine, others = self.message.priority, other.message.priority
        return self.order < other.order if mine == others else mine < others


class _Queue:
    """One subscription: what waits for it, and how much it may be given.

    :ivar attempts: how often it gets what it fails at; None if it does not acknowledge.
    :ivar held: delivered and not acknowledged, by their order, with the number of attempts.
    :ivar tried: attempts of those that wait for another.
    """

    def __init__(
        self,
        number: int,
        channel: _Channel,
        credit: int,
        deliver: OnMessages,
        attempts: Attempts | None,
    ) -> None:
        self.number = number
        self.attempts = attempts
        self.held: dict[int, tuple[_Waiting, int]] = {}
        self.tried: dict[int, int] = {}
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
        attempt = self.tried.pop(waiting.order, 0) + 1
        if self.attempts is not None:
            self.held[waiting.order] = (waiting, attempt)
        else:
            self.channel.is_done(waiting)
        message = waiting.message
        return Message(
            message.channel,
            message.priority,
            waiting.order,
            attempt,
            ABOUT.pack(
                BUS if waiting.publisher is None else waiting.publisher.publisher,
                message.sequence,
                waiting.sequence,
                message.timestamp_ns,
            ),
            message.payload_type | message.meta_type << 8,
            message.payload,
            message.meta,
        )

    def again(self, waiting: _Waiting, attempt: int) -> None:
        """Queues what has been delivered once more; it had its place before, and needs none."""
        self.tried[waiting.order] = attempt
        heapq.heappush(self.heap, waiting)
        waiting.copies += 1
        self.channel.counts["queued"] += 1


class _Channel:
    def __init__(self, name: str) -> None:
        self.name = name
        self.options = dict(_DEFAULTS)
        self.configured = False
        self.queues: list[_Queue] = []
        self.last_sequence = 0
        self.keys = Keys()
        names = ("published", "delivered", "dropped", "expired", "unrouted", "queued")
        self.counts = dict.fromkeys(names, 0)

    def takes(self, waiting: _Waiting) -> bool:
        """Whether its idempotency key is free, if there is one."""
        field = self.options.get("idempotency_key_field")
        key = key_of(waiting.message, field) if field else None
        if key is None:
            return True
        if not self.keys.take(key):
            return False
        waiting.key = key
        return True

    def is_done(self, waiting: _Waiting) -> None:
        """A subscription has dealt with it."""
        if waiting.key is not None:
            seconds = float(self.options.get("idempotency_ttl") or _KEY_SECONDS)
            self.keys.done(waiting.key, seconds)

    def is_lost(self, waiting: _Waiting) -> None:
        """It has been given up, and may be sent again."""
        if waiting.key is not None and not waiting.copies:
            self.keys.release(waiting.key)


class _Namespace:
    """The channels that buses of one name share. Thread-safe.

    Receivers are called with the lock held, so that they get everything in order; they only queue.
    """

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.channels: dict[str, _Channel] = {}
        self.orders = itertools.count()

    def channel(self, name: str) -> _Channel:
        found = self.channels.get(name)
        if found is None:
            found = self.channels[name] = _Channel(name)
        return found

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
                if not channel.takes(waiting):
                    channel.last_sequence -= 1
                    _note_lost(lost, waiting, "DUPLICATE")
                    continue
                self._queue(channel, waiting, touched, lost)
            self.deliver(list(touched))
        mine = lost.pop(publisher, [])
        for backend, rejected in lost.items():
            backend.listener.rejected(rejected)
        return mine

    def _queue(
        self,
        channel: _Channel,
        waiting: _Waiting,
        touched: dict[_Queue, None],
        lost: dict[LocalBackend, list[Rejected]],
    ) -> None:
        for queue in channel.queues:
            displaced = queue.offer(waiting)
            touched[queue] = None
            if displaced is not None and displaced is not waiting and displaced.is_lost():
                channel.is_lost(displaced)
                _note_lost(lost, displaced)
        if waiting.is_lost():
            channel.last_sequence -= 1
            channel.is_lost(waiting)
            _note_lost(lost, waiting)

    # What came of deliveries

    def settle(self, queue: _Queue, settlements: Sequence[AnySettlement]) -> None:
        """Ends deliveries, tries them again, or gives them up; each gives its credit back."""
        assert queue.attempts is not None
        with self.lock:
            touched = {queue: None}
            for _, kind, order, milliseconds, reason in settlements:
                if kind == EXTEND or order not in queue.held:
                    continue
                waiting, attempt = queue.held.pop(order)
                queue.credit += 1
                if kind == ACK:
                    queue.channel.is_done(waiting)
                elif kind == NACK and queue.attempts.may_try_again(attempt):
                    seconds = milliseconds / 1000
                    if milliseconds == BY_BACKOFF:
                        seconds = queue.attempts.wait(attempt)
                    self._again_after(seconds, queue, waiting, attempt)
                else:
                    self._give_up(queue, waiting, reason, touched)
            self.deliver(list(touched))

    def _again_after(self, seconds: float, queue: _Queue, waiting: _Waiting, attempt: int) -> None:
        def again() -> None:
            with self.lock:
                if queue in queue.channel.queues:
                    queue.again(waiting, attempt)
                    self.deliver([queue])

        timers.after(seconds, again)

    def _give_up(
        self, queue: _Queue, waiting: _Waiting, reason: bytes, touched: dict[_Queue, None]
    ) -> None:
        """Writes a dead letter, if the channel has any; there is none of a dead letter."""
        queue.channel.is_lost(waiting)
        name = queue.channel.options.get("dead_letter_channel")
        if not name or waiting.publisher is None:
            return
        letters = self.channel(name)
        letters.counts["published"] += 1
        letters.last_sequence += 1
        if not letters.queues:
            letters.counts["unrouted"] += 1
            return
        assert queue.attempts is not None
        order = next(self.orders)
        publisher = waiting.publisher.publisher
        message = letter(name, order, waiting.message, publisher, queue.attempts.name, reason)
        about = _Waiting(message, None, order, letters.last_sequence)
        self._queue(letters, about, touched, {})

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


def _note_lost(
    lost: dict[LocalBackend, list[Rejected]], waiting: _Waiting, code: str = "QUEUE_FULL"
) -> None:
    if waiting.publisher is not None:
        rejected = Rejected(waiting.message.sequence, waiting.message.channel, code)
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
            raise _lacks("Delayed delivery")
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
        lacking = sorted(options.keys() - _UNDERSTOOD)
        if lacking:
            raise _lacks(f"A subscription with {', '.join(lacking)}")
        if "*" in channel:
            raise _lacks(f"A pattern such as {channel!r}")
        with self._namespace.lock:
            of = self._namespace.channel(channel)
            attempts = Attempts.of(options) if options.get("ack") == "explicit" else None
            queue = _Queue(number, of, window(), on_messages, attempts)
            of.queues.append(queue)
            self._queues[number] = queue

    def begin_subscribe(
        self,
        number: int,
        channel: str,
        window: Callable[[], int],
        on_messages: OnMessages,
        options: dict[str, Any],
        timeout: float,
    ) -> Future[Any]:
        done: Future[Any] = Future()
        self.subscribe(number, channel, window, on_messages, options, timeout)
        done.set_result(None)
        return done

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
        done: Future[Any] = Future()
        with self._namespace.lock:
            queue = self._queues.get(number)
            if queue is None or queue.attempts is None:
                done.set_exception(NotFound("The subscription has ended."))
            else:
                self._namespace.settle(queue, settlements)
                done.set_result(None)
        return done

    def create(self, channel: str, options: dict[str, Any], timeout: float) -> bool:
        self._check(channel, options)
        with self._namespace.lock:
            of = self._namespace.channel(channel)
            if of.configured:
                return False
            of.configured = True
            of.options.update(options)
            return True

    def declare(self, channel: str, options: dict[str, Any]) -> None:
        self._check(channel, options)
        with self._namespace.lock:
            of = self._namespace.channel(channel)
            of.configured = True
            of.options.update(options)

    def _check(self, channel: str, options: dict[str, Any]) -> None:
        policy = options.get("drop_policy", "drop_new")
        if policy == "block":
            raise _lacks("drop_policy='block'")
        if policy not in ("drop_new", "drop_old"):
            raise InvalidRequest(f"drop_policy is {policy!r}; 'drop_new' or 'drop_old' is needed.")
        if options.get("persistent") and not self._allow_volatile:
            raise _lacks(
                f"The persistent channel {channel!r}",
                hint="Pass allow_volatile=True to the bus if losing its messages is fine.",
            )

    def call(self, verb: str, params: dict[str, Any], timeout: float) -> dict[str, Any]:
        if verb != "configure":
            raise _lacks(f"neuralcore.messaging.{verb}")
        self.declare(params["channel"], {k: v for k, v in params.items() if k != "channel"})
        return {}

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
    return NotSupported(f"{what} needs the daemon.", hint=hint)
