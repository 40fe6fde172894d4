"""Deliver frames to messages at speed, without the step that ``_wire.decode_deliver`` takes."""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping

from neuralcore._bus.message import Message
from neuralcore._bus.native import fast
from neuralcore._wire.messages import DELIVERY_HEAD
from neuralcore._wire.names import decode_names
from neuralcore.errors import ProtocolError

# A delivery as ``_wire`` has it, with neighbouring fields taken together and the time to live left
# out: each value less that is made of it is some nanoseconds of a third of a microsecond.
_ENTRY = struct.Struct("<II32sqII4xHHQ")

Run = tuple[int, list[Message]]
"""Neighbouring deliveries to one subscription, and its number."""


def read_deliveries(
    frame: bytes, receivers: Mapping[int, Callable[..., object]]
) -> tuple[list[Run], list[Callable[[], None]]]:
    """The messages of a deliver frame, in its order, and what is to be called before they are
    handed over.

    In C, messages whose receiver is an inbox lie in it already.

    :param receivers: by the number of their subscription.

    :raises ProtocolError: if its lengths do not fit.
    """
    try:
        return _read(frame, receivers)
    except (struct.error, IndexError, ValueError) as error:
        raise ProtocolError(f"A deliver frame is malformed: {error}.") from error


def _read(
    frame: bytes, receivers: Mapping[int, Callable[..., object]]
) -> tuple[list[Run], list[Callable[[], None]]]:
    _, _, _, _, names, _, count = DELIVERY_HEAD.unpack_from(frame)
    channels, at = decode_names(frame, DELIVERY_HEAD.size, names)
    if fast is not None:
        read: tuple[list[Run], list[Callable[[], None]]]
        read = fast.read_entries(frame, at, count, channels, Message, receivers)
        return read
    runs, end = _read_entries(frame, at, count, channels)
    if end != len(frame):
        raise ProtocolError(f"A deliver frame of {len(frame)} bytes ends at {end}.")
    return runs, []


def _read_entries(frame: bytes, at: int, count: int, channels: list[str]) -> tuple[list[Run], int]:
    """The runs, and where the last body ends; ``fast.read_entries`` does the same."""
    body = at + _ENTRY.size * count
    runs: list[Run] = []
    last = -1
    for (
        subscription,
        attempt,
        about,
        priority,
        payload_length,
        meta_length,
        channel,
        types,
        namespace_sequence,
    ) in _ENTRY.iter_unpack(frame[at:body]):
        if subscription != last:
            last = subscription
            messages: list[Message] = []
            runs.append((subscription, messages))
            add = messages.append
        end = body + payload_length
        payload = frame[body:end]
        body = end + meta_length
        if meta_length:
            meta = frame[end:body]
            add(
                Message(
                    channels[channel],
                    priority,
                    namespace_sequence,
                    attempt,
                    about,
                    types,
                    payload,
                    meta,
                )
            )
        else:
            add(
                Message(
                    channels[channel], priority, namespace_sequence, attempt, about, types, payload
                )
            )
    return runs, body
