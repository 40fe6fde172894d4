"""Every documented form of a payload, in both formats."""

from __future__ import annotations

import dataclasses
import datetime
import decimal
import enum
import math
import pathlib
import uuid

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neuralcore._bus import payload
from neuralcore._bus.payload import SerializationFormat
from neuralcore.errors import InvalidRequest, NeuralCoreError, NotSupported


class Colour(enum.Enum):
    RED = "red"


class Level(enum.IntEnum):
    HIGH = 2


class Text(str):
    pass


@dataclasses.dataclass
class Point:
    x: int
    tags: tuple[str, ...]


UTC = datetime.datetime(2026, 11, 21, 12, 30, 15, 250000, tzinfo=datetime.timezone.utc)
NAIVE = UTC.replace(tzinfo=None)
ID = uuid.UUID(int=7)

FORMS = [
    (None, None),
    (True, True),
    (-(2**63), -(2**63)),
    (2**63, 2**63),
    (0.1, 0.1),
    ("", ""),
    ("naïve 𝄞 日本", "naïve 𝄞 日本"),
    ([], []),
    ({}, {}),
    ((1, (2, 3)), [1, [2, 3]]),
    ({5}, [5]),
    (frozenset([5]), [5]),
    (NAIVE, "2026-11-21T12:30:15.250000"),
    (datetime.date(2026, 1, 2), "2026-01-02"),
    (datetime.time(3, 4, 5), "03:04:05"),
    (ID, str(ID)),
    (decimal.Decimal("1.50"), "1.50"),
    (pathlib.PurePosixPath("/a/b"), "/a/b"),
    (Colour.RED, "red"),
    (Level.HIGH, 2),
    (Text("sub"), "sub"),
    (Point(1, ("a", "b")), {"x": 1, "tags": ["a", "b"]}),
    (np.float32(0.5), 0.5),
    (np.int64(3), 3),
    (np.array(3), 3),
]


@pytest.fixture(params=[SerializationFormat.MSGPACK, SerializationFormat.JSON])
def codec(request):
    return payload.PayloadCodec(request.param)


def travelled(codec, value):
    return payload.decode(*codec.encode(value))


@pytest.mark.parametrize(("value", "arrives"), FORMS, ids=lambda v: repr(v)[:30])
def test_documented_forms(codec, value, arrives):
    result = travelled(codec, value)
    assert result == arrives
    assert type(result) is type(arrives)
    assert travelled(codec, {"nested": [value]}) == {"nested": [arrives]}


@pytest.mark.parametrize("value", [b"", b"\x00\xff", bytearray(b"ab"), memoryview(b"ab")])
def test_bytes_travel_as_they_are(codec, value):
    content_type, data = codec.encode(value)
    assert (content_type, data) == (payload.BYTES, bytes(value))
    assert payload.decode(content_type, data) == bytes(value)


def test_what_depends_on_the_format(codec):
    is_json = codec.encode(1)[0] == payload.JSON
    assert travelled(codec, {1: 2}) == ({"1": 2} if is_json else {1: 2})
    assert travelled(codec, [UTC]) == (["2026-11-21T12:30:15.250000+00:00"] if is_json else [UTC])
    if is_json:
        for value in ({"b": b"x"}, math.nan, math.inf):
            with pytest.raises(payload.InvalidPayload):
                codec.encode(value)
    else:
        assert travelled(codec, {"b": b"x"}) == {"b": b"x"}
        assert math.isnan(travelled(codec, math.nan))
        assert travelled(codec, -math.inf) == -math.inf
        with pytest.raises(payload.InvalidPayload):
            codec.encode(2**64)


@pytest.mark.parametrize("value", [object(), {"f": print}, [lambda: 0], Point, "\ud800", iter([])])
def test_what_has_no_form_is_refused(codec, value):
    with pytest.raises(TypeError):
        codec.encode(value)
    with pytest.raises(InvalidRequest):
        codec.encode(value)


def test_endless_structures_are_refused(codec):
    endless = []
    endless.append(endless)
    with pytest.raises(payload.InvalidPayload):
        codec.encode(endless)


PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@pytest.mark.parametrize("format", [SerializationFormat.MSGPACK, SerializationFormat.JSON])
@given(value=PLAIN)
def test_plain_values_come_back_the_same(format, value):
    assert travelled(payload.PayloadCodec(format), value) == value


@pytest.mark.parametrize(
    "array",
    [
        np.arange(3),
        np.ones((2, 1), np.float32),
        np.zeros((0, 3), np.int8),
        np.array([True, False]),
        np.arange(300_000, dtype=">u4").reshape(3, 100_000)[:, ::2],
        np.array([1 + 2j]),
    ],
    ids=lambda a: f"{a.dtype}{a.shape}",
)
def test_arrays_of_numbers_come_back_as_arrays(array):
    codec = payload.PayloadCodec()
    back = travelled(codec, {"a": array})["a"]
    np.testing.assert_array_equal(back, array)
    assert back.dtype == array.dtype
    assert back.shape == array.shape
    back[...] = 0  # its memory is its own


def test_arrays_as_json_are_lists():
    codec = payload.PayloadCodec(SerializationFormat.JSON)
    assert travelled(codec, np.ones((2, 1), np.float32)) == [[1.0], [1.0]]


def test_arrays_of_anything_else_are_refused():
    with pytest.raises(payload.InvalidPayload, match="object"):
        payload.PayloadCodec().encode({"a": np.array([object()])})


def test_a_damaged_array_is_an_error_and_nothing_else():
    whole = payload.PayloadCodec().encode(np.arange(40, dtype=np.int16))[1]
    for at in range(len(whole)):
        for value in (0x00, 0x7F, 0xFF):
            damaged = whole[:at] + bytes([value]) + whole[at + 1 :]
            try:
                payload.decode(payload.MSGPACK, damaged)
            except (ValueError, TypeError, NeuralCoreError, msgspec.MsgspecError):
                continue


def test_unknown_content_types_are_refused():
    with pytest.raises(NotSupported, match="Content type 9"):
        payload.decode(9, b"")
