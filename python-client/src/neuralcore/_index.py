"""A nearest-neighbour index with integer ids, and the file it is saved in.

The file, all numbers little-endian:

======  =====  ==================================================================
offset  type
======  =====  ==================================================================
0       8      ``NCINDEX`` and a zero byte
8       u32    format, 1
12      u32    dimension
16      u64    n, number of vectors
24      u64    length of the JSON
32      u32    CRC-32 of all that follows this field
36      u32    zero
40             JSON (UTF-8): metric, max_elements, m, ef_construction, ef_search,
               next_id, metadata (object, id → metadata of the vectors that have any)
…              n ids, i64; then n × dimension float32
======  =====  ==================================================================
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import struct
import tempfile
import threading
import weakref
import zlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Union

from neuralcore._calls import Caller, frame_room, resolve
from neuralcore.errors import InvalidRequest, LimitExceeded, NeuralCoreError, NotFound

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Vector = Union[Sequence[float], "NDArray[Any]"]
Vectors = Union[Sequence[Vector], "NDArray[Any]"]

_MAGIC = b"NCINDEX\0"
_FORMAT = 1
_HEAD = struct.Struct("<8sIIQQII")
_SIMILARITIES = ("cosine", "dot_product")


class HNSWIndex:
    """Finds the nearest of many vectors.

    In this version the search is exact, over a collection in the daemon (or, where there is none,
    in this process): every result is a true nearest neighbour, and ``m``, ``ef_construction`` and
    ``ef_search`` are kept and saved but change nothing. The graph that gives the class its name
    comes with a later version, behind the same methods.

    Making an index connects, which may start a daemon. It holds memory there until ``close()``, or
    until it is garbage. Thread-safe.

    :param dimension: of the vectors.
    :param max_elements: how many it may hold.
    :param metric: "cosine", "euclidean", "squared_euclidean" or "dot_product".
    :param client: the client to use; by default the process's own, as ``connect()`` finds it.
    """

    def __init__(
        self,
        dimension: int,
        max_elements: int = 100_000,
        m: int = 16,
        ef_construction: int = 200,
        ef_search: int = 50,
        *,
        metric: str = "cosine",
        client: Caller | None = None,
    ) -> None:
        from neuralcore.vectors import DistanceMetric

        numbers = {
            "dimension": dimension,
            "max_elements": max_elements,
            "m": m,
            "ef_construction": ef_construction,
            "ef_search": ef_search,
        }
        for name, value in numbers.items():
            if value < 1:
                raise InvalidRequest(f"{name} is {value}; it must be at least 1.")
        self.dimension = dimension
        self.max_elements = max_elements
        self.m = m
        self.ef_construction = ef_construction
        self.ef_search = ef_search
        self.metric = DistanceMetric.of(metric).value
        self._lock = threading.RLock()
        self._ids: dict[int, None] = {}
        self._metadata: dict[int, Mapping[str, Any]] = {}
        self._next_id = 0
        self._client = resolve(client)
        self._collection = f"index-{os.getpid()}-{secrets.token_hex(8)}"
        self._call("create", dimension=dimension, metric=self.metric)
        self._drop = weakref.finalize(self, _drop, self._client, self._collection, os.getpid())

    def add(
        self,
        vector: Vector,
        id: int | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> int:
        """Adds a vector, or replaces the one of that id; returns its id.

        :param id: any integer; by default the next that is free.
        :param metadata: JSON values, kept with it.
        """
        metadatas = [metadata] if metadata is not None else None
        return self.add_batch([vector], None if id is None else [id], metadatas)[0]

    def add_batch(
        self,
        vectors: Vectors,
        ids: Sequence[int] | None = None,
        metadata: Sequence[Mapping[str, Any] | None] | None = None,
    ) -> list[int]:
        """Adds n vectors (n × d) and returns their ids. See :meth:`add`.

        :raises LimitExceeded: if there would be more than ``max_elements``; nothing was added.
        """
        rows = self._matrix(vectors)
        with self._lock:
            chosen = [int(i) for i in ids] if ids is not None else self._free_ids(len(rows))
            if len(chosen) != len(rows):
                raise InvalidRequest(f"{len(chosen)} ids came with {len(rows)} vectors.")
            if metadata is not None and len(metadata) != len(rows):
                raise InvalidRequest(f"{len(metadata)} metadata came with {len(rows)} vectors.")
            total = len(self._ids.keys() | set(chosen))
            if total > self.max_elements:
                raise LimitExceeded(
                    f"{total} vectors do not fit an index of max_elements={self.max_elements}."
                )
            step = max(1, frame_room(self._client) // (4 * self.dimension + 24))
            for start in range(0, len(rows), step):
                part = chosen[start : start + step]
                names = [str(i) for i in part]
                self._call("upsert", names, rows[start : start + step])
                self._ids.update(dict.fromkeys(part))
            for i, given in zip(chosen, metadata or [None] * len(chosen), strict=True):
                self._metadata.pop(i, None)
                if given is not None:
                    self._metadata[i] = dict(given)
            self._next_id = max([self._next_id, *(i + 1 for i in chosen)])
            return chosen

    def search(
        self,
        query: Vector,
        k: int = 10,
        filter_fn: Callable[[int], bool] | None = None,
    ) -> list[tuple[int, float]]:
        """The ``k`` nearest as (id, distance), nearest first, or as many as there are.

        The distance is 1 - cosine for cosine, the negated product for dot_product.

        :param filter_fn: only ids for which it is true; more and more neighbours are fetched until
            ``k`` of them are.
        """
        if filter_fn is None:
            return self.search_batch([query], k)[0]
        found: list[tuple[int, float]] = []
        seen, fetch = 0, max(4 * k, 64)
        while True:
            nearest = self.search_batch([query], min(fetch, max(1, len(self))))[0]
            found += [hit for hit in nearest[seen:] if filter_fn(hit[0])]
            if len(found) >= k or len(nearest) < fetch:
                return found[:k]
            seen, fetch = len(nearest), 4 * fetch

    def search_batch(
        self,
        queries: Vectors,
        k: int = 10,
    ) -> list[list[tuple[int, float]]]:
        """:meth:`search` for each of several queries (m × d)."""
        if k < 1:
            raise InvalidRequest(f"k is {k}; it must be at least 1.")
        rows = self._matrix(queries)
        # An answer has an id and a score, about 40 bytes, for each hit.
        per_query = max(4 * self.dimension, 40 * min(k, max(1, len(self))))
        step = max(1, frame_room(self._client) // per_query)
        results: list[list[tuple[int, float]]] = []
        for start in range(0, len(rows), step):
            answer, (ids, scores) = self._call("search", rows[start : start + step], k=k)
            at = 0
            for count in answer["counts"]:
                hits = zip(ids[at : at + count], scores[at : at + count].tolist(), strict=True)
                results.append([(int(i), self._distance(score)) for i, score in hits])
                at += count
        return results

    def metadata(self, id: int) -> Mapping[str, Any] | None:
        """What was kept with a vector, or None.

        :raises NotFound: if there is no such vector.
        """
        with self._lock:
            if id not in self._ids:
                raise NotFound(f"The index has no vector {id}.")
            return self._metadata.get(id)

    def __len__(self) -> int:
        return len(self._ids)

    def __contains__(self, id: object) -> bool:
        return id in self._ids

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes the index to a file, whole or not at all."""
        import numpy as np

        with self._lock:
            ids = list(self._ids)
            vectors = self._fetch(ids)
            settings = {
                "metric": self.metric,
                "max_elements": self.max_elements,
                "m": self.m,
                "ef_construction": self.ef_construction,
                "ef_search": self.ef_search,
                "next_id": self._next_id,
                "metadata": {str(i): dict(m) for i, m in self._metadata.items()},
            }
        text = json.dumps(settings, allow_nan=False).encode()
        body = [text, np.array(ids, dtype="<i8").tobytes(), vectors.astype("<f4").tobytes()]
        crc = 0
        for part in (struct.pack("<I", 0), *body):
            crc = zlib.crc32(part, crc)
        head = _HEAD.pack(_MAGIC, _FORMAT, self.dimension, len(ids), len(text), crc, 0)
        target = Path(path)
        handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=target.name + ".")
        try:
            with os.fdopen(handle, "wb") as file:
                for part in (head, *body):
                    file.write(part)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, target)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
            raise

    @classmethod
    def load(cls, path: str | os.PathLike[str], *, client: Caller | None = None) -> HNSWIndex:
        """Reads an index from a file.

        :raises InvalidRequest: if it is not such a file, is damaged, or of a newer format.
        """
        import numpy as np

        dimension, count, settings, data = _read(path)
        metadata = settings.pop("metadata")
        next_id = settings.pop("next_id")
        index = cls(dimension, client=client, **settings)
        ids = np.frombuffer(data, dtype="<i8", count=count).tolist()
        vectors = np.frombuffer(data, dtype="<f4", offset=8 * count).reshape(count, dimension)
        if count:
            index.add_batch(vectors, ids, [metadata.get(str(i)) for i in ids])
        index._next_id = next_id
        return index

    def close(self) -> None:
        """Frees what the index holds; it cannot be used afterwards."""
        self._drop()

    def __enter__(self) -> HNSWIndex:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<HNSWIndex of {len(self)} × {self.dimension}, {self.metric}>"

    def _call(self, verb: str, *tensors: Any, **params: Any) -> tuple[dict[str, Any], list[Any]]:
        if hasattr(self, "_drop") and not self._drop.alive:
            raise InvalidRequest("The index has been closed.")
        params["collection"] = self._collection
        return self._client.call(f"neuralcore.vectors.{verb}", params, tensors)

    def _fetch(self, ids: Sequence[int]) -> NDArray[np.float32]:
        import numpy as np

        vectors = np.empty((len(ids), self.dimension), dtype=np.float32)
        step = max(1, frame_room(self._client) // (4 * self.dimension + 64))
        for start in range(0, len(ids), step):
            names = [str(i) for i in ids[start : start + step]]
            _, (part,) = self._call("get", names)
            vectors[start : start + step] = part
        return vectors

    def _free_ids(self, count: int) -> list[int]:
        return list(range(self._next_id, self._next_id + count))

    def _matrix(self, vectors: Any) -> NDArray[np.float32]:
        from neuralcore.vectors import matrix

        rows = matrix(vectors)
        if not len(rows):
            return rows.reshape(0, self.dimension)
        if rows.shape[1] != self.dimension:
            raise InvalidRequest(
                f"Vector length mismatch: {rows.shape[1]} vs {self.dimension}",
                code="DIMENSION_MISMATCH",
            )
        return rows

    def _distance(self, score: float) -> float:
        if self.metric == "cosine":
            return 1.0 - score
        return -score if self.metric == "dot_product" else score


def _drop(client: Caller, collection: str, pid: int) -> None:
    """Frees a collection; in a forked child it is the parent's."""
    if pid != os.getpid():
        return
    with contextlib.suppress(NeuralCoreError):
        client.call("neuralcore.vectors.drop", {"collection": collection}, timeout=1.0)


def _read(path: str | os.PathLike[str]) -> tuple[int, int, dict[str, Any], memoryview]:
    """Dimension, count, settings, and the bytes of ids and vectors."""
    data = memoryview(Path(path).read_bytes())
    if len(data) < _HEAD.size or bytes(data[:8]) != _MAGIC:
        raise InvalidRequest(f"{path} is not an index file.")
    _, version, dimension, count, text, crc, _ = _HEAD.unpack_from(data)
    if version != _FORMAT:
        raise InvalidRequest(
            f"{path} has format {version}; this version reads {_FORMAT}: upgrade the package."
        )
    if len(data) != _HEAD.size + text + count * (8 + 4 * dimension):
        raise InvalidRequest(f"{path} is damaged: it has {len(data)} bytes, not what it says.")
    if zlib.crc32(data[36:]) != crc:
        raise InvalidRequest(f"{path} is damaged: its checksum does not fit.")
    settings = json.loads(bytes(data[_HEAD.size : _HEAD.size + text]))
    return dimension, count, settings, data[_HEAD.size + text :]
