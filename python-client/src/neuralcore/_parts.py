"""Large requests cut into such as fit a frame, and their answers put together. No I/O."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from neuralcore.errors import InvalidRequest, RequestTimeout

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike, NDArray

# Left in each frame for its head, the parameters and the tables.
_HEAD = 64 * 1024
# Texts in a request: enough to fill the model's batches, few enough that a request takes seconds.
TEXTS = 1000
IDS = 1000


class Hit(NamedTuple):
    """A search result. ``score``: see the metric; ``metadata`` is None if it was not asked for."""

    id: str
    score: float
    metadata: dict[str, Any] | None


class Record(NamedTuple):
    """A stored vector (float32, d) and its metadata, None if it has none."""

    id: str
    vector: NDArray[np.float32]
    metadata: dict[str, Any] | None


class Upserted(NamedTuple):
    """How many vectors were new, and how many replaced one of the same id."""

    inserted: int
    updated: int


class Deadline:
    """The time left for a request that is sent in parts."""

    __slots__ = ("_at", "_seconds")

    def __init__(self, seconds: float | None) -> None:
        self._seconds = seconds
        self._at: float | None = None

    def left(self) -> float | None:
        """Seconds for the next part; None leaves it to the connection's default."""
        if self._seconds is None:
            return None
        if self._at is None:  # the first part; a wrong value is told by the call itself
            self._at = time.monotonic() + self._seconds
            return self._seconds
        left = self._at - time.monotonic()
        if left <= 0:
            raise RequestTimeout(f"Not all parts were answered within {self._seconds:g} s.")
        return left


def matrix(value: ArrayLike, what: str) -> tuple[NDArray[np.float32], bool]:
    """n × d float32, and whether it was a single vector.

    Raises:
        InvalidRequest: rows of different length, or another number of axes.
    """
    import numpy as np

    try:
        array = np.asarray(value, dtype=np.float32)
    except (ValueError, TypeError) as e:
        raise InvalidRequest(
            f"{what} cannot be made a matrix: {e}.", code="DIMENSION_MISMATCH"
        ) from e
    if array.ndim == 1 and array.size:
        return array.reshape(1, -1), True
    if array.ndim == 2 and array.shape[1]:
        return array, False
    if not array.size and array.ndim <= 2:
        return array.reshape(0, 1), False
    raise InvalidRequest(f"{what} has the shape {array.shape}; (d,) or (n, d) is needed.")


def check_width(q: NDArray[np.float32], d: NDArray[np.float32]) -> None:
    """Raises InvalidRequest unless both have the same dimension, or one has no rows."""
    if len(q) and len(d) and q.shape[1] != d.shape[1]:
        raise InvalidRequest(
            f"Queries have the dimension {q.shape[1]}, documents {d.shape[1]}.",
            code="DIMENSION_MISMATCH",
        )


def string_list(values: Sequence[str], what: str) -> list[str]:
    """The values as a list; a single string is refused, it is a sequence of strings too."""
    if isinstance(values, (str, bytes)):
        raise InvalidRequest(f"{what} is a single {type(values).__name__}; a list is needed.")
    return list(values)


def text_parts(texts: list[str], limit: int) -> Iterator[list[str]]:
    """Parts of at most TEXTS texts that fit a frame of ``limit`` bytes."""
    budget = limit - _HEAD
    part: list[str] = []
    size = 0
    for i, text in enumerate(texts):
        if not isinstance(text, str):
            raise InvalidRequest(f"Text {i} is a {type(text).__name__}; a string is needed.")
        length = 4 + (len(text) if text.isascii() else 3 * len(text))
        if part and (len(part) == TEXTS or size + length > budget):
            yield part
            part, size = [], 0
        part.append(text)
        size += length
    if part:
        yield part


def ranges(count: int, size: int) -> Iterator[slice]:
    for start in range(0, count, size):
        yield slice(start, min(start + size, count))


def rows_that_fit(limit: int, row_bytes: int) -> int:
    return max(1, (limit - _HEAD) // max(1, row_bytes))


def blocks(m: int, n: int, dimension: int, limit: int) -> tuple[int, int]:
    """Rows of queries and of documents that fit a frame together, and whose m × n result does."""
    budget = limit - _HEAD
    row = 4 * dimension
    if (m + n) * row <= budget and 4 * m * n <= budget:
        return max(1, m), max(1, n)
    rows = max(1, min(budget // 2 // row, math.isqrt(budget // 4)))
    return rows, rows


def merge_top_k(
    parts: list[tuple[NDArray[np.int64], NDArray[np.float32]]], k: int, metric: str
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """The best k of each row of several results; of equal scores the lower index comes first."""
    import numpy as np

    if len(parts) == 1:
        return parts[0]
    indexes = np.concatenate([i for i, _ in parts], axis=1)
    scores = np.concatenate([s for _, s in parts], axis=1)
    rank = scores if metric in ("euclidean", "squared_euclidean") else -scores
    order = np.lexsort((indexes, rank), axis=1)[:, :k]
    return np.take_along_axis(indexes, order, 1), np.take_along_axis(scores, order, 1)


def hits(result: Mapping[str, Any], tensors: Sequence[Any]) -> list[list[Hit]]:
    """One list of hits a query, of a search's answer."""
    ids, scores = tensors
    metadata = result.get("metadata") or [None] * len(ids)
    every = [Hit(*hit) for hit in zip(ids, scores.tolist(), metadata, strict=True)]
    found, at = [], 0
    for count in result["counts"]:
        found.append(every[at : at + count])
        at += count
    return found


def records(result: Mapping[str, Any], tensors: Sequence[Any]) -> list[Record]:
    """The records of a get's answer."""
    found = result["found"]
    metadata = result.get("metadata") or [None] * len(found)
    vectors = tensors[0] if found else ()
    return [Record(*record) for record in zip(found, vectors, metadata, strict=True)]
