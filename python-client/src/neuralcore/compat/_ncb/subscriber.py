"""One subscriber: what is done with each message that comes for it."""

from __future__ import annotations

import asyncio
import inspect
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from types import CoroutineType
from typing import TYPE_CHECKING, Any, Protocol

from neuralcore.compat._ncb.channels import Channel
from neuralcore.compat._ncb.logs import about, trace_id_var
from neuralcore.compat._ncb.message import Message, of_received
from neuralcore.compat._ncb.metrics import MetricsRegistry
from neuralcore.compat._ncb.plugins import Plugins

if TYPE_CHECKING:
    from neuralcore._bus.message import Message as Received
    from neuralcore._bus.subscription import Subscription

Callback = Callable[[Message], Awaitable[None] | None]
Filter = Callable[[Message], bool]


@dataclass
class SubscriberConfig:
    """What ``register_subscriber`` was given."""

    module_name: str
    callback_fn: Callback
    filter_fn: Filter | None = None
    rate_limit_per_sec: float | None = None
    rate_limit_burst: float | None = None
    replay_on_register: bool = False
    replay_after_seq: int = 0
    retry_attempts: int = 0
    retry_delay: float = 0.1
    concurrency: int = 1


class Owner(Protocol):
    """What a subscriber needs of its bus."""

    logger: logging.Logger

    @property
    def metrics(self) -> MetricsRegistry: ...

    @property
    def plugins(self) -> Plugins: ...

    def is_own(self, message: Received) -> bool:
        """Whether this bus published it."""

    def handled(self, subscriber: Subscriber, message: Message) -> None:
        """Something has come of a message."""


class Subscriber:
    """Filters and calls back, and tells the daemon what came of it.

    The daemon delivers a message again if the callback raised, by a timer, so that others go on;
    when its attempts are used up it makes it a dead letter.
    """

    def __init__(self, owner: Owner, channel: Channel, config: SubscriberConfig) -> None:
        self.channel = channel
        self.config = config
        self.subscription: Subscription | None = None
        self._owner = owner

    @property
    def name(self) -> str:
        return self.config.module_name

    @property
    def attempts(self) -> int:
        """How often a message is delivered at most."""
        return max(0, self.config.retry_attempts) + 1

    async def handle(self, received: Received) -> None:
        """Takes a delivery of the subscription, which acknowledges it when this returns."""
        owner, config = self._owner, self.config
        message = of_received(received)
        token = trace_id_var.set(message.trace_id)
        try:
            if config.filter_fn is not None or owner.plugins:
                try:
                    message = await self._seen_by_plugins(received, message)
                    if config.filter_fn is not None and not config.filter_fn(message):
                        return
                except Exception as error:  # trying again would not help
                    self._gives_up(message, error, "filter_error")
                    received.term(error)
                    return
            started = time.perf_counter()
            try:
                if self.channel.is_crowded:
                    async with self.channel.fanout:
                        started = time.perf_counter()
                        await _call(config.callback_fn, message)
                else:
                    # As _call, without a coroutine more for each message.
                    result = config.callback_fn(message)
                    if type(result) is CoroutineType or inspect.isawaitable(result):
                        await result
                owner.metrics.dispatched(message.channel, (time.perf_counter() - started) * 1000)
            except (Exception, asyncio.CancelledError) as error:
                if isinstance(error, asyncio.CancelledError) and _is_cancelled():
                    raise
                owner.metrics.took(message.channel, (time.perf_counter() - started) * 1000)
                self._failed(received, message, error)
            owner.handled(self, message)
        finally:
            trace_id_var.reset(token)

    async def _seen_by_plugins(self, received: Received, message: Message) -> Message:
        plugins = self._owner.plugins
        if not plugins:
            return message
        return await plugins.before_dispatch(message, validate=not self._owner.is_own(received))

    def _failed(self, received: Received, message: Message, error: BaseException) -> None:
        """It comes again, until its attempts are used up."""
        if received.attempt < self.attempts:
            self._tries_again(message, error, received.attempt)
        else:
            self._gives_up(message, error, "subscriber_error")
        received.nack(reason=error)

    def _tries_again(self, message: Message, error: BaseException, attempt: int) -> None:
        self._owner.logger.warning(
            "Subscriber %r failed on message %s, attempt %d of %d: %s",
            self.name,
            message.id,
            attempt,
            self.attempts,
            error,
            extra=self._about("subscriber_retry", message, error),
        )

    def _gives_up(self, message: Message, error: BaseException, event: str) -> None:
        self._owner.metrics.failed(message.channel)
        self._owner.logger.error(
            "Subscriber %r gives message %s up: %s",
            self.name,
            message.id,
            error,
            extra=self._about(event, message, error),
            exc_info=error,
        )

    def _about(self, event: str, message: Message, error: BaseException) -> dict[str, Any]:
        return about(
            event,
            channel=message.channel,
            subscriber=self.name,
            msg_id=message.id,
            trace_id=message.trace_id,
            error=error,
        )


async def _call(callback: Callback, message: Message) -> None:
    result = callback(message)
    if inspect.isawaitable(result):
        await result


def _is_cancelled() -> bool:
    """Whether this task is to end; else what it awaited was cancelled.

    Python 3.10 cannot tell. Taking it for a failure is right there too: the task ends anyway, as
    its bus has stopped.
    """
    cancelling = getattr(asyncio.current_task(), "cancelling", None)
    return cancelling is not None and cancelling() > 0
