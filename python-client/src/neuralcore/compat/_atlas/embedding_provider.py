"""ATLAS's embedding provider over our engine, for any base class."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, ClassVar

from neuralcore._calls import Caller
from neuralcore.compat._atlas import embedding_types
from neuralcore.compat._atlas.models import DEFAULT_MODEL, known
from neuralcore.compat._atlas.modules import ClassOver
from neuralcore.compat._atlas.seeds_provider import make_engine, vectors_of
from neuralcore.compat.config import current_config
from neuralcore.embedding import EmbeddingEngine, EmbeddingType
from neuralcore.errors import LimitExceeded, NeuralCoreError, QueueFull, Unavailable

_logger = logging.getLogger("neuralcore.compat")

_KINDS = {"search_document": EmbeddingType.DOCUMENT, "search_query": EmbeddingType.QUERY}


class EmbeddingProviderCore:
    """What ``AtlasEmbeddingProvider`` does; made into that by :func:`provider_class`.

    Everything that ATLAS's ``EmbeddingProvider`` asks for, with the constructor of its
    ``HuggingFaceEmbeddingProvider``. The daemon does the work, or sentence-transformers in this
    process where there is no daemon. Vectors are lists of floats, results are ATLAS's own classes
    where ATLAS is imported. Thread-safe; usable from several event loops.

    As in ATLAS, texts get a prefix only if ``input_type`` says what they are, and ``embed_query``
    and ``embed_document`` say so. Unlike there, a model's full name (``intfloat/e5-small-v2``) has
    its prefixes too, results have token counts, and ``health_check`` keeps to its timeout.

    :param model: name of a model, with or without its organization, or its folder. By default
        what ``apply_config`` was given, else all-MiniLM-L6-v2; likewise the next three.
    :param normalize_embeddings: bring vectors to length one.
    :param batch_size: what ``max_batch_size`` says. Any number of texts may be given; the daemon
        plans its batches by itself.
    :param cache_folder: a folder in which Hugging Face's tools have put the model.
    :param show_progress: a bar on stderr for many texts.
    :param device: kept; which device is used is a setting of the daemon's.
    :param trust_remote_code: not needed, and never done.
    :param max_workers: requests of this provider under way at a time.
    :param config_manager: kept; nothing is downloaded, so no key is needed.
    :param client: the client to use; by default the process's own.
    :param timeout: seconds for each request of up to 256 texts.
    """

    types: ClassVar[Any] = embedding_types
    """Where the classes of results and errors are."""

    def __init__(
        self,
        *,
        model: str | os.PathLike[str] | None = None,
        device: str | None = None,
        normalize_embeddings: bool | None = None,
        batch_size: int | None = None,
        show_progress: bool = False,
        cache_folder: str | os.PathLike[str] | None = None,
        trust_remote_code: bool = False,
        max_workers: int = 4,
        config_manager: Any = None,
        client: Caller | None = None,
        timeout: float = 120.0,
    ) -> None:
        applied = current_config()["embedding"]
        self._model_name = os.fspath(model or applied["model_name"] or DEFAULT_MODEL)
        self._normalize = (
            applied["normalize"] if normalize_embeddings is None else bool(normalize_embeddings)
        )
        self._batch_size = int(batch_size or applied["max_batch_size"])
        self._cache_folder = cache_folder or applied["cache_dir"]
        self._device = device or applied["device"]
        self._config_manager = config_manager
        self._max_workers = max(1, int(max_workers))
        self._show_progress = show_progress
        self._client = client
        self._timeout = timeout
        if trust_remote_code:
            _logger.warning(
                "trust_remote_code is on for %s; no code of a model is ever run.", self._model_name
            )
        if self._batch_size < 1:
            raise self.types.EmbeddingProviderError(
                f"batch_size is {batch_size}; it must be at least 1."
            )
        self._known = known(self._model_name)
        self._dimension = self._known.dimension
        self._max_tokens = self._known.max_tokens
        self._symmetric = self._known.symmetric
        self._running: tuple[EmbeddingEngine, ThreadPoolExecutor] | None = None

    @property
    def name(self) -> str:
        """``"huggingface"``, by which ATLAS's configuration knows such models."""
        return "huggingface"

    @property
    def model_name(self) -> str:
        """As it was given."""
        return self._model_name

    @property
    def dimension(self) -> int:
        """Of the vectors; the model's own word once it is initialized."""
        return self._dimension

    @property
    def supports_batch(self) -> bool:
        return True

    @property
    def supports_input_type(self) -> bool:
        """Whether the model wants a prefix before queries, or before documents."""
        return not self._symmetric

    @property
    def max_batch_size(self) -> int:
        return self._batch_size

    @property
    def max_input_tokens(self) -> int | None:
        """Tokens that the model sees of a text; what is beyond counts for nothing."""
        return self._max_tokens

    @property
    def is_initialized(self) -> bool:
        return self._running is not None

    async def initialize(self) -> None:
        """Connects, which may start a daemon, and has the model loaded. Idempotent.

        :raises EmbeddingProviderError: if there is no such model, or nobody to run it.
        """
        await self._ready()

    async def _ready(self) -> tuple[EmbeddingEngine, ThreadPoolExecutor]:
        ready = self._running
        if ready is not None:
            return ready
        try:
            engine = make_engine(
                self._model_name,
                normalize=self._normalize,
                cache_dir=self._cache_folder,
                show_progress=self._show_progress,
                client=self._client,
                timeout=self._timeout,
            )
            info = await asyncio.to_thread(engine.info)
        except Exception as error:
            raise self.types.EmbeddingProviderError(
                f"The embedding model {self._model_name!r} cannot be used: {error}"
            ) from error
        self._dimension = int(info["dimension"])
        self._max_tokens = int(info.get("max_tokens", self._max_tokens))
        if "query_prefix" in info:
            self._symmetric = not (info["query_prefix"] or info.get("document_prefix"))
        # Another task may have been faster; then this engine is one object too many, no more.
        if self._running is None:
            threads = ThreadPoolExecutor(self._max_workers, "neuralcore-provider")
            self._running = engine, threads
        return self._running

    async def shutdown(self) -> None:
        """Lets go of the model. The next text initializes it again. Idempotent."""
        running, self._running = self._running, None
        if running is not None:
            running[1].shutdown(wait=False)

    async def embed_text(self, text: str, *, input_type: Any = None) -> Any:
        """One text.

        :param input_type: what it is, as ATLAS's ``EmbeddingInputType`` or its value.
        :returns: an ``EmbeddingResult`` with ``token_count``.
        :raises EmbeddingGenerationError: if that fails.
        :raises EmbeddingRateLimitError: if the daemon has more to do than it takes.
        :raises EmbeddingProviderError: if the model cannot be used.
        """
        if not isinstance(text, str):
            raise self.types.EmbeddingGenerationError(
                f"A {type(text).__name__} cannot be embedded, only a str."
            )
        return (await self.embed_batch([text], input_type=input_type)).embeddings[0]

    async def embed_batch(self, texts: Sequence[str], *, input_type: Any = None) -> Any:
        """Texts, any number of them.

        :returns: a ``BatchEmbeddingResult`` in their order, with ``total_tokens``.
        :raises EmbeddingError: as for :meth:`embed_text`; a batch succeeds or fails as a whole.
        """
        texts = list(texts)
        vectors, counts = await self._embed(texts, self._kind(input_type))
        model, result = self._model_name, self.types.EmbeddingResult
        return self.types.BatchEmbeddingResult(
            embeddings=[
                result(embedding=vector, text=text, model=model, token_count=count)
                for vector, text, count in zip(vectors, texts, counts, strict=True)
            ],
            model=model,
            total_tokens=sum(counts),
        )

    async def embed_query(self, text: str) -> Any:
        """A text that is searched with: an ``EmbeddingResult``."""
        return await self.embed_text(text, input_type="search_query")

    async def embed_document(self, text: str) -> Any:
        """A text that is to be found: an ``EmbeddingResult``."""
        return await self.embed_text(text, input_type="search_document")

    async def embed_documents(self, texts: Sequence[str]) -> Any:
        """Texts that are to be found: a ``BatchEmbeddingResult``."""
        return await self.embed_batch(texts, input_type="search_document")

    async def embed(self, texts: str | Iterable[str]) -> Any:
        """One text to a vector, several to a list of vectors.

        ATLAS's retrieval asks its provider for this, which none of ATLAS's has; with it, similar
        questions find their answer in the query cache.
        """
        one = isinstance(texts, str)
        given = [texts] if isinstance(texts, str) else list(texts)
        vectors = await self._run(vectors_of, given, EmbeddingType.PLAIN) if given else []
        return vectors[0] if one else vectors

    async def health_check(self, timeout: float = 5.0) -> bool:
        """Whether a text can be embedded within so many seconds. Never raises."""
        try:
            result = await asyncio.wait_for(self.embed_text("health check"), timeout)
            return len(result.embedding) == self.dimension
        except Exception as error:
            _logger.warning("Embedding with %s does not work: %s", self._model_name, error)
            return False

    def __repr__(self) -> str:
        return f"{type(self).__name__}(model={self._model_name!r})"

    async def _embed(
        self, texts: list[str], kind: EmbeddingType
    ) -> tuple[list[list[float]], list[int]]:
        if not texts:
            await self._ready()
            return [], []
        vectors, counts = await asyncio.gather(
            self._run(vectors_of, texts, kind), self._run(_counts, texts, kind)
        )
        return vectors, counts

    async def _run(self, function: Any, texts: list[str], kind: EmbeddingType) -> Any:
        """Has a thread do it, and makes ATLAS's errors of ours."""
        engine, threads = await self._ready()
        try:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(threads, function, engine, texts, kind)
        except (QueueFull, LimitExceeded, Unavailable) as error:
            after = error.details.get("retry_after")
            raise self.types.EmbeddingRateLimitError(str(error), after) from error
        except (NeuralCoreError, ValueError, RuntimeError) as error:
            raise self.types.EmbeddingGenerationError(
                f"{len(texts)} texts could not be embedded: {error}"
            ) from error

    def _kind(self, input_type: Any) -> EmbeddingType:
        return _KINDS.get(getattr(input_type, "value", input_type), EmbeddingType.PLAIN)


provider_class = ClassOver(
    EmbeddingProviderCore,
    "EmbeddingProvider",
    "AtlasEmbeddingProvider",
    "neuralcore.compat.atlas_embedding",
)


def _counts(engine: EmbeddingEngine, texts: list[str], kind: EmbeddingType) -> list[int]:
    counts: list[int] = engine.count_tokens(texts, kind).tolist()
    return counts
