"""ATLAS's ``AgentBus``, on the message bus of the daemon."""

from __future__ import annotations

import inspect
import itertools
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from neuralcore._bus.completion import Completion, on_running_loop, run
from neuralcore._bus.handlers import converting
from neuralcore._bus.subscription import Terms
from neuralcore.compat._agent.channels import CHANNEL_BY_NAME, ChannelConfig
from neuralcore.compat._agent.messages import CONTEXT, AgentMessage
from neuralcore.compat._agent.results import DROPPED, Dropped, Published, Subscription
from neuralcore.compat._agent.revival import Revival, wire_form
from neuralcore.compat._agent.typed import TypedMessages
from neuralcore.compat._ncb.metrics import MetricsRegistry
from neuralcore.compat._ncb.prometheus import Export
from neuralcore.messaging import Drop, MessageBus

if TYPE_CHECKING:
    from neuralcore._bus.message import Message as Received
    from neuralcore.client import Client
    from neuralcore.fallback.client import FallbackClient

Handler = Callable[[Any], Awaitable[Any] | Any]
Filter = Callable[[Any], bool]

# A handler may take as long as it takes; that its process has gone is known by the connection.
_LEASE_SECONDS = 7 * 86_400.0
_STOP_SECONDS = 5.0


class AgentBus(TypedMessages):
    """Typed messages between ATLAS's agents; ``docs/atlas-bus.md`` says what is not as in ATLAS.

    A bus without ``persistence_path`` or ``name`` is a world of its own, and keeps nothing. All
    of it may be called from any thread; handlers run on the event loop on which they were
    subscribed.

    :param persistence_path: the file in which persistent channels are kept; shares the bus.
    :param enable_prometheus: serve the counts on 127.0.0.1, if ``prometheus_client`` is installed.
    :param name: shares the channels with buses of that name. Not ATLAS's.
    :param client: the client to use. Not ATLAS's.
    :param strict_compat: as ATLAS does, deliver every message as an ``AgentMessage`` with an id of
        the bus's making, deliver what has outlived its ``ttl``, and give an id for what was
        dropped. Not ATLAS's.
    :param on_drop: called with each message that the daemon refused after it had been given an id,
        on a thread that it must not block. Not ATLAS's.
    """

    def __init__(
        self,
        *,
        persistence_path: str | Path | None = None,
        enable_prometheus: bool = False,
        prometheus_port: int = 9090,
        logger: logging.Logger | None = None,
        name: str | None = None,
        client: Client | FallbackClient | None = None,
        strict_compat: bool = False,
        on_drop: Callable[[Drop], None] | None = None,
    ) -> None:
        self._logger = logger or logging.getLogger("ATLAS.messaging")
        self._persistence_path = persistence_path
        self._name = name
        self._client = client
        self._strict = strict_compat
        self._on_drop = on_drop
        self._revival = Revival(only_base=strict_compat)
        self._known = self._revival.empty
        self._bus: MessageBus | None = None
        self._subscriptions: dict[str, Subscription] = {}
        self._numbers = itertools.count(1)
        self._dead_letters = {
            name: channel.dead_letter_channel
            for name, channel in CHANNEL_BY_NAME.items()
            if channel.dead_letter_channel
        }
        self._metrics = (
            MetricsRegistry(self._queue_sizes, histograms=True) if enable_prometheus else None
        )
        self._export = (
            Export(self._metrics, prometheus_port, self._logger) if self._metrics else None
        )

    # Life

    async def start(self) -> None:
        """Connects, which may start a daemon, and makes ATLAS's channels; once.

        Where there is no daemon, nor can one be started, the bus is that of this process alone, and
        keeps nothing; the log says so.
        """
        if self._bus is None:
            await self._begin()

    async def stop(self) -> None:
        """Sends what was published and lets handlers finish, at most 5 s."""
        bus, self._bus = self._bus, None
        if bus is None:
            return
        if self._export is not None:
            self._export.end()
        self._subscriptions.clear()
        await bus.stop(_STOP_SECONDS)
        self._logger.info("AgentBus stopped", extra={"event": "bus_stop"})

    async def close(self) -> None:
        """:meth:`stop`."""
        await self.stop()

    @property
    def is_running(self) -> bool:
        return self._bus is not None

    _running = is_running

    def _begin(self) -> Completion[None]:
        bus = MessageBus(
            self._persistence_path,
            name=self._name,
            client=self._client,
            on_full="none",
            on_drop=self._dropped,
            allow_volatile=True,
        )
        self._bus = bus

        def work() -> None:
            try:
                backend = bus._core.start()
                if backend.kind == "daemon":
                    backend.call("profile", {"name": "atlas"}, bus._core.timeout)
                else:
                    self._logger.warning(
                        "AgentBus runs without the daemon: messages stay in this process, and "
                        "nothing is kept."
                    )
                    for name, channel in CHANNEL_BY_NAME.items():
                        backend.declare(name, _volatile(channel))
            except BaseException:
                self._bus = None
                bus._core.stop(0, inside=False)
                raise
            if self._export is not None:
                self._export.begin()
            self._logger.info(
                "AgentBus started", extra={"event": "bus_start", "channels": len(CHANNEL_BY_NAME)}
            )

        return run(work, "Starting the agent bus")

    def _started(self) -> MessageBus:
        if self._bus is None:
            raise _not_started()
        return self._bus

    # Publishing

    def publish(
        self,
        message: AgentMessage | str,
        payload: Any = None,
        *,
        priority: int | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> Published | Dropped:
        """Publishes a message, or a payload to the channel of that name, and returns its id.

        What is returned can be awaited, and need not be: publishing never waits. Where there is
        known to be no room it is false, and None when awaited.

        :param metadata: the context of a payload's message: ``agent_id``, ``conversation_id``,
            ``request_id``, ``user_id``, ``trace_id``, ``source_channel``; the rest become headers.
        :raises RuntimeError: if the bus does not run.
        :raises TypeError: if the payload cannot be encoded, or ``message`` is neither.
        """
        bus = self._bus
        if bus is None:
            raise _not_started()
        if isinstance(message, str):
            message = self._made(message, payload, priority, metadata)
        elif type(message) not in self._known:
            self._revival.learn(type(message))
        metrics = self._metrics
        started = time.perf_counter() if metrics is not None else 0.0
        ttl = message.ttl
        ttl_ms = 0 if ttl is None or self._strict else max(1, int(ttl * 1000))
        channel = message.channel
        priority = message.priority
        core = bus._core
        name = type(message).__name__
        sent = core.publish_fields(channel, message.__dict__, priority, CONTEXT, name, ttl_ms)
        if sent is None:
            fields, meta = wire_form(message.__dict__, CONTEXT, name)
            sent = core.publish(channel, fields, priority, meta, ttl_ms)
        if metrics is not None:
            if sent is None:
                metrics.dropped(channel)
            else:
                metrics.published(channel, (time.perf_counter() - started) * 1000)
        if sent is None:
            return Published(message.id) if self._strict else DROPPED
        return Published(sent if self._strict else message.id)

    def publish_from_sync(
        self,
        message: AgentMessage | str,
        payload: Any = None,
        *,
        priority: int | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> str | Dropped:
        """:meth:`publish` for code without an event loop; starts the bus if it does not run.

        From any thread. On a running event loop the bus is started beside it, and what is published
        meanwhile goes out when it runs.
        """
        if self._bus is None:
            beginning = self._begin()
            if on_running_loop() is None:
                beginning.result()
        return self.publish(message, payload, priority=priority, metadata=metadata)

    def _made(
        self,
        channel: str,
        payload: Any,
        priority: int | None,
        metadata: Mapping[str, Any] | None,
    ) -> AgentMessage:
        known = CHANNEL_BY_NAME.get(channel)
        fields: dict[str, Any] = {"channel": channel, "payload": payload}
        if priority is not None:
            fields["priority"] = priority
        elif known is not None:
            fields["priority"] = known.default_priority
        headers = {}
        for name, value in (metadata or {}).items():
            if name in CONTEXT:
                fields[name] = value
            else:
                headers[name] = value
        return self._revival.base(headers=headers, **fields)

    def _dropped(self, drop: Drop) -> None:
        if self._metrics is not None and drop.channel is not None:
            self._metrics.dropped(drop.channel)
        if self._on_drop is not None:
            self._on_drop(drop)

    # Subscribing

    def subscribe(
        self,
        channel: str,
        handler: Handler,
        *,
        handler_name: str | None = None,
        filter_fn: Filter | None = None,
        retry_attempts: int = 0,
        retry_delay: float = 0.1,
        concurrency: int = 1,
    ) -> Subscription:
        """Calls ``handler`` with each message of the channel from now on, most urgent first.

        What is returned can be awaited, until the daemon knows of it, and need not be: it begins by
        itself, some milliseconds later. A message whose handler, or filter, has raised comes again
        after ``retry_delay`` seconds, so many times, while others go on; then it goes to the
        channel's dead letters, if it had any when this was called.

        :param handler: a coroutine function, or a plain one; on this event loop, else on one in a
            thread of the bus.
        :param handler_name: what dead letters say; need not be unique.
        :param filter_fn: the handler gets only messages for which it is true.
        :param concurrency: messages handled at once.
        :raises RuntimeError: if the bus does not run.
        """
        core = self._started()._core
        name = handler_name or f"handler_{next(self._numbers)}"
        concurrency = max(1, concurrency)
        if retry_attempts > 0 or channel in self._dead_letters:
            delay = max(0.0, retry_delay)
            options: dict[str, Any] = {
                "ack": "explicit",
                "name": name,
                "max_attempts": max(0, retry_attempts) + 1,
                "backoff": {"initial": delay, "max": delay, "multiplier": 1.0, "jitter": 0.0},
                "lease": _LEASE_SECONDS,
            }
            terms = Terms("auto", concurrency=concurrency, answers=False, options=options)
        else:
            # Nothing comes of a failure here, so that nothing need be acknowledged.
            terms = Terms(concurrency=concurrency, answers=False)
        handling = self._handling(channel, handler, filter_fn)
        below = core.subscribe(channel, handling, terms, on_running_loop())
        id = name if name not in self._subscriptions else f"{name}#{next(self._numbers)}"
        subscription = Subscription(id, channel, name, below, self._ended)
        self._subscriptions[id] = subscription
        return subscription

    def _handling(self, channel: str, handler: Handler, filter_fn: Filter | None) -> Handler:
        revive = self._revival.message_of
        metrics = self._metrics
        if metrics is None and filter_fn is None and inspect.iscoroutinefunction(handler):
            return converting(handler, revive)

        async def handle(received: Received) -> None:
            message = revive(received)
            if filter_fn is None or filter_fn(message):
                result = handler(message)
                if result is not None and inspect.isawaitable(result):
                    await result

        if metrics is None:
            return handle

        async def counted(received: Received) -> None:
            started = time.perf_counter()
            try:
                await handle(received)
            except BaseException:
                metrics.failed(channel)
                metrics.took(channel, (time.perf_counter() - started) * 1000)
                raise
            metrics.dispatched(channel, (time.perf_counter() - started) * 1000)

        return counted

    def _ended(self, subscription: Subscription) -> None:
        self._subscriptions.pop(subscription.id, None)

    # Channels

    async def configure_channel(
        self,
        channel_name: str,
        *,
        idempotency_key_field: str | None = None,
        idempotency_ttl_seconds: float = 60.0,
        dead_letter_channel: str | None = None,
    ) -> None:
        """Sets what is given, of a channel that is there or comes into being by it.

        :param idempotency_key_field: the field of the payload by which doubles are known, for
            ``idempotency_ttl_seconds``.
        """
        core = self._started()._core
        params: dict[str, Any] = {"channel": channel_name}
        if idempotency_key_field is not None:
            params["idempotency_key_field"] = idempotency_key_field
            params["idempotency_ttl"] = idempotency_ttl_seconds
        if dead_letter_channel:
            params["dead_letter_channel"] = dead_letter_channel
            self._dead_letters[channel_name] = dead_letter_channel
        backend = core.start()
        await run(
            lambda: backend.call("configure", params, core.timeout),
            f"Configuring channel {channel_name!r}",
        )

    def get_channel_config(self, channel: str) -> ChannelConfig | None:
        """How ATLAS sets up the channel of that name, None if it is not one of its own."""
        return CHANNEL_BY_NAME.get(channel)

    def list_channels(self) -> list[str]:
        """The names of ATLAS's channels."""
        return list(CHANNEL_BY_NAME)

    def list_subscriptions(self) -> list[Subscription]:
        return list(self._subscriptions.values())

    def _queue_sizes(self) -> dict[str, int]:
        bus = self._bus
        if bus is None:
            return {}
        return {
            channel: int(of.get("queued", 0)) for channel, of in bus._core.channel_stats().items()
        }


def _not_started() -> RuntimeError:
    return RuntimeError("AgentBus not started")


def _volatile(channel: ChannelConfig) -> dict[str, Any]:
    """A channel of the profile, as far as it matters without the daemon."""
    return {
        "max_queue_size": channel.maxsize,
        "drop_policy": channel.drop_policy,
        "default_priority": int(channel.default_priority),
        "dead_letter_channel": channel.dead_letter_channel or "",
    }
