"""Batches of messages: publishes and deliveries."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence

from neuralcore._wire.frames import Delivered, Outgoing, Publish
from neuralcore._wire.names import U16, ZEROS, check_end, decode_names
from neuralcore._wire.reader import LENGTH
from neuralcore.errors import InvalidRequest

PUBLISH, DELIVER = 0x10, 0x12

_DELAYS = 4  # a publish frame's flag: its entries have a delay
_REPLAYED = 1
_PUBLISH_HEAD = struct.Struct("<BBHIHHIQ")  # header; namespace, channels, messages, publisher
_PUBLISH_ENTRY = struct.Struct("<QqqIIIHBB")
_DELAY = struct.Struct("<Q")
DELIVERY_HEAD = struct.Struct("<BBHIHHI")  # header; channels, zero, deliveries
DELIVERY = struct.Struct("<IHHQQQqqIIIHBBQ")


def encode_publish(
    batch: int,
    confirm: int,
    namespace: str,
    publisher: int,
    messages: Iterable[tuple[str, int, int, int, int, int, bytes, int, bytes]],
    delays_ms: Sequence[int] | None = None,
) -> bytes:
    """A batch of messages with its length word.

    Args:
        batch: u32, repeated by the daemon in its ``Published``.
        confirm: ask for ``Published`` even if nothing is rejected: CONFIRM_ACCEPTED once all are
            queued, CONFIRM_DURABLE once those for persistent channels are committed,
            CONFIRM_RELAYED once brokers have them.
        publisher: u64, the connection's.
        messages: :class:`Outgoing` or plain tuples in its order.
        delays_ms: how long after its arrival each may be delivered at the earliest, one a
            message; None for at once.

    Raises:
        InvalidRequest: a number out of range (priority: 64 bits; ttl_ms: 32 bits).
    """
    indexes: dict[str, int] = {}
    names: list[bytes] = []
    entries: list[bytes] = []
    bodies: list[bytes] = []
    add_entry, add_body, index_of, pack = (
        entries.append,
        bodies.append,
        indexes.get,
        _PUBLISH_ENTRY.pack,
    )
    try:
        for channel, sequence, time, priority, ttl, type_, payload, meta_type, meta in messages:
            index = index_of(channel)
            if index is None:
                index = indexes[channel] = len(indexes)
                name = channel.encode()
                names += (U16.pack(len(name)), name)
            add_entry(
                pack(
                    sequence, time, priority, len(payload), len(meta), ttl, index, type_, meta_type
                )
            )
            add_body(payload)
            if meta:
                add_body(meta)
        if delays_ms is not None:
            entries = [
                entry + _DELAY.pack(delay) for entry, delay in zip(entries, delays_ms, strict=True)
            ]
        space = namespace.encode()
        head = _PUBLISH_HEAD.pack(
            PUBLISH,
            confirm | (_DELAYS if delays_ms is not None else 0),
            0,
            batch,
            len(space),
            len(indexes),
            len(entries),
            publisher,
        )
    except struct.error as e:
        raise InvalidRequest(f"A message's number is out of range: {e}.") from e
    named = b"".join((head, space, *names))
    payload_ = b"".join((named, ZEROS[: -len(named) % 8], *entries, *bodies))
    return LENGTH.pack(len(payload_)) + payload_


def decode_publish(payload: bytes) -> Publish:
    _, flags, _, batch, space, channels, count, publisher = _PUBLISH_HEAD.unpack_from(payload)
    names, at = decode_names(payload, 24 + space, channels)
    length_of_entry = 48 if flags & _DELAYS else 40
    body = at + length_of_entry * count
    table = payload[at:body]
    delays: list[int] = []
    if flags & _DELAYS:
        delays = [_DELAY.unpack_from(table, i)[0] for i in range(40, len(table), 48)]
        table = b"".join(table[i : i + 40] for i in range(0, len(table), 48))
    messages = []
    for entry in _PUBLISH_ENTRY.iter_unpack(table):
        sequence, time, priority, length, meta_length, ttl, index, type_, meta_type = entry
        meta_at = body + length
        end = meta_at + meta_length
        messages.append(
            Outgoing(
                names[index],
                sequence,
                time,
                priority,
                ttl,
                type_,
                payload[body:meta_at],
                meta_type,
                payload[meta_at:end],
            )
        )
        body = end
    check_end(payload, body, len(messages), count)
    namespace = payload[24 : 24 + space].decode()
    return Publish(batch, flags & ~_DELAYS, namespace, publisher, messages, delays)


def encode_deliver(deliveries: Sequence[Delivered]) -> bytes:
    """What a daemon sends to a subscriber."""
    indexes: dict[str, int] = {}
    entries: list[bytes] = []
    bodies: list[bytes] = []
    for d in deliveries:
        index = indexes.setdefault(d.channel, len(indexes))
        entries.append(
            DELIVERY.pack(
                d.subscription,
                d.attempt,
                _REPLAYED if d.replayed else 0,
                *d[2:7],
                len(d.payload),
                len(d.meta),
                d.ttl_ms,
                index,
                d.payload_type,
                d.meta_type,
                d.number,
            )
        )
        bodies += (d.payload, d.meta)
    head = DELIVERY_HEAD.pack(DELIVER, 0, 0, 0, len(indexes), 0, len(entries))
    names = (part for n in indexes for part in (U16.pack(len(n.encode())), n.encode()))
    named = b"".join((head, *names))
    payload = b"".join((named, ZEROS[: -len(named) % 8], *entries, *bodies))
    return LENGTH.pack(len(payload)) + payload


def decode_deliver(payload: bytes) -> list[Delivered]:
    """The deliveries of a deliver frame, in its order."""
    _, _, _, _, channels, _, count = DELIVERY_HEAD.unpack_from(payload)
    names, at = decode_names(payload, 16, channels)
    body = at + 72 * count
    new = tuple.__new__  # a third of the time of Delivered(...)
    deliveries: list[Delivered] = []
    add = deliveries.append
    for (
        subscription,
        attempt,
        flags,
        publisher,
        sequence,
        channel_sequence,
        time,
        priority,
        length,
        meta_length,
        ttl,
        index,
        type_,
        meta_type,
        number,
    ) in DELIVERY.iter_unpack(payload[at:body]):
        meta_at = body + length
        end = meta_at + meta_length
        add(
            new(
                Delivered,
                (
                    subscription,
                    attempt,
                    publisher,
                    sequence,
                    channel_sequence,
                    time,
                    priority,
                    ttl,
                    names[index],
                    type_,
                    payload[body:meta_at],
                    meta_type,
                    payload[meta_at:end],
                    number,
                    flags & _REPLAYED != 0,
                ),
            )
        )
        body = end
    check_end(payload, body, len(deliveries), count)
    return deliveries
