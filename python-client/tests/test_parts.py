from __future__ import annotations

import random
import time
from typing import Any

import numpy as np
import pytest

from neuralcore import _parts
from neuralcore.errors import InvalidRequest, RequestTimeout

LIMIT = 16 << 20


def test_texts_are_cut_by_number_and_by_size() -> None:
    texts = ["x" * random.Random(7).randrange(2000)] * 2500
    parts = list(_parts.text_parts(texts, LIMIT))
    assert [len(p) for p in parts] == [1000, 1000, 500]
    assert [text for part in parts for text in part] == texts
    long = ["é" * 1_000_000] * 20
    parts = list(_parts.text_parts(long, LIMIT))
    assert [text for part in parts for text in part] == long
    assert all(sum(len(t.encode()) for t in part) < LIMIT - 60_000 for part in parts)


def test_a_text_that_is_none_is_named() -> None:
    wrong: list[Any] = ["a", None]
    with pytest.raises(InvalidRequest, match="Text 1 is a NoneType"):
        list(_parts.text_parts(wrong, LIMIT))
    with pytest.raises(InvalidRequest, match="ids is a single str"):
        _parts.id_list("abc", "ids")


@pytest.mark.parametrize(
    ("m", "n", "d"), [(1, 1, 1), (1, 10**6, 384), (5000, 5000, 384), (3, 4, 8192), (0, 5, 3)]
)
def test_blocks_fit_both_ways(m: int, n: int, d: int) -> None:
    rows, columns = _parts.blocks(m, n, d, LIMIT)
    assert 4 * d * (min(rows, m) + min(columns, n)) < LIMIT
    assert 4 * min(rows, m) * min(columns, n) < LIMIT


def test_small_products_are_one_request() -> None:
    assert _parts.blocks(3, 10_000, 384, LIMIT) == (3, 10_000)


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
def test_the_best_of_parts_are_the_best_of_all(metric: str) -> None:
    seed = random.randrange(2**32)
    print("seed", seed)
    rng = np.random.default_rng(seed)
    scores = rng.integers(0, 20, (5, 100)).astype(np.float32)  # many ties
    sign = 1 if metric == "euclidean" else -1
    expected = np.argsort(sign * scores, axis=1, kind="stable")[:, :10]
    parts = []
    for part in _parts.ranges(100, 17):
        order = np.argsort(sign * scores[:, part], axis=1, kind="stable")[:, :10]
        parts.append((order + part.start, np.take_along_axis(scores[:, part], order, 1)))
    indexes, best = _parts.merge_top_k(parts, 10, metric)
    np.testing.assert_array_equal(indexes, expected)
    np.testing.assert_array_equal(best, np.take_along_axis(scores, expected, 1))


def test_matrices() -> None:
    array, single = _parts.matrix([1, 2, 3], "queries")
    assert (array.shape, array.dtype, single) == ((1, 3), np.float32, True)
    array, single = _parts.matrix([[1, 2], [3, 4]], "queries")
    assert (array.shape, single) == ((2, 2), False)
    assert _parts.matrix([], "queries")[0].shape[0] == 0
    for wrong in ([[1, 2], [3]], np.ones((2, 2, 2)), "text", 3.0):
        with pytest.raises(InvalidRequest, match="queries"):
            _parts.matrix(wrong, "queries")
    with pytest.raises(InvalidRequest, match="dimension 2, documents 3") as caught:
        _parts.check_width(np.ones((1, 2), np.float32), np.ones((1, 3), np.float32))
    assert caught.value.code == "DIMENSION_MISMATCH"


def test_hits_and_records_are_told_apart_by_the_counts() -> None:
    scores = np.array([0.5, 0.25, 1], np.float32)
    assert _parts.hits({"counts": [2, 0, 1]}, [["a", "b", "c"], scores]) == [
        [_parts.Hit("a", 0.5, None), _parts.Hit("b", 0.25, None)],
        [],
        [_parts.Hit("c", 1.0, None)],
    ]
    (record,) = _parts.records(
        {"found": ["a"], "metadata": [{"x": 1}]}, [np.ones((1, 3), np.float32)]
    )
    assert (record.id, record.vector.tolist(), record.metadata) == ("a", [1, 1, 1], {"x": 1})
    assert _parts.records({"found": []}, []) == []


def test_a_deadline_is_for_all_parts() -> None:
    assert _parts.Deadline(None).left() is None
    deadline = _parts.Deadline(0.000001)
    assert deadline.left() == 0.000001
    time.sleep(0.001)
    with pytest.raises(RequestTimeout):
        deadline.left()


class Axes:
    """What ``plot`` needs of matplotlib's."""

    def __init__(self) -> None:
        self.points = 0
        self.legends: list[str] = []

    def scatter(self, x: Any, y: Any, **_: object) -> None:
        assert np.isfinite([x, y]).all()
        self.points += len(x)

    def legend(self, title: str) -> None:
        self.legends.append(title)

    def set_title(self, title: str) -> None:
        self.title = title


@pytest.mark.parametrize("rows", [0, 1, 2, 30])
@pytest.mark.parametrize("dimension", [1, 5])
def test_a_picture_of_few_rows_and_dimensions(rows: int, dimension: int) -> None:
    vectors = np.random.default_rng(3).normal(size=(rows, dimension)).astype(np.float32)
    records = [_parts.Record(i, v, {"kind": i % 3}) for i, v in enumerate(vectors)]
    for color, legends in ((None, []), ("kind", ["kind"] if rows else []), ("missing", [])):
        ax = Axes()
        assert _parts.plot("few", records, color, ax) is ax
        assert (ax.points, ax.legends, ax.title) == (rows, legends, f"few: {rows} vectors")


def test_hits_that_an_answer_has_no_room_for_are_completed() -> None:
    result = {
        "counts": [2, 3],
        "complete": 1,
        "metadata": [{"i": 0}],
        "namespaces": ["", "n", "", "n", ""],
        "ids": [7, "a", "7", "a", 8],
    }
    scores = np.arange(5, dtype=np.float32)
    found = _parts.hits(result, [["7", "a", "7", "a", "8"], scores, np.ones((1, 2), np.float32)])
    assert [[hit.id for hit in hits] for hits in found] == [[7, "a"], ["7", "a", 8]]
    assert _parts.left_out(result, found) == [("n", ["a"]), ("", ["7"]), ("", [8])]
    records = [_parts.Record("a", np.zeros(2, np.float32), {"i": 1}, "text", "n")]
    whole = _parts.completed(found, records, metadata=True)
    assert [hit.metadata for hits in whole for hit in hits] == [
        {"i": 0},
        {"i": 1},
        None,
        {"i": 1},
        None,
    ]
    assert (whole[1][1].text, whole[1][1].score) == ("text", 3.0)
    bare = _parts.completed(found, records, metadata=False)[1][1]
    assert (bare.metadata, bare.text) == (None, None)
    assert bare.vector is records[0].vector
