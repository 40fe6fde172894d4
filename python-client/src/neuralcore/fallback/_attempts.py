"""What the fallback's bus does with messages that handlers fail at: waits, tries again, gives up.

The rules are the daemon's; ``src/main/java/neuralcore/bus`` has the originals (``Backoff``,
``Idempotency``, ``Letters``).
"""

from __future__ import annotations

import heapq
import itertools
import json
import random
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import msgspec

from neuralcore._bus import payload as _payload
from neuralcore._wire import Outgoing, message_id
from neuralcore.errors import NeuralCoreError

BUS = 0
"""The publisher of what the bus itself publishes."""

_encode = msgspec.msgpack.Encoder().encode
# Of its own: the application may have seeded the module's, and counts on what comes of it.
_random = random.Random()


class Attempts(NamedTuple):
    """How often a subscription gets a message that it fails at, and what waits between.

    :ivar name: what dead letters say.
    :ivar most: deliveries of one message; 0 for any number.
    """

    name: str = ""
    most: int = 0
    initial: float = 0.1
    limit: float = 30.0
    multiplier: float = 2.0
    jitter: float = 0.2

    @classmethod
    def of(cls, options: Mapping[str, Any]) -> Attempts:
        """Those that the options of a subscription ask for."""
        backoff = options.get("backoff") or {}
        usual = cls()
        return cls(
            str(options.get("name") or ""),
            int(options.get("max_attempts") or 0),
            float(backoff.get("initial", usual.initial)),
            float(backoff.get("max", usual.limit)),
            float(backoff.get("multiplier", usual.multiplier)),
            float(backoff.get("jitter", usual.jitter)),
        )

    def wait(self, attempt: int) -> float:
        """Seconds after this many attempts, from 1."""
        seconds = min(self.limit, self.initial * self.multiplier ** min(attempt - 1, 1000))
        return seconds * (1 - self.jitter * _random.random())

    def may_try_again(self, attempt: int) -> bool:
        return self.most == 0 or attempt < self.most


class Keys:
    """The idempotency keys of one channel: in flight, or done and remembered for a time."""

    def __init__(self) -> None:
        self._expires: dict[str, float] = {}

    def take(self, key: str) -> bool:
        """Whether it was free; it is in flight then."""
        now = time.monotonic()
        for old in [k for k, expires in self._expires.items() if expires <= now]:
            del self._expires[old]
        if key in self._expires:
            return False
        self._expires[key] = float("inf")
        return True

    def done(self, key: str, seconds: float) -> None:
        if self._expires.get(key) == float("inf"):
            self._expires[key] = time.monotonic() + seconds

    def release(self, key: str) -> None:
        """What failed may come again."""
        if self._expires.get(key) == float("inf"):
            del self._expires[key]


def key_of(message: Outgoing, field: str) -> str | None:
    """The key in a field of the payload, or of what is under the payload's own ``payload``."""
    try:
        payload = _payload.decode(message.payload_type, bytes(message.payload))
    except (NeuralCoreError, msgspec.DecodeError, ValueError):
        return None
    if not isinstance(payload, dict):
        return None
    inner = payload.get("payload")
    value = inner.get(field) if isinstance(inner, dict) else None
    if value is None:
        value = payload.get(field)
    # Text and number are different keys.
    return None if value is None else f"{type(value).__name__}:{value}"


def letter(
    channel: str, sequence: int, message: Outgoing, publisher: int, subscriber: str, reason: bytes
) -> Outgoing:
    """The dead letter of a message."""
    id_ = message_id(publisher, message.sequence)
    meta = _payload.decode(message.meta_type, bytes(message.meta)) if message.meta else None
    why = _why(reason)
    body = {
        "origin_channel": message.channel,
        "subscriber": subscriber,
        "error_type": why.get("error_type", "Rejected"),
        "error": why.get("error", ""),
        "traceback": why.get("traceback", ""),
        "message": {
            "id": id_,
            "channel": message.channel,
            "ts": message.timestamp_ns / 1e9,
            "priority": message.priority,
            "payload": _payload.decode(message.payload_type, bytes(message.payload)),
            "meta": meta,
        },
    }
    trace = meta.get("trace_id") if isinstance(meta, dict) else None
    about = {"trace_id": trace, "dlq": True, "origin_msg_id": id_}
    return Outgoing(
        channel,
        sequence,
        time.time_ns(),
        0,
        0,
        _payload.MSGPACK,
        _encode(body),
        _payload.MSGPACK,
        _encode(about),
    )


def _why(reason: bytes) -> dict[str, Any]:
    try:
        told = json.loads(reason) if reason else {}
    except ValueError:
        return {"error": reason.decode(errors="replace")}
    return told if isinstance(told, dict) else {"error": str(told)}


class Timers:
    """Calls things later, on one thread, which lives as long as something waits. Thread-safe."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._waiting: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = itertools.count()
        self._runs = False

    def after(self, seconds: float, call: Callable[[], None]) -> None:
        """Calls it after so many seconds; it must not block."""
        with self._changed:
            due = time.monotonic() + seconds
            heapq.heappush(self._waiting, (due, next(self._numbers), call))
            if self._runs:
                self._changed.notify()
            else:
                self._runs = True
                threading.Thread(target=self._run, name="neuralcore-timers", daemon=True).start()

    def _run(self) -> None:
        while True:
            with self._changed:
                if not self._waiting:
                    self._runs = False
                    return
                left = self._waiting[0][0] - time.monotonic()
                if left > 0:
                    self._changed.wait(left)
                    continue
                call = heapq.heappop(self._waiting)[2]
            call()


timers = Timers()
