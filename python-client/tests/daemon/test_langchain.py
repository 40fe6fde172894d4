"""LangChain's own vector store over neuralcore's embeddings."""

from __future__ import annotations

import numpy as np
from langchain_core.documents import Document
from langchain_core.vectorstores import InMemoryVectorStore

from neuralcore.embedding import EmbeddingEngine
from neuralcore.integrations.langchain import NeuralCoreEmbeddings

TEXTS = ["Cats purr.", "The stock market fell.", "Bread is baked in an oven."]


def test_a_vector_store(client):
    store = InMemoryVectorStore(NeuralCoreEmbeddings(client=client))
    store.add_documents([Document(text) for text in TEXTS])
    found = store.similarity_search("a purring kitten", k=1)
    assert [document.page_content for document in found] == ["Cats purr."]


async def test_on_an_event_loop(client):
    engine = EmbeddingEngine(client=client)
    embeddings = NeuralCoreEmbeddings(engine=engine)
    documents = await embeddings.aembed_documents(TEXTS)
    query = await embeddings.aembed_query(TEXTS[0])
    assert np.shape(documents) == (3, 384)
    assert isinstance(query[0], float)
    assert np.dot(query, documents[0]) > 0.99
