"""Deliver frames to messages at speed, without the step that ``_wire.decode_deliver`` takes."""

from __future__ import annotations

import struct

from neuralcore._bus.message import Message
from neuralcore._wire.messages import DELIVERY, DELIVERY_HEAD
from neuralcore._wire.names import decode_names
from neuralcore.errors import ProtocolError

Run = tuple[int, list[Message]]
"""Neighbouring deliveries to one subscription, and its number."""


def read_deliveries(frame: bytes) -> list[Run]:
    """The messages of a deliver frame, in its order.

    :raises ProtocolError: if its lengths do not fit.
    """
    try:
        return _read(frame)
    except (struct.error, IndexError, UnicodeDecodeError) as error:
        raise ProtocolError(f"A deliver frame is malformed: {error}.") from error


def _read(frame: bytes) -> list[Run]:
    _, _, _, _, names, _, count = DELIVERY_HEAD.unpack_from(frame)
    channels, at = decode_names(frame, DELIVERY_HEAD.size, names)
    body = at + DELIVERY.size * count
    runs: list[Run] = []
    last = -1
    for (
        subscription,
        attempt,
        flags,
        publisher,
        number,
        sequence,
        timestamp_ns,
        priority,
        payload_length,
        meta_length,
        _,
        channel,
        payload_type,
        meta_type,
        namespace_sequence,
    ) in DELIVERY.iter_unpack(frame[at:body]):
        if subscription != last:
            last = subscription
            messages: list[Message] = []
            runs.append((subscription, messages))
            add = messages.append
        meta = body + payload_length
        end = meta + meta_length
        add(
            Message(
                channels[channel],
                priority,
                timestamp_ns,
                sequence,
                namespace_sequence,
                attempt,
                flags,
                publisher,
                number,
                payload_type,
                frame[body:meta],
                meta_type,
                frame[meta:end],
            )
        )
        body = end
    if body != len(frame):
        raise ProtocolError(f"A deliver frame of {len(frame)} bytes ends at {body}.")
    return runs
