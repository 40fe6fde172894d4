"""The message bus: channels with priorities, over the daemon or within this process.

>>> bus = MessageBus()                                    # a private world of its own
>>> await bus.subscribe("llm.request", handle)            # a plain or a coroutine function
>>> bus.publish("llm.request", {"prompt": "…"}, Priority.HIGH)         # returns at once
>>> await bus.request("tool.call", {"name": "search"}, timeout=5.0)

Every method can be called from any thread and from any event loop. Those that talk to the daemon
block until it has answered; on a running event loop they return at once what can be awaited.

Payloads travel as MessagePack, or as JSON where no library for that is installed;
:mod:`neuralcore._bus.payload` lists what arrives for what was published. A tuple becomes a list.

Delivery is at most once, and nothing is stored in this version: ``persistence_path`` raises
``NotSupported`` unless ``allow_volatile=True`` says that losing messages is fine.
"""

from __future__ import annotations

import asyncio
import logging
import os
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import TimeoutError as FutureTimeout
from typing import TYPE_CHECKING, Any

from neuralcore._bus.completion import Completion, on_running_loop, run
from neuralcore._bus.core import Core, Drop
from neuralcore._bus.message import Message, MessageId, MessageMeta, Priority
from neuralcore._bus.options import check_name, check_priority
from neuralcore._bus.payload import InvalidPayload, PayloadCodec, SerializationFormat
from neuralcore._bus.requests import HandlerError
from neuralcore._bus.subscription import Filter, Handler, Subscription
from neuralcore.errors import (
    InvalidRequest,
    NeuralCoreError,
    NotFound,
    NotSupported,
    RequestTimeout,
)

if TYPE_CHECKING:
    from neuralcore.client import Client
    from neuralcore.fallback.client import FallbackClient

__all__ = [
    "Completion",
    "Drop",
    "HandlerError",
    "InvalidPayload",
    "Message",
    "MessageBus",
    "MessageId",
    "MessageMeta",
    "Priority",
    "SerializationFormat",
    "Subscription",
]

log = logging.getLogger("neuralcore.messaging")

_said_volatile = threading.Event()


class MessageBus:
    """Publishes to channels, calls handlers, asks and answers.

    The bus connects at ``start()``, at the first ``subscribe``, or in the background at the first
    ``publish``; this may start a daemon. Where there is none it works within this process
    (``backend == "fallback"``). It never changes from one to the other later: while the daemon is
    away it reconnects, subscribes again and buffers up to ``max_buffered`` messages.

    A bus without a name is a world of its own and ends with its owner. Buses of the same name share
    their channels, between processes too (in the fallback: within the process).

    In a forked child it publishes under a new identity; its subscriptions stay with the parent.

    :param persistence_path: where messages are to be kept. Not in this version: ``NotSupported``
        unless ``allow_volatile``, with which it is the bus's name if it has no other.
    :param worker_count: threads for handlers that are plain functions.
    :param name: shares the channels of that name.
    :param client: the client to use; by default the process's own, as ``connect()`` finds it.
    :param format: how payloads are encoded.
    :param source: put into the meta of every message as who published it.
    :param on_drop: called with each :class:`Drop`, on a thread that it must not block.
    :param max_buffered: messages that may wait to be sent before ``publish`` raises ``QueueFull``.
    :param timeout: seconds for each call of the daemon.
    """

    def __init__(
        self,
        persistence_path: str | os.PathLike[str] | None = None,
        worker_count: int = 4,
        *,
        name: str | None = None,
        client: Client | FallbackClient | None = None,
        allow_volatile: bool = False,
        format: SerializationFormat = SerializationFormat.AUTO,
        source: str | None = None,
        on_drop: Callable[[Drop], None] | None = None,
        max_buffered: int = 65_536,
        timeout: float = 30.0,
    ) -> None:
        if worker_count < 1 or max_buffered < 1:
            raise InvalidRequest(
                f"worker_count is {worker_count} and max_buffered {max_buffered}; "
                "both must be at least 1."
            )
        if name is not None:
            check_name("name", name)
            if name.startswith("private-"):
                raise InvalidRequest(f"The name {name!r} begins with 'private-'; choose another.")
        if persistence_path is not None:
            _check_volatile(persistence_path, allow_volatile)
            name = name or os.fspath(persistence_path)
        self._core = Core(
            name=name,
            client=client,
            workers=worker_count,
            codec=PayloadCodec(format),
            source=source,
            on_drop=on_drop,
            max_buffered=max_buffered,
            timeout=timeout,
        )

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
        drop_policy: str | None = None,
    ) -> Completion[bool]:
        """Creates a channel with settings of its own; others come into being as they are used.

        Before ``start()`` it is noted, and done then.

        :param max_queue_size: messages that may wait for each subscription; 0 is without bound.
        :param default_priority: for messages that this bus publishes without one, and for those of
            JSON clients.
        :param drop_policy: "drop_new" or "drop_old", for a full queue.
        :returns: (awaited, or by ``result()``) False if it had been created already.
        """
        check_name("channel", name)
        if drop_policy not in (None, "drop_new", "drop_old"):
            raise InvalidRequest(
                f"drop_policy is {drop_policy!r}; it must be 'drop_new' or 'drop_old'."
            )
        if default_priority is not None:
            self._core.priorities[name] = check_priority(default_priority)
        settings = {
            "max_queue_size": max_queue_size,
            "default_priority": default_priority,
            "drop_policy": drop_policy,
        }
        options = {key: value for key, value in settings.items() if value is not None}
        return self._core.create(name, options)

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
            "buffered": self._core.buffered,
            "received": sum(s.received for s in subscriptions),
            "handled": sum(s.handled for s in subscriptions),
            "filtered": sum(s.filtered for s in subscriptions),
            "handler_errors": sum(s.errors for s in subscriptions),
            "channels": self._core.channel_stats(),
        }

    # Publishing

    def publish(
        self,
        channel: str,
        payload: Any,
        priority: int | None = None,
        *,
        ttl: float | None = None,
        trace_id: str | None = None,
        correlation_id: str | None = None,
        source: str | None = None,
        meta: Mapping[str, Any] | None = None,
    ) -> MessageId:
        """Publishes a message and returns its id at once; awaiting that costs nothing.

        Never waits for the daemon. A message that the daemon then refuses is counted and given to
        ``on_drop``; one that meets no subscription is discarded.

        :param payload: at most 8 MiB encoded.
        :param priority: lower is sooner; by default the channel's, else ``Priority.NORMAL``.
        :param ttl: seconds after which it is not delivered any more.
        :param meta: anything else to go with it, as ``message.meta.custom``.
        :raises InvalidRequest: if something is out of range or cannot be encoded.
        :raises QueueFull: if ``max_buffered`` messages wait to be sent.
        :raises ConnectionLost: if the bus was stopped.
        """
        self._core.check_open()
        fields = _fields(trace_id, meta)
        if correlation_id is not None:
            fields["correlation_id"] = correlation_id
        return self._core.publish(channel, payload, priority, ttl, source, fields)

    def flush(self, timeout: float = 5.0) -> Completion[None]:
        """Waits until the daemon has queued, or refused, all that was published before.

        :raises RequestTimeout: if that takes longer.
        """
        return run(lambda: self._core.flush(timeout), "Flushing the message bus")

    # Subscribing

    def subscribe(
        self,
        channel: str,
        handler: Handler,
        *,
        filter_fn: Filter | None = None,
        credit: int = 256,
        concurrency: int = 1,
        loop: asyncio.AbstractEventLoop | None = None,
    ) -> Subscription:
        """Calls ``handler`` with every :class:`Message` of the channel from now on.

        Messages are handled most urgent first, equal priorities in the order of publishing, across
        the channels of this bus. Coroutine functions run on the event loop on which ``subscribe``
        was called (or ``loop``, or one in a thread), plain functions on worker threads. What a
        handler raises is logged and counted. What it returns, if not None, answers a request.

        :param filter_fn: handle only messages for which it is true.
        :param credit: messages that may be on their way here or wait here; a more urgent message
            that finds them all taken waits for one to be finished.
        :param concurrency: messages handled at once.
        """
        check_name("channel", channel)
        if credit < 1 or concurrency < 1:
            raise InvalidRequest(
                f"credit is {credit} and concurrency {concurrency}; both must be at least 1."
            )
        if not callable(handler):
            raise InvalidRequest(f"The handler is a {type(handler).__name__}, not a function.")
        loop = loop or on_running_loop()
        return self._core.subscribe(channel, handler, filter_fn, credit, concurrency, loop)

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
        meta: Mapping[str, Any] | None = None,
    ) -> Any:
        """Publishes a request and returns the payload of the first answer.

        The channel's handler answers with what it returns, or ``reply`` does.

        :raises RequestTimeout: if none comes within ``timeout`` seconds.
        :raises HandlerError: if the handler raised.
        """
        if not self._core.requests_ready:
            await run(self._core.open_requests, "Preparing for answers")
        correlation, future = self._core.ask(
            channel, payload, timeout, priority, _fields(trace_id, meta)
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
        meta: Mapping[str, Any] | None = None,
    ) -> Any:
        """:meth:`request` for threads without an event loop, where it blocks.

        :raises RuntimeError: on a running event loop, where ``await request(…)`` is the way.
        """
        if on_running_loop() is not None:
            raise RuntimeError("An event loop runs in this thread: await request(…) instead.")
        self._core.open_requests()
        correlation, future = self._core.ask(
            channel, payload, timeout, priority, _fields(trace_id, meta)
        )
        try:
            return future.result(timeout)
        except NeuralCoreError:
            raise
        except FutureTimeout:
            raise _no_answer(channel, timeout) from None
        finally:
            self._core.requests.forget(correlation)

    def reply(self, message: Message, payload: Any) -> MessageId:
        """Answers a request that its handler did not answer by returning something.

        :raises InvalidRequest: if the message is no request.
        """
        return self._core.reply(message, payload, {})


def _fields(trace_id: str | None, meta: Mapping[str, Any] | None) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    if trace_id is not None:
        fields["trace_id"] = trace_id
    if meta:
        fields["custom"] = dict(meta)
    return fields


def _no_answer(channel: str, timeout: float) -> RequestTimeout:
    return RequestTimeout(f"Nobody answered on channel {channel!r} within {timeout:g} s.")


def _check_volatile(path: str | os.PathLike[str], allowed: bool) -> None:
    if not allowed:
        raise NotSupported(
            "This version keeps no messages on disk; "
            "pass allow_volatile=True if losing them is fine."
        )
    if not _said_volatile.is_set():
        _said_volatile.set()
        log.warning("messages are not kept on disk in this version; %s is not written", path)
