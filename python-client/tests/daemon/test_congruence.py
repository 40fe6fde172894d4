"""The same calls on the daemon and on the fallback give the same."""

from __future__ import annotations

import importlib.util
import struct
import uuid
from gzip import decompress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from neuralcore.embedding import EmbeddingEngine
from neuralcore.errors import NeuralCoreError
from neuralcore.fallback.client import FallbackClient
from neuralcore.vectors import cosine_similarity_batch, top_k_similar

METRICS = ("cosine", "euclidean", "squared_euclidean", "dot_product")
GOLDEN = Path(__file__).parents[3] / "src/test/resources/embedding/all-MiniLM-L6-v2.golden.gz"
RUNS = settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.fixture
def daemon(neuralcore_daemon):
    with neuralcore_daemon.client() as client:
        yield client


@pytest.fixture
def fallback():
    with FallbackClient() as client:
        yield client


@st.composite
def matrices(draw, most_rows):
    """Two float32 matrices of one width; the seed makes the values, hypothesis the shapes."""
    rows = st.integers(1, most_rows)
    m, n, d = draw(rows), draw(rows), draw(st.integers(1, 70))
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    scale = draw(st.sampled_from([1e-3, 1.0, 1e3]))
    zeroed = draw(st.booleans())
    q = (random.normal(size=(m, d)) * scale).astype(np.float32)
    documents = (random.normal(size=(n, d)) * scale).astype(np.float32)
    if zeroed:
        q[0] = 0.0
        documents[-1] = 0.0
    return q, documents


def tolerance(q, d, metric):
    """What float32 sums may differ by."""
    lengths = np.linalg.norm(q, axis=1).max() * np.linalg.norm(d, axis=1).max()
    squares = (np.linalg.norm(q, axis=1).max() + np.linalg.norm(d, axis=1).max()) ** 2
    return {
        "cosine": 2e-6,
        "dot_product": 2e-6 * lengths,
        "squared_euclidean": 2e-6 * squares,
        "euclidean": 2e-3 * np.sqrt(squares),  # near zero the root magnifies the error
    }[metric] + 1e-12


@pytest.mark.parametrize("metric", METRICS)
@RUNS
@given(pair=matrices(9))
def test_similarity(daemon, fallback, metric, pair):
    there = daemon.similarity(*pair, metric=metric)
    here = fallback.similarity(*pair, metric=metric)
    assert there.dtype == here.dtype == np.float32
    assert there.shape == here.shape
    np.testing.assert_allclose(there, here, atol=tolerance(*pair, metric), rtol=1e-5)


@pytest.mark.parametrize("metric", METRICS)
@RUNS
@given(pair=matrices(40), k=st.integers(1, 50))
def test_top_k(daemon, fallback, metric, pair, k):
    q, d = pair
    there, there_scores = daemon.top_k(q, d, k, metric=metric)
    here, here_scores = fallback.top_k(q, d, k, metric=metric)
    assert there.shape == here.shape == (len(q), min(k, len(d)))
    np.testing.assert_allclose(there_scores, here_scores, atol=tolerance(q, d, metric), rtol=1e-5)
    # Equally near ones may change places where rounding differs.
    exact = fallback.similarity(q, d, metric=metric)
    np.testing.assert_allclose(
        np.take_along_axis(exact, there, 1),
        np.take_along_axis(exact, here, 1),
        atol=2 * tolerance(q, d, metric),
        rtol=1e-5,
    )


# Of the cosine, NumPy rounds equal rows differently.
@pytest.mark.parametrize("metric", [metric for metric in METRICS if metric != "cosine"])
def test_ties_go_by_index(daemon, fallback, metric):
    random = np.random.default_rng(11)
    rows = random.integers(-1, 2, size=(60, 3)).astype(np.float32)
    there, _ = daemon.top_k(rows[:5], rows, 30, metric=metric)
    here, _ = fallback.top_k(rows[:5], rows, 30, metric=metric)
    assert there.tolist() == here.tolist()


def operations(seed):
    """A life of a collection: every step is a method's name and its arguments."""
    random = np.random.default_rng(seed)
    for step in range(60):
        ids = [f"id-{random.integers(40)}" for _ in range(random.integers(1, 8))]
        vectors = random.normal(size=(len(ids), 12)).astype(np.float32)
        metadata = [{"step": step, "i": i} if i % 2 else None for i in range(len(ids))]
        yield [
            ("upsert", (ids, vectors, metadata if step % 3 else None), {}),
            ("delete", (ids[:3],), {}),
            ("get", (ids,), {}),
            ("search_batch", (vectors, 1 + step % 7), {"include_metadata": True}),
        ][random.integers(4)]


@pytest.mark.parametrize("metric", METRICS)
def test_the_life_of_a_collection(daemon, fallback, metric):
    name = f"test-{uuid.uuid4().hex}"
    collections = [c.collection(name, 12, metric=metric) for c in (daemon, fallback)]
    for step, (verb, args, options) in enumerate(operations(seed=2026)):
        there, here = (getattr(c, verb)(*args, **options) for c in collections)
        what = f"step {step}: {verb} of seed 2026"
        if verb == "get":
            assert [(r.id, r.metadata) for r in there] == [(r.id, r.metadata) for r in here], what
            for a, b in zip(there, here, strict=True):
                assert np.array_equal(a.vector, b.vector), what
        elif verb == "search_batch":
            for a, b in zip(there, here, strict=True):
                assert [(h.id, h.metadata) for h in a] == [(h.id, h.metadata) for h in b], what
                assert [h.score for h in a] == pytest.approx([h.score for h in b], abs=1e-5), what
        else:
            assert there == here, what
    for collection in collections:
        assert collection.info()["count"] > 0
        assert collection.info()["metric"] == metric
        assert collection.drop() is True
        assert collection.drop() is False


NAN = np.array([[np.nan, 1.0]], np.float32)
ONES = np.ones((2, 2), np.float32)
WRONG = {
    "unknown collection": ("vectors.search", {"collection": "no", "k": 1}, [ONES]),
    "no k": ("vectors.search", {"collection": "C", "k": 0}, [ONES]),
    "wrong dimension": ("vectors.search", {"collection": "C", "k": 1}, [np.ones((1, 3), "f4")]),
    "query not finite": ("vectors.search", {"collection": "C", "k": 1}, [NAN]),
    "vector not finite": ("vectors.upsert", {"collection": "C"}, [["a"], NAN]),
    "ids too few": ("vectors.upsert", {"collection": "C"}, [["a"], ONES]),
    "metadata too few": ("vectors.upsert", {"collection": "C", "metadata": []}, [["a", "b"], ONES]),
    "exists": ("vectors.create", {"collection": "C", "dimension": 2}, []),
    "exists with another dimension": (
        "vectors.create",
        {"collection": "C", "dimension": 3, "exist_ok": True},
        [],
    ),
    "no dimension": ("vectors.create", {"collection": "D", "dimension": 0}, []),
    "no such metric": ("vectors.create", {"collection": "D", "dimension": 2, "metric": "x"}, []),
    "widths differ": ("vectors.similarity", {"metric": "cosine"}, [ONES, np.ones((1, 3), "f4")]),
    "similarity of NaN": ("vectors.similarity", {"metric": "cosine"}, [NAN, ONES]),
    "top k of NaN": ("vectors.topk", {"metric": "cosine", "k": 1}, [ONES, NAN]),
    "unknown model": ("embedding.embed", {"model": "no-such-model"}, [["text"]]),
    "unknown service": ("vectors.fly", {}, []),
    "parameter missing": ("vectors.create", {"dimension": 2}, []),
    "metric missing": ("vectors.similarity", {}, [ONES, ONES]),
    "arrays missing": ("vectors.similarity", {"metric": "cosine"}, []),
}


@pytest.mark.parametrize("case", WRONG)
def test_the_same_is_refused_with_the_same_code(daemon, fallback, case):
    verb, params, tensors = WRONG[case]
    name = f"test-{uuid.uuid4().hex}"
    params = {key: name if value == "C" else value for key, value in params.items()}
    refused = []
    for client in (daemon, fallback):
        collection = client.collection(name, 2)
        with pytest.raises(NeuralCoreError) as caught:
            client.call(f"neuralcore.{verb}", params, tensors)
        refused.append((type(caught.value), caught.value.code))
        collection.drop()
    assert refused[0] == refused[1]


def test_module_functions_by_hand_and_by_daemon(daemon, monkeypatch):
    monkeypatch.setattr("neuralcore._default._client", daemon)
    random = np.random.default_rng(3)
    q = random.normal(size=(70, 33)).astype(np.float32)
    d = random.normal(size=(90, 33)).astype(np.float32)
    np.testing.assert_allclose(
        cosine_similarity_batch(q, d, where="daemon"),
        cosine_similarity_batch(q, d, where="local"),
        atol=2e-6,
    )
    assert [i for i, _ in top_k_similar(q[0], d, 5, where="daemon")] == [
        i for i, _ in top_k_similar(q[0], d, 5, where="local")
    ]


def test_matrices_that_do_not_fit_a_frame(daemon, monkeypatch):
    monkeypatch.setattr("neuralcore._default._client", daemon)
    monkeypatch.setattr(type(daemon), "binary_frame_limit", 200_000)
    random = np.random.default_rng(5)
    q = random.normal(size=(150, 64)).astype(np.float32)
    d = random.normal(size=(400, 64)).astype(np.float32)
    np.testing.assert_allclose(
        cosine_similarity_batch(q, d, where="daemon"),
        cosine_similarity_batch(q, d, where="local"),
        atol=2e-6,
    )


def golden():
    """Texts and the vectors that sentence-transformers gives (in float16)."""
    data = decompress(GOLDEN.read_bytes())
    count, dimension = struct.unpack_from("<II", data)
    at, texts, vectors = 8, [], []
    for _ in range(count):
        (length,) = struct.unpack_from("<I", data, at)
        texts.append(data[at + 4 : at + 4 + length].decode())
        at += 4 + length
        vectors.append(np.frombuffer(data, "<f2", dimension, at).astype(np.float32))
        at += 2 * dimension
    return texts, np.array(vectors)


# Torch weighs gigabytes, so the fallback takes part only where it is installed already.
EMBEDDERS = ["daemon"]
if importlib.util.find_spec("sentence_transformers") is not None:
    EMBEDDERS.append("fallback")


@pytest.mark.parametrize("kind", EMBEDDERS)
def test_embeddings_are_those_of_sentence_transformers(request, kind):
    engine = EmbeddingEngine(client=request.getfixturevalue(kind))
    texts, expected = golden()
    assert len(texts) >= 200
    vectors = engine.embed_batch(texts)
    assert vectors.shape == expected.shape
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    cosines = (vectors * expected).sum(axis=1)
    worst = int(cosines.argmin())
    # The daemon's default precision is the machine's choice; each has its own promise.
    least = {"fp32": 0.9999, "int8": 0.99}[request.getfixturevalue(kind).models()[0]["precision"]]
    assert cosines[worst] >= least, texts[worst][:80]


def test_invariant_vectors_do_not_depend_on_the_batch(daemon):
    engine = EmbeddingEngine(client=daemon, batch_invariant=True)
    texts = ["one text", "another, somewhat longer, text", "?", "🚀 " * 90, ""]
    together = engine.embed_batch(texts)
    for text, vector in zip(texts, together, strict=True):
        assert np.array_equal(engine.embed(text), vector)
