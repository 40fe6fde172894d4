"""An event loop that reads a stream in the I/O thread's place."""

from __future__ import annotations

import contextlib
import select
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncio

# While the loop reads, the I/O thread looks so often whether it still does.
_LOOK_EVERY = 0.02
# After so long without anything to read, it sleeps until something comes.
_QUIET_AFTER = 0.25
_NEVER = float("inf")


class Adoption:
    """Which of the two reads: the loop that has adopted the stream, or the I/O thread.

    The I/O thread watches the socket only while nothing comes. When something does, it leaves it to
    the loop and looks every 20 ms whether the loop has read since; if it has not although there is
    something to read, the loop is blocked, and the I/O thread reads until the loop does again.

    Args:
        read: reads what is there; run on the loop.
    """

    def __init__(self, read: Callable[[], None]) -> None:
        self._read = read
        self._loop: asyncio.AbstractEventLoop | None = None
        self._sock: socket.socket | None = None
        self._reads = 0  # by the loop
        self._seen = 0
        self._blocked = False  # the loop does not read
        self._lent = 0
        self._quiet_since = 0.0
        self.look_again_at = _NEVER

    # On the loop, or any thread

    def begin(self, loop: asyncio.AbstractEventLoop) -> bool:
        """Whether the loop is the one that reads from now on."""
        if self._loop is not None and not self._loop.is_closed():
            return False
        if not hasattr(loop, "add_reader"):
            return False
        self._loop = loop
        return True

    @property
    def on_loop(self) -> bool:
        """Whether the caller runs on the loop that reads."""
        loop = self._loop
        return loop is not None and getattr(loop, "_thread_id", 0) == threading.get_ident()

    @property
    def by_loop(self) -> bool:
        """Whether there is a loop that reads."""
        return self._loop is not None

    def opened(self, sock: socket.socket) -> None:
        """There is a socket to read."""
        loop = self._loop
        if loop is None:
            return
        try:
            loop.call_soon_threadsafe(self._watch, sock)
        except RuntimeError:  # it is closed
            self._loop = None

    def _watch(self, sock: socket.socket) -> None:
        assert self._loop is not None
        try:
            self._loop.add_reader(sock, self._on_readable)
            self._sock = sock
        except (NotImplementedError, OSError, ValueError):
            self._loop = None  # a loop that cannot, or a socket that is gone

    def _on_readable(self) -> None:
        self._reads += 1
        self._read()

    def closing(self) -> None:
        """The socket has come to its end. On the loop."""
        if self._loop is not None and self._sock is not None:
            self._loop.remove_reader(self._sock)

    def close(self, sock: socket.socket) -> None:
        """Closes a socket, on the loop if that watches it: its number may be used again at once."""
        loop = self._loop
        if loop is not None and sock is self._sock:
            self._sock = None
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

            def close() -> None:
                loop.remove_reader(sock)
                sock.close()

            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(close)
                return
        sock.close()

    @contextlib.contextmanager
    def lent(self, wake: Callable[[], None]) -> Iterator[None]:
        """For the time that its loop's thread waits for an answer, the I/O thread reads."""
        self._lent += 1
        wake()
        try:
            yield
        finally:
            self._lent -= 1

    # On the I/O thread

    @property
    def io_thread_watches(self) -> bool:
        return (
            self._loop is None
            or self._lent > 0
            or self._blocked
            or self.look_again_at == _NEVER
            or self._sock is None
        )

    def leaves_it_to_loop(self) -> bool:
        """Something has come: whether the I/O thread must not read it."""
        if self._loop is None or self._lent or self._sock is None:
            return False
        if self._blocked and self._reads == self._seen:
            return False
        self._blocked = False
        self._seen = self._reads
        self._quiet_since = time.monotonic()
        self.look_again_at = self._quiet_since + _LOOK_EVERY
        return True

    def overdue(self, now: float, sock: socket.socket | None) -> bool:
        """Whether there is something to read that the loop has left lying."""
        if now < self.look_again_at:
            return False
        self.look_again_at = now + _LOOK_EVERY
        if self._reads != self._seen:
            self._seen = self._reads
            self._quiet_since = now
            return False
        if sock is not None and select.select([sock], (), (), 0)[0]:
            self._blocked = True
            self.look_again_at = _NEVER
            return True
        if now - self._quiet_since > _QUIET_AFTER:
            self.look_again_at = _NEVER
        return False
