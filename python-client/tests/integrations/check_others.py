"""LlamaIndex and Haystack, by hand: together they take minutes to install, so CI leaves them out.

pip install llama-index-core haystack-ai
python -m pytest python-client/tests/integrations/check_others.py
"""

from __future__ import annotations

import numpy as np
from haystack import Document, Pipeline
from llama_index.core.schema import TextNode

from neuralcore.integrations.haystack import NeuralCoreDocumentEmbedder, NeuralCoreTextEmbedder
from neuralcore.integrations.llama_index import NeuralCoreEmbedding

TEXTS = ["Cats purr.", "The stock market fell.", "Bread is baked in an oven."]


async def test_llama_index(neuralcore_daemon):
    with neuralcore_daemon.client() as client:
        embedding = NeuralCoreEmbedding(engine_options={"client": client})
        nodes = embedding([TextNode(text=text) for text in TEXTS])
        query = embedding.get_query_embedding("a purring kitten")
        scores = [np.dot(query, node.embedding) for node in nodes]
        assert int(np.argmax(scores)) == 0
        assert len(await embedding.aget_text_embedding("a")) == 384
        assert len(embedding.get_text_embedding("a")) == 384
        assert embedding.class_name() == "NeuralCoreEmbedding"


def test_haystack(neuralcore_daemon, monkeypatch):
    with neuralcore_daemon.client() as client:
        monkeypatch.setattr("neuralcore._default._client", client)
        pipeline = Pipeline()
        pipeline.add_component("documents", NeuralCoreDocumentEmbedder())
        pipeline.add_component("query", NeuralCoreTextEmbedder())
        module = "neuralcore.integrations.haystack"
        again = Pipeline.from_dict(pipeline.to_dict(), allowed_modules=[module])
        answer = again.run(
            {
                "documents": {"documents": [Document(content=text) for text in TEXTS]},
                "query": {"text": "a purring kitten"},
            }
        )
        scores = [
            np.dot(answer["query"]["embedding"], each.embedding)
            for each in answer["documents"]["documents"]
        ]
        assert int(np.argmax(scores)) == 0
