"""Counts of what one bus did, by channel."""

from __future__ import annotations

import bisect
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

LATENCY_BUCKETS_MS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 50, 250, 1000, 10000)


@dataclass
class LocalMetrics:
    """Counts of one channel.

    :ivar published: messages for which ``publish`` returned an id.
    :ivar dropped: messages for which there was no room, then or later.
    :ivar dispatched: messages handled, counted for each subscriber.
    :ivar errors: what failed: plugins, filters, handlers (once a message, after its retries).
    """

    published: int = 0
    dropped: int = 0
    dispatched: int = 0
    errors: int = 0
    publish_latency_ms_sum: float = 0.0
    dispatch_latency_ms_sum: float = 0.0


@dataclass
class Histogram:
    """How many observations were up to each of ``LATENCY_BUCKETS_MS``, or above them all."""

    counts: list[int] = field(default_factory=lambda: [0] * (len(LATENCY_BUCKETS_MS) + 1))

    def observe(self, value: float) -> None:
        self.counts[bisect.bisect_left(LATENCY_BUCKETS_MS, value)] += 1


QueueSizes = Callable[[], Mapping[str, int]]


class MetricsRegistry:
    """The counts of one bus. Thread-safe.

    :ivar local: channel to counts.
    :ivar queue_sizes: asks how many messages wait, by channel.
    """

    def __init__(self, queue_sizes: QueueSizes, *, histograms: bool = False) -> None:
        self.local: dict[str, LocalMetrics] = {}
        self.queue_sizes = queue_sizes
        self.publish_latency: dict[str, Histogram] = {}
        self.dispatch_latency: dict[str, Histogram] = {}
        self._histograms = histograms
        self._lock = threading.Lock()

    def of(self, channel: str) -> LocalMetrics:
        found = self.local.get(channel)
        return found if found is not None else self.local.setdefault(channel, LocalMetrics())

    def published(self, channel: str, milliseconds: float) -> None:
        counts = self.of(channel)
        with self._lock:
            counts.published += 1
            counts.publish_latency_ms_sum += milliseconds
            if self._histograms:
                self.publish_latency.setdefault(channel, Histogram()).observe(milliseconds)

    def dispatched(self, channel: str, milliseconds: float) -> None:
        """A message was handled, in such a time."""
        counts = self.of(channel)
        with self._lock:
            counts.dispatched += 1
            self._took(channel, counts, milliseconds)

    def took(self, channel: str, milliseconds: float) -> None:
        """So long did a handler run that failed."""
        counts = self.of(channel)
        with self._lock:
            self._took(channel, counts, milliseconds)

    def _took(self, channel: str, counts: LocalMetrics, milliseconds: float) -> None:
        counts.dispatch_latency_ms_sum += milliseconds
        if self._histograms:
            self.dispatch_latency.setdefault(channel, Histogram()).observe(milliseconds)

    def dropped(self, channel: str) -> None:
        with self._lock:
            self.of(channel).dropped += 1

    def failed(self, channel: str) -> None:
        with self._lock:
            self.of(channel).errors += 1
