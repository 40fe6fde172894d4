"""Batches of messages: publishes, deliveries, and credit for them."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence

from neuralcore._wire.frames import (
    Credit,
    Delivered,
    Outgoing,
    Payload,
    Publish,
    Published,
    Rejection,
)
from neuralcore._wire.reader import LENGTH
from neuralcore.errors import InvalidRequest, ProtocolError

PUBLISH, PUBLISHED, DELIVER, CREDIT = 0x10, 0x11, 0x12, 0x13

_CONFIRM = 1
_PUBLISH_HEAD = struct.Struct("<BBHIHHIQ")  # header; namespace, channels, messages, publisher
_PUBLISH_ENTRY = struct.Struct("<QqqIIIHBB")
_PUBLISHED_HEAD = struct.Struct("<BBHIII")  # header; accepted, rejected
_REJECTION = struct.Struct("<QH6x")
_DELIVER_HEAD = struct.Struct("<BBHIHHI")  # header; channels, zero, deliveries
_DELIVERY = struct.Struct("<IIQQQqqIIIHBB")
_CREDIT_HEAD = struct.Struct("<BBHIII")  # header; entries, zero
_GRANT = struct.Struct("<II")
_U16 = struct.Struct("<H")
_ZEROS = bytes(8)


def encode_publish(
    batch: int,
    confirm: bool,
    namespace: str,
    publisher: int,
    messages: Iterable[tuple[str, int, int, int, int, int, bytes, int, bytes]],
) -> bytes:
    """A batch of messages with its length word.

    Args:
        batch: u32, repeated by the daemon in its ``Published``.
        confirm: ask for ``Published`` even if nothing is rejected.
        publisher: u64, the connection's.
        messages: :class:`Outgoing` or plain tuples in its order.

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
                names += (_U16.pack(len(name)), name)
            add_entry(
                pack(
                    sequence, time, priority, len(payload), len(meta), ttl, index, type_, meta_type
                )
            )
            add_body(payload)
            if meta:
                add_body(meta)
        space = namespace.encode()
        head = _PUBLISH_HEAD.pack(
            PUBLISH,
            _CONFIRM if confirm else 0,
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
    payload_ = b"".join((named, _ZEROS[: -len(named) % 8], *entries, *bodies))
    return LENGTH.pack(len(payload_)) + payload_


def _decode_names(payload: Payload | memoryview, at: int, count: int) -> tuple[list[str], int]:
    """Channel names, and where what follows them begins."""
    names = []
    for _ in range(count):
        (length,) = _U16.unpack_from(payload, at)
        at += 2 + length
        names.append(str(payload[at - length : at], "utf-8"))
    return names, at + (-at % 8)


def decode_publish(payload: bytes) -> Publish:
    _, flags, _, batch, space, channels, count, publisher = _PUBLISH_HEAD.unpack_from(payload)
    names, at = _decode_names(payload, 24 + space, channels)
    body = at + 40 * count
    messages = []
    for entry in _PUBLISH_ENTRY.iter_unpack(payload[at:body]):
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
    _check_end(payload, body, len(messages), count)
    namespace = payload[24 : 24 + space].decode()
    return Publish(batch, bool(flags & _CONFIRM), namespace, publisher, messages)


def encode_published(
    batch: int, accepted: int, rejections: Sequence[tuple[int, int]] = ()
) -> bytes:
    """What a daemon sends for a publish; rejections are (sequence, error number)."""
    head = _PUBLISHED_HEAD.pack(PUBLISHED, 0, 0, batch, accepted, len(rejections))
    payload = b"".join((head, *(_REJECTION.pack(*rejection) for rejection in rejections)))
    return LENGTH.pack(len(payload)) + payload


def decode_published(payload: bytes) -> Published:
    _, _, _, batch, accepted, count = _PUBLISHED_HEAD.unpack_from(payload)
    rejections = [Rejection(*entry) for entry in _REJECTION.iter_unpack(payload[16:])]
    _check_end(payload, 16 + 16 * count, len(rejections), count)
    return Published(batch, accepted, rejections)


def encode_deliver(deliveries: Sequence[Delivered]) -> bytes:
    """What a daemon sends to a subscriber."""
    indexes: dict[str, int] = {}
    entries: list[bytes] = []
    bodies: list[bytes] = []
    for d in deliveries:
        index = indexes.setdefault(d.channel, len(indexes))
        entries.append(
            _DELIVERY.pack(
                *d[:7], len(d.payload), len(d.meta), d.ttl_ms, index, d.payload_type, d.meta_type
            )
        )
        bodies += (d.payload, d.meta)
    head = _DELIVER_HEAD.pack(DELIVER, 0, 0, 0, len(indexes), 0, len(entries))
    names = (part for n in indexes for part in (_U16.pack(len(n.encode())), n.encode()))
    named = b"".join((head, *names))
    payload = b"".join((named, _ZEROS[: -len(named) % 8], *entries, *bodies))
    return LENGTH.pack(len(payload)) + payload


def decode_deliver(payload: bytes) -> list[Delivered]:
    """The deliveries of a deliver frame, in its order."""
    _, _, _, _, channels, _, count = _DELIVER_HEAD.unpack_from(payload)
    names, at = _decode_names(payload, 16, channels)
    body = at + 64 * count
    new = tuple.__new__  # a third of the time of Delivered(...)
    deliveries: list[Delivered] = []
    add = deliveries.append
    for (
        subscription,
        attempt,
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
    ) in _DELIVERY.iter_unpack(payload[at:body]):
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
                ),
            )
        )
        body = end
    _check_end(payload, body, len(deliveries), count)
    return deliveries


def encode_credit(grants: Iterable[tuple[int, int]]) -> bytes:
    """Leave to deliver more: (subscription, messages) pairs. With its length word."""
    entries = [_GRANT.pack(*grant) for grant in grants]
    head = _CREDIT_HEAD.pack(CREDIT, 0, 0, 0, len(entries), 0)
    return b"".join((LENGTH.pack(16 + 8 * len(entries)), head, *entries))


def decode_credit(payload: bytes) -> Credit:
    _, _, _, _, count, _ = _CREDIT_HEAD.unpack_from(payload)
    grants = list(_GRANT.iter_unpack(payload[16:]))
    _check_end(payload, 16 + 8 * count, len(grants), count)
    return Credit(grants)


def _check_end(payload: Payload | memoryview, at: int, entries: int, claimed: int) -> None:
    if at != len(payload) or entries != claimed:
        raise ProtocolError(
            f"A frame of {len(payload)} bytes claims {claimed} entries that end at {at}."
        )
