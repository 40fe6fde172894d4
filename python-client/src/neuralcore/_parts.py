"""Large requests cut into such as fit a frame, and their answers put together. No I/O."""

from __future__ import annotations

import importlib.util
import math
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Union

from neuralcore.errors import InvalidRequest, NotSupported, RequestTimeout
from neuralcore.fallback.vectors import packed_rows, real_array

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike, NDArray

Ids = Union[Sequence["str | int"], "NDArray[Any]"]
"""Ids of rows: strings or integers."""

# Left in each frame for its head, the parameters and the tables.
_HEAD = 64 * 1024
# Texts in a request: enough to fill the model's batches, few enough that a request takes seconds.
TEXTS = 1000
IDS = 1000


class Hit(NamedTuple):
    """A search result. ``score``: see the metric; the others are None if they were not asked for,
    or if there are none."""

    id: Any
    score: float
    metadata: dict[str, Any] | None
    text: str | None = None
    vector: NDArray[np.float32] | None = None
    namespace: str = ""


class Record(NamedTuple):
    """A stored vector (float32, d; None if it was not asked for) with its metadata and text, None
    if it has none."""

    id: Any
    vector: NDArray[np.float32] | None
    metadata: dict[str, Any] | None
    text: str | None = None
    namespace: str = ""


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
        InvalidRequest: rows of different length, another number of axes, or no real numbers.
    """
    import numpy as np

    packed = packed_rows(value)
    try:
        array = real_array(value, np.float32) if packed is None else packed
    except InvalidRequest as e:
        raise InvalidRequest(f"{what}: {e}") from e
    except (ValueError, TypeError, OverflowError) as e:
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


def id_list(values: Ids, what: str) -> list[Any]:
    """The ids as a list of str and int; a single string is refused, it is a sequence too."""
    if isinstance(values, (str, bytes)):
        raise InvalidRequest(f"{what} is a single {type(values).__name__}; a list is needed.")
    tolist = getattr(values, "tolist", None)
    ids: list[Any] = tolist() if tolist is not None else list(values)
    for i, id_ in enumerate(ids):
        if not isinstance(id_, (str, int)) or isinstance(id_, bool):
            if hasattr(id_, "__index__") and not isinstance(id_, bool):
                ids[i] = int(id_)
                continue
            raise InvalidRequest(
                f"{what}[{i}] is a {type(id_).__name__}; an id is a string or an integer."
            )
    return ids


def id_tensor(ids: list[Any]) -> Any:
    """The ids as they are sent: int64, or strings."""
    import numpy as np

    numbers = sum(isinstance(id_, int) for id_ in ids)
    if numbers == 0:
        check_text(ids)
        return ids
    if numbers < len(ids):
        raise InvalidRequest("The ids of one call must be all strings or all integers.")
    try:
        return np.array(ids, dtype=np.int64)
    except OverflowError as e:
        raise InvalidRequest("An id is beyond the 64 bits that an integer id has.") from e


def id_tensors(ids: list[Any]) -> list[Any]:
    """The ids as they are sent where both kinds may be: integers and strings are two arrays."""
    numbers = [id_ for id_ in ids if isinstance(id_, int)]
    if not numbers or len(numbers) == len(ids):
        return [id_tensor(ids)]
    return [id_tensor(numbers), id_tensor([id_ for id_ in ids if not isinstance(id_, int)])]


def check_text(ids: list[str]) -> None:
    """Raises InvalidRequest if an id has a lone surrogate: in UTF-8 such ids would be the same."""
    try:
        "".join(ids).encode()
    except UnicodeEncodeError:
        for i, id_ in enumerate(ids):
            if any("\ud800" <= character <= "\udfff" for character in id_):
                raise InvalidRequest(
                    f"ids[{i}] is {id_!r}, which has a lone surrogate and is no text."
                ) from None


def check_k(k: int) -> None:
    """Raises InvalidRequest unless at least one row is asked for."""
    if k < 1:
        raise InvalidRequest(f"'k' is {k}; it must be at least 1.")


def check_rows(rows: int, ids: list[Any], **others: Sequence[Any] | None) -> None:
    """Raises InvalidRequest unless there is one of each for a vector."""
    given = {"ids": len(ids), "vectors": rows}
    given.update((name, len(values)) for name, values in others.items() if values is not None)
    if any(count != rows for count in given.values()):
        have = ", ".join(f"{count} {name}" for name, count in given.items())
        raise InvalidRequest(f"{have} do not belong together.")


def scope(
    collection: str, namespace: str, filter: Mapping[str, object] | None
) -> dict[str, object]:
    """The parameters that say which rows a call is about."""
    params: dict[str, object] = {"collection": collection, "namespace": namespace}
    if filter is not None:
        params["filter"] = dict(filter)
    return params


def search_params(
    collection: str,
    k: int,
    filter: Mapping[str, object] | None,
    namespace: str,
    limit: float | None,
    include_metadata: bool,
    include_vectors: bool,
    exact: bool,
    ef: int,
) -> dict[str, object]:
    """The parameters of a search; what is as usual is left out."""
    params = scope(collection, namespace, filter)
    params["k"] = k
    params["include_metadata"] = include_metadata
    if limit is not None:
        params["limit"] = float(limit)
    if include_vectors:
        params["include_vectors"] = True
    if exact:
        params["exact"] = True
    if ef:
        params["ef"] = ef
    return params


def is_indexed(state: Mapping[str, Any]) -> bool:
    """Whether a graph has every vector, or none is built."""
    if state["graph"] == "none":
        return bool(state["count"] < state["exact_below"])
    return not state["unindexed"]


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
    sent, scores = tensors[:2]
    # Ids of both kinds come as JSON, for they have no array.
    ids = result.get("ids") or (sent if isinstance(sent, list) else sent.tolist())
    none = [None] * len(ids)
    columns: list[Sequence[Any]] = [ids, scores.tolist(), result.get("metadata") or none]
    if len(tensors) > 2 or "texts" in result or "namespaces" in result:
        columns.append(result.get("texts") or none)
        columns.append(tensors[2] if len(tensors) > 2 and len(ids) else none)
        columns.append(result.get("namespaces") or [""] * len(ids))
    if "complete" in result:
        missing = [None] * (len(ids) - result["complete"])
        columns[2:] = [[*column, *missing][: len(ids)] for column in columns[2:]]
    every = list(map(Hit, *columns))
    found, at = [], 0
    for count in result["counts"]:
        found.append(every[at : at + count])
        at += count
    return found


def left_out(
    result: Mapping[str, Any], found: Sequence[Sequence[Hit]]
) -> list[tuple[str, list[Any]]]:
    """The hits that came without what is kept with them, for the answer had no room: namespaces,
    and ids of one kind in each."""
    every = [hit for hits in found for hit in hits]
    ids: dict[tuple[str, type], dict[Any, None]] = {}
    for hit in every[result.get("complete", len(every)) :]:
        ids.setdefault((hit.namespace, type(hit.id)), {})[hit.id] = None
    return [(namespace, list(wanted)) for (namespace, _), wanted in ids.items()]


def completed(
    found: Sequence[Sequence[Hit]], records: Sequence[Record], metadata: bool
) -> list[list[Hit]]:
    """Hits with what was fetched of them; of those that are gone by now, id and score.

    Args:
        metadata: whether metadata and text were asked for.
    """
    kept = {(record.namespace, record.id): record for record in records}

    def with_record(hit: Hit) -> Hit:
        record = kept.get((hit.namespace, hit.id))
        if record is None:
            return hit
        if not metadata:
            return hit._replace(vector=record.vector)
        return hit._replace(metadata=record.metadata, text=record.text, vector=record.vector)

    return [[with_record(hit) for hit in hits] for hits in found]


def records(result: Mapping[str, Any], tensors: Sequence[Any]) -> list[Record]:
    """The records of a get's or scroll's answer."""
    found = result["found"]
    none = [None] * len(found)
    vectors = tensors[0] if found and len(tensors[0]) else none
    return [
        Record(*record)
        for record in zip(
            found,
            vectors,
            result.get("metadata") or none,
            result.get("texts") or none,
            result.get("namespaces") or [""] * len(found),
            strict=True,
        )
    ]


def require_plotting() -> None:
    """Raises NotSupported with what to install, where matplotlib is missing."""
    if importlib.util.find_spec("matplotlib") is None:
        raise NotSupported(
            "plot() needs matplotlib.", hint="pip install 'neuralcore-runtime[plot]'"
        )


def plot(name: str, records: Sequence[Record], color: str | None, ax: Any) -> Any:
    """Draws records by their first two principal components; returns the axes."""
    import numpy as np

    if ax is None:
        import matplotlib.pyplot as plt

        _, ax = plt.subplots()
    if records:
        x = np.stack([r.vector for r in records if r.vector is not None]).astype(np.float64)
        x -= x.mean(axis=0)
        axes = np.linalg.svd(x, full_matrices=False)[2][:2]
        places = np.zeros((len(x), 2))
        places[:, : len(axes)] = x @ axes.T
        labels = [str((r.metadata or {}).get(color, "")) if color else "" for r in records]
        for label in dict.fromkeys(labels):
            chosen = np.array([other == label for other in labels])
            ax.scatter(*places[chosen].T, s=8, label=label or None)
        if any(labels):
            ax.legend(title=color)
    ax.set_title(f"{name}: {len(records):,} vectors")
    return ax
