"""What is behind a ``MessageBus``: its life, and the ways of its messages."""

from __future__ import annotations

import asyncio
import atexit
import itertools
import logging
import os
import secrets
import struct
import threading
import time
import weakref
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from typing import Any, NamedTuple

from neuralcore._bus.backend import Backend, Listener
from neuralcore._bus.batch import Batch, Rejected
from neuralcore._bus.completion import Completion, on_running_loop, run
from neuralcore._bus.confirmation import Confirmation
from neuralcore._bus.dispatch import LoopThread
from neuralcore._bus.handlers import Handlers
from neuralcore._bus.message import Message, MessageId, Priority
from neuralcore._bus.options import CHANNELS_DEFAULT, check_name, check_priority
from neuralcore._bus.outbox import Outbox
from neuralcore._bus.payload import NONE, PayloadCodec
from neuralcore._bus.plugins import Plugins
from neuralcore._bus.pull import PulledMessages
from neuralcore._bus.requests import Requests
from neuralcore._bus.subscription import Handler, Subscription, Terms
from neuralcore._wire import AnySettlement, message_id
from neuralcore.errors import ConnectionLost, InvalidRequest, NeuralCoreError, QueueFull

log = logging.getLogger("neuralcore.messaging")

_MAX_PAYLOAD = 8 << 20
# What the short ways of publishing leave to the long ones, which find the words for it.
NOT_PUT = (struct.error, TypeError, ValueError, OverflowError, RecursionError, QueueFull)
LARGE = 1 << 20
_REPLY_CREDIT = 1 << 30
_EXIT_DEADLINE = 2.0
_subscription_numbers = itertools.count(1)


class Drop(NamedTuple):
    """A message that reached nobody although it was published.

    :ivar id: what ``publish`` had returned.
    :ivar channel: its channel, or None if that is not known any more.
    :ivar code: the error's name, as ``QUEUE_FULL``.
    """

    id: str
    channel: str | None
    code: str


class Topic:
    """What a bus knows of a channel that it publishes to.

    :ivar room: how many messages fit; None while nothing has been said of it.
    """

    __slots__ = ("default_priority", "room")

    def __init__(self, default_priority: int) -> None:
        self.default_priority = default_priority
        self.room: int | None = None


class Core:
    """One bus. Thread-safe; every method may block but ``publish`` and what is named ``…ed``."""

    def __init__(
        self,
        *,
        name: str | None,
        path: str | None,
        client: Any,
        workers: int,
        codec: PayloadCodec,
        source: str | None,
        on_drop: Callable[[Drop], None] | None,
        raise_when_full: bool,
        allow_volatile: bool,
        max_buffered: int,
        timeout: float,
    ) -> None:
        self.namespace = name or _private()
        self.backend: Backend | None = None
        self.handlers = Handlers(workers)
        self.subscriptions: dict[int, Subscription] = {}
        self.requests = Requests()
        self.plugins = Plugins()
        self.topics: dict[str, Topic] = {}
        # Channels to which a message with nothing but a payload may go without further questions,
        # and their default priorities.
        self.fast: dict[str, int] = {}
        self.dropped = 0
        self.refused = 0
        self.stopped = False
        self.timeout = timeout
        self.allow_volatile = allow_volatile
        self._path = path
        self._is_private = name is None
        self._client = client
        self._workers = workers
        self._codec = codec
        self._encode_value = codec.encode_value
        self._content_type = codec.content_type
        self._source = source
        self._on_drop = on_drop
        self._raise_when_full = raise_when_full
        self._publisher = secrets.randbits(64)
        self._lock = threading.RLock()
        self.outbox = Outbox(self._publisher, self._send, self._sending_failed, max_buffered)
        self._put = self.outbox.put
        self._put_dicts = self.outbox.put_dicts
        self._put_fields = self.outbox.put_fields
        self._to_create: list[tuple[str, dict[str, Any]]] = []
        self._requests_ready = False
        self._starting: Future[None] | None = None
        _cores.add(self)

    # Life

    def start(self) -> Backend:
        """Connects if that has not been done; may start a daemon."""
        with self._lock:
            self.check_open()
            if self.backend is None:
                self.backend = self._connect()
                if self._path is not None:
                    self.backend.open(self._path, self.timeout)
                for channel, options in self._to_create:
                    self.backend.create(channel, options, self.timeout)
                self._to_create.clear()
                log.info("message bus %s over the %s", self.namespace, self.backend.kind)
                # At exit this must run before the connection closes, so be registered after it.
                atexit.unregister(_flush_at_exit)
                atexit.register(_flush_at_exit)
                self.outbox.open()
            return self.backend

    def _connect(self) -> Backend:
        client = self._client
        if client is None:
            from neuralcore._default import default_client

            client = default_client()
        listener = Listener(self._rejected, self._room_changed)
        if client.backend == "daemon":
            from neuralcore._bus.daemon import DaemonBackend

            return DaemonBackend(client.connection, self.namespace, self._publisher, listener)
        from neuralcore.fallback.messaging import LocalBackend

        return LocalBackend(
            self.namespace, self._publisher, listener, allow_volatile=self.allow_volatile
        )

    def stop(self, timeout: float, *, inside: bool) -> None:
        """``inside`` a handler none is waited for, and none is cancelled."""
        timeout = 0.0 if inside else timeout
        deadline = time.monotonic() + timeout
        with self._lock:
            if self.stopped:
                return
            self.stopped = True
            self.fast.clear()
            backend = self.backend
            subscriptions = list(self.subscriptions.values())
        self.outbox.flush(timeout)
        try:
            if backend is not None:
                for subscription in subscriptions:
                    if not subscription.acknowledges:
                        _quietly(backend.unsubscribe, subscription.id, False, self.timeout)
                if timeout > 0:
                    self.handlers.drain(deadline)
                    for subscription in subscriptions:
                        subscription.send_settlements()
                    self.outbox.flush(max(0.0, deadline - time.monotonic()))
                    _quietly(backend.flush, max(0.1, deadline - time.monotonic()))
                for subscription in subscriptions:
                    if subscription.acknowledges:
                        _quietly(backend.unsubscribe, subscription.id, False, self.timeout)
        finally:
            self.outbox.close()
            for subscription in subscriptions:
                subscription.ended()
            self.handlers.close(cancel=not inside)
            self.requests.fail_all(_stopped_error())
            if backend is not None:
                _quietly(backend.close, self.timeout)

    def check_open(self) -> None:
        if self.stopped:
            raise _stopped_error()

    # Publishing

    def topic(self, channel: str) -> Topic:
        """What is known of a channel; its name is checked when it is first met."""
        topic = self.topics.get(channel)
        if topic is None:
            check_name("channel", channel)
            topic = self.topics.setdefault(channel, Topic(Priority.NORMAL))
        return topic

    def publish(
        self,
        channel: str,
        payload: Any,
        priority: int | None = None,
        fields: dict[str, Any] | None = None,
        ttl_ms: int = 0,
        delay_ms: int = 0,
        confirm: int = 0,
    ) -> MessageId | None:
        """Puts a message into the outbox; None if it is known not to fit and that is no error.

        While the bus stops, too: handlers that finish may publish.

        :param fields: its meta.
        """
        usual = self.fast.get(channel)
        if usual is not None and type(payload) is dict and not (delay_ms or confirm):
            try:
                if self._put_dicts is not None:
                    put_dicts = self._put_dicts
                    rank = usual if priority is None else priority
                    id = put_dicts(channel, rank, payload, fields, ttl_ms)
                    if id is not None:
                        return id
                encode = self._encode_value
                encoded = encode(payload)
                meta = encode(fields) if fields else b""
                if len(encoded) + len(meta) <= LARGE:
                    put = self._put
                    type_ = self._content_type
                    usual = usual if priority is None else priority
                    return put(
                        channel, usual, type_, encoded, type_ if fields else NONE, meta, ttl_ms
                    )
            except NOT_PUT:
                pass  # what follows finds the words for it
        return self._publish_with(
            channel, payload, priority, fields or {}, ttl_ms, delay_ms, confirm
        )

    def publish_fields(
        self,
        channel: str,
        fields: dict[str, Any],
        priority: int,
        names: tuple[str, ...],
        class_name: str,
        ttl_ms: int,
    ) -> MessageId | None:
        """Publishes an object as ``Outbox.put_fields`` says; None if it is for :meth:`publish`."""
        put_fields = self._put_fields
        if put_fields is None or channel not in self.fast:
            return None
        try:
            return put_fields(channel, priority, fields, names, class_name, ttl_ms)
        except NOT_PUT:
            return None  # the long way finds the words for it

    def _publish_with(
        self,
        channel: str,
        payload: Any,
        priority: int | None,
        fields: dict[str, Any],
        ttl_ms: int,
        delay_ms: int,
        confirm: int,
    ) -> MessageId | None:
        topic = self.topics.get(channel) or self.topic(channel)
        if topic.room is not None:
            if topic.room <= 0:
                self._full(f"Channel {channel!r} is full.")
                return None
            topic.room -= 1
        if priority is None:
            priority = topic.default_priority
        if self._source is not None and "source" not in fields:
            fields = {**fields, "source": self._source}
        if priority == CHANNELS_DEFAULT:
            check_priority(priority)
        encode = self._codec.encode
        payload_type, encoded = encode(payload)
        meta_type, meta = encode(fields) if fields else (NONE, b"")
        if len(encoded) + len(meta) > _MAX_PAYLOAD:
            raise InvalidRequest(
                f"Payload and meta have {len(encoded)} and {len(meta)} bytes; "
                f"a message carries at most {_MAX_PAYLOAD}."
            )
        try:
            id, sequence, batch = self.outbox.put_with(
                channel,
                priority,
                payload_type,
                encoded,
                meta_type,
                meta,
                ttl_ms,
                delay_ms,
                confirm,
            )
        except QueueFull as full:
            self._full(str(full))
            return None
        except struct.error as error:
            check_priority(priority)
            raise InvalidRequest(f"A number of the message is out of range: {error}.") from None
        if self.backend is None and self._starting is None:
            self._start_in_background()
        self._note_fast(channel, topic)
        return Confirmation.of(id, sequence, batch) if confirm else id

    def _note_fast(self, channel: str, topic: Topic) -> None:
        """From now on the channel takes the short way, until anything but a payload matters."""
        if (
            topic.room is None
            and self._source is None
            and self.backend is not None
            and not self.plugins.around_publish
        ):
            self.fast[channel] = topic.default_priority

    def _full(self, reason: str) -> None:
        self.refused += 1
        if self._raise_when_full:
            raise QueueFull(reason, hint="Publish more slowly.")

    def _room_changed(self, channel: str | None, room: int | None) -> None:
        if channel is None:
            for topic in list(self.topics.values()):
                topic.room = None
            return
        known = self.topics.get(channel)
        if known is not None:
            known.room = room
            self.fast.pop(channel, None)

    def _start_in_background(self) -> None:
        starting: Future[None] = Future()
        with self._lock:
            if self._starting is not None:
                return
            self._starting = starting

        def work() -> None:
            try:
                self.start()
            except Exception as error:
                log.error(
                    "The message bus did not start; it tries again at the next call: %s", error
                )
                self._starting = None
            finally:
                starting.set_result(None)

        threading.Thread(target=work, name="neuralcore-bus", daemon=True).start()

    @property
    def published(self) -> int:
        """Messages that ``publish`` has taken."""
        return self.outbox.taken

    @property
    def buffered(self) -> int:
        return len(self.outbox)

    def flush(self, timeout: float) -> None:
        backend = self.start()
        deadline = time.monotonic() + timeout
        for subscription in list(self.subscriptions.values()):
            subscription.send_settlements()
        self.outbox.flush(timeout)
        backend.flush(max(0.001, deadline - time.monotonic()))

    def _send(self, batch: Batch, wait: float) -> bool:
        assert self.backend is not None  # the outbox was opened after it was set
        return self.backend.send(batch, wait)

    def _sending_failed(self, batch: Batch, error: Exception) -> None:
        code = error.code if isinstance(error, NeuralCoreError) else "INTERNAL"
        log.error("%d message(s) were not sent: %s", batch.count, error)
        rejected = [Rejected(m.sequence, m.channel, code) for m, _ in batch.messages()]
        batch.settle(rejected)
        self._rejected(rejected)

    def _rejected(self, rejections: Sequence[Rejected]) -> None:
        self.dropped += len(rejections)
        if self._on_drop is None:
            return
        for sequence, channel, code in rejections:
            try:
                self._on_drop(Drop(message_id(self._publisher, sequence), channel, code))
            except Exception:
                log.exception("on_drop failed")

    # Channels

    def create(self, channel: str, options: dict[str, Any]) -> Completion[bool]:
        with self._lock:
            if self.backend is None:
                self._to_create.append((channel, options))
                noted: Future[bool] = Future()
                noted.set_result(True)
                return Completion(noted, "")
        return run(
            lambda: self.start().create(channel, options, self.timeout),
            f"Creating channel {channel!r}",
        )

    def channel_stats(self) -> dict[str, dict[str, int]]:
        if self.backend is None or self.stopped:
            return {}
        self.outbox.flush()
        return self.backend.stats(self.timeout)

    # Subscribing

    def subscribe(
        self,
        channel: str,
        handler: Handler,
        terms: Terms,
        loop: asyncio.AbstractEventLoop | None,
    ) -> Subscription:
        dispatcher, loop = self.handlers.place(handler, loop)
        number = next(_subscription_numbers)
        subscription = Subscription(self, number, channel, handler, terms, dispatcher, loop)
        self.establish(subscription)
        return subscription

    def pull(self, channel: str, terms: Terms) -> PulledMessages:
        subscription = PulledMessages(self, next(_subscription_numbers), channel, terms)
        self.establish(subscription)
        return subscription

    def establish(self, subscription: Subscription) -> None:
        what = f"Subscribing to {subscription.channel!r}"
        if self.backend is None or on_running_loop() is None:
            subscription.established = run(lambda: self._establish(subscription), what)
        else:
            subscription.established = Completion(self._begin(subscription, self.backend), what)

    def _begin(self, subscription: Subscription, backend: Backend) -> Future[None]:
        """Has it on its way when this returns, so that it gets what is published next."""
        begun: Future[None] = Future()

        def answered(sent: Future[Any]) -> None:
            try:
                sent.result()
                begun.set_result(None)
            except BaseException as error:
                self.subscriptions.pop(subscription.id, None)
                begun.set_exception(error)

        try:
            self.check_open()
            self._attach(subscription, backend)
            backend.begin_subscribe(
                subscription.id,
                subscription.channel,
                subscription.window,
                subscription.receiver,
                subscription.terms.options,
                self.timeout,
            ).add_done_callback(answered)
        except BaseException as error:
            self.subscriptions.pop(subscription.id, None)
            begun.set_exception(error)
        return begun

    def _establish(self, subscription: Subscription) -> None:
        backend = self.start()
        self._attach(subscription, backend)
        try:
            backend.subscribe(
                subscription.id,
                subscription.channel,
                subscription.window,
                subscription.receiver,
                subscription.terms.options,
                self.timeout,
            )
        except BaseException:
            self.subscriptions.pop(subscription.id, None)
            raise

    def _attach(self, subscription: Subscription, backend: Backend) -> None:
        self.subscriptions[subscription.id] = subscription
        if subscription.loop is not None:
            # Runs there before what follows from the subscription.
            subscription.loop.call_soon_threadsafe(backend.attach, subscription.loop)

    @property
    def hooks(self) -> Plugins | None:
        return self.plugins if self.plugins.around_dispatch else None

    def cancel(self, subscription: Subscription, forget: bool = False) -> Completion[None]:
        subscription.ended()
        return run(lambda: self._cancel(subscription, forget), f"Cancelling {subscription!r}")

    def _cancel(self, subscription: Subscription, forget: bool) -> None:
        if self.subscriptions.pop(subscription.id, None) is None or self.stopped:
            return
        subscription.send_settlements()
        if self.backend is not None:
            self.backend.unsubscribe(subscription.id, forget, self.timeout)

    def settle(
        self, subscription: Subscription, settlements: Sequence[AnySettlement]
    ) -> Future[Any]:
        assert self.backend is not None  # something was delivered
        return self.backend.settle(subscription.id, settlements)

    def grant(self, subscription: Subscription, messages: int) -> None:
        if self.backend is None or self.stopped:
            return
        try:
            self.backend.grant(subscription.id, messages)
        except NeuralCoreError as error:
            log.debug("credit for %r was not sent: %s", subscription, error)

    def helper_loop(self) -> LoopThread:
        return self.handlers.helper()

    # Asking

    def open_requests(self) -> None:
        """Subscribes to the channel on which answers come."""
        with self._lock:
            if not self._requests_ready:
                self.start().subscribe(
                    next(_subscription_numbers),
                    self.requests.channel,
                    lambda: _REPLY_CREDIT,
                    self.requests.deliver,
                    {},
                    self.timeout,
                )
                self._requests_ready = True

    @property
    def requests_ready(self) -> bool:
        return self._requests_ready

    def ask(
        self,
        channel: str,
        payload: Any,
        timeout: float,
        priority: int | None,
        fields: dict[str, Any],
    ) -> tuple[str, Future[Any]]:
        """Publishes a request; the correlation id and the future of its answer."""
        self.check_open()
        if not timeout > 0:
            raise InvalidRequest(f"timeout is {timeout} s; it must be above 0.")
        correlation, future = self.requests.open()
        fields.update(correlation_id=correlation, reply_to=self.requests.channel)
        # Whoever gets it after the deadline need not answer it any more.
        ttl_ms = min(max(1, int(timeout * 1000)), 0xFFFFFFFF)
        try:
            if self.publish(channel, payload, priority, fields, ttl_ms) is None:
                raise QueueFull(f"Channel {channel!r} is full.")
        except BaseException:
            self.requests.forget(correlation)
            raise
        return correlation, future

    def reply(self, message: Message, payload: Any, fields: dict[str, Any]) -> MessageId | None:
        target = message.meta.reply_to
        if target is None:
            raise InvalidRequest(f"Message {message.id} is no request; nobody waits for a reply.")
        fields["correlation_id"] = message.meta.correlation_id
        for name in ("trace_id", "traceparent"):
            value = getattr(message.meta, name)
            if value is not None:
                fields[name] = value
        return self.publish(target, payload, message.priority, fields)

    def answer(self, request: Message, payload: Any, error: BaseException | None) -> None:
        """What a handler returned or raised, to whoever asked."""
        told = {"error": {"type": type(error).__name__, "message": str(error)}} if error else {}
        self.reply(request, payload, told)

    # The process

    def flush_at_exit(self) -> None:
        if self.stopped:
            return
        if self._starting is not None:
            try:
                self._starting.result(_EXIT_DEADLINE)
            except FutureTimeout:
                log.warning("%d messages were not sent: the bus has not started", self.buffered)
        self.outbox.flush(_EXIT_DEADLINE)

    def forked(self) -> None:
        """In a child: publishing goes on under a new identity, subscriptions stay behind."""
        self._lock = threading.RLock()
        self._publisher = secrets.randbits(64)
        self.namespace = _private() if self._is_private else self.namespace
        self.backend = None
        self.handlers = Handlers(self._workers)
        self.fast.clear()
        self.subscriptions = {}
        self.requests = Requests()
        self._requests_ready = False
        self._starting = None
        self.outbox.abandon(self._publisher)


def _private() -> str:
    return f"private-{secrets.token_hex(16)}"


def _stopped_error() -> ConnectionLost:
    return ConnectionLost("The message bus has been stopped; make a new one.")


def _quietly(work: Callable[..., object], *args: Any) -> None:
    """For ends: a daemon that is gone has nothing to be told."""
    try:
        work(*args)
    except (NeuralCoreError, TimeoutError) as error:
        log.debug("while stopping: %s", error)


_cores: weakref.WeakSet[Core] = weakref.WeakSet()


def _flush_at_exit() -> None:
    for core in list(_cores):
        core.flush_at_exit()


def _forked() -> None:
    for core in list(_cores):
        core.forked()


atexit.register(_flush_at_exit)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)
