"""The counts of this process's buses for Prometheus, under ATLAS's names.

``ncb_published_total``, ``ncb_dropped_total``, ``ncb_dispatched_total``, ``ncb_errors_total``,
``ncb_queue_size``, ``ncb_publish_latency_ms``, ``ncb_dispatch_latency_ms``, each with the label
``channel``. They are in ``prometheus_client``'s default registry, and served on 127.0.0.1 alone.
"""

from __future__ import annotations

import importlib
import itertools
import logging
import threading
import weakref
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

from neuralcore.compat._ncb.logs import about
from neuralcore.compat._ncb.metrics import LATENCY_BUCKETS_MS, Histogram, MetricsRegistry

_COUNTERS = {
    "published": "Messages published",
    "dropped": "Messages for which there was no room",
    "dispatched": "Messages handled, by each subscriber",
    "errors": "Failures of plugins, filters and handlers",
}
_HISTOGRAMS = {
    "publish": "Time a call of publish took, in milliseconds",
    "dispatch": "Time a handler took, in milliseconds",
}


class Exporter:
    """Shows several buses as one; made for the process, see :data:`exporter`. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._shown: weakref.WeakSet[MetricsRegistry] = weakref.WeakSet()
        self._registered = False
        self._servers: dict[int, tuple[int, Callable[[], None]]] = {}

    def show(self, metrics: MetricsRegistry) -> None:
        """
        :raises ImportError: if ``prometheus_client`` is not installed.
        """
        client: Any = importlib.import_module("prometheus_client")
        with self._lock:
            self._shown.add(metrics)
            if not self._registered:
                client.REGISTRY.register(self)
                self._registered = True

    def serve(self, port: int) -> None:
        """Serves the default registry on 127.0.0.1, once for all who ask for the same port.

        :raises OSError: if somebody else has the port.
        """
        client: Any = importlib.import_module("prometheus_client")
        with self._lock:
            users, close = self._servers.get(port, (0, None))
            if close is None:
                close = _closing(*client.start_http_server(port, addr="127.0.0.1"))
            self._servers[port] = (users + 1, close)

    def release(self, port: int) -> None:
        """One who asked for the port needs it no more; the last ends the server."""
        with self._lock:
            users, close = self._servers.pop(port)
            if users > 1:
                self._servers[port] = (users - 1, close)
                return
        close()

    def collect(self) -> Iterator[Any]:
        """What ``prometheus_client`` calls at each scrape."""
        core: Any = importlib.import_module("prometheus_client.core")
        shown = list(self._shown)
        for name, text in _COUNTERS.items():
            family = core.CounterMetricFamily(f"ncb_{name}", text, labels=["channel"])
            for channel, total in _sums(shown, name).items():
                family.add_metric([channel], total)
            yield family
        sizes = core.GaugeMetricFamily("ncb_queue_size", "Messages that wait", labels=["channel"])
        waiting: Counter[str] = Counter()
        for metrics in shown:
            waiting.update(metrics.queue_sizes())
        for channel, size in waiting.items():
            sizes.add_metric([channel], size)
        yield sizes
        for name, text in _HISTOGRAMS.items():
            family = core.HistogramMetricFamily(f"ncb_{name}_latency_ms", text, labels=["channel"])
            for channel, counts in _histograms(shown, name).items():
                total = _sums(shown, f"{name}_latency_ms_sum")[channel]
                family.add_metric([channel], _buckets(counts), total)
            yield family

    def describe(self) -> list[Any]:
        return []


def _sums(shown: list[MetricsRegistry], name: str) -> dict[str, float]:
    sums: dict[str, float] = {}
    for metrics in shown:
        for channel, counts in list(metrics.local.items()):
            sums[channel] = sums.get(channel, 0) + getattr(counts, name)
    return sums


def _histograms(shown: list[MetricsRegistry], name: str) -> dict[str, list[int]]:
    sums: dict[str, list[int]] = {}
    for metrics in shown:
        of: dict[str, Histogram] = getattr(metrics, f"{name}_latency")
        for channel, histogram in list(of.items()):
            before = sums.get(channel, [0] * len(histogram.counts))
            sums[channel] = [a + b for a, b in zip(before, histogram.counts, strict=True)]
    return sums


def _buckets(counts: list[int]) -> list[tuple[str, float]]:
    bounds = [*map(str, map(float, LATENCY_BUCKETS_MS)), "+Inf"]
    return list(zip(bounds, map(float, itertools.accumulate(counts)), strict=True))


def _closing(server: Any, thread: threading.Thread) -> Callable[[], None]:
    def close() -> None:
        server.shutdown()
        server.server_close()
        thread.join(1.0)

    return close


exporter = Exporter()
"""The process's own: Prometheus's default registry takes each name once."""


class Export:
    """Serves the counts of one bus while it runs.

    :param port: on 127.0.0.1; None if they are not to be served.
    """

    def __init__(self, metrics: MetricsRegistry, port: int | None, logger: logging.Logger) -> None:
        self._metrics = metrics
        self._port = port
        self._logger = logger
        self._is_served = False

    def begin(self) -> None:
        """A library that is missing, or a port that is taken, is a warning."""
        if self._port is None:
            return
        try:
            exporter.show(self._metrics)
            exporter.serve(self._port)
            self._is_served = True
        except (ImportError, OSError) as error:
            extra = about("prometheus_fail", error=error)
            self._logger.warning("The counts are not served: %s", error, extra=extra)

    def end(self) -> None:
        if self._is_served and self._port is not None:
            self._is_served = False
            exporter.release(self._port)
