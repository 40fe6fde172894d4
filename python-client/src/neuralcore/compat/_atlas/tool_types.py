"""What ATLAS's ``modules.Tools.Base_Tools.vector_store`` has, for where there is no ATLAS."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from neuralcore.compat._atlas.modules import atlas_module

__all__ = [
    "DeleteResponse",
    "QueryMatch",
    "QueryResponse",
    "UpsertResponse",
    "VectorRecord",
    "VectorStoreConfigurationError",
    "VectorStoreError",
    "VectorStoreOperationError",
    "VectorValidationError",
]

MODULE = "modules.Tools.Base_Tools.vector_store"


def current() -> Any:
    """ATLAS's module where it can be imported, else this one."""
    return atlas_module(MODULE) or sys.modules[__name__]


class VectorStoreError(RuntimeError):
    """Base of the errors of vector stores."""


class VectorStoreConfigurationError(VectorStoreError):
    """The store cannot be had as it is configured."""


class VectorStoreOperationError(VectorStoreError):
    """The store could not do it."""


class VectorValidationError(VectorStoreError):
    """What was given is wrong."""


def _nothing() -> Mapping[str, Any]:
    return MappingProxyType({})


@dataclass(frozen=True)
class VectorRecord:
    """A vector with its id and metadata."""

    id: str
    values: tuple[float, ...]
    metadata: Mapping[str, Any] = field(default_factory=_nothing)

    def __post_init__(self) -> None:
        object.__setattr__(self, "metadata", MappingProxyType(dict(self.metadata)))


@dataclass(frozen=True)
class QueryMatch:
    """A record that was found; ``values`` is None if they were not asked for."""

    id: str
    score: float
    values: tuple[float, ...] | None
    metadata: Mapping[str, Any] = field(default_factory=_nothing)

    def __post_init__(self) -> None:
        object.__setattr__(self, "metadata", MappingProxyType(dict(self.metadata)))


@dataclass(frozen=True)
class UpsertResponse:
    namespace: str
    ids: tuple[str, ...]
    upserted_count: int


@dataclass(frozen=True)
class QueryResponse:
    """Matches, the nearest first."""

    namespace: str
    matches: tuple[QueryMatch, ...]
    top_k: int


@dataclass(frozen=True)
class DeleteResponse:
    """``deleted`` says whether there was anything."""

    namespace: str
    removed_ids: tuple[str, ...]
    deleted: bool
