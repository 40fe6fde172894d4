"""The way of a message out, from ``publish`` to the link."""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Mapping
from typing import Any, NamedTuple

from neuralcore._bus.payload import PayloadCodec
from neuralcore.compat._ncb.channels import Channel
from neuralcore.compat._ncb.link import Link
from neuralcore.compat._ncb.logs import about, trace_id_var
from neuralcore.compat._ncb.message import ID, Message
from neuralcore.compat._ncb.metrics import MetricsRegistry
from neuralcore.compat._ncb.plugins import Plugins
from neuralcore.errors import ConnectionLost, NeuralCoreError, QueueFull


class _Early(NamedTuple):
    channel: str
    payload: Any
    priority: int
    meta: dict[str, Any]


class Publisher:
    """Lets plugins and rates have their say, then sends. Before the bus runs it keeps messages.

    :param channels: the bus's.
    """

    def __init__(
        self,
        link: Link,
        channels: Mapping[str, Channel],
        plugins: Plugins,
        metrics: MetricsRegistry,
        logger: logging.Logger,
    ) -> None:
        self.is_open = False
        self._link = link
        self._channels = channels
        self._plugins = plugins
        self._metrics = metrics
        self._logger = logger
        self._early: list[_Early] = []

    async def publish(
        self, channel: Channel, payload: Any, priority: int, meta: dict[str, Any], started: float
    ) -> str | None:
        """The message's id; None if it was not taken.

        :param started: when the call began, by ``time.perf_counter``.
        """
        if self._plugins:
            return await self._publish_with_plugins(channel, payload, priority, meta, started)
        if channel.limiter is not None:
            await channel.limiter.acquire()
        return self.send(channel, payload, priority, meta, started)

    async def _publish_with_plugins(
        self, channel: Channel, payload: Any, priority: int, meta: dict[str, Any], started: float
    ) -> str | None:
        known = str(uuid.uuid4())
        meta.setdefault("published_by", "unknown")
        meta.setdefault("trace_id", known)
        message = Message(known, channel.name, time.time(), priority, payload, meta)
        token = trace_id_var.set(message.trace_id)
        try:
            try:
                message = await self._plugins.before_publish(message)
                channel = self._channels[message.channel]
            except Exception as error:
                self._refused(message, error)
                return None
            if channel.limiter is not None:
                await channel.limiter.acquire()
            sent = self.send(
                channel,
                message.payload,
                int(message.priority),
                {**message.meta, ID: known},
                started,
            )
            if sent is not None:
                self._plugins.tell("post_publish", message)
            return sent
        finally:
            trace_id_var.reset(token)

    def _refused(self, message: Message, error: Exception) -> None:
        self._metrics.failed(message.channel)
        self._logger.error(
            "A plugin refuses message %s: %s",
            message.id,
            error,
            extra=about(
                "pre_publish_fail",
                channel=message.channel,
                msg_id=message.id,
                trace_id=message.trace_id,
                error=error,
            ),
            exc_info=True,
        )

    def send(
        self, channel: Channel, payload: Any, priority: int, meta: dict[str, Any], started: float
    ) -> str | None:
        """Hands a message on, or keeps it until the bus runs; None if there is no room."""
        try:
            try:
                if self.is_open:
                    sent = self._link.send(channel.name, payload, priority, meta)
                else:
                    sent = self._keep(channel, payload, priority, meta)
            except ConnectionLost:  # it is stopping: this one waits for the next start
                sent = self._keep(channel, payload, priority, meta)
        except QueueFull as error:
            self._metrics.dropped(channel.name)
            self._logger.warning(
                "Channel %r: %s",
                channel.name,
                error,
                extra=about("publish_drop", channel=channel.name),
            )
            return None
        self._metrics.published(channel.name, (time.perf_counter() - started) * 1000)
        return str(meta[ID]) if ID in meta else sent

    def _keep(self, channel: Channel, payload: Any, priority: int, meta: dict[str, Any]) -> str:
        size = channel.config.max_queue_size
        if (
            0 < size <= self.early().get(channel.name, 0)
            and channel.config.drop_policy != "drop_old"
        ):
            raise QueueFull(f"{size} messages wait for the bus to start.")
        PayloadCodec().encode(payload)  # what cannot be sent is refused now
        known: str = meta.setdefault(ID, str(uuid.uuid4()))
        self._early.append(_Early(channel.name, payload, priority, meta))
        return known

    def early(self) -> dict[str, int]:
        """How many messages wait for the bus to start, by channel."""
        counts: dict[str, int] = {}
        for message in self._early:
            counts[message.channel] = counts.get(message.channel, 0) + 1
        return counts

    def open(self) -> None:
        """The bus runs: sends what was kept, in order."""
        early, self._early = self._early, []
        self.is_open = True
        for message in early:
            try:
                self._link.send(*message)
            except NeuralCoreError as error:
                self._metrics.dropped(message.channel)
                self._logger.error("Message %s was not sent: %s", message.meta[ID], error)

    def close(self) -> None:
        """The bus does not run any more."""
        self.is_open = False
