"""Request and reply over channels."""

from __future__ import annotations

import itertools
import secrets
import threading
from collections.abc import Sequence
from concurrent.futures import Future
from typing import Any

from neuralcore._bus.message import Message
from neuralcore.errors import NeuralCoreError


class HandlerError(NeuralCoreError, RuntimeError):
    """The handler that got the request raised; the message has its error's type and text."""


class Requests:
    """The requests of one bus that wait for an answer. Thread-safe."""

    def __init__(self) -> None:
        self.channel = f"_reply.{secrets.token_hex(8)}"
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()
        self._waiting: dict[str, Future[Any]] = {}

    def open(self) -> tuple[str, Future[Any]]:
        """A new correlation id, and the future of its answer."""
        correlation = f"{self.channel}-{next(self._numbers)}"
        future: Future[Any] = Future()
        with self._lock:
            self._waiting[correlation] = future
        return correlation, future

    def forget(self, correlation: str) -> None:
        with self._lock:
            self._waiting.pop(correlation, None)

    def fail_all(self, error: NeuralCoreError) -> None:
        with self._lock:
            waiting, self._waiting = self._waiting, {}
        for future in waiting.values():
            _settle(future, error=error)

    def deliver(self, batch: Sequence[Message]) -> None:
        """Answers, on the I/O thread. The first to a request counts, later ones are ignored."""
        for message in batch:
            with self._lock:
                future = self._waiting.pop(message.meta.correlation_id or "", None)
            if future is None:
                continue
            failure = message.meta.error
            if failure is not None:
                text = f"{failure.get('type')}: {failure.get('message')}"
                _settle(future, error=HandlerError(f"The request's handler failed: {text}"))
                continue
            try:
                _settle(future, message.payload)
            except Exception as error:
                _settle(future, error=error)


def _settle(future: Future[Any], result: Any = None, error: Exception | None = None) -> None:
    """Sets a result unless the caller has given up."""
    if not future.set_running_or_notify_cancel():
        return
    if error is not None:
        future.set_exception(error)
    else:
        future.set_result(result)
