"""LangChain's ``Embeddings`` by neuralcore.

>>> from neuralcore.integrations.langchain import NeuralCoreEmbeddings
>>> store = InMemoryVectorStore(NeuralCoreEmbeddings("bge-small-en-v1.5"))
"""

from __future__ import annotations

import asyncio
from typing import Any

from langchain_core.embeddings import Embeddings

from neuralcore.embedding import DEFAULT_MODEL, EmbeddingEngine


class NeuralCoreEmbeddings(Embeddings):
    """Documents and queries, each with the model's prefix. Thread-safe.

    :param model: name or path, as for :class:`EmbeddingEngine`.
    :param engine: an engine to use instead.
    :param options: as for the engine.
    """

    def __init__(
        self, model: str = DEFAULT_MODEL, *, engine: EmbeddingEngine | None = None, **options: Any
    ) -> None:
        self.engine = engine if engine is not None else EmbeddingEngine(model, **options)

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        vectors: list[list[float]] = self.engine.embed_documents(texts).tolist()
        return vectors

    def embed_query(self, text: str) -> list[float]:
        vector: list[float] = self.engine.embed_query(text).tolist()
        return vector

    async def aembed_documents(self, texts: list[str]) -> list[list[float]]:
        return await asyncio.to_thread(self.embed_documents, texts)

    async def aembed_query(self, text: str) -> list[float]:
        return await asyncio.to_thread(self.embed_query, text)
