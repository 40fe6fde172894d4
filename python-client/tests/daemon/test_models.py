"""Models of one's own, and what engines can be asked for, over the daemon."""

from __future__ import annotations

import asyncio
import base64
import http.client
import itertools
import json
import shutil
import threading
from pathlib import Path

import numpy as np
import pytest
import tiny_model

from neuralcore import cli
from neuralcore.embedding import EmbeddingEngine, EmbeddingType, ModelConfig
from neuralcore.errors import InvalidRequest, NotFound


@pytest.fixture
def folder(tmp_path):
    return tiny_model.write(tmp_path / "tiny")


def test_a_model_in_a_folder(client, folder):
    engine = EmbeddingEngine(folder, client=client)
    assert engine.dimension == 2
    np.testing.assert_allclose(engine.embed("two"), [0, 1])
    plain = EmbeddingEngine(folder / "model.onnx", normalize=False, client=client)
    np.testing.assert_allclose(plain.embed_batch(["one two three", ""])[0], [-2 / 3, 5 / 3], 1e-5)
    assert engine.info()["state"] == "ready"
    assert engine.model in [model["name"] for model in client.models()]


@pytest.mark.parametrize(
    ("pooling", "expected"),
    [("cls", [1, 0]), ("max", [1, 3]), ("last_token", [-3, 3]), ("MeanWithAttention", [-2, 5])],
)
def test_how_it_is_pooled(client, folder, pooling, expected):
    config = ModelConfig(dimension=2, pooling=pooling)
    engine = EmbeddingEngine(
        folder / "model.onnx", folder / "tokenizer.json", config, normalize=False, client=client
    )
    vector = engine.embed("one two three")
    if pooling == "MeanWithAttention":
        vector = vector * 3
    np.testing.assert_allclose(vector, expected, 1e-5)


def test_kinds_have_prefixes(client, folder):
    config = ModelConfig(name="e5-small-v2", dimension=2, output_name="last_hidden_state")
    engine = EmbeddingEngine(folder, config=config, normalize=False, client=client)
    np.testing.assert_allclose(engine.embed_query("two"), [5, 1])
    np.testing.assert_allclose(engine.embed_document("two"), [0, 6])
    np.testing.assert_allclose(engine.embed_documents(["two"]), [[0, 6]])
    np.testing.assert_allclose(engine.embed_with_type("two", EmbeddingType.QUERY), [5, 1])
    np.testing.assert_allclose(engine.embed_with_type(["two"], "search_query"), [[5, 1]])
    with pytest.raises(InvalidRequest, match="verse"):
        engine.embed_with_type("two", "verse")
    assert engine.count_tokens("two") == 2
    assert engine.count_tokens(["two", "one two"]).tolist() == [2, 3]
    assert engine.max_tokens == 512


def test_a_model_in_a_cache_folder(client, tmp_path):
    repository = tmp_path / "models--intfloat--e5-small-v2"
    tiny_model.write(repository / "snapshots" / "a1")
    for other in ("a0", "a2"):
        (tiny_model.write(repository / "snapshots" / other) / "model.onnx").write_text("broken")
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text("a1")
    engine = EmbeddingEngine("intfloat/e5-small-v2", cache_dir=tmp_path, client=client)
    with pytest.raises(Exception, match="vectors of 384 numbers"):
        engine.embed("one")
    config = ModelConfig(name="intfloat/e5-small-v2", dimension=2)
    engine = EmbeddingEngine.from_pretrained(
        "intfloat/e5-small-v2", tmp_path, config=config, client=client
    )
    np.testing.assert_allclose(engine.embed_query("one"), [1, 0])


def test_what_is_missing_is_told_with_its_place(client, tmp_path):
    engine = EmbeddingEngine("bge-small-en-v1.5", client=client)
    with pytest.raises(NotFound, match=r"Put model\.onnx and tokenizer\.json into .*bge-small"):
        engine.embed("x")
    path = tmp_path / "model.onnx"
    path.write_bytes(tiny_model.network())
    alone = EmbeddingEngine(path, client=client)
    with pytest.raises(NotFound, match=r"tokenizer\.json is not there"):
        alone.embed("x")
    known = {
        model["name"]: model["state"] for model in client.call(MODELS, {"all": True})[0]["models"]
    }
    assert known["bge-small-en-v1.5"] == "failed"
    assert known["gte-base"] == "missing"
    assert known["all-MiniLM-L6-v2"] == "ready"


def test_texts_are_ranked_by_a_cross_encoder(client, neuralcore_daemon, tmp_path):
    folder = tiny_model.write_pairs(tmp_path / "pairs")
    engine = EmbeddingEngine(folder, config=ModelConfig(normalize=False), client=client)
    name = engine.info()["name"]
    _, (scores,) = client.call(
        "neuralcore.embedding.rerank",
        {"model": name, "query": "two"},
        [["one", "three one", "", "two two two"]],
    )
    # The query's tokens count once, the text's twice.
    np.testing.assert_allclose(scores[:, 0], [4, 10, 2, 14])
    ready = json.loads((neuralcore_daemon.home / "run" / "ready.json").read_text())
    token = Path(ready["token_file"]).read_text().strip()

    def post(body):
        connection = http.client.HTTPConnection("127.0.0.1", ready["http_port"], timeout=60)
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        connection.request("POST", "/v1/rerank", json.dumps(body), headers)
        answer = connection.getresponse()
        content = json.loads(answer.read())
        connection.close()
        return answer.status, content

    status, answer = post(
        {
            "model": name,
            "query": "one",
            "documents": ["one", {"text": "three"}, "?"],
            "top_n": 2,
            "return_documents": True,
        }
    )
    assert status == 200
    assert [result["index"] for result in answer["results"]] == [1, 0]
    assert answer["results"][0]["document"] == {"text": "three"}
    assert answer["results"][0]["relevance_score"] == pytest.approx(1 / (1 + np.exp(-7)))
    assert post({"model": name, "query": "one", "documents": []})[0] == 400
    assert post({"query": "one", "documents": ["one"]})[0] == 404
    assert post({"model": "all-MiniLM-L6-v2", "query": "a", "documents": ["b"]})[0] == 400


MODELS = "neuralcore.embedding.models"


def test_one_model_by_its_name(client):
    for name in ("all-minilm-l6-v2", "sentence-transformers/all-MiniLM-L6-v2"):
        for params in ({"name": name}, {"name": name, "all": True}):
            told = client.call(MODELS, params)[0]["models"]
            assert {model["name"] for model in told} == {"all-MiniLM-L6-v2"}
    assert client.call(MODELS, {"name": "no-such-model", "all": True})[0]["models"] == []
    assert len(client.call(MODELS, {"all": True})[0]["models"]) > 1


def test_fewer_dimensions_and_other_outputs(client):
    texts = ["a text", "another one"]
    options = {"client": client, "batch_invariant": True}
    whole = EmbeddingEngine(**options).embed_batch(texts)
    short = EmbeddingEngine(dimensions=64, **options)
    assert short.dimension == 64
    expected = whole[:, :64] / np.linalg.norm(whole[:, :64], axis=1, keepdims=True)
    np.testing.assert_allclose(short.embed_batch(texts), expected, atol=1e-6)
    small = EmbeddingEngine(output="int8", **options).embed_batch(texts)
    assert small.dtype == np.int8
    np.testing.assert_allclose(small / 127, whole, atol=0.005)
    coded = EmbeddingEngine(output="base64", **options).embed("a text")
    np.testing.assert_array_equal(np.frombuffer(base64.b64decode(coded), "<f4"), whole[0])
    for texts in ("x", []):
        with pytest.raises(InvalidRequest, match="'dimensions' is 500"):
            EmbeddingEngine(dimensions=500, client=client).embed(texts)
    assert EmbeddingEngine(dimensions=50, client=client).embed([]).shape == (0, 50)
    with pytest.raises(InvalidRequest, match="output is 'text'"):
        EmbeddingEngine(output="text")


def test_precision_can_be_forced(client):
    exact = EmbeddingEngine(precision="fp32", client=client)
    usual = EmbeddingEngine(client=client)
    assert exact.info()["precision"] == "fp32"
    text = "The quick brown fox jumps over the lazy dog."
    assert 0.99 < float(exact.embed(text) @ usual.embed(text)) <= 1.00001
    with pytest.raises(InvalidRequest, match="int4"):
        EmbeddingEngine(precision="int4")


def test_a_stream_keeps_order_and_does_not_run_ahead(client):
    engine = EmbeddingEngine(client=client)
    taken = itertools.count()
    count = 0

    def endless():
        nonlocal count
        for i in taken:
            count = i
            yield f"number {i % 700}"

    vectors = list(itertools.islice(engine.stream(endless()), 900))
    assert count < 900 + 5 * 256
    np.testing.assert_allclose(vectors[0], vectors[700], atol=0.03)
    np.testing.assert_allclose(vectors[3], engine.embed("number 3"), atol=0.03)
    assert list(engine.stream([])) == []


async def test_a_stream_on_an_event_loop(client):
    engine = EmbeddingEngine(client=client)
    vectors = [vector async for vector in engine.stream_async(["a", "b", "a"])]
    assert len(vectors) == 3
    kinds = await asyncio.gather(
        engine.embed_document_async("a"),
        engine.embed_with_type_async("a", "query"),
        engine.embed_documents_async(["a"]),
    )
    np.testing.assert_allclose(kinds[0], kinds[1], atol=0.03)
    assert await engine.count_tokens_async(["a"]) == [3]


async def test_a_stream_gives_what_came_before_its_source_failed(client):
    engine = EmbeddingEngine(client=client)
    count = 2 * 256 + 40

    def torn():
        for i in range(count):
            yield f"number {i % 300}"
        raise OSError("the disk is gone")

    async def all_of_it(taken):
        async for vector in engine.stream_async(torn()):
            taken.append(vector)

    vectors = engine.stream(torn())
    taken = list(itertools.islice(vectors, count))
    assert len(taken) == count
    np.testing.assert_allclose(taken[1], engine.embed("number 1"), atol=0.03)
    with pytest.raises(OSError, match="the disk is gone"):
        next(vectors)

    taken = []
    with pytest.raises(OSError, match="the disk is gone"):
        await all_of_it(taken)
    assert len(taken) == count

    vectors = engine.stream(["a", "b", 3.0])
    assert len(list(itertools.islice(vectors, 2))) == 2
    with pytest.raises(InvalidRequest, match="Text 2 is a float"):
        next(vectors)


async def test_a_cancelled_stream_ends_as_cancelled(client):
    engine = EmbeddingEngine(client=client)
    asked, answered = threading.Event(), threading.Event()

    def slow():
        yield "a"
        asked.set()
        answered.wait(60)

    async def consume():
        async for _ in engine.stream_async(slow()):
            pass

    task = asyncio.create_task(consume())
    try:
        await asyncio.to_thread(asked.wait, 60)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert not answered.is_set()
    finally:
        answered.set()


def test_texts_seen_before_are_known(client):
    engine = EmbeddingEngine(client=client)
    text = "never embedded before, but twice now"
    first = engine.embed(text)
    hits = next(m for m in client.models() if m["name"] == engine.model)["cache"]["hits"]
    np.testing.assert_array_equal(engine.embed(text), first)
    after = next(m for m in client.models() if m["name"] == engine.model)["cache"]["hits"]
    assert after > hits


def test_what_is_wrong_with_one_model_is_told_and_concerns_no_other(client, capsys):
    models = Path(client.call(MODELS)[0]["folder"])
    tiny_model.write(models / "sound")
    given, wrong = models / "models.yaml", models / "undescribed" / "manifest.json"
    wrong.parent.mkdir()
    given.write_text("sound: {dimension: 2}\n")
    wrong.write_text('{"repository": "some/undescribed"}')
    try:
        engine = EmbeddingEngine("sound", normalize=False, client=client)
        np.testing.assert_allclose(engine.embed("two"), [0, 2])
        with pytest.raises(InvalidRequest, match=r"undescribed: 'dimension' is missing"):
            EmbeddingEngine("some/undescribed", client=client).embed("two")
        assert cli.main(["models", "list", "--url", client.url]) == 0
        told = capsys.readouterr()
        assert f"{wrong}, model undescribed: 'dimension' is missing" in told.err
        assert "sound " in told.out
    finally:
        given.unlink()
        shutil.rmtree(wrong.parent)
