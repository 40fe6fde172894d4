"""What publishing and subscribing return: usable at once, and awaitable for who awaits."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, Any, NoReturn

from neuralcore._bus.message import MessageId

if TYPE_CHECKING:
    from neuralcore._bus.completion import Completion
    from neuralcore._bus.subscription import Subscription as BusSubscription


class Published(MessageId):
    """A message's id. Awaiting it gives it at once; it can be made a task of, as a coroutine."""

    __slots__ = ()

    def send(self, _: Any) -> NoReturn:
        raise StopIteration(self)

    def throw(self, *error: Any) -> NoReturn:
        raise error[0]

    def close(self) -> None:
        """Nothing is under way."""


class Dropped:
    """Stands for a message for which there was no room: false, and None when awaited."""

    __slots__ = ()

    def __bool__(self) -> bool:
        return False

    def __await__(self) -> Generator[Any, None, None]:
        yield from ()

    def send(self, _: Any) -> NoReturn:
        raise StopIteration(None)

    def throw(self, *error: Any) -> NoReturn:
        raise error[0]

    def close(self) -> None:
        """Nothing is under way."""

    def __repr__(self) -> str:
        return "<dropped>"


DROPPED = Dropped()


class Subscription:
    """A handler that gets a channel's messages until it is cancelled.

    It begins by itself; what is published after it has been awaited is sure to arrive.

    :ivar id: names it among its bus's subscriptions.
    """

    def __init__(
        self,
        id: str,
        channel: str,
        handler_name: str,
        below: BusSubscription,
        ended: Callable[[Subscription], None],
    ) -> None:
        self.id = id
        self.channel = channel
        self.handler_name = handler_name
        self._below = below
        self._ended = ended

    def cancel(self) -> Completion[None]:
        """Ends it at once; awaiting what is returned waits until the daemon knows of it."""
        self._ended(self)
        return self._below.cancel()

    def __await__(self) -> Generator[Any, None, Subscription]:
        yield from self._below.__await__()
        return self

    def __repr__(self) -> str:
        return f"<Subscription {self.id!r} to {self.channel!r}>"
