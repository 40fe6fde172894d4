"""What a bus needs of the daemon, and what the fallback therefore gives too."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal, NamedTuple, Protocol

from neuralcore._wire import Delivered, Outgoing


class Rejected(NamedTuple):
    """A message that was not queued, or gave way to another.

    :ivar channel: None if that is not known any more.
    :ivar code: the error's name.
    """

    sequence: int
    channel: str | None
    code: str


OnDeliver = Callable[[Sequence[Delivered]], None]
OnRejected = Callable[[Sequence[Rejected]], None]


class Backend(Protocol):
    """One namespace of channels. Thread-safe. Callbacks come on a thread that must not block."""

    @property
    def kind(self) -> Literal["daemon", "fallback"]: ...

    def send(self, batch: Sequence[Outgoing], wait: float) -> int:
        """Queues messages in order and says how many there was room for within ``wait`` seconds.

        :raises NeuralCoreError: if the next one can never be sent.
        """

    def flush(self, timeout: float) -> None:
        """Waits until all that was sent is queued or rejected."""

    def subscribe(
        self,
        number: int,
        channel: str,
        window: Callable[[], int],
        on_deliver: OnDeliver,
        timeout: float,
    ) -> None:
        """``window`` gives the credit to begin with, now and after each reconnection."""

    def unsubscribe(self, number: int, timeout: float) -> None: ...

    def grant(self, number: int, messages: int) -> None: ...

    def create(self, channel: str, options: dict[str, Any], timeout: float) -> bool: ...

    def stats(self, timeout: float) -> dict[str, dict[str, int]]: ...

    def close(self, timeout: float) -> None: ...
