"""Who is told of the frames that are no call's answer."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from neuralcore import _wire
from neuralcore._stream import failure
from neuralcore._wire import Delivered, Flow, Published

if TYPE_CHECKING:
    from neuralcore._bus.message import Message
    from neuralcore._bus.receive import Run

logger = logging.getLogger("neuralcore")

DeliverCallback = Callable[[list[Delivered]], None]
MessagesCallback = Callable[["list[Message]"], None]


_Read = Callable[
    [bytes, Mapping[int, Callable[..., object]]], "tuple[list[Run], list[Callable[[], None]]]"
]


class Callbacks:
    """Registered by any thread, run by the I/O thread. One that raises is logged and kept."""

    def __init__(self) -> None:
        self._deliver: dict[int, DeliverCallback] = {}
        self._messages: dict[int, MessagesCallback] = {}
        self._read: _Read | None = None
        self._published: list[Callable[[Published], None]] = []
        self._flow: list[Callable[[Flow], None]] = []
        self._reconnected: list[Callable[[], None]] = []

    def on_deliver(self, subscription: int, callback: DeliverCallback) -> None:
        self._deliver[subscription] = callback

    def on_messages(self, subscription: int, callback: MessagesCallback) -> None:
        """As :meth:`on_deliver`, for what a bus makes of deliveries."""
        if self._read is None:
            from neuralcore._bus.receive import read_deliveries

            self._read = read_deliveries
        self._messages[subscription] = callback

    def off_deliver(self, subscription: int) -> None:
        self._deliver.pop(subscription, None)
        self._messages.pop(subscription, None)

    def on_published(self, callback: Callable[[Published], None]) -> Callable[[], None]:
        """Returns a function that ends it."""
        return _register(self._published, callback)

    def on_flow(self, callback: Callable[[Flow], None]) -> Callable[[], None]:
        """Returns a function that ends it."""
        return _register(self._flow, callback)

    def on_reconnected(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Returns a function that ends it."""
        return _register(self._reconnected, callback)

    def reconnected(self) -> None:
        for callback in tuple(self._reconnected):
            _run(callback)

    def deliver(self, payload: bytes) -> bool:
        """Hands over a deliver frame; False if someone wants it decoded as any other."""
        if self._read is not None:
            receiver_of = self._messages.get
            runs, wakes = self._read(payload, self._messages)
            for wake in wakes:
                _run(wake)
            for subscription, messages in runs:
                receiver = receiver_of(subscription)
                if receiver is not None:
                    _run(receiver, messages)
        return not self._deliver

    def dispatch(self, frame: _wire.Frame) -> None:
        if isinstance(frame, _wire.Published):
            for callback in tuple(self._published):
                _run(callback, frame)
        elif isinstance(frame, _wire.Deliver):
            self._hand_over(frame.deliveries)
        elif isinstance(frame, _wire.Flow):
            for on_flow in tuple(self._flow):
                _run(on_flow, frame)
        elif isinstance(frame, _wire.Failure):
            logger.error("the daemon refused what was sent: %s", failure(frame.error))
        elif isinstance(frame, _wire.Text) and frame.json.get("type") == "err":
            logger.error("the daemon refused what was sent: %s", frame.json.get("message"))

    def _hand_over(self, deliveries: list[Delivered]) -> None:
        """Neighbours with the same callback go in one list."""
        callback_of = self._deliver.get
        run: list[Delivered] = []
        current: DeliverCallback | None = None
        last = -1
        for delivered in deliveries:
            if delivered[0] != last:
                last = delivered[0]
                callback = callback_of(last)
                if callback != current:
                    if run and current is not None:
                        _run(current, run)
                    run = []
                    current = callback
            run.append(delivered)
        if run and current is not None:
            _run(current, run)


def _register(
    callbacks: list[Callable[..., None]], callback: Callable[..., None]
) -> Callable[[], None]:
    callbacks.append(callback)

    def end() -> None:
        with contextlib.suppress(ValueError):
            callbacks.remove(callback)

    return end


def _run(callback: Callable[..., None], *args: object) -> None:
    try:
        callback(*args)
    except Exception:
        logger.exception("a callback failed: %r", callback)
