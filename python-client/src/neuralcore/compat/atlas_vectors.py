"""ATLAS's vector maths and vector stores over ours.

- the cosine of two vectors, once for each of ATLAS's copies, with that one's conventions;
- ``NeuralCoreVectorProvider``, ATLAS's ``VectorProvider``, for its StorageManager;
- ``NeuralCoreVectorStoreAdapter``, ATLAS's ``VectorStoreAdapter``, for its tools;
- ``QueryResultCache``, which finds the answers of similar questions.

::

    from neuralcore.compat import atlas_vectors

    atlas_vectors.register()                     # both stores as "neuralcore"; the cosines
    await atlas_vectors.attach(storage_manager)  # whose own list of backends is closed

``docs/atlas-vectors-embedding.md`` says what is as in ATLAS and what is better. Importing this
module imports nothing of ATLAS.
"""

from __future__ import annotations

import sys
import threading
from types import ModuleType
from typing import TYPE_CHECKING, Any

from neuralcore.compat._atlas import storage_types, tool_types
from neuralcore.compat._atlas.cosines import (
    COPIES,
    chunking,
    clip,
    l2_score,
    never_raising,
    truncating,
    validated,
    zero_if_different,
)
from neuralcore.compat._atlas.modules import atlas_module
from neuralcore.compat._atlas.query_cache import QueryResultCache
from neuralcore.compat._atlas.tool_adapter import NeuralCoreVectorStoreAdapter, make_adapter
from neuralcore.compat._atlas.vector_provider import VectorProviderCore, provider_class
from neuralcore.compat.config import is_enabled
from neuralcore.vectors import cosine_similarity, cosine_similarity_batch

if TYPE_CHECKING:
    from collections.abc import Mapping

    from neuralcore.compat._atlas.storage_types import (
        CollectionInfo,
        DistanceMetric,
        VectorDocument,
        VectorProvider,
        VectorSearchResult,
    )
    from neuralcore.compat._atlas.tool_types import (
        DeleteResponse,
        QueryMatch,
        QueryResponse,
        UpsertResponse,
        VectorRecord,
    )

    NeuralCoreVectorProvider = VectorProviderCore

__all__ = [
    "COPIES",
    "CollectionInfo",
    "DeleteResponse",
    "DistanceMetric",
    "NeuralCoreVectorProvider",
    "NeuralCoreVectorStoreAdapter",
    "QueryMatch",
    "QueryResponse",
    "QueryResultCache",
    "UpsertResponse",
    "VectorDocument",
    "VectorProvider",
    "VectorRecord",
    "VectorSearchResult",
    "attach",
    "chunking",
    "clip",
    "cosine_similarity",
    "cosine_similarity_batch",
    "l2_score",
    "make_adapter",
    "never_raising",
    "register",
    "replace_cosines",
    "restore_cosines",
    "truncating",
    "validated",
    "zero_if_different",
]

_NAME = "neuralcore"
_STORAGE = frozenset(storage_types.__all__) & frozenset(__all__)
_TOOL = frozenset(tool_types.__all__) & frozenset(__all__)

_lock = threading.RLock()
_replaced: list[tuple[Any, str, Any]] = []


def register(config: Mapping[str, Any] | None = None) -> bool:
    """Makes ATLAS know both stores as "neuralcore", and replaces the cosines of modules that are
    loaded.

    ``tools.vector_store.default_adapter: neuralcore`` then chooses the adapter; :func:`attach`
    gives the provider to a StorageManager. Idempotent.

    :param config: of ``configure_from_atlas``; by default what was applied.
    :returns: whether it is registered: not where ``neuralcore.enabled`` or ``neuralcore.vectors``
        is false, or there is no ATLAS.
    """
    if not is_enabled("vectors", config):
        return False
    tool, storage = atlas_module(tool_types.MODULE), atlas_module(storage_types.MODULE)
    if tool is not None:
        tool.register_vector_store_adapter(_NAME, make_adapter)
    if storage is not None:
        storage.register_vector_provider(_NAME)(provider_class(storage))
    replace_cosines()
    return tool is not None or storage is not None


async def attach(storage_manager: Any, **options: Any) -> VectorProviderCore:
    """Makes our provider the default one of an ATLAS StorageManager, and initializes it.

    :param options: of ``NeuralCoreVectorProvider``.
    :raises VectorStoreError: if there is no daemon and no fallback.
    """
    provider = provider_class(_storage_types())(**options)
    await provider.initialize()
    storage_manager._vector_provider = provider
    storage_manager._vector_registry.register_instance(provider.name, provider, default=True)
    return provider


def replace_cosines(*, load: bool = False) -> list[str]:
    """Puts our functions in the place of ATLAS's own, in modules that are loaded. Idempotent.

    :param load: import those that are not.
    :returns: what is replaced now, as ``module:place``.
    """
    done = []
    with _lock:
        for copy in COPIES:
            module = atlas_module(copy.module) if load else sys.modules.get(copy.module)
            holder, name = _holder(module, copy.place)
            if holder is None:
                continue
            if not any(each[:2] == (holder, name) for each in _replaced):
                _replaced.append((holder, name, vars(holder)[name]))
                setattr(holder, name, copy.replacement())
            done.append(f"{copy.module}:{copy.place}")
    return done


def restore_cosines() -> None:
    """Undoes :func:`replace_cosines`. Idempotent."""
    with _lock:
        while _replaced:
            holder, name, before = _replaced.pop()
            setattr(holder, name, before)


def _holder(module: ModuleType | None, place: str) -> tuple[Any, str]:
    """The module or class in which a function is; None if it is not there, or is ours already."""
    owner, _, name = place.rpartition(".")
    holder = getattr(module, owner, None) if owner else module
    ours = str(vars(holder).get("__module__", "")).startswith("neuralcore.") if holder else True
    return (None, name) if ours or name not in vars(holder) else (holder, name)


def _storage_types() -> Any:
    return atlas_module(storage_types.MODULE) or storage_types


def __getattr__(name: str) -> Any:
    if name == "NeuralCoreVectorProvider":
        return provider_class(_storage_types())
    if name in _STORAGE:
        return getattr(_storage_types(), name)
    if name in _TOOL:
        return getattr(tool_types.current(), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
