"""LlamaIndex's embedding by neuralcore.

>>> from neuralcore.integrations.llama_index import NeuralCoreEmbedding
>>> Settings.embed_model = NeuralCoreEmbedding("bge-small-en-v1.5")
"""

from __future__ import annotations

import asyncio
from typing import Any

from llama_index.core.base.embeddings.base import BaseEmbedding
from llama_index.core.bridge.pydantic import PrivateAttr

from neuralcore.embedding import DEFAULT_MODEL, EmbeddingEngine


class NeuralCoreEmbedding(BaseEmbedding):
    """Texts and queries, each with the model's prefix. Thread-safe.

    :param model_name: name or path, as for :class:`EmbeddingEngine`.
    :param engine: an engine to use instead.
    :param engine_options: as for the engine.
    :param options: of LlamaIndex's own.
    """

    _engine: EmbeddingEngine = PrivateAttr()

    def __init__(
        self,
        model_name: str = DEFAULT_MODEL,
        *,
        engine: EmbeddingEngine | None = None,
        engine_options: dict[str, Any] | None = None,
        **options: Any,
    ) -> None:
        super().__init__(model_name=model_name, **{"embed_batch_size": 256, **options})
        self._engine = (
            engine if engine is not None else EmbeddingEngine(model_name, **(engine_options or {}))
        )

    @classmethod
    def class_name(cls) -> str:
        return "NeuralCoreEmbedding"

    def _get_query_embedding(self, query: str) -> list[float]:
        vector: list[float] = self._engine.embed_query(query).tolist()
        return vector

    def _get_text_embedding(self, text: str) -> list[float]:
        vector: list[float] = self._engine.embed_document(text).tolist()
        return vector

    def _get_text_embeddings(self, texts: list[str]) -> list[list[float]]:
        vectors: list[list[float]] = self._engine.embed_documents(texts).tolist()
        return vectors

    async def _aget_query_embedding(self, query: str) -> list[float]:
        return await asyncio.to_thread(self._get_query_embedding, query)

    async def _aget_text_embedding(self, text: str) -> list[float]:
        return await asyncio.to_thread(self._get_text_embedding, text)
