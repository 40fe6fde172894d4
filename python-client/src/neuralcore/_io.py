"""The thread that reads and repairs a connection's streams."""

from __future__ import annotations

import contextlib
import logging
import selectors
import socket
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future

from neuralcore._stream import Stream
from neuralcore.errors import ConnectError, NeuralCoreError

logger = logging.getLogger("neuralcore")

_CHORES_EVERY = 30.0
_EPOLL: tuple[type, ...] = (selectors.EpollSelector,) if hasattr(selectors, "EpollSelector") else ()


class IoThread:
    """A ``selectors`` loop over streams, the first of which it connects before all else.

    It is no asyncio loop: answers came as fast from one, but importing asyncio costs a process
    more than all of this package, and here the callers' own threads can write.

    Args:
        streams: those there are by now; asked again at each turn.
        reconnected: run when the first stream is back, before what is queued for it.
        chores: run every 30 s.
        name: of the connection, for the log.
    """

    def __init__(
        self,
        streams: Callable[[], Sequence[Stream]],
        *,
        reconnected: Callable[[], None],
        chores: Callable[[], None],
        name: str,
    ) -> None:
        self._streams = streams
        self._reconnected = reconnected
        self._chores = chores
        self._name = name
        self._stopping = False
        self._first: Future[None] = Future()
        self._watching = threading.Lock()
        self._selector: selectors.BaseSelector | None = None
        self._watched: dict[Stream, tuple[socket.socket, int]] = {}
        self._wake_in, self._wake_out = socket.socketpair()
        self._wake_in.setblocking(False)
        self._wake_out.setblocking(False)
        self._woken = False
        self._thread = threading.Thread(target=self._run, name="neuralcore-io", daemon=True)

    def start(self) -> None:
        """Returns when the first stream is connected; raises what that raises, and has ended."""
        self._thread.start()
        try:
            self._first.result()
        except NeuralCoreError:
            raise
        except BaseException:
            self.stop()
            raise

    def wake(self) -> None:
        """Has the streams looked at again. Any thread."""
        if self._woken:
            return
        self._woken = True
        # Full: it is awake. Closed: it has ended.
        with contextlib.suppress(OSError):
            self._wake_out.send(b"\0")

    def leave(self, stream: Stream) -> bool:
        """Does not wait for a lent stream to be readable. Any thread; False if that cannot be.

        Of epoll alone it is known that another thread may change what is waited for.
        """
        selector = self._selector
        if selector is None or not isinstance(selector, _EPOLL):
            return False
        self._watch(selector, stream)
        return True

    def look_after(self, stream: Stream) -> None:
        """Waits for it again. Any thread."""
        selector = self._selector
        if selector is not None:
            # Closed meanwhile: its end is dealt with by who closed it.
            with contextlib.suppress(OSError, ValueError, KeyError):
                self._watch(selector, stream)

    def stop(self) -> None:
        """Ends it at its next turn. Any thread."""
        self._stopping = True
        self._woken = False
        self.wake()

    def join(self, timeout: float) -> None:
        self._thread.join(timeout)

    def is_current(self) -> bool:
        return self._thread is threading.current_thread()

    def abandon(self) -> None:
        """In a forked child, where the thread is not: closes the copies of its sockets."""
        self._wake_in.close()
        self._wake_out.close()

    def _run(self) -> None:
        try:
            with selectors.DefaultSelector() as selector:
                self._selector = selector
                self._loop(selector)
        except Exception as e:
            if not self._stopping:
                logger.exception("the I/O thread of %s ended by a defect", self._name)
                for stream in self._streams():
                    stream.close()
            if not self._first.done():
                self._first.set_exception(ConnectError(f"The I/O thread ended: {e}."))
        finally:
            self._selector = None
            self._wake_in.close()
            self._wake_out.close()

    def _loop(self, selector: selectors.BaseSelector) -> None:
        selector.register(self._wake_in, selectors.EVENT_READ)
        try:
            self._streams()[0].connect(None)
        except NeuralCoreError as e:
            self._first.set_exception(e)
            return
        self._first.set_result(None)
        chores_at = time.monotonic() + _CHORES_EVERY
        while not self._stopping:
            now = time.monotonic()
            due = chores_at
            for stream in self._streams():
                due = min(due, self._attend(selector, stream, now))
                self._watch(selector, stream)
            for key, events in selector.select(max(0.0, due - time.monotonic())):
                if key.data is None:
                    with contextlib.suppress(BlockingIOError):
                        self._wake_in.recv(1024)
                    self._woken = False
                else:
                    self._serve(selector, key.data, events)
            if time.monotonic() >= chores_at:
                self._chores()
                chores_at = time.monotonic() + _CHORES_EVERY

    def _serve(self, selector: selectors.BaseSelector, stream: Stream, events: int) -> None:
        if events & selectors.EVENT_WRITE:
            stream.on_writable()
        if not events & selectors.EVENT_READ or stream.adoption.leaves_it_to_loop():
            return
        if not stream.on_readable():
            self._lose(selector, stream)

    def _attend(self, selector: selectors.BaseSelector, stream: Stream, now: float) -> float:
        """Reconnects and sees to deadlines; when to look again."""
        if stream.adoption.overdue(now, stream.sock) and not stream.on_readable():
            stream.broken = True
        if stream.sock is not None and (stream.broken or stream.silent_for_too_long):
            self._lose(selector, stream)
        due = min(stream.on_time(now), stream.adoption.look_again_at)
        if stream.sock is not None:
            return due
        if now < stream.retry_at:
            return min(due, stream.retry_at)
        back = stream.retry_at > 0 and stream is self._streams()[0]
        try:
            stream.connect(self._reconnected if back else None)
        except NeuralCoreError:
            return min(due, stream.retry_at)
        if back:
            logger.info("reconnected to the daemon at %s", self._name)
        return stream.on_time(now)

    def _watch(self, selector: selectors.BaseSelector, stream: Stream) -> None:
        with self._watching:
            self._watch_alone(selector, stream)

    def _watch_alone(self, selector: selectors.BaseSelector, stream: Stream) -> None:
        sock = stream.sock
        if sock is None:
            return
        events = selectors.EVENT_WRITE if stream.wants_write else 0
        if stream.adoption.io_thread_watches and not stream.lent:
            events |= selectors.EVENT_READ
        known = self._watched.get(stream)
        if known is None or not known[1]:
            if events:
                selector.register(sock, events, stream)
        elif not events:
            selector.unregister(sock)
        elif known[1] != events:
            selector.modify(sock, events, stream)
        self._watched[stream] = (sock, events)

    def _lose(self, selector: selectors.BaseSelector, stream: Stream) -> None:
        with self._watching:
            watched = self._watched.pop(stream, None)  # none if it was lost before its first turn
            if watched is not None and watched[1]:
                selector.unregister(watched[0])
        reason = stream.on_lost()
        if not self._stopping:
            logger.warning(
                "the connection to the daemon at %s is lost%s; reconnecting",
                self._name,
                f" ({reason})" if reason else "",
            )
