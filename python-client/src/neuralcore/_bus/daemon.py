"""A namespace of channels in the daemon."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from neuralcore import _wire
from neuralcore._bus.backend import Listener, OnMessages
from neuralcore._bus.batch import Batch, Rejected, Summary
from neuralcore._bus.completion import log
from neuralcore._wire import AnySettlement, Flow, Published
from neuralcore.errors import (
    CODE_OF_NUMBER,
    ConnectionLost,
    InvalidRequest,
    NeuralCoreError,
    NotFound,
    RequestTimeout,
)

if TYPE_CHECKING:
    from neuralcore._connection import Connection

# What may be on its way and unconfirmed.
_WINDOW_BYTES = 8 << 20
_REMEMBERED_BATCHES = 256

_MESSAGING = "neuralcore.messaging."
_DUPLICATE = "DUPLICATE"


class _Subscribed(NamedTuple):
    wire_number: int
    channel: str
    window: Callable[[], int]
    options: dict[str, Any]


class _Sent(NamedTuple):
    batch: Batch
    frame: bytes


class DaemonBackend:
    """Speaks for one bus over a connection that others may use too. Thread-safe.

    Every batch is confirmed by the daemon and kept until then. After a reconnection the bus's
    channels are created and its subscriptions made again, then the unconfirmed batches are sent
    again, before anything that came meanwhile; the daemon knows by publisher and number what it
    has had already.
    """

    kind: Literal["daemon"] = "daemon"

    def __init__(
        self, connection: Connection, namespace: str, publisher: int, listener: Listener
    ) -> None:
        self._connection = connection
        self._namespace = namespace
        self._publisher = publisher
        self._listener = listener
        self._lock = threading.Lock()
        self._room = threading.Condition(self._lock)
        self._subscribed: dict[int, _Subscribed] = {}
        self._established: set[int] = set()
        self._created: dict[str, dict[str, Any]] = {}
        self._declared: set[str] = set()
        self._opened: dict[str, Any] | None = None
        self._sent: dict[int, _Sent] = {}
        self._sent_bytes = 0
        self._settling: set[Future[Any]] = set()
        self._remembered: deque[Summary] = deque(maxlen=_REMEMBERED_BATCHES)
        self._closed = False
        connection.start()
        self._unregister = (
            connection.on_published(self._published),
            connection.on_flow(self._flow),
            connection.on_reconnected(self._reconnected),
        )

    def attach(self, loop: asyncio.AbstractEventLoop) -> None:
        self._connection.adopt(loop)

    # Publishing

    def send(self, batch: Batch, wait: float) -> bool:
        connection = self._connection
        with self._lock:  # that of _room, whose own ``with`` takes longer
            if not self._has_room():
                if wait:
                    self._room.wait_for(self._has_room, wait)
                if not self._has_room():
                    return False
            number = connection.next_id()
            frame = batch.frame(number, self._namespace, self._publisher)
            if len(frame) > connection.max_frame:
                raise InvalidRequest(
                    f"A message makes a frame of {len(frame)} bytes; the daemon takes "
                    f"{connection.max_frame}.",
                    code="FRAME_TOO_LARGE",
                )
            self._sent[number] = _Sent(batch, frame)
            self._sent_bytes += len(frame)
            batch.read = connection.read_until
            connection.send_owned(frame)
            batch.bodies = b""  # they are in the frame
        return True

    def _has_room(self) -> bool:
        if self._closed:
            return True
        return self._connection.connected and self._sent_bytes < _WINDOW_BYTES

    def _published(self, published: Published) -> None:
        """On the I/O thread."""
        with self._lock:
            sent = self._sent.pop(published.batch, None)
            if sent is not None:
                self._sent_bytes -= len(sent.frame)
                self._remembered.append(sent.batch.summary())
            self._room.notify_all()
        if sent is None and not published.rejections:
            return
        rejected = self._mine(published.rejections, sent) if published.rejections else []
        if sent is not None:
            sent.batch.settle(rejected)
        if rejected:
            self._listener.rejected(rejected)

    def _mine(self, rejections: Sequence[_wire.Rejection], sent: _Sent | None) -> list[Rejected]:
        """Those that this bus sent lately; the rest is another bus's on this connection."""
        mine = []
        batches = [self._remembered[-1]] if sent is not None else list(self._remembered)[::-1]
        batch: Summary | None = None
        for sequence, error in rejections:
            code = CODE_OF_NUMBER.get(error, str(error))
            if code == _DUPLICATE:
                continue  # it was sent again, and had arrived the first time
            # Those of one batch mostly come together.
            channel = batch.find(sequence) if batch is not None else None
            if channel is None:
                for batch in batches:
                    channel = batch.find(sequence)
                    if channel is not None:
                        break
            if channel is not None:
                mine.append(Rejected(sequence, channel, code))
        return mine

    def _flow(self, flow: Flow) -> None:
        """On the I/O thread."""
        if flow.namespace == self._namespace:
            for channel, room in flow.rooms.items():
                self._listener.room(channel, room)

    def flush(self, timeout: float) -> None:
        with self._connection.waiting():
            self._flush(timeout)

    def _flush(self, timeout: float) -> None:
        deadline = time.monotonic() + timeout
        with self._room:
            wanted = list(self._sent)
            settling = list(self._settling)
            done = self._room.wait_for(
                lambda: self._closed or not any(n in self._sent for n in wanted), timeout
            )
        for future in settling:
            try:
                future.exception(max(0.0, deadline - time.monotonic()))
            except FutureTimeout:
                done = False
        if not done:
            raise RequestTimeout(
                f"The daemon has not confirmed within {timeout:g} s that all is queued."
            )

    # Subscribing

    def subscribe(
        self,
        number: int,
        channel: str,
        window: Callable[[], int],
        on_messages: OnMessages,
        options: dict[str, Any],
        timeout: float,
    ) -> None:
        future = self.begin_subscribe(number, channel, window, on_messages, options, timeout)
        with self._connection.waiting():
            future.result()

    def begin_subscribe(
        self,
        number: int,
        channel: str,
        window: Callable[[], int],
        on_messages: OnMessages,
        options: dict[str, Any],
        timeout: float,
    ) -> Future[Any]:
        wire_number = self._connection.next_id()
        entry = _Subscribed(wire_number, channel, window, options)
        with self._lock:
            self._subscribed[number] = entry
        self._connection.on_messages(wire_number, on_messages)
        try:
            future = self._send_call("subscribe", self._subscription(entry), timeout)
        except BaseException:
            self._forget(number)
            raise
        # In the reading thread, so that it comes before whatever becomes of the connection.
        future.add_done_callback(lambda done: self._answered(number, done))
        return future

    def _answered(self, number: int, done: Future[Any]) -> None:
        if not done.cancelled() and done.exception() is None:
            self._established.add(number)
        else:
            self._forget(number)

    def unsubscribe(self, number: int, forget: bool, timeout: float) -> None:
        entry = self._forget(number)
        if entry is not None:
            params = {"namespace": self._namespace, "subscription": entry.wire_number}
            if forget:
                params["forget"] = True
            self._call("unsubscribe", params, timeout)

    def grant(self, number: int, messages: int) -> None:
        entry = self._subscribed.get(number)
        if entry is not None:
            self._connection.send(_wire.encode_credit([(entry.wire_number, messages)]))

    def settle(self, number: int, settlements: Sequence[AnySettlement]) -> Future[Any]:
        entry = self._subscribed.get(number)
        if entry is None:
            failed: Future[Any] = Future()
            failed.set_exception(NotFound("The subscription has ended; its messages come again."))
            return failed
        correlation = self._connection.next_id()
        wire_number = entry.wire_number
        frame = _wire.encode_settle(
            correlation, True, [(wire_number, *settlement[1:]) for settlement in settlements]
        )
        future = self._connection.call_frame(frame, correlation)
        with self._lock:
            self._settling.add(future)
        future.add_done_callback(self._settled)
        return future

    def _settled(self, future: Future[Any]) -> None:
        with self._lock:
            self._settling.discard(future)
        if not future.cancelled() and future.exception() is not None:
            log.warning("Acknowledgements may be lost, and their messages come again: %s",
                        future.exception())  # fmt: skip

    # Channels

    def open(self, path: str, timeout: float) -> None:
        """Binds the namespace to a file."""
        params = {"namespace": self._namespace, "path": path}
        self._call("open", params, timeout)
        self._opened = params

    def create(self, channel: str, options: dict[str, Any], timeout: float) -> bool:
        params = {"namespace": self._namespace, "channel": channel, **options}
        created = bool(self._call("create", params, timeout).get("created"))
        self._created[channel] = params
        return created

    def declare(self, channel: str, options: dict[str, Any]) -> None:
        params = {"namespace": self._namespace, "channel": channel, **options}
        self._created[channel] = params
        self._declared.add(channel)
        for verb in ("create", "configure"):  # the daemon takes them in order
            future = self._connection.call_async(_MESSAGING + verb, params)
            future.add_done_callback(_log_failure)

    def stats(self, timeout: float) -> dict[str, dict[str, int]]:
        channels = self._call("stats", {"namespace": self._namespace}, timeout).get("channels", {})
        return {str(name): dict(counts) for name, counts in channels.items()}

    def call(self, verb: str, params: dict[str, Any], timeout: float) -> dict[str, Any]:
        return self._call(verb, {"namespace": self._namespace, **params}, timeout)

    def close(self, timeout: float) -> None:
        for unregister in self._unregister:
            unregister()
        for number in list(self._subscribed):
            self._forget(number)
        with self._room:
            self._closed = True
            unsent, self._sent = list(self._sent.values()), {}
            self._room.notify_all()
        for batch, _ in unsent:
            batch.settle((), ConnectionLost("The message bus was stopped before it was confirmed."))
        if self._namespace.startswith("private-"):
            self._call("close", {"namespace": self._namespace}, timeout)

    def _call(self, verb: str, params: dict[str, Any], timeout: float) -> dict[str, Any]:
        future = self._send_call(verb, params, timeout)
        with self._connection.waiting():
            result: dict[str, Any] = future.result()[0]
        return result

    def _send_call(self, verb: str, params: dict[str, Any], timeout: float) -> Future[Any]:
        return self._connection.call_async(_MESSAGING + verb, params, timeout=timeout)

    def _subscription(self, entry: _Subscribed) -> dict[str, Any]:
        return {
            "namespace": self._namespace,
            "channel": entry.channel,
            "subscription": entry.wire_number,
            "credit": entry.window(),
            **entry.options,
        }

    def _forget(self, number: int) -> _Subscribed | None:
        with self._lock:
            entry = self._subscribed.pop(number, None)
            self._established.discard(number)
        if entry is not None:
            self._connection.off_deliver(entry.wire_number)
        return entry

    def _reconnected(self) -> None:
        """On the I/O thread, which must not wait for the answers."""
        self._listener.room(None, None)
        calls = [("open", self._opened)] if self._opened is not None else []
        calls += [("create", params) for params in self._created.values()]
        calls += [("configure", self._created[channel]) for channel in self._declared]
        with self._lock:
            # A subscribe call that is still waiting to be sent is sent after these.
            calls += [
                ("subscribe", self._subscription(entry))
                for number, entry in self._subscribed.items()
                if number in self._established
            ]
        for verb, params in calls:
            self._connection.call_async(_MESSAGING + verb, params).add_done_callback(_log_failure)
        with self._room:
            for _, frame in self._sent.values():
                self._connection.send_owned(frame)
            self._room.notify_all()


def _log_failure(future: Future[Any]) -> None:
    error = None if future.cancelled() else future.exception()
    if isinstance(error, NeuralCoreError):
        log.error("Setting up channels and subscriptions: %s", error)
