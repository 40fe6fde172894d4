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
from neuralcore._wire.frames import (
    BYTES_CONTENT,
    DEFAULT_PRIORITY,
    JSON_CONTENT,
    MAX_BINARY,
    MAX_TEXT,
    MSGPACK_CONTENT,
    NO_CONTENT,
    Answer,
    Buffer,
    Call,
    Credit,
    Deliver,
    Delivered,
    Failure,
    Frame,
    Outgoing,
    Payload,
    Publish,
    Published,
    Rejection,
    Tensor,
    Text,
    message_id,
)
from neuralcore._wire.messages import (
    CREDIT,
    DELIVER,
    PUBLISH,
    PUBLISHED,
    decode_credit,
    decode_deliver,
    decode_publish,
    decode_published,
    encode_credit,
    encode_deliver,
    encode_publish,
    encode_published,
)
from neuralcore._wire.reader import JSON_OPEN, FrameReader, check_length
from neuralcore._wire.text import encode_text, json_bytes, json_object
from neuralcore.errors import NeuralCoreError, ProtocolError

__all__ = [
    "BYTES_CONTENT",
    "DEFAULT_PRIORITY",
    "JSON_CONTENT",
    "MAX_BINARY",
    "MAX_TEXT",
    "MSGPACK_CONTENT",
    "NO_CONTENT",
    "Answer",
    "Buffer",
    "Call",
    "Credit",
    "Deliver",
    "Delivered",
    "Failure",
    "Frame",
    "FrameReader",
    "Outgoing",
    "Payload",
    "Publish",
    "Published",
    "Rejection",
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
    "encode_publish",
    "encode_published",
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
        if kind == JSON_OPEN:
            return Text(json_object(payload))
        if kind in (CALL, ANSWER, FAILURE):
            return decode_message(kind, payload)
        if kind == DELIVER:
            return Deliver(decode_deliver(bytes(payload)))
        if kind == PUBLISHED:
            return decode_published(bytes(payload))
        if kind == PUBLISH:
            return decode_publish(bytes(payload))
        if kind == CREDIT:
            return decode_credit(bytes(payload))
    except NeuralCoreError:
        raise
    except (struct.error, ValueError, IndexError, RecursionError) as e:
        raise ProtocolError(f"A frame of kind 0x{kind:02x} is malformed: {e}.") from e
    raise ProtocolError(f"A frame of kind 0x{kind:02x} is not known.", code="UNKNOWN_FRAME_TYPE")
