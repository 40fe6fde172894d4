"""What of ATLAS is replaced by what: the one list that all else here follows."""

from __future__ import annotations

import importlib
from collections.abc import Collection, Iterable
from typing import Any, Literal, NamedTuple

NAME = "neuralcore"
"""What ours are called in ATLAS's registries."""

PARTS = ("messaging", "embedding", "vectors")


class Swap(NamedTuple):
    """One name of ATLAS's and what stands in for it.

    :ivar part: one of ``PARTS``.
    :ivar module: ATLAS's module, from the root of its tree.
    :ivar name: in that module; ``Class.method`` for a method.
    :ivar ours: ``module:name``.
    :ivar how: "import": whoever imports the name imports ours. "body": the function stays, and
        calls ours with its arguments, without ``self``. "register": the function is called with
        our name and ours; "decorate": with our name, and what it gives is called with ours.
    """

    part: str
    module: str
    name: str
    ours: str
    how: Literal["import", "body", "register", "decorate"] = "import"

    def resolve(self) -> Any:
        """Ours, imported."""
        module, _, name = self.ours.partition(":")
        return getattr(importlib.import_module(module), name)


def _of(part: str, module: str, ours: str, names: Iterable[str]) -> list[Swap]:
    return [Swap(part, module, name, f"{ours}:{name}") for name in names]


SWAPS: tuple[Swap, ...] = (
    *_of(
        "messaging",
        "core.messaging.agent_bus",
        "neuralcore.compat.agent_bus",
        (
            "AgentBus",
            "Subscription",
            "get_agent_bus",
            "configure_agent_bus",
            "shutdown_agent_bus",
        ),
    ),
    *_of(
        "messaging",
        "core.messaging.NCB",
        "neuralcore.compat.atlas_ncb",
        (
            "ChannelConfig",
            "Message",
            "NeuralCognitiveBus",
            "Plugin",
            "SecurityConfig",
            "SubscriberConfig",
        ),
    ),
    # Of other versions, and of the planning documents.
    Swap("messaging", "core.messaging.NCB", "NCB", "neuralcore.compat.atlas_ncb:NeuralCoreNCB"),
    Swap(
        "embedding",
        "modules.storage.embeddings.huggingface",
        "HuggingFaceEmbeddingProvider",
        "neuralcore.compat.atlas_embedding:HuggingFaceEmbeddingProvider",
    ),
    # Its providers have no embed(), so that it never finds anything; ours have, and it would answer
    # from other knowledge bases.
    Swap(
        "embedding",
        "modules.storage.retrieval.cache",
        "QueryResultCache",
        "neuralcore.compat.atlas_vectors:QueryResultCache",
    ),
    Swap(
        "embedding",
        "modules.storage.embeddings.base",
        "register_embedding_provider",
        "neuralcore.compat.atlas_embedding:AtlasEmbeddingProvider",
        "decorate",
    ),
    Swap(
        "vectors",
        "modules.storage.vectors.base",
        "register_vector_provider",
        "neuralcore.compat.atlas_vectors:NeuralCoreVectorProvider",
        "decorate",
    ),
    Swap(
        "vectors",
        "modules.Tools.Base_Tools.vector_store",
        "register_vector_store_adapter",
        "neuralcore.compat.atlas_vectors:make_adapter",
        "register",
    ),
    *(
        Swap("vectors", module, name, f"neuralcore.compat.atlas_vectors:{ours}", "body")
        for module, name, ours in (
            (
                "modules.storage.retrieval.cache",
                "QueryResultCache._cosine_similarity",
                "zero_if_different",
            ),
            ("modules.storage.chunking.semantic", "cosine_similarity", "chunking"),
            (
                "modules.Tools.providers.vector_store.in_memory",
                "_cosine_similarity",
                "validated",
            ),
            ("modules.Tools.providers.vector_store.faiss", "_cosine_score", "truncating"),
            ("modules.Tools.providers.vector_store.faiss", "_l2_score", "l2_score"),
            (
                "modules.conversation_store.vector_pipeline",
                "_cosine_similarity",
                "zero_if_different",
            ),
            ("modules.Server.conversation_routes", "_cosine_similarity", "zero_if_different"),
            (
                "core.services.conversations",
                "ConversationService._cosine_similarity",
                "never_raising",
            ),
            (
                "modules.storage.evaluation.evaluator",
                "RelevancyCalculator._cosine_similarity",
                "truncating",
            ),
            (
                "modules.Tools.Base_Tools.clip_embeddings",
                "CLIPEmbeddings.cosine_similarity",
                "clip",
            ),
        )
    ),
)

MODULES = {
    "core.messaging.agent_bus": "neuralcore.compat.agent_bus",
    "core.messaging.NCB": "neuralcore.compat.atlas_ncb",
}
"""Modules that ours stand in for as a whole, with all that is imported of them."""


def swaps_of(parts: Collection[str]) -> tuple[Swap, ...]:
    """The swaps of the parts named.

    :raises ValueError: if there is no such part.
    """
    unknown = sorted(set(parts) - set(PARTS))
    if unknown:
        raise ValueError(f"{', '.join(unknown)}: the parts are {', '.join(PARTS)}.")
    return tuple(swap for swap in SWAPS if swap.part in parts)
