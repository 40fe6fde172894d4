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

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Metadata = Mapping[str, Any]

_FIRST_ROWS = 64


class Hits(NamedTuple):
    """The nearest rows of one query, nearest first."""

    ids: list[str]
    scores: NDArray[np.float32]
    metadata: list[Metadata | None]


class Collection:
    """Vectors of one dimension with string ids. Thread-safe.

    Search is O(rows · dimension) a query; deleting is O(rows · dimension).
    """

    def __init__(self, name: str, dimension: int, metric: str) -> None:
        import numpy as np

        self.name = name
        self.dimension = dimension
        self.metric = metric
        self._lock = threading.RLock()
        self._rows: dict[str, int] = {}
        self._ids: list[str] = []
        self._metadata: list[Metadata | None] = []
        self._vectors: NDArray[np.float32] = np.empty((_FIRST_ROWS, dimension), dtype=np.float32)

    def __len__(self) -> int:
        return len(self._ids)

    def info(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "dimension": self.dimension,
            "metric": self.metric,
            "count": len(self._ids),
            "bytes": self._vectors.nbytes,
        }

    def upsert(
        self,
        ids: Sequence[str],
        vectors: NDArray[np.float32],
        metadata: Sequence[Metadata | None] | None,
    ) -> tuple[int, int]:
        """Puts rows; how many were new, and how many replaced one."""
        self._check_dimension(vectors)
        if len(vectors) != len(ids):
            raise InvalidRequest(
                f"{len(ids)} ids came with {len(vectors)} vectors; give each vector an id."
            )
        if metadata is not None and len(metadata) != len(ids):
            raise InvalidRequest(
                f"{len(ids)} ids came with metadata for {len(metadata)}; one entry each is needed."
            )
        check_finite(vectors, "vectors")
        with self._lock:
            inserted = 0
            self._reserve(len(self._ids) + len(ids))
            for i, id_ in enumerate(ids):
                row = self._rows.get(id_)
                if row is None:
                    row = self._rows[id_] = len(self._ids)
                    self._ids.append(id_)
                    self._metadata.append(None)
                    inserted += 1
                self._vectors[row] = vectors[i]
                given = metadata[i] if metadata is not None else None
                self._metadata[row] = dict(given) if given is not None else None
            return inserted, len(ids) - inserted

    def get(
        self, ids: Sequence[str]
    ) -> tuple[list[str], list[Metadata | None], NDArray[np.float32]]:
        """The rows that are there, in the order asked for."""
        with self._lock:
            found = [id_ for id_ in ids if id_ in self._rows]
            rows = [self._rows[id_] for id_ in found]
            return found, [self._metadata[row] for row in rows], self._vectors[rows]

    def delete(self, ids: Sequence[str]) -> int:
        """Removes rows; how many were there."""
        import numpy as np

        with self._lock:
            gone = {self._rows[id_] for id_ in ids if id_ in self._rows}
            if not gone:
                return 0
            kept = [row for row in range(len(self._ids)) if row not in gone]
            self._vectors = np.ascontiguousarray(self._vectors[kept])
            self._ids = [self._ids[row] for row in kept]
            self._metadata = [self._metadata[row] for row in kept]
            self._rows = {id_: row for row, id_ in enumerate(self._ids)}
            return len(gone)

    def search(self, queries: NDArray[np.float32], k: int) -> list[Hits]:
        """The ``k`` nearest rows of each query, or as many as there are."""
        self._check_dimension(queries)
        check_k(k)
        check_finite(queries, "queries")
        with self._lock:
            if not self._ids:
                return [Hits([], queries[:0, 0], []) for _ in range(len(queries))]
            scores = _vectors.scores(queries, self._vectors[: len(self._ids)], self.metric)
            return [self._hits(row, k) for row in scores]

    def _hits(self, row: NDArray[np.float32], k: int) -> Hits:
        nearest = _vectors.top_k(row, k, self.metric)
        places = [int(i) for i in nearest]
        return Hits(
            [self._ids[i] for i in places], row[nearest], [self._metadata[i] for i in places]
        )

    def _reserve(self, rows: int) -> None:
        import numpy as np

        if rows > len(self._vectors):
            larger = np.empty((max(rows, 2 * len(self._vectors)), self.dimension), np.float32)
            larger[: len(self._ids)] = self._vectors[: len(self._ids)]
            self._vectors = larger

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


def check_finite(vectors: NDArray[np.float32], meaning: str) -> None:
    """:raises InvalidRequest: NOT_FINITE, with the place of the first value that is not."""
    import numpy as np

    if np.isfinite(vectors).all():
        return
    row, column = (int(i) for i in np.argwhere(~np.isfinite(vectors))[0])
    raise InvalidRequest(
        f"{meaning}: the value at row {row}, column {column} is {vectors[row, column]}; "
        "vectors must be finite.",
        code="NOT_FINITE",
    )
