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

# When a publish is confirmed even if nothing is rejected.
NO_CONFIRM, CONFIRM_ACCEPTED, CONFIRM_DURABLE, CONFIRM_RELAYED = 0, 1, 2, 8

# What became of a delivery.
ACK, NACK, TERM, EXTEND = range(4)
# As a settlement's delay: the subscription's own back-off decides.
BY_BACKOFF = 0xFFFFFFFF


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
    confirm: int
    namespace: str
    publisher: int
    messages: list[Outgoing]
    delays_ms: list[int]


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
    number: int = 0  # in its namespace; settlements name it
    replayed: bool = False


class Deliver(NamedTuple):
    deliveries: list[Delivered]


class Credit(NamedTuple):
    """``grants``: (subscription, messages) pairs."""

    grants: list[tuple[int, int]]


class Settlement(NamedTuple):
    """What became of one delivery. A plain tuple in this order will do."""

    subscription: int
    kind: int
    number: int
    delay_ms: int
    reason: bytes  # a JSON object for the dead letter, or nothing


AnySettlement = tuple[int, int, int, int, bytes]
"""A :class:`Settlement`, or a plain tuple in its order, which is made in a tenth of the time."""


class Settle(NamedTuple):
    correlation: int
    confirm: bool
    settlements: list[Settlement]


class Settled(NamedTuple):
    correlation: int
    settled: int
    unknown: int


class Flow(NamedTuple):
    """How much fits into channels this connection published to: ``rooms`` by channel, 0 = full."""

    namespace: str
    rooms: dict[str, int]


Frame: TypeAlias = (
    Text
    | Call
    | Answer
    | Failure
    | Publish
    | Published
    | Deliver
    | Credit
    | Settle
    | Settled
    | Flow
)


def message_id(publisher: int, sequence: int) -> str:
    """A message's id, as the daemon forms it."""
    return f"{publisher:016x}{sequence:016x}"
