"""The batch that is being filled: what the outbox and the short way of ``publish`` share."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, cast

from neuralcore._bus.batch import Batch
from neuralcore._bus.message import MessageId
from neuralcore._bus.native import fast

Function = TypeVar("Function", bound=Callable[..., Any])


class Put(Protocol):
    """Adds a message; its id."""

    def __call__(
        self,
        channel: str,
        priority: int,
        payload_type: int,
        payload: bytes,
        meta_type: int = 0,
        meta: bytes = b"",
        ttl_ms: int = 0,
        /,
    ) -> MessageId: ...


PutDicts = Callable[[str, int, "dict[str, Any]", "dict[str, Any] | None", int], "MessageId | None"]
PutFields = Callable[[str, int, "dict[str, Any]", "tuple[str, ...]", str, int], "MessageId | None"]


class Filling:
    """A batch, its messages so far, and the numbers of those to come.

    :ivar batch: what is being filled; it gets its messages when it is sealed.
    :ivar count: how many messages there are so far, ``bytes`` how large their bodies together.
    :ivar open: whether ``put`` in C may add to it by itself, which is one step for other
        threads. Whoever changes anything here closes it first, under the outbox's lock.
    :ivar block_start: messages are numbered in blocks; the number of the block's first.
    :ivar digits: the first 29 of the 32 digits of each id in the block.
    :ivar next: the place in its block of the next message.
    :ivar flush_in: the thread whose loop will flush at its next tick.
    :ivar put: adds a message that is neither delayed nor to be confirmed.
    """

    __slots__ = (
        "_bodies",
        "_entries",
        "batch",
        "block_start",
        "bytes",
        "count",
        "digits",
        "flush_in",
        "next",
        "open",
        "put",
    )

    def __init__(
        self, make_id: type[MessageId], put_slowly: Put, hurry: Callable[[bool], None]
    ) -> None:
        self.batch = Batch()
        self.count = 0
        self.bytes = 0
        self.open = False
        self.block_start = 0
        self.digits = ""
        self.next = 0
        self.flush_in = 0
        self.put = put_slowly
        self._entries: list[bytes] = []
        self._bodies: list[bytes] = []

    def add(self, entry: bytes, payload: bytes, meta: bytes = b"") -> None:
        """Adds a message of which all is known. What it belongs to is not asked."""
        self._entries.append(entry)
        self._bodies.append(payload)
        self.bytes += len(payload)
        if meta:
            self._bodies.append(meta)
            self.bytes += len(meta)
        self.count += 1

    def take(self) -> tuple[bytes, bytes, int]:
        """What was added, entries, bodies, and how many; there is nothing then."""
        taken = b"".join(self._entries), b"".join(self._bodies), self.count
        self._entries.clear()
        self._bodies.clear()
        self.count = self.bytes = 0
        return taken

    def shorten(
        self, channels: dict[str, int], encode: Callable[[Any], bytes], payload_type: int
    ) -> None:
        """What ``with_short_way`` may put here by itself: in Python nothing."""


def with_short_way(publish: Function) -> Function:
    """Has the method ``publish`` run in C for a dict, a channel, a priority and nothing else.

    Its object's ``_filling`` was told by ``shorten`` for which channels.
    """
    if fast is None:
        return publish
    return cast(Function, functools.update_wrapper(fast.ShortWay(publish), publish))


if fast is not None and not TYPE_CHECKING:
    Filling = fast.Filling
