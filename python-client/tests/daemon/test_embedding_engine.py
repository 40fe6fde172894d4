"""The embedding engine over the daemon."""

from __future__ import annotations

import asyncio
import io

import numpy as np
import pytest

import neuralcore
from neuralcore.embedding import EmbeddingEngine
from neuralcore.errors import InvalidRequest, NotFound, NotSupported
from neuralcore.fallback.client import FallbackClient

# By how much a number of an int8 vector may move with its batch.
VARIES = 0.03


@pytest.fixture
def engine(client):
    return EmbeddingEngine(client=client)


def test_one_text_and_several(engine):
    assert (engine.dimension, engine.max_tokens) == (384, 256)
    one = engine.embed("a text")
    assert one.shape == (384,)
    assert one.dtype == np.float32
    assert np.linalg.norm(one) == pytest.approx(1.0, abs=1e-5)
    both = engine.embed(["a text", ""])
    assert both.shape == (2, 384)
    np.testing.assert_allclose(both[0], one, atol=VARIES)
    np.testing.assert_allclose(engine.embed_query("a text"), one, atol=VARIES)
    assert engine.embed_batch([]).shape == (0, 384)
    assert engine.embed_batch(iter(["a text"])).shape == (1, 384)


class Frame:
    """Goes through the names of its columns, as a DataFrame does."""

    columns = ("text", "number")

    def __iter__(self):
        return iter(self.columns)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (Frame(), "of a Frame pass one column"),
        ({"a": 1}, "of a dict pass one column"),
        (None, "None is neither a text nor a list of texts"),
        (float("nan"), "nan is neither"),
        (b"bytes", "this is one bytes"),
        (["a", float("nan")], "Text 1 is a float"),
        (["a", None], "Text 1 is a NoneType"),
    ],
)
def test_what_is_no_list_of_texts_is_refused(engine, given, told):
    for call in (engine.embed, engine.embed_batch, engine.count_tokens):
        with pytest.raises(InvalidRequest, match=told):
            call(given)
    with pytest.raises(InvalidRequest, match=told):
        list(engine.stream(given))
    with pytest.raises(InvalidRequest, match="this is one str"):
        list(engine.stream("a text"))


def test_portions_keep_the_order(engine, monkeypatch, capsys):
    monkeypatch.setattr("neuralcore.embedding._PORTION_TEXTS", 7)
    engine._show_progress = True
    texts = [f"text number {i} " + "word " * (i % 11) for i in range(60)]
    in_portions = engine.embed_batch(texts)
    monkeypatch.setattr("neuralcore.embedding._PORTION_TEXTS", 1000)
    at_once = engine.embed_batch(texts)
    np.testing.assert_allclose(in_portions, at_once, atol=VARIES)
    assert "60/60" in capsys.readouterr().err


def test_texts_that_do_not_fit_one_frame(engine, client, monkeypatch):
    monkeypatch.setattr(type(client), "binary_frame_limit", 100_000)
    texts = ["wörd " * 4000] * 5
    assert engine.embed_batch(texts).shape == (5, 384)


async def test_on_an_event_loop(engine):
    several, one, query = await asyncio.gather(
        engine.embed_batch_async(["a", "b"]), engine.embed_async("a"), engine.embed_query_async("a")
    )
    np.testing.assert_allclose(several[0], one, atol=VARIES)
    np.testing.assert_allclose(query, one, atol=VARIES)


def test_module_functions(client, monkeypatch):
    monkeypatch.setattr("neuralcore._default._client", client)
    one = neuralcore.embed_text("a text")
    np.testing.assert_allclose(neuralcore.embed_batch(["a text"])[0], one, atol=VARIES)
    told = neuralcore.runtime_info()["models"]["all-MiniLM-L6-v2"]
    assert told == {"state": "ready", "precision": told["precision"], "provider": "cpu"}


@pytest.mark.parametrize("name", ["all-MiniLM-L6-v2", "sentence-transformers/all-MiniLM-L6-v2"])
def test_names_of_the_model(client, name):
    assert EmbeddingEngine.from_pretrained(name, client=client).embed("x").shape == (384,)


def test_what_is_refused(client, tmp_path):
    engine = EmbeddingEngine("all-mpnet-base-v9", client=client)
    with pytest.raises(NotFound, match="all-mpnet-base-v9"):
        engine.embed("x")
    with pytest.raises(KeyError, match="there is all-MiniLM-L6-v2"):
        _ = engine.dimension
    with pytest.raises(NotFound, match="is a path"):
        EmbeddingEngine("models/all-MiniLM-L6-v2.onnx")
    engine = EmbeddingEngine(client=client)
    with pytest.raises(InvalidRequest, match="Text 1 is a int"):
        engine.embed(["a", 1])
    with pytest.raises(InvalidRequest, match="takes a list"):
        engine.embed_batch("a")


def test_the_fallback_says_how_to_get_one(monkeypatch):
    monkeypatch.setattr("neuralcore.fallback.embedding.Embedder.is_installed", lambda: False)
    engine = EmbeddingEngine(client=FallbackClient())
    assert engine.dimension == 384
    with pytest.raises(NotSupported, match="pip install 'neuralcore-runtime"):
        engine.embed("x")


def test_the_bar_is_for_terminals(monkeypatch):
    from neuralcore import _progress

    err = io.StringIO()
    monkeypatch.setattr("sys.stderr", err)
    with _progress.progress(1_000_000, "work") as advance:
        advance(5)
    assert err.getvalue() == ""
