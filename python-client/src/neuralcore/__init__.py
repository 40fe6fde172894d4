"""Fast vectors, text embedding and a priority message bus, served by a local daemon.

>>> import neuralcore
>>> neuralcore.cosine_similarity([1.0, 0.0], [1.0, 0.0])
1.0
>>> neuralcore.embed_text("some text")                 # float32, 384 dimensions
>>> with neuralcore.connect() as client:               # finds a daemon, or starts one
...     client.info()

Importing this package loads neither NumPy nor anything else of weight, and starts nothing: what is
named here is loaded when it is first used. Calls that need the daemon say whether they start one.
"Native" means that the daemon is there, or can be started; without it most of this works too,
slower and within the process (``neuralcore.fallback``).
"""

from __future__ import annotations

import importlib
import sys

from neuralcore._version import __version__

TYPE_CHECKING = False  # as of typing, which takes longer to load than this package
if TYPE_CHECKING:
    from typing import Any

    from neuralcore import embedding, errors, messaging, vectors
    from neuralcore._runtime import get_available_features, is_native_available, runtime_info
    from neuralcore.aio import AsyncClient, connect_async
    from neuralcore.client import Client, connect
    from neuralcore.compat._adopt.running import disable, enable
    from neuralcore.embedding import (
        EmbeddingEngine,
        EmbeddingType,
        ModelConfig,
        embed_batch,
        embed_text,
    )
    from neuralcore.errors import NeuralCoreError
    from neuralcore.messaging import Message, MessageBus, Priority
    from neuralcore.vectors import (
        HNSWIndex,
        cosine_similarity,
        cosine_similarity_batch,
        dot_product,
        euclidean_distance,
        normalize,
    )

    NATIVE_AVAILABLE: bool

__all__ = [
    "NATIVE_AVAILABLE",
    "AsyncClient",
    "Client",
    "EmbeddingEngine",
    "EmbeddingType",
    "HNSWIndex",
    "Message",
    "MessageBus",
    "ModelConfig",
    "NeuralCoreError",
    "Priority",
    "__version__",
    "connect",
    "connect_async",
    "cosine_similarity",
    "cosine_similarity_batch",
    "disable",
    "dot_product",
    "embed_batch",
    "embed_text",
    "embedding",
    "enable",
    "errors",
    "euclidean_distance",
    "get_available_features",
    "is_native_available",
    "messaging",
    "normalize",
    "runtime_info",
    "vectors",
]

_config: dict[str, Any] | None = None
"""What ``neuralcore.compat.config.apply_config`` was given."""

_MODULES = ("embedding", "errors", "messaging", "vectors")
_HOMES = {
    "AsyncClient": "aio",
    "Client": "client",
    "EmbeddingEngine": "embedding",
    "EmbeddingType": "embedding",
    "HNSWIndex": "vectors",
    "Message": "messaging",
    "MessageBus": "messaging",
    "ModelConfig": "embedding",
    "NeuralCoreError": "errors",
    "Priority": "messaging",
    "connect": "client",
    "connect_async": "aio",
    "cosine_similarity": "vectors",
    "cosine_similarity_batch": "vectors",
    "disable": "compat._adopt.running",
    "dot_product": "vectors",
    "embed_batch": "embedding",
    "embed_text": "embedding",
    "enable": "compat._adopt.running",
    "euclidean_distance": "vectors",
    "get_available_features": "_runtime",
    "is_native_available": "_runtime",
    "normalize": "vectors",
    "runtime_info": "_runtime",
}


def __getattr__(name: str) -> Any:
    if name == "NATIVE_AVAILABLE":
        # Not kept: a daemon may come and go.
        return __getattr__("is_native_available")()
    if name in _MODULES:
        return importlib.import_module(f"{__name__}.{name}")
    if name in _HOMES:
        value = getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
        setattr(sys.modules[__name__], name, value)
        return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
