"""The asynchronous client, for any event loop: calls are carried out by the I/O thread.

Made from client.py by ``tools/generate_async.py``; change that one and run it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal

from neuralcore import _parts
from neuralcore._connect import open_backend
from neuralcore._connection import Connection
from neuralcore._parts import Deadline, Hit, Record, Upserted
from neuralcore.daemon import START_TIMEOUT
from neuralcore.errors import InvalidRequest

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike, NDArray

    from neuralcore._wire import Tensor

__all__ = [
    "AsyncClient",
    "AsyncCollection",
    "Hit",
    "Record",
    "Upserted",
    "connect_async",
]


async def connect_async(
    url: str | None = None,
    *,
    require: Literal["daemon"] | None = None,
    start: bool = True,
    timeout: float = START_TIMEOUT,
    home: Path | str | None = None,
    settings: Mapping[str, object] | None = None,
) -> AsyncClient:
    """A client of the daemon at ``url``, else NEURALCORE_URL, else of a running daemon of this
    user, else of one that is started, else the fallback. One line of the log says which.

    Args:
        url: ``unix:/path``, ``tcp://host:port?token=…``, or ``fallback:``. Where one is given,
            here or by NEURALCORE_URL, nothing else is tried.
        require: "daemon" makes falling back an error.
        start: whether a daemon may be started. It serves other processes of this user too, and
            ends by itself when it has had no client for 10 minutes.
        timeout: seconds for starting one.
        home: the daemon's data folder, the user's by default.
        settings: for a daemon that this call starts; see :func:`neuralcore.daemon.start`.

    Returns:
        A :class:`AsyncClient`; where ``backend`` is "fallback", an object with the same methods.

    Raises:
        ConnectError: nobody answers at the URL, or there is no daemon and one is required.
    """
    backend = await asyncio.to_thread(open_backend, url, require, start, timeout, home, settings)
    if isinstance(backend, Connection):
        return AsyncClient(backend)
    from neuralcore._async_fallback import AsyncFallbackClient

    return AsyncFallbackClient(backend)


class AsyncClient:
    """Vectors, embeddings and services of a daemon. Usable from any number of event loops.

    Every call takes ``timeout`` in seconds: for all of it where it is given, else 30 s for each
    request to the daemon. Arrays may be of any size; what does not fit a frame is sent in parts.
    Raises what :mod:`neuralcore.errors` lists.

    Args:
        connection: the connection, which the client closes at its end.
    """

    backend: Literal["daemon", "fallback"] = "daemon"

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    @property
    def url(self) -> str:
        """Where the daemon is."""
        return self.connection.url

    @property
    def binary_frame_limit(self) -> int:
        """Bytes that one request, or one answer, may have."""
        return self.connection.max_frame

    async def call(
        self,
        address: str,
        params: Mapping[str, object] | None = None,
        tensors: Sequence[Tensor] = (),
        *,
        timeout: float | None = None,
    ) -> tuple[dict[str, Any], list[Tensor]]:
        """Calls a service by its address.

        Args:
            params: JSON values.
            tensors: arrays (float32, int8, int32, int64; one or two axes), bytes, lists of str.

        Returns:
            The answer's JSON and its attachments.
        """
        return await asyncio.wrap_future(
            self.connection.call_async(address, params, tensors, timeout=timeout)
        )

    async def info(self, *, timeout: float | None = None) -> dict[str, Any]:
        """The daemon's version, roles, kernels, model, memory: see ``docs/protocol.md``."""
        result, _ = await self.call("neuralcore.system.info", timeout=timeout)
        return result

    async def embed(
        self,
        texts: str | Sequence[str],
        *,
        model: str | None = None,
        kind: Literal["document", "query"] = "document",
        timeout: float | None = None,
    ) -> NDArray[np.float32]:
        """The texts' embeddings, of length 1 where the model makes them so.

        Args:
            texts: a text, or several.
            model: the daemon's default if None.
            kind: what the texts are; some models have a prefix for each.

        Returns:
            float32, (n, dimension), or (dimension,) for a single text.
        """
        import numpy as np

        single = isinstance(texts, str)
        given = [texts] if isinstance(texts, str) else list(texts)
        params: dict[str, object] = {"kind": kind}
        if model is not None:
            params["model"] = model
        deadline = Deadline(timeout)
        vectors: list[NDArray[np.float32]] = []
        for part in _parts.text_parts(given, self.binary_frame_limit) if given else [given]:
            _, tensors = await self.call(
                "neuralcore.embedding.embed", params, [part], timeout=deadline.left()
            )
            vectors.append(tensors[0])
        if single:
            vector: NDArray[np.float32] = vectors[0][0]
            return vector
        return vectors[0] if len(vectors) == 1 else np.concatenate(vectors)

    async def embed_query(
        self,
        text: str | Sequence[str],
        *,
        model: str | None = None,
        timeout: float | None = None,
    ) -> NDArray[np.float32]:
        """As :meth:`embed`, for what is searched with."""
        return await self.embed(text, model=model, kind="query", timeout=timeout)

    async def models(self, *, timeout: float | None = None) -> list[dict[str, Any]]:
        """The models there are: name, dimension, max_tokens, ready, precision."""
        result, _ = await self.call("neuralcore.embedding.models", timeout=timeout)
        return list(result["models"])

    async def similarity(
        self,
        queries: ArrayLike,
        documents: ArrayLike,
        *,
        metric: str = "cosine",
        timeout: float | None = None,
    ) -> NDArray[np.float32]:
        """Every query's similarity to, or distance from, every document.

        Args:
            queries: m × d, or one vector.
            documents: n × d.
            metric: cosine, dot_product, euclidean or squared_euclidean.

        Returns:
            float32, (m, n), or (n,) for a single query.
        """
        import numpy as np

        q, single = _parts.matrix(queries, "queries")
        d, _ = _parts.matrix(documents, "documents")
        _parts.check_width(q, d)
        rows, columns = _parts.blocks(len(q), len(d), q.shape[1], self.binary_frame_limit)
        deadline = Deadline(timeout)
        scores = np.empty((len(q), len(d)), np.float32)
        for i in _parts.ranges(len(q), rows):
            for j in _parts.ranges(len(d), columns):
                _, tensors = await self.call(
                    "neuralcore.vectors.similarity",
                    {"metric": metric},
                    [q[i], d[j]],
                    timeout=deadline.left(),
                )
                scores[i, j] = tensors[0]
        return scores[0] if single else scores

    async def top_k(
        self,
        queries: ArrayLike,
        documents: ArrayLike,
        k: int = 10,
        *,
        metric: str = "cosine",
        timeout: float | None = None,
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """The k documents nearest to each query, nearest first.

        Returns:
            Indexes (int64) and scores (float32), (m, min(k, n)) each, or without the first axis
            for a single query.
        """
        import numpy as np

        if k < 1:
            raise InvalidRequest(f"k is {k}; it must be at least 1.")
        q, single = _parts.matrix(queries, "queries")
        d, _ = _parts.matrix(documents, "documents")
        _parts.check_width(q, d)
        rows, columns = _parts.blocks(len(q), len(d), q.shape[1], self.binary_frame_limit)
        deadline = Deadline(timeout)
        best = min(k, len(d))
        indexes = np.empty((len(q), best), np.int64)
        scores = np.empty((len(q), best), np.float32)
        for i in _parts.ranges(len(q), rows):
            found = []
            for j in _parts.ranges(len(d), columns):
                _, tensors = await self.call(
                    "neuralcore.vectors.topk",
                    {"metric": metric, "k": min(k, j.stop - j.start)},
                    [q[i], d[j]],
                    timeout=deadline.left(),
                )
                found.append((tensors[0] + j.start, tensors[1]))
            if found:
                indexes[i], scores[i] = _parts.merge_top_k(found, best, metric)
        return (indexes[0], scores[0]) if single else (indexes, scores)

    async def collection(
        self,
        name: str,
        dimension: int | None = None,
        *,
        metric: str = "cosine",
        timeout: float | None = None,
    ) -> AsyncCollection:
        """A collection of vectors.

        Args:
            dimension: makes the collection if there is none; if there is one, it must have this
                dimension and metric. None asks nothing of the daemon.
        """
        if dimension is not None:
            params = {
                "collection": name,
                "dimension": dimension,
                "metric": metric,
                "exist_ok": True,
            }
            await self.call("neuralcore.vectors.create", params, timeout=timeout)
        return AsyncCollection(self, name)

    async def collections(self, *, timeout: float | None = None) -> list[dict[str, Any]]:
        """The collections there are: name, dimension, metric, count, bytes."""
        result, _ = await self.call("neuralcore.vectors.list", timeout=timeout)
        return list(result["collections"])

    async def close(self) -> None:
        """Sends what is queued, for at most 2 s, and disconnects. Idempotent."""
        await asyncio.to_thread(self.connection.close)

    async def __aenter__(self) -> AsyncClient:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, e: BaseException | None, at: TracebackType | None
    ) -> None:
        await self.close()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of the {self.backend} at {self.url}>"


class AsyncCollection:
    """A named set of vectors with ids and metadata, kept by the daemon.

    Usable from any number of event loops.
    """

    def __init__(self, client: AsyncClient, name: str) -> None:
        self._client = client
        self.name = name

    async def upsert(
        self,
        ids: Sequence[str],
        vectors: ArrayLike,
        metadata: Sequence[Mapping[str, object] | None] | None = None,
        *,
        timeout: float | None = None,
    ) -> Upserted:
        """Stores vectors; one with an id that is there already replaces it.

        Args:
            ids: n.
            vectors: n × d.
            metadata: n objects of JSON values, or None for all of them.
        """
        names = _parts.string_list(ids, "ids")
        v, _ = _parts.matrix(vectors, "vectors")
        if len(names) != len(v) or (metadata is not None and len(metadata) != len(v)):
            have = "no" if metadata is None else str(len(metadata))
            raise InvalidRequest(
                f"{len(names)} ids, {len(v)} vectors and {have} metadata do not belong together."
            )
        deadline = Deadline(timeout)
        inserted = updated = start = 0
        rows = _parts.rows_that_fit(self._client.binary_frame_limit, 4 * v.shape[1] + 64)
        while start < len(names):
            part = slice(start, start + rows)
            params: dict[str, object] = {"collection": self.name}
            if metadata is not None:
                params["metadata"] = list(metadata[part])
            try:
                result, _ = await self._client.call(
                    "neuralcore.vectors.upsert",
                    params,
                    [names[part], v[part]],
                    timeout=deadline.left(),
                )
            except InvalidRequest as e:
                if e.code != "FRAME_TOO_LARGE" or rows == 1:
                    raise
                rows = max(1, rows // 2)  # long ids or much metadata
                continue
            inserted += result["inserted"]
            updated += result["updated"]
            start += rows
        return Upserted(inserted, updated)

    async def get(self, ids: Sequence[str], *, timeout: float | None = None) -> list[Record]:
        """Those of the ids that are there, in the order asked for."""
        names = _parts.string_list(ids, "ids")
        deadline = Deadline(timeout)
        found: list[Record] = []
        for part in _parts.ranges(len(names), _parts.IDS):
            result, tensors = await self._client.call(
                "neuralcore.vectors.get",
                {"collection": self.name},
                [names[part]],
                timeout=deadline.left(),
            )
            found += _parts.records(result, tensors)
        return found

    async def delete(self, ids: Sequence[str], *, timeout: float | None = None) -> int:
        """Removes vectors; how many of the ids were there."""
        names = _parts.string_list(ids, "ids")
        deadline = Deadline(timeout)
        deleted = 0
        for part in _parts.ranges(len(names), _parts.IDS):
            result, _ = await self._client.call(
                "neuralcore.vectors.delete",
                {"collection": self.name},
                [names[part]],
                timeout=deadline.left(),
            )
            deleted += result["deleted"]
        return deleted

    async def search(
        self,
        query: ArrayLike,
        k: int = 10,
        *,
        include_metadata: bool = False,
        timeout: float | None = None,
    ) -> list[Hit]:
        """The k vectors nearest to the query (d,), nearest first."""
        q, single = _parts.matrix(query, "query")
        if not single:
            raise InvalidRequest(
                f"The query has the shape {q.shape}; (d,) is needed.",
                hint="search_batch takes several.",
            )
        found = await self.search_batch(q, k, include_metadata=include_metadata, timeout=timeout)
        return found[0]

    async def search_batch(
        self,
        queries: ArrayLike,
        k: int = 10,
        *,
        include_metadata: bool = False,
        timeout: float | None = None,
    ) -> list[list[Hit]]:
        """For each of m × d queries the k vectors nearest to it, nearest first."""
        q, _ = _parts.matrix(queries, "queries")
        params = {"collection": self.name, "k": k, "include_metadata": include_metadata}
        deadline = Deadline(timeout)
        rows = _parts.rows_that_fit(self._client.binary_frame_limit, 4 * q.shape[1] + 256 * k)
        found: list[list[Hit]] = []
        for part in _parts.ranges(len(q), rows):
            result, tensors = await self._client.call(
                "neuralcore.vectors.search", params, [q[part]], timeout=deadline.left()
            )
            found += _parts.hits(result, tensors)
        return found

    async def info(self, *, timeout: float | None = None) -> dict[str, Any] | None:
        """dimension, metric, count, bytes of the collection; None if it is not there."""
        every = await self._client.collections(timeout=timeout)
        return next((c for c in every if c["name"] == self.name), None)

    async def drop(self, *, timeout: float | None = None) -> bool:
        """Removes the collection with all it holds; whether it was there."""
        result, _ = await self._client.call(
            "neuralcore.vectors.drop", {"collection": self.name}, timeout=timeout
        )
        return bool(result["dropped"])

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name!r}>"
