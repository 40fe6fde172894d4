"""Messages, as handlers see them."""

from __future__ import annotations

import enum
from collections.abc import Generator, Mapping
from typing import Any

from neuralcore._bus import payload as _payload
from neuralcore._wire import Delivered, message_id


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

    def __await__(self) -> Generator[None, None, MessageId]:
        yield from ()
        return self


class MessageMeta:
    """What is said about a message beside its payload.

    :ivar trace_id: of the distributed trace it belongs to, or None.
    :ivar correlation_id: what it answers, or belongs to, or None.
    :ivar source: who published it, as the publisher says, or None.
    :ivar reply_to: the channel where an answer is expected, or None.
    :ivar custom: anything else, a dict.
    """

    __slots__ = ("correlation_id", "custom", "error", "reply_to", "source", "trace_id")

    _NAMED = ("trace_id", "correlation_id", "source", "reply_to", "error")

    def __init__(
        self,
        trace_id: str | None = None,
        correlation_id: str | None = None,
        source: str | None = None,
        reply_to: str | None = None,
        custom: Mapping[str, Any] | None = None,
        error: Mapping[str, Any] | None = None,
    ) -> None:
        self.trace_id = trace_id
        self.correlation_id = correlation_id
        self.source = source
        self.reply_to = reply_to
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
        custom = fields.get("custom")
        others = {k: v for k, v in fields.items() if k not in cls._NAMED and k != "custom"}
        return cls(**known, custom={**others, **custom} if isinstance(custom, dict) else others)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, MessageMeta) and self.to_dict() == other.to_dict()

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        fields = ", ".join(f"{k}={v!r}" for k, v in self.to_dict().items())
        return f"MessageMeta({fields})"


class Message:
    """One message of a channel. To be read; changing it changes nothing for anybody else.

    :ivar id: 32 hexadecimal digits, what ``publish`` returned.
    :ivar channel: name.
    :ivar priority: lower is sooner.
    :ivar timestamp_ns: when it was published, nanoseconds since 1970 by the publisher's clock.
    :ivar sequence: its number in its channel, from 1 without gaps.
    :ivar attempt: 1 for the first delivery.

    ``payload`` and ``meta`` are decoded when they are first read.
    """

    __slots__ = (
        "_meta",
        "_meta_bytes",
        "_meta_type",
        "_payload",
        "_payload_bytes",
        "_payload_type",
        "attempt",
        "channel",
        "id",
        "priority",
        "sequence",
        "timestamp_ns",
    )

    def __init__(
        self,
        channel: str,
        payload: Any = None,
        priority: int = Priority.NORMAL,
        *,
        id: str = "",
        timestamp_ns: int = 0,
        meta: MessageMeta | None = None,
        sequence: int = 0,
        attempt: int = 1,
    ) -> None:
        self.id = id
        self.channel = channel
        self.priority = priority
        self.timestamp_ns = timestamp_ns
        self.sequence = sequence
        self.attempt = attempt
        self._payload = payload
        self._payload_bytes: bytes | None = None
        self._payload_type = _payload.NONE
        self._meta: MessageMeta | None = meta or MessageMeta()
        self._meta_bytes = b""
        self._meta_type = _payload.NONE

    @classmethod
    def received(cls, delivered: Delivered) -> Message:
        """A message as it came from the wire, still encoded."""
        self = cls.__new__(cls)
        self.id = message_id(delivered.publisher, delivered.sequence)
        self.channel = delivered.channel
        self.priority = delivered.priority
        self.timestamp_ns = delivered.timestamp_ns
        self.sequence = delivered.channel_sequence
        self.attempt = delivered.attempt
        self._payload = None
        self._payload_bytes = delivered.payload
        self._payload_type = delivered.payload_type
        self._meta = None
        self._meta_bytes = delivered.meta
        self._meta_type = delivered.meta_type
        return self

    @property
    def payload(self) -> Any:
        """What was published, as :mod:`neuralcore.messaging` says it arrives."""
        if self._payload_bytes is not None:
            self._payload = _payload.decode(self._payload_type, self._payload_bytes)
            self._payload_bytes = None
        return self._payload

    @property
    def meta(self) -> MessageMeta:
        if self._meta is None:
            self._meta = MessageMeta.from_dict(_payload.decode(self._meta_type, self._meta_bytes))
        return self._meta

    @property
    def expects_reply(self) -> bool:
        """Whether it is a request. Costs no decoding where there is no meta."""
        if self._meta is None and self._meta_type == _payload.NONE:
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

    def __repr__(self) -> str:
        return (
            f"Message(id={self.id!r}, channel={self.channel!r}, priority={self.priority}, "
            f"payload={self.payload!r})"
        )
