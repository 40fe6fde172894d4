"""OpenAI's own client against the daemon's HTTP door."""

from __future__ import annotations

import http.client
import json
from pathlib import Path

import numpy as np
import pytest

from neuralcore.embedding import EmbeddingEngine

openai = pytest.importorskip("openai")

MODEL = "all-MiniLM-L6-v2"
TEXTS = ["a text", "noch ein Text, etwas länger", "数字 42", "?"]


@pytest.fixture
def ready(neuralcore_daemon):
    with neuralcore_daemon.client() as client:
        client.embed(["wait for the model"])
    data = json.loads((neuralcore_daemon.home / "run" / "ready.json").read_text())
    data["token"] = Path(data["token_file"]).read_text().strip()
    return data


@pytest.fixture
def client(ready):
    url = f"http://127.0.0.1:{ready['http_port']}/v1"
    with openai.OpenAI(base_url=url, api_key=ready["token"], max_retries=0) as opened:
        yield opened


def expected(neuralcore_daemon, texts):
    with neuralcore_daemon.client() as daemon:
        return EmbeddingEngine(client=daemon).embed_batch(texts)


@pytest.mark.parametrize("form", ["float", "base64"])
def test_vectors_are_the_daemons(client, neuralcore_daemon, form):
    answer = client.embeddings.create(model=MODEL, input=TEXTS, encoding_format=form)
    got = [entry.embedding for entry in answer.data]
    if form == "base64":
        import base64

        got = [np.frombuffer(base64.b64decode(text), "<f4") for text in got]
    cosines = (np.array(got, np.float32) * expected(neuralcore_daemon, TEXTS)).sum(axis=1)
    assert cosines.min() > 0.995
    assert [entry.index for entry in answer.data] == [0, 1, 2, 3]
    assert answer.model == MODEL
    assert answer.usage.prompt_tokens == answer.usage.total_tokens > 8


def test_token_ids_are_the_models_own(client):
    ids = [101, 1037, 3793, 102]  # [CLS] a text [SEP]
    text = client.embeddings.create(model=MODEL, input="a text").data[0].embedding
    for given in (ids, [ids]):
        answer = client.embeddings.create(model=MODEL, input=given)
        assert np.dot(answer.data[0].embedding, text) > 0.999
        assert answer.usage.prompt_tokens == 4
    for wrong in (10_000_000, 101.5):
        with pytest.raises(openai.BadRequestError, match="token id"):
            client.embeddings.create(model=MODEL, input=[wrong])


def test_one_text_and_fewer_dimensions(client):
    whole = client.embeddings.create(model="sentence-transformers/" + MODEL, input="a text")
    part = client.embeddings.create(model=MODEL, input="a text", dimensions=64)
    first = np.array(whole.data[0].embedding[:64])
    assert len(whole.data[0].embedding) == 384
    np.testing.assert_allclose(part.data[0].embedding, first / np.linalg.norm(first), atol=1e-6)


def test_models(client):
    assert MODEL in [model.id for model in client.models.list()]
    for name in (MODEL, f"sentence-transformers/{MODEL}", MODEL.lower()):
        assert client.models.retrieve(name).owned_by == "neuralcore"
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("no-such-model")


@pytest.mark.parametrize(
    "wrong",
    [
        {"input": []},
        {"input": [1, -2, 3]},
        {"input": [["a"]]},
        {"input": [[1], "a"]},
        {"input": "a", "dimensions": 385},
        {"input": "a", "dimensions": 0},
    ],
)
def test_what_is_wrong_is_a_bad_request(client, wrong):
    with pytest.raises(openai.BadRequestError):
        client.embeddings.create(model=MODEL, **wrong)


def test_unknown_models_and_wrong_keys(client, ready):
    with pytest.raises(openai.NotFoundError, match="no-such-model"):
        client.embeddings.create(model="no-such-model", input="a")
    stranger = openai.OpenAI(base_url=str(client.base_url), api_key="wrong", max_retries=0)
    with stranger, pytest.raises(openai.AuthenticationError):
        stranger.embeddings.create(model=MODEL, input="a")


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'{"model": 1, "input": "a"}', b"\xff\xfe"])
def test_a_body_that_is_none_is_refused(ready, body):
    connection = http.client.HTTPConnection("127.0.0.1", ready["http_port"], timeout=30)
    headers = {"Authorization": f"Bearer {ready['token']}", "Content-Type": "application/json"}
    connection.request("POST", "/v1/embeddings", body, headers)
    answer = connection.getresponse()
    assert answer.status == 400
    assert "message" in json.loads(answer.read())["error"]
    connection.close()
