"""Frames to bytes and back; ``docs/protocol.md`` draws them. No I/O, no state but FrameReader's.

All of it runs without NumPy until an array is met. Functions are thread-safe; a ``FrameReader``
belongs to one connection.

The ``struct`` formats name every field in order, so the offsets of the document need no constants
here.
"""

from __future__ import annotations

import struct

from neuralcore._wire.calls import (
    ANSWER,
    CALL,
    FAILURE,
    decode_message,
    encode_answer,
    encode_call,
    encode_failure,
    size_of,
)
from neuralcore._wire.control import (
    CREDIT,
    FLOW,
    PUBLISHED,
    SETTLE,
    SETTLED,
    decode_credit,
    decode_flow,
    decode_published,
    decode_settle,
    decode_settled,
    encode_credit,
    encode_flow,
    encode_published,
    encode_settle,
    encode_settled,
)
from neuralcore._wire.frames import (
    ACK,
    BY_BACKOFF,
    BYTES_CONTENT,
    CONFIRM_ACCEPTED,
    CONFIRM_DURABLE,
    CONFIRM_RELAYED,
    DEFAULT_PRIORITY,
    EXTEND,
    JSON_CONTENT,
    MAX_BINARY,
    MAX_TEXT,
    MSGPACK_CONTENT,
    NACK,
    NO_CONFIRM,
    NO_CONTENT,
    TERM,
    Answer,
    AnySettlement,
    Buffer,
    Call,
    Credit,
    Deliver,
    Delivered,
    Failure,
    Flow,
    Frame,
    Outgoing,
    Payload,
    Publish,
    Published,
    Rejection,
    Settle,
    Settled,
    Settlement,
    Tensor,
    Text,
    message_id,
)
from neuralcore._wire.messages import (
    DELIVER,
    PUBLISH,
    decode_deliver,
    decode_publish,
    encode_deliver,
    encode_publish,
)
from neuralcore._wire.reader import JSON_OPEN, FrameReader, check_length
from neuralcore._wire.text import encode_text, json_bytes, json_object
from neuralcore.errors import NeuralCoreError, ProtocolError

__all__ = [
    "ACK",
    "BYTES_CONTENT",
    "BY_BACKOFF",
    "CONFIRM_ACCEPTED",
    "CONFIRM_DURABLE",
    "CONFIRM_RELAYED",
    "DEFAULT_PRIORITY",
    "DELIVER",
    "EXTEND",
    "JSON_CONTENT",
    "MAX_BINARY",
    "MAX_TEXT",
    "MSGPACK_CONTENT",
    "NACK",
    "NO_CONFIRM",
    "NO_CONTENT",
    "TERM",
    "Answer",
    "AnySettlement",
    "Buffer",
    "Call",
    "Credit",
    "Deliver",
    "Delivered",
    "Failure",
    "Flow",
    "Frame",
    "FrameReader",
    "Outgoing",
    "Payload",
    "Publish",
    "Published",
    "Rejection",
    "Settle",
    "Settled",
    "Settlement",
    "Tensor",
    "Text",
    "check_length",
    "decode",
    "decode_deliver",
    "encode_answer",
    "encode_call",
    "encode_credit",
    "encode_deliver",
    "encode_failure",
    "encode_flow",
    "encode_publish",
    "encode_published",
    "encode_settle",
    "encode_settled",
    "encode_text",
    "json_bytes",
    "message_id",
    "size_of",
]


def decode(payload: Payload | memoryview) -> Frame:
    """The frame in this payload (the bytes after the length word).

    Arrays are views of ``payload`` where it is a bytearray, and can be written to.

    Raises:
        ProtocolError: with the code MALFORMED_FRAME or UNKNOWN_FRAME_TYPE.
    """
    if not payload:
        raise ProtocolError("The frame is empty.")
    kind = payload[0]
    try:
        if kind == PUBLISHED:
            return decode_published(bytes(payload))
        if kind == JSON_OPEN:
            return Text(json_object(payload))
        if kind in (CALL, ANSWER, FAILURE):
            return decode_message(kind, payload)
        if kind == DELIVER:
            return Deliver(decode_deliver(bytes(payload)))
        if kind == PUBLISH:
            return decode_publish(bytes(payload))
        if kind == CREDIT:
            return decode_credit(bytes(payload))
        if kind == SETTLE:
            return decode_settle(bytes(payload))
        if kind == SETTLED:
            return decode_settled(bytes(payload))
        if kind == FLOW:
            return decode_flow(bytes(payload))
    except NeuralCoreError:
        raise
    except (struct.error, ValueError, IndexError, RecursionError) as e:
        raise ProtocolError(f"A frame of kind 0x{kind:02x} is malformed: {e}.") from e
    raise ProtocolError(f"A frame of kind 0x{kind:02x} is not known.", code="UNKNOWN_FRAME_TYPE")
