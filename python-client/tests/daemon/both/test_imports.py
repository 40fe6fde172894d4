"""Files of other programs: hnswlib's index, ATLAS's JSON."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import numpy as np
import pytest

from neuralcore import HNSWIndex
from neuralcore.errors import InvalidRequest
from neuralcore.vectors import import_atlas_json

ROWS = np.random.default_rng(6).normal(size=(40, 12)).astype(np.float32)


def hnswlib_file(deleted: int = 7) -> bytes:
    """What ``saveIndex`` of hnswlib writes for 40 elements, with M 4 and room for 50."""
    m, m0, room = 4, 8, 50
    links = 4 * m0 + 4
    size = links + ROWS.shape[1] * 4 + 8
    head = struct.pack(
        "<QQQQQQiIQQQdQ", 0, room, 40, size, size - 8, links, 0, 0, m, m0, m, 0.7, 120
    )
    elements = b""
    for i, row in enumerate(ROWS):
        marks = bytearray(links)
        marks[2] = 1 if i == deleted else 0
        elements += bytes(marks) + row.tobytes() + struct.pack("<q", 1000 + i)
    return head + elements + 40 * struct.pack("<I", 0)


def test_an_index_of_hnswlib(client, tmp_path):
    path = tmp_path / "hnswlib.bin"
    path.write_bytes(hnswlib_file())
    with HNSWIndex.load_hnswlib(path, metric="squared_euclidean", client=client) as index:
        assert len(index) == 39
        assert 1007 not in index
        assert (index.dimension, index.m, index.m0, index.ef_construction) == (12, 4, 8, 120)
        assert index.max_elements == 50
        assert index.search(ROWS[3], k=1) == [(1003, pytest.approx(0.0, abs=1e-6))]


def test_an_index_that_hnswlib_wrote(client):
    # hnswlib 0.8.0: Index("l2", 12), init_index(60, M=8, ef_construction=50, random_seed=100),
    # add_items(ROWS, 3 * np.arange(40)), mark_deleted(9), save_index.
    theirs = Path(__file__).with_name("hnswlib-0.8.0.bin")
    with HNSWIndex.load_hnswlib(theirs, metric="squared_euclidean", client=client) as index:
        assert len(index) == 39
        assert 9 not in index
        assert index.max_elements == 60
        assert index.search(ROWS[5], k=1) == [(15, pytest.approx(0.0, abs=1e-6))]


@pytest.mark.parametrize(
    ("at", "change"),
    [
        (8, struct.pack("<Q", 3)),  # less room than elements
        (16, struct.pack("<Q", 1 << 60)),  # more elements than the file holds
        (24, struct.pack("<Q", 17)),  # elements of another size
        (40, struct.pack("<Q", 1 << 40)),  # vectors elsewhere
    ],
)
def test_an_index_whose_numbers_do_not_fit_is_refused(client, tmp_path, at, change):
    data = bytearray(hnswlib_file())
    data[at : at + len(change)] = change
    path = tmp_path / "bad.bin"
    path.write_bytes(data)
    with pytest.raises(InvalidRequest, match="not an index of hnswlib"):
        HNSWIndex.load_hnswlib(path, client=client)
    path.write_bytes(data[:50])
    with pytest.raises(InvalidRequest, match="50 bytes"):
        HNSWIndex.load_hnswlib(path, client=client)


@pytest.mark.parametrize("cut", [-1, -5, -160])
def test_an_index_that_is_cut_off_is_refused(client, tmp_path, cut):
    path = tmp_path / "cut.bin"
    path.write_bytes(hnswlib_file()[:cut])
    with pytest.raises(InvalidRequest, match="does not end where its links do"):
        HNSWIndex.load_hnswlib(path, client=client)
    path.write_bytes(hnswlib_file() + b"more")
    with pytest.raises(InvalidRequest, match="does not end where its links do"):
        HNSWIndex.load_hnswlib(path, client=client)


def entry(i: int) -> dict[str, object]:
    return {"id": f"v{i}", "values": ROWS[i].tolist(), "metadata": {"i": i}}


def test_vectors_of_atlas(client, tmp_path):
    path = tmp_path / "store.json"
    content = {"a": {f"v{i}": entry(i) for i in range(5)}, "b": {"v9": entry(9)}, "empty": {}}
    path.write_text(json.dumps(content))
    collection = client.collection("from-atlas", 12)
    try:
        assert import_atlas_json(collection, path) == 6
        assert [r.id for r in collection.scroll(namespace="a")] == [f"v{i}" for i in range(5)]
        (record,) = collection.get(["v9"], namespace="b")
        assert record.metadata == {"i": 9}
        assert np.allclose(record.vector, ROWS[9])
        for bad, message in (
            ([1], "does not hold an object"),
            ({"a": [1]}, "'a' is not an object"),
            ({"a": {"x": {"values": 3}}}, "no list of values"),
            ({"a": {"x": entry(1), "y": {"values": [1.0]}}}, "cannot be made a matrix"),
            # What stands before it is not put either.
            ({"a": {"x": entry(1)}, "b": {"y": {"values": [1.0]}}}, "differ in length"),
            ({"a": {"x": entry(1)}, "b": {"y": {"values": [None] * 12}}}, "row 0, column 0 is nan"),
            ({"a": {"x": entry(1)}, "b": {"y": {"values": ["1"] * 12}}}, "real numbers"),
            ({"a": {"x": entry(1)}, "*": {"y": entry(1)}}, "cannot be '\\*'"),
        ):
            path.write_text(json.dumps(bad))
            with pytest.raises(InvalidRequest, match=message):
                import_atlas_json(collection, path)
        path.write_text("{")
        with pytest.raises(InvalidRequest, match="not JSON"):
            import_atlas_json(collection, path)
        assert (collection.count(), collection.count(namespace="a")) == (6, 5)
        assert collection.get(["x"], namespace="a") == []
    finally:
        collection.drop()
