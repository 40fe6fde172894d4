"""What a frame says, as plain tuples."""

from __future__ import annotations

from typing import Any, NamedTuple, TypeAlias

Buffer: TypeAlias = bytes | bytearray | memoryview
Payload: TypeAlias = bytes | bytearray
# What can be attached to a call: an array, opaque bytes, or a list of strings.
Tensor: TypeAlias = Any

MAX_TEXT = 1 << 20
MAX_BINARY = 16 << 20

# The priority of a message that leaves it to its channel.
DEFAULT_PRIORITY = -(1 << 63)

NO_CONTENT, JSON_CONTENT, MSGPACK_CONTENT, BYTES_CONTENT = range(4)


class Text(NamedTuple):
    """A JSON frame of the Vert.x event-bus bridge protocol."""

    json: dict[str, Any]


class Call(NamedTuple):
    correlation: int
    address: str
    timeout_ms: int
    params: dict[str, Any]
    tensors: list[Tensor]


class Answer(NamedTuple):
    correlation: int
    result: dict[str, Any]
    tensors: list[Tensor]


class Failure(NamedTuple):
    """A failed call; with correlation 0, a failure of the connection."""

    correlation: int
    error: dict[str, Any]


class Outgoing(NamedTuple):
    """A message to be published. A plain tuple in this order will do."""

    channel: str
    sequence: int
    timestamp_ns: int
    priority: int
    ttl_ms: int
    payload_type: int
    payload: bytes
    meta_type: int
    meta: bytes


class Publish(NamedTuple):
    batch: int
    confirm: bool
    namespace: str
    publisher: int
    messages: list[Outgoing]


class Rejection(NamedTuple):
    sequence: int
    error: int


class Published(NamedTuple):
    batch: int
    accepted: int
    rejections: list[Rejection]


class Delivered(NamedTuple):
    """A message for one of this connection's subscriptions."""

    subscription: int
    attempt: int
    publisher: int
    sequence: int
    channel_sequence: int
    timestamp_ns: int
    priority: int
    ttl_ms: int
    channel: str
    payload_type: int
    payload: bytes
    meta_type: int
    meta: bytes


class Deliver(NamedTuple):
    deliveries: list[Delivered]


class Credit(NamedTuple):
    """``grants``: (subscription, messages) pairs."""

    grants: list[tuple[int, int]]


Frame: TypeAlias = Text | Call | Answer | Failure | Publish | Published | Deliver | Credit


def message_id(publisher: int, sequence: int) -> str:
    """A message's id, as the daemon forms it."""
    return f"{publisher:016x}{sequence:016x}"
