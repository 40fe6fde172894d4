"""A namespace of channels in the daemon."""

from __future__ import annotations

import bisect
import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from neuralcore import _wire
from neuralcore._bus.backend import OnDeliver, OnRejected, Rejected
from neuralcore._bus.completion import log
from neuralcore._wire import Delivered, Outgoing, Published
from neuralcore.errors import (
    CODE_OF_NUMBER,
    InvalidRequest,
    NeuralCoreError,
    QueueFull,
    RequestTimeout,
)

if TYPE_CHECKING:
    from neuralcore._connection import Connection

_FRAME_MESSAGES = 2048
_FRAME_BYTES = 1 << 20
_ENTRY_BYTES = 40
_REMEMBERED_BATCHES = 1024

_SUBSCRIBE = "neuralcore.messaging.subscribe"
_UNSUBSCRIBE = "neuralcore.messaging.unsubscribe"
_CREATE = "neuralcore.messaging.create"
_STATS = "neuralcore.messaging.stats"
_CLOSE = "neuralcore.messaging.close"


class _Subscribed(NamedTuple):
    wire_number: int
    channel: str
    window: Callable[[], int]
    on_deliver: OnDeliver


class DaemonBackend:
    """Speaks for one bus over a connection that others may use too. Thread-safe.

    After a reconnection it creates its channels and subscribes again, before anything that was
    buffered meanwhile goes out.
    """

    kind: Literal["daemon"] = "daemon"

    def __init__(
        self, connection: Connection, namespace: str, publisher: int, on_rejected: OnRejected
    ) -> None:
        self._connection = connection
        self._namespace = namespace
        self._publisher = publisher
        self._on_rejected = on_rejected
        self._lock = threading.Lock()
        self._subscribed: dict[int, _Subscribed] = {}
        self._receivers: dict[int, OnDeliver] = {}
        self._created: dict[str, dict[str, Any]] = {}
        self._sent: deque[tuple[list[int], list[str]]] = deque(maxlen=_REMEMBERED_BATCHES)
        self._confirmations: dict[int, Future[None]] = {}
        self._unregister = (
            connection.on_published(self._published),
            connection.on_reconnected(self._reconnected),
        )

    def send(self, batch: Sequence[Outgoing], wait: float) -> int:
        sent = 0
        while sent < len(batch):
            size, end = 0, sent
            while end < len(batch) and end - sent < _FRAME_MESSAGES:
                message = batch[end]
                size += len(message.payload) + len(message.meta) + _ENTRY_BYTES
                if size > _FRAME_BYTES and end > sent:
                    break
                end += 1
            part = batch[sent:end]
            try:
                self._send_frame(part, wait)
            except QueueFull:
                return sent
            except NeuralCoreError:
                if sent:
                    return sent
                raise
            sent = end
        return sent

    def _send_frame(self, messages: Sequence[Outgoing], wait: float) -> None:
        connection = self._connection
        frame = _wire.encode_publish(
            connection.next_id(), False, self._namespace, self._publisher, messages
        )
        if len(frame) > connection.max_frame:
            raise InvalidRequest(
                f"A message makes a frame of {len(frame)} bytes; the daemon takes "
                f"{connection.max_frame}.",
                code="FRAME_TOO_LARGE",
            )
        self._sent.append(([m.sequence for m in messages], [m.channel for m in messages]))
        connection.send(frame, wait=wait)

    def flush(self, timeout: float) -> None:
        batch = self._connection.next_id()
        confirmed: Future[None] = Future()
        self._confirmations[batch] = confirmed
        try:
            self._connection.send(
                _wire.encode_publish(batch, True, self._namespace, self._publisher, ()),
                wait=timeout,
            )
            confirmed.result(timeout)
        except FutureTimeout:
            raise RequestTimeout(
                f"The daemon has not confirmed within {timeout:g} s that all is queued."
            ) from None
        finally:
            self._confirmations.pop(batch, None)

    def subscribe(
        self,
        number: int,
        channel: str,
        window: Callable[[], int],
        on_deliver: OnDeliver,
        timeout: float,
    ) -> None:
        wire_number = self._connection.next_id()
        entry = _Subscribed(wire_number, channel, window, on_deliver)
        with self._lock:
            self._subscribed[number] = entry
            self._receivers[wire_number] = on_deliver
        self._connection.on_deliver(wire_number, self._deliver)
        try:
            self._call(_SUBSCRIBE, self._subscription(entry), timeout)
        except BaseException:
            self._forget(number)
            raise

    def unsubscribe(self, number: int, timeout: float) -> None:
        entry = self._forget(number)
        if entry is not None:
            self._call(_UNSUBSCRIBE, {"subscription": entry.wire_number}, timeout)

    def grant(self, number: int, messages: int) -> None:
        entry = self._subscribed.get(number)
        if entry is not None:
            self._connection.send(_wire.encode_credit([(entry.wire_number, messages)]))

    def create(self, channel: str, options: dict[str, Any], timeout: float) -> bool:
        params = {"namespace": self._namespace, "channel": channel, **options}
        created = bool(self._call(_CREATE, params, timeout).get("created"))
        self._created[channel] = params
        return created

    def stats(self, timeout: float) -> dict[str, dict[str, int]]:
        channels = self._call(_STATS, {"namespace": self._namespace}, timeout).get("channels", {})
        return {str(name): dict(counts) for name, counts in channels.items()}

    def close(self, timeout: float) -> None:
        for unregister in self._unregister:
            unregister()
        for number in list(self._subscribed):
            self._forget(number)
        if self._namespace.startswith("private-"):
            self._call(_CLOSE, {"namespace": self._namespace}, timeout)

    def _call(self, address: str, params: dict[str, Any], timeout: float) -> dict[str, Any]:
        return self._connection.call_async(address, params, timeout=timeout).result()[0]

    def _subscription(self, entry: _Subscribed) -> dict[str, Any]:
        return {
            "namespace": self._namespace,
            "channel": entry.channel,
            "subscription": entry.wire_number,
            "credit": entry.window(),
        }

    def _forget(self, number: int) -> _Subscribed | None:
        with self._lock:
            entry = self._subscribed.pop(number, None)
            if entry is not None:
                self._receivers.pop(entry.wire_number, None)
        if entry is not None:
            self._connection.off_deliver(entry.wire_number)
        return entry

    def _deliver(self, deliveries: list[Delivered]) -> None:
        """Hands runs of one subscription to its receiver. On the I/O thread."""
        start = 0
        for end in range(1, len(deliveries) + 1):
            number = deliveries[start].subscription
            if end < len(deliveries) and deliveries[end].subscription == number:
                continue
            receiver = self._receivers.get(number)
            if receiver is not None:
                receiver(deliveries[start:end])
            start = end

    def _published(self, published: Published) -> None:
        confirmed = self._confirmations.pop(published.batch, None)
        if confirmed is not None:
            confirmed.set_result(None)
        if published.rejections:
            rejected = self._mine(published.rejections)
            if rejected:
                self._on_rejected(rejected)

    def _mine(self, rejections: Sequence[_wire.Rejection]) -> list[Rejected]:
        """Those that this bus sent lately; the rest is another bus's on this connection."""
        batches = list(self._sent)
        firsts = [sequences[0] for sequences, _ in batches]
        mine = []
        for sequence, error in rejections:
            batch = bisect.bisect_right(firsts, sequence) - 1
            if batch < 0:
                continue
            sequences, channels = batches[batch]
            at = bisect.bisect_left(sequences, sequence)
            if at < len(sequences) and sequences[at] == sequence:
                code = CODE_OF_NUMBER.get(error, str(error))
                mine.append(Rejected(sequence, channels[at], code))
        return mine

    def _reconnected(self) -> None:
        """On the I/O thread, which must not wait for the answers."""
        calls = [(_CREATE, params) for params in self._created.values()]
        with self._lock:
            calls += [(_SUBSCRIBE, self._subscription(e)) for e in self._subscribed.values()]
        for address, params in calls:
            self._connection.call_async(address, params).add_done_callback(_log_failure)


def _log_failure(future: Future[Any]) -> None:
    if not future.cancelled() and future.exception() is not None:
        log.error("After reconnecting: %s", future.exception())
