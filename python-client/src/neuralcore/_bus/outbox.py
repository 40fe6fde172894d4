"""Published messages that have not been sent yet."""

from __future__ import annotations

import itertools
import threading
from asyncio import _get_running_loop as _running_loop
from collections import deque
from collections.abc import Callable
from threading import get_ident
from time import time_ns

from neuralcore._bus.batch import DELAYED_ENTRY, ENTRY, FULL_BYTES, FULL_MESSAGES, RELAYED, Batch
from neuralcore._bus.filling import Filling, Put, PutDicts, PutFields
from neuralcore._bus.message import MessageId
from neuralcore._bus.options import CHANNELS_DEFAULT
from neuralcore._bus.payload import PayloadCodec
from neuralcore.errors import QueueFull

_WAIT_FOR_ROOM = 1.0

Send = Callable[[Batch, float], bool]
"""Takes a batch and the seconds to wait for room; says whether there was room."""

# Messages are numbered in blocks, of which no two buses of the process get the same: they may share
# a connection, and a rejection names the number alone. The numbers of a block differ in their last
# three hexadecimal digits only, which makes an id two known texts.
_BLOCK = 1 << 12
_next_block = itertools.count(1).__next__
_LAST_DIGITS = [f"{n:03x}" for n in range(_BLOCK)]
_pack = ENTRY.pack
_pack_delayed = DELAYED_ENTRY.pack


class Outbox:
    """Collects messages so that one frame carries many.

    On a running event loop a batch is what was published since the loop's last tick; elsewhere a
    thread sends as soon as it can, and what arrives meanwhile is its next batch. A full batch is
    sent at once. Batches are sent in the order of publishing. Thread-safe; ``put`` never waits for
    the daemon, and takes about half a microsecond, in C a fifth.

    :param publisher: under whose name they go, of 64 bits.
    :param send: what it raises is given to ``on_failure``, with the batch it was about.
    :param limit: messages that may be here while nothing can be sent.
    :ivar id_prefix: the first half of each message's id.
    :ivar put: adds a message that is neither delayed nor to be confirmed; its id. QueueFull if
        ``limit`` messages are waiting.
    :ivar put_dicts: the same for a payload and a meta that are dicts, encoded in C, or None. It
        gives None for what is not plain, and for a bus that does not encode as MessagePack.
    :ivar put_fields: the same for the fields of an object: payload is those that are not None, but
        ``payload`` always, meta those of the given names and ``headers`` if there are any, and in
        both ``payload_type`` is the given name of the class.
    """

    def __init__(
        self,
        publisher: int,
        send: Send,
        on_failure: Callable[[Batch, Exception], None],
        limit: int,
    ) -> None:
        self._send = send
        self._on_failure = on_failure
        self._limit = limit
        self._filling = Filling(MessageId, self._put, self._hurry)
        self.put: Put = self._filling.put
        self.put_dicts: PutDicts | None = getattr(self._filling, "put_dicts", None)
        self.put_fields: PutFields | None = getattr(self._filling, "put_fields", None)
        self._set_up(publisher)

    def _set_up(self, publisher: int) -> None:
        self.id_prefix = f"{publisher:016x}"
        self._lock = threading.Lock()
        self._send_lock = threading.Lock()
        self._filling.open = False
        self._filling.batch = Batch()
        self._filling.take()
        self._filling.next = _BLOCK
        self._filling.flush_in = 0
        self._sealed: deque[Batch] = deque()
        self._taken = 0  # that are no longer in the batch being filled
        self._held = 0  # messages in sealed batches
        self._wake = threading.Event()
        self._thread: threading.Thread | None = None
        self._open = False
        self._blocked = True  # until it is opened

    def for_dicts(self, channels: dict[str, int], codec: PayloadCodec) -> Filling:
        """What ``with_short_way`` needs: it publishes dicts to these channels by itself.

        :param channels: with their default priorities.
        """
        self._filling.shorten(channels, codec.encode_value, codec.content_type)
        return self._filling

    @property
    def taken(self) -> int:
        """Messages that were ever put here."""
        return self._taken + self._filling.count

    def __len__(self) -> int:
        return self._held + self._filling.count

    def _put(
        self,
        channel: str,
        priority: int,
        payload_type: int,
        payload: bytes,
        meta_type: int = 0,
        meta: bytes = b"",
        ttl_ms: int = 0,
    ) -> MessageId:
        """What ``put`` does in Python; in C it comes here with what is seldom."""
        if priority == CHANNELS_DEFAULT:
            raise OverflowError(priority)
        filling = self._filling
        # Half the time of ``with``. Here and elsewhere on this way a function that is an attribute
        # is loaded before it is called: as ``self.name(…)`` it is looked for among the methods.
        acquire, release = self._lock.acquire, self._lock.release
        acquire()
        filling.open = False
        try:
            batch = filling.batch
            if self._blocked or not batch.plain:
                id, _, _ = self._add(
                    channel, priority, payload_type, payload, meta_type, meta, ttl_ms, 0, 0
                )
            else:
                index = batch.indexes.get(channel)
                if index is None:
                    index = batch.index(channel)
                number = filling.next
                if number == _BLOCK:
                    number = self._new_block()
                add = filling.add
                entry = _pack(
                    filling.block_start + number,
                    time_ns(),
                    priority,
                    len(payload),
                    len(meta),
                    ttl_ms,
                    index,
                    payload_type,
                    meta_type,
                )
                add(entry, payload, meta)
                filling.next = number + 1
                id = MessageId(filling.digits + _LAST_DIGITS[number])
            full = self._seal_if_full()
        finally:
            filling.open = filling.batch.plain and not self._blocked
            release()
        if full or filling.flush_in != get_ident():
            self._hurry(full)
        return id

    def put_with(
        self,
        channel: str,
        priority: int,
        payload_type: int,
        payload: bytes,
        meta_type: int,
        meta: bytes,
        ttl_ms: int,
        delay_ms: int,
        confirm: int,
    ) -> tuple[MessageId, int, Batch]:
        """Adds a message with anything else; its id and number, and the batch that it is in.

        :param confirm: 0 nobody waits for its batch's confirmation, 1 until it is accepted, 2
            until it is durable, 3 until brokers have it.
        :raises QueueFull: if ``limit`` messages are waiting.
        """
        filling = self._filling
        self._lock.acquire()
        filling.open = False
        try:
            id, sequence, batch = self._add(
                channel,
                priority,
                payload_type,
                payload,
                meta_type,
                meta,
                ttl_ms,
                delay_ms,
                confirm,
            )
            full = self._seal_if_full()
        finally:
            filling.open = filling.batch.plain and not self._blocked
            self._lock.release()
        if confirm == RELAYED and self._open and _running_loop() is None:
            self.flush()  # who waits for a broker is spared the way over another thread
        elif full or filling.flush_in != get_ident():
            self._hurry(full)
        return id, sequence, batch

    def _add(
        self,
        channel: str,
        priority: int,
        payload_type: int,
        payload: bytes,
        meta_type: int,
        meta: bytes,
        ttl_ms: int,
        delay_ms: int,
        confirm: int,
    ) -> tuple[MessageId, int, Batch]:
        batch = self._suitable(delay_ms, confirm)
        index = batch.index(channel)
        filling = self._filling
        number = filling.next
        if number == _BLOCK:
            number = self._new_block()
        sequence = filling.block_start + number
        fields = (
            sequence,
            time_ns(),
            priority,
            len(payload),
            len(meta),
            ttl_ms,
            index,
            payload_type,
            meta_type,
        )
        entry = _pack_delayed(*fields, delay_ms) if batch.delayed else _pack(*fields)
        filling.add(entry, payload, meta)
        filling.next = number + 1
        return MessageId(filling.digits + _LAST_DIGITS[number]), sequence, batch

    def _new_block(self) -> int:
        """Numbers for the messages to come; the place in its block of the first. Under the lock."""
        block = _next_block()
        self._filling.block_start = block * _BLOCK
        self._filling.digits = f"{self.id_prefix}{block:013x}"
        return 0

    def _seal_if_full(self) -> bool:
        """Under the lock."""
        if self._filling.count < FULL_MESSAGES and self._filling.bytes < FULL_BYTES:
            return False
        self._seal()
        return True

    def _hurry(self, full: bool) -> None:
        """Sees to it that what was put is sent: now, at the loop's next tick, or by the thread."""
        if full:
            self._close_and(self._seal_if_full)
        if not self._open:
            return
        if full:
            self.flush()
            return
        loop = _running_loop()
        if loop is None:
            if not self._wake.is_set():
                self._wake_thread()
        else:
            self._filling.flush_in = get_ident()
            loop.call_soon(self.flush)

    def _suitable(self, delay_ms: int, confirm: int) -> Batch:
        """A batch that may hold such a message; the one so far is sealed. Under the lock."""
        batch = self._filling.batch
        if self._held + self._filling.count >= self._limit:
            raise QueueFull(
                f"{self._limit} messages wait to be sent and the daemon takes none; "
                "publish more slowly."
            )
        level = confirm or (1 if batch.level == RELAYED else batch.level)
        delayed = bool(delay_ms) or batch.delayed
        if batch.level == level and batch.delayed is delayed:
            return batch
        self._seal()
        batch = self._filling.batch = Batch(level=level, delayed=delayed)
        return batch

    def _close_and(self, change: Callable[[], object]) -> None:
        """Runs it under the lock, and with ``put`` waiting for it."""
        with self._lock:
            self._filling.open = False
            try:
                change()
            finally:
                self._filling.open = self._filling.batch.plain and not self._blocked

    def _note_blocked(self) -> None:
        self._blocked = bool(self._sealed)

    def _seal(self) -> None:
        """Under the lock."""
        batch = self._filling.batch
        if self._filling.count:
            batch.entries, batch.bodies, batch.count = self._filling.take()
            self._sealed.append(batch)
            self._held += batch.count
            self._taken += batch.count
            self._filling.batch = Batch()

    def open(self) -> None:
        """From now on messages are sent, those that waited first."""
        self._open = True
        self.flush()

    def flush(self, wait: float = 0.0) -> bool:
        """Sends what is here; False if there was no room for all of it. Never raises.

        What finds no room stays, and the thread goes on with it. Without leave to wait it does not
        even wait for another thread that sends.
        """
        self._filling.flush_in = 0
        if not self._open:
            return False
        acquired = self._send_lock.acquire(timeout=wait) if wait else self._send_lock.acquire(False)
        if acquired:
            try:
                self._send_all(wait)
            finally:
                self._send_lock.release()
            if not self._blocked:
                return True
        self._wake_thread()
        return False

    def _send_all(self, wait: float) -> None:
        self._close_and(self._seal)
        while self._sealed:
            batch = self._sealed[0]
            try:
                sent = self._send(batch, wait)
            except Exception as error:
                self._on_failure(batch, error)
                sent = True
            if not sent:
                break
            with self._lock:
                self._sealed.popleft()
                self._held -= batch.count
        if self._sealed or self._blocked:
            self._close_and(self._note_blocked)

    def close(self) -> None:
        """Sends what there is room for and ends."""
        self.flush()
        self._open = False
        self._wake.set()

    def abandon(self, publisher: int) -> None:
        """In a forked child: the messages, the locks and the thread are the parent's."""
        self._set_up(publisher)

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
