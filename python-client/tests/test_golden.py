"""The golden files hold Java's codec and Python's to the same bytes.

GoldenFrames.java builds the same frames.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from neuralcore import _wire, errors
from neuralcore._wire import Delivered, Outgoing

GOLDEN = Path(__file__).parents[2] / "src/test/resources/golden"
PUBLISHER = 0x0123456789ABCDEF


def outgoing(channel: str, sequence: int, priority: int, ttl: int, body: str, meta: str) -> Any:
    time = 1_750_000_000_000_000_000 + sequence
    meta_type = _wire.JSON_CONTENT if meta else _wire.NO_CONTENT
    return Outgoing(
        channel, sequence, time, priority, ttl, 1, body.encode(), meta_type, meta.encode()
    )


def delivered(subscription: int, number: int, attempt: int, message: Outgoing) -> Delivered:
    return Delivered(
        subscription, attempt, PUBLISHER, message.sequence, number, *message[2:5], *message[0:1],
        *message[5:], number + 1000 if subscription == 4 else number + 1, subscription == 5,
    )  # fmt: skip


MESSAGES = [
    outgoing("llm.request", 1, 5, 0, '{"a":1}', '{"trace_id":"t"}'),
    outgoing("tool.result", 2, -3, 2500, "[]", ""),
    outgoing("llm.request", 3, 2**63 - 1, 0, '"é"', ""),
]
DELIVERIES = [
    delivered(4, 1001, 1, outgoing("llm.request", 1, 5, 0, '{"a":1}', "{}")),
    delivered(5, 17, 2, outgoing("tool.result", 2, 9, 2500, "[]", "")),
]
DELAYED = [
    Outgoing("jobs", sequence, 1_750_000_000_000_000_000, 5, 0, 1, b"{}", 0, b"")
    for sequence in (4, 5)
]
SETTLEMENTS = [
    _wire.Settlement(4, _wire.ACK, 2001, 0, b""),
    _wire.Settlement(
        4,
        _wire.NACK,
        2002,
        _wire.BY_BACKOFF,
        '{"error_type":"ValueError","error":"é"}'.encode(),
    ),
    _wire.Settlement(5, _wire.TERM, 2003, 0, b"{}"),
    _wire.Settlement(5, _wire.EXTEND, 2004, 30_000, b""),
]
MATRIX = np.array([[1, -2.5, 0], [3.25, 0.5, -1]], np.float32)

ENCODED = {
    "text": _wire.encode_text({"type": "ping"}),
    "call": b"".join(
        _wire.encode_call(
            7,
            "neuralcore.vectors.search",
            {"collection": "docs", "k": 3},
            [MATRIX, ["a", "", "Grüße 🙂"]],
            1500,
        )
    ),
    "call-empty": b"".join(_wire.encode_call(8, "neuralcore.system.info", {}, (), 0)),
    "answer": b"".join(
        _wire.encode_answer(
            7,
            {"counts": [2, 1]},
            [
                np.array([0.5, 0.25, -1], np.float32),
                np.array([1, -1, 2**63 - 1], np.int64),
                np.array([-7, 8, 9], np.int32),
            ],
        )
    ),
    "failure": b"".join(
        _wire.encode_failure(9, {"code": "NOT_FOUND", "message": "Collection 'x' is not there."})
    ),
    "publish": _wire.encode_publish(21, True, "atlas", PUBLISHER, MESSAGES),
    "published": _wire.encode_published(21, 2, [(3, 13)]),
    "deliver": _wire.encode_deliver(DELIVERIES),
    "credit": _wire.encode_credit([(4, 100), (5, 1)]),
    "publish-delayed": _wire.encode_publish(
        22, _wire.CONFIRM_DURABLE, "atlas", PUBLISHER, DELAYED, [0, 86_400_000_000]
    ),
    "settle": _wire.encode_settle(31, True, SETTLEMENTS),
    "settled": _wire.encode_settled(31, 3, 1),
    "flow": _wire.encode_flow("atlas", {"llm.stream": 0, "tool.result": 500}),
}


def test_there_is_a_case_for_every_file() -> None:
    assert {path.stem for path in GOLDEN.glob("*.bin")} == set(ENCODED)


@pytest.mark.parametrize("name", ENCODED)
def test_bytes_are_those_of_the_golden_file(name: str) -> None:
    assert ENCODED[name] == (GOLDEN / f"{name}.bin").read_bytes()


@pytest.mark.parametrize("name", ENCODED)
def test_every_truncation_is_refused(name: str) -> None:
    payload = (GOLDEN / f"{name}.bin").read_bytes()[4:]
    for length in range(len(payload)):
        with pytest.raises(errors.ProtocolError):
            _wire.decode(payload[:length])


def read(name: str) -> Any:
    (payload,) = _wire.FrameReader().feed((GOLDEN / f"{name}.bin").read_bytes())
    return _wire.decode(payload)


def test_calls_are_read() -> None:
    call = read("call")
    assert call[:4] == (7, "neuralcore.vectors.search", 1500, {"collection": "docs", "k": 3})
    np.testing.assert_array_equal(call.tensors[0], MATRIX)
    assert call.tensors[0].dtype == np.float32
    assert call.tensors[1] == ["a", "", "Grüße 🙂"]
    assert read("call-empty") == (8, "neuralcore.system.info", 0, {}, [])


def test_answers_are_read_into_arrays_that_can_be_written_to() -> None:
    answer = read("answer")
    assert answer.result == {"counts": [2, 1]}
    floats, longs, ints = answer.tensors
    assert (floats.dtype, longs.dtype, ints.dtype) == (np.float32, np.int64, np.int32)
    assert floats.tolist() == [0.5, 0.25, -1]
    assert longs.tolist() == [1, -1, 2**63 - 1]
    assert ints.tolist() == [-7, 8, 9]
    assert all(array.flags.writeable and array.flags.aligned for array in answer.tensors)


def test_messages_are_read() -> None:
    assert read("publish") == (21, 1, "atlas", PUBLISHER, MESSAGES, [])
    assert read("publish-delayed") == (22, 2, "atlas", PUBLISHER, DELAYED, [0, 86_400_000_000])
    assert read("deliver").deliveries == DELIVERIES
    assert read("published") == (21, 2, [(3, 13)])
    assert read("credit").grants == [(4, 100), (5, 1)]
    assert read("settle") == (31, True, SETTLEMENTS)
    assert read("settled") == (31, 3, 1)
    assert read("flow") == ("atlas", {"llm.stream": 0, "tool.result": 500})
    assert read("failure").error["code"] == "NOT_FOUND"
    assert read("text").json == {"type": "ping"}


def test_error_codes_are_those_of_the_daemon() -> None:
    golden = json.loads((GOLDEN / "error-codes.json").read_text())
    ours = [
        {"code": code, "number": number, "python": cls.__name__}
        for code, (number, cls) in errors.CODES.items()
    ]
    assert ours == golden
