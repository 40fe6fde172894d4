"""Client and AsyncClient on a real daemon; requests larger than a frame among them."""

from __future__ import annotations

import numpy as np
import pytest

from neuralcore.aio import connect_async
from neuralcore.client import Client
from neuralcore.errors import InvalidRequest, NotFound
from neuralcore.testing import RunningDaemon

rng = np.random.default_rng(20261122)


def unit(rows: int, dimension: int) -> np.ndarray:
    vectors = rng.standard_normal((rows, dimension), np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


# By how much a number of an int8 vector may move with its batch.
VARIES = 0.03


def test_similarity_in_one_frame_and_in_many(client: Client) -> None:
    for m, n, d in [(1, 1, 3), (7, 5, 384), (3000, 2500, 100), (3, 30_000, 384)]:
        q, x = unit(m, d), unit(n, d)
        scores = client.similarity(q, x)
        assert (scores.shape, scores.dtype) == ((m, n), np.float32)
        np.testing.assert_allclose(scores, q @ x.T, atol=1e-5)
    assert client.similarity(q[0], x).shape == (30_000,)
    assert client.similarity(np.empty((0, 3)), x[:, :3]).shape == (0, 30_000)
    with pytest.raises(InvalidRequest, match="dimension 3, documents 4"):
        client.similarity([[1, 2, 3]], [[1, 2, 3, 4]])


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
def test_top_k_of_more_documents_than_fit_a_frame(client: Client, metric: str) -> None:
    q, x = unit(5, 384), unit(30_000, 384)
    indexes, scores = client.top_k(q, x, 7, metric=metric)
    assert (indexes.shape, indexes.dtype, scores.dtype) == ((5, 7), np.int64, np.float32)
    # Of unit vectors the nearest are the same by either metric.
    expected = np.argsort(-(q @ x.T), axis=1)[:, :7]
    np.testing.assert_array_equal(indexes, expected)
    one, _ = client.top_k(q[0], x[:3], 10, metric=metric)
    assert sorted(one.tolist()) == [0, 1, 2]


def test_collections(client: Client) -> None:
    docs = client.collection("docs", 64)
    try:
        vectors = unit(1000, 64)
        ids = [f"id-{i}" for i in range(1000)]
        metadata = [{"i": i} if i % 2 else None for i in range(1000)]
        assert docs.upsert(ids, vectors, metadata) == (1000, 0)
        assert docs.upsert(ids[:3], vectors[:3]) == (0, 3)
        hits = docs.search(vectors[5], 3, include_metadata=True)
        assert hits[0].id == "id-5"
        assert hits[0].score == pytest.approx(1, abs=1e-5)
        assert hits[0].metadata == {"i": 5}
        batch = docs.search_batch(vectors[:20], 2)
        assert [found[0].id for found in batch] == ids[:20]
        assert batch[0][0].metadata is None
        records = docs.get(["id-7", "not there", "id-8"])
        assert [(r.id, r.metadata) for r in records] == [("id-7", {"i": 7}), ("id-8", None)]
        np.testing.assert_allclose(records[0].vector, vectors[7], atol=1e-6)
        info = docs.info()
        assert info is not None
        assert (info["count"], info["dimension"]) == (1000, 64)
        assert docs.delete(["id-7", "not there"]) == 1
        assert docs.get(["id-7"]) == []
        assert client.collection("docs", 64).name == "docs"
        with pytest.raises(InvalidRequest, match="3 ids, 2 vectors"):
            docs.upsert(["a", "b", "c"], vectors[:2])
        with pytest.raises(InvalidRequest, match="ids is a single str"):
            docs.delete("abc")
    finally:
        assert docs.drop()
    assert not docs.drop()
    assert docs.info() is None
    with pytest.raises(NotFound):
        docs.search(vectors[0])


def test_an_upsert_larger_than_a_frame(client: Client) -> None:
    large = client.collection("large", 384)
    try:
        vectors = unit(20_000, 384)
        metadata = [{"text": "x" * 1000}] * 20_000
        assert large.upsert([str(i) for i in range(20_000)], vectors, metadata) == (20_000, 0)
        found = large.search_batch(vectors[::400], 1)
        assert [hits[0].id for hits in found] == [str(i) for i in range(0, 20_000, 400)]
        assert len(large.get([str(i) for i in range(2500)])) == 2500
    finally:
        large.drop()


def test_embeddings(client: Client) -> None:
    texts = ["a cat sat on the mat", "", "the feline rested", "stock prices fell"]
    vectors = client.embed(texts)
    assert (vectors.shape, vectors.dtype) == ((4, 384), np.float32)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    one = client.embed(texts[0])
    assert one.shape == (384,)
    np.testing.assert_allclose(one, vectors[0], atol=VARIES)
    np.testing.assert_allclose(client.embed_query(texts[0]), one, atol=VARIES)
    assert client.embed([]).shape[0] == 0
    models = client.models()
    assert any(model["dimension"] == 384 for model in models)
    with pytest.raises(NotFound, match="no-such-model"):
        client.embed("x", model="no-such-model")
    with pytest.raises(InvalidRequest, match="Text 1 is a int"):
        client.embed(["a", 1])  # type: ignore[list-item]


def test_more_texts_than_one_request_takes(client: Client) -> None:
    texts = [f"w{i}" for i in range(2100)]
    vectors = client.embed(texts, timeout=300)
    assert vectors.shape == (2100, 384)
    np.testing.assert_allclose(client.embed(texts[2050]), vectors[2050], atol=VARIES)


async def test_the_asynchronous_client_does_the_same(neuralcore_daemon: RunningDaemon) -> None:
    async with await connect_async(neuralcore_daemon.url) as client:
        vectors = await client.embed(["a", "b"])
        assert vectors.shape == (2, 384)
        docs = await client.collection("async-docs", 384)
        assert await docs.upsert(["a", "b"], vectors) == (2, 0)
        assert (await docs.search(vectors[1], 1))[0].id == "b"
        assert await docs.drop()
        assert (await client.similarity(vectors, vectors)).shape == (2, 2)
        assert (await client.info())["version"]
