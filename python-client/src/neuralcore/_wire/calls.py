"""Calls, answers and failures, and the arrays attached to them."""

from __future__ import annotations

import struct
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from neuralcore._wire.frames import Answer, Buffer, Call, Failure, Payload, Tensor
from neuralcore._wire.reader import LENGTH
from neuralcore._wire.text import json_bytes, json_object
from neuralcore.errors import InvalidRequest, ProtocolError

CALL, ANSWER, FAILURE = 0x01, 0x02, 0x03

_MESSAGE = struct.Struct("<BBHIHHIII")  # header; address, attachments, JSON, timeout, zero
_ATTACHMENT = struct.Struct("<BxxxIII")  # type, rows, columns, bytes


_FLOAT32, _INT8, _INT32, _INT64, _BYTES, _STRINGS = range(1, 7)
_DTYPE_OF = {_FLOAT32: "<f4", _INT8: "|i1", _INT32: "<i4", _INT64: "<i8"}
_TYPE_OF = {dtype: code for code, dtype in _DTYPE_OF.items()}
_ZEROS = bytes(8)


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
    return _encode_message(CALL, correlation, address, params, tensors, timeout_ms)


def encode_answer(
    correlation: int, result: Mapping[str, Any] | None, tensors: Sequence[Tensor] = ()
) -> list[Buffer]:
    """What a daemon sends for a call."""
    return _encode_message(ANSWER, correlation, "", result, tensors, 0)


def encode_failure(correlation: int, error: Mapping[str, Any]) -> list[Buffer]:
    """What a daemon sends for a call that failed."""
    return _encode_message(FAILURE, correlation, "", error, (), 0)


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
        return [b"".join((LENGTH.pack(table), head, where, json_))]
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
    pieces[0] = b"".join((LENGTH.pack(size), head, where, json_, _ZEROS[:pad], *entries))
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


def decode_message(kind: int, payload: Payload | memoryview) -> Call | Answer | Failure:
    _, _, _, correlation, where, attachments, json_, timeout_ms, _ = _MESSAGE.unpack_from(payload)
    start = 24 + where
    end = start + json_
    if end > len(payload):
        raise ProtocolError(f"A frame of {len(payload)} bytes claims a head of {end}.")
    body = json_object(payload[start:end])
    tensors = _decode_tensors(payload, end + (-end % 8), attachments) if attachments else []
    if kind == ANSWER:
        return Answer(correlation, body, tensors)
    if kind == FAILURE:
        return Failure(correlation, body)
    return Call(correlation, str(payload[24:start], "utf-8"), timeout_ms, body, tensors)
