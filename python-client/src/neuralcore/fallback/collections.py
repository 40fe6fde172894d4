"""Collections of vectors in memory, searched exactly with NumPy.

``src/main/java/neuralcore/vectors/Collection.java`` is the original; the rules are its: a batch is
put or deleted as a whole, a row that is put again replaces the old one with its metadata, equally
near rows come in the order in which their ids were first put.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from neuralcore.errors import InvalidRequest
from neuralcore.fallback import vectors as _vectors
from neuralcore.fallback._finite import check_finite
from neuralcore.fallback.filters import Test

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Metadata = Mapping[str, Any]

_FIRST_ROWS = 64


class Row(NamedTuple):
    """What stands beside a vector. ``order``: when its id was first put."""

    namespace: str
    id: Any
    order: int
    metadata: Metadata | None
    text: str | None


class Scope(NamedTuple):
    """Which rows a call is about; see ``Scope.java``."""

    namespace: str = ""
    filter: Test | None = None
    allowed: frozenset[Any] | None = None

    def holds(self, row: Row) -> bool:
        return (
            self.namespace in ("*", row.namespace)
            and (self.allowed is None or row.id in self.allowed)
            and (self.filter is None or self.filter(row.metadata))
        )


ALL = Scope(namespace="*")


class Found(NamedTuple):
    """The nearest rows of one query, nearest first."""

    places: NDArray[np.int64]
    scores: NDArray[np.float32]


class Collection:
    """Vectors of one dimension with ids, metadata and texts. Thread-safe.

    Search is O(rows · dimension) a query; deleting is O(rows · dimension).
    """

    def __init__(
        self, name: str, dimension: int, metric: str, metadata: Metadata | None = None
    ) -> None:
        import numpy as np

        self.name = name
        self.dimension = dimension
        self.metric = metric
        self.metadata = dict(metadata or {})
        self.lock = threading.RLock()
        self._places: dict[tuple[str, Any], int] = {}
        self.rows: list[Row] = []
        self.vectors: NDArray[np.float32] = np.empty((_FIRST_ROWS, dimension), dtype=np.float32)
        self._next_order = 0

    def __len__(self) -> int:
        return len(self.rows)

    def info(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "dimension": self.dimension,
            "metric": self.metric,
            "count": len(self.rows),
            "bytes": self.vectors.nbytes,
            "durable": False,
            "metadata": self.metadata,
        }

    def describe(self) -> dict[str, Any]:
        """As far as there is something to tell: everything is searched exactly."""
        return {
            "name": self.name,
            "dimension": self.dimension,
            "metric": self.metric,
            "count": len(self.rows),
            "namespaces": len({row.namespace for row in self.rows}),
            "memory_bytes": self.vectors.nbytes,
            "mapped_bytes": 0,
            "deleted_share": 0.0,
            "graph": "none",
            "traversal": None,
            "graph_bytes": 0,
            "unindexed": 0,
            "exact_below": 1 << 31,
            "durable": False,
        }

    def upsert(
        self,
        ids: Sequence[Any],
        vectors: NDArray[np.float32],
        metadata: Sequence[Metadata | None] | None,
        texts: Sequence[str | None] | None = None,
        namespace: str = "",
    ) -> tuple[int, int]:
        """Puts rows; how many were new, and how many replaced one."""
        self._check_dimension(vectors)
        if len(vectors) != len(ids):
            raise InvalidRequest(
                f"{len(ids)} ids came with {len(vectors)} vectors; give each vector an id."
            )
        for name, values in (("metadata", metadata), ("texts", texts)):
            if values is not None and len(values) != len(ids):
                raise InvalidRequest(
                    f"{len(ids)} ids came with {name} for {len(values)}; one entry each is needed."
                )
        if namespace == "*":
            raise InvalidRequest("'namespace' is '*', which means all of them; name one.")
        check_finite(vectors, "vectors")
        with self.lock:
            inserted = 0
            self._reserve(len(self.rows) + len(ids))
            for i, id_ in enumerate(ids):
                key = (namespace, id_)
                place = self._places.get(key)
                given = metadata[i] if metadata is not None else None
                row = Row(
                    namespace,
                    id_,
                    self._next_order if place is None else self.rows[place].order,
                    dict(given) if given is not None else None,
                    texts[i] if texts is not None else None,
                )
                if place is None:
                    place = self._places[key] = len(self.rows)
                    self.rows.append(row)
                    self._next_order += 1
                    inserted += 1
                else:
                    self.rows[place] = row
                self.vectors[place] = vectors[i]
            return inserted, len(ids) - inserted

    def places_of(self, ids: Sequence[Any], namespace: str) -> list[int]:
        """Where those of the ids stand that are there, in the order asked for."""
        keys = [(namespace, id_) for id_ in ids]
        return [self._places[key] for key in keys if key in self._places]

    def find(self, scope: Scope) -> list[int]:
        """Where the rows in scope stand, in the order in which their ids were first put."""
        return [place for place, row in enumerate(self.rows) if scope.holds(row)]

    def delete(self, scope: Scope) -> int:
        """Removes rows; how many were there."""
        import numpy as np

        with self.lock:
            gone = set(self.find(scope))
            if not gone:
                return 0
            kept = [place for place in range(len(self.rows)) if place not in gone]
            self.vectors = np.ascontiguousarray(self.vectors[kept])
            self.rows = [self.rows[place] for place in kept]
            self._places = {(row.namespace, row.id): i for i, row in enumerate(self.rows)}
            return len(gone)

    def search(
        self,
        queries: NDArray[np.float32],
        k: int,
        scope: Scope = ALL,
        limit: float | None = None,
    ) -> list[Found]:
        """The ``k`` nearest rows of each query, or as many as there are."""
        import numpy as np

        self._check_dimension(queries)
        check_k(k)
        check_finite(queries, "queries")
        everything = scope == ALL
        places = np.array(range(len(self.rows)) if everything else self.find(scope), dtype=np.int64)
        if not len(places):
            return [Found(places, np.empty(0, np.float32)) for _ in range(len(queries))]
        part = self.vectors[: len(self.rows)] if everything else self.vectors[places]
        with np.errstate(over="ignore", invalid="ignore"):  # beyond float's range is infinite
            scores = _vectors.scores(queries, part, self.metric)
        return [self._found(row, places, k, limit) for row in scores]

    def _found(
        self, row: NDArray[np.float32], places: NDArray[np.int64], k: int, limit: float | None
    ) -> Found:
        nearest = _vectors.top_k(row, k, self.metric)
        if limit is not None:
            near = row[nearest]
            nearest = nearest[
                near >= limit if _vectors.higher_is_nearer(self.metric) else near <= limit
            ]
        return Found(places[nearest], row[nearest])

    def _reserve(self, rows: int) -> None:
        import numpy as np

        if rows > len(self.vectors):
            larger = np.empty((max(rows, 2 * len(self.vectors)), self.dimension), np.float32)
            larger[: len(self.rows)] = self.vectors[: len(self.rows)]
            self.vectors = larger

    def _check_dimension(self, vectors: NDArray[np.float32]) -> None:
        if len(vectors) and vectors.shape[1] != self.dimension:
            raise mismatch(vectors.shape[1], self.dimension)


def mismatch(given: int, expected: int) -> InvalidRequest:
    return InvalidRequest(
        f"Vector length mismatch: {given} vs {expected}", code="DIMENSION_MISMATCH"
    )


def check_k(k: int) -> None:
    if k < 1:
        raise InvalidRequest(f"'k' is {k}; it must be at least 1.")
