"""Blocking calls: a lane is a socket that carries one call at a time.

The caller's own thread writes the request and reads the answer straight into the memory of the
arrays it gets: no hop to another thread, no copy, and Ctrl-C interrupts the system call. Bulk
arrays so never hold up messages, which have their own connection. A lane on which anything went
wrong (a timeout, Ctrl-C, a malformed frame) is closed, never used again.

Deadlines are the socket's SO_RCVTIMEO and SO_SNDTIMEO where there are such: Python's own
``settimeout`` costs a further poll() per operation.
"""

from __future__ import annotations

import os
import socket
import struct
import sys
import threading
import time
from collections import deque
from collections.abc import Callable

from neuralcore import _wire
from neuralcore.errors import ConnectError, ConnectionLost, LimitExceeded, RequestTimeout

_BUFFER = 64 * 1024
_IOV_MAX = 512
# A lane unused for so long is looked at before it is trusted (seconds).
_DOUBT = 0.01
# The daemon closes connections that were silent for 60 s.
_STALE = 30.0
_KERNEL_TIMEOUTS = os.name == "posix"
_GRACE = 0.1

_LENGTH = struct.Struct(">i")
_TIMEVAL = struct.Struct("ll")


class Lane:
    """One call at a time; not thread-safe."""

    __slots__ = ("_buffer", "_limit", "_sock", "_timeout", "_view", "idle_since")

    def __init__(self, sock: socket.socket, limit: int) -> None:
        self._sock = sock
        self._limit = limit
        self._buffer = bytearray(_BUFFER)
        self._view = memoryview(self._buffer)
        self._timeout = 0
        self.idle_since = time.monotonic()

    def alive(self) -> bool:
        """Whether the daemon has left the connection open and is silent."""
        if not _KERNEL_TIMEOUTS:
            return True
        try:
            self._sock.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
        except (BlockingIOError, InterruptedError):
            return True
        except OSError:
            return False
        return False  # closed, or bytes nobody asked for

    def exchange(self, pieces: list[_wire.Buffer], deadline: float) -> _wire.Payload | memoryview:
        """Writes a frame and reads one.

        Args:
            deadline: on the monotonic clock. A tenth of a second is added, in which the daemon's
                own answer that time is up arrives and the lane lives on.

        Raises:
            RequestTimeout, ConnectionLost: the lane is to be closed.
            BrokenPipeError, ConnectionResetError: the same, and the daemon has not had the request.
        """
        self._allow(deadline)
        try:
            if len(pieces) == 1:
                self._sock.sendall(pieces[0])
            else:
                self._send_pieces(pieces, deadline)
        except (BlockingIOError, TimeoutError):
            raise RequestTimeout("The daemon did not take the request within its time.") from None
        try:
            return self._receive(deadline)
        except (BlockingIOError, TimeoutError):
            raise RequestTimeout("No answer came within the time given.") from None
        except ConnectionLost:
            raise
        except OSError as e:
            raise ConnectionLost(f"The connection broke before the answer: {e}.") from e

    def close(self) -> None:
        self._sock.close()

    def _send_pieces(self, pieces: list[_wire.Buffer], deadline: float) -> None:
        if not hasattr(self._sock, "sendmsg"):
            for piece in pieces:
                self._sock.sendall(piece)
            return
        rest = deque(memoryview(piece) for piece in pieces if len(piece))
        while rest:
            batch = [rest[i] for i in range(min(len(rest), _IOV_MAX))]
            sent = self._sock.sendmsg(batch)
            while rest and sent >= len(rest[0]):
                sent -= len(rest.popleft())
            if sent:
                rest[0] = rest[0][sent:]
            if rest:
                self._allow(deadline)

    def _receive(self, deadline: float) -> _wire.Payload | memoryview:
        sock, view = self._sock, self._view
        have = sock.recv_into(self._buffer)
        while have < 4:
            if not have:
                raise ConnectionLost("The daemon closed the connection before the answer.")
            got = sock.recv_into(view[have:])
            if not got:
                raise ConnectionLost("The daemon closed the connection before the answer.")
            have += got
        (length,) = _LENGTH.unpack_from(self._buffer)
        if have == 4 + length:
            return self._buffer[4:have]
        _wire.check_length(length, self._limit)
        if have > 4 + length:
            raise ConnectionLost("The daemon sent more than the answer.")
        np = sys.modules.get("numpy")
        # NumPy's memory need not be zeroed first.
        whole = memoryview(
            np.empty(length, np.uint8) if np and length > _BUFFER else bytearray(length)
        )
        filled = have - 4
        whole[:filled] = view[4:have]
        while filled < length:
            self._allow(deadline)
            got = sock.recv_into(whole[filled:])
            if not got:
                raise ConnectionLost("The daemon closed the connection within the answer.")
            filled += got
        return whole

    def _allow(self, deadline: float) -> None:
        """Lets the next system calls take until the deadline."""
        left = deadline - time.monotonic()
        if left <= -_GRACE:
            raise BlockingIOError
        # In steps of 1/16 s, so that calls with the same timeout need no system call here.
        sixteenths = int((left + _GRACE) * 16) + 1
        if sixteenths == self._timeout:
            return
        self._timeout = sixteenths
        seconds = min(sixteenths / 16, 1e8)
        if _KERNEL_TIMEOUTS:
            value = _TIMEVAL.pack(int(seconds), int(seconds % 1 * 1e6))
            self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, value)
            self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, value)
        else:
            self._sock.settimeout(seconds)


class LanePool:
    """Lanes for any number of threads; thread-safe.

    The last one returned is the first one given out, so that few stay in use. Where all are in
    use and ``limit`` is reached, callers wait for one within their deadline.
    """

    def __init__(self, open_lane: Callable[[float], Lane], limit: int) -> None:
        self._open = open_lane
        self._limit = limit
        self._idle: list[Lane] = []
        self._all: set[Lane] = set()
        self._returned = threading.Condition()
        self._waiting = 0
        self._opening = 0
        self._closed = False

    def acquire(self, deadline: float) -> Lane:
        """A lane that was alive a moment ago."""
        while True:
            try:
                lane = self._idle.pop()
            except IndexError:
                lane = self._open_or_wait(deadline)
            idle = time.monotonic() - lane.idle_since
            if idle < _DOUBT or (idle < _STALE and lane.alive()):
                return lane
            self.discard(lane)

    def release(self, lane: Lane) -> None:
        lane.idle_since = time.monotonic()
        self._idle.append(lane)
        if self._waiting:
            with self._returned:
                self._returned.notify()
        if self._closed:
            self.close()

    def discard(self, lane: Lane) -> None:
        lane.close()
        with self._returned:
            self._all.discard(lane)
            self._returned.notify()

    def trim(self) -> None:
        """Closes lanes that were idle for long."""
        limit = time.monotonic() - _STALE
        for lane in self._idle[:]:
            if lane.idle_since < limit:
                try:
                    self._idle.remove(lane)
                except ValueError:
                    continue  # just taken
                self.discard(lane)

    def close(self) -> None:
        """Closes those that are idle; the others as they come back."""
        self._closed = True
        while self._idle:
            try:
                lane = self._idle.pop()
            except IndexError:
                break
            self.discard(lane)

    def abandon(self) -> None:
        """In a forked child: closes its copies of the parent's sockets, without a lock."""
        for lane in self._all:
            lane.close()

    def _open_or_wait(self, deadline: float) -> Lane:
        with self._returned:
            while True:
                if self._closed:
                    raise ConnectError("The client is closed.")
                if self._idle:
                    try:
                        return self._idle.pop()
                    except IndexError:
                        continue
                if len(self._all) + self._opening < self._limit:
                    self._opening += 1
                    break
                left = deadline - time.monotonic()
                if left <= 0:
                    raise LimitExceeded(
                        f"{self._limit} calls are under way, and none ended within the time given."
                    )
                self._waiting += 1
                try:
                    self._returned.wait(left)
                finally:
                    self._waiting -= 1
        lane = None
        try:
            lane = self._open(deadline)
            return lane
        finally:
            with self._returned:
                self._opening -= 1
                if lane is None:
                    self._returned.notify()
                else:
                    self._all.add(lane)
