"""ATLAS's embedding provider: all of its interface, over a real daemon and without one."""

from __future__ import annotations

import asyncio
import inspect
import json
import math
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import tiny_model

import neuralcore
from compat.atlas_stand_in import atlas_at
from neuralcore.compat import atlas_embedding
from neuralcore.compat._atlas import embedding_types
from neuralcore.compat.atlas_embedding import (
    LOCAL_MODELS,
    AtlasEmbeddingProvider,
    EmbeddingGenerationError,
    EmbeddingInputType,
    EmbeddingProvider,
    EmbeddingProviderError,
    EmbeddingRateLimitError,
    NeuralCoreEmbeddingProvider,
)
from neuralcore.compat.config import apply_config
from neuralcore.embedding import EmbeddingEngine
from neuralcore.errors import NotSupported, Unavailable
from neuralcore.fallback.client import FallbackClient

ASYMMETRIC = "e5-large-v2"


@pytest.fixture(autouse=True)
def _nothing_left():
    yield
    atlas_embedding.unregister()
    neuralcore._config = None


@pytest.fixture
def provider(client):
    return AtlasEmbeddingProvider(client=client)


@pytest.fixture
def asymmetric(client, neuralcore_daemon):
    """A model with prefixes, given by its full name; its vectors can be worked out by hand."""
    folder = tiny_model.write(neuralcore_daemon.home / "models" / ASYMMETRIC)
    keys = {
        "dimension": 2,
        "query_prefix": "query: ",
        "document_prefix": "passage: ",
        "repository": f"intfloat/{ASYMMETRIC}",
    }
    (folder / "manifest.json").write_text(json.dumps(keys))
    return AtlasEmbeddingProvider(
        model=f"intfloat/{ASYMMETRIC}", normalize_embeddings=False, client=client
    )


def test_it_is_a_provider_and_nothing_of_it_is_abstract(provider):
    assert isinstance(provider, EmbeddingProvider)
    assert not inspect.isabstract(type(provider))


def test_what_is_known_before_it_is_initialized(provider):
    assert (provider.name, provider.model_name) == ("huggingface", "all-MiniLM-L6-v2")
    assert (provider.dimension, provider.max_input_tokens) == (384, 256)
    assert provider.supports_batch
    assert not provider.supports_input_type
    assert provider.max_batch_size == 32
    assert not provider.is_initialized
    assert "all-MiniLM-L6-v2" in repr(provider)


@pytest.mark.parametrize("model", ["bge-small-en-v1.5", "BAAI/bge-small-en", "intfloat/e5-base-v2"])
def test_models_with_prefixes_are_known_by_their_full_names(model):
    provider = AtlasEmbeddingProvider(model=model)
    assert provider.supports_input_type
    assert provider.model_name == model
    assert provider.dimension == (768 if "base" in model else 384)


def test_the_table_has_atlas_keys():
    assert LOCAL_MODELS["e5-small-v2"]["document_prefix"] == "passage: "
    assert not LOCAL_MODELS["bge-base-en-v1.5"]["symmetric"]
    assert LOCAL_MODELS["gte-large"] == {
        "dimension": 1024,
        "max_tokens": 512,
        "symmetric": True,
        "query_prefix": "",
        "document_prefix": "",
    }


async def test_one_text(provider):
    result = await provider.embed_text("Hello world")
    assert provider.is_initialized
    assert type(result.embedding) is list
    assert type(result.embedding[0]) is float
    assert len(result.embedding) == result.dimension == 384
    assert math.hypot(*result.embedding) == pytest.approx(1, abs=1e-5)
    assert (result.text, result.model) == ("Hello world", "all-MiniLM-L6-v2")
    assert result.token_count == 4  # [CLS] hello world [SEP]
    assert result.metadata == {}


async def test_a_batch_keeps_its_order(provider, client):
    texts = [f"text number {i}" for i in range(300)]
    batch = await provider.embed_batch(texts)
    assert len(batch) == 300
    assert [result.text for result in batch] == texts
    assert batch[7] is batch.embeddings[7]
    assert batch.total_tokens == sum(result.token_count for result in batch)
    expected = EmbeddingEngine(client=client).embed_batch(texts)
    np.testing.assert_allclose(batch.vectors, expected, atol=0.02)
    assert type(batch.vectors[0]) is list


async def test_an_empty_batch(provider):
    batch = await provider.embed_batch([])
    assert (len(batch), batch.vectors, batch.total_tokens) == (0, [], 0)
    assert provider.is_initialized


async def test_queries_and_documents_without_prefixes_are_the_same(provider):
    query = await provider.embed_query("what?")
    document = await provider.embed_document("what?")
    both = await provider.embed_documents(["what?", "what?"])
    assert query.embedding == document.embedding == both.vectors[1]


async def test_prefixes_are_put_where_the_kind_is_said(asymmetric):
    await asymmetric.initialize()
    assert asymmetric.supports_input_type
    assert asymmetric.dimension == 2
    plain = await asymmetric.embed_text("two")
    assert (plain.embedding, plain.token_count) == ([0, 2], 1)
    query = await asymmetric.embed_query("two")
    assert (query.embedding, query.token_count, query.text) == ([5, 1], 2, "two")
    assert (await asymmetric.embed_document("two")).embedding == [0, 6]
    assert (await asymmetric.embed_documents(["two", "one"])).vectors == [[0, 6], [0.5, 5]]
    for kind, expected in {
        EmbeddingInputType.QUERY: [5, 1],
        EmbeddingInputType.DOCUMENT: [0, 6],
        EmbeddingInputType.CLUSTERING: [0, 2],
        EmbeddingInputType.CLASSIFICATION: [0, 2],
        "search_query": [5, 1],
        None: [0, 2],
    }.items():
        assert (await asymmetric.embed_text("two", input_type=kind)).embedding == expected
        assert (await asymmetric.embed_batch(["two"], input_type=kind)).vectors == [expected]


async def test_embed_gives_lists(provider):
    one = await provider.embed("a question")
    several = await provider.embed(["a question", "another"])
    assert type(one) is list
    assert several[0] == pytest.approx(one, abs=0.02)
    assert len(several) == 2
    assert await provider.embed([]) == []


async def test_shutdown_and_again(provider):
    await provider.shutdown()
    await provider.embed_text("a")
    await provider.shutdown()
    await provider.shutdown()
    assert not provider.is_initialized
    assert (await provider.embed_text("a")).dimension == 384


async def test_many_at_a_time_while_it_is_initialized(provider):
    texts = [f"text {i}" for i in range(20)]
    results = await asyncio.gather(*map(provider.embed_text, texts))
    assert [result.text for result in results] == texts


async def test_health(provider, client):
    assert await provider.health_check() is True
    assert await AtlasEmbeddingProvider(model="no-such", client=client).health_check() is False


async def test_health_keeps_to_its_timeout():
    class Silent:
        backend, binary_frame_limit = "daemon", 1 << 20

        def call(self, *args, **keywords):
            ended.wait(60)
            raise Unavailable("gone")

    import threading

    ended = threading.Event()
    try:
        assert await AtlasEmbeddingProvider(client=Silent()).health_check(timeout=0.01) is False
    finally:
        ended.set()


async def test_a_model_that_is_not_there(client):
    provider = AtlasEmbeddingProvider(model="nobody/no-such-model", client=client)
    with pytest.raises(EmbeddingProviderError, match="no-such-model"):
        await provider.initialize()
    with pytest.raises(EmbeddingProviderError, match="no-such-model"):
        await provider.embed_batch(["a"])
    assert not provider.is_initialized


async def test_what_cannot_be_embedded(provider):
    with pytest.raises(EmbeddingGenerationError, match="int"):
        await provider.embed_text(7)
    with pytest.raises(EmbeddingGenerationError, match="Text 1 is a int"):
        await provider.embed_batch(["a", 7])
    assert len((await provider.embed_text("")).embedding) == 384


async def test_an_overloaded_daemon_is_a_rate_limit(provider, client, monkeypatch):
    await provider.initialize()

    def refuse(*args, **keywords):
        raise Unavailable("2,000 texts wait already.", retry_after=1.5)

    monkeypatch.setattr(client, "call", refuse)
    with pytest.raises(EmbeddingRateLimitError, match="2,000 texts") as refused:
        await provider.embed_batch(["a"])
    assert refused.value.retry_after == 1.5


async def test_without_daemon_and_sentence_transformers(monkeypatch):
    monkeypatch.setattr("neuralcore.fallback.embedding.Embedder.is_installed", lambda: False)
    provider = AtlasEmbeddingProvider(client=FallbackClient())
    assert await provider.health_check() is False
    with pytest.raises(EmbeddingGenerationError, match="sentence-transformers"):
        await provider.embed_text("a")


async def test_what_was_applied_holds_unless_told_otherwise(client):
    apply_config({"embedding": {"model_name": "gte-base", "max_batch_size": 5}})
    provider = AtlasEmbeddingProvider(client=client)
    assert (provider.model_name, provider.dimension, provider.max_batch_size) == (
        "gte-base",
        768,
        5,
    )
    assert AtlasEmbeddingProvider(model="all-MiniLM-L6-v2", batch_size=7).max_batch_size == 7
    assert NeuralCoreEmbeddingProvider().model_name == "gte-base"


def test_atlas_whole_constructor_is_accepted(caplog):
    provider = AtlasEmbeddingProvider(
        model="all-MiniLM-L6-v2",
        device="cpu",
        normalize_embeddings=True,
        batch_size=32,
        show_progress=False,
        cache_folder=None,
        trust_remote_code=True,
        max_workers=1,
        config_manager=SimpleNamespace(),
    )
    assert provider.max_batch_size == 32
    assert "no code of a model is ever run" in caplog.text


async def test_the_planning_documents_provider(client):
    provider = NeuralCoreEmbeddingProvider(
        model_name="all-MiniLM-L6-v2", max_batch_size=32, device="auto", client=client
    )
    vectors = await provider.embed(["Hello world", "another"], show_progress=False)
    assert [type(vector) for vector in vectors] == [list, list]
    assert provider.dimension == len(vectors[0]) == 384
    assert provider.embed_sync(["Hello world"])[0] == pytest.approx(vectors[0], abs=0.02)
    assert await provider.embed_query("Hello world") == pytest.approx(vectors[0], abs=0.02)
    assert len(await provider.embed_documents(["a", "b", "c"])) == 3
    assert len(await provider.embed("one text")) == 384
    assert await provider.embed([]) == []
    assert "all-MiniLM-L6-v2" in repr(provider)


async def test_the_planning_documents_provider_of_a_file(client, tmp_path):
    folder = tiny_model.write(tmp_path / "tiny")
    provider = NeuralCoreEmbeddingProvider(
        model_path=folder / "model.onnx", max_sequence_length=3, normalize=False, client=client
    )
    vectors = await provider.embed(["one two three two two", "two"])
    np.testing.assert_allclose(vectors, [[-2 / 3, 5 / 3], [0, 2]], 1e-5)
    with pytest.raises(ValueError, match="max_sequence_length"):
        NeuralCoreEmbeddingProvider(max_sequence_length=0)


def test_nothing_of_atlas_is_imported_by_itself(tmp_path):
    with atlas_at(tmp_path):
        assert not [name for name in sys.modules if name.startswith("modules")]
        assert atlas_embedding.EmbeddingProvider is EmbeddingProvider
        assert "modules.storage.embeddings.base" in sys.modules


async def test_where_atlas_is_its_classes_are_used(client, tmp_path):
    with atlas_at(tmp_path):
        from modules.storage.embeddings import base

        ours = atlas_embedding.AtlasEmbeddingProvider
        assert issubclass(ours, base.EmbeddingProvider)
        assert ours is atlas_embedding.AtlasEmbeddingProvider
        provider = ours(client=client)
        batch = await provider.embed_batch(["a"])
        assert type(batch) is base.BatchEmbeddingResult
        assert type(batch[0]) is base.EmbeddingResult
        with pytest.raises(base.EmbeddingProviderError):
            await ours(model="no-such", client=client).initialize()


async def test_atlas_configuration_reaches_it(client, tmp_path):
    with atlas_at(tmp_path):
        from modules.storage import embeddings
        from modules.storage.embeddings import base
        from modules.storage.retrieval import cache

        theirs, their_cache = embeddings.HuggingFaceEmbeddingProvider, cache.QueryResultCache
        assert atlas_embedding.register() is True
        assert atlas_embedding.register() is True
        ours = base.get_embedding_provider_class("huggingface")
        assert ours is base.get_embedding_provider_class("neuralcore")
        assert ours is embeddings.HuggingFaceEmbeddingProvider
        assert ours is sys.modules["modules.storage.embeddings.huggingface"].__dict__[ours_name()]
        assert cache.QueryResultCache is not their_cache
        provider = await base.create_embedding_provider("huggingface", client=client)
        assert provider.is_initialized
        atlas_embedding.unregister()
        atlas_embedding.unregister()
        assert not atlas_embedding.is_registered()
        assert base.get_embedding_provider_class("huggingface") is theirs
        assert "neuralcore" not in base._EMBEDDING_PROVIDERS
        assert embeddings.HuggingFaceEmbeddingProvider is theirs
        assert cache.QueryResultCache is their_cache


def ours_name() -> str:
    return "HuggingFaceEmbeddingProvider"


@pytest.mark.parametrize("switches", [{"enabled": False}, {"embedding": False}])
def test_switched_off_it_is_not_registered(tmp_path, switches):
    from neuralcore.compat.config import configure_from_atlas

    with atlas_at(tmp_path):
        config = configure_from_atlas(config={"neuralcore": switches})
        assert atlas_embedding.register(config) is False
        assert not atlas_embedding.is_registered()


def test_an_import_of_atlas_class_that_leads_here_registers_it(tmp_path):
    files = {
        "modules/storage/embeddings/__init__.py": "from . import base\n"
        "from neuralcore.compat.atlas_embedding import HuggingFaceEmbeddingProvider\n"
    }
    with atlas_at(tmp_path, files):
        from modules.storage import embeddings

        found = embeddings.base.get_embedding_provider_class("huggingface")
        assert found is embeddings.HuggingFaceEmbeddingProvider
        assert issubclass(found, embeddings.base.EmbeddingProvider)


def test_without_atlas_there_is_nothing_to_register_with():
    with pytest.raises(EmbeddingProviderError, match="no ATLAS"):
        atlas_embedding.register()
    assert atlas_embedding.EmbeddingResult is embedding_types.EmbeddingResult


def test_an_atlas_that_cannot_be_imported_is_told(tmp_path, caplog):
    files = {"modules/storage/__init__.py": "import no_such_library\n"}
    with atlas_at(tmp_path, files):
        assert atlas_embedding.EmbeddingResult is embedding_types.EmbeddingResult
    assert "no_such_library" in caplog.text


def test_another_applications_modules_package_is_left_alone(tmp_path):
    (tmp_path / "modules").mkdir()
    (tmp_path / "modules" / "__init__.py").write_text("raise SystemExit('imported')")
    sys.path.insert(0, str(tmp_path))
    try:
        assert atlas_embedding.EmbeddingResult is embedding_types.EmbeddingResult
        assert "modules" not in sys.modules
    finally:
        sys.path.remove(str(tmp_path))


async def test_what_the_fallback_lacks_is_told():
    provider = AtlasEmbeddingProvider(normalize_embeddings=False, client=FallbackClient())
    with pytest.raises(EmbeddingGenerationError) as refused:
        await provider.embed_text("a")
    assert isinstance(refused.value.__cause__, NotSupported)
