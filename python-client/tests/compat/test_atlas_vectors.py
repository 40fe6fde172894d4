"""ATLAS's vector provider and its tools' adapter, over a real daemon and over the fallback."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import importlib
import inspect
import math
import random
import uuid
from collections.abc import Iterator
from datetime import datetime
from types import SimpleNamespace

import numpy as np
import pytest

import neuralcore
from compat.atlas_stand_in import atlas_at
from neuralcore.client import Client
from neuralcore.compat import atlas_vectors
from neuralcore.compat._atlas import storage_types, tool_types
from neuralcore.compat._atlas.filters import fits
from neuralcore.compat.atlas_vectors import (
    CollectionInfo,
    DistanceMetric,
    NeuralCoreVectorProvider,
    NeuralCoreVectorStoreAdapter,
    VectorDocument,
    VectorProvider,
    VectorRecord,
    make_adapter,
)
from neuralcore.compat.config import apply_config, configure_from_atlas
from neuralcore.errors import ConnectError
from neuralcore.fallback.client import FallbackClient


@pytest.fixture(params=["fallback", "daemon"])
def client(request: pytest.FixtureRequest) -> Iterator[Client]:
    if request.param == "fallback":
        opened: Client = FallbackClient()
    else:
        opened = request.getfixturevalue("neuralcore_daemon").client()
    before = {each["name"] for each in opened.collections()}
    yield opened
    with contextlib.suppress(ConnectError):  # a test may have closed it
        for name in {each["name"] for each in opened.collections()} - before:
            opened.collection(name).drop()
    opened.close()


@pytest.fixture(autouse=True)
def _nothing_left():
    yield
    atlas_vectors.restore_cosines()
    neuralcore._config = None


@pytest.fixture
async def provider(client):
    made = NeuralCoreVectorProvider(collection_prefix=f"{uuid.uuid4().hex}-", client=client)
    await made.initialize()
    return made


@pytest.fixture
def adapter(client):
    return NeuralCoreVectorStoreAdapter(index_name=uuid.uuid4().hex, client=client)


def documents(*vectors, **fields):
    return [VectorDocument(id=f"d{i}", vector=v, **fields) for i, v in enumerate(vectors)]


# The provider


async def test_it_is_a_provider_and_nothing_of_it_is_abstract(provider):
    assert isinstance(provider, VectorProvider)
    assert not inspect.isabstract(type(provider))
    assert provider.name == "neuralcore"
    assert "prefix" in repr(provider)


async def test_its_life(client):
    provider = NeuralCoreVectorProvider(client=client)
    assert not provider.is_initialized
    assert await provider.health_check() is False
    await provider.initialize()
    await provider.initialize()
    assert provider.is_initialized
    assert await provider.health_check(timeout=60) is True
    await provider.shutdown()
    await provider.shutdown()
    assert not provider.is_initialized
    assert client.collections() is not None  # it is not ours to close


async def test_a_store_that_is_gone_is_not_healthy(client):
    provider = NeuralCoreVectorProvider(client=client)
    await provider.initialize()
    client.close()
    assert await provider.health_check(timeout=60) is False
    with pytest.raises(storage_types.VectorStoreError) as refused:
        await provider.list_collections()
    assert isinstance(refused.value.__cause__, ConnectError)


@pytest.mark.parametrize("metric", list(DistanceMetric))
async def test_collections(provider, metric):
    info = await provider.create_collection("c", 3, metric=metric, metadata={"owner": "me"})
    assert info == CollectionInfo(
        name="c", dimension=3, metric=metric, index_type="hnsw", metadata={"owner": "me"}
    )
    assert (await provider.create_collection("c", 3, metric=metric)).dimension == 3
    await provider.create_collection("b", 2)
    assert [each.name for each in await provider.list_collections()] == ["b", "c"]
    await provider.upsert("c", documents([1, 2, 3], [4, 5, 6]))
    found = await provider.get_collection("c")
    assert (found.name, found.count) == ("c", 2)
    assert await provider.get_collection("no") is None
    assert await provider.delete_collection("c") is True
    assert await provider.delete_collection("c") is False
    assert await provider.get_collection("c") is None


async def test_another_collection_of_the_name_is_an_error(provider):
    await provider.create_collection("c", 3)
    for dimension, metric in ((4, DistanceMetric.COSINE), (3, DistanceMetric.EUCLIDEAN)):
        with pytest.raises(storage_types.VectorCollectionError, match="dimension 3"):
            await provider.create_collection("c", dimension, metric=metric)
    with pytest.raises(storage_types.VectorCollectionError, match="manhattan"):
        await provider.create_collection("d", 3, metric="manhattan")


async def test_what_is_put_comes_back(provider):
    await provider.create_collection("c", 2)
    document = VectorDocument(
        id="one",
        vector=[0.5, 2.0],
        content="its text",
        metadata={"tags": ["a", "b"], "deep": {"x": 1}, "none": None},
        namespace="n",
        created_at=datetime(2026, 1, 2, 3, 4, 5, 678),
    )
    assert await provider.upsert("c", [document, VectorDocument(id="", vector=[1, 1])]) == 2
    (found,) = await provider.get("c", ["one"])
    assert type(found) is VectorDocument
    assert found == document
    assert type(found.vector) is list
    (hit,) = await provider.search("c", [1, 4], top_k=1, namespace="n", include_vectors=True)
    assert hit.document == document
    (hit,) = await provider.search("c", [1, 4], top_k=1, namespace="n", include_metadata=False)
    assert (hit.document.vector, hit.document.metadata) == ([], {})
    assert hit.document.content == "its text"


async def test_putting_again_replaces(provider):
    await provider.create_collection("c", 2)
    await provider.upsert("c", documents([1, 0], metadata={"v": 1}, content="old"))
    await provider.upsert("c", documents([0, 1], metadata={"w": 2}))
    (found,) = await provider.get("c", ["d0"])
    assert (found.vector, found.metadata, found.content) == ([0, 1], {"w": 2}, None)
    assert (await provider.get_collection("c")).count == 1
    assert await provider.upsert("c", []) == 0


async def test_getting_and_deleting(provider):
    await provider.create_collection("c", 1)
    await provider.upsert("c", documents(*([i] for i in range(5))))
    found = await provider.get("c", ["d3", "no", "d1", "d3"])
    assert [document.id for document in found] == ["d3", "d1"]
    assert await provider.delete("c", ["d3", "no"]) == 1
    assert await provider.get("c", ["d3"]) == []
    assert await provider.get("c", []) == []
    assert await provider.delete("c", []) == 0


async def test_many_are_got_in_the_order_asked_for(provider):
    await provider.create_collection("c", 2)
    given = documents(*([i, 1] for i in range(700)))
    for namespace in ("a", "b"):
        await provider.upsert("c", given, namespace=namespace)
    ids = [document.id for document in reversed(given)]
    found = await provider.get("c", ids, namespace="b")
    assert [document.id for document in found] == ids
    everywhere = await provider.get("c", ids)
    assert [document.id for document in everywhere] == [id_ for id_ in ids for _ in "ab"]
    assert await provider.get("c", ids, namespace="elsewhere") == []


async def test_namespaces(provider):
    await provider.create_collection("c", 2)
    await provider.upsert("c", documents([1, 0]), namespace="a")
    await provider.upsert("c", documents([0, 1], namespace="b"))
    await provider.upsert("c", documents([1, 1]))
    assert [d.namespace for d in await provider.get("c", ["d0"], namespace="a")] == ["a"]
    everywhere = await provider.get("c", ["d0"])
    assert {document.namespace for document in everywhere} == {"a", "b", None}
    hits = await provider.search("c", [1, 0], namespace="b")
    assert [hit.document.namespace for hit in hits] == ["b"]
    assert len(await provider.search("c", [1, 0])) == 3
    assert await provider.delete("c", ["d0"], namespace="b") == 1
    assert await provider.delete("c", ["d0"]) == 2


async def test_one_upsert_of_several_namespaces(provider):
    await provider.create_collection("c", 1)
    given = [VectorDocument(id=n, vector=[1], namespace=n) for n in "abab"]
    assert await provider.upsert("c", given) == 4
    assert (await provider.get_collection("c")).count == 2


def cosine(a, b):
    return sum(x * y for x, y in zip(a, b, strict=True)) / (math.hypot(*a) * math.hypot(*b))


SCORES = {
    "cosine": lambda q, v: (cosine(q, v), 1 - cosine(q, v)),
    "euclidean": lambda q, v: (1 / (1 + math.dist(q, v)), math.dist(q, v)),
    "dot_product": lambda q, v: (np.dot(q, v), -np.dot(q, v)),
    "inner_product": lambda q, v: (np.dot(q, v), -np.dot(q, v)),
}


@pytest.mark.parametrize("metric", list(DistanceMetric))
async def test_scores_and_distances(provider, metric):
    seed = random.randrange(1 << 30)
    chance = np.random.default_rng(seed)
    vectors = chance.standard_normal((40, 5)).tolist()
    query = chance.standard_normal(5).tolist()
    await provider.create_collection("c", 5, metric=metric)
    await provider.upsert("c", documents(*vectors))
    hits = await provider.search("c", query, top_k=10)
    expected = {f"d{i}": SCORES[metric.value](query, v) for i, v in enumerate(vectors)}
    best = sorted(expected, key=lambda name: -expected[name][0])[:10]
    assert [hit.document.id for hit in hits] == best, f"seed {seed}"
    for hit in hits:
        score, distance = expected[hit.document.id]
        assert hit.score == pytest.approx(score, abs=1e-5)
        assert hit.distance == pytest.approx(distance, abs=1e-5)


async def test_equally_near_ones_come_by_id_however_many(provider):
    await provider.create_collection("c", 2)
    names = [f"{i:03}" for i in range(100)]
    random.shuffle(names)
    await provider.upsert("c", [VectorDocument(id=n, vector=[1, 1]) for n in names])
    for k in (1, 5, 99, 200):
        hits = await provider.search("c", [1, 1], top_k=k)
        assert [hit.document.id for hit in hits] == sorted(names)[:k]
    assert await provider.search("c", [1, 1], top_k=0) == []


FILTERS = [
    {},
    {"lang": "en"},
    {"lang": "en", "year": 2001},
    {"year": 2001.0},
    {"author": {"name": "Ada"}},
    {"author": {}},
    {"author": "Ada"},
    {"tags": ["a", "b"]},
    {"tags": "a"},
    {"flag": True},
    {"flag": 1},
    {"flag": False},
    {"none": None},
    {"missing": None},
    {"author.name": "Ada"},
    {"author": {"name": "Ada", "born": 1815}},
]
ROWS = [
    {},
    {"lang": "en", "year": 2001, "tags": ["a", "b"], "flag": True, "none": None},
    {"lang": "en", "year": 2002, "tags": ["a"], "flag": 1, "author": {"name": "Ada"}},
    {"lang": "de", "tags": "a", "flag": False, "author": {"name": "Ada", "born": 1815}},
    {"lang": ["en"], "tags": [["a", "b"]], "flag": 0, "author": "Ada"},
    {"author.name": "Ada", "author": {"other": 1}, "none": 0, "tags": ["b", "a"]},
    {"author": [{"name": "Ada"}], "year": "2001"},
]


@pytest.mark.parametrize("condition", FILTERS, ids=str)
async def test_filters_mean_what_they_mean_in_atlas(provider, adapter, condition):
    await provider.create_collection("c", 1)
    given = [VectorDocument(id=f"{i}", vector=[1], metadata=row) for i, row in enumerate(ROWS)]
    await provider.upsert("c", given)
    expected = {f"{i}" for i, row in enumerate(ROWS) if fits(row, condition)}
    hits = await provider.search("c", [1], filter=condition)
    assert {hit.document.id for hit in hits} == expected
    records = [VectorRecord(id=d.id, values=(1.0,), metadata=d.metadata) for d in given]
    await adapter.upsert_vectors("n", records)
    found = await adapter.query_vectors("n", (1.0,), top_k=9, metadata_filter=condition)
    assert {match.id for match in found.matches} == expected


def test_atlas_filters():
    row = {"a": 1, "b": {"c": [1, 2], "d": None}}
    assert fits(row, {})
    assert fits(row, {"b": {"c": [1, 2]}, "a": 1})
    assert fits(row, {"b": {}})
    assert not fits(row, {"b": {"c": [1]}})
    assert not fits(row, {"b": {"e": None}})
    assert not fits(row, {"a": {"x": 1}})


async def test_a_filter_that_ours_cannot_say_exactly_still_fills_the_answer(provider):
    await provider.create_collection("c", 1)
    rows = [VectorDocument(id=f"{i:03}", vector=[1], metadata={"t": [i % 50]}) for i in range(200)]
    await provider.upsert("c", rows)
    hits = await provider.search("c", [1], top_k=3, filter={"t": [49]})
    assert [hit.document.id for hit in hits] == ["049", "099", "149"]


async def test_our_own_filters_are_understood(provider):
    await provider.create_collection("c", 1)
    rows = [VectorDocument(id=f"{i}", vector=[1], metadata={"year": 2000 + i}) for i in range(5)]
    await provider.upsert("c", rows)
    hits = await provider.search("c", [1], filter={"year": {"$gte": 2003}})
    assert {hit.document.id for hit in hits} == {"3", "4"}
    hits = await provider.search("c", [1], filter={"$not": {"year": 2000}})
    assert len(hits) == 4


@pytest.mark.parametrize("embed", ["plain", "asynchronous"])
async def test_search_by_text(provider, embed):
    await provider.create_collection("c", 2)
    await provider.upsert("c", documents([1, 0], [0, 1]))

    def plain(text):
        return [float(text == "first"), float(text == "second")]

    async def asynchronous(text):
        return plain(text)

    function = plain if embed == "plain" else asynchronous
    hits = await provider.search_by_text("c", "second", embed_fn=function, top_k=1)
    assert [hit.document.id for hit in hits] == ["d1"]


async def test_what_is_wrong_is_atlas_error(provider):
    await provider.create_collection("c", 2)
    wrong = storage_types.VectorStoreError
    for vector in ([1, 2, 3], [1, math.nan], ["a", 2], [], [[1, 2]]):
        with pytest.raises(wrong):
            await provider.upsert("c", documents(vector))
        with pytest.raises(wrong):
            await provider.search("c", vector)
    with pytest.raises(wrong):
        await provider.upsert("c", documents([1, 2], metadata={"x": math.nan}))
    with pytest.raises(wrong, match="unheard"):
        await provider.search("c", [1, 2], filter={"x": {"$unheard": 1}})
    for absent in (
        provider.upsert("no", documents([1, 2])),
        provider.search("no", [1, 2]),
        provider.get("no", ["a"]),
        provider.delete("no", ["a"]),
    ):
        with pytest.raises(storage_types.VectorCollectionError, match=r"'.*no'"):
            await absent
    assert (await provider.get_collection("c")).count == 0


async def test_prefixes_keep_applications_apart(provider, client):
    other = NeuralCoreVectorProvider(collection_prefix="other-", client=client)
    await provider.create_collection("c", 2)
    assert await other.list_collections() == []
    await other.create_collection("c", 3)
    assert (await provider.get_collection("c")).dimension == 2


async def test_arrays_are_taken_too(provider):
    await provider.create_collection("c", 2)
    metadata = {"n": np.int64(3), "f": np.float32(0.5), "t": (1, 2), "d": datetime(2026, 1, 1)}
    await provider.upsert("c", documents(np.array([1.0, 2.0]), metadata=metadata))
    (hit,) = await provider.search("c", np.array([1, 2], np.float32), filter={"t": (1, 2)})
    assert hit.document.metadata == {"n": 3, "f": 0.5, "t": [1, 2], "d": "2026-01-01 00:00:00"}


async def test_many_at_a_time(provider):
    await provider.create_collection("c", 4)

    async def work(number):
        vectors = [[number, i, 1, 0] for i in range(10)]
        await provider.upsert("c", documents(*vectors), namespace=f"n{number}")
        return await provider.search("c", [number, 3, 1, 0], top_k=3, namespace=f"n{number}")

    found = await asyncio.gather(*map(work, range(20)))
    assert all(
        {hit.document.namespace for hit in hits} == {f"n{i}"} for i, hits in enumerate(found)
    )


async def test_the_graph_is_made_as_it_was_applied(client):
    apply_config({"vectors": {"hnsw_m": 1 << 20}})
    provider = NeuralCoreVectorProvider(client=client)
    with pytest.raises(storage_types.VectorStoreError, match="'m' is 1048576"):
        await provider.create_collection("c", 2)


# The adapter of the tools


def records(*vectors, **fields):
    return tuple(VectorRecord(id=f"r{i}", values=tuple(v), **fields) for i, v in enumerate(vectors))


async def test_a_round_trip(adapter):
    put = await adapter.upsert_vectors("space", records((1.0, 0.5), metadata={"k": "v"}))
    assert put == tool_types.UpsertResponse(namespace="space", ids=("r0",), upserted_count=1)
    found = await adapter.query_vectors(
        "space", (2.0, 1.0), top_k=5, metadata_filter=None, include_values=True
    )
    (match,) = found.matches
    assert (found.namespace, found.top_k) == ("space", 5)
    assert match == tool_types.QueryMatch(
        id="r0", score=pytest.approx(1.0), values=(1.0, 0.5), metadata={"k": "v"}
    )
    assert type(match.values[0]) is float
    gone = await adapter.delete_namespace("space")
    assert gone == tool_types.DeleteResponse(namespace="space", removed_ids=("r0",), deleted=True)
    again = await adapter.delete_namespace("space")
    assert again == tool_types.DeleteResponse(namespace="space", removed_ids=(), deleted=False)


async def test_values_come_if_they_are_asked_for(adapter):
    await adapter.upsert_vectors("n", records((1.0, 0.0)))
    found = await adapter.query_vectors("n", (1.0, 0.0), top_k=1)
    assert found.matches[0].values is None


async def test_a_namespace_that_is_not_known_has_no_matches(adapter):
    query = {"top_k": 3, "metadata_filter": None, "include_values": False}
    assert (await adapter.query_vectors("n", (1.0,), **query)).matches == ()
    await adapter.upsert_vectors("n", records((1.0,)))
    assert (await adapter.query_vectors("other", (1.0, 2.0), **query)).matches == ()


async def test_namespaces_differ_in_dimension_but_not_within(adapter):
    wrong = tool_types.VectorValidationError
    await adapter.upsert_vectors("a", records((1.0, 0.0)))
    await adapter.upsert_vectors("b", records((1.0, 0.0, 0.0)))
    with pytest.raises(wrong, match="of 2 numbers, not of 3"):
        await adapter.upsert_vectors("a", records((1.0, 0.0, 0.0)))
    with pytest.raises(wrong, match="of 2 numbers, not of 3"):
        await adapter.query_vectors("a", (1.0, 0.0, 0.0), top_k=1)
    with pytest.raises(wrong, match="of 2 numbers, not of 7"):
        await adapter.query_vectors("a", (1.0,) * 7, top_k=1)
    with pytest.raises(wrong, match="differ in length"):
        await adapter.upsert_vectors("c", records((1.0,), (1.0, 2.0)))
    await adapter.delete_namespace("a")
    await adapter.upsert_vectors("a", records((1.0, 0.0, 0.0)))
    assert len((await adapter.query_vectors("b", (1.0, 0.0, 0.0), top_k=5)).matches) == 1


async def test_matches_come_by_score_then_id(adapter):
    given = [VectorRecord(id=n, values=(1.0, 1.0)) for n in ("b", "c", "a")]
    await adapter.upsert_vectors("n", [*given, VectorRecord(id="z", values=(1.0, 0.9))])
    found = await adapter.query_vectors("n", (1.0, 0.9), top_k=3)
    assert [match.id for match in found.matches] == ["z", "a", "b"]


async def test_l2(client):
    adapter = NeuralCoreVectorStoreAdapter(index_name="l2", metric="L2", client=client)
    await adapter.upsert_vectors("n", records((0.0, 3.0), (4.0, 0.0), (0.0, 0.0)))
    found = await adapter.query_vectors("n", (0.0, 0.0), top_k=3)
    assert [(m.id, m.score) for m in found.matches] == [
        ("r2", pytest.approx(1)),
        ("r0", pytest.approx(1 / 4)),
        ("r1", pytest.approx(1 / 5)),
    ]


async def test_what_is_wrong_is_refused_as_atlas_does(adapter, client):
    wrong = tool_types.VectorValidationError
    with pytest.raises(wrong):
        await adapter.upsert_vectors("n", records((1.0, math.inf)))
    for call in (
        adapter.query_vectors("*", (1.0,), top_k=1),
        adapter.upsert_vectors("*", records((1.0,))),
        adapter.delete_namespace("*"),
    ):
        with pytest.raises(wrong, match=r"'\*'"):
            await call
    with pytest.raises(tool_types.VectorStoreConfigurationError, match="chebyshev"):
        NeuralCoreVectorStoreAdapter(metric="chebyshev")
    await adapter.upsert_vectors("n", records((1.0,)))
    assert (await adapter.upsert_vectors("n", ())).upserted_count == 0
    client.close()
    with pytest.raises(tool_types.VectorStoreOperationError):
        await adapter.query_vectors("n", (1.0,), top_k=1)


async def test_processes_that_name_the_same_index_share_it(client):
    one, two = (NeuralCoreVectorStoreAdapter(index_name="shared", client=client) for _ in range(2))
    await one.upsert_vectors("n", records((1.0, 2.0)))
    assert len((await two.query_vectors("n", (1.0, 2.0), top_k=1)).matches) == 1
    other = NeuralCoreVectorStoreAdapter(index_name="shared.not", client=client)
    assert (await other.query_vectors("n", (1.0, 2.0), top_k=1)).matches == ()
    assert not (await other.delete_namespace("n")).deleted


async def test_settings_of_the_tool():
    tools = {"vector_store": {"adapters": {"neuralcore": {"index_name": "mine", "metric": "l2"}}}}
    manager = SimpleNamespace(get_config=lambda key, default: {"tools": tools}.get(key, default))
    assert "mine" in repr(make_adapter(manager, {}))
    assert "'l2'" in repr(make_adapter(manager, {"index_name": "other"}))
    assert "other" in repr(make_adapter(manager, {"index_name": "other"}))
    assert "default" in repr(make_adapter(None, {}))
    wrong = tool_types.VectorStoreConfigurationError
    with pytest.raises(wrong, match=r"tools\.vector_store\.adapters\.neuralcore\.exact"):
        make_adapter(manager, {"exact": "maybe"})
    tools["vector_store"] = 3
    with pytest.raises(wrong, match=r"tools\.vector_store"):
        make_adapter(manager, {})


# In ATLAS

STORE = """
from neuralcore.compat._atlas.tool_types import (
    DeleteResponse, QueryMatch, QueryResponse, UpsertResponse, VectorRecord,
    VectorStoreConfigurationError, VectorStoreError, VectorStoreOperationError,
    VectorValidationError,
)
registry = {}
register_vector_store_adapter = registry.__setitem__
"""
BASE = """
from neuralcore.compat._atlas.storage_types import *
registry = {}
def register_vector_provider(name):
    return lambda cls: registry.setdefault(name, cls)
"""
FILES = {
    "modules/Tools/Base_Tools/vector_store.py": STORE,
    "modules/storage/vectors/base.py": BASE,
    "modules/conversation_store/vector_pipeline.py": "def _cosine_similarity(a, b): return 7",
}


def test_register(tmp_path):
    with atlas_at(tmp_path, FILES):
        pipeline = importlib.import_module("modules.conversation_store.vector_pipeline")
        off = configure_from_atlas(config={"neuralcore": {"vectors": False}})
        assert atlas_vectors.register(off) is False
        assert pipeline._cosine_similarity([1.0], [1.0]) == 7
        assert atlas_vectors.register() is True
        assert atlas_vectors.register() is True
        tool = importlib.import_module("modules.Tools.Base_Tools.vector_store")
        base = importlib.import_module("modules.storage.vectors.base")
        assert isinstance(tool.registry["neuralcore"](None, {}), NeuralCoreVectorStoreAdapter)
        assert base.registry["neuralcore"] is atlas_vectors.NeuralCoreVectorProvider
        assert issubclass(base.registry["neuralcore"], base.VectorProvider)
        assert pipeline._cosine_similarity([1.0], [1.0]) == 1.0


def test_without_atlas_there_is_nothing_to_register_with():
    assert atlas_vectors.register() is False


async def test_a_storage_manager_gets_the_provider(client):
    registered = {}
    registry = SimpleNamespace(
        register_instance=lambda name, each, *, default: registered.update({name: (each, default)})
    )
    manager = SimpleNamespace(_vector_provider=None, _vector_registry=registry)
    provider = await atlas_vectors.attach(manager, client=client)
    assert provider.is_initialized
    assert manager._vector_provider is provider
    assert registered == {"neuralcore": (provider, True)}


def test_equivalents_have_atlas_fields():
    names = {
        storage_types.VectorDocument: "id vector content metadata namespace created_at",
        storage_types.VectorSearchResult: "document score distance",
        storage_types.CollectionInfo: "name dimension count metric index_type metadata",
        tool_types.VectorRecord: "id values metadata",
        tool_types.QueryMatch: "id score values metadata",
        tool_types.UpsertResponse: "namespace ids upserted_count",
        tool_types.QueryResponse: "namespace matches top_k",
        tool_types.DeleteResponse: "namespace removed_ids deleted",
    }
    for cls, fields in names.items():
        assert [field.name for field in dataclasses.fields(cls)] == fields.split()
    record = VectorRecord("a", (1.0,), {"k": 1})
    with pytest.raises(TypeError):
        record.metadata["k"] = 2
