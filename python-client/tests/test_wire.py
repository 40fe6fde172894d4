from __future__ import annotations

import contextlib
import random
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from neuralcore import _wire
from neuralcore.errors import InvalidRequest, NeuralCoreError, ProtocolError

u32 = st.integers(1, 2**32 - 1)
u64 = st.integers(0, 2**64 - 1)
i64 = st.integers(-(2**63), 2**63 - 1)
text = st.text(st.characters(codec="utf-8"), max_size=20)
arrays = st.sampled_from(["<f4", "|i1", "<i4", "<i8"]).flatmap(
    lambda dtype: (
        npst.arrays(dtype, npst.array_shapes(max_dims=2, max_side=9), elements={"allow_nan": False})
        if dtype == "<f4"
        else npst.arrays(dtype, npst.array_shapes(max_dims=2, max_side=9))
    )
)
tensors = st.lists(st.one_of(arrays, st.binary(max_size=40), st.lists(text)), max_size=5)
outgoing = st.tuples(
    text, u64, i64, i64, u32, st.integers(0, 3), st.binary(), st.integers(0, 3), st.binary()
)


def one(frame: bytes) -> Any:
    (payload,) = _wire.FrameReader().feed(frame)
    return _wire.decode(payload)


@given(u32, text, st.dictionaries(text, st.one_of(st.none(), i64, text)), tensors, u32)
def test_a_call_comes_back(
    correlation: int, address: str, params: dict[str, Any], attached: list[Any], timeout: int
) -> None:
    pieces = _wire.encode_call(correlation, address, params, attached, timeout)
    call = one(b"".join(pieces))
    assert _wire.size_of(pieces) == len(b"".join(pieces))
    assert call[:4] == (correlation, address, timeout, params)
    assert len(call.tensors) == len(attached)
    for got, sent in zip(call.tensors, attached, strict=True):
        if isinstance(sent, np.ndarray):
            assert got.dtype == sent.dtype
            np.testing.assert_array_equal(got, sent)
        else:
            assert got == sent


@given(u32, st.integers(0, 2), text, u64, st.lists(outgoing), st.booleans())
def test_a_publish_comes_back(
    batch: int, confirm: int, namespace: str, publisher: int, messages: list[Any], delayed: bool
) -> None:
    delays = list(range(len(messages))) if delayed else []
    frame = _wire.encode_publish(
        batch, confirm, namespace, publisher, messages, delays if delayed else None
    )
    assert one(frame) == (batch, confirm, namespace, publisher, messages, delays)


@given(st.lists(st.tuples(u32, st.integers(0, 2**16 - 1), u64, u64, u64, outgoing)))
def test_deliveries_come_back(entries: list[Any]) -> None:
    deliveries = [
        _wire.Delivered(s, a, p, q, n, *m[2:5], m[0], *m[5:], n, a % 2 == 1)
        for s, a, p, q, n, m in entries
    ]
    assert one(_wire.encode_deliver(deliveries)).deliveries == deliveries


@given(st.lists(st.binary(min_size=1, max_size=300), max_size=20), st.data())
def test_payloads_do_not_depend_on_how_the_stream_is_cut(
    payloads: list[bytes], data: st.DataObject
) -> None:
    stream = b"".join(len(p).to_bytes(4, "big") + p for p in payloads)
    cuts = data.draw(st.lists(st.integers(0, len(stream)), max_size=30).map(sorted))
    reader = _wire.FrameReader()
    got = [
        payload
        for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True)
        for payload in reader.feed(stream[start:end])
    ]
    assert got == payloads
    assert not reader.mid_frame


def test_damaged_bytes_give_a_frame_or_a_typed_error() -> None:
    seed = random.randrange(2**32)
    print("seed", seed)
    rng = random.Random(seed)
    frames = [
        b"".join(_wire.encode_answer(1, {"a": [1]}, [np.ones((2, 3), np.float32), ["x", "yz"]])),
        _wire.encode_publish(1, True, "n", 2, [("c", 1, 2, 3, 4, 1, b"p", 1, b"m")] * 3),
        _wire.encode_deliver([_wire.Delivered(1, 1, 2, 3, 4, 5, 6, 7, "c", 1, b"p", 1, b"m")] * 3),
        _wire.encode_published(1, 2, [(3, 4)]),
        _wire.encode_credit([(1, 2)]),
        _wire.encode_settle(1, True, [(1, 1, 2, 3, b"{}")] * 3),
        _wire.encode_settled(1, 2, 3),
        _wire.encode_flow("n", {"c": 1}),
    ]
    for _ in range(5000):
        payload = bytearray(rng.choice(frames)[4:])
        for _ in range(rng.randint(1, 4)):
            payload[rng.randrange(len(payload))] = rng.randrange(256)
        for form in (bytes(payload), payload, memoryview(payload)):
            with contextlib.suppress(NeuralCoreError):
                _wire.decode(form)


@pytest.mark.parametrize("length", [0, -1, -(2**31), 16 * 2**20 + 1])
def test_impossible_lengths_are_refused(length: int) -> None:
    with pytest.raises(ProtocolError, match=str(abs(length))):
        _wire.FrameReader().feed(length.to_bytes(4, "big", signed=True) + b"\x01")


def test_text_frames_have_a_limit_of_their_own() -> None:
    reader = _wire.FrameReader(max_text=100, max_binary=1000)
    reader.feed((101).to_bytes(4, "big") + b"\x01")
    with pytest.raises(ProtocolError, match="limit of 100") as caught:
        _wire.FrameReader(100, 1000).feed((101).to_bytes(4, "big") + b"{")
    assert caught.value.code == "FRAME_TOO_LARGE"


@pytest.mark.parametrize(
    ("tensor", "says"),
    [
        (np.ones(3), "float64"),
        (np.ones((2, 2, 2), np.float32), r"\(2, 2, 2\)"),
        (np.ones((2, 0), np.float32), r"\(2, 0\)"),
        (np.float32(1), "float32; an ndarray"),
        ({"a": 1}, "dict"),
        (["a", 3], "Item 1 of attachment 0 is a int"),
    ],
)
def test_what_cannot_be_attached_is_named(tensor: Any, says: str) -> None:
    with pytest.raises(InvalidRequest, match=says):
        _wire.encode_call(1, "a", {}, [tensor], 0)


def test_arrays_that_are_not_contiguous_are_sent_as_they_look() -> None:
    array = np.arange(24, dtype=np.float32).reshape(4, 6)
    for view in (array[:, ::2], array.T, array[::-1], np.asfortranarray(array)):
        (got,) = one(b"".join(_wire.encode_call(1, "a", {}, [view], 0))).tensors
        np.testing.assert_array_equal(got, view)


def test_empty_arrays_keep_their_columns() -> None:
    empty = np.empty((0, 384), np.float32)
    got = one(b"".join(_wire.encode_call(1, "a", {}, [empty, np.empty(0, np.int64)], 0))).tensors
    assert [a.shape for a in got] == [(0, 384), (0,)]


def test_a_lone_surrogate_is_sent_as_the_replacement_character() -> None:
    (got,) = one(b"".join(_wire.encode_call(1, "a", {}, [["x\ud800y", "é"]], 0))).tensors
    assert got == ["x\ufffdy", "é"]


@pytest.mark.parametrize("value", [float("nan"), {1, 2}, "\ud800"])
def test_parameters_that_are_not_json_are_refused(value: Any) -> None:
    with pytest.raises(InvalidRequest, match="JSON"):
        _wire.encode_call(1, "a", {"value": value}, (), 0)


def test_numpy_numbers_are_parameters() -> None:
    call = one(b"".join(_wire.encode_call(1, "a", {"k": np.int64(3), "v": np.ones(2)}, (), 0)))
    assert call.params == {"k": 3, "v": [1.0, 1.0]}


@pytest.mark.parametrize("message", [("c", 1, 2, 2**63, 0), ("c", -1, 2, 3, 0), ("c", 1, 2, 3, -5)])
def test_a_number_out_of_range_is_refused(message: tuple[Any, ...]) -> None:
    with pytest.raises(InvalidRequest, match="out of range"):
        _wire.encode_publish(1, False, "n", 2, [(*message, 1, b"", 0, b"")])


def test_a_kind_that_is_not_known_has_its_own_code() -> None:
    with pytest.raises(ProtocolError) as caught:
        _wire.decode(b"\x7f" + bytes(7))
    assert caught.value.code == "UNKNOWN_FRAME_TYPE"


def test_message_ids_are_32_hexadecimal_digits() -> None:
    assert _wire.message_id(0xABC, 1) == "0000000000000abc0000000000000001"


@pytest.mark.parametrize("module", ["neuralcore", "neuralcore.client", "neuralcore._connection"])
def test_importing_does_not_import_numpy_or_asyncio(module: str) -> None:
    code = f"import sys, {module}; print('numpy' in sys.modules, 'asyncio' in sys.modules)"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.split() == ["False", "False"]
