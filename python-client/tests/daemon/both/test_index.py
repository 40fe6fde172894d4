"""HNSWIndex over the daemon and in the fallback."""

from __future__ import annotations

import struct

import numpy as np
import pytest

from neuralcore import HNSWIndex, _parts
from neuralcore.errors import NotFound, RequestTimeout

METRICS = ("cosine", "euclidean", "squared_euclidean", "dot_product")


@pytest.fixture
def rows():
    return np.random.default_rng(8).normal(size=(300, 16)).astype(np.float32)


def distances(rows, query, metric):
    x, q = rows.astype(np.float64), query.astype(np.float64)
    if metric == "cosine":
        return 1 - x @ q / np.linalg.norm(x, axis=1) / np.linalg.norm(q)
    if metric == "dot_product":
        return -(x @ q)
    squares = ((x - q) ** 2).sum(axis=1)
    return squares if metric == "squared_euclidean" else np.sqrt(squares)


@pytest.mark.parametrize("metric", METRICS)
def test_search_is_exact(client, rows, metric):
    with HNSWIndex(16, metric=metric, client=client) as index:
        assert index.add_batch(rows) == list(range(300))
        found = index.search_batch(rows[:9], k=12)
        for query, hits in zip(rows[:9], found, strict=True):
            exact = distances(rows, query, metric)
            assert [i for i, _ in hits] == np.argsort(exact, kind="stable")[:12].tolist()
            assert [d for _, d in hits] == pytest.approx(sorted(exact)[:12], abs=1e-4)
        assert [i for i, _ in index.search(rows[3], k=12)] == [i for i, _ in found[3]]


def test_ids_and_replacing(client, rows):
    with HNSWIndex(16, client=client) as index:
        assert index.add(rows[0]) == 0
        assert index.add(rows[1], id=41, metadata={"name": "x"}) == 41
        assert index.add(rows[2].tolist()) == 42
        assert index.add(rows[3], id=-7) == -7
        assert len(index) == 4
        assert index.metadata(41) == {"name": "x"}
        assert index.metadata(42) is None
        index.add(rows[4], id=41)
        assert len(index) == 4
        assert index.metadata(41) is None
        assert index.search(rows[4], k=1)[0][0] == 41
        assert -7 in index
        assert 5 not in index
        with pytest.raises(NotFound):
            index.metadata(5)


def test_a_filter_finds_all_there_are(client, rows):
    with HNSWIndex(16, client=client) as index:
        index.add_batch(rows)
        exact = np.argsort(distances(rows, rows[0], "cosine"), kind="stable")
        found = index.search(rows[0], k=5, filter_fn=lambda i: i % 50 == 7)
        assert [i for i, _ in found] == [i for i in exact if i % 50 == 7][:5]
        assert len(index.search(rows[0], k=50, filter_fn=lambda i: i % 50 == 7)) == 6
        assert index.search(rows[0], k=5, filter_fn=lambda i: False) == []


def test_single_adds_are_there_when_they_are_looked_for(client, rows):
    with HNSWIndex(16, m0=24, seed=7, client=client) as index:
        for i, row in enumerate(rows):
            index.add(row, id=1000 - i, metadata={"i": i})
        index.add(rows[7], id=1000)
        assert len(index) == 300
        (hit,) = index.search(rows[5], k=1, include_metadata=True)
        assert hit[0] == 995
        assert hit[2] == {"i": 5}
        first_two = {i for i, _ in index.search(rows[7], k=2)}
        assert first_two == {993, 1000}
        assert index.describe()["count"] == 300
        index.wait_until_built()


def test_what_could_not_be_sent_is_sent_with_the_next(client, rows, monkeypatch):
    with HNSWIndex(16, client=client) as index:
        index.add(rows[0])

        def fail(*_: object, **__: object) -> None:
            raise RequestTimeout("too slow")

        with monkeypatch.context() as broken:
            broken.setattr(client, "call", fail)
            with pytest.raises(RequestTimeout):
                index.search(rows[0])
        index.add(rows[1])
        assert {i for i, _ in index.search(rows[0])} == {0, 1}
        assert len(index) == 2


def test_an_empty_index(client, rows):
    with HNSWIndex(16, client=client) as index:
        assert index.search(rows[0]) == []
        assert index.search(rows[0], filter_fn=lambda i: True) == []
        assert index.add_batch([]) == []
        assert index.search_batch([]) == []


def test_max_elements_grows(client, rows):
    with HNSWIndex(16, max_elements=10, client=client) as index:
        index.add_batch(rows[:11])
        assert (len(index), index.max_elements) == (11, 20)
        for row in rows:
            index.add(row)
        assert (len(index), index.max_elements) == (311, 320)
        assert index.search(rows[4], k=2)[0][1] == pytest.approx(0, abs=1e-6)


def test_what_cannot_be_is_refused(client, rows):
    with HNSWIndex(16, client=client) as index:
        with pytest.raises(ValueError, match="vector: the value at row 0, column 2 is nan"):
            index.add([0.0, 1.0, float("nan")] + [0.0] * 13)
        with pytest.raises(ValueError, match="mismatch: 3 vs 16"):
            index.add([1.0, 2.0, 3.0])
        with pytest.raises(ValueError, match="2 ids came with 1"):
            index.add_batch(rows[:1], ids=[1, 2])
        with pytest.raises(ValueError, match="'k' is 0"):
            index.search(rows[0], k=0)
        with pytest.raises(ValueError, match="'k' is -1"):
            index.search(rows[0], k=-1, filter_fn=lambda i: True)
        index.add(rows[0])
        for id, message in ((1 << 63, "64 bits"), (1.5, "integer"), ("7", "integer")):
            with pytest.raises(ValueError, match=message):
                index.add(rows[0], id=id)
        assert [i for i, _ in index.search(rows[0])] == [0]
    with pytest.raises(ValueError, match="dimension is 0"):
        HNSWIndex(0, client=client)


@pytest.mark.parametrize(
    ("metadata", "message"),
    [
        ({"when": {1, 2}}, "vector 41 is not JSON: .*set"),
        ({"score": float("nan")}, "vector 41 is not JSON: .*float"),
        ({(1, 2): "x"}, "vector 41 is not JSON: .*tuple"),
        ([("a", 1)], "vector 41 is a list"),
    ],
)
def test_metadata_that_is_not_json_is_refused_where_it_is_added(
    client, rows, tmp_path, metadata, message
):
    with HNSWIndex(16, client=client) as index:
        index.add(rows[0], metadata={"fine": True})
        with pytest.raises(ValueError, match=message):
            index.add(rows[1], id=41, metadata=metadata)
        with pytest.raises(ValueError, match=message):
            index.add_batch(rows[:3], ids=[40, 41, 42], metadata=[None, metadata, {}])
        assert [i for i in range(50) if i in index] == [0]
        assert [i for i, _ in index.search(rows[0])] == [0]
        index.save(tmp_path / "index.nc")


def test_metadata_is_kept_as_it_was_when_it_was_added(client, rows, tmp_path):
    given = {"tags": ["a"], "pair": (1, 2), "x": np.float32(0.5)}
    with HNSWIndex(16, client=client) as index:
        index.add(rows[0], metadata=given)
        given["tags"].append("b")
        assert index.metadata(0) == {"tags": ["a"], "pair": [1, 2], "x": 0.5}
        index.save(tmp_path / "index.nc")
        with HNSWIndex.load(tmp_path / "index.nc", client=client) as loaded:
            assert loaded.metadata(0) == index.metadata(0)


def test_ids_are_made_an_array_once(client, rows, monkeypatch):
    made = []

    def counted(ids):
        made.append(len(ids))
        return as_before(ids)

    as_before = _parts.id_tensor
    monkeypatch.setattr(_parts, "id_tensor", counted)
    with HNSWIndex(16, client=client) as index:
        for row in rows[:7]:
            index.add(row)
        assert made == []
        index.add_batch(rows[:20])
        assert made == [7, 20]


def test_save_and_load(client, rows, tmp_path):
    path = tmp_path / "index.nc"
    with HNSWIndex(16, max_elements=500, m=8, metric="euclidean", client=client) as index:
        index.add_batch(rows, metadata=[{"i": i} if i % 3 else None for i in range(300)])
        index.add(rows[0], id=1000)
        index.save(path)
        before = index.search_batch(rows[:5], k=7)
    with HNSWIndex.load(path, client=client) as loaded:
        assert len(loaded) == 301
        assert (loaded.m, loaded.max_elements, loaded.metric) == (8, 500, "euclidean")
        for found, expected in zip(loaded.search_batch(rows[:5], k=7), before, strict=True):
            # Sums of vectors' lanes have no order that holds between compiled and interpreted code.
            assert found == [(id, pytest.approx(distance, rel=1e-5)) for id, distance in expected]
        assert loaded.metadata(4) == {"i": 4}
        assert loaded.metadata(3) is None
        assert loaded.add(rows[1]) == 1001
    assert [p.name for p in tmp_path.iterdir()] == ["index.nc"]
    # As any file that the process makes, not as a secret of its own.
    (tmp_path / "other").touch()
    assert path.stat().st_mode == (tmp_path / "other").stat().st_mode


@pytest.mark.parametrize(
    ("at", "change", "message"),
    [
        (0, b"PICKLED!", "not an index file"),
        (8, struct.pack("<I", 2), "has format 2"),
        (16, struct.pack("<Q", 299), "damaged"),
        (5000, b"\xff\xff", "checksum"),
    ],
)
def test_a_damaged_file_is_refused(client, rows, tmp_path, at, change, message):
    path = tmp_path / "index.nc"
    with HNSWIndex(16, client=client) as index:
        index.add_batch(rows)
        index.save(path)
    data = bytearray(path.read_bytes())
    data[at : at + len(change)] = change
    path.write_bytes(data)
    with pytest.raises(ValueError, match=message):
        HNSWIndex.load(path, client=client)
    path.write_bytes(data[:20])
    with pytest.raises(ValueError, match="not an index file"):
        HNSWIndex.load(path, client=client)


def test_the_dimension_of_an_empty_index_is_told_twice(client, tmp_path):
    path = tmp_path / "index.nc"
    with HNSWIndex(16, client=client) as index:
        index.save(path)
    data = bytearray(path.read_bytes())
    data[12] ^= 4
    path.write_bytes(data)
    with pytest.raises(ValueError, match="do not agree"):
        HNSWIndex.load(path, client=client)


def test_closing_frees_the_collection(client, rows):
    before = len(client.collections())
    index = HNSWIndex(16, client=client)
    index.add_batch(rows)
    assert len(client.collections()) == before + 1
    index.close()
    assert len(client.collections()) == before
    with pytest.raises(ValueError, match="closed"):
        index.search(rows[0])
    HNSWIndex(16, client=client)  # garbage at once
    assert len(client.collections()) == before
