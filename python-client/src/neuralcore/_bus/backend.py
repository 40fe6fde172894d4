"""What a bus needs of the daemon, and what the fallback therefore gives too."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Any, Literal, NamedTuple, Protocol

from neuralcore._bus.batch import Batch, Rejected
from neuralcore._bus.message import Message
from neuralcore._wire import AnySettlement

OnMessages = Callable[[Sequence[Message]], None]


class Listener(NamedTuple):
    """Whom a backend tells. On a thread that must not block.

    :ivar rejected: messages that were sent and then refused, or gave way to others.
    :ivar room: a channel's name and how much fits; 0 is full, None is not known any more.
    """

    rejected: Callable[[Sequence[Rejected]], None]
    room: Callable[[str | None, int | None], None]


class Backend(Protocol):
    """One namespace of channels. Thread-safe."""

    @property
    def kind(self) -> Literal["daemon", "fallback"]: ...

    def attach(self, loop: asyncio.AbstractEventLoop) -> None:
        """The bus is used on this loop. Called on it."""

    def send(self, batch: Batch, wait: float) -> bool:
        """Takes a batch if there is room within ``wait`` seconds, and settles it some time.

        :raises NeuralCoreError: if it can never be sent.
        """

    def flush(self, timeout: float) -> None:
        """Waits until all that was sent is queued or rejected, and all settlements are settled."""

    def subscribe(
        self,
        number: int,
        channel: str,
        window: Callable[[], int],
        on_messages: OnMessages,
        options: dict[str, Any],
        timeout: float,
    ) -> None:
        """``window`` gives the credit to begin with, now and after each reconnection."""

    def begin_subscribe(
        self,
        number: int,
        channel: str,
        window: Callable[[], int],
        on_messages: OnMessages,
        options: dict[str, Any],
        timeout: float,
    ) -> Future[Any]:
        """:meth:`subscribe` without waiting: what is sent after it is published to it."""

    def unsubscribe(self, number: int, forget: bool, timeout: float) -> None: ...

    def grant(self, number: int, messages: int) -> None: ...

    def settle(self, number: int, settlements: Sequence[AnySettlement]) -> Future[Any]: ...

    def open(self, path: str, timeout: float) -> None:
        """Binds the namespace to a file."""

    def create(self, channel: str, options: dict[str, Any], timeout: float) -> bool: ...

    def declare(self, channel: str, options: dict[str, Any]) -> None:
        """Creates a channel, or changes it, before whatever is sent after this. Does not wait."""

    def stats(self, timeout: float) -> dict[str, dict[str, int]]: ...

    def call(self, verb: str, params: dict[str, Any], timeout: float) -> dict[str, Any]:
        """Any other service of ``neuralcore.messaging.*``, for this namespace."""

    def close(self, timeout: float) -> None: ...
