"""The batch that is being filled: what the outbox and the short way of ``publish`` share."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar, cast

from neuralcore._bus.batch import Batch
from neuralcore._bus.message import MessageId
from neuralcore._bus.native import fast

Put = Callable[[str, int, int, bytes], MessageId]
Function = TypeVar("Function", bound=Callable[..., Any])


class Filling:
    """A batch, and the numbers of the messages to come.

    :ivar batch: what is being filled.
    :ivar open: whether ``put`` in C may add to it by itself, which is one step for other
        threads. Whoever changes anything here closes it first, under the outbox's lock.
    :ivar block_start: messages are numbered in blocks; the number of the block's first.
    :ivar digits: the first 29 of the 32 digits of each id in the block.
    :ivar next: the place in its block of the next message.
    :ivar flush_in: the thread whose loop will flush at its next tick.
    :ivar put: adds a message with nothing but a payload.
    """

    __slots__ = ("batch", "block_start", "digits", "flush_in", "next", "open", "put")

    def __init__(
        self, make_id: type[MessageId], put_slowly: Put, hurry: Callable[[bool], None]
    ) -> None:
        self.batch = Batch()
        self.open = False
        self.block_start = 0
        self.digits = ""
        self.next = 0
        self.flush_in = 0
        self.put = put_slowly

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
