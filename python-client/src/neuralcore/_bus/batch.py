"""Published messages on their way: packed as they will travel, one frame a batch."""

from __future__ import annotations

import asyncio
import struct
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from typing import NamedTuple

from neuralcore._bus.native import fast
from neuralcore._wire import Outgoing
from neuralcore.errors import InvalidRequest

FULL_MESSAGES = 512
FULL_BYTES = 256 * 1024

# With the length word, so that a frame is joined once.
_HEAD = struct.Struct(">i")
_PUBLISH_HEAD = struct.Struct("<BBHIHHIQ")
_PUBLISH = 0x10
_U16 = struct.Struct("<H")
_ZEROS = bytes(8)

_DELAYED = 4
# By the level of confirmation; what nobody waits for is confirmed once it is accepted.
_CONFIRM_FLAGS = (1, 1, 2, 8)
RELAYED = 3

# sequence, timestamp, priority, payload bytes, meta bytes, ttl, channel, payload type, meta type
ENTRY = struct.Struct("<QqqIIIHBB")
# … and the delay
DELAYED_ENTRY = struct.Struct("<QqqIIIHBBQ")


class Rejected(NamedTuple):
    """A message that was not queued, or gave way to another.

    :ivar channel: None if that is not known any more.
    :ivar code: the error's name.
    """

    sequence: int
    channel: str | None
    code: str


class Batch:
    """Messages that go out in one frame, in order.

    The outbox collects them and puts them here at once; then only its outcome changes.

    :ivar count: how many messages it holds.
    :ivar entries: of all, one behind the other; so are the ``bodies``, payload before meta.
    :ivar level: what its confirmation waits for: 1 its acceptance, 2 the disk, 3 brokers.
    :ivar delayed: whether its entries carry a delay.
    :ivar plain: whether any message may join it that asks for nothing.
    :ivar read: once it is sent, by what a thread that waits for it reads the answer itself: takes
        what says whether it is done, and a moment (``time.monotonic``), and may end before either.
    """

    __slots__ = (
        "_waiters",
        "bodies",
        "count",
        "delayed",
        "done",
        "entries",
        "error",
        "indexes",
        "level",
        "plain",
        "read",
        "rejected",
    )

    def __init__(self, *, level: int = 1, delayed: bool = False) -> None:
        self.level = level
        self.delayed = delayed
        self.plain = not delayed and level != RELAYED
        self.indexes: dict[str, int] = {}
        self.count = 0
        self.entries = b""
        self.bodies = b""
        self.done = False
        self.rejected: dict[int, str] = {}
        self.error: Exception | None = None
        self.read: Callable[[Callable[[], bool], float], None] | None = None
        self._waiters: list[_Waiter] = []

    def index(self, channel: str) -> int:
        """The number under which the batch's entries name a channel."""
        if len(self.indexes) == 0xFFFF:
            raise InvalidRequest("A batch names at most 65,535 channels.")
        if type(channel) is not str:  # what compares them in C is not to run code of its class
            channel = str.__str__(channel)
        return self.indexes.setdefault(channel, len(self.indexes))

    def frame(self, number: int, namespace: str, publisher: int) -> bytes:
        """The publish frame, its length word included. Asks for a confirmation always."""
        flags = _CONFIRM_FLAGS[self.level] | (_DELAYED if self.delayed else 0)
        if fast is not None:
            frame: bytes = fast.publish_frame(
                flags,
                number,
                namespace,
                publisher,
                self.indexes,
                self.count,
                self.entries,
                self.bodies,
            )
            return frame
        space = namespace.encode()
        names = [
            piece
            for name in map(str.encode, self.indexes)
            for piece in (_U16.pack(len(name)), name)
        ]
        named = 24 + len(space) + sum(map(len, names))
        pad = -named % 8
        return b"".join(
            (
                _HEAD.pack(named + pad + len(self.entries) + len(self.bodies)),
                _PUBLISH_HEAD.pack(
                    _PUBLISH,
                    flags,
                    0,
                    number,
                    len(space),
                    len(self.indexes),
                    self.count,
                    publisher,
                ),
                space,
                *names,
                _ZEROS[:pad],
                self.entries,
                self.bodies,
            )
        )

    def messages(self) -> Iterator[tuple[Outgoing, int]]:
        """The messages again, each with its delay in milliseconds."""
        names = list(self.indexes)
        at = 0
        for fields in (DELAYED_ENTRY if self.delayed else ENTRY).iter_unpack(self.entries):
            sequence, time, priority, length, meta_length, ttl, index, type_, meta_type = fields[:9]
            delay = fields[9] if self.delayed else 0
            payload = self.bodies[at : at + length]
            at += length + meta_length
            meta = self.bodies[at - meta_length : at]
            yield (
                Outgoing(
                    names[index], sequence, time, priority, ttl, type_, payload, meta_type, meta
                ),
                delay,
            )

    def summary(self) -> Summary:
        """What is needed to tell later which messages these were."""
        last = len(self.entries) - (DELAYED_ENTRY if self.delayed else ENTRY).size
        (first_number,) = _U64.unpack_from(self.entries)
        (last_number,) = _U64.unpack_from(self.entries, last)
        channels = tuple(self.indexes)
        return Summary(self.entries, channels, self.delayed, first_number, last_number)

    # The outcome

    def settle(self, rejected: Sequence[Rejected], error: Exception | None = None) -> None:
        """The daemon has answered, or nobody will. Wakes each waiting loop once."""
        self.rejected = {r.sequence: r.code for r in rejected}
        self.error = error
        self.entries = b""
        self.bodies = b""
        with _outcomes:
            self.done = True
            waiters, self._waiters = self._waiters, []
        if not waiters:
            return
        loops: dict[asyncio.AbstractEventLoop, list[asyncio.Future[None]]] = {}
        for waiter in waiters:
            if isinstance(waiter, Future):
                waiter.set_result(None)
            else:
                loops.setdefault(waiter.get_loop(), []).append(waiter)
        for loop, futures in loops.items():
            try:
                loop.call_soon_threadsafe(_release, futures)
            except RuntimeError:  # that loop is closed; nobody waits there
                continue

    def wait(self, waiter: _Waiter) -> bool:
        """Has the waiter released when the batch is done; False if it is already."""
        with _outcomes:
            if self.done:
                return False
            self._waiters.append(waiter)
            return True


_Waiter = Future[None] | asyncio.Future[None]
_outcomes = threading.Lock()


def _release(futures: list[asyncio.Future[None]]) -> None:
    for future in futures:
        if not future.done():
            future.set_result(None)


class Summary(NamedTuple):
    """A batch that was sent: its messages' numbers and channels, in few bytes."""

    entries: bytes
    channels: tuple[str, ...]
    delayed: bool
    first: int
    last: int

    def find(self, sequence: int) -> str | None:
        """The channel of a message, or None if it was not in this batch."""
        if not self.first <= sequence <= self.last:
            return None
        entry = DELAYED_ENTRY if self.delayed else ENTRY
        # Its numbers grow, and mostly by one.
        low, high = 0, len(self.entries) // entry.size
        middle = min(sequence - self.first, high - 1)
        while low < high:
            (found,) = _U64.unpack_from(self.entries, middle * entry.size)
            if found == sequence:
                index = entry.unpack_from(self.entries, middle * entry.size)[6]
                return self.channels[int(index)]
            if found < sequence:
                low = middle + 1
            else:
                high = middle
            middle = (low + high) // 2
        return None


_U64 = struct.Struct("<Q")
