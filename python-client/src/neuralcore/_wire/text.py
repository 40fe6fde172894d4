"""JSON as it stands in frames."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from neuralcore._wire.frames import Buffer
from neuralcore._wire.reader import LENGTH
from neuralcore.errors import InvalidRequest, ProtocolError


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
    return _bytes(value, "The parameters cannot be sent as JSON")


def as_json(value: Mapping[str, Any], what: str) -> dict[str, Any]:
    """The value as it comes back where it is sent or saved: a copy with lists for tuples, and text
    for keys.

    Raises:
        InvalidRequest: something in it is not JSON; ``what`` says whose it is.
    """
    return json_object(_bytes(value, f"{what} is not JSON"))


def _bytes(value: Mapping[str, Any], complaint: str) -> bytes:
    try:
        return _to_json(value).encode()
    except (TypeError, ValueError, RecursionError) as e:
        raise InvalidRequest(f"{complaint}: {e}.") from e


def json_object(data: Buffer) -> dict[str, Any]:
    if data == b"{}":
        return {}
    value = _from_json(str(data, "utf-8"))
    if not isinstance(value, dict):
        raise ProtocolError(f"A frame holds a JSON {type(value).__name__} instead of an object.")
    return value


def encode_text(frame: Mapping[str, Any]) -> bytes:
    """A JSON frame with its length word."""
    payload = json_bytes(frame)
    return LENGTH.pack(len(payload)) + payload
