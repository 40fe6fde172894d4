"""ATLAS's embedding provider over the daemon.

``register()`` puts it in the place of ATLAS's ``HuggingFaceEmbeddingProvider``::

    from neuralcore.compat import atlas_embedding

    atlas_embedding.register()
    provider = await create_embedding_provider("huggingface", model="all-MiniLM-L6-v2")

``AtlasEmbeddingProvider`` (by its other name ``HuggingFaceEmbeddingProvider``, so that an import
can be pointed here) has all of ATLAS's interface, and derives from ATLAS's ``EmbeddingProvider``
where ATLAS can be imported. ``NeuralCoreEmbeddingProvider`` is the smaller one of the two: texts
in, lists of floats out. ``docs/atlas-vectors-embedding.md`` says what is as in ATLAS and what is
better. Importing this module imports nothing of ATLAS.
"""

from __future__ import annotations

import sys
import threading
from types import ModuleType
from typing import TYPE_CHECKING, Any

from neuralcore.compat._atlas import embedding_types
from neuralcore.compat._atlas.embedding_provider import EmbeddingProviderCore, provider_class
from neuralcore.compat._atlas.models import DEFAULT_MODEL, KNOWN
from neuralcore.compat._atlas.modules import atlas_module
from neuralcore.compat._atlas.seeds_provider import NeuralCoreEmbeddingProvider
from neuralcore.compat.config import is_enabled

if TYPE_CHECKING:
    from collections.abc import Mapping

    from neuralcore.compat._atlas.embedding_types import (
        BatchEmbeddingResult,
        EmbeddingError,
        EmbeddingGenerationError,
        EmbeddingInputType,
        EmbeddingProvider,
        EmbeddingProviderError,
        EmbeddingRateLimitError,
        EmbeddingResult,
    )

    AtlasEmbeddingProvider = EmbeddingProviderCore
    HuggingFaceEmbeddingProvider = EmbeddingProviderCore

__all__ = [
    "DEFAULT_MODEL",
    "LOCAL_MODELS",
    "AtlasEmbeddingProvider",
    "BatchEmbeddingResult",
    "EmbeddingError",
    "EmbeddingGenerationError",
    "EmbeddingInputType",
    "EmbeddingProvider",
    "EmbeddingProviderError",
    "EmbeddingRateLimitError",
    "EmbeddingResult",
    "HuggingFaceEmbeddingProvider",
    "NeuralCoreEmbeddingProvider",
    "is_registered",
    "register",
    "unregister",
]

LOCAL_MODELS: dict[str, dict[str, Any]] = {
    name: {"symmetric": model.symmetric, **model._asdict()} for name, model in KNOWN.items()
}
"""The models known by name, as ATLAS's module of this name describes them."""

_BASE = "modules.storage.embeddings.base"
_THEIRS = ("modules.storage.embeddings", "modules.storage.embeddings.huggingface")
_CLASS = "HuggingFaceEmbeddingProvider"
_NAMES = ("huggingface", "neuralcore")

_lock = threading.RLock()
_replaced: list[tuple[Any, str, Any]] = []


def register(config: Mapping[str, Any] | None = None) -> bool:
    """Has ATLAS use our provider wherever it is configured to use "huggingface".

    In ATLAS's registry it is then what "huggingface" and "neuralcore" name, so that its closed
    enumeration of providers, which takes every unknown name for "huggingface", reaches it; and
    ``HuggingFaceEmbeddingProvider`` of its modules is our class. As our provider has ``embed``,
    ATLAS's retrieval begins to compare questions by meaning in its query cache; its own cache would
    answer from other knowledge bases, so it is replaced too. Providers made before stay as they
    are. Idempotent.

    :param config: of ``configure_from_atlas``; by default what was applied.
    :returns: whether it is registered: not where ``neuralcore.enabled`` or
        ``neuralcore.embedding`` is false.
    :raises EmbeddingProviderError: if there is no ATLAS.
    """
    if not is_enabled("embedding", config):
        return False
    base = atlas_module(_BASE)
    if base is None:
        raise embedding_types.EmbeddingProviderError(
            "There is no ATLAS to register with: modules.storage.embeddings cannot be imported."
            " Put ATLAS's folder on the path."
        )
    ours = provider_class(base)
    with _lock:
        if is_registered():
            return True
        for name in _NAMES:
            _replace(base._EMBEDDING_PROVIDERS, name, ours)
        for module in filter(None, map(atlas_module, _THEIRS)):
            _replace(module, _CLASS, ours)
        _replace_cache()
    return True


def unregister() -> None:
    """Undoes :func:`register`. Idempotent."""
    with _lock:
        while _replaced:
            holder, name, before = _replaced.pop()
            if isinstance(holder, dict):
                if before is None:
                    holder.pop(name, None)
                else:
                    holder[name] = before
            else:
                setattr(holder, name, before)


def is_registered() -> bool:
    """Whether ATLAS uses our provider."""
    base = sys.modules.get(_BASE)
    with _lock:
        return base is not None and any(
            holder is base._EMBEDDING_PROVIDERS for holder, *_ in _replaced
        )


def _replace_cache() -> None:
    from neuralcore.compat._atlas.query_cache import QueryResultCache

    module = atlas_module("modules.storage.retrieval.cache")
    if module is not None:
        _replace(module, "QueryResultCache", QueryResultCache)
    package = sys.modules.get("modules.storage.retrieval")
    if package is not None and hasattr(package, "QueryResultCache"):
        _replace(package, "QueryResultCache", QueryResultCache)


def _replace(holder: Any, name: str, value: Any) -> None:
    if isinstance(holder, dict):
        _replaced.append((holder, name, holder.get(name)))
        holder[name] = value
    else:
        _replaced.append((holder, name, getattr(holder, name, None)))
        setattr(holder, name, value)


def _types() -> ModuleType:
    """ATLAS's results and errors, where it can be imported; else ours."""
    return atlas_module(_BASE) or embedding_types


def __getattr__(name: str) -> Any:
    if name in ("AtlasEmbeddingProvider", _CLASS):
        ours = provider_class(types := _types())
        if name == _CLASS and types is not embedding_types:
            # Importing ATLAS's class registers it, so importing it from here does.
            types._EMBEDDING_PROVIDERS.setdefault("huggingface", ours)
        return ours
    if name in embedding_types.__all__:
        return getattr(_types(), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
