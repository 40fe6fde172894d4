"""Everything that neuralcore raises.

Each class is also the builtin that fits, so that code which knows nothing of neuralcore catches
it too::

    NeuralCoreError                 .code  .hint  .details
    ├── InvalidRequest              ValueError           a value is wrong; the message names it
    ├── NotFound                    KeyError             no such collection, model, subscription
    ├── RequestTimeout              TimeoutError         no answer within the deadline
    ├── AccessDenied                PermissionError      no token, or an address not allowed
    ├── ConnectError                ConnectionError      the daemon cannot be reached
    │   ├── ConnectionLost                               it could, and the connection broke
    │   ├── VersionMismatch                              it speaks another protocol version
    │   └── DaemonStartError                             it did not start; has .command, .log_tail
    ├── QueueFull                   RuntimeError         a buffer or channel is full: slow down
    ├── LimitExceeded               RuntimeError         too many subscriptions, calls, connections
    ├── Unavailable                 RuntimeError         not now; .retry_after seconds, if known
    ├── ProtocolError               RuntimeError         bytes that are not this protocol
    ├── InternalError               RuntimeError         a defect; the daemon's log has details
    ├── StorageError                OSError              the disk is full, failed, or damaged
    └── NotSupported                NotImplementedError  the fallback, or this version, cannot

``code`` is one of the names in the table of ``docs/protocol.md``, the same in the daemon.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

__all__ = [
    "AccessDenied",
    "ConnectError",
    "ConnectionLost",
    "DaemonStartError",
    "InternalError",
    "InvalidRequest",
    "LimitExceeded",
    "NeuralCoreError",
    "NotFound",
    "NotSupported",
    "ProtocolError",
    "QueueFull",
    "RequestTimeout",
    "StorageError",
    "Unavailable",
    "VersionMismatch",
    "error_for",
]


class NeuralCoreError(Exception):
    """Base of all errors.

    Args:
        message: what happened, with the values.
        code: stable name from the protocol's table; the class's own by default.
        hint: what to do about it, or "".
        details: whatever else the code defines, kept in ``details``.
    """

    default_code: ClassVar[str] = "INTERNAL"

    def __init__(
        self, message: str = "", *, code: str | None = None, hint: str = "", **details: Any
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code or self.default_code
        self.hint = hint
        self.details = details

    def __str__(self) -> str:
        return f"{self.message} {self.hint}" if self.hint else self.message

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (type(self), self.message, self.code, self.hint, self.details)


class InvalidRequest(NeuralCoreError, ValueError):
    """A value is missing, mistyped, out of range or too large; the message names it."""

    default_code = "INVALID_REQUEST"


class NotFound(NeuralCoreError, KeyError):
    """The collection, model or subscription named is not there."""

    default_code = "NOT_FOUND"


class RequestTimeout(NeuralCoreError, TimeoutError):
    """No answer came within the deadline. Whether the request was carried out is unknown."""

    default_code = "TIMEOUT"


class AccessDenied(NeuralCoreError, PermissionError):
    """The token is missing or wrong, or the address is not open to clients."""

    default_code = "ACCESS_DENIED"


class ConnectError(NeuralCoreError, ConnectionError):
    """The daemon cannot be reached."""

    default_code = "CONNECTION_LOST"


class ConnectionLost(ConnectError):
    """The connection broke while a request was under way; it is being rebuilt.

    Whether the request was carried out is unknown.
    """


class VersionMismatch(ConnectError):
    """Client and daemon speak different versions of the protocol."""

    default_code = "VERSION_MISMATCH"


class DaemonStartError(ConnectError):
    """The daemon did not start.

    Args:
        command: what was run, [] if it did not come to that.
        log_tail: the last lines of its output.
    """

    default_code = "DAEMON_START_FAILED"

    def __init__(
        self,
        message: str = "",
        *,
        code: str | None = None,
        hint: str = "",
        command: Sequence[str] = (),
        log_tail: str = "",
        **details: Any,
    ) -> None:
        super().__init__(
            message, code=code, hint=hint, command=list(command), log_tail=log_tail, **details
        )
        self.command = list(command)
        self.log_tail = log_tail

    def __str__(self) -> str:
        parts = [super().__str__()]
        if self.command:
            parts.append("Command: " + " ".join(self.command))
        if self.log_tail:
            parts.append("Last output:\n" + self.log_tail)
        return "\n".join(parts)


class QueueFull(NeuralCoreError, RuntimeError):
    """A channel, or the client's own buffer, is full: slow down."""

    default_code = "QUEUE_FULL"


class LimitExceeded(NeuralCoreError, RuntimeError):
    """More subscriptions, calls or connections than the daemon allows."""

    default_code = "LIMIT_EXCEEDED"


class Unavailable(NeuralCoreError, RuntimeError):
    """Not now: the part is loading or overloaded, or no node has it."""

    default_code = "UNAVAILABLE"

    @property
    def retry_after(self) -> float | None:
        """Seconds after which to try again, if the daemon said."""
        value = self.details.get("retry_after")
        return float(value) if isinstance(value, (int, float)) else None


class ProtocolError(NeuralCoreError, RuntimeError):
    """Bytes that are not a frame of this protocol."""

    default_code = "MALFORMED_FRAME"


class InternalError(NeuralCoreError, RuntimeError):
    """A defect of the daemon; its log has the details."""

    default_code = "INTERNAL"


class StorageError(NeuralCoreError, OSError):
    """The disk is full or failed, or what is on it is damaged; the message names the place."""

    default_code = "STORAGE_FAILED"


class NotSupported(NeuralCoreError, NotImplementedError):
    """The fallback, or this version or platform, cannot do it."""

    default_code = "NOT_SUPPORTED"


# (number, class) of each code; golden/error-codes.json holds the same table.
CODES: dict[str, tuple[int, type[NeuralCoreError]]] = {
    "INVALID_REQUEST": (1, InvalidRequest),
    "NOT_FOUND": (2, NotFound),
    "UNKNOWN_ADDRESS": (3, Unavailable),
    "ACCESS_DENIED": (4, AccessDenied),
    "UNAUTHENTICATED": (5, AccessDenied),
    "FRAME_TOO_LARGE": (6, InvalidRequest),
    "MALFORMED_FRAME": (7, ProtocolError),
    "UNKNOWN_FRAME_TYPE": (8, ProtocolError),
    "LIMIT_EXCEEDED": (9, LimitExceeded),
    "SLOW_CONSUMER": (10, ConnectionLost),
    "TIMEOUT": (11, RequestTimeout),
    "UNAVAILABLE": (12, Unavailable),
    "QUEUE_FULL": (13, QueueFull),
    "EXPIRED": (14, RequestTimeout),
    "DIMENSION_MISMATCH": (15, InvalidRequest),
    "NOT_FINITE": (16, InvalidRequest),
    "MODEL_NOT_FOUND": (17, NotFound),
    "MODEL_NOT_READY": (18, Unavailable),
    "VERSION_MISMATCH": (19, VersionMismatch),
    "ALREADY_EXISTS": (20, InvalidRequest),
    "CONFIG_INVALID": (21, InvalidRequest),
    "DATA_FOLDER_LOCKED": (22, DaemonStartError),
    "PORT_IN_USE": (23, DaemonStartError),
    "INTERNAL": (24, InternalError),
    "SHUTTING_DOWN": (25, ConnectionLost),
    "DAEMON_START_FAILED": (26, DaemonStartError),
    "CONNECTION_LOST": (27, ConnectionLost),
    "NOT_SUPPORTED": (28, NotSupported),
    "STORAGE_FULL": (29, StorageError),
    "STORAGE_FAILED": (30, StorageError),
    "DATA_DAMAGED": (31, StorageError),
    "DUPLICATE": (32, InvalidRequest),
    "RATE_LIMITED": (33, QueueFull),
    "NO_RELAY": (34, NotFound),
    "RELAY_FAILED": (35, Unavailable),
    "RELAY_PENDING": (36, RequestTimeout),
    "RELAY_TIMEOUT": (37, RequestTimeout),
    "SCHEMA_INVALID": (38, InvalidRequest),
    "SCHEMA_INCOMPATIBLE": (39, InvalidRequest),
}
CODE_OF_NUMBER: dict[int, str] = {number: code for code, (number, _) in CODES.items()}


def error_for(code: str | int, message: str, **details: Any) -> NeuralCoreError:
    """The error of this code, ready to be raised.

    Args:
        code: name or number of the protocol's table. One that this version does not know becomes
            an :class:`InternalError` which keeps it as ``code``.
        message: as the daemon worded it.
        details: the other fields of the failure; ``hint`` is taken from them.
    """
    name = CODE_OF_NUMBER.get(code, str(code)) if isinstance(code, int) else code
    _, cls = CODES.get(name, (0, InternalError))
    hint = str(details.pop("hint", ""))
    return cls(message, code=name, hint=hint, **{str(k): v for k, v in details.items()})


def _rebuild(
    cls: type[NeuralCoreError], message: str, code: str, hint: str, details: dict[str, Any]
) -> NeuralCoreError:
    return cls(message, code=code, hint=hint, **details)
