"""What ATLAS's ``modules.storage.embeddings.base`` has, for where there is no ATLAS."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

__all__ = [
    "BatchEmbeddingResult",
    "EmbeddingError",
    "EmbeddingGenerationError",
    "EmbeddingInputType",
    "EmbeddingProvider",
    "EmbeddingProviderError",
    "EmbeddingRateLimitError",
    "EmbeddingResult",
]


class EmbeddingError(Exception):
    """Base of the errors of embedding."""


class EmbeddingProviderError(EmbeddingError):
    """The provider cannot be set up: no such model, no daemon."""


class EmbeddingGenerationError(EmbeddingError):
    """A text could not be embedded."""


class EmbeddingRateLimitError(EmbeddingError):
    """Too much at a time.

    :param retry_after: seconds after which to try again, if known.
    """

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class EmbeddingInputType(str, Enum):
    """What a text is."""

    DOCUMENT = "search_document"
    QUERY = "search_query"
    CLUSTERING = "clustering"
    CLASSIFICATION = "classification"


@dataclass
class EmbeddingResult:
    """A text's vector.

    :param token_count: tokens that the model saw, special ones and its prefix included.
    """

    embedding: list[float]
    text: str
    model: str
    token_count: int | None = None
    metadata: dict[str, Any] = field(default_factory=dict)

    @property
    def dimension(self) -> int:
        return len(self.embedding)


@dataclass
class BatchEmbeddingResult:
    """The vectors of several texts, in their order."""

    embeddings: list[EmbeddingResult]
    model: str
    total_tokens: int | None = None
    metadata: dict[str, Any] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.embeddings)

    def __iter__(self) -> Iterator[EmbeddingResult]:
        return iter(self.embeddings)

    def __getitem__(self, index: int) -> EmbeddingResult:
        return self.embeddings[index]

    @property
    def vectors(self) -> list[list[float]]:
        return [result.embedding for result in self.embeddings]


class EmbeddingProvider(ABC):
    """What ATLAS asks of a provider; ``AtlasEmbeddingProvider`` says what each member does."""

    @property
    @abstractmethod
    def name(self) -> str: ...

    @property
    @abstractmethod
    def model_name(self) -> str: ...

    @property
    @abstractmethod
    def dimension(self) -> int: ...

    @property
    @abstractmethod
    def is_initialized(self) -> bool: ...

    @abstractmethod
    async def initialize(self) -> None: ...

    @abstractmethod
    async def shutdown(self) -> None: ...

    @abstractmethod
    async def embed_text(
        self, text: str, *, input_type: EmbeddingInputType | None = None
    ) -> EmbeddingResult: ...

    @abstractmethod
    async def embed_batch(
        self, texts: Sequence[str], *, input_type: EmbeddingInputType | None = None
    ) -> BatchEmbeddingResult: ...
