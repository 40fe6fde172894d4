"""What ATLAS's ``modules.storage.vectors.base`` has, for where there is no ATLAS."""

from __future__ import annotations

import uuid
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from enum import Enum
from typing import Any

__all__ = [
    "CollectionInfo",
    "DistanceMetric",
    "VectorCollectionError",
    "VectorDocument",
    "VectorNotFoundError",
    "VectorProvider",
    "VectorSearchResult",
    "VectorStoreError",
]

MODULE = "modules.storage.vectors.base"


class VectorStoreError(Exception):
    """Base of the errors of vector stores."""


class VectorNotFoundError(VectorStoreError):
    """There is no such document."""


class VectorCollectionError(VectorStoreError):
    """There is no such collection, or it is another than the one asked for."""


class DistanceMetric(str, Enum):
    """How vectors are compared; the last two are the same."""

    COSINE = "cosine"
    EUCLIDEAN = "euclidean"
    DOT_PRODUCT = "dot_product"
    INNER_PRODUCT = "inner_product"


@dataclass
class VectorDocument:
    """A vector with what belongs to it. An empty id becomes a random one; times are UTC, without a
    zone."""

    id: str
    vector: list[float]
    content: str | None = None
    metadata: dict[str, Any] = field(default_factory=dict)
    namespace: str | None = None
    created_at: datetime | None = None

    def __post_init__(self) -> None:
        self.id = self.id or str(uuid.uuid4())
        if self.created_at is None:
            self.created_at = datetime.now(timezone.utc).replace(tzinfo=None)


@dataclass
class VectorSearchResult:
    """A document that was found. ``score``: larger is nearer; ``distance``: smaller is nearer."""

    document: VectorDocument
    score: float
    distance: float | None = None


@dataclass
class CollectionInfo:
    name: str
    dimension: int
    count: int = 0
    metric: DistanceMetric = DistanceMetric.COSINE
    index_type: str | None = None
    metadata: dict[str, Any] = field(default_factory=dict)


class VectorProvider(ABC):
    """What ATLAS asks of a provider; ``NeuralCoreVectorProvider`` says what each member does."""

    @property
    @abstractmethod
    def name(self) -> str: ...

    @property
    @abstractmethod
    def is_initialized(self) -> bool: ...

    @abstractmethod
    async def initialize(self) -> None: ...

    @abstractmethod
    async def shutdown(self) -> None: ...

    @abstractmethod
    async def health_check(self, timeout: float = 5.0) -> bool: ...

    @abstractmethod
    async def create_collection(
        self,
        name: str,
        dimension: int,
        *,
        metric: DistanceMetric = DistanceMetric.COSINE,
        metadata: dict[str, Any] | None = None,
    ) -> CollectionInfo: ...

    @abstractmethod
    async def delete_collection(self, name: str) -> bool: ...

    @abstractmethod
    async def list_collections(self) -> list[CollectionInfo]: ...

    @abstractmethod
    async def get_collection(self, name: str) -> CollectionInfo | None: ...

    @abstractmethod
    async def upsert(
        self, collection: str, documents: Sequence[VectorDocument], *, namespace: str | None = None
    ) -> int: ...

    @abstractmethod
    async def delete(
        self, collection: str, ids: Sequence[str], *, namespace: str | None = None
    ) -> int: ...

    @abstractmethod
    async def get(
        self, collection: str, ids: Sequence[str], *, namespace: str | None = None
    ) -> list[VectorDocument]: ...

    @abstractmethod
    async def search(
        self,
        collection: str,
        query_vector: list[float],
        *,
        top_k: int = 10,
        namespace: str | None = None,
        filter: dict[str, Any] | None = None,
        include_metadata: bool = True,
        include_vectors: bool = False,
    ) -> list[VectorSearchResult]: ...
