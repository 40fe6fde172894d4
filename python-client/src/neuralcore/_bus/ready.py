"""Which received message is handled next."""

from __future__ import annotations

import heapq
import itertools
import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING

from neuralcore._bus.message import Message

if TYPE_CHECKING:
    from neuralcore._bus.subscription import Subscription

Entry = tuple[int, int, "Subscription", Message]


class ReadyQueue:
    """The inbox of all subscriptions that share a dispatcher, most urgent first.

    Lower priorities go first; equal ones in the order of arrival, across channels, so that messages
    which wait here do not hold up a more urgent one behind them. A subscription that already
    handles as many as it may at once steps aside until one is finished, and delays no other.

    Thread-safe. O(log n) a message.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._heap: list[Entry] = []
        self._parked: dict[Subscription, list[Entry]] = {}
        self._arrivals = itertools.count()
        self._running = 0
        self._idle = threading.Event()
        self._idle.set()

    def __len__(self) -> int:
        """Messages that wait and could be handled now."""
        return len(self._heap)

    def push(self, subscription: Subscription, messages: Sequence[Message]) -> None:
        with self._lock:
            for message in messages:
                entry = (message.priority, next(self._arrivals), subscription, message)
                heapq.heappush(self._heap, entry)
            self._idle.clear()

    def pop(self) -> tuple[Subscription, Message] | None:
        """The next message, and whose; its subscription counts as busy with it until ``done``."""
        with self._lock:
            while self._heap:
                entry = heapq.heappop(self._heap)
                subscription = entry[2]
                if subscription.cancelled:
                    continue
                if subscription.running >= subscription.concurrency:
                    self._parked.setdefault(subscription, []).append(entry)
                    continue
                subscription.running += 1
                self._running += 1
                return subscription, entry[3]
            self._check_idle()
            return None

    def done(self, subscription: Subscription) -> None:
        """A message that was popped has been handled."""
        with self._lock:
            subscription.running -= 1
            self._running -= 1
            for entry in self._parked.pop(subscription, ()):
                heapq.heappush(self._heap, entry)
            self._check_idle()

    def clear(self) -> None:
        """Forgets what waits."""
        with self._lock:
            self._heap.clear()
            self._parked.clear()
            self._check_idle()

    def wait_idle(self, timeout: float) -> bool:
        """Waits until nothing waits or is being handled; False if that took too long."""
        return self._idle.wait(timeout)

    def _check_idle(self) -> None:
        if not self._heap and not self._parked and not self._running:
            self._idle.set()
