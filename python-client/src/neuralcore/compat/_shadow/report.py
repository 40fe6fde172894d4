"""What was found to differ, counted, and the first of it kept."""

from __future__ import annotations

import json
import logging
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

logger = logging.getLogger("neuralcore.shadow")


class Difference(NamedTuple):
    """:ivar kind: such as "missing"; each has its own count."""

    kind: str
    where: str
    detail: str


class Report:
    """Counts what was compared and what differed. Thread-safe.

    :param keep: so many differences are kept; all are counted.
    :param on_difference: called with each; it must not block.
    """

    def __init__(
        self, keep: int = 1000, on_difference: Callable[[Difference], None] | None = None
    ) -> None:
        self._keep = keep
        self._on_difference = on_difference
        self._lock = threading.Lock()
        self.compared: Counter[str] = Counter()
        self.counts: Counter[str] = Counter()
        self.differences: list[Difference] = []
        self._seconds: dict[str, list[float]] = {}

    def agreed(self, what: str, times: int = 1) -> None:
        """So many have been compared."""
        with self._lock:
            self.compared[what] += times

    def differs(self, kind: str, where: str, detail: str) -> None:
        """Notes a difference, and logs it."""
        found = Difference(kind, where, detail)
        with self._lock:
            self.counts[kind] += 1
            kept = len(self.differences) < self._keep
            if kept:
                self.differences.append(found)
        if kept:
            logger.warning("%s: %s (%s)", where, kind, detail)
        if self._on_difference is not None:
            self._on_difference(found)

    def took(self, side: str, seconds: float) -> None:
        """How long a call took on one side; the last 10,000 count."""
        with self._lock:
            times = self._seconds.setdefault(side, [])
            if len(times) >= 10_000:
                del times[: len(times) // 2]
            times.append(seconds)

    @property
    def agrees(self) -> bool:
        """Whether nothing differed."""
        return not self.counts

    def as_dict(self) -> dict[str, Any]:
        """All of it, for JSON. Times are medians, in milliseconds."""
        with self._lock:
            return {
                "at": time.time(),
                "compared": dict(self.compared),
                "differences": dict(self.counts),
                "milliseconds": {
                    side: round(1000 * sorted(times)[len(times) // 2], 4)
                    for side, times in self._seconds.items()
                },
                "first": [found._asdict() for found in self.differences],
            }

    def write(self, path: str | Path) -> None:
        """Writes it as JSON."""
        Path(path).write_text(json.dumps(self.as_dict(), indent=1) + "\n")

    def __str__(self) -> str:
        compared = (
            ", ".join(f"{n} {what}" for what, n in sorted(self.compared.items())) or "nothing"
        )
        found = ", ".join(f"{n} {kind}" for kind, n in sorted(self.counts.items())) or "none"
        return f"compared: {compared}; differences: {found}"
