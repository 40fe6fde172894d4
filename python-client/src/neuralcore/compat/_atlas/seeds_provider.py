"""The embedding provider of the planning documents: vectors in, lists of floats out."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from neuralcore._calls import Caller
from neuralcore.compat._atlas.models import DEFAULT_MODEL, KNOWN
from neuralcore.compat.config import current_config
from neuralcore.embedding import EmbeddingEngine, EmbeddingType, ModelConfig
from neuralcore.errors import InvalidRequest

_logger = logging.getLogger("neuralcore.compat")


def make_engine(model: str, **options: Any) -> EmbeddingEngine:
    """An engine; a folder that has the name of a known model is used like that model."""
    if Path(model).exists():
        name = Path(model).name if Path(model).is_dir() else Path(model).parent.name
        if name in KNOWN:
            options["config"] = ModelConfig(name=name)
    return EmbeddingEngine(model, **options)


def vectors_of(engine: EmbeddingEngine, texts: list[str], kind: EmbeddingType) -> list[list[float]]:
    """Plain lists: ATLAS asks ``if embedding``, which an array does not answer."""
    vectors: list[list[float]] = engine.embed_with_type(texts, kind).tolist()
    return vectors


class NeuralCoreEmbeddingProvider:
    """Embeds texts; the vectors are lists of floats.

    ::

        provider = NeuralCoreEmbeddingProvider(model_name="all-MiniLM-L6-v2")
        embeddings = await provider.embed(["Hello world"])

    ATLAS's own interface, with results in place of vectors, is ``AtlasEmbeddingProvider``. Nothing
    happens before the first text: then it connects, which may start a daemon. Thread-safe.

    :param model_name: with or without its organization; by default what ``apply_config`` was given,
        else all-MiniLM-L6-v2.
    :param model_path: of an ONNX file or its folder; it goes before ``model_name``.
    :param max_batch_size: kept; the daemon plans its batches by itself.
    :param max_sequence_length: tokens that are looked at, where the model sees more: for models
        given by path. One known by name sees what it was made for.
    :param normalize: bring vectors to length one.
    :param device: kept; which device is used is a setting of the daemon's.
    :param cache_dir: a folder in which Hugging Face's tools have put the model.
    :param client: the client to use; by default the process's own.
    """

    def __init__(
        self,
        model_name: str | None = None,
        model_path: str | os.PathLike[str] | None = None,
        max_batch_size: int | None = None,
        max_sequence_length: int = 512,
        normalize: bool | None = None,
        device: str = "auto",
        cache_dir: str | os.PathLike[str] | None = None,
        *,
        client: Caller | None = None,
    ) -> None:
        applied = current_config()["embedding"]
        self.model_name = model_name or applied["model_name"] or DEFAULT_MODEL
        self.max_batch_size = max_batch_size or applied["max_batch_size"]
        self.max_sequence_length = max_sequence_length
        self.normalize = applied["normalize"] if normalize is None else normalize
        self.device = device
        if max_sequence_length < 1:
            raise InvalidRequest(
                f"max_sequence_length is {max_sequence_length}; it must be at least 1."
            )
        options: dict[str, Any] = {
            "normalize": self.normalize,
            "cache_dir": cache_dir or applied["cache_dir"],
            "client": client,
        }
        if model_path is not None:
            config = ModelConfig(
                name=self.model_name if self.model_name in KNOWN and model_name else None,
                max_tokens=max_sequence_length,
            )
            self._engine = EmbeddingEngine(model_path, config=config, **options)
        else:
            self._engine = make_engine(self.model_name, **options)

    @property
    def dimension(self) -> int:
        """Of the vectors. Asks the daemon once."""
        return self._engine.dimension

    def embed_sync(self, texts: str | Iterable[str]) -> Any:
        """:meth:`embed` for code without an event loop."""
        if isinstance(texts, str):
            return vectors_of(self._engine, [texts], EmbeddingType.DOCUMENT)[0]
        return vectors_of(self._engine, list(texts), EmbeddingType.DOCUMENT)

    async def embed(self, texts: str | Iterable[str], show_progress: bool = False) -> Any:
        """Texts to vectors, in their order; one text, given as a str, to one vector.

        :raises NotFound: if there is no such model; the message says what to do.
        :raises NotSupported: if there is no daemon and no sentence-transformers.
        """
        return await asyncio.to_thread(self.embed_sync, texts)

    async def embed_query(self, query: str) -> list[float]:
        """A text that is searched with, with the prefix that the model has for such."""
        return (await asyncio.to_thread(vectors_of, self._engine, [query], EmbeddingType.QUERY))[0]

    async def embed_documents(self, documents: Iterable[str]) -> list[list[float]]:
        """Texts that are to be found, with the prefix that the model has for such."""
        vectors: list[list[float]] = await self.embed(list(documents))
        return vectors

    def __repr__(self) -> str:
        return f"NeuralCoreEmbeddingProvider(model={self.model_name})"
