"""What is behind a ``MessageBus``: its life, and the ways of its messages."""

from __future__ import annotations

import asyncio
import atexit
import itertools
import logging
import os
import secrets
import threading
import time
import weakref
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from typing import Any, NamedTuple

from neuralcore._bus.backend import Backend, Rejected
from neuralcore._bus.completion import Completion, run
from neuralcore._bus.dispatch import LoopThread
from neuralcore._bus.handlers import Handlers
from neuralcore._bus.message import Message, MessageId, Priority
from neuralcore._bus.options import check_name, check_priority, check_ttl
from neuralcore._bus.outbox import Outbox
from neuralcore._bus.payload import NONE, PayloadCodec
from neuralcore._bus.requests import Requests
from neuralcore._bus.subscription import Filter, Handler, Subscription
from neuralcore._wire import Outgoing, message_id
from neuralcore.errors import ConnectionLost, InvalidRequest, NeuralCoreError

log = logging.getLogger("neuralcore.messaging")

_MAX_PAYLOAD = 8 << 20
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


class Core:
    """One bus. Thread-safe; every method may block but ``publish`` and what is named ``…ed``."""

    def __init__(
        self,
        *,
        name: str | None,
        client: Any,
        workers: int,
        codec: PayloadCodec,
        source: str | None,
        on_drop: Callable[[Drop], None] | None,
        max_buffered: int,
        timeout: float,
    ) -> None:
        self.namespace = name or _private()
        self.backend: Backend | None = None
        self.handlers = Handlers(workers)
        self.subscriptions: dict[int, Subscription] = {}
        self.requests = Requests()
        self.priorities: dict[str, int] = {}
        self.published = 0
        self.dropped = 0
        self.stopped = False
        self.timeout = timeout
        self._is_private = name is None
        self._client = client
        self._workers = workers
        self._codec = codec
        self._source = source
        self._on_drop = on_drop
        self._publisher = secrets.randbits(64)
        self._lock = threading.RLock()
        self._outbox = Outbox(self._send, self._sending_failed, max_buffered)
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
                for channel, options in self._to_create:
                    self.backend.create(channel, options, self.timeout)
                self._to_create.clear()
                log.info("message bus %s over the %s", self.namespace, self.backend.kind)
                # At exit this must run before the connection closes, so be registered after it.
                atexit.unregister(_flush_at_exit)
                atexit.register(_flush_at_exit)
                self._outbox.open()
            return self.backend

    def _connect(self) -> Backend:
        client = self._client
        if client is None:
            from neuralcore._default import default_client

            client = default_client()
        if client.backend == "daemon":
            from neuralcore._bus.daemon import DaemonBackend

            return DaemonBackend(client.connection, self.namespace, self._publisher, self._rejected)
        from neuralcore.fallback.messaging import LocalBackend

        return LocalBackend(self.namespace, self._publisher, self._rejected)

    def stop(self, timeout: float, *, inside: bool) -> None:
        """``inside`` a handler none is waited for, and none is cancelled."""
        timeout = 0.0 if inside else timeout
        deadline = time.monotonic() + timeout
        with self._lock:
            if self.stopped:
                return
            self.stopped = True
            backend = self.backend
            subscriptions = list(self.subscriptions.values())
        self._outbox.flush(timeout)
        try:
            if backend is not None:
                for subscription in subscriptions:
                    _quietly(backend.unsubscribe, subscription.id, self.timeout)
                if timeout > 0:
                    self.handlers.drain(deadline)
                    self._outbox.flush(max(0.0, deadline - time.monotonic()))
                    _quietly(backend.flush, max(0.1, deadline - time.monotonic()))
        finally:
            self._outbox.close()
            for subscription in subscriptions:
                subscription.cancelled = True
            self.handlers.close(cancel=not inside)
            self.requests.fail_all(_stopped_error())
            if backend is not None:
                _quietly(backend.close, self.timeout)

    def check_open(self) -> None:
        if self.stopped:
            raise _stopped_error()

    # Publishing

    def publish(
        self,
        channel: str,
        payload: Any,
        priority: int | None,
        ttl: float | None,
        source: str | None,
        fields: dict[str, Any],
    ) -> MessageId:
        """Puts a message into the outbox. ``fields`` are the meta's."""
        default = self.priorities.get(channel)
        if default is None:
            check_name("channel", channel)
            default = self.priorities.setdefault(channel, Priority.NORMAL)
        rank = default if priority is None else check_priority(priority)
        payload_type, encoded = self._codec.encode(payload)
        if source or self._source:
            fields["source"] = source or self._source
        meta_type, meta = self._codec.encode(fields) if fields else (NONE, b"")
        if len(encoded) + len(meta) > _MAX_PAYLOAD:
            raise InvalidRequest(
                f"Payload and meta have {len(encoded)} and {len(meta)} bytes; "
                f"a message carries at most {_MAX_PAYLOAD}."
            )
        sequence = self._outbox.put(
            channel,
            time.time_ns(),
            rank,
            0 if ttl is None else check_ttl(ttl),
            payload_type,
            encoded,
            meta_type,
            meta,
        )
        self.published += 1
        if self.backend is None and self._starting is None:
            self._start_in_background()
        return MessageId(message_id(self._publisher, sequence))

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
    def buffered(self) -> int:
        return len(self._outbox)

    def flush(self, timeout: float) -> None:
        backend = self.start()
        deadline = time.monotonic() + timeout
        self._outbox.flush(timeout)
        backend.flush(max(0.001, deadline - time.monotonic()))

    def _send(self, batch: Sequence[Outgoing], wait: float) -> int:
        assert self.backend is not None  # the outbox was opened after it was set
        return self.backend.send(batch, wait)

    def _sending_failed(self, batch: Sequence[Outgoing], error: Exception) -> None:
        code = error.code if isinstance(error, NeuralCoreError) else "INTERNAL"
        log.error("%d message(s) were not sent: %s", len(batch), error)
        self._rejected([Rejected(m.sequence, m.channel, code) for m in batch])

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
        self._outbox.flush()
        return self.backend.stats(self.timeout)

    # Subscribing

    def subscribe(
        self,
        channel: str,
        handler: Handler,
        filter_fn: Filter | None,
        credit: int,
        concurrency: int,
        loop: asyncio.AbstractEventLoop | None,
    ) -> Subscription:
        dispatcher, loop = self.handlers.place(handler, loop)
        subscription = Subscription(
            self,
            next(_subscription_numbers),
            channel,
            handler,
            filter_fn=filter_fn,
            credit=credit,
            concurrency=concurrency,
            dispatcher=dispatcher,
            loop=loop,
        )
        subscription.established = run(
            lambda: self._establish(subscription), f"Subscribing to {channel!r}"
        )
        return subscription

    def _establish(self, subscription: Subscription) -> None:
        backend = self.start()
        self.subscriptions[subscription.id] = subscription
        try:
            backend.subscribe(
                subscription.id,
                subscription.channel,
                subscription.window,
                subscription.deliver,
                self.timeout,
            )
        except BaseException:
            self.subscriptions.pop(subscription.id, None)
            raise

    def cancel(self, subscription: Subscription) -> Completion[None]:
        subscription.cancelled = True
        return run(lambda: self._cancel(subscription), f"Cancelling {subscription!r}")

    def _cancel(self, subscription: Subscription) -> None:
        if self.subscriptions.pop(subscription.id, None) is None or self.stopped:
            return
        if self.backend is not None:
            self.backend.unsubscribe(subscription.id, self.timeout)

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
        try:
            self.publish(channel, payload, priority, timeout, None, fields)
        except BaseException:
            self.requests.forget(correlation)
            raise
        return correlation, future

    def reply(self, message: Message, payload: Any, fields: dict[str, Any]) -> MessageId:
        target = message.meta.reply_to
        if target is None:
            raise InvalidRequest(f"Message {message.id} is no request; nobody waits for a reply.")
        fields["correlation_id"] = message.meta.correlation_id
        return self.publish(target, payload, message.priority, None, None, fields)

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
        self._outbox.flush(_EXIT_DEADLINE)

    def forked(self) -> None:
        """In a child: publishing goes on under a new identity, subscriptions stay behind."""
        self._lock = threading.RLock()
        self._publisher = secrets.randbits(64)
        self.namespace = _private() if self._is_private else self.namespace
        self.backend = None
        self.handlers = Handlers(self._workers)
        self.subscriptions = {}
        self.requests = Requests()
        self._requests_ready = False
        self._starting = None
        self._outbox.abandon()


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
