"""The way from ATLAS's names to the ``MessageBus`` below: the only place that knows both."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import math
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, cast

from neuralcore._bus.completion import Completion, on_running_loop, run
from neuralcore._bus.subscription import Terms
from neuralcore.compat._ncb.config import ChannelConfig
from neuralcore.errors import ConnectionLost, NeuralCoreError
from neuralcore.messaging import MessageBus
from neuralcore.relays import KafkaBridge, RedisBridge

if TYPE_CHECKING:
    from neuralcore._bus.message import Message as Received
    from neuralcore.client import Client
    from neuralcore.compat._ncb.subscriber import Subscriber

_SECONDS_FOR_SIZES = 1.0

# A callback may take as long as it takes; that its process has gone is known by the connection.
_LEASE_SECONDS = 7 * 86_400.0


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
        self._has_daemon = True
        self._sizes: dict[str, int] = {}
        self._bridges: list[RedisBridge | KafkaBridge] = []

    @property
    def is_open(self) -> bool:
        return self._bus is not None

    async def open(self) -> None:
        """Connects; may start a daemon. Without one, the bus is that of this process alone."""
        bus = self._make()
        await bus.start()
        self._has_daemon = bus.backend == "daemon"
        if not self._has_daemon:
            self._logger.warning(
                "The bus runs without the daemon: messages stay in this process, and nothing is "
                "kept."
            )
        self._bus = bus

    async def close(self, timeout: float) -> None:
        """Sends what was published and lets handlers finish, for so many seconds."""
        bus, bridges, self._bridges = self._bus, self._bridges, []
        if bus is not None:
            try:
                for bridge in bridges:
                    await bridge.flush(timeout)
                    await bridge.close()
                await bus.stop(timeout)
            finally:
                self._bus = None

    def declare(self, config: ChannelConfig) -> None:
        """Tells the daemon how a channel is set up, before whatever is published after this."""
        if self._bus is None:
            return
        options = config.for_daemon()
        if not self._has_daemon:
            options["persistent"] = False
            if config.drop_policy == "block":  # as it is in ATLAS
                options["drop_policy"] = "drop_new"
        self._bus._core.start().declare(config.name, options)

    async def relay(self, url: str, configs: Iterable[ChannelConfig]) -> None:
        """Has the daemon carry these channels to and from a Redis server, as they say.

        :raises NotSupported: if there is no daemon.
        """
        bridge = RedisBridge(url, self._relay_name("ncb-"), **self._relay_terms())
        for config in configs:
            if config.redis_out:
                bridge.route("out", config.name, pubsub=config.redis_out, **_form(config))
            if config.redis_in:
                bridge.route("in", config.name, pubsub=config.redis_in)
        await bridge.open()
        self._bridges.append(bridge)

    async def relay_kafka(
        self, servers: str, prefix: str, client_id: str, configs: Iterable[ChannelConfig]
    ) -> None:
        """The same with a Kafka cluster; topics and the group are called as ATLAS calls them.

        :raises NotSupported: if there is no daemon.
        """
        bridge = KafkaBridge(
            servers,
            self._relay_name("ncb-kafka-"),
            prefix=prefix + ".",
            properties={"client.id": client_id},
            **self._relay_terms(),
        )
        for config in configs:
            if config.kafka_out:
                bridge.route("out", config.name, topic=config.kafka_out, **_form(config))
            if config.kafka_in:
                group = f"{client_id}-group"
                bridge.route("in", config.name, topic=config.kafka_in, group=group)
        await bridge.open()
        self._bridges.append(bridge)

    def _relay_name(self, kind: str) -> str:
        """The same for all processes that share a namespace, and so one relay for all of them."""
        assert self._bus is not None
        return kind + hashlib.sha256(self._bus._core.namespace.encode()).hexdigest()[:16]

    def _relay_terms(self) -> dict[str, Any]:
        assert self._bus is not None
        core = self._bus._core
        return {"namespace": core.namespace, "client": cast("Client", core._client)}

    def send(self, channel: str, payload: Any, priority: int, meta: dict[str, Any]) -> str:
        """Publishes a message and returns its id.

        :raises QueueFull: if there is no room for it.
        :raises InvalidRequest: if it cannot be encoded.
        """
        if self._bus is None:
            raise ConnectionLost("The bus has stopped.")
        if not meta:
            return self._bus.publish(channel, payload, priority)
        # Not through MessageBus.publish, which puts meta into a field of its own: ATLAS's is flat.
        sent = self._bus._core.publish(channel, payload, priority, meta)
        assert sent is not None  # a bus that raises when it is full
        return sent

    async def subscribe(self, subscriber: Subscriber) -> None:
        """Has a subscriber's messages handled from now on."""
        if self._bus is None:
            return
        # Not through MessageBus.subscribe, which knows no name for dead letters.
        subscription = self._bus._core.subscribe(
            subscriber.channel.name,
            subscriber.handle,
            _terms(subscriber, keeps=self._has_daemon),
            self._loop or on_running_loop(),
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
        return bus is not None and message.id.startswith(bus._core.outbox.id_prefix)

    async def call(self, verb: str, params: dict[str, Any]) -> dict[str, Any]:
        """Asks the daemon for any other of its services for messages.

        :raises ConnectionLost: if the bus does not run.
        """
        if self._bus is None:
            raise ConnectionLost("The bus does not run; start it first.")
        core = self._bus._core
        backend = core.start()
        return await run(lambda: backend.call(verb, params, core.timeout), verb)

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


def _terms(subscriber: Subscriber, *, keeps: bool) -> Terms:
    config = subscriber.config
    delay = max(0.0, config.retry_delay)
    options: dict[str, Any] = {
        "ack": "explicit",
        "name": subscriber.name,
        "max_attempts": subscriber.attempts,
        "backoff": {"initial": delay, "max": delay, "multiplier": 1.0, "jitter": 0.0},
        "lease": _LEASE_SECONDS,
    }
    if keeps and config.replay_on_register and subscriber.channel.config.persistent:
        options["start"] = {"sequence": config.replay_after_seq}
    if config.rate_limit_per_sec and config.rate_limit_burst:
        options["rate_per_second"] = float(config.rate_limit_per_sec)
        options["burst"] = math.ceil(config.rate_limit_burst)
    return Terms(
        acknowledge="auto",
        credit=subscriber.channel.credit(config.concurrency),
        concurrency=config.concurrency,
        options=options,
    )


def _form(config: ChannelConfig) -> dict[str, Any]:
    """How a channel's messages look outside."""
    return {
        "serializer": "ncb" if config.serializer == "msgpack" else "json",
        "compression": "zlib" if config.compress else "none",
    }
