"""Vector maths in this process: numkong for pairs of arrays if installed, NumPy, or pure Python.

Nothing here talks to a daemon. Functions take validated input of :mod:`neuralcore.vectors`; the
metrics are named as in ``docs/protocol.md``. All functions are thread-safe.
"""

from __future__ import annotations

import functools
import importlib
import struct
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from neuralcore.errors import InvalidRequest
from neuralcore.fallback import _purepython

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Matrix = NDArray[np.float32]

METRICS = ("cosine", "euclidean", "squared_euclidean", "dot_product")

LONG_LIST = 1024
"""From this length on a list is worth importing NumPy and converting it to an array."""
_MEDIUM_LIST = 64
"""From this length on converting is worth it if NumPy is there and Python's sums are slow."""

_PLAIN = (list, tuple)
_PACKABLE = 1 << 14
"""Up to this length a list's numbers are packed by ``struct``, in a quarter of the time that NumPy
takes to look at each."""

_FEW = 4
"""Queries up to which one pass over the documents beats a product of matrices."""

_BLOCK = 1 << 22
"""How many scores are made at once where a block needs double precision."""

_CANCELLED = 1e-8
"""A squared distance below this share of the squares that it is the difference of has lost digits
that float32 would show."""


@functools.cache
def has_numpy() -> bool:
    """Whether NumPy can be imported; imports it."""
    try:
        import numpy  # noqa: F401
    except ImportError:
        return False
    return True


def higher_is_nearer(metric: str) -> bool:
    """Whether scores of the metric are similarities, and not distances."""
    return metric in ("cosine", "dot_product")


def pair(a: Any, b: Any, metric: str) -> float:
    """The score of two vectors of equal length: lists, tuples or one-dimensional arrays.

    Sums are made in double precision whatever the input is.
    """
    if hasattr(a, "dtype") and hasattr(b, "dtype"):
        try:
            # numkong reads on from the first value where strides are negative or zero.
            if (
                a.dtype.char == b.dtype.char == "f"
                and a.flags.c_contiguous
                and b.flags.c_contiguous
            ):
                simd = _simd() if len(a) else None
                if simd is not None:
                    return simd[metric](a, b)
        except (AttributeError, ValueError):  # no array of NumPy, another order of bytes
            pass
        return _array_pair(a, b, metric)
    if _is_short(len(a)) and not hasattr(a, "dtype") and not hasattr(b, "dtype"):
        return _purepython.PAIR[metric](a, b)
    try:
        return _array_pair(a, b, metric)
    except ImportError:
        return _purepython.PAIR[metric](a, b)


def _is_short(length: int) -> bool:
    """Whether plain Python is the fastest for lists of this length."""
    if _purepython.HAS_SUMPROD or "numpy" not in sys.modules:
        return length < LONG_LIST
    return length < _MEDIUM_LIST


def _array_pair(a: Any, b: Any, metric: str) -> float:
    import numpy as np

    with np.errstate(over="ignore", invalid="ignore"):  # beyond a double is infinite
        return _score_of_doubles(_doubles(a), _doubles(b), metric)


def _score_of_doubles(x: NDArray[np.float64], y: NDArray[np.float64], metric: str) -> float:
    if metric == "dot_product":
        return float(x.dot(y))
    if metric == "cosine":
        xx, yy = float(x.dot(x)), float(y.dot(y))
        low, high = _purepython.SAFE_SQUARE_MIN, _purepython.SAFE_SQUARE_MAX
        if low < xx < high and low < yy < high:
            return _purepython.clip(float(x.dot(y)) / (xx**0.5 * yy**0.5))
        return _purepython.cosine(x.tolist(), y.tolist())
    difference = x - y
    square = float(difference.dot(difference))
    return square if metric == "squared_euclidean" else square**0.5


@functools.lru_cache(maxsize=64)
def _packer(length: int, number: str) -> Callable[..., bytes]:
    return struct.Struct(f"{length}{number}").pack


def real_array(v: Any, number: Any) -> NDArray[Any]:
    """The values as an array of floats of that type; what is beyond its range is infinite.

    :raises InvalidRequest: for complex numbers, texts, times and structures, of which NumPy would
        make floats all the same.
    :raises ValueError, TypeError, OverflowError: for what NumPy makes no floats of.
    """
    import numpy as np

    array = np.asarray(v)
    if array.dtype == number:
        return array
    if array.dtype.kind in "cSUVmM":
        raise InvalidRequest(f"An array of {array.dtype} is no vector; real numbers are needed.")
    with np.errstate(over="ignore"):
        return array.astype(number, copy=False)


def _doubles(v: Any) -> NDArray[np.float64]:
    import numpy as np

    if v.__class__ in _PLAIN and 0 < len(v) <= _PACKABLE:
        try:
            return np.frombuffer(_packer(len(v), "d")(*v), dtype=np.float64)
        except (struct.error, OverflowError):  # NumPy says what is wrong, or knows what it is
            pass
    return real_array(v, np.float64)


def packed_rows(rows: Any) -> Matrix | None:
    """A list of lists of numbers as a matrix; None if it is anything else."""
    import numpy as np

    if rows.__class__ not in _PLAIN or not rows or rows[0].__class__ not in _PLAIN:
        return None
    dimension = len(rows[0])
    if not 0 < dimension <= _PACKABLE:
        return None
    pack = _packer(dimension, "f")
    try:
        packed = bytearray().join([pack(*row) for row in rows])
    except (struct.error, OverflowError, TypeError):
        return None
    matrix: Matrix = np.frombuffer(packed, dtype=np.float32).reshape(len(rows), dimension)
    return matrix


def pair_kernel() -> tuple[Any, Any]:
    """NumPy's float32 and what makes 1 - cosine of two such arrays: numkong's, where it is."""
    import numpy as np

    return np.dtype(np.float32), (
        importlib.import_module("numkong").angular if _simd() else _no_angular
    )


def _no_angular(a: Any, b: Any) -> None:
    raise ValueError("numkong is not installed")


@functools.cache
def _simd() -> dict[str, Callable[[Any, Any], float]] | None:
    """numkong's kernels, looked up with the first pair of arrays (it imports NumPy)."""
    try:
        numkong: Any = importlib.import_module("numkong")
    except ImportError:
        return None

    def cosine(a: Any, b: Any) -> float:
        similarity = _purepython.clip(1.0 - float(numkong.angular(a, b)))
        # numkong calls two zero vectors equal, and squares of tiny numbers vanish in it.
        if similarity == 1.0 and not float(numkong.dot(a, a)) > 0.0:
            return _array_pair(a, b, "cosine")
        return similarity

    return {
        "cosine": cosine,
        "dot_product": lambda a, b: float(numkong.dot(a, b)),
        "euclidean": lambda a, b: float(numkong.euclidean(a, b)),
        "squared_euclidean": lambda a, b: float(numkong.sqeuclidean(a, b)),
    }


def unit(v: Any) -> NDArray[np.float64]:
    """A copy of length one; zero stays zero, all is NaN if a value is not finite."""
    import numpy as np

    x = _doubles(v)
    largest = float(np.max(np.abs(x))) if x.size else 0.0
    if not np.isfinite(largest):
        return np.full_like(x, np.nan)
    if largest == 0.0:
        return np.zeros_like(x)
    # By the largest first: of denormal numbers the inverse length is none.
    x = x / largest
    scaled: NDArray[np.float64] = x / np.sqrt(np.dot(x, x))
    return scaled


def norm(v: NDArray[Any]) -> float:
    """The length of a vector, also where its squares overflow or vanish."""
    import numpy as np

    largest = float(np.max(np.abs(v))) if v.size else 0.0
    if largest == 0.0 or not np.isfinite(largest):
        return largest
    x = v.astype(np.float64) / largest
    return float(np.sqrt(np.dot(x, x))) * largest


def to_distances(scores: Matrix, metric: str) -> Matrix:
    """Scores of n vectors with themselves as distances, with a zero diagonal; in place."""
    import numpy as np

    if metric == "cosine":
        np.subtract(1.0, scores, out=scores)
    elif metric == "dot_product":
        np.negative(scores, out=scores)
    np.fill_diagonal(scores, 0.0)
    return scores


def unit_rows(x: Matrix) -> Matrix:
    """A float32 copy with every row of length one; zero rows stay zero."""
    import numpy as np

    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        squares = _squares(x)
        rough = ~((squares > 1e-30) & (squares < 1e30))
        lengths: Any = np.sqrt(squares)
        units: Matrix = x / lengths[:, None]
    for i in np.flatnonzero(rough):
        units[i] = unit(x[i])
    return units


def scores(queries: Matrix, documents: Matrix, metric: str) -> Matrix:
    """The m × n float32 matrix of scores of m × d queries and n × d documents."""
    import numpy as np

    if metric == "cosine":
        few: Matrix | None = None
        if len(queries) == 1:
            few = _cosines_of_one(queries[0], documents)
        elif len(queries) <= _FEW:
            few = _few_cosines(queries, documents)
        if few is not None:
            return few
        units = unit_rows(queries)
        # Of a matrix with itself BLAS makes half the products only.
        others = units if documents is queries else unit_rows(documents)
        product: Matrix = units @ others.T
        return np.clip(product, -1.0, 1.0, out=product)
    if metric == "dot_product":
        return _products(queries, documents)
    return _distances(queries, documents, squared=metric == "squared_euclidean")


def _products(queries: Matrix, documents: Matrix) -> Matrix:
    """Infinite where beyond float32. Terms beyond it of both signs leave NaN in a sum that may be
    within it; in double precision they do not."""
    import numpy as np

    with np.errstate(over="ignore", invalid="ignore"):
        products: Matrix = queries @ documents.T
        rows = np.flatnonzero(np.isnan(products.sum(axis=1)))
        if len(rows):
            products[rows] = queries[rows].astype(np.float64) @ documents.T.astype(np.float64)
    return products


def _few_cosines(queries: Matrix, documents: Matrix) -> Matrix | None:
    """Without a copy of the documents: their lengths divide the products. None where a length is
    so large or small that its square is not to be trusted, or zero."""
    import numpy as np

    with np.errstate(over="ignore", invalid="ignore"):
        squares, own = _squares(documents), _squares(queries)
        low = min(squares.min(initial=1.0), own.min(initial=1.0))
        high = max(squares.max(initial=1.0), own.max(initial=1.0))
        if not (low > 1e-30 and high < 1e30):
            return None
        cosines: Matrix = queries @ documents.T
    cosines /= np.sqrt(squares)
    cosines /= np.sqrt(own)[:, None]
    return np.clip(cosines, -1.0, 1.0, out=cosines)


def _cosines_of_one(query: NDArray[np.float32], documents: Matrix) -> Matrix | None:
    """:func:`_few_cosines` of one: of 1,000 rows the sums take 50 µs, and every call of NumPy
    beside them another one or two, so these are as few and as plain as can be."""
    import numpy as np

    with np.errstate(over="ignore", invalid="ignore"):
        squares = _squares(documents)
        cosines: Any = np.dot(documents, query)
        own = float(np.dot(query, query))
    if not (1e-30 < own < 1e30 and len(squares)):
        return None
    if not (np.minimum.reduce(squares) > 1e-30 and np.maximum.reduce(squares) < 1e30):
        return None
    lengths: Any = np.sqrt(squares, out=squares)
    lengths *= own**0.5
    cosines /= lengths
    np.minimum(cosines, 1.0, out=cosines)
    np.maximum(cosines, -1.0, out=cosines)
    row: Matrix = cosines[None]
    return row


def _squares(rows: Matrix) -> Matrix:
    """The squared length of each row; NumPy 2 has what takes half as long."""
    import numpy as np

    squares: Matrix = (
        np.vecdot(rows, rows) if hasattr(np, "vecdot") else np.einsum("ij,ij->i", rows, rows)
    )
    return squares


def _distances(queries: Matrix, documents: Matrix, *, squared: bool) -> Matrix:
    """|q|² + |d|² - 2·q·d, in double precision because the terms cancel, and of vectors moved to
    the documents' centre, where the terms are small."""
    import numpy as np

    result = np.empty((len(queries), len(documents)), dtype=np.float32)
    if not result.size:
        return result
    wide_documents = documents.astype(np.float64)
    centre = wide_documents.mean(axis=0)
    wide_documents -= centre
    document_squares = np.einsum("ij,ij->i", wide_documents, wide_documents)
    step = max(1, _BLOCK // max(1, len(documents)))
    for start in range(0, len(queries), step):
        block = queries[start : start + step].astype(np.float64) - centre
        terms = np.einsum("ij,ij->i", block, block)[:, None] + document_squares
        squares = terms - 2.0 * (block @ wide_documents.T)
        cancelled = np.flatnonzero(squares < _CANCELLED * terms)
        _recompute(squares, cancelled, queries[start : start + step], documents)
        result[start : start + step] = squares if squared else np.sqrt(squares)
    return result


def _recompute(
    squares: NDArray[np.float64],
    pairs: NDArray[np.intp],
    queries: Matrix,
    documents: Matrix,
) -> None:
    """Puts Σ(q - d)² where the pairs, by their places in the flat matrix, have lost digits."""
    import numpy as np

    step = max(1, _BLOCK // max(1, documents.shape[1]))
    for start in range(0, len(pairs), step):
        some = pairs[start : start + step]
        q, d = np.divmod(some, len(documents))
        difference = np.subtract(queries[q], documents[d], dtype=np.float64)
        squares.flat[some] = np.einsum("ij,ij->i", difference, difference)


def top_k(row: NDArray[Any], k: int, metric: str) -> NDArray[np.int64]:
    """Indexes of the k nearest of one row of scores, nearest first, ties by index."""
    import numpy as np

    distances = -row if higher_is_nearer(metric) else row
    n = len(distances)
    candidates = np.arange(n)
    if 4 * k < n:
        limit = np.partition(distances, k - 1)[k - 1]
        candidates = np.flatnonzero(distances <= limit)
    order = np.argsort(distances[candidates], kind="stable")[:k]
    return candidates[order].astype(np.int64)


def as_matrix(vectors: Sequence[Any] | NDArray[Any]) -> Matrix:
    """A C-contiguous float32 matrix, n × d; a copy only where needed.

    :raises ValueError, TypeError, OverflowError: if the rows differ in length or hold something
        that is no real number.
    """
    import numpy as np

    packed = packed_rows(vectors)
    return np.ascontiguousarray(real_array(vectors, np.float32)) if packed is None else packed
