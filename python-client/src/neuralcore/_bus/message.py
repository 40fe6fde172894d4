"""Messages, as handlers see them."""

from __future__ import annotations

import enum
import struct
from collections.abc import Callable, Generator, Mapping
from typing import TYPE_CHECKING, Any, cast

import msgspec

from neuralcore._bus import payload as _payload
from neuralcore._bus.native import fast
from neuralcore._wire import message_id

if TYPE_CHECKING:
    from neuralcore._bus.subscription import Subscription


_UNREAD = msgspec.UNSET
_MSGPACK = _payload.MSGPACK
_decode_msgpack = _payload.decode_msgpack
_REPLAYED = 1 << 16  # a flag, where the number of attempts ends

ABOUT = struct.Struct("<QQQq")
"""What is seldom read of a delivery stays packed: publisher, its number for the message, the
channel's number for it, timestamp."""


class Priority(enum.IntEnum):
    """Names for common priorities. Lower is sooner; any integer of 64 bits is a priority."""

    CRITICAL = 0
    HIGH = 2
    NORMAL = 5
    LOW = 8
    BACKGROUND = 10


class MessageId(str):
    """A message's id: 32 hexadecimal digits, known at once. Awaiting it gives it, at once too."""

    __slots__ = ()

    def __await__(self) -> Generator[Any, None, MessageId]:
        yield from ()
        return self


if fast is not None and not TYPE_CHECKING:
    MessageId = fast.MessageId


class MessageMeta:
    """What is said about a message beside its payload.

    :ivar trace_id: of the distributed trace it belongs to, or None; that of the ``traceparent`` if
        nothing else was said.
    :ivar correlation_id: what it answers, or belongs to, or None.
    :ivar source: who published it, as the publisher says, or None.
    :ivar reply_to: the channel where an answer is expected, or None.
    :ivar traceparent: the W3C trace context it was published in, or None.
    :ivar custom: anything else, a dict.
    """

    __slots__ = (
        "correlation_id",
        "custom",
        "error",
        "reply_to",
        "source",
        "trace_id",
        "traceparent",
    )

    _NAMED = ("trace_id", "correlation_id", "source", "reply_to", "traceparent", "error")

    def __init__(
        self,
        trace_id: str | None = None,
        correlation_id: str | None = None,
        source: str | None = None,
        reply_to: str | None = None,
        custom: Mapping[str, Any] | None = None,
        error: Mapping[str, Any] | None = None,
        traceparent: str | None = None,
    ) -> None:
        self.trace_id = trace_id
        self.correlation_id = correlation_id
        self.source = source
        self.reply_to = reply_to
        self.traceparent = traceparent
        self.custom = dict(custom) if custom else {}
        self.error = error

    def to_dict(self) -> dict[str, Any]:
        """The fields that are set."""
        fields = {name: getattr(self, name) for name in self._NAMED}
        fields["custom"] = self.custom
        return {name: value for name, value in fields.items() if value}

    @classmethod
    def from_dict(cls, fields: Any) -> MessageMeta:
        """Reads what any client sent: names of other clients go into ``custom``."""
        if not isinstance(fields, dict):
            return cls(custom={"meta": fields} if fields is not None else None)
        known = {name: fields[name] for name in cls._NAMED if name in fields}
        parent = known.get("traceparent")
        if "trace_id" not in known and isinstance(parent, str) and len(parent) == 55:
            known["trace_id"] = parent[3:35]
        custom = fields.get("custom")
        others = {k: v for k, v in fields.items() if k not in cls._NAMED and k != "custom"}
        return cls(**known, custom={**others, **custom} if isinstance(custom, dict) else others)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, MessageMeta) and self.to_dict() == other.to_dict()

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        fields = ", ".join(f"{k}={v!r}" for k, v in self.to_dict().items())
        return f"MessageMeta({fields})"


def _read_once(getter: Callable[[Any], Any]) -> property:
    """The property ``payload``, which in C does by itself what is usual."""
    if fast is None:
        return property(getter)
    return cast(property, fast.Payload(getter, _decode_msgpack))


class _Readable:
    """What there is to the fields of a message. Of a delivery only what every handler's turn needs
    is taken apart when it arrives; the rest is worked out when it is first read."""

    if not TYPE_CHECKING:  # where the names below are declared, and no slots
        __slots__ = ()

    channel: str
    priority: int
    namespace_sequence: int
    _attempt: int  # and flags, from bit 16
    _about: bytes  # packed as ``ABOUT`` says
    _types: int  # of the payload, and from bit 8 of the meta
    _payload_bytes: bytes
    _meta_bytes: bytes
    _subscription: Subscription | None
    _payload: Any
    _meta: MessageMeta | None
    _settled: bool

    @staticmethod
    def of(
        channel: str,
        payload: Any = None,
        priority: int = Priority.NORMAL,
        *,
        id: str = "0" * 32,
        timestamp_ns: int = 0,
        meta: MessageMeta | None = None,
        sequence: int = 0,
        attempt: int = 1,
    ) -> Message:
        """A message that was never sent, for the tests of a handler."""
        number = int(id, 16)
        return Message(
            channel,
            priority,
            sequence,
            attempt,
            ABOUT.pack(number >> 64, number & 0xFFFFFFFFFFFFFFFF, sequence, timestamp_ns),
            _payload.NONE,
            b"",
            _payload=payload,
            _meta=meta or MessageMeta(),
        )

    @property
    def id(self) -> str:
        """32 hexadecimal digits, what ``publish`` returned."""
        publisher, number, _, _ = ABOUT.unpack(self._about)
        return message_id(publisher, number)

    @property
    def timestamp_ns(self) -> int:
        """When it was published, nanoseconds since 1970 by the publisher's clock."""
        timestamp: int = ABOUT.unpack(self._about)[3]
        return timestamp

    @property
    def sequence(self) -> int:
        """Its number in its channel, from 1 without gaps."""
        sequence: int = ABOUT.unpack(self._about)[2]
        return sequence

    @property
    def attempt(self) -> int:
        """1 for the first delivery."""
        return self._attempt & 0xFFFF

    @_read_once
    def payload(self) -> Any:
        """What was published, as :mod:`neuralcore.messaging` says it arrives."""
        value = self._payload
        if value is _UNREAD:
            if self._types == _MSGPACK:  # and no meta
                value = _decode_msgpack(self._payload_bytes)
            else:
                value = _payload.decode(self._types & 0xFF, self._payload_bytes)
            self._payload = value
        return value

    @property
    def meta(self) -> MessageMeta:
        """What was said about it."""
        meta = self._meta
        if meta is None:
            meta = self._meta = MessageMeta.from_dict(self._said())
        return meta

    def _said(self) -> Any:
        """The meta as it was sent, a dict by rights; None if there is none."""
        return _payload.decode(self._types >> 8, self._meta_bytes)

    @property
    def says_nothing(self) -> bool:
        """Whether there is nothing to it but its payload: no meta, and it is no replay."""
        return self._types <= 0xFF and self._attempt <= 0xFFFF

    @property
    def replayed(self) -> bool:
        """Whether it was read back from the log."""
        return bool(self._attempt & _REPLAYED)

    @property
    def expects_reply(self) -> bool:
        """Whether it is a request. Costs no decoding where there is no meta."""
        if self._types <= 0xFF and self._meta is None:
            return False
        return self.meta.reply_to is not None

    @property
    def trace_id(self) -> str | None:
        return self.meta.trace_id

    @property
    def correlation_id(self) -> str | None:
        return self.meta.correlation_id

    @property
    def source(self) -> str | None:
        return self.meta.source

    # Of subscriptions with ack="manual" or "auto"

    def ack(self) -> None:
        """Done: it will not come again."""
        if self._subscription is None or not self._subscription.acknowledges:
            raise _not_acknowledged(self)
        self._subscription.ack(cast(Message, self))

    def nack(self, delay: float | None = None, reason: Any = None) -> None:
        """Not done: it comes again after ``delay`` seconds, or after the subscription's back-off.

        :param reason: an exception or a text, kept with the dead letter if it ends there.
        """
        self._settle("nack", delay, reason)

    def term(self, reason: Any = None) -> None:
        """Never: it goes to the dead letters now."""
        self._settle("term", None, reason)

    def extend(self, seconds: float) -> None:
        """More time is needed: the lease ends so many seconds from now."""
        if self._subscription is None or not self._subscription.acknowledges:
            raise _not_acknowledged(self)
        self._subscription.settle(cast(Message, self), "extend", seconds, None)

    def _settle(self, kind: str, delay: float | None = None, reason: Any = None) -> None:
        subscription = self._subscription
        if subscription is None or not subscription.acknowledges:
            raise _not_acknowledged(self)
        if not self._settled:
            self._settled = True
            subscription.settle(cast(Message, self), kind, delay, reason)

    def to_dict(self) -> dict[str, Any]:
        """Everything it says, as plain values."""
        return {
            "id": self.id,
            "channel": self.channel,
            "payload": self.payload,
            "priority": self.priority,
            "timestamp_ns": self.timestamp_ns,
            "meta": self.meta.to_dict(),
        }

    def __repr__(self) -> str:
        return (
            f"Message(id={self.id!r}, channel={self.channel!r}, priority={self.priority}, "
            f"payload={self.payload!r})"
        )


_FIELDS = (
    *("channel", "priority", "namespace_sequence", "_attempt", "_about", "_types"),
    *("_payload_bytes", "_meta_bytes", "_subscription", "_payload", "_meta", "_settled"),
)

if fast is None or TYPE_CHECKING:

    class Message(_Readable, msgspec.Struct, gc=False, eq=False):
        """One message of a channel. To be read; changing it changes nothing for anybody else.

        A ``Struct``, because the interpreter makes one in a third of the time of any other object
        with fields.

        :ivar channel: name.
        :ivar priority: lower is sooner.
        :ivar namespace_sequence: its number among all messages of its namespace, growing.
        """

        channel: str
        priority: int
        namespace_sequence: int
        _attempt: int
        _about: bytes
        _types: int
        _payload_bytes: bytes
        _meta_bytes: bytes = b""
        _subscription: Subscription | None = None
        _payload: Any = _UNREAD
        _meta: MessageMeta | None = None
        _settled: bool = False

else:

    class Message(_Readable, fast.Delivery):
        """One message of a channel. To be read; changing it changes nothing for anybody else."""

        __slots__ = ()

        def __reduce__(self) -> tuple[Any, ...]:
            return type(self), tuple(getattr(self, name) for name in _FIELDS)


def _not_acknowledged(message: _Readable) -> Exception:
    from neuralcore.errors import InvalidRequest

    return InvalidRequest(
        f"Message {message.id} came without acknowledgement; subscribe with ack='auto' or 'manual'."
    )
