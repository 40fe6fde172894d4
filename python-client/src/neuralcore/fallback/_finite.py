"""NaN and infinity are refused, with their place, as the daemon does.

Vectors are not looked through before each use: NaN or infinity in the input shows as a result that
is not finite, and only then the place is searched for. All functions are thread-safe.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from neuralcore.errors import InvalidRequest

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def check_finite(vectors: NDArray[Any], meaning: str) -> None:
    """:raises InvalidRequest: NOT_FINITE, with the place of the first value that is not."""
    import numpy as np

    if np.isfinite(vectors).all():
        return
    row, column = (int(i) for i in np.argwhere(~np.isfinite(vectors))[0])
    raise _not_finite(meaning, f"row {row}, column {column}", vectors[row, column])


def check_vector(vector: Iterable[float], meaning: str) -> None:
    """:raises InvalidRequest: with the index of the first value that is no number, or, with the
    code NOT_FINITE, no finite one."""
    for i, value in enumerate(vector):
        try:
            finite = math.isfinite(value)
        except TypeError:
            raise InvalidRequest(
                f"{meaning}: the value at index {i} is a {type(value).__name__}; real numbers are "
                "needed."
            ) from None
        except OverflowError:
            raise _not_finite(meaning, f"index {i}", "beyond a float's range") from None
        if not finite:
            raise _not_finite(meaning, f"index {i}", value)


def finite_score(score: float, a: Iterable[float], b: Iterable[float]) -> float:
    """The score of a pair; infinite only where finite vectors have one beyond a double."""
    if not math.isfinite(score):
        check_vector(a, "a")
        check_vector(b, "b")
    return score


def finite_scores(
    scores: NDArray[np.float32], queries: NDArray[np.float32], documents: NDArray[np.float32]
) -> NDArray[np.float32]:
    """The scores of many with many; infinite only where finite vectors have one beyond float32."""
    import numpy as np

    with np.errstate(over="ignore", invalid="ignore"):
        total = float(scores.sum())
    if not math.isfinite(total):
        check_finite(queries, "queries")
        check_finite(documents, "documents")
    return scores


def _not_finite(meaning: str, place: str, value: object) -> InvalidRequest:
    return InvalidRequest(
        f"{meaning}: the value at {place} is {value}; vectors must be finite.", code="NOT_FINITE"
    )
