"""Frames to bytes and back; ``docs/protocol.md`` draws them. No I/O, no state but FrameReader's.

All of it runs without NumPy until an array is met. Functions are thread-safe; a ``FrameReader``
belongs to one connection.

The formats below name every field in order, so the offsets of the document need no constants here.
"""

from __future__ import annotations

import json
import struct
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

from neuralcore.errors import InvalidRequest, NeuralCoreError, ProtocolError

Buffer: TypeAlias = bytes | bytearray | memoryview
Payload: TypeAlias = bytes | bytearray
# What can be attached to a call: an array, opaque bytes, or a list of strings.
Tensor: TypeAlias = Any

MAX_TEXT = 1 << 20
MAX_BINARY = 16 << 20

# The priority of a message that leaves it to its channel.
DEFAULT_PRIORITY = -(1 << 63)

NO_CONTENT, JSON_CONTENT, MSGPACK_CONTENT, BYTES_CONTENT = range(4)

_CALL, _ANSWER, _FAILURE = 0x01, 0x02, 0x03
_PUBLISH, _PUBLISHED, _DELIVER, _CREDIT = 0x10, 0x11, 0x12, 0x13
_JSON_OPEN = 0x7B
_CONFIRM = 1

_LENGTH = struct.Struct(">i")
_HEADER = struct.Struct("<BBHI")  # kind, flags, zero, correlation
_MESSAGE = struct.Struct("<BBHIHHIII")  # header; address, attachments, JSON, timeout, zero
_ATTACHMENT = struct.Struct("<BxxxIII")  # type, rows, columns, bytes
_PUBLISH_HEAD = struct.Struct("<BBHIHHIQ")  # header; namespace, channels, messages, publisher
_PUBLISH_ENTRY = struct.Struct("<QqqIIIHBB")
_PUBLISHED_HEAD = struct.Struct("<BBHIII")  # header; accepted, rejected
_REJECTION = struct.Struct("<QH6x")
_DELIVER_HEAD = struct.Struct("<BBHIHHI")  # header; channels, zero, deliveries
_DELIVERY = struct.Struct("<IIQQQqqIIIHBB")
_CREDIT_HEAD = struct.Struct("<BBHIII")  # header; entries, zero
_GRANT = struct.Struct("<II")
_U16 = struct.Struct("<H")

_FLOAT32, _INT8, _INT32, _INT64, _BYTES, _STRINGS = range(1, 7)
_DTYPE_OF = {_FLOAT32: "<f4", _INT8: "|i1", _INT32: "<i4", _INT64: "<i8"}
_TYPE_OF = {dtype: code for code, dtype in _DTYPE_OF.items()}
_ZEROS = bytes(8)


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


class FrameReader:
    """Cuts a byte stream into payloads.

    Args:
        max_text: largest JSON frame in bytes.
        max_binary: largest binary frame in bytes.
    """

    __slots__ = ("_awaited", "_filled", "_max_binary", "_max_text", "_partial", "_word")

    def __init__(self, max_text: int = MAX_TEXT, max_binary: int = MAX_BINARY) -> None:
        self._max_text = max_text
        self._max_binary = max_binary
        self._word = b""
        self._awaited = -1
        self._partial: bytearray | None = None
        self._filled = 0

    @property
    def mid_frame(self) -> bool:
        """Whether bytes of an unfinished frame are held."""
        return self._awaited >= 0 or bool(self._word)

    def feed(self, chunk: bytes) -> list[Payload]:
        """The payloads that ``chunk`` completes, in order, each a copy.

        Raises:
            ProtocolError: a length that is not positive or exceeds the limit; the stream cannot
                be read on after it.
        """
        payloads: list[Payload] = []
        at, end = 0, len(chunk)
        while at < end:
            if self._awaited < 0:
                if not self._word and end - at >= 4:
                    (self._awaited,) = _LENGTH.unpack_from(chunk, at)
                    at += 4
                else:
                    take = min(4 - len(self._word), end - at)
                    self._word += chunk[at : at + take]
                    at += take
                    if len(self._word) < 4:
                        break
                    (self._awaited,) = _LENGTH.unpack(self._word)
                    self._word = b""
                check_length(self._awaited, max(self._max_text, self._max_binary))
                if at == end:
                    break
            length = self._awaited
            if self._partial is None:
                check_length(
                    length, self._max_text if chunk[at] == _JSON_OPEN else self._max_binary
                )
                if end - at >= length:
                    payloads.append(chunk[at : at + length])
                    at += length
                    self._awaited = -1
                    continue
                self._partial = bytearray(length)
                self._filled = 0
            take = min(end - at, length - self._filled)
            self._partial[self._filled : self._filled + take] = memoryview(chunk)[at : at + take]
            self._filled += take
            at += take
            if self._filled == length:
                payloads.append(self._partial)
                self._partial = None
                self._awaited = -1
        return payloads


def check_length(length: int, limit: int) -> None:
    """Raises ProtocolError unless 0 < length ≤ limit."""
    if length <= 0:
        raise ProtocolError(f"A frame claims a length of {length} bytes; it must be positive.")
    if length > limit:
        raise ProtocolError(
            f"A frame of {length} bytes exceeds the limit of {limit}.", code="FRAME_TOO_LARGE"
        )


# JSON


def _plain(value: Any) -> Any:
    """NumPy's scalars and arrays as the numbers and lists that JSON knows."""
    tolist = getattr(value, "tolist", None)
    if tolist is None:
        raise TypeError(f"a {type(value).__name__} is not JSON")
    return tolist()


_to_json = json.JSONEncoder(
    ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=_plain
).encode
_from_json = json.JSONDecoder().decode


def json_bytes(value: Mapping[str, Any]) -> bytes:
    """The value as UTF-8 JSON.

    Raises:
        InvalidRequest: something in it is not JSON (a NaN, a set, a lone surrogate).
    """
    try:
        return _to_json(value).encode()
    except (TypeError, ValueError, RecursionError) as e:
        raise InvalidRequest(f"The parameters cannot be sent as JSON: {e}.") from e


def _json_object(data: Buffer) -> dict[str, Any]:
    if data == b"{}":
        return {}
    value = _from_json(str(data, "utf-8"))
    if not isinstance(value, dict):
        raise ProtocolError(f"A frame holds a JSON {type(value).__name__} instead of an object.")
    return value


def encode_text(frame: Mapping[str, Any]) -> bytes:
    """A JSON frame with its length word."""
    payload = json_bytes(frame)
    return _LENGTH.pack(len(payload)) + payload


# Calls


def encode_call(
    correlation: int,
    address: str,
    params: Mapping[str, Any] | None,
    tensors: Sequence[Tensor],
    timeout_ms: int,
) -> list[Buffer]:
    """A call with its length word, in pieces to be written one after the other.

    The arrays' own memory is among the pieces: they must not change until it is written.

    Args:
        correlation: u32, not 0.
        tensors: arrays of float32, int8, int32 or int64 with one or two axes; bytes; lists of
            strings.
        timeout_ms: how long the daemon may take; 0 leaves it to the daemon.
    """
    return _encode_message(_CALL, correlation, address, params, tensors, timeout_ms)


def encode_answer(
    correlation: int, result: Mapping[str, Any] | None, tensors: Sequence[Tensor] = ()
) -> list[Buffer]:
    """What a daemon sends for a call."""
    return _encode_message(_ANSWER, correlation, "", result, tensors, 0)


def encode_failure(correlation: int, error: Mapping[str, Any]) -> list[Buffer]:
    """What a daemon sends for a call that failed."""
    return _encode_message(_FAILURE, correlation, "", error, (), 0)


def size_of(pieces: Iterable[Buffer]) -> int:
    """Bytes of an encoded frame, its length word included."""
    return sum(p.nbytes if isinstance(p, memoryview) else len(p) for p in pieces)


def _encode_message(
    kind: int,
    correlation: int,
    address: str,
    body: Mapping[str, Any] | None,
    tensors: Sequence[Tensor],
    timeout_ms: int,
) -> list[Buffer]:
    where = address.encode()
    json_ = json_bytes(body) if body else b"{}"
    table = 24 + len(where) + len(json_)
    try:
        head = _MESSAGE.pack(
            kind, 0, 0, correlation, len(where), len(tensors), len(json_), timeout_ms, 0
        )
    except struct.error as e:
        raise InvalidRequest(
            f"A call cannot have an address of {len(where)} bytes, {len(tensors)} attachments and"
            f" a timeout of {timeout_ms} ms: {e}."
        ) from e
    if not tensors:
        return [b"".join((_LENGTH.pack(table), head, where, json_))]
    pad = -table % 8
    entries = []
    pieces: list[Buffer] = [b""]
    size = table + pad + 16 * len(tensors)
    last = len(tensors) - 1
    for i, tensor in enumerate(tensors):
        type_, rows, columns, data = _encode_tensor(tensor, i)
        length = len(data)
        entries.append(_ATTACHMENT.pack(type_, rows, columns, length))
        pieces.append(data)
        size += length
        if length % 8 and i < last:
            pieces.append(_ZEROS[: -length % 8])
            size += -length % 8
    if size > 0x7FFFFFFF:
        raise InvalidRequest(f"A call of {size} bytes does not fit a frame; send it in parts.")
    pieces[0] = b"".join((_LENGTH.pack(size), head, where, json_, _ZEROS[:pad], *entries))
    return pieces


def _encode_tensor(tensor: Tensor, place: int) -> tuple[int, int, int, Buffer]:
    """Type, rows, columns and bytes; the buffer's length is its number of bytes."""
    if isinstance(tensor, (bytes, bytearray)):
        return _BYTES, len(tensor), 0, tensor
    if isinstance(tensor, memoryview):
        flat = tensor.cast("B") if tensor.c_contiguous and tensor.nbytes else tensor.tobytes()
        return _BYTES, len(flat), 0, flat
    if isinstance(tensor, (list, tuple)):
        return _STRINGS, len(tensor), 0, _encode_strings(tensor, place)
    np = sys.modules.get("numpy")
    if np is None or not isinstance(tensor, np.ndarray):
        raise InvalidRequest(
            f"Attachment {place} is a {type(tensor).__name__}; an ndarray, bytes or a list of"
            " strings is needed."
        )
    type_ = _TYPE_OF.get(tensor.dtype.str)
    if type_ is None:
        raise InvalidRequest(
            f"Attachment {place} is an array of {tensor.dtype}; float32, int8, int32 or int64 is"
            " needed."
        )
    if not 1 <= tensor.ndim <= 2 or (tensor.ndim == 2 and tensor.shape[1] == 0):
        raise InvalidRequest(
            f"Attachment {place} has the shape {tensor.shape}; (n,) or (n, d) with d > 0 is needed."
        )
    rows = tensor.shape[0]
    columns = tensor.shape[1] if tensor.ndim == 2 else 0
    if rows == 0:
        return type_, 0, columns, b""
    return type_, rows, columns, memoryview(np.ascontiguousarray(tensor)).cast("B")


def _encode_strings(strings: Sequence[str], place: int) -> bytes:
    try:
        encoded = [s.encode() for s in strings]
    except UnicodeEncodeError:
        # A lone surrogate is no text; it becomes U+FFFD, as the daemon would read it.
        encoded = [
            s.encode("utf-16", "surrogatepass").decode("utf-16", "replace").encode()
            for s in strings
        ]
    except AttributeError:
        wrong = next(i for i, s in enumerate(strings) if not isinstance(s, str))
        raise InvalidRequest(
            f"Item {wrong} of attachment {place} is a {type(strings[wrong]).__name__};"
            " a string is needed."
        ) from None
    return struct.pack(f"<{len(encoded)}I", *map(len, encoded)) + b"".join(encoded)


def _decode_tensors(payload: Payload | memoryview, at: int, count: int) -> list[Tensor]:
    if isinstance(payload, bytes):
        payload = bytearray(payload)  # so that the arrays can be written to
    entries = [_ATTACHMENT.unpack_from(payload, at + 16 * i) for i in range(count)]
    at += 16 * count
    tensors: list[Tensor] = []
    for type_, rows, columns, length in entries:
        if at + length > len(payload):
            raise ProtocolError(
                f"An attachment of {length} bytes at {at} passes the frame's end {len(payload)}."
            )
        dtype = _DTYPE_OF.get(type_)
        if dtype is not None:
            import numpy as np

            width = int(dtype[2])
            if length != rows * max(1, columns) * width:
                raise ProtocolError(
                    f"An attachment of {rows} × {columns} × {width} bytes claims {length}."
                )
            array = np.frombuffer(payload, dtype, length // width, at)
            tensors.append(array.reshape(rows, columns) if columns else array)
        elif type_ == _BYTES:
            tensors.append(bytes(memoryview(payload)[at : at + length]))
        elif type_ == _STRINGS:
            tensors.append(_decode_strings(bytes(memoryview(payload)[at : at + length]), rows))
        else:
            raise ProtocolError(f"Unknown element type {type_} of an attachment.")
        at += length + (-length % 8)
    return tensors


def _decode_strings(data: bytes, count: int) -> list[str]:
    lengths = struct.unpack_from(f"<{count}I", data)
    at = 4 * count
    strings = []
    for length in lengths:
        strings.append(data[at : at + length].decode("utf-8", "replace"))
        at += length
    if at != len(data):
        raise ProtocolError(f"Strings of {at} bytes were attached in {len(data)}.")
    return strings


def _decode_message(kind: int, payload: Payload | memoryview) -> Call | Answer | Failure:
    _, _, _, correlation, where, attachments, json_, timeout_ms, _ = _MESSAGE.unpack_from(payload)
    start = 24 + where
    end = start + json_
    if end > len(payload):
        raise ProtocolError(f"A frame of {len(payload)} bytes claims a head of {end}.")
    body = _json_object(payload[start:end])
    tensors = _decode_tensors(payload, end + (-end % 8), attachments) if attachments else []
    if kind == _ANSWER:
        return Answer(correlation, body, tensors)
    if kind == _FAILURE:
        return Failure(correlation, body)
    return Call(correlation, str(payload[24:start], "utf-8"), timeout_ms, body, tensors)


# Messages


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
            _PUBLISH,
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
    return _LENGTH.pack(len(payload_)) + payload_


def _decode_names(payload: Payload | memoryview, at: int, count: int) -> tuple[list[str], int]:
    """Channel names, and where what follows them begins."""
    names = []
    for _ in range(count):
        (length,) = _U16.unpack_from(payload, at)
        at += 2 + length
        names.append(str(payload[at - length : at], "utf-8"))
    return names, at + (-at % 8)


def _decode_publish(payload: bytes) -> Publish:
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
    head = _PUBLISHED_HEAD.pack(_PUBLISHED, 0, 0, batch, accepted, len(rejections))
    payload = b"".join((head, *(_REJECTION.pack(*rejection) for rejection in rejections)))
    return _LENGTH.pack(len(payload)) + payload


def _decode_published(payload: bytes) -> Published:
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
    head = _DELIVER_HEAD.pack(_DELIVER, 0, 0, 0, len(indexes), 0, len(entries))
    names = (part for n in indexes for part in (_U16.pack(len(n.encode())), n.encode()))
    named = b"".join((head, *names))
    payload = b"".join((named, _ZEROS[: -len(named) % 8], *entries, *bodies))
    return _LENGTH.pack(len(payload)) + payload


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
    head = _CREDIT_HEAD.pack(_CREDIT, 0, 0, 0, len(entries), 0)
    return b"".join((_LENGTH.pack(16 + 8 * len(entries)), head, *entries))


def _decode_credit(payload: bytes) -> Credit:
    _, _, _, _, count, _ = _CREDIT_HEAD.unpack_from(payload)
    grants = list(_GRANT.iter_unpack(payload[16:]))
    _check_end(payload, 16 + 8 * count, len(grants), count)
    return Credit(grants)


def _check_end(payload: Payload | memoryview, at: int, entries: int, claimed: int) -> None:
    if at != len(payload) or entries != claimed:
        raise ProtocolError(
            f"A frame of {len(payload)} bytes claims {claimed} entries that end at {at}."
        )


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
        if kind == _JSON_OPEN:
            return Text(_json_object(payload))
        if kind in (_CALL, _ANSWER, _FAILURE):
            return _decode_message(kind, payload)
        if kind == _DELIVER:
            return Deliver(decode_deliver(bytes(payload)))
        if kind == _PUBLISHED:
            return _decode_published(bytes(payload))
        if kind == _PUBLISH:
            return _decode_publish(bytes(payload))
        if kind == _CREDIT:
            return _decode_credit(bytes(payload))
    except NeuralCoreError:
        raise
    except (struct.error, ValueError, IndexError, RecursionError) as e:
        raise ProtocolError(f"A frame of kind 0x{kind:02x} is malformed: {e}.") from e
    raise ProtocolError(f"A frame of kind 0x{kind:02x} is not known.", code="UNKNOWN_FRAME_TYPE")
