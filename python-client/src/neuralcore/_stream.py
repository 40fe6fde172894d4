"""A multiplexed connection: any thread writes, the I/O thread reads and repairs it.

Writing. :meth:`Stream.submit` writes from the caller's thread while nothing is queued, so that a
message needs no hop to the I/O thread; what the socket does not take is queued, and the I/O thread
goes on with it. Frames are never interleaved: the lock is held from the first byte to the queueing
of the last, and it may be re-entered (a finalizer that sends, run by the garbage collector inside
``submit``), in which case the frame is queued.

Reading. The I/O thread reads, unless an event loop has adopted the stream: then the loop does, so
that deliveries and their handlers share a thread and nothing is handed over between two threads
that want the interpreter. Should that loop be busy or blocked for long, the I/O thread reads again
(``_adoption.py``). A thread that waits for one answer, without an event loop, reads it itself where
the system has epoll.

Losing it. A frame that was not written wholly is written again, from its beginning, to the next
connection; calls that were written and not answered fail with ConnectionLost, since nobody knows
whether they were carried out. What is queued meanwhile is bounded by ``limit`` bytes.
"""

from __future__ import annotations

import random
import select
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, NamedTuple

from neuralcore import _wire
from neuralcore._adoption import Adoption
from neuralcore._endpoint import ServerInfo
from neuralcore.errors import (
    ConnectError,
    ConnectionLost,
    NeuralCoreError,
    QueueFull,
    RequestTimeout,
    error_for,
)

if TYPE_CHECKING:
    import asyncio

    from neuralcore._callbacks import Callbacks

CallResult = tuple[dict[str, Any], list[_wire.Tensor]]

# Bytes to ask for. From 128 KiB on, glibc has the system give memory and takes it back each time:
# three calls, and a page filled with zeros for each 4 KiB that come.
_CHUNK = 120 * 1024
_PING = _wire.encode_text({"type": "ping"})
# Seconds of silence after which a ping is due, and after which the connection counts as dead. The
# daemon closes what was silent for 60.
_PING_AFTER = 20.0
_DEAD_AFTER = 55.0
_FIRST_RETRY = 0.05
_LAST_RETRY = 2.0
_NEVER = float("inf")
# A thread that reads for itself looks so often whether the connection is another.
_LOOK_EVERY = 0.1
# Of its own: the application may have seeded the module's, and counts on what comes of it.
_jitter = random.Random()
# In the place of a call's number: the sender sends it again by itself.
_OWNED = -1


class _Pending(NamedTuple):
    future: Future[CallResult]
    deadline: float


class Stream:
    """One socket and what waits for it.

    Args:
        open_socket: an authenticated socket; called on the I/O thread, raises ConnectError.
        callbacks: told of each frame that is not the answer of a call, on the I/O thread.
        wake: makes the I/O thread look at this stream again.
        limit: bytes that may be queued.
        patience: seconds for which calls wait for a lost connection to come back.
    """

    def __init__(
        self,
        open_socket: Callable[[], tuple[socket.socket, ServerInfo | None]],
        callbacks: Callbacks,
        wake: Callable[[], None],
        *,
        limit: int,
        patience: float,
    ) -> None:
        self._open_socket = open_socket
        self._callbacks = callbacks
        self._wake = wake
        self._limit = limit
        self._patience = patience
        self._lock = threading.RLock()
        self._room = threading.Condition(self._lock)
        self._writing = False
        self._queue: deque[tuple[bytes, int]] = deque()
        self._offset = 0  # how much of the queue's first frame is written
        self._queued = 0
        self._calls: dict[int, _Pending] = {}
        self._backlog: deque[tuple[bytes, int]] = deque()
        self._window = 768
        self._next_deadline = _NEVER
        self._closed = False
        self._ahead: list[tuple[bytes, int]] | None = None
        self._reader = _wire.FrameReader()
        self._last_in = self._last_out = self._last_ping = 0.0
        self._io_thread = 0
        self._lost_at = 0.0
        self._retry_at = 0.0
        self._retries = 0
        self._last_error: NeuralCoreError | None = None
        self._read_lock = threading.Lock()
        self.broken = False
        self.lent = False  # to a thread that waits for an answer, and reads it itself
        self.adoption = Adoption(self._read_on_loop)
        self.sock: socket.socket | None = None

    # Any thread

    @property
    def connected(self) -> bool:
        return self.sock is not None and self._ahead is None

    @property
    def queued_bytes(self) -> int:
        return self._queued

    def submit(self, frame: bytes, *, wait: float = 0.0, call: int = 0) -> None:
        """Writes or queues a frame.

        Args:
            wait: seconds to wait for room in the queue.
            call: its correlation if it is a call.

        Raises:
            QueueFull: ``limit`` bytes are queued.
        """
        with self._lock:
            self._check_open()
            if self._ahead is not None and threading.get_ident() == self._io_thread:
                self._ahead.append((frame, call))
                return
            if self.sock is not None and not self._queue and not self._writing:
                if self._write_first(frame, call):
                    return
            else:
                if wait > 0 and not self._writing:
                    self._room.wait_for(lambda: self._has_room(frame), wait)
                    self._check_open()
                if not call and not self._has_room(frame):
                    raise QueueFull(
                        f"{self._queued} bytes wait to be sent, {self._limit} are allowed.",
                        hint="Publish more slowly."
                        if self.connected
                        else "The daemon is not there; the connection is being rebuilt.",
                    )
                self._queue.append((frame, call))
                self._queued += len(frame)
        self._wake()

    def submit_owned(self, frame: bytes) -> None:
        """As :meth:`submit`, for a sender that keeps the frame and sends it again by itself."""
        with self._lock:
            if self._ahead is None:
                if self.sock is None:
                    return
                if not self._queue and not self._writing:
                    if not self._write_first(frame, _OWNED):
                        self._wake()
                    return
            self.submit(frame, call=_OWNED)

    def call(self, frame: bytes, correlation: int, timeout: float) -> Future[CallResult]:
        """Sends a call. Its future can be cancelled; the answer is then ignored."""
        future: Future[CallResult] = Future()
        deadline = time.monotonic() + timeout
        with self._lock:
            self._check_open()
            if self._ahead is None and self._lost_for() > self._patience:
                raise self._lost()
            self._calls[correlation] = _Pending(future, deadline)
            sooner = deadline < self._next_deadline
            if sooner:
                self._next_deadline = deadline
            if len(self._calls) > self._window:
                self._backlog.append((frame, correlation))
            else:
                self.submit(frame, call=correlation)
        future.add_done_callback(lambda f: self._forget(correlation) if f.cancelled() else None)
        if sooner:
            self._wake()
        return future

    def wait_written(self, timeout: float) -> bool:
        """Whether everything queued was written within ``timeout`` seconds."""
        with self._lock:
            return self._room.wait_for(lambda: not self._queue or self._closed, timeout)

    def begin_reading(self) -> bool:
        """Has the calling thread alone read; False if an event loop or another such thread does."""
        if self.adoption.by_loop:
            return False
        with self._lock:
            if self.lent:
                return False
            self.lent = True
        self._read_lock.acquire()  # the I/O thread may be about to find what is waited for
        return True

    def end_reading(self) -> None:
        self._read_lock.release()
        self.lent = False

    def read_until(self, done: Callable[[], bool], deadline: float) -> None:
        """Between :meth:`begin_reading` and :meth:`end_reading`; may end before either."""
        sock = self.sock
        if sock is None:
            return
        wait = select.poll()
        wait.register(sock, select.POLLIN)
        while not done() and sock is self.sock and not self.broken:
            left = deadline - time.monotonic()
            if left <= 0:
                return
            if not wait.poll(1000 * min(left, _LOOK_EVERY)):
                continue
            good = False  # also if Ctrl-C comes between what was received and what is done with it
            try:
                good = self._read()
            finally:
                if not good and sock is self.sock:
                    self.broken = True
                    self._wake()

    def close(self) -> None:
        """Ends it; calls under way fail."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            self._drop_socket()
            self._queue.clear()
            self._queued = 0
            self._room.notify_all()
            calls = self._take_calls(set())
        for pending in calls:
            _fail(pending.future, ConnectionLost("The client was closed."))

    def abandon(self) -> None:
        """In a forked child: closes the copy of the parent's socket, without a lock."""
        if self.sock is not None:
            self.sock.close()
        self.sock = None
        self._closed = True

    # The I/O thread

    @property
    def wants_write(self) -> bool:
        return bool(self._queue)

    def connect(self, before_queue: Callable[[], None] | None) -> ServerInfo | None:
        """Connects once.

        Args:
            before_queue: run on the new connection; what it sends goes out before what is queued.

        Raises:
            ConnectError: and the next try is later than the last.
        """
        self._io_thread = threading.get_ident()
        try:
            sock, info = self._open_socket()
        except NeuralCoreError as e:
            with self._lock:
                self._last_error = e
                if not self._lost_at:
                    self._lost_at = time.monotonic()
                wait = min(_LAST_RETRY, _FIRST_RETRY * 2 ** min(self._retries, 10))
                self._retries += 1
                self._retry_at = time.monotonic() + wait * _jitter.uniform(0.5, 1.0)
            raise
        sock.setblocking(False)
        with self._lock:
            if self._closed:
                sock.close()
                return info
            if info is not None:
                self._window = max(1, info.calls * 3 // 4)
                self._reader = _wire.FrameReader(info.text_frame, info.binary_frame)
            else:
                self._reader = _wire.FrameReader()
            self._ahead = []
            self._lost_at = 0.0
            self._last_in = self._last_out = self._last_ping = time.monotonic()
        try:
            if before_queue is not None:
                before_queue()
        finally:
            with self._lock:
                ahead, self._ahead = self._ahead, None
                self._queue.extendleft(reversed(ahead))
                self._queued += sum(len(frame) for frame, _ in ahead)
                self._retries = 0
                self._last_error = None
                self.broken = False
                self.sock = sock
                self.adoption.opened(sock)
        self.on_writable()
        return info

    def adopt(self, loop: asyncio.AbstractEventLoop) -> None:
        """Has the loop read from now on, if none does yet. On that loop."""
        with self._lock:
            if self._closed or not self.adoption.begin(loop):
                return
            if self.sock is not None:
                self.adoption.opened(self.sock)
        self._wake()

    def _read_on_loop(self) -> None:
        if self._read_lock.acquire(False):  # else another thread reads
            try:
                good = self._read()
            finally:
                self._read_lock.release()
            if good:
                return
            self.broken = True
            self.adoption.closing()
            self._wake()

    def on_readable(self) -> bool:
        """Reads what is there. False: the connection is gone."""
        if not self._read_lock.acquire(False):
            return True  # another thread reads
        try:
            return self._read()
        finally:
            self._read_lock.release()

    def _read(self) -> bool:
        sock = self.sock
        if sock is None or self.broken:
            return True
        try:
            chunk = sock.recv(_CHUNK)
        except (BlockingIOError, InterruptedError):
            return True
        except OSError:
            return False
        if not chunk:
            return False
        self._last_in = time.monotonic()
        try:
            payloads = self._reader.feed(chunk)
            for payload in payloads:
                if payload[0] == _wire.DELIVER and self._callbacks.deliver(bytes(payload)):
                    continue
                frame = _wire.decode(payload)
                if isinstance(frame, _wire.Published):
                    self._callbacks.dispatch(frame)
                elif isinstance(frame, _wire.Answer):
                    self._answered(frame.correlation, (frame.result, frame.tensors), None)
                elif isinstance(frame, _wire.Settled):
                    counts = {"settled": frame.settled, "unknown": frame.unknown}
                    self._answered(frame.correlation, (counts, []), None)
                elif isinstance(frame, _wire.Failure) and frame.correlation:
                    self._answered(frame.correlation, None, failure(frame.error))
                else:
                    self._callbacks.dispatch(frame)
        except NeuralCoreError as e:
            self._last_error = e
            return False
        return True

    def on_writable(self) -> None:
        """Writes what is queued, as far as the socket takes it."""
        with self._lock:
            while self._queue and self.sock is not None and not self._writing:
                frame, call = self._queue[0]
                if call > 0 and not self._offset and call not in self._calls:
                    self._queue.popleft()  # cancelled or timed out before it was sent
                    self._queued -= len(frame)
                    continue
                written = self._write_now(memoryview(frame)[self._offset :])
                self._offset += written
                if self._offset < len(frame):
                    return
                self._queue.popleft()
                self._queued -= len(frame)
                self._offset = 0
            self._room.notify_all()

    def on_lost(self) -> NeuralCoreError | None:
        """Forgets the connection; what is not wholly written stays queued. Says why, if known."""
        with self._lock:
            self._drop_socket()
            self._lost_at = time.monotonic()
            self._retry_at = self._lost_at + _FIRST_RETRY * _jitter.uniform(0.1, 1.0)
            self._queue = deque(entry for entry in self._queue if entry[1] != _OWNED)
            self._queued = sum(len(frame) for frame, _ in self._queue)
            unsent = {call for _, call in (*self._queue, *self._backlog) if call}
            calls = self._take_calls(unsent)
            reason = self._last_error
        for pending in calls:
            _fail(
                pending.future,
                ConnectionLost(
                    "The connection to the daemon broke before the answer; it is being rebuilt."
                ),
            )
        return reason

    def on_time(self, now: float) -> float:
        """Ends calls whose time is up and pings; when to be called again (monotonic)."""
        due = _NEVER
        with self._lock:
            late = self._take_late(now) if now >= self._next_deadline else []
            lost = self._take_calls(set()) if self._lost_for() > self._patience else []
            if self.sock is not None:
                # Either direction: the daemon closes what it has not heard of, and a daemon that
                # only ever reads must be heard of too.
                due = max(min(self._last_out, self._last_in), self._last_ping) + _PING_AFTER
                if now >= due:
                    self._last_ping = now
                    self.submit(_PING)
                    due = now + _PING_AFTER
            elif self._calls:
                due = self._lost_at + self._patience + 0.01
            due = min(due, self._next_deadline)
        for pending in late:
            _fail(pending.future, RequestTimeout("No answer came within the time given."))
        for pending in lost:
            _fail(pending.future, self._lost())
        return due

    @property
    def silent_for_too_long(self) -> bool:
        return self.sock is not None and time.monotonic() - self._last_in > _DEAD_AFTER

    @property
    def retry_at(self) -> float:
        return self._retry_at

    # Under the lock

    def _write_first(self, frame: bytes, call: int) -> bool:
        """Writes a frame while none is queued; queues what the socket does not take of it."""
        written = self._write_now(frame)
        if written == len(frame):
            return True
        # Before what a re-entrant call may have queued meanwhile.
        self._queue.appendleft((frame, call))
        self._offset = written
        self._queued += len(frame)
        return False

    def _write_now(self, data: bytes | memoryview) -> int:
        assert self.sock is not None
        self._writing = True
        try:
            written = self.sock.send(data)
            self._last_out = time.monotonic()
            return written
        except (BlockingIOError, InterruptedError):
            return 0
        except OSError:
            return 0  # the I/O thread reads the end and reconnects
        finally:
            self._writing = False

    def _has_room(self, frame: bytes) -> bool:
        return self._closed or not self._queued or self._queued + len(frame) <= self._limit

    def _check_open(self) -> None:
        if self._closed:
            raise ConnectError("The client is closed.")

    def _drop_socket(self) -> None:
        sock, self.sock = self.sock, None
        self._offset = 0
        if sock is not None:
            self.adoption.close(sock)

    def _lost_for(self) -> float:
        return time.monotonic() - self._lost_at if self._lost_at else 0.0

    def _lost(self) -> NeuralCoreError:
        return ConnectionLost(
            f"The daemon has not been there for {self._lost_for():.1f} s.",
            hint=str(self._last_error or "The connection is being rebuilt."),
        )

    def _take_calls(self, keep: set[int]) -> list[_Pending]:
        gone = [c for c in self._calls if c not in keep]
        taken = [self._calls.pop(c) for c in gone]
        if not keep:
            self._backlog.clear()
        return taken

    def _take_late(self, now: float) -> list[_Pending]:
        late = [c for c, pending in self._calls.items() if pending.deadline <= now]
        taken = [self._calls.pop(c) for c in late]
        self._next_deadline = min((p.deadline for p in self._calls.values()), default=_NEVER)
        self._send_backlog()
        return taken

    def _send_backlog(self) -> None:
        while self._backlog and len(self._calls) - len(self._backlog) < self._window:
            frame, call = self._backlog.popleft()
            if call in self._calls:
                self.submit(frame, call=call)

    def _forget(self, call: int) -> None:
        with self._lock:
            if self._calls.pop(call, None) is not None and self._backlog:
                self._send_backlog()

    def _answered(
        self, call: int, result: CallResult | None, error: NeuralCoreError | None
    ) -> None:
        with self._lock:
            pending = self._calls.pop(call, None)
            if self._backlog:
                self._send_backlog()
        if pending is None or not pending.future.set_running_or_notify_cancel():
            return
        if error is not None:
            pending.future.set_exception(error)
        else:
            assert result is not None
            pending.future.set_result(result)


def failure(error: Mapping[str, Any]) -> NeuralCoreError:
    """The exception for a failure frame's JSON."""
    fields = dict(error)
    code = fields.pop("code", None) or fields.get("failureCode") or "INTERNAL"
    return error_for(code, str(fields.pop("message", "No reason was given.")), **fields)


def _fail(future: Future[CallResult], error: NeuralCoreError) -> None:
    if future.set_running_or_notify_cancel():
        future.set_exception(error)
