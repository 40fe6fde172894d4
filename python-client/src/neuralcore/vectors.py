"""Similarity and distance of vectors: of a pair, of one to many, of many to many.

Pairs stay in this process: a socket round trip costs a hundred times what the maths does. They are
computed in double precision with numkong if it is installed, else NumPy, else, for lists of up to
1,000 numbers, plain Python, without importing NumPy. Matrices are float32. They too stay here
unless the work is large *and* a daemon is already connected; ``where="local"`` and
``where="daemon"`` decide it by hand, the latter starting a daemon if there is none.

A vector is a sequence of numbers or a one-dimensional array; a matrix is a sequence of vectors or a
two-dimensional array. Vectors that differ in length raise ``ValueError("Vector length mismatch:
3 vs 4")``. The cosine of a zero vector with anything is 0.0. NaN and infinity raise ``ValueError``
with their place (code ``NOT_FINITE``). Without NumPy, matrices are lists of floats. All functions
are thread-safe and leave their arguments as they are.
"""

from __future__ import annotations

import enum
import math
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal, Union, cast

from neuralcore._calls import Caller, frame_room
from neuralcore._imports import import_atlas_json
from neuralcore._index import HNSWIndex
from neuralcore.errors import InvalidRequest, NotSupported
from neuralcore.fallback import _purepython
from neuralcore.fallback import vectors as _local
from neuralcore.fallback._finite import check_finite, check_vector, finite_score, finite_scores

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = [
    "DistanceMetric",
    "HNSWIndex",
    "cosine_distance",
    "cosine_similarity",
    "cosine_similarity_batch",
    "cosine_similarity_matrix",
    "dot_product",
    "euclidean_distance",
    "import_atlas_json",
    "normalize",
    "normalize_batch",
    "normalize_inplace",
    "pairwise_distances",
    "squared_euclidean_distance",
    "top_k_similar",
]

Vector = Union[Sequence[float], "NDArray[Any]"]
Vectors = Union[Sequence[Vector], "NDArray[Any]"]
Where = Literal["auto", "local", "daemon"]

_SIMILARITY = "neuralcore.vectors.similarity"

LARGE_WORK = 1 << 30
"""Multiplications from which on a matrix is worth the way to a connected daemon…"""
LARGE_SIDE = 256
"""…if it also has this many rows on both sides: below, sending costs more than the maths."""


class DistanceMetric(str, enum.Enum):
    """How two vectors are compared. Each is also its name as a ``str``."""

    COSINE = "cosine"
    EUCLIDEAN = "euclidean"
    SQUARED_EUCLIDEAN = "squared_euclidean"
    DOT_PRODUCT = "dot_product"

    @classmethod
    def of(cls, value: DistanceMetric | str) -> DistanceMetric:
        """The metric of that name; ``inner_product`` and ``l2`` are understood too.

        :raises ValueError: if there is none, with the names there are.
        """
        name = str(value.value if isinstance(value, DistanceMetric) else value).lower()
        try:
            return cls(
                {"inner_product": "dot_product", "dot": "dot_product", "l2": "euclidean"}.get(
                    name, name
                )
            )
        except ValueError:
            raise InvalidRequest(
                f"Metric {value!r} is not one of {', '.join(metric.value for metric in cls)}."
            ) from None

    @property
    def higher_is_nearer(self) -> bool:
        """True for similarities, False for distances."""
        return _local.higher_is_nearer(self.value)


def cosine_similarity(a: Vector, b: Vector) -> float:
    """The cosine of the angle between two vectors, in [-1, 1]; 0.0 if either is zero.

    >>> cosine_similarity([1.0, 0.0], [1.0, 0.0])
    1.0
    """
    # Two arrays of float32 are what counts: numkong takes 0.2 µs, and each call here a quarter.
    try:
        if (
            a.dtype is _float32  # type: ignore[union-attr]
            and b.dtype is _float32  # type: ignore[union-attr]
            # numkong takes negative strides, and those of zero, for none.
            and a.flags.c_contiguous  # type: ignore[union-attr]
            and b.flags.c_contiguous  # type: ignore[union-attr]
        ):
            distance: float = _angular(a, b)
            # Exactly 0 or 1 may be zero vectors, or squares that have vanished.
            if 0.0 < distance <= 2.0 and distance != 1.0:
                return 1.0 - distance
    except (AttributeError, ValueError, TypeError):
        pass
    return _any_cosine(a, b)


def _any_cosine(a: Any, b: Any) -> float:
    global _float32, _angular
    if _float32 is None and hasattr(a, "dtype") and _local.has_numpy():
        _float32, _angular = _local.pair_kernel()
    return _pair(a, b, "cosine")


def _pair(a: Any, b: Any, metric: str) -> float:
    _check_pair(a, b)
    try:
        score = _local.pair(a, b, metric)
    except InvalidRequest:
        raise
    except (TypeError, ValueError, OverflowError):
        check_vector(a, "a")
        check_vector(b, "b")
        raise
    return finite_score(score, a, b)


_float32: Any = None
"""NumPy's type of that name; None until a first array shows that NumPy is there…"""
_angular: Any = None
"""…and then numkong's distance, or what raises ValueError if it is not installed."""


def cosine_distance(a: Vector, b: Vector) -> float:
    """1 - :func:`cosine_similarity`, in [0, 2]."""
    return 1.0 - cosine_similarity(a, b)


def euclidean_distance(a: Vector, b: Vector) -> float:
    """The length of the difference of two vectors."""
    return _pair(a, b, "euclidean")


def squared_euclidean_distance(a: Vector, b: Vector) -> float:
    """The square of :func:`euclidean_distance`, which orders the same and costs no root."""
    return _pair(a, b, "squared_euclidean")


def dot_product(a: Vector, b: Vector) -> float:
    """The sum of the products of two vectors' components."""
    return _pair(a, b, "dot_product")


def normalize(v: Vector) -> NDArray[np.float32]:
    """A float32 copy of the vector with length one; a zero vector stays zero."""
    if _dimensions(v) != 1:
        raise InvalidRequest("normalize takes one vector; a matrix has its rows normalized singly.")
    if not _local.has_numpy():
        check_vector(v, "v")
        return cast("NDArray[np.float32]", _purepython.normalize(list(v)))
    try:
        unit = _local.unit(v)
    except InvalidRequest:
        raise
    except (TypeError, ValueError, OverflowError):
        check_vector(v, "v")
        raise
    if len(unit) and not math.isfinite(unit[0]):
        check_vector(v, "v")
    return unit.astype("float32")


def normalize_inplace(v: Any) -> float:
    """Divides a vector by its length, in its own memory, and returns the length it had.

    A zero vector stays zero and gives 0.0.

    :param v: a list, an ``array.array`` of floats, or a floating-point array that can be written.
    """
    if _dimensions(v) != 1:
        raise InvalidRequest("normalize_inplace takes one vector.")
    is_array = hasattr(v, "dtype")
    if is_array and v.dtype.kind != "f":
        raise InvalidRequest(f"An array of {v.dtype} cannot hold a vector of length one.")
    try:
        norm = _local.norm(v) if is_array else math.hypot(*v)
    except (TypeError, OverflowError):
        check_vector(v, "v")
        raise
    if not math.isfinite(norm):
        check_vector(v, "v")
    if norm == 0.0:
        return 0.0
    if is_array:
        v[...] = _local.unit(v)
    else:
        for i, x in enumerate(_purepython.normalize(v)):
            v[i] = x
    return norm


def normalize_batch(vectors: Vectors) -> NDArray[np.float32]:
    """A float32 copy of n vectors (n × d), each of length one; zero vectors stay zero."""
    if not _local.has_numpy():
        for row, vector in enumerate(vectors):
            check_vector(vector, f"vectors[{row}]")
        plain = [_purepython.normalize(list(v)) for v in vectors]
        return cast("NDArray[np.float32]", plain)
    rows = matrix(vectors)
    check_finite(rows, "vectors")
    return _local.unit_rows(rows)


def pairwise_distances(
    vectors: Vectors,
    metric: DistanceMetric | str = DistanceMetric.EUCLIDEAN,
    *,
    where: Where = "auto",
) -> NDArray[np.float32]:
    """The distance of each of n vectors from each: n × n float32, zero on the diagonal.

    1 - cosine for cosine, the negated product for dot_product (which is no distance, and has a zero
    diagonal all the same).
    """
    chosen = DistanceMetric.of(metric)
    scores: Any = _scores(vectors, vectors, chosen, where)
    if isinstance(scores, list):
        return cast("NDArray[np.float32]", _purepython.distances(scores, chosen.value))
    return _local.to_distances(scores, chosen.value)


def cosine_similarity_batch(
    queries: Vector | Vectors | None = None,
    documents: Vectors | None = None,
    *,
    query: Vector | None = None,
    vectors: Vectors | None = None,
    where: Where = "auto",
) -> NDArray[np.float32]:
    """Cosine of one vector, or of each of several, with many.

    Two shapes of call, told apart by the first argument:

    - ``(query, vectors)``: d and n × d give n scores;
    - ``(queries, documents)``: m × d and n × d give m × n, ``result[i][j]`` being query i's
      similarity with document j.

    Either pair of keywords may name the arguments.

    :param where: "auto", "local" or "daemon" (see the module).
    :returns: float32, in [-1, 1].
    """
    first = _one_of("queries", queries, "query", query)
    second = _one_of("documents", documents, "vectors", vectors)
    if _dimensions(first) == 1 and len(first):
        one = first[None] if hasattr(first, "dtype") else [first]
        row: NDArray[np.float32] = _scores(one, second, DistanceMetric.COSINE, where)[0]
        return row
    return _scores(first, second, DistanceMetric.COSINE, where)


def cosine_similarity_matrix(vectors: Vectors, *, where: Where = "auto") -> NDArray[np.float32]:
    """Cosine of each of n vectors with each: n × n float32, in [-1, 1]."""
    return _scores(vectors, vectors, DistanceMetric.COSINE, where)


def top_k_similar(
    query: Vector | Vectors,
    vectors: Vectors,
    k: int = 10,
    *,
    metric: DistanceMetric | str = DistanceMetric.COSINE,
    where: Where = "auto",
) -> Any:
    """The k nearest vectors, nearest first, ties by index.

    :param query: one vector (d), or several (m × d).
    :param vectors: n × d.
    :param k: at least 1; fewer come back if there are fewer.
    :returns: a list of (index, score) for one query, a list of such lists for several. Scores are
        similarities for cosine and dot product, distances otherwise.
    """
    if k < 1:
        raise InvalidRequest(f"k is {k}; it must be at least 1.")
    chosen = DistanceMetric.of(metric)
    single = _dimensions(query) == 1
    rows = [query] if single else query
    scores: Any = _scores(rows, vectors, chosen, where)
    if isinstance(scores, list):
        results = [_purepython.top_k(row, k, chosen.higher_is_nearer) for row in scores]
    else:
        results = [
            [(int(i), float(row[i])) for i in _local.top_k(row, k, chosen.value)] for row in scores
        ]
    return results[0] if single else results


def _scores(
    queries: Any, documents: Any, metric: DistanceMetric, where: Where
) -> NDArray[np.float32]:
    if where not in ("auto", "local", "daemon"):
        raise InvalidRequest(f"where={where!r} is not one of 'auto', 'local', 'daemon'.")
    if not _local.has_numpy():
        if where == "daemon":
            raise NotSupported("where='daemon' needs NumPy, whose arrays are sent.")
        return cast("NDArray[np.float32]", _plain_scores(queries, documents, metric))
    import numpy as np

    q = matrix(queries)
    d = q if documents is queries else matrix(documents)
    if not len(q) or not len(d):
        return np.zeros((len(q), len(d)), dtype=np.float32)
    if q.shape[1] != d.shape[1]:
        raise _length_mismatch(q.shape[1], d.shape[1])
    client = _client_for(len(q), len(d), q.shape[1], where)
    if client is None:
        with np.errstate(over="ignore", invalid="ignore"):
            return finite_scores(_local.scores(q, d, metric.value), q, d)
    return _remote_scores(client, q, d, metric)


def _plain_scores(queries: Any, documents: Any, metric: DistanceMetric) -> list[list[float]]:
    """Without NumPy: lists of floats, here."""
    for rows in (queries, documents):
        _check_sequence("This", rows)
        for row in rows:
            _check_sequence("This", row)
    lengths = [len(row) for row in [*queries, *documents]]
    for length in lengths:
        if length != lengths[0]:
            raise _length_mismatch(lengths[0], length)
    for meaning, rows in (("queries", queries), ("documents", documents)):
        for row, vector in enumerate(rows):
            check_vector(vector, f"{meaning}[{row}]")
    return _purepython.scores(queries, documents, metric.value)


def _client_for(m: int, n: int, dimension: int, where: Where) -> Caller | None:
    """The client to send the work to, or None to do it here."""
    if where == "local":
        return None
    if where == "auto":
        if min(m, n) < LARGE_SIDE or m * n * dimension < LARGE_WORK:
            return None
        default = sys.modules.get("neuralcore._default")
        client = default.current_client() if default is not None else None
        return client if client is not None and client.backend == "daemon" else None
    from neuralcore._default import default_client

    return default_client(require="daemon")


def _remote_scores(
    client: Caller, q: NDArray[np.float32], d: NDArray[np.float32], metric: DistanceMetric
) -> NDArray[np.float32]:
    """Block by block, so that no frame in either direction is over the limit."""
    import numpy as np

    room = frame_room(client)
    rows = max(1, min(room // (8 * q.shape[1]), math.isqrt(room // 4)))
    result = np.empty((len(q), len(d)), dtype=np.float32)
    for i in range(0, len(q), rows):
        for j in range(0, len(d), rows):
            blocks = [q[i : i + rows], d[j : j + rows]]
            _, (block,) = client.call(_SIMILARITY, {"metric": metric.value}, blocks)
            result[i : i + rows, j : j + rows] = block
    return result


def matrix(vectors: Any) -> NDArray[np.float32]:
    """n × d float32 from whatever the caller has.

    :raises InvalidRequest: if the rows differ in length, or are not of numbers.
    """
    _check_sequence("This", vectors)
    try:
        result = _local.as_matrix(vectors)
    except InvalidRequest:
        raise
    except (TypeError, ValueError, OverflowError) as e:
        lengths = [len(row) for row in vectors if getattr(row, "ndim", hasattr(row, "__len__"))]
        different = next((n for n in lengths if n != lengths[0]), None)
        if different is not None:
            raise _length_mismatch(lengths[0], different) from None
        raise InvalidRequest(f"A matrix (n × d) of real numbers is needed: {e}.") from e
    if result.ndim == 2:
        return result
    if result.size == 0:
        return result.reshape(0, 0)
    raise InvalidRequest(f"A matrix (n × d) is needed, not an array of shape {result.shape}.")


def _dimensions(value: Any) -> int:
    """1 for a vector, 2 for a matrix; an empty sequence counts as a vector."""
    _check_sequence("This", value)
    ndim = getattr(value, "ndim", None)
    if ndim is not None:
        return int(ndim)
    if not len(value):
        return 1
    return 1 + int(getattr(value[0], "ndim", hasattr(value[0], "__len__")))


def _check_pair(a: Any, b: Any) -> None:
    for name, vector in (("a", a), ("b", b)):
        if vector.__class__ is list or getattr(vector, "ndim", 0) == 1:
            continue
        _check_sequence(name, vector)
        if getattr(vector, "ndim", 1) != 1:
            raise InvalidRequest(
                f"{name} has {vector.ndim} axes; a vector has one, and for a matrix there is a "
                "batch function."
            )
    if len(a) != len(b):
        raise _length_mismatch(len(a), len(b))


def _check_sequence(name: str, value: Any) -> None:
    if isinstance(value, (str, bytes, bytearray, dict)) or not hasattr(value, "__getitem__"):
        raise InvalidRequest(
            f"{name} is a {type(value).__name__}; a vector is a sequence of numbers, and a matrix "
            "of vectors."
        )


def _length_mismatch(m: int, n: int) -> InvalidRequest:
    return InvalidRequest(f"Vector length mismatch: {m} vs {n}", code="DIMENSION_MISMATCH")


def _one_of(first_name: str, first: Any, second_name: str, second: Any) -> Any:
    if (first is None) == (second is None):
        raise TypeError(f"Pass either {first_name} or {second_name}.")
    return second if first is None else first
