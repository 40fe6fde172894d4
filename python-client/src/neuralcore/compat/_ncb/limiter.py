"""How fast something may happen."""

from __future__ import annotations

import asyncio
import threading
import time


class TokenBucket:
    """Lets ``rate_per_sec`` pass a second, and up to ``capacity`` at once. Thread-safe.

    Whoever comes too early waits, in the order of coming. O(1).
    """

    def __init__(self, rate_per_sec: float, capacity: float) -> None:
        if not rate_per_sec > 0 or not capacity > 0:
            raise ValueError(
                f"rate_per_sec is {rate_per_sec} and capacity {capacity}; both must be above 0."
            )
        self.rate = float(rate_per_sec)
        self.capacity = float(capacity)
        self._lock = threading.Lock()
        self._tokens = self.capacity  # below 0: promised to those who wait
        self._at = time.monotonic()

    async def acquire(self, tokens: float = 1.0) -> None:
        """Waits until so many may pass. Does not even yield if they may now.

        :raises ValueError: if they are more than the capacity, so that it would never be.
        """
        if tokens <= 0:
            return
        wait = self.reserve(tokens)
        if wait > 0:
            try:
                await asyncio.sleep(wait)
            except asyncio.CancelledError:
                self.reserve(-tokens)
                raise

    def reserve(self, tokens: float) -> float:
        """Takes tokens, or gives them back; the seconds until they are there."""
        # A burst below 1 would let nothing pass ever.
        if tokens > max(1.0, self.capacity):
            raise ValueError(f"{tokens:g} tokens never fit a capacity of {self.capacity:g}.")
        with self._lock:
            self._fill()
            self._tokens -= tokens
            return max(0.0, -self._tokens / self.rate)

    def change(self, rate_per_sec: float, capacity: float) -> None:
        """Another rate from now on; what has been saved up, or is owed, stays."""
        with self._lock:
            self._fill()
            self.rate, self.capacity = float(rate_per_sec), float(capacity)
            self._tokens = min(self._tokens, self.capacity)

    def _fill(self) -> None:
        now = time.monotonic()
        self._tokens = min(self.capacity, self._tokens + (now - self._at) * self.rate)
        self._at = now
