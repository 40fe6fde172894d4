"""ATLAS's ``NeuralCognitiveBus``, over the daemon."""

from __future__ import annotations

import asyncio
import dataclasses
import logging
import time
from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from neuralcore.compat._ncb import files
from neuralcore.compat._ncb.benchmark import run_benchmark
from neuralcore.compat._ncb.channels import Channel, ChannelConfigs, Queues
from neuralcore.compat._ncb.config import ChannelConfig
from neuralcore.compat._ncb.link import Link
from neuralcore.compat._ncb.logs import about
from neuralcore.compat._ncb.message import Message
from neuralcore.compat._ncb.metrics import MetricsRegistry
from neuralcore.compat._ncb.persistence import Persistence
from neuralcore.compat._ncb.plugins import Plugin, Plugins
from neuralcore.compat._ncb.prometheus import Export
from neuralcore.compat._ncb.publisher import Publisher
from neuralcore.compat._ncb.registry import Registry
from neuralcore.compat._ncb.security import Auth, SecurityConfig
from neuralcore.compat._ncb.subscriber import Callback, Filter, Subscriber, SubscriberConfig
from neuralcore.messaging import Drop, MessageBus

if TYPE_CHECKING:
    from neuralcore._bus.message import Message as Received
    from neuralcore.client import Client
    from neuralcore.fallback.client import FallbackClient


class NeuralCognitiveBus:
    """Channels with priorities between the parts of an application, as ATLAS's class has them.

    Keywords, methods, results and errors are ATLAS's; ``docs/atlas-bus.md`` lists where it behaves
    better. Messages go through the daemon, so that payloads are encoded
    (:mod:`neuralcore._bus.payload`) and each subscriber gets a copy of its own.

    A bus without ``persistence_path`` or ``name`` is a world of its own, as in ATLAS.

    ``publish`` and ``snapshot_metrics`` may be called from any thread; ``start``, ``stop`` and
    registering belong to one event loop, on which the callbacks run.

    :param default_max_queue_size: of channels created without a configuration.
    :param persistence_path: the file in which persistent channels are kept; shares the bus.
    :param enable_prometheus: serve the counts on 127.0.0.1, if ``prometheus_client`` is installed.
    :param logger: by default the one named "NCB", as the application has set it up.
    :param loop: runs the callbacks; by default the loop on which they are registered.
    :param channel_validator: tells whether a name may be used at all.
    :param hot_reload_config_path: file that is applied when it changes.
    :param subscriber_gc_interval_sec: how often to look for subscribers of which nothing was heard
        for ``subscriber_ttl_sec``; their bookkeeping is dropped, they go on.
    :param name: shares the channels with buses of that name. Not ATLAS's.
    :param client: the client to use. Not ATLAS's.
    """

    def __init__(
        self,
        *,
        default_max_queue_size: int = 1000,
        persistence_path: str | Path | None = None,
        enable_prometheus: bool = False,
        prometheus_port: int = 8000,
        logger: logging.Logger | None = None,
        loop: asyncio.AbstractEventLoop | None = None,
        channel_validator: Callable[[str], bool] | None = None,
        security: SecurityConfig | None = None,
        hot_reload_config_path: str | Path | None = None,
        hot_reload_interval_sec: float = 2.0,
        subscriber_gc_interval_sec: float = 60.0,
        subscriber_ttl_sec: float = 15 * 60.0,
        name: str | None = None,
        client: Client | FallbackClient | None = None,
    ) -> None:
        def make() -> MessageBus:
            return MessageBus(
                persistence_path,
                name=name,
                client=client,
                on_drop=self._on_drop,
                allow_volatile=True,
            )

        self.logger = logger or logging.getLogger("NCB")
        self.running = False
        self._channel_validator = channel_validator
        self._security = security or SecurityConfig()
        self._metrics = MetricsRegistry(self.queue_sizes, histograms=enable_prometheus)
        port = int(prometheus_port) if enable_prometheus else None
        self._export = Export(self._metrics, port, self.logger)
        self._plugins = Plugins(self._metrics, self.logger)
        self._link = Link(make, loop, self.logger)
        self._persistence = (
            Persistence(Path(persistence_path), self._link) if persistence_path else None
        )
        self._registry = Registry(
            int(default_max_queue_size), self._link.declare, self._removed, self.logger
        )
        self._channels = self._registry.channels
        self._publisher = Publisher(
            self._link, self._channels, self._plugins, self._metrics, self.logger
        )
        self._channel_cfg = ChannelConfigs(self._channels, self.create_channel, self.remove_channel)
        self._queues = Queues(self._channels, self.queue_sizes)
        self._subscriber_last_seen: dict[tuple[str, str], float] = {}
        self._subscriber_gc_interval = float(subscriber_gc_interval_sec)
        self._subscriber_ttl = float(subscriber_ttl_sec)
        self._hot_path = Path(hot_reload_config_path) if hot_reload_config_path else None
        self._hot_interval = float(hot_reload_interval_sec)
        self._tasks: set[asyncio.Task[None]] = set()
        self._life_lock = asyncio.Lock()

    # Life

    async def start(
        self,
        *,
        redis_url: str | None = None,
        kafka_bootstrap_servers: str | None = None,
        kafka_topic_prefix: str = "ncb",
        kafka_client_id: str = "ncb-bridge",
        kafka_acks: str = "all",
        kafka_max_in_flight: int = 5,
        **others: Any,
    ) -> None:
        """Connects, may start a daemon; then messages flow, those published before first.

        :param redis_url: has the daemon relay channels with ``redis_in`` and ``redis_out``, those
            that are there by now. A server that does not answer is tried for on and on.
        :param kafka_bootstrap_servers: the same with ``kafka_in`` and ``kafka_out``, topics behind
            ``kafka_topic_prefix`` and a dot; ``kafka_client_id`` names the group, too.
        :param kafka_acks: kept for callers of ATLAS's; it is always all.
        :param kafka_max_in_flight: the same; the relay sends in batches of its own.
        :raises NotSupported: if a relay is wanted and there is no daemon.
        """
        if others:
            self.logger.warning("start() passes over %s", ", ".join(sorted(others)))
        async with self._life_lock:
            if self.running:
                self.logger.warning("The bus runs already", extra=about("start_noop"))
                return
            await self._link.open()
            try:
                for channel in list(self._channels.values()):
                    self._link.declare(channel.config)
                    for subscriber in channel.subscribers:
                        await self._link.subscribe(subscriber)
                configs = [channel.config for channel in self._channels.values()]
                if redis_url:
                    await self._link.relay(redis_url, configs)
                if kafka_bootstrap_servers:
                    await self._link.relay_kafka(
                        kafka_bootstrap_servers, kafka_topic_prefix, kafka_client_id, configs
                    )
            except BaseException:
                await self._link.close(0)
                raise
            self.running = True
            self._publisher.open()
            self._export.begin()
            self._in_background(self._forget_idle_subscribers())
            if self._hot_path is not None:
                reload = files.HotReload(
                    self._hot_path, self._hot_interval, self.apply_config, self.logger
                )
                self._in_background(reload.run())
            self.logger.info("The bus runs", extra=about("start"))

    async def stop(self, timeout: float = 5.0) -> None:
        """Sends what was published, lets handlers finish, ends. The bus can be started again.

        :param timeout: seconds for that; then handlers are cancelled. ATLAS's waits for ever.
        """
        async with self._life_lock:
            if not self.running:
                self.logger.warning("The bus does not run", extra=about("stop_noop"))
                return
            for task in list(self._tasks):
                task.cancel()
            try:
                await self._link.close(timeout)
                await self._plugins.finish(timeout)
            finally:
                self.running = False
                self._publisher.close()
                self._export.end()
            self.logger.info("The bus has stopped", extra=about("stop"))

    async def __aenter__(self) -> NeuralCognitiveBus:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    @property
    def _running(self) -> bool:
        return self.running

    @property
    def default_max_queue_size(self) -> int:
        """Of channels created without a configuration."""
        return self._registry.default_max_queue_size

    def _in_background(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # Channels

    def create_channel(self, channel_name: str, cfg: ChannelConfig | None = None) -> None:
        """Creates a channel; does nothing, but warns, if it is there.

        :raises ValueError: if a setting has no meaning.
        """
        self._registry.create(channel_name, cfg)

    def remove_channel(self, channel_name: str) -> None:
        """Forgets a channel and ends its subscriptions here."""
        self._registry.remove(channel_name)

    def _removed(self, channel: Channel) -> None:
        for subscriber in channel.subscribers:
            self._link.unsubscribe(subscriber)

    def load_config_file(self, path: str | Path) -> dict[str, Any]:
        """The configuration in a YAML or JSON file, for :meth:`apply_config`.

        :raises FileNotFoundError: if there is none.
        """
        return files.read(path)

    def apply_config(self, cfg: Mapping[str, Any]) -> None:
        """Creates and changes channels, and changes who may use them: all of it, or nothing.

        :param cfg: ``{"channels": {name: {field: value}}, "security": {field: value}}``; what is
            not named stays as it is.
        :raises ValueError: if something in it has no meaning; it names it.
        """
        wanted = self._registry.wanted(cfg.get("channels") or {})
        security = cfg.get("security") or {}
        if not isinstance(security, Mapping):
            raise ValueError("'security' must be a mapping.")
        self._security.update(security)
        self._registry.apply(wanted)

    def add_plugin(self, plugin: Plugin) -> None:
        """Has a plugin see all messages from now on."""
        self._plugins.add(plugin)
        extra = about("plugin_add", subscriber=plugin.name)
        self.logger.info("Plugin %r added", plugin.name, extra=extra)

    # Publishing

    async def publish(
        self,
        channel_name: str,
        payload: Any,
        *,
        priority: int | None = None,
        meta: Mapping[str, Any] | None = None,
        auth: Auth | None = None,
    ) -> str | None:
        """Publishes a message and returns its id; None if it was not taken, and the log says why.

        Gives way to other tasks only if the channel's rate is used up, or a plugin does.

        :param priority: lower is sooner; by default the channel's.
        :raises ValueError: if the name is not allowed, or the payload cannot be encoded.
        :raises PermissionError: if the caller may not.
        """
        started = time.perf_counter()
        if self._channel_validator is not None:
            self._check_name(channel_name)
        channel = self._channels.get(channel_name)
        if channel is None:
            extra = about("publish_no_channel", channel=channel_name)
            self.logger.error("There is no channel %r", channel_name, extra=extra)
            return None
        caller = self._security.identify(auth, channel_name)
        # Without a trace_id its own id is what its receivers find there.
        fields = dict(meta) if meta else {}
        if caller != "unknown":
            fields.setdefault("published_by", caller)
        rank = channel.config.default_priority if priority is None else int(priority)
        publisher = self._publisher
        if self._plugins or channel.limiter is not None:
            return await publisher.publish(channel, payload, rank, fields, started)
        return publisher.send(channel, payload, rank, fields, started)

    def _check_name(self, channel_name: str) -> None:
        if self._channel_validator is not None and not self._channel_validator(channel_name):
            raise ValueError(f"Invalid channel name: {channel_name}")

    def _on_drop(self, drop: Drop) -> None:
        if drop.channel is not None and drop.code != "DUPLICATE":
            self._metrics.dropped(drop.channel)

    # Subscribers

    async def register_subscriber(
        self,
        channel_name: str,
        module_name: str,
        callback_fn: Callback,
        filter_fn: Filter | None = None,
        *,
        rate_limit_per_sec: float | None = None,
        rate_limit_burst: float | None = None,
        replay_on_register: bool = False,
        replay_after_seq: int = 0,
        auth: Auth | None = None,
        retry_attempts: int = 0,
        retry_delay: float = 0.1,
        concurrency: int = 1,
    ) -> None:
        """Has ``callback_fn`` called with every message of a channel from now on.

        Names need not be unique: all subscribers of a name get every message, and end together.

        :param filter_fn: call only with messages for which it is true.
        :param rate_limit_per_sec: calls a second; with ``rate_limit_burst``, how many at once.
        :param replay_on_register: first the messages kept of a persistent channel, from the one
            after ``replay_after_seq``, without a gap to what comes from now on.
        :param retry_attempts: how often a message is tried again after the callback raised,
            ``retry_delay`` seconds later each time; then it goes to the dead letters.
        :param concurrency: messages handled at once.
        :raises ValueError: if there is no such channel, or the name is not allowed.
        :raises PermissionError: if the caller may not.
        """
        self._check_name(channel_name)
        channel = self._channels.get(channel_name)
        if channel is None:
            raise ValueError(f"Channel '{channel_name}' does not exist.")
        self._security.verify(auth, channel_name)
        config = SubscriberConfig(
            module_name,
            callback_fn,
            filter_fn,
            rate_limit_per_sec,
            rate_limit_burst,
            replay_on_register,
            int(replay_after_seq),
            int(retry_attempts),
            float(retry_delay),
            max(1, int(concurrency)),
        )
        subscriber = Subscriber(self, channel, config)
        channel.subscribers.append(subscriber)
        self._subscriber_last_seen[channel_name, module_name] = time.time()
        try:
            await self._link.subscribe(subscriber)
        except BaseException:
            channel.subscribers.remove(subscriber)
            raise
        extra = about("subscriber_register", channel=channel_name, subscriber=module_name)
        self.logger.info("Subscriber %r registered", module_name, extra=extra)

    async def unregister_subscriber(self, channel_name: str, module_name: str) -> None:
        """Ends all subscribers of that name to a channel; does nothing if there is none."""
        channel = self._channels.get(channel_name)
        if channel is None:
            return
        ended = [s for s in channel.subscribers if s.name == module_name]
        channel.subscribers = [s for s in channel.subscribers if s.name != module_name]
        self._subscriber_last_seen.pop((channel_name, module_name), None)
        for completion in [self._link.unsubscribe(subscriber) for subscriber in ended]:
            if completion is not None:
                await completion
        if ended:
            extra = about("subscriber_unregister", channel=channel_name, subscriber=module_name)
            self.logger.info("Subscriber %r unregistered", module_name, extra=extra)

    async def _forget_idle_subscribers(self) -> None:
        while True:
            await asyncio.sleep(self._subscriber_gc_interval)
            oldest = time.time() - self._subscriber_ttl
            for key, seen in list(self._subscriber_last_seen.items()):
                if seen < oldest:
                    del self._subscriber_last_seen[key]

    # What a subscriber needs

    @property
    def metrics(self) -> MetricsRegistry:
        """What :meth:`snapshot_metrics` shows."""
        return self._metrics

    @property
    def plugins(self) -> Plugins:
        return self._plugins

    def is_own(self, message: Received) -> bool:
        """Whether this bus published it."""
        return self._link.is_own(message)

    def handled(self, subscriber: Subscriber, message: Message) -> None:
        """Something has come of a message."""
        self._subscriber_last_seen[message.channel, subscriber.name] = time.time()
        if self._plugins:
            self._plugins.tell("post_dispatch", message)

    # Looking at it

    def queue_sizes(self) -> dict[str, int]:
        """How many messages wait, by channel. Asks the daemon."""
        sizes = self._link.sizes(list(self._channels))
        for name, waiting in self._publisher.early().items():
            sizes[name] = sizes.get(name, 0) + waiting
        return sizes

    def snapshot_metrics(self) -> dict[str, dict[str, Any]]:
        """The counts of each channel that had any, with ``queue_size``, which the daemon knows."""
        sizes = self.queue_sizes()
        return {
            name: {**dataclasses.asdict(counts), "queue_size": sizes.get(name, 0)}
            for name, counts in list(self._metrics.local.items())
        }

    async def benchmark(
        self,
        channel: str,
        *,
        messages: int = 100_000,
        concurrency: int = 50,
        payload_factory: Callable[[int], Any] | None = None,
        priority: int = 100,
    ) -> dict[str, Any]:
        """Publishes so many messages and handles them; seconds and messages a second.

        Waits when the channel is full, so that all arrive.

        :param concurrency: tasks that publish.
        :raises ValueError: if there is no such channel.
        """
        return await run_benchmark(self, channel, messages, concurrency, payload_factory, priority)
