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
40             JSON (UTF-8): dimension, metric, max_elements, m, ef_construction, ef_search,
               m0, seed, next_id, metadata (object, id → metadata of those that have any)
…              n ids, i64; then n × dimension float32
======  =====  ==================================================================
"""

from __future__ import annotations

import contextlib
import json
import operator
import os
import secrets
import struct
import threading
import time
import weakref
import zlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Union, overload

from neuralcore import _parts
from neuralcore._calls import Caller, frame_room, resolve
from neuralcore._progress import progress
from neuralcore._wire.text import as_json
from neuralcore.errors import InvalidRequest, NeuralCoreError, NotFound, RequestTimeout
from neuralcore.fallback._finite import check_finite

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Vector = Union[Sequence[float], "NDArray[Any]"]
Vectors = Union[Sequence[Vector], "NDArray[Any]"]

_MAGIC = b"NCINDEX\0"
_FORMAT = 1
_HEAD = struct.Struct("<8sIIQQII")

_PIPELINE = 512
"""Single adds that are sent together."""

_FIRST_ID = -(1 << 63)
_LAST_ID = (1 << 63) - 1


class HNSWIndex:
    """Finds the nearest of many vectors.

    The vectors are held by the daemon, in a collection of its own that is not kept on disk; where
    there is no daemon, in this process. Below 10,000 vectors every result is a true nearest
    neighbour. For more, the daemon builds an HNSW graph in the background (see
    :meth:`wait_until_built`), and searches it once it is there; the fallback stays exact.

    The index belongs to the process that made it: making it connects, which may start a daemon, and
    the memory there is freed by ``close()``, when the index is garbage, or when the process ends
    (if it is killed, some seconds later, and only over a unix socket). What should outlive the
    process is written by :meth:`save`. Thread-safe.

    :param dimension: of the vectors.
    :param max_elements: how many are expected; more are taken, and the number grows.
    :param m: neighbours that the graph links a vector with.
    :param ef_construction: candidates looked at for them.
    :param ef_search: candidates that a search keeps in sight: more is slower and finds more.
    :param metric: "cosine", "euclidean", "squared_euclidean" or "dot_product".
    :param m0: neighbours on the graph's lowest level, 2 · m by default.
    :param seed: of the graph's levels.
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
        m0: int | None = None,
        seed: int | None = None,
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
        self.m0 = m0
        self.ef_construction = ef_construction
        self.ef_search = ef_search
        self.seed = seed
        self.metric = DistanceMetric.of(metric).value
        self._lock = threading.RLock()
        self._ids: dict[int, None] = {}
        self._metadata: dict[int, dict[str, Any]] = {}
        self._next_id = 0
        # Vectors of single adds that have not been sent yet.
        self._waiting: dict[int, NDArray[np.float32]] = {}
        self._client = resolve(client)
        self._collection = f"index-{os.getpid()}-{secrets.token_hex(8)}"
        options: dict[str, Any] = {
            "m": max(2, m),
            "ef_construction": ef_construction,
            "ef_search": ef_search,
            "durable": False,
        }
        if m0 is not None:
            options["m0"] = m0
        if seed is not None:
            options["seed"] = seed
        owner = _owner(self._client)
        if owner is not None:
            options["owner"] = owner
        self._call("create", dimension=dimension, metric=self.metric, **options)
        self._drop = weakref.finalize(self, _drop, self._client, self._collection, os.getpid())

    def add(
        self,
        vector: Vector,
        id: int | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> int:
        """Adds a vector, or replaces the one of that id; returns its id.

        It does not wait for the daemon: vectors are sent some hundred at a time, at the latest
        before the next search. What the daemon refuses then is raised there.

        :param id: any integer of 64 bits; by default the next that is free.
        :param metadata: JSON values, kept with it.
        """
        rows = self._matrix([vector])
        check_finite(rows, "vector")
        with self._lock:
            self._check_open()
            (chosen,) = self._chosen(None if id is None else [id], 1)
            kept = _json_objects([chosen], [metadata])
            self._waiting.pop(chosen, None)
            self._waiting[chosen] = rows[0].copy()
            self._note([chosen], kept)
            if len(self._waiting) >= _PIPELINE:
                self._flush()
            return chosen

    def add_batch(
        self,
        vectors: Vectors,
        ids: Sequence[int] | None = None,
        metadata: Sequence[Mapping[str, Any] | None] | None = None,
        *,
        show_progress: bool | None = None,
    ) -> list[int]:
        """Adds n vectors (n × d) and returns their ids. See :meth:`add`.

        :param show_progress: a bar on stderr; by default for many vectors if stderr is a terminal.
        """
        rows = self._matrix(vectors)
        with self._lock:
            self._check_open()
            chosen = self._chosen(ids, len(rows))
            if metadata is not None and len(metadata) != len(rows):
                raise InvalidRequest(f"{len(metadata)} metadata came with {len(rows)} vectors.")
            kept = _json_objects(chosen, metadata or [None] * len(rows))
            self._flush()
            step = max(1, frame_room(self._client) // (4 * self.dimension + 24))
            with progress(len(rows), "vectors", show_progress) as advance:
                for start in range(0, len(rows), step):
                    part = slice(start, start + step)
                    self._send(chosen[part], rows[part])
                    self._note(chosen[part], kept[part])
                    advance(len(chosen[part]))
            return chosen

    def _chosen(self, ids: Sequence[int] | None, count: int) -> list[int]:
        if ids is None:
            ids = range(self._next_id, self._next_id + count)
        try:
            chosen = [operator.index(i) for i in ids]
        except TypeError as e:
            raise InvalidRequest(f"An id must be an integer: {e}.") from e
        if len(chosen) != count:
            raise InvalidRequest(f"{len(chosen)} ids came with {count} vectors.")
        if chosen and not _FIRST_ID <= min(chosen) <= max(chosen) <= _LAST_ID:
            raise InvalidRequest("An id is beyond the 64 bits that an integer id has.")
        return chosen

    def _note(self, ids: Sequence[int], metadata: Sequence[dict[str, Any] | None]) -> None:
        """Remembers what was added."""
        for i, kept in zip(ids, metadata, strict=True):
            self._ids[i] = None
            self._next_id = max(self._next_id, i + 1)
            self._metadata.pop(i, None)
            if kept is not None:
                self._metadata[i] = kept
        while len(self._ids) > self.max_elements:
            self.max_elements *= 2

    def _flush(self) -> None:
        if self._waiting:
            import numpy as np

            self._send(list(self._waiting), np.stack(list(self._waiting.values())))
            self._waiting.clear()  # what could not be sent is sent with the next

    def _send(self, ids: Sequence[int], rows: NDArray[np.float32]) -> None:
        self._call("upsert", _parts.id_tensor(list(ids)), rows)

    @overload
    def search(
        self,
        query: Vector,
        k: int = 10,
        filter_fn: Callable[[int], bool] | None = None,
        *,
        include_metadata: Literal[False] = False,
    ) -> list[tuple[int, float]]: ...

    @overload
    def search(
        self,
        query: Vector,
        k: int = 10,
        filter_fn: Callable[[int], bool] | None = None,
        *,
        include_metadata: Literal[True],
    ) -> list[tuple[int, float, Mapping[str, Any] | None]]: ...

    def search(
        self,
        query: Vector,
        k: int = 10,
        filter_fn: Callable[[int], bool] | None = None,
        *,
        include_metadata: bool = False,
    ) -> Any:
        """The ``k`` nearest as (id, distance), nearest first, or as many as there are.

        The distance is 1 - cosine for cosine, the negated product for dot_product.

        :param filter_fn: only ids for which it is true. It is called here: for nearby ids first,
            and for all there are if too few of those pass.
        :param include_metadata: (id, distance, metadata) instead; None where there is none.
        """
        hits = (
            self.search_batch([query], k)[0]
            if filter_fn is None
            else self._filtered(query, k, filter_fn)
        )
        if include_metadata:
            return [(i, distance, self._metadata.get(i)) for i, distance in hits]
        return hits

    def _filtered(
        self, query: Vector, k: int, filter_fn: Callable[[int], bool]
    ) -> list[tuple[int, float]]:
        _parts.check_k(k)
        fetch = max(4 * k, 64)
        nearest = self.search_batch([query], fetch)[0]
        found = [hit for hit in nearest if filter_fn(hit[0])]
        if len(found) >= k or len(nearest) < fetch:
            return found[:k]
        with self._lock:
            every = list(self._ids)
        allowed = [i for i in every if filter_fn(i)]
        if not allowed:
            return []
        answer, arrays = self._call("search", self._matrix([query]), _parts.id_tensor(allowed), k=k)
        return self._pairs(_parts.hits(answer, arrays)[0])

    def search_batch(
        self,
        queries: Vectors,
        k: int = 10,
    ) -> list[list[tuple[int, float]]]:
        """:meth:`search` for each of several queries (m × d)."""
        _parts.check_k(k)
        rows = self._matrix(queries)
        with self._lock:
            self._flush()
        # An answer has an id and a score, about 40 bytes, for each hit.
        per_query = max(4 * self.dimension, 40 * min(k, max(1, len(self))))
        step = max(1, frame_room(self._client) // per_query)
        results: list[list[tuple[int, float]]] = []
        for start in range(0, len(rows), step):
            answer, arrays = self._call("search", rows[start : start + step], k=k)
            results += [self._pairs(hits) for hits in _parts.hits(answer, arrays)]
        return results

    def _pairs(self, hits: Sequence[_parts.Hit]) -> list[tuple[int, float]]:
        return [(hit.id, self._distance(hit.score)) for hit in hits]

    def metadata(self, id: int) -> Mapping[str, Any] | None:
        """What was kept with a vector, or None.

        :raises NotFound: if there is no such vector.
        """
        with self._lock:
            if id not in self._ids:
                raise NotFound(f"The index has no vector {id}.")
            return self._metadata.get(id)

    def describe(self) -> dict[str, Any]:
        """What the index takes and how it is searched; see ``Collection.describe``."""
        with self._lock:
            self._flush()
        return self._call("describe")[0]

    def wait_until_built(
        self, timeout: float = 600.0, *, show_progress: bool | None = None
    ) -> None:
        """Returns when the graph has every vector, or none is built because there are too few.

        :raises RequestTimeout: if it takes longer; building goes on.
        """
        end = time.monotonic() + timeout
        state = self.describe()
        done = 0
        with progress(state["count"], "vectors indexed", show_progress) as advance:
            while not _parts.is_indexed(state):
                if time.monotonic() > end:
                    raise RequestTimeout(f"The graph was not complete within {timeout:g} s.")
                time.sleep(0.1)
                state = self.describe()
                now = state["count"] - state["unindexed"] if state["graph"] != "none" else 0
                advance(max(0, now - done))
                done = max(done, now)

    def __len__(self) -> int:
        return len(self._ids)

    def __contains__(self, id: object) -> bool:
        return id in self._ids

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes the index to a file of this process's, whole or not at all.

        The daemon never writes to a path that a client names: the vectors are fetched, and written
        here. The graph is not among them; it is built again after :meth:`load`.
        """
        import numpy as np

        with self._lock:
            self._flush()
            ids = list(self._ids)
            vectors = self._fetch(ids)
            settings = {
                "dimension": self.dimension,
                "metric": self.metric,
                "max_elements": self.max_elements,
                "m": self.m,
                "ef_construction": self.ef_construction,
                "ef_search": self.ef_search,
                "m0": self.m0,
                "seed": self.seed,
                "next_id": self._next_id,
                "metadata": {str(i): kept for i, kept in self._metadata.items()},
            }
        text = json.dumps(settings, allow_nan=False).encode()
        body = [text, np.array(ids, dtype="<i8").tobytes(), vectors.astype("<f4").tobytes()]
        crc = 0
        for part in (struct.pack("<I", 0), *body):
            crc = zlib.crc32(part, crc)
        head = _HEAD.pack(_MAGIC, _FORMAT, self.dimension, len(ids), len(text), crc, 0)
        target = Path(path)
        temporary = target.with_name(f"{target.name}.{secrets.token_hex(4)}")
        try:
            with temporary.open("xb") as file:
                for part in (head, *body):
                    file.write(part)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, target)
        except BaseException:
            with contextlib.suppress(OSError):
                temporary.unlink()
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

    @classmethod
    def load_hnswlib(
        cls,
        path: str | os.PathLike[str],
        *,
        metric: str = "cosine",
        client: Caller | None = None,
    ) -> HNSWIndex:
        """Reads the vectors and labels of a file that hnswlib's ``save_index`` wrote.

        The graph is built anew. Elements that are marked as deleted are left out.

        :param metric: the space, which the file does not name: "cosine" ("ip" is "dot_product",
            "l2" is "squared_euclidean").
        :raises InvalidRequest: if it is not such a file, or its numbers do not fit its length.
        """
        from neuralcore._imports import read_hnswlib

        labels, vectors, settings = read_hnswlib(path)
        index = cls(vectors.shape[1], metric=metric, client=client, **settings)
        index.add_batch(vectors, labels.tolist())
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
        self._check_open()
        params["collection"] = self._collection
        return self._client.call(f"neuralcore.vectors.{verb}", params, tensors)

    def _check_open(self) -> None:
        if hasattr(self, "_drop") and not self._drop.alive:
            raise InvalidRequest("The index has been closed.")

    def _fetch(self, ids: Sequence[int]) -> NDArray[np.float32]:
        import numpy as np

        vectors = np.empty((len(ids), self.dimension), dtype=np.float32)
        step = max(1, frame_room(self._client) // (4 * self.dimension + 64))
        start = 0
        while start < len(ids):
            wanted = ids[start : start + step]
            answer, (part,) = self._call("get", _parts.id_tensor(list(wanted)))
            end = start + answer.get("next", len(wanted))
            vectors[start:end] = part
            start = end
        return vectors

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


def _json_objects(
    ids: Sequence[int], metadata: Sequence[Mapping[str, Any] | None]
) -> list[dict[str, Any] | None]:
    """The metadata as it comes back from a file; later changes of what was given do not touch it.

    :raises InvalidRequest: if one is no object of JSON values, with its id.
    """
    kept: list[dict[str, Any] | None] = []
    for i, given in zip(ids, metadata, strict=True):
        if given is not None and not isinstance(given, Mapping):
            raise InvalidRequest(
                f"The metadata of vector {i} is a {type(given).__name__}; it must be an object."
            )
        what = f"The metadata of vector {i}"
        kept.append(None if given is None else as_json(dict(given), what))
    return kept


def _owner(client: Caller) -> dict[str, Any] | None:
    """Who this process is, for a daemon that can see whether it lives; None for any other."""
    if not str(getattr(client, "url", "")).startswith("unix:"):
        return None
    try:
        namespace = os.readlink("/proc/self/ns/pid")
    except OSError:
        namespace = ""
    return {"pid": os.getpid(), "pid_namespace": namespace}


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
    # The checksum begins after the head, whose dimension an index without vectors does not need.
    # Files written before it was told twice have it in the head alone.
    if settings.pop("dimension", dimension) != dimension:
        raise InvalidRequest(f"{path} is damaged: its head and its settings do not agree.")
    return dimension, count, settings, data[_HEAD.size + text :]
