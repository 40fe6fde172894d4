"""The message bus: channels with priorities, over the daemon or within this process.

>>> bus = MessageBus()                                    # a private world of its own
>>> await bus.subscribe("llm.request", handle)            # a plain or a coroutine function
>>> bus.publish("llm.request", {"prompt": "…"}, Priority.HIGH)         # returns at once
>>> await bus.publish("jobs", {"id": 7}, confirm="durable")            # returns when it is on disk
>>> await bus.request("tool.call", {"name": "search"}, timeout=5.0)

Every method can be called from any thread and from any event loop. Those that talk to the daemon
block until it has answered; on a running event loop they return at once what can be awaited.

Payloads travel as MessagePack; :mod:`neuralcore._bus.payload` lists what arrives for what was
published. A tuple becomes a list.

A plain subscription gets each message at most once. One with ``ack="auto"`` or ``"manual"`` gets it
again until it is acknowledged, and with ``durable=True`` over restarts too. ``docs/bus.md`` says
what is promised and how each promise is tested.
"""

from __future__ import annotations

import asyncio
import datetime
import logging
import os
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import TimeoutError as FutureTimeout
from typing import TYPE_CHECKING, Any, Literal, TypedDict, overload

from neuralcore._bus.batch import RELAYED
from neuralcore._bus.completion import Completion, on_running_loop, run
from neuralcore._bus.confirmation import Confirmation, MessageIds
from neuralcore._bus.core import LARGE, NOT_PUT, Core, Drop
from neuralcore._bus.filling import with_short_way
from neuralcore._bus.message import Message, MessageId, MessageMeta, Priority
from neuralcore._bus.options import (
    check_delay,
    check_name,
    check_priority,
    check_ttl,
    namespace_of,
)
from neuralcore._bus.payload import InvalidPayload, PayloadCodec, SerializationFormat
from neuralcore._bus.plugins import Plugin
from neuralcore._bus.pull import PulledMessages
from neuralcore._bus.requests import HandlerError
from neuralcore._bus.settings import channel_options, subscription_options
from neuralcore._bus.subscription import Filter, Handler, Subscription, Terms
from neuralcore.errors import (
    InvalidRequest,
    NeuralCoreError,
    NotFound,
    NotSupported,
    RequestTimeout,
)

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from neuralcore.client import Client
    from neuralcore.fallback.client import FallbackClient

__all__ = [
    "Completion",
    "Confirmation",
    "Drop",
    "HandlerError",
    "InvalidPayload",
    "Message",
    "MessageBus",
    "MessageId",
    "MessageIds",
    "MessageMeta",
    "Plugin",
    "Priority",
    "PulledMessages",
    "SerializationFormat",
    "Subscription",
]

log = logging.getLogger("neuralcore.messaging")

Confirm = Literal["none", "accepted", "durable", "relayed"]


class PublishOptions(TypedDict, total=False):
    """What may be said of a message beside channel, payload and priority."""

    confirm: Confirm
    ttl: float | None
    delay: float | None
    deliver_at: float | datetime.datetime | None
    trace_id: str | None
    correlation_id: str | None
    source: str | None
    traceparent: str | None
    meta: Mapping[str, Any] | None


class SubscribeOptions(TypedDict, total=False):
    """What ``MessageBus.subscribe`` may be told beside channel and handler."""

    filter_fn: Filter | None
    filter: str | None
    batch: bool | int
    credit: int | None
    concurrency: int
    ack: Literal["none", "auto", "manual"] | None
    group: str | None
    durable: bool
    max_attempts: int | None
    backoff: dict[str, float] | float | None
    lease: float | None
    start: str | int | float | datetime.datetime | dict[str, Any] | None
    rate_per_second: float | None
    burst: int | None
    loop: asyncio.AbstractEventLoop | None


_HISTORY_PAGE = 1000
_CONFIRM = {"none": 0, "accepted": 1, "durable": 2, "relayed": 3}


class MessageBus:
    """Publishes to channels, calls handlers, asks and answers.

    The bus connects at ``start()``, at the first ``subscribe``, or in the background at the first
    ``publish``; this may start a daemon. Where there is none it works within this process
    (``backend == "fallback"``). It never changes from one to the other later: while the daemon is
    away it reconnects, subscribes again and buffers up to ``max_buffered`` messages; what the
    daemon has not confirmed it sends again, and the daemon takes no message twice.

    A bus without a name is a world of its own and ends with its owner; nothing of it is written to
    disk. Buses of the same name share their channels, between processes too (in the fallback:
    within the process), and their persistent channels are kept in the daemon's data folder.

    In a forked child it publishes under a new identity; its subscriptions stay with the parent.

    :param persistence_path: a file of its own for the messages of persistent channels. Without a
        name, buses of the same file share their channels.
    :param worker_count: threads for handlers that are plain functions.
    :param name: shares the channels of that name.
    :param client: the client to use; by default the process's own, as ``connect()`` finds it.
    :param allow_volatile: without the daemon, treat persistent channels as any other instead of
        refusing them.
    :param format: how payloads are encoded.
    :param source: put into the meta of every message as who published it.
    :param on_full: what ``publish`` does where there is known to be no room: "raise"
        ``QueueFull``, or return "none".
    :param on_drop: called with each :class:`Drop`, on a thread that it must not block.
    :param max_buffered: messages that may wait to be sent.
    :param timeout: seconds for each call of the daemon.
    """

    def __init__(
        self,
        persistence_path: str | os.PathLike[str] | None = None,
        worker_count: int = 4,
        name: str | None = None,
        *,
        client: Client | FallbackClient | None = None,
        allow_volatile: bool = False,
        format: SerializationFormat = SerializationFormat.AUTO,
        source: str | None = None,
        on_full: Literal["raise", "none"] = "raise",
        on_drop: Callable[[Drop], None] | None = None,
        max_buffered: int = 65_536,
        timeout: float = 30.0,
    ) -> None:
        if worker_count < 1 or max_buffered < 1:
            raise InvalidRequest(
                f"worker_count is {worker_count} and max_buffered {max_buffered}; "
                "both must be at least 1."
            )
        if on_full not in ("raise", "none"):
            raise InvalidRequest(f"on_full is {on_full!r}; it must be 'raise' or 'none'.")
        if name is not None:
            check_name("name", name)
            if name.startswith("private-") or "." in name:
                raise InvalidRequest(
                    f"The name {name!r} begins with 'private-' or holds a dot; choose another."
                )
        path = None if persistence_path is None else os.path.abspath(os.fspath(persistence_path))
        codec = PayloadCodec(format)
        core = Core(
            name=name or (namespace_of(path) if path is not None else None),
            path=path,
            client=client,
            workers=worker_count,
            codec=codec,
            source=source,
            on_drop=on_drop,
            raise_when_full=on_full == "raise",
            allow_volatile=allow_volatile,
            max_buffered=max_buffered,
            timeout=timeout,
        )
        self._core = core
        # For the short way of ``publish``, where every look-up shows.
        self._fast = core.fast
        self._put = core.outbox.put
        self._filling = core.outbox.for_dicts(core.fast, codec)
        self._encode = codec.encode
        self._encode_value = codec.encode_value
        self._content_type = codec.content_type

    @property
    def namespace(self) -> str:
        """The name under which the daemon knows its channels."""
        return self._core.namespace

    @property
    def backend(self) -> str | None:
        """ "daemon" or "fallback"; None before the bus has started."""
        return self._core.backend.kind if self._core.backend is not None else None

    @property
    def is_running(self) -> bool:
        return self._core.backend is not None and not self._core.stopped

    def start(self) -> Completion[MessageBus]:
        """Connects; may start a daemon. Does nothing if that has been done."""

        def work() -> MessageBus:
            self._core.start()
            return self

        return run(work, "Starting the message bus")

    def stop(self, timeout: float = 5.0) -> Completion[None]:
        """Sends what was published, ends the subscriptions and lets their handlers finish.

        :param timeout: seconds; after them handlers that still run are cancelled, and what waits
            for them is discarded. From inside a handler nothing is waited for.
        """
        inside = self._core.handlers.is_current()
        return run(lambda: self._core.stop(timeout, inside=inside), "Stopping the message bus")

    close = stop

    def __enter__(self) -> MessageBus:
        self._core.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    async def __aenter__(self) -> MessageBus:
        return await self.start()

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    def __repr__(self) -> str:
        state = "stopped" if self._core.stopped else self.backend or "not started"
        return f"<MessageBus {self.namespace!r}, {state}>"

    # Channels

    def create_channel(
        self,
        name: str,
        *,
        max_queue_size: int | None = None,
        default_priority: int | None = None,
        drop_policy: Literal["drop_new", "drop_old", "block"] | None = None,
        block_timeout: float | None = None,
        persistent: bool | None = None,
        durability: Literal["disk", "os"] | None = None,
        ttl: float | None = None,
        retention_age: float | None = None,
        retention_rows: int | None = None,
        retention_bytes: int | None = None,
        max_attempts: int | None = None,
        ageing: float | None = None,
        dead_letter_channel: str | None = None,
        rate_per_second: float | None = None,
        burst: int | None = None,
        idempotency_key_field: str | None = None,
        idempotency_ttl: float | None = None,
        idempotency_keys: int | None = None,
    ) -> Completion[bool]:
        """Creates a channel with settings of its own; others come into being as they are used.

        Before ``start()`` it is noted, and done then. What is left out is as the daemon has it.

        :param max_queue_size: messages that may wait for each subscription; 0 is without bound.
        :param default_priority: for messages that this bus publishes without one, and for those of
            JSON clients.
        :param drop_policy: what a full queue does: refuse the newcomer ("drop_new"), evict the
            oldest of the worst priority ("drop_old"), or have it wait for ``block_timeout`` seconds
            ("block").
        :param persistent: messages are kept on disk before anybody gets them; such a channel never
            drops. Needs a bus with a name or a path.
        :param durability: whether a message is safe when the disk has it ("disk") or when the
            system has it ("os", which survives the daemon and not a loss of power).
        :param ttl: seconds after which a message is not delivered any more.
        :param retention_age: seconds for which messages are kept; ``retention_rows`` how many,
            ``retention_bytes`` how much.
        :param max_attempts: deliveries of a message to an acknowledged subscription before it goes
            to the ``dead_letter_channel``.
        :param ageing: seconds of waiting that count as one step of priority; 0 is never.
        :param rate_per_second: messages a second that are let through, ``burst`` at once.
        :param idempotency_key_field: the field of the payload by which doubles are known, for
            ``idempotency_ttl`` seconds and the last ``idempotency_keys`` of them.
        :returns: (awaited, or by ``result()``) False if it had been created already.
        """
        check_name("channel", name)
        options = channel_options(
            {
                "max_queue_size": max_queue_size,
                "default_priority": default_priority,
                "drop_policy": drop_policy,
                "block_timeout": block_timeout,
                "persistent": persistent,
                "durability": durability,
                "ttl": ttl,
                "retention_age": retention_age,
                "retention_rows": retention_rows,
                "retention_bytes": retention_bytes,
                "max_attempts": max_attempts,
                "ageing": ageing,
                "dead_letter_channel": dead_letter_channel,
                "rate_per_second": rate_per_second,
                "burst": burst,
                "idempotency_key_field": idempotency_key_field,
                "idempotency_ttl": idempotency_ttl,
                "idempotency_keys": idempotency_keys,
            }
        )
        if default_priority is not None:
            self._core.topic(name).default_priority = check_priority(default_priority)
            self._fast.pop(name, None)
        return self._core.create(name, options)

    def load_profile(self, profile: str) -> Completion[dict[str, Any]]:
        """Creates the channels of a profile that the daemon ships, such as "atlas"."""
        return self._call("profile", {"name": profile})

    def remove_channel(self, name: str) -> Completion[dict[str, Any]]:
        """Removes a channel with what it holds."""
        return self._call("remove", {"channel": name})

    def channels(self) -> dict[str, Any]:
        """The settings of each channel, by name. Blocks for one round trip."""
        answer = self._core.start().call("channels", {}, self._core.timeout)
        return {str(channel["channel"]): channel for channel in answer.get("channels", ())}

    def queue_size(self, channel: str) -> int:
        """Messages of the channel that wait for credit, 0 if it does not exist.

        One round trip, for which it blocks, on an event loop too.
        """
        return self._core.channel_stats().get(channel, {}).get("queued", 0)

    def metrics(self) -> dict[str, Any]:
        """Counts of this bus, and of each channel of its namespace. Blocks as ``queue_size``."""
        subscriptions = list(self._core.subscriptions.values())
        return {
            "backend": self.backend,
            "namespace": self.namespace,
            "published": self._core.published,
            "dropped": self._core.dropped,
            "refused": self._core.refused,
            "buffered": self._core.buffered,
            "received": sum(s.received for s in subscriptions),
            "handled": sum(s.handled for s in subscriptions),
            "filtered": sum(s.filtered for s in subscriptions),
            "handler_errors": sum(s.errors for s in subscriptions),
            "channels": self._core.channel_stats(),
        }

    # What is kept

    def history(self, channel: str, *, after: int = 0, limit: int = 1000) -> list[dict[str, Any]]:
        """Messages that a persistent channel keeps, as dicts, oldest first. Blocks.

        :param after: the ``sequence`` of the message before the first of them.
        """
        found: list[dict[str, Any]] = []
        core = self._core
        while len(found) < limit:
            page = min(limit - len(found), _HISTORY_PAGE)
            params = {"channel": channel, "after": after, "limit": page}
            messages = core.start().call("history", params, core.timeout).get("messages", ())
            found += messages
            if len(messages) < page:
                break
            after = messages[-1]["sequence"]
        return found

    def dead_letters(self, channel: str, *, limit: int = 1000) -> list[dict[str, Any]]:
        """What could not be handled, as dicts, oldest first. Blocks."""
        params = {"channel": channel, "limit": limit}
        answer = self._core.start().call("dead_letters", params, self._core.timeout)
        return list(answer.get("messages", ()))

    def requeue(self, channel: str, **which: Any) -> Completion[dict[str, Any]]:
        """Publishes dead letters again where they came from."""
        return self._call("requeue", {"channel": channel, **which})

    def backup(self, path: str | os.PathLike[str]) -> Completion[dict[str, Any]]:
        """Writes a copy of what is kept while the bus works on."""
        return self._call("backup", {"path": os.path.abspath(os.fspath(path))})

    def import_file(self, path: str | os.PathLike[str]) -> Completion[dict[str, Any]]:
        """Takes over the messages of a file that ATLAS's own bus has written."""
        return self._call("import", {"path": os.path.abspath(os.fspath(path))})

    def _call(self, verb: str, params: dict[str, Any]) -> Completion[dict[str, Any]]:
        core = self._core
        return run(lambda: core.start().call(verb, params, core.timeout), f"The call {verb!r}")

    # Publishing

    def add_plugin(self, plugin: Plugin) -> None:
        """Has it asked around publishing and handling from now on."""
        self._core.plugins.add(plugin)
        self._fast.clear()

    def remove_plugin(self, plugin: Plugin) -> None:
        self._core.plugins.remove(plugin)

    @with_short_way
    def publish(
        self,
        channel: str,
        payload: Any,
        priority: int | None = None,
        **options: Unpack[PublishOptions],
    ) -> MessageId:
        """Publishes a message and returns its id (:class:`MessageId`) at once.

        Never waits for the daemon. A message that the daemon then refuses is counted and given to
        ``on_drop``; one that meets no subscription is discarded, unless its channel is persistent.

        :param payload: at most 8 MiB encoded.
        :param priority: lower is sooner; by default the channel's, else ``Priority.NORMAL``.
        :param confirm: awaiting what is returned waits until the daemon has queued it ("accepted")
            or, on a persistent channel, until it is safe ("durable"), and raises if it was refused.
            With "none", the default, it costs nothing. "relayed" waits for the broker behind each
            relay that takes the channel's messages out, and raises ``NotFound`` (``NO_RELAY``) if
            there is none, ``Unavailable`` (``RELAY_FAILED``) if the message was lost on the way,
            ``RequestTimeout`` if the broker does not answer: with ``RELAY_PENDING`` the message is
            kept and will be sent, with ``RELAY_TIMEOUT`` it may be lost.
        :param ttl: seconds after which it is not delivered any more.
        :param delay: seconds before which it is not delivered, of millisecond precision; or
            ``deliver_at``, a moment (datetime, or seconds since 1970).
        :param trace_id: with ``correlation_id``, ``source``, and ``traceparent`` (a W3C trace
            context): told to the handler as ``message.meta``.
        :param meta: anything else to go with it, as ``message.meta.custom``.
        :returns: None where there is known to be no room and the bus was made with
            ``on_full="none"``.
        :raises InvalidRequest: if something is out of range or cannot be encoded.
        :raises QueueFull: if ``max_buffered`` messages wait to be sent, or the channel has said
            that it is full.
        :raises ConnectionLost: if the bus was stopped.
        """
        default = self._fast.get(channel)
        if default is None or options:
            return self._publish_with(channel, payload, priority, **options)  # type: ignore[return-value]
        try:
            if type(payload) is dict:  # neither bytes nor anything else
                content_type = self._content_type
                encode = self._encode_value
                encoded = encode(payload)
            else:
                content_type, encoded = self._encode(payload)
            if len(encoded) > LARGE:
                return self._publish_with(channel, payload, priority)  # type: ignore[return-value]
            put = self._put
            return put(channel, default if priority is None else priority, content_type, encoded)
        except NOT_PUT:
            # Raises what is to be said, or returns None if that was asked for.
            return self._publish_with(channel, payload, priority)  # type: ignore[return-value]

    def _publish_with(
        self,
        channel: str,
        payload: Any,
        priority: int | None,
        *,
        confirm: Confirm = "none",
        ttl: float | None = None,
        delay: float | None = None,
        deliver_at: float | datetime.datetime | None = None,
        trace_id: str | None = None,
        correlation_id: str | None = None,
        source: str | None = None,
        traceparent: str | None = None,
        meta: Mapping[str, Any] | None = None,
    ) -> MessageId | None:
        core = self._core
        core.check_open()
        fields: dict[str, Any] = {}
        for name, value in (
            ("trace_id", trace_id),
            ("correlation_id", correlation_id),
            ("source", source),
            ("traceparent", traceparent),
        ):
            if value is not None:
                fields[name] = value
        if meta:
            fields["custom"] = dict(meta)
        delay_ms = 0
        if delay is not None or deliver_at is not None:
            delay_ms = check_delay(delay, deliver_at)
            if self.backend == "fallback":
                raise NotSupported("Delayed delivery needs the daemon.")
        ttl_ms = 0 if ttl is None else check_ttl(ttl)
        level = _CONFIRM.get(confirm)
        if level is None:
            raise InvalidRequest(
                f"confirm is {confirm!r}; it must be none, accepted, durable or relayed."
            )
        if level == RELAYED and self.backend == "fallback":
            raise NotSupported("A relay needs the daemon.")
        plugins = core.plugins
        if not plugins.around_publish:
            return core.publish(channel, payload, priority, fields, ttl_ms, delay_ms, level)
        payload = plugins.before_publish(channel, payload, fields)
        id = core.publish(channel, payload, priority, fields, ttl_ms, delay_ms, level)
        plugins.after_publish(channel, payload, id)
        return id

    def publish_many(
        self,
        channel: str,
        payloads: Iterable[Any],
        priority: int | None = None,
        **options: Unpack[PublishOptions],
    ) -> MessageIds:
        """Publishes each payload in order, as :meth:`publish` does.

        :returns: their ids; awaiting them awaits all confirmations. With ``on_full="none"`` it ends
            before the first that did not fit, so that its length says how many were taken.
        """
        ids = MessageIds()
        publish = self.publish
        for payload in payloads:
            id: MessageId | None = publish(channel, payload, priority, **options)
            if id is None:
                break
            ids.append(id)
        return ids

    def flush(self, timeout: float = 5.0) -> Completion[None]:
        """Waits until the daemon has queued, or refused, all that was published before, and has
        settled all that was acknowledged.

        :raises RequestTimeout: if that takes longer.
        """
        return run(lambda: self._core.flush(timeout), "Flushing the message bus")

    # Subscribing

    @overload
    def subscribe(
        self, channel: str, handler: None = None, **options: Unpack[SubscribeOptions]
    ) -> PulledMessages: ...

    @overload
    def subscribe(
        self, channel: str, handler: Handler, **options: Unpack[SubscribeOptions]
    ) -> Subscription: ...

    def subscribe(
        self,
        channel: str,
        handler: Handler | None = None,
        *,
        filter_fn: Filter | None = None,
        filter: str | None = None,
        batch: bool | int = False,
        credit: int | None = None,
        concurrency: int = 1,
        ack: Literal["none", "auto", "manual"] | None = None,
        group: str | None = None,
        durable: bool = False,
        max_attempts: int | None = None,
        backoff: dict[str, float] | float | None = None,
        lease: float | None = None,
        start: str | int | float | datetime.datetime | dict[str, Any] | None = None,
        rate_per_second: float | None = None,
        burst: int | None = None,
        loop: asyncio.AbstractEventLoop | None = None,
    ) -> Subscription:
        """Calls ``handler`` with every :class:`Message` of the channel from now on.

        Messages are handled most urgent first, equal priorities in the order of publishing, across
        the channels of this bus. Coroutine functions run on the event loop on which ``subscribe``
        was called (or ``loop``, or one in a thread), plain functions on worker threads. What a
        handler raises is logged and counted. What it returns, if not None, answers a request.

        Without a handler the subscription is to be iterated: ``for message in …`` in a thread,
        ``async for message in …`` on a loop.

        :param channel: a name, or a pattern: ``*`` stands for one part of a name, ``**`` for any
            number; parts are what dots separate.
        :param filter_fn: handle only messages for which it is true.
        :param filter: an expression over ``priority``, ``channel`` and ``meta.…`` that the daemon
            evaluates, so that unwanted messages do not travel:
            ``"priority <= 2 and meta.custom.tenant == 'a'"``.
        :param batch: the handler takes lists of messages; a number is the most of one list, else
            256.
        :param credit: messages that may be on their way here or wait here. By default it grows
            from 64 to 8,192 with the handler's speed.
        :param concurrency: messages (or lists) handled at once.
        :param ack: "none": a message is delivered at most once. "auto": it is acknowledged when
            the handler returns, and comes again, after a back-off, when it raises. "manual": by
            ``message.ack()``, ``nack()``, ``term()``, ``extend()``. Default: "auto" if durable.
        :param group: subscriptions of one group share the messages, each gets some.
        :param durable: the daemon remembers the group and what it has acknowledged, over restarts.
            ``cancel(forget=True)`` ends that.
        :param max_attempts: deliveries of a message before it goes to the dead letters.
        :param backoff: seconds before a redelivery, or ``initial``, ``max``, ``multiplier``,
            ``jitter`` (0 to 1).
        :param lease: seconds that a message may be out before it is delivered again.
        :param start: where to begin on a persistent channel: "new", "first", after a sequence
            number (int), at a moment (datetime, or float seconds since 1970), or ``{"last": n}``.
        :param rate_per_second: messages a second that it is given, ``burst`` at once.
        :returns: a :class:`Subscription`; await it to know that the daemon has it.
        """
        check_name("channel", channel, pattern=True)
        if (credit is not None and credit < 1) or concurrency < 1:
            raise InvalidRequest(
                f"credit is {credit} and concurrency {concurrency}; both must be at least 1."
            )
        if handler is not None and not callable(handler):
            raise InvalidRequest(f"The handler is a {type(handler).__name__}, not a function.")
        if ack is None:
            ack = "auto" if durable else "none"
        terms = Terms(
            acknowledge=ack,
            credit=credit,
            concurrency=concurrency,
            batch_limit=256 if batch is True else int(batch),
            filter_fn=filter_fn,
            options=subscription_options(
                ack=ack,
                group=group,
                durable=durable,
                max_attempts=max_attempts,
                backoff=backoff,
                lease=lease,
                filter=filter,
                start=start,
                rate_per_second=rate_per_second,
                burst=burst,
            ),
        )
        if handler is None:
            return self._core.pull(channel, terms)
        return self._core.subscribe(channel, handler, terms, loop or on_running_loop())

    def unsubscribe(self, subscription: Subscription | int) -> Completion[None]:
        """Ends a subscription, given itself or its id; what waits for it is discarded.

        :raises NotFound: if this bus has none of that id.
        """
        if isinstance(subscription, Subscription):
            return self._core.cancel(subscription)
        found = self._core.subscriptions.get(subscription)
        if found is None:
            raise NotFound(f"This bus has no subscription {subscription!r}.")
        return self._core.cancel(found)

    # Asking

    async def request(
        self,
        channel: str,
        payload: Any,
        timeout: float = 30.0,
        *,
        priority: int | None = None,
        trace_id: str | None = None,
        traceparent: str | None = None,
        meta: Mapping[str, Any] | None = None,
    ) -> Any:
        """Publishes a request and returns the payload of the first answer.

        The channel's handler answers with what it returns, or ``reply`` does.

        :param trace_id: with ``traceparent`` (a W3C trace context) and ``meta``: as of ``publish``;
            the answer carries the first two as well.
        :raises RequestTimeout: if none comes within ``timeout`` seconds.
        :raises HandlerError: if the handler raised.
        """
        if not self._core.requests_ready:
            await run(self._core.open_requests, "Preparing for answers")
        correlation, future = self._core.ask(
            channel, payload, timeout, priority, _fields(trace_id, traceparent, meta)
        )
        try:
            return await asyncio.wait_for(asyncio.wrap_future(future), timeout)
        except NeuralCoreError:
            raise
        except asyncio.TimeoutError:
            raise _no_answer(channel, timeout) from None
        finally:
            self._core.requests.forget(correlation)

    def request_sync(
        self,
        channel: str,
        payload: Any,
        timeout: float = 30.0,
        *,
        priority: int | None = None,
        trace_id: str | None = None,
        traceparent: str | None = None,
        meta: Mapping[str, Any] | None = None,
    ) -> Any:
        """:meth:`request` for threads without an event loop, where it blocks.

        :raises RuntimeError: on a running event loop, where ``await request(…)`` is the way.
        """
        if on_running_loop() is not None:
            raise RuntimeError("An event loop runs in this thread: await request(…) instead.")
        self._core.open_requests()
        correlation, future = self._core.ask(
            channel, payload, timeout, priority, _fields(trace_id, traceparent, meta)
        )
        try:
            return future.result(timeout)
        except NeuralCoreError:
            raise
        except FutureTimeout:
            raise _no_answer(channel, timeout) from None
        finally:
            self._core.requests.forget(correlation)

    def reply(self, message: Message, payload: Any) -> MessageId | None:
        """Answers a request that its handler did not answer by returning something.

        :raises InvalidRequest: if the message is no request.
        """
        return self._core.reply(message, payload, {})


def _fields(
    trace_id: str | None, traceparent: str | None, meta: Mapping[str, Any] | None
) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    if trace_id is not None:
        fields["trace_id"] = trace_id
    if traceparent is not None:
        fields["traceparent"] = traceparent
    if meta:
        fields["custom"] = dict(meta)
    return fields


def _no_answer(channel: str, timeout: float) -> RequestTimeout:
    return RequestTimeout(f"Nobody answered on channel {channel!r} within {timeout:g} s.")
