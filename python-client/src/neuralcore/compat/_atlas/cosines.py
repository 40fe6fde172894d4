"""ATLAS's functions of two vectors, each with its own conventions, over ours.

ATLAS has the cosine nine times. All give 0.0 where a vector has no length; they differ in what they
do with vectors of different lengths, which nobody should depend on and somebody may. Lists, tuples
and arrays will do everywhere.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple, NoReturn

from neuralcore.fallback import vectors as _local
from neuralcore.vectors import cosine_similarity

_PLAIN = (list, tuple)


def zero_if_different(a: Any, b: Any) -> float:
    """Cosine; 0.0 if the lengths differ."""
    return _cosine(a, b) if len(a) == len(b) else 0.0


def chunking(a: Any, b: Any) -> float:
    """Cosine of two sentences.

    :raises ValueError: if the lengths differ.
    """
    if len(a) != len(b):
        raise ValueError("Vectors must have same dimension")
    return _cosine(a, b)


def clip(a: Any, b: Any) -> float:
    """Cosine of pictures and texts.

    :raises ValueError: if the lengths differ, with both.
    """
    if len(a) != len(b):
        raise ValueError(f"Vector dimension mismatch: {len(a)} vs {len(b)}")
    return _cosine(a, b)


def validated(a: Any, b: Any) -> float:
    """Cosine of a record and a query.

    :raises VectorValidationError: if the lengths differ: ATLAS's, where it is imported.
    """
    if len(a) != len(b):
        _refuse()
    return _cosine(a, b)


def truncating(a: Any, b: Any) -> float:
    """Cosine; of different lengths, the product of what both have over the whole lengths."""
    if len(a) == len(b):
        return _cosine(a, b)
    if not len(a) or not len(b):
        return 0.0
    # Zeros behind the shorter one change neither the product nor a length.
    longest = max(len(a), len(b))
    return _cosine([*a, *[0.0] * (longest - len(a))], [*b, *[0.0] * (longest - len(b))])


def never_raising(a: Any, b: Any) -> float:
    """:func:`truncating`; 0.0 for whatever cannot be computed, None among it."""
    try:
        return truncating(a, b)
    except Exception:
        return 0.0


def l2_score(a: Any, b: Any) -> float:
    """1 / (1 + distance), of what both have."""
    n = min(len(a), len(b))
    return 1.0 / (1.0 + _local.pair(a[:n], b[:n], "euclidean"))


def _cosine(a: Any, b: Any) -> float:
    """Of what is not finite NaN, as arithmetic has it; ours would refuse it."""
    if a.__class__ in _PLAIN and b.__class__ in _PLAIN:
        return _local.pair(a, b, "cosine")
    try:
        return cosine_similarity(a, b)
    except ValueError:
        if all(map(math.isfinite, a)) and all(map(math.isfinite, b)):
            raise
        return math.nan


def _refuse() -> NoReturn:
    from neuralcore.compat._atlas.tool_types import current

    raise current().VectorValidationError("Query vector dimensionality mismatch.")


class Copy(NamedTuple):
    """A function of ATLAS's, and ours for it.

    :param place: the name in the module: of the function, or of the class and of its method.
    :param bound: whether it is a method that is called with the object.
    """

    module: str
    place: str
    ours: Callable[[Any, Any], float]
    bound: bool = False

    def replacement(self) -> Any:
        if not self.bound:
            return staticmethod(self.ours) if "." in self.place else self.ours
        ours = self.ours
        return lambda _, a, b: ours(a, b)


COPIES = (
    Copy(
        "modules.storage.retrieval.cache",
        "QueryResultCache._cosine_similarity",
        zero_if_different,
        bound=True,
    ),
    Copy("modules.storage.chunking.semantic", "cosine_similarity", chunking),
    Copy("modules.storage.chunking", "cosine_similarity", chunking),
    Copy("modules.Tools.providers.vector_store.in_memory", "_cosine_similarity", validated),
    Copy("modules.Tools.providers.vector_store.faiss", "_cosine_score", truncating),
    Copy("modules.Tools.providers.vector_store.faiss", "_l2_score", l2_score),
    Copy("modules.conversation_store.vector_pipeline", "_cosine_similarity", zero_if_different),
    Copy("modules.Server.conversation_routes", "_cosine_similarity", zero_if_different),
    Copy("core.services.conversations", "ConversationService._cosine_similarity", never_raising),
    Copy(
        "modules.storage.evaluation.evaluator",
        "RelevancyCalculator._cosine_similarity",
        truncating,
        bound=True,
    ),
    Copy("modules.Tools.Base_Tools.clip_embeddings", "CLIPEmbeddings.cosine_similarity", clip),
)
