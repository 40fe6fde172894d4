"""Functions that see each message as it is published and as it is handled."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Literal

from neuralcore.compat._ncb.logs import about
from neuralcore.compat._ncb.message import Message
from neuralcore.compat._ncb.metrics import MetricsRegistry

HookFn = Callable[[Message], Awaitable[Message]]
SinkFn = Callable[[Message], Awaitable[None]]
ValidatorFn = Callable[[Message], Awaitable[None]]

Phase = Literal["post_publish", "post_dispatch"]


@dataclass
class Plugin:
    """What one plugin does; each part may be left out.

    :ivar validate: raises if a message is not to be had. Runs once: when the message is published,
        or, if it comes from another process, before it is handled.
    :ivar pre_publish: returns the message to publish; payload, priority, channel and meta of it
        count.
    :ivar post_publish: sees what was published.
    :ivar pre_dispatch: returns the message to handle.
    :ivar post_dispatch: sees what was handled, whether that succeeded or not.
    """

    name: str
    pre_publish: HookFn | None = None
    post_publish: SinkFn | None = None
    pre_dispatch: HookFn | None = None
    post_dispatch: SinkFn | None = None
    validate: ValidatorFn | None = None


class Plugins:
    """The plugins of a bus, in the order in which they were added."""

    def __init__(self, metrics: MetricsRegistry, logger: logging.Logger) -> None:
        self._metrics = metrics
        self._logger = logger
        self._all: list[Plugin] = []
        self._told: set[asyncio.Task[None]] = set()

    def __bool__(self) -> bool:
        return bool(self._all)

    def add(self, plugin: Plugin) -> None:
        self._all.append(plugin)

    async def before_publish(self, message: Message) -> Message:
        await self._validate(message)
        for plugin in self._all:
            if plugin.pre_publish is not None:
                message = await plugin.pre_publish(message)
        return message

    async def before_dispatch(self, message: Message, *, validate: bool) -> Message:
        if validate:
            await self._validate(message)
        for plugin in self._all:
            if plugin.pre_dispatch is not None:
                message = await plugin.pre_dispatch(message)
        return message

    def tell(self, phase: Phase, message: Message) -> None:
        """Shows a message to those who want to see it afterwards; nobody waits for them."""
        for plugin in self._all:
            sink: SinkFn | None = getattr(plugin, phase)
            if sink is not None:
                task = asyncio.create_task(self._tell(plugin, sink, message))
                self._told.add(task)
                task.add_done_callback(self._told.discard)

    async def finish(self, timeout: float) -> None:
        """Waits for those who are being told, so many seconds."""
        told: set[asyncio.Task[Any]] = self._told - {asyncio.current_task()}
        if told:
            _, late = await asyncio.wait(told, timeout=timeout)
            for task in late:
                task.cancel()

    async def _tell(self, plugin: Plugin, sink: SinkFn, message: Message) -> None:
        try:
            await sink(message)
        except Exception as error:
            self._metrics.failed(message.channel)
            self._logger.error(
                "Plugin %r failed on message %s: %s",
                plugin.name,
                message.id,
                error,
                extra=about(
                    "plugin_sink_error",
                    channel=message.channel,
                    msg_id=message.id,
                    trace_id=message.trace_id,
                    error=error,
                ),
                exc_info=True,
            )

    async def _validate(self, message: Message) -> None:
        for plugin in self._all:
            if plugin.validate is not None:
                await plugin.validate(message)
