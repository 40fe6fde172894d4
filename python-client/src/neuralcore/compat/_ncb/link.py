"""The way from ATLAS's names to the ``MessageBus`` below: the only place that knows both."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from neuralcore._bus.completion import Completion, on_running_loop
from neuralcore._bus.core import Details
from neuralcore.compat._ncb.config import ChannelConfig
from neuralcore.errors import ConnectionLost, NeuralCoreError
from neuralcore.messaging import MessageBus

if TYPE_CHECKING:
    from neuralcore._bus.message import Message as Received
    from neuralcore.compat._ncb.subscriber import Subscriber

_SECONDS_FOR_SIZES = 1.0


class Link:
    """The message bus of a bus that runs; none of one that does not. Thread-safe.

    :param make: makes a message bus, anew at each start.
    :param loop: runs the callbacks; by default the one on which they are registered.
    """

    def __init__(
        self,
        make: Callable[[], MessageBus],
        loop: asyncio.AbstractEventLoop | None,
        logger: logging.Logger,
    ) -> None:
        self._make = make
        self._loop = loop
        self._logger = logger
        self._bus: MessageBus | None = None
        self._sizes: dict[str, int] = {}

    @property
    def is_open(self) -> bool:
        return self._bus is not None

    async def open(self) -> None:
        """Connects; may start a daemon."""
        bus = self._make()
        await bus.start()
        self._bus = bus

    async def close(self, timeout: float) -> None:
        """Sends what was published and lets handlers finish, for so many seconds."""
        bus = self._bus
        if bus is not None:
            try:
                await bus.stop(timeout)
            finally:
                self._bus = None

    def declare(self, config: ChannelConfig) -> None:
        """Tells the daemon how a channel is set up, before whatever is published after this."""
        if self._bus is None:
            return
        core = self._bus._core
        core.start().create(
            config.name,
            {
                "max_queue_size": config.max_queue_size,
                "default_priority": config.default_priority,
                "drop_policy": "drop_old" if config.drop_policy == "drop_old" else "drop_new",
            },
            core.timeout,
        )

    def send(self, channel: str, payload: Any, priority: int, meta: dict[str, Any]) -> str:
        """Publishes a message and returns its id.

        :raises QueueFull: if there is no room for it.
        :raises InvalidRequest: if it cannot be encoded.
        """
        if self._bus is None:
            raise ConnectionLost("The bus has stopped.")
        # Not through MessageBus.publish, which puts meta into a field of its own: ATLAS's is flat.
        id = self._bus._core.publish(channel, payload, priority, Details(meta))
        assert id is not None  # the bus was made to raise when it is full
        return id

    async def subscribe(self, subscriber: Subscriber) -> None:
        """Has a subscriber's messages handled from now on."""
        if self._bus is None:
            return
        concurrency = subscriber.config.concurrency
        subscription = self._bus.subscribe(
            subscriber.channel.name,
            subscriber.handle,
            credit=subscriber.channel.credit(concurrency),
            concurrency=concurrency,
            loop=self._loop or on_running_loop(),
        )
        subscriber.subscription = subscription
        await subscription

    def unsubscribe(self, subscriber: Subscriber) -> Completion[None] | None:
        """Ends it at once; what is returned can be awaited, until the daemon knows."""
        subscription, subscriber.subscription = subscriber.subscription, None
        return subscription.cancel() if subscription is not None and self.is_open else None

    def is_own(self, message: Received) -> bool:
        """Whether it was published here."""
        bus = self._bus
        return bus is not None and message.id.startswith(f"{bus._core._publisher:016x}")

    def sizes(self, channels: Iterable[str]) -> dict[str, int]:
        """How many messages wait, by channel; what was true last while the daemon is away."""
        bus = self._bus
        if bus is not None and bus._core.backend is not None:
            try:
                stats = bus._core.backend.stats(_SECONDS_FOR_SIZES)
                self._sizes = {name: stats.get(name, {}).get("queued", 0) for name in channels}
            except (NeuralCoreError, TimeoutError) as error:
                self._logger.debug("no queue sizes: %s", error)
        return dict(self._sizes)
