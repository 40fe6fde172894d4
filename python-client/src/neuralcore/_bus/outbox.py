"""Published messages on their way out: collected, then sent in batches."""

from __future__ import annotations

import asyncio
import itertools
import threading
from collections.abc import Callable

from neuralcore._bus.completion import on_running_loop
from neuralcore._wire import Outgoing
from neuralcore.errors import QueueFull

_FULL_BATCH_MESSAGES = 512
_FULL_BATCH_BYTES = 256 * 1024

_WAIT_FOR_ROOM = 1.0

Send = Callable[[list[Outgoing], float], int]
"""Takes a batch and the seconds to wait for room; says for how many of it there was room."""

# One counter for all buses of the process: they may share a connection, and a rejection names the
# sequence number alone.
_sequences = itertools.count(1)


class Outbox:
    """Collects messages so that one frame carries many.

    On a running event loop a batch is what was published since the loop's last tick; elsewhere a
    thread sends as soon as it can, and what arrives meanwhile is its next batch. A full batch is
    sent at once. Batches are sent in the order of publishing. Thread-safe; ``put`` never waits for
    the daemon, and takes about a microsecond.

    :param send: what it raises is given to ``on_failure``, with the messages it was about.
    :param limit: messages that may be here while nothing can be sent.
    """

    def __init__(
        self, send: Send, on_failure: Callable[[list[Outgoing], Exception], None], limit: int
    ) -> None:
        self._send = send
        self._on_failure = on_failure
        self._limit = limit
        self._lock = threading.Lock()
        self._send_lock = threading.Lock()
        self._items: list[Outgoing] = []
        self._bytes = 0
        self._flush_on: asyncio.AbstractEventLoop | None = None
        self._wake = threading.Event()
        self._thread: threading.Thread | None = None
        self._open = False
        self._blocked = False

    def __len__(self) -> int:
        return len(self._items)

    def put(
        self,
        channel: str,
        timestamp_ns: int,
        priority: int,
        ttl_ms: int,
        payload_type: int,
        payload: bytes,
        meta_type: int,
        meta: bytes,
    ) -> int:
        """Adds a message and returns its sequence number.

        :raises QueueFull: if ``limit`` messages are waiting.
        """
        loop = on_running_loop()
        with self._lock:
            if len(self._items) >= self._limit:
                raise QueueFull(
                    f"{self._limit} messages wait to be sent and the daemon takes none; "
                    "publish more slowly."
                )
            sequence = next(_sequences)
            self._items.append(
                Outgoing(
                    channel,
                    sequence,
                    timestamp_ns,
                    priority,
                    ttl_ms,
                    payload_type,
                    payload,
                    meta_type,
                    meta,
                )
            )
            self._bytes += len(payload) + len(meta)
            if not self._open:
                return sequence
            is_full = len(self._items) >= _FULL_BATCH_MESSAGES or self._bytes >= _FULL_BATCH_BYTES
            on_tick = loop is not None and self._flush_on is not loop
            if on_tick:
                self._flush_on = loop
        if self._blocked:
            self._wake_thread()
        elif is_full:
            self.flush()
        elif loop is None:
            self._wake_thread()
        elif on_tick:
            loop.call_soon(self.flush)
        return sequence

    def open(self) -> None:
        """From now on messages are sent, those that waited first."""
        with self._lock:
            self._open = True
        self.flush()

    def flush(self, wait: float = 0.0) -> bool:
        """Sends what is here; False if there was no room for all of it. Never raises.

        What finds no room stays, and the thread goes on with it.
        """
        with self._send_lock:
            with self._lock:
                self._flush_on = None
                if not self._open:
                    return False
                batch, self._items = self._items, []
                self._bytes = 0
            sent = self._send_all(batch, wait)
            self._blocked = sent < len(batch)
            if self._blocked:
                with self._lock:
                    self._items[:0] = batch[sent:]
        if self._blocked:
            self._wake_thread()
        return not self._blocked

    def _send_all(self, batch: list[Outgoing], wait: float) -> int:
        done = 0
        while done < len(batch):
            try:
                sent = self._send(batch[done:] if done else batch, wait)
            except Exception as error:
                self._on_failure(batch[done : done + 1], error)
                sent = 1
            if not sent:
                break
            done += sent
        return done

    def close(self) -> None:
        """Sends what there is room for and ends."""
        self.flush()
        with self._lock:
            self._open = False
        self._wake.set()

    def abandon(self) -> None:
        """In a forked child: the messages, the locks and the thread are the parent's."""
        self._lock = threading.Lock()
        self._send_lock = threading.Lock()
        self._items = []
        self._bytes = 0
        self._flush_on = None
        self._wake = threading.Event()
        self._thread = None
        self._open = False
        self._blocked = False

    def _wake_thread(self) -> None:
        if self._thread is None:
            with self._lock:
                if self._thread is None:
                    name = "neuralcore-outbox"
                    self._thread = threading.Thread(target=self._work, name=name, daemon=True)
                    self._thread.start()
        self._wake.set()

    def _work(self) -> None:
        wake = self._wake
        while True:
            wake.wait()
            wake.clear()
            self.flush(_WAIT_FOR_ROOM)
            if not self._open:
                return
