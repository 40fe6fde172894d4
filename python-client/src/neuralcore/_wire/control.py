"""The small frames around messages: what became of them, credit, settlements, room."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping, Sequence

from neuralcore._wire.frames import (
    AnySettlement,
    Credit,
    Flow,
    Published,
    Rejection,
    Settle,
    Settled,
    Settlement,
)
from neuralcore._wire.names import U16, ZEROS, check_end, decode_names
from neuralcore._wire.reader import LENGTH

PUBLISHED, CREDIT, SETTLE, SETTLED, FLOW = 0x11, 0x13, 0x14, 0x15, 0x16

_PUBLISHED_HEAD = struct.Struct("<BBHIII")  # header; accepted, rejected
_REJECTION = struct.Struct("<QH6x")
_CREDIT_HEAD = struct.Struct("<BBHIII")  # header; entries, zero
_GRANT = struct.Struct("<II")
_SETTLE_HEAD = struct.Struct("<BBHIII")  # header; entries, zero
_SETTLEMENT = struct.Struct("<IB3xQII")  # subscription, kind, number, delay, reason
_SETTLED_FRAME = struct.Struct("<BBHIII")  # header; settled, unknown
_FLOW_HEAD = struct.Struct("<BBHIHHI")  # header; channels, namespace, zero
_ROOM = struct.Struct("<IHxx")  # messages, index of the channel


def encode_published(
    batch: int, accepted: int, rejections: Sequence[tuple[int, int]] = ()
) -> bytes:
    """What a daemon sends for a publish; rejections are (sequence, error number)."""
    head = _PUBLISHED_HEAD.pack(PUBLISHED, 0, 0, batch, accepted, len(rejections))
    payload = b"".join((head, *(_REJECTION.pack(*rejection) for rejection in rejections)))
    return LENGTH.pack(len(payload)) + payload


def decode_published(payload: bytes) -> Published:
    _, _, _, batch, accepted, count = _PUBLISHED_HEAD.unpack_from(payload)
    if not count and len(payload) == 16:  # as nearly always
        return Published(batch, accepted, [])
    rejections = [Rejection(*entry) for entry in _REJECTION.iter_unpack(payload[16:])]
    check_end(payload, 16 + 16 * count, len(rejections), count)
    return Published(batch, accepted, rejections)


def encode_credit(grants: Iterable[tuple[int, int]]) -> bytes:
    """Leave to deliver more: (subscription, messages) pairs. With its length word."""
    entries = [_GRANT.pack(*grant) for grant in grants]
    head = _CREDIT_HEAD.pack(CREDIT, 0, 0, 0, len(entries), 0)
    return b"".join((LENGTH.pack(16 + 8 * len(entries)), head, *entries))


def decode_credit(payload: bytes) -> Credit:
    _, _, _, _, count, _ = _CREDIT_HEAD.unpack_from(payload)
    grants = list(_GRANT.iter_unpack(payload[16:]))
    check_end(payload, 16 + 8 * count, len(grants), count)
    return Credit(grants)


def encode_settle(correlation: int, confirm: bool, settlements: Iterable[AnySettlement]) -> bytes:
    """What became of deliveries, with its length word.

    Args:
        correlation: u32, repeated by the daemon in its ``Settled``.
        confirm: ask for ``Settled``; for durable subscriptions it comes after the commit.
        settlements: what came of each.
    """
    entries: list[bytes] = []
    reasons: list[bytes] = []
    for subscription, kind, number, delay, reason in settlements:
        entries.append(_SETTLEMENT.pack(subscription, kind, number, delay, len(reason)))
        reasons.append(reason)
    head = _SETTLE_HEAD.pack(SETTLE, 1 if confirm else 0, 0, correlation, len(entries), 0)
    payload = b"".join((head, *entries, *reasons))
    return LENGTH.pack(len(payload)) + payload


def decode_settle(payload: bytes) -> Settle:
    _, flags, _, correlation, count, _ = _SETTLE_HEAD.unpack_from(payload)
    at = 16 + 24 * count
    settlements = []
    for subscription, kind, number, delay, length in _SETTLEMENT.iter_unpack(payload[16:at]):
        reason = payload[at : at + length]
        settlements.append(Settlement(subscription, kind, number, delay, reason))
        at += length
    check_end(payload, at, len(settlements), count)
    return Settle(correlation, flags & 1 != 0, settlements)


def encode_settled(correlation: int, settled: int, unknown: int) -> bytes:
    """What a daemon answers to a settle frame."""
    return LENGTH.pack(16) + _SETTLED_FRAME.pack(SETTLED, 0, 0, correlation, settled, unknown)


def decode_settled(payload: bytes) -> Settled:
    return Settled(*_SETTLED_FRAME.unpack(payload)[3:])


def encode_flow(namespace: str, rooms: Mapping[str, int]) -> bytes:
    """What a daemon tells a publisher of a channel that is full, or has room again."""
    space = namespace.encode()
    names = [name.encode() for name in rooms]
    head = _FLOW_HEAD.pack(FLOW, 0, 0, 0, len(rooms), len(space), 0)
    named = b"".join((head, space, *(U16.pack(len(name)) + name for name in names)))
    entries = (_ROOM.pack(room, index) for index, room in enumerate(rooms.values()))
    payload = b"".join((named, ZEROS[: -len(named) % 8], *entries))
    return LENGTH.pack(len(payload)) + payload


def decode_flow(payload: bytes) -> Flow:
    _, _, _, _, count, space, _ = _FLOW_HEAD.unpack_from(payload)
    names, at = decode_names(payload, 16 + space, count)
    rooms = {names[index]: room for room, index in _ROOM.iter_unpack(payload[at:])}
    check_end(payload, at + 8 * count, len(rooms), count)
    return Flow(payload[16 : 16 + space].decode(), rooms)
