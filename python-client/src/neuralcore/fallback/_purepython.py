"""Vector maths with the standard library alone, for short lists and for Pythons without NumPy.

Sums are made in double precision. Values are scaled before they are squared where the square could
overflow or vanish, so that the cosine of any finite vectors is right.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Sequence

Floats = Sequence[float]

_sumprod: Callable[[Floats, Floats], float] | None = getattr(math, "sumprod", None)
HAS_SUMPROD = _sumprod is not None

# Squares within these bounds neither overflowed nor lost digits to underflow.
SAFE_SQUARE_MIN = 1e-150
SAFE_SQUARE_MAX = 1e150


def dot(a: Floats, b: Floats) -> float:
    """The sum of the products. O(n)."""
    if _sumprod is not None:
        return float(_sumprod(a, b))
    return float(sum(map(operator.mul, a, b)))


def squared_euclidean(a: Floats, b: Floats) -> float:
    differences = [x - y for x, y in zip(a, b, strict=True)]
    return dot(differences, differences)


def cosine(a: Floats, b: Floats) -> float:
    """The cosine of the angle, 0.0 if either vector is zero."""
    aa, bb = dot(a, a), dot(b, b)
    if not (_is_safe(aa) and _is_safe(bb)):
        a, b = _scaled(a), _scaled(b)
        aa, bb = dot(a, a), dot(b, b)
        if aa == 0.0 or bb == 0.0:
            return 0.0
    return clip(dot(a, b) / (math.sqrt(aa) * math.sqrt(bb)))


def normalize(v: Floats) -> list[float]:
    """The vector divided by its length; a zero vector stays zero."""
    square = dot(v, v)
    if not _is_safe(square):
        v = _scaled(v)
        square = dot(v, v)
        if square == 0.0:
            return [0.0] * len(v)
    length = math.sqrt(square)
    return [x / length for x in v]


def clip(cosine: float) -> float:
    """Takes rounding beyond ±1 away; NaN stays NaN."""
    if cosine > 1.0:
        return 1.0
    return -1.0 if cosine < -1.0 else cosine


def _is_safe(square: float) -> bool:
    return SAFE_SQUARE_MIN < square < SAFE_SQUARE_MAX


def _scaled(v: Floats) -> Floats:
    largest = max(map(abs, v), default=0.0)
    if largest == 0.0 or not math.isfinite(largest):
        return v
    return [x / largest for x in v]


PAIR: dict[str, Callable[[Floats, Floats], float]] = {
    "cosine": cosine,
    "dot_product": dot,
    "euclidean": lambda a, b: math.sqrt(squared_euclidean(a, b)),
    "squared_euclidean": squared_euclidean,
}


def scores(
    queries: Sequence[Floats], documents: Sequence[Floats], metric: str
) -> list[list[float]]:
    """The m × n matrix of scores. O(m·n·d)."""
    pair = PAIR[metric]
    return [[pair(query, document) for document in documents] for query in queries]


def distances(scores: list[list[float]], metric: str) -> list[list[float]]:
    """Scores of n vectors with themselves as distances, with a zero diagonal."""

    def distance(score: float) -> float:
        if metric == "cosine":
            return 1.0 - score
        return -score if metric == "dot_product" else score

    return [
        [0.0 if i == j else distance(score) for j, score in enumerate(row)]
        for i, row in enumerate(scores)
    ]


def top_k(row: Sequence[float], k: int, descending: bool) -> list[tuple[int, float]]:
    """The k best of one row of scores as (index, score), ties by index. O(n log n)."""
    sign = -1.0 if descending else 1.0
    order = sorted(range(len(row)), key=lambda i: (sign * row[i], i))
    return [(i, row[i]) for i in order[:k]]
