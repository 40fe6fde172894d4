"""A process's connection to one daemon.

Three ways lead to it::

    call()        a lane: the caller's thread, a socket of its own           (_lanes.py)
    call_async()  the calls' stream: one socket for all, served by the I/O thread  (_stream.py)
    send()        the messages' stream: publishes, credit, and every call of
                  ``neuralcore.messaging.*``, in the order in which they were made

so that a bulk array, whoever sends it, never holds up a message. One I/O thread serves both streams
(_io.py).

A forked child has the object and none of the parent's sockets, subscriptions or queued frames: on
first use it connects for itself, under a publisher number of its own.
"""

from __future__ import annotations

import atexit
import contextlib
import itertools
import logging
import math
import os
import socket
import threading
import time
import weakref
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from typing import TYPE_CHECKING

from neuralcore import _wire
from neuralcore._callbacks import Callbacks, DeliverCallback, MessagesCallback
from neuralcore._endpoint import Endpoint, ServerInfo
from neuralcore._io import IoThread
from neuralcore._lanes import Lane, LanePool
from neuralcore._stream import CallResult, Stream, failure
from neuralcore._wire import Flow, Published
from neuralcore.errors import (
    AccessDenied,
    ConnectError,
    InvalidRequest,
    NeuralCoreError,
    ProtocolError,
    RequestTimeout,
    VersionMismatch,
)

if TYPE_CHECKING:
    import asyncio

logger = logging.getLogger("neuralcore")

DEFAULT_TIMEOUT = 30.0
_CONNECT_TIMEOUT = 5.0
_MAX_TIMEOUT_MS = 0x7FFFFFFF
_MESSAGING = "neuralcore.messaging."
_EXIT_DEADLINE = 2.0

_open_connections: weakref.WeakSet[Connection] = weakref.WeakSet()


class Connection:
    """Thread-safe, usable from any number of threads and event loops, fork-safe.

    Args:
        endpoint: where the daemon is, or a function that finds it, asked at each connect.
        default_timeout: seconds a call may take where it does not say.
        buffer_limit: bytes that :meth:`send` keeps while the daemon is away or slow.
        max_lanes: blocking calls under way at a time; further ones wait their turn.
        patience: seconds for which calls wait for a lost connection to come back.

    Raises:
        ConnectError: nobody answers. AccessDenied, VersionMismatch: refused.
    """

    def __init__(
        self,
        endpoint: Endpoint | Callable[[], Endpoint],
        *,
        default_timeout: float = DEFAULT_TIMEOUT,
        buffer_limit: int = 8 << 20,
        max_lanes: int = 16,
        patience: float = 5.0,
    ) -> None:
        self._find = endpoint if callable(endpoint) else lambda: endpoint
        self._endpoint = self._find()
        self.default_timeout = default_timeout
        self._buffer_limit = buffer_limit
        self._max_lanes = max_lanes
        self._patience = patience
        self._closed = False
        self._set_up()
        try:
            self._ensure_started()
        except BaseException:
            self._closed = True
            raise
        _open_connections.add(self)

    def _set_up(self) -> None:
        """Everything that a forked child needs afresh."""
        self.publisher: int = int.from_bytes(os.urandom(8), "little")
        # Makes a reconnect the same client to the daemon. A secret: it opens private namespaces.
        self._client_id = os.urandom(16).hex()
        self.server: ServerInfo | None = None
        self._ids = itertools.count(1)
        self._start_lock = threading.Lock()
        self._starting: IoThread | None = None
        self._io: IoThread | None = None
        self._callbacks = Callbacks()
        self._lanes = LanePool(self._open_lane, self._max_lanes)
        self._messages = self._new_stream(self._open_messages)
        self._calls: Stream | None = None
        self._unconfirmed = False

    def _new_stream(self, open_socket: Callable[[], tuple[socket.socket, ServerInfo]]) -> Stream:
        return Stream(
            open_socket,
            self._callbacks,
            self._wake,
            limit=self._buffer_limit,
            patience=self._patience,
        )

    # Calls

    def call(
        self,
        address: str,
        params: Mapping[str, object] | None = None,
        tensors: Sequence[_wire.Tensor] = (),
        *,
        timeout: float | None = None,
    ) -> CallResult:
        """Calls a service and waits. Ctrl-C and the timeout end it at once.

        The arrays must not change meanwhile; those of the answer belong to the caller.

        Args:
            address: such as ``neuralcore.vectors.search``. Subscriptions belong to the messages'
                stream, so :meth:`call_async` is for ``neuralcore.messaging.*``.
            params: JSON values.
            tensors: float32, int8, int32, int64 arrays of one or two axes, bytes, lists of str.
            timeout: seconds, the connection's default if None.

        Returns:
            The answer's JSON and its attachments.

        Raises:
            InvalidRequest: larger than the daemon's frame limit, among others.
            RequestTimeout, ConnectionLost: whether it was carried out is unknown.
            NeuralCoreError: whatever the daemon answered.
        """
        self._ensure_started()
        seconds, timeout_ms = self._timeout(timeout)
        deadline = time.monotonic() + seconds
        correlation = self.next_id()
        pieces = _wire.encode_call(correlation, address, params, tensors, timeout_ms)
        if tensors or len(pieces[0]) > _wire.MAX_TEXT:
            self._check_size(address, _wire.size_of(pieces))
        fresh = False
        while True:
            lane = self._lanes.acquire(deadline)
            try:
                frame = _wire.decode(lane.exchange(pieces, deadline))
            except (BrokenPipeError, ConnectionResetError) as e:
                # The daemon has not had the whole request: it went away while the lane was idle.
                self._lanes.discard(lane)
                if fresh:
                    raise ConnectError(f"The daemon closes its connections: {e}.") from e
                fresh = True
                continue
            except BaseException:
                self._lanes.discard(lane)
                raise
            if isinstance(frame, _wire.Answer) and frame.correlation == correlation:
                self._lanes.release(lane)
                return frame.result, frame.tensors
            if isinstance(frame, _wire.Failure) and frame.correlation == correlation:
                self._lanes.release(lane)
                raise failure(frame.error)
            self._lanes.discard(lane)
            if isinstance(frame, _wire.Failure):
                raise failure(frame.error)
            if isinstance(frame, _wire.Text) and frame.json.get("type") == "err":
                raise failure(frame.json)
            raise ProtocolError(f"A {type(frame).__name__} frame came instead of the answer.")

    def call_async(
        self,
        address: str,
        params: Mapping[str, object] | None = None,
        tensors: Sequence[_wire.Tensor] = (),
        *,
        timeout: float | None = None,
    ) -> Future[CallResult]:
        """As :meth:`call`, without waiting. The arrays are copied before it returns.

        Calls of ``neuralcore.messaging.*`` keep their order among themselves and to :meth:`send`.
        The future may be cancelled at any time. Its callbacks run on the I/O thread.
        """
        self._ensure_started()
        seconds, timeout_ms = self._timeout(timeout)
        correlation = self.next_id()
        pieces = _wire.encode_call(correlation, address, params, tensors, timeout_ms)
        frame = b"".join(pieces)
        self._check_size(address, len(frame))
        stream = self._messages if address.startswith(_MESSAGING) else self._calls_stream()
        return stream.call(frame, correlation, seconds)

    # Messages

    def send(self, frame: bytes | Sequence[bytes], *, wait: float = 0.0) -> None:
        """Sends a complete frame, its length word included, and returns at once.

        Args:
            frame: the frame, or its pieces.
            wait: seconds to wait for room where the buffer is full.

        Raises:
            QueueFull: ``buffer_limit`` bytes wait already.
        """
        self._ensure_started()
        if not isinstance(frame, bytes):
            frame = b"".join(frame)
        self._unconfirmed = True
        self._messages.submit(frame, wait=0.0 if self._on_io_thread() else wait)

    def send_owned(self, frame: bytes) -> None:
        """As :meth:`send`, for a sender that keeps the frame and sends it again by itself.

        Never refused; while the connection is down it does nothing, and what was not written when
        the connection broke is dropped.
        """
        self._ensure_started()
        self._messages.submit_owned(frame)

    def call_frame(self, frame: bytes, correlation: int) -> Future[CallResult]:
        """Sends a frame in the messages' order; the future of the frame that answers it."""
        self._ensure_started()
        return self._messages.call(frame, correlation, self.default_timeout)

    def next_id(self) -> int:
        """A number for a call, batch or subscription: u32, not 0, unique in this connection."""
        return next(self._ids) & 0xFFFFFFFF or next(self._ids) & 0xFFFFFFFF

    def on_deliver(self, subscription: int, callback: DeliverCallback) -> None:
        """Has the callback take what is delivered to a subscription, on the I/O thread.

        Deliveries that follow each other and have the same callback, be it for one subscription or
        several, are handed over in one list, in the daemon's order.
        """
        self._callbacks.on_deliver(subscription, callback)

    def on_messages(self, subscription: int, callback: MessagesCallback) -> None:
        """As :meth:`on_deliver`, but the callback takes ``Message`` objects, run by run."""
        self._callbacks.on_messages(subscription, callback)

    def off_deliver(self, subscription: int) -> None:
        """Drops what is delivered to this subscription from now on."""
        self._callbacks.off_deliver(subscription)

    def on_published(self, callback: Callable[[Published], None]) -> Callable[[], None]:
        """Has the callback take every ``Published``; returns a function that ends it."""
        return self._callbacks.on_published(callback)

    def on_flow(self, callback: Callable[[Flow], None]) -> Callable[[], None]:
        """Has the callback take every ``Flow``; returns a function that ends it."""
        return self._callbacks.on_flow(callback)

    def on_reconnected(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Has the callback run, on the I/O thread, when a lost connection is back.

        What it sends, and the ``neuralcore.messaging.*`` calls it makes with :meth:`call_async`,
        go out before what was queued meanwhile. It must not wait for their answers.

        Returns:
            A function that ends it.
        """
        return self._callbacks.on_reconnected(callback)

    def start(self) -> None:
        """Connects if that has not been done, as in a forked child."""
        self._ensure_started()

    def adopt(self, loop: asyncio.AbstractEventLoop) -> None:
        """Has an event loop read the messages' stream, if none does. To be called on that loop."""
        self._ensure_started()
        self._messages.adopt(loop)

    def waiting(self) -> contextlib.AbstractContextManager[None]:
        """To be held while the calling thread waits for the messages' stream."""
        adoption = self._messages.adoption
        return adoption.lent(self._wake) if adoption.on_loop else contextlib.nullcontext()

    def read_until(self, done: Callable[[], bool], deadline: float) -> None:
        """Reads the messages' stream on the calling thread, in the I/O thread's place.

        So an answer wakes one thread instead of two, one after the other. Ends when ``done``, at
        the deadline (``time.monotonic``), or sooner: if an event loop or another thread reads
        already, or the connection is lost.
        """
        io, stream = self._io, self._messages
        if io is None or io.is_current() or not stream.begin_reading():
            return
        try:
            if not done() and io.leave(stream):
                stream.read_until(done, deadline)
        finally:
            stream.end_reading()
            io.look_after(stream)

    # Its life

    @property
    def url(self) -> str:
        """Where the daemon is, without the token."""
        return self._endpoint.url

    @property
    def connected(self) -> bool:
        """Whether the messages' stream is up at this moment."""
        return self._messages.connected

    @property
    def closed(self) -> bool:
        return self._closed

    @property
    def queued_bytes(self) -> int:
        """What :meth:`send` has taken and the system has not."""
        return self._messages.queued_bytes

    @property
    def max_frame(self) -> int:
        """Bytes that a call may have, attachments included."""
        return self.server.binary_frame if self.server else _wire.MAX_BINARY

    def flush(self, timeout: float = DEFAULT_TIMEOUT) -> None:
        """Waits until the daemon has read everything sent so far.

        Raises:
            RequestTimeout: it has not, within so many seconds.
        """
        if self._io is None or self._closed:
            return
        self._unconfirmed = False
        deadline = time.monotonic() + timeout
        while True:
            left = deadline - time.monotonic()
            if left <= 0 or not self._messages.wait_written(left):
                raise RequestTimeout(
                    f"{self.queued_bytes} bytes were not sent within {timeout:g} s."
                    if self.connected
                    else f"The daemon was not there for {timeout:g} s;"
                    f" {self.queued_bytes} bytes were not sent."
                )
            left = max(0.001, deadline - time.monotonic())
            try:
                # Frames are read in order, so an answer, whatever it says, proves it.
                pieces = _wire.encode_call(
                    correlation := self.next_id(), "neuralcore.system.echo", None, (), 0
                )
                self._messages.call(b"".join(pieces), correlation, left).result()
                return
            except RequestTimeout:
                raise RequestTimeout(
                    f"The daemon has not confirmed within {timeout:g} s that it read everything."
                ) from None
            except ConnectError:
                if self._closed:
                    raise
                time.sleep(0.02)  # it is being rebuilt
            except NeuralCoreError:
                return

    def close(self, timeout: float = _EXIT_DEADLINE) -> None:
        """Sends what is queued, for at most so many seconds, and ends. Idempotent."""
        if self._closed:
            return
        if timeout > 0 and not self._on_io_thread() and self._unconfirmed:
            try:
                self.flush(timeout)
            except NeuralCoreError as e:
                logger.warning("closing with messages unsent: %s", e)
        self._closed = True
        if self._io is not None:
            self._io.stop()  # first, or it may look at a socket that is closed already
        self._lanes.close()
        self._messages.close()
        if self._calls is not None:
            self._calls.close()
        if self._io is not None and not self._io.is_current():
            self._io.join(1.0)
        _open_connections.discard(self)

    def __repr__(self) -> str:
        state = "closed" if self._closed else "connected" if self.connected else "reconnecting"
        return f"<Connection to {self.url}, {state}>"

    # Sockets

    def _open_messages(self) -> tuple[socket.socket, ServerInfo]:
        self._endpoint = self._find()
        sock, info = self._endpoint.open(_CONNECT_TIMEOUT, greet=True, client_id=self._client_id)
        assert info is not None
        self.server = info
        return sock, info

    def _open_calls(self) -> tuple[socket.socket, ServerInfo]:
        sock, info = self._find().open(_CONNECT_TIMEOUT, greet=True, client_id=self._client_id)
        assert info is not None
        return sock, info

    def _open_lane(self, deadline: float) -> Lane:
        patience = time.monotonic() + self._patience
        while True:
            now = time.monotonic()
            try:
                sock, _ = self._find().open(
                    max(0.001, min(_CONNECT_TIMEOUT, deadline - now)),
                    greet=False,
                    client_id=self._client_id,
                )
                return Lane(sock, self.max_frame)
            except (AccessDenied, VersionMismatch):
                raise
            except ConnectError:
                if self._closed or now + 0.02 >= min(patience, deadline):
                    raise
            time.sleep(0.02)

    def _calls_stream(self) -> Stream:
        stream = self._calls
        if stream is None:
            with self._start_lock:
                if self._calls is None:
                    self._calls = self._new_stream(self._open_calls)
                stream = self._calls
        return stream

    def _timeout(self, timeout: float | None) -> tuple[float, int]:
        seconds = self.default_timeout if timeout is None else timeout
        if isinstance(seconds, bool) or not isinstance(seconds, (int, float)) or not seconds > 0:
            raise InvalidRequest(f"A timeout of {seconds!r} is not a positive number of seconds.")
        seconds = min(float(seconds), _MAX_TIMEOUT_MS / 1000)
        return seconds, max(1, math.ceil(seconds * 1000))

    def _check_size(self, address: str, size: int) -> None:
        if size - 4 > self.max_frame:
            raise InvalidRequest(
                f"A call of {address} with {size:,} bytes exceeds the daemon's limit of"
                f" {self.max_frame:,} bytes a frame.",
                code="FRAME_TOO_LARGE",
                hint="Send it in parts.",
            )

    # The I/O thread

    def _ensure_started(self) -> None:
        if self._io is not None and not self._closed:
            return
        with self._start_lock:
            if self._closed:
                raise ConnectError("The client is closed.")
            if self._io is None:
                io = IoThread(
                    self._streams,
                    reconnected=self._callbacks.reconnected,
                    chores=self._lanes.trim,
                    name=self._endpoint.url,
                )
                self._starting = io
                io.start()
                self._io = io

    def _streams(self) -> list[Stream]:
        calls = self._calls
        return [self._messages] if calls is None else [self._messages, calls]

    def _on_io_thread(self) -> bool:
        return self._io is not None and self._io.is_current()

    def _wake(self) -> None:
        if self._starting is not None:
            self._starting.wake()

    # Forks

    def _after_fork(self) -> None:
        self._lanes.abandon()
        self._messages.abandon()
        if self._calls is not None:
            self._calls.abandon()
        if self._starting is not None:
            self._starting.abandon()
        if not self._closed:
            self._set_up()


def _flush_at_exit() -> None:
    deadline = time.monotonic() + _EXIT_DEADLINE
    for connection in list(_open_connections):
        connection.close(max(0.05, deadline - time.monotonic()))


def _after_fork_in_child() -> None:
    for connection in list(_open_connections):
        connection._after_fork()


atexit.register(_flush_at_exit)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)
