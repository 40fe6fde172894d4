"""Haystack's embedders by neuralcore: one for queries, one for documents.

>>> pipeline.add_component("embedder", NeuralCoreTextEmbedder("bge-small-en-v1.5"))
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from haystack import Document, component, default_from_dict, default_to_dict

from neuralcore.embedding import DEFAULT_MODEL, EmbeddingEngine


@component
class NeuralCoreTextEmbedder:
    """A query to its vector.

    :param model: name or path, as for :class:`EmbeddingEngine`.
    """

    def __init__(self, model: str = DEFAULT_MODEL, dimensions: int | None = None) -> None:
        self.model, self.dimensions = model, dimensions
        self.engine = EmbeddingEngine(model, dimensions=dimensions)

    def to_dict(self) -> dict[str, Any]:
        made: dict[str, Any] = default_to_dict(self, model=self.model, dimensions=self.dimensions)
        return made

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> NeuralCoreTextEmbedder:
        made: NeuralCoreTextEmbedder = default_from_dict(cls, data)
        return made

    @component.output_types(embedding=list[float])
    def run(self, text: str) -> dict[str, Any]:
        return {"embedding": self.engine.embed_query(text).tolist()}


@component
class NeuralCoreDocumentEmbedder:
    """Documents to the same with their content's vectors.

    :param model: name or path, as for :class:`EmbeddingEngine`.
    """

    def __init__(self, model: str = DEFAULT_MODEL, dimensions: int | None = None) -> None:
        self.model, self.dimensions = model, dimensions
        self.engine = EmbeddingEngine(model, dimensions=dimensions)

    def to_dict(self) -> dict[str, Any]:
        made: dict[str, Any] = default_to_dict(self, model=self.model, dimensions=self.dimensions)
        return made

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> NeuralCoreDocumentEmbedder:
        made: NeuralCoreDocumentEmbedder = default_from_dict(cls, data)
        return made

    @component.output_types(documents=list[Document])
    def run(self, documents: list[Document]) -> dict[str, Any]:
        if not isinstance(documents, list) or not all(isinstance(d, Document) for d in documents):
            raise TypeError("NeuralCoreDocumentEmbedder takes a list of Documents.")
        vectors = self.engine.embed_documents([each.content or "" for each in documents])
        return {
            "documents": [
                replace(each, embedding=vector.tolist())
                for each, vector in zip(documents, vectors, strict=True)
            ]
        }
