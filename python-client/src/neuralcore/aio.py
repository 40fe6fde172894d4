"""The asynchronous client, for any event loop: calls are carried out by the I/O thread.

Made from client.py by ``tools/generate_async.py``; change that one and run it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal

from neuralcore import _parts
from neuralcore._connect import open_backend
from neuralcore._connection import Connection
from neuralcore._parts import Deadline, Hit, Ids, Record, Upserted
from neuralcore._progress import progress as _progress
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
            ends by itself when it has had no client for 10 minutes. If it dies, the next attempt
            to reconnect starts another.
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
        durable: bool | None = None,
        metadata: Mapping[str, object] | None = None,
        int8: bool | None = None,
        m: int | None = None,
        m0: int | None = None,
        ef_construction: int | None = None,
        ef_search: int | None = None,
        seed: int | None = None,
        timeout: float | None = None,
    ) -> AsyncCollection:
        """A collection of vectors.

        Args:
            dimension: makes the collection if there is none; if there is one, it must have this
                dimension and metric, and be durable or not as is asked for; its other options stay.
                None asks nothing of the daemon.
            metric: cosine, dot_product (inner_product), euclidean or squared_euclidean.
            durable: False keeps it in the daemon's memory alone. By default a daemon keeps it on
                disk, and the fallback, which has none, in memory.
            metadata: JSON values that say what it is.
            int8: False does without codes, which make search faster and take a quarter of the
                vectors' memory.
            m, m0, ef_construction, ef_search, seed: the graph's, should it grow so large; by
                default 16, twice m, 200, 50, and one that is always the same.
        """
        if dimension is not None:
            given = {
                "durable": durable,
                "metadata": None if metadata is None else dict(metadata),
                "int8": int8,
                "m": m,
                "m0": m0,
                "ef_construction": ef_construction,
                "ef_search": ef_search,
                "seed": seed,
            }
            params = {
                "collection": name,
                "dimension": dimension,
                "metric": metric,
                "exist_ok": True,
                **{option: value for option, value in given.items() if value is not None},
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
    """A named set of vectors with ids, metadata and texts, kept by the daemon.

    An id is a string or an integer; 7 and "7" are two. Ids are known in a namespace, "" by default;
    ``namespace="*"`` means all where rows are looked for. A ``filter`` is a condition on the
    metadata: ``{"lang": "en", "year": {"$gte": 1990}}``; there are $eq, $ne, $in, $nin, $gt, $gte,
    $lt, $lte, $exists, $and, $or and $not, and ``"author.name"`` names a value within an object.
    ``docs/vectors.md`` says what is found how. Usable from any number of event loops.
    """

    def __init__(self, client: AsyncClient, name: str) -> None:
        self._client = client
        self.name = name

    async def upsert(
        self,
        ids: Ids,
        vectors: ArrayLike,
        metadata: Sequence[Mapping[str, object] | None] | None = None,
        *,
        texts: Sequence[str | None] | None = None,
        namespace: str = "",
        progress: bool | None = None,
        timeout: float | None = None,
    ) -> Upserted:
        """Stores vectors; one with an id that is there already replaces it.

        When it returns, the vectors of a durable collection are on the disk.

        Args:
            ids: n.
            vectors: n × d.
            metadata: n objects of JSON values, or None for all of them.
            texts: n texts kept with the vectors, or None for all of them.
            progress: a bar on stderr; by default for many vectors if stderr is a terminal.
        """
        names = _parts.id_list(ids, "ids")
        v, _ = _parts.matrix(vectors, "vectors")
        _parts.check_rows(len(v), ids=names, metadata=metadata, texts=texts)
        deadline = Deadline(timeout)
        inserted = updated = start = 0
        rows = _parts.rows_that_fit(self._client.binary_frame_limit, 4 * v.shape[1] + 64)
        with _progress(len(names), "vectors", progress) as advance:
            while start < len(names):
                part = slice(start, start + rows)
                params: dict[str, object] = {"collection": self.name, "namespace": namespace}
                if metadata is not None:
                    params["metadata"] = list(metadata[part])
                if texts is not None:
                    params["texts"] = list(texts[part])
                try:
                    result, _ = await self._client.call(
                        "neuralcore.vectors.upsert",
                        params,
                        [_parts.id_tensor(names[part]), v[part]],
                        timeout=deadline.left(),
                    )
                except InvalidRequest as e:
                    if e.code != "FRAME_TOO_LARGE" or rows == 1:
                        raise
                    rows = max(1, rows // 2)  # long ids or much metadata
                    continue
                inserted += result["inserted"]
                updated += result["updated"]
                advance(min(rows, len(names) - start))
                start += rows
        return Upserted(inserted, updated)

    async def get(
        self,
        ids: Ids,
        *,
        namespace: str = "",
        include_vectors: bool = True,
        timeout: float | None = None,
    ) -> list[Record]:
        """Those of the ids that are there, in the order asked for."""
        names = _parts.id_list(ids, "ids")
        params = {
            "collection": self.name,
            "namespace": namespace,
            "include_vectors": include_vectors,
        }
        deadline = Deadline(timeout)
        found: list[Record] = []
        start = 0
        while start < len(names):
            part = names[start : start + _parts.IDS]
            result, tensors = await self._client.call(
                "neuralcore.vectors.get",
                params,
                [_parts.id_tensor(part)],
                timeout=deadline.left(),
            )
            found += _parts.records(result, tensors)
            start += result.get("next", len(part))  # fewer where an answer has no room for all
        return found

    async def delete(
        self,
        ids: Ids | None = None,
        *,
        filter: Mapping[str, object] | None = None,
        namespace: str = "",
        timeout: float | None = None,
    ) -> int:
        """Removes vectors: those of the ids, those that fulfil the filter, or where both are given
        those of the ids that do; how many there were."""
        params = _parts.scope(self.name, namespace, filter)
        if ids is None:
            if filter is None:
                raise InvalidRequest("delete needs ids, a filter, or both.")
            result, _ = await self._client.call(
                "neuralcore.vectors.delete",
                params,
                timeout=timeout,
            )
            return int(result["deleted"])
        names = _parts.id_list(ids, "ids")
        deadline = Deadline(timeout)
        deleted = 0
        for part in _parts.ranges(len(names), _parts.IDS):
            result, _ = await self._client.call(
                "neuralcore.vectors.delete",
                params,
                [_parts.id_tensor(names[part])],
                timeout=deadline.left(),
            )
            deleted += result["deleted"]
        return deleted

    async def count(
        self,
        *,
        filter: Mapping[str, object] | None = None,
        namespace: str = "*",
        timeout: float | None = None,
    ) -> int:
        """How many vectors there are, of all namespaces if none is named."""
        params = _parts.scope(self.name, namespace, filter)
        result, _ = await self._client.call(
            "neuralcore.vectors.count",
            params,
            timeout=timeout,
        )
        return int(result["count"])

    async def scroll_page(
        self,
        after: int = -1,
        limit: int = 1000,
        *,
        filter: Mapping[str, object] | None = None,
        namespace: str = "",
        include_vectors: bool = False,
        timeout: float | None = None,
    ) -> tuple[list[Record], int | None]:
        """At most ``limit`` records in the order in which their ids were first put, and what to
        pass as ``after`` for the next ones, None at the end."""
        params = _parts.scope(self.name, namespace, filter)
        params.update(after=after, limit=limit, include_vectors=include_vectors)
        result, tensors = await self._client.call(
            "neuralcore.vectors.scroll",
            params,
            timeout=timeout,
        )
        return _parts.records(result, tensors), result.get("next")

    async def scroll(
        self,
        *,
        filter: Mapping[str, object] | None = None,
        namespace: str = "",
        include_vectors: bool = False,
        timeout: float | None = None,
    ) -> AsyncIterator[Record]:
        """All records, fetched page by page. What is put or deleted meanwhile may be seen or not,
        but hides and doubles nothing else. ``timeout`` is for each page."""
        limit = 200 if include_vectors else 1000
        after: int | None = -1
        while after is not None:
            records, after = await self.scroll_page(
                after,
                limit,
                filter=filter,
                namespace=namespace,
                include_vectors=include_vectors,
                timeout=timeout,
            )
            for i in range(len(records)):  # there is no asynchronous "yield from"
                yield records[i]

    async def search(
        self,
        query: ArrayLike,
        k: int = 10,
        *,
        filter: Mapping[str, object] | None = None,
        filter_fn: Callable[[Any], bool] | None = None,
        namespace: str = "",
        limit: float | None = None,
        include_metadata: bool = False,
        include_vectors: bool = False,
        exact: bool = False,
        ef: int = 0,
        timeout: float | None = None,
    ) -> list[Hit]:
        """The k vectors nearest to the query (d,), nearest first.

        Args:
            filter: only vectors whose metadata fulfils it.
            filter_fn: only ids for which it is true. It is called here: for nearby ids first, and
                for every id there is if too few of those pass.
            limit: only vectors at least this similar, or with a distance at most this far.
            include_metadata: hits have ``metadata`` and ``text``.
            include_vectors: hits have ``vector``.
            exact: the answer of comparing every vector in float32. Without it collections of
                10,000 vectors and more are searched by a graph.
            ef: how many candidates the graph keeps in sight: more is slower and finds more.
        """
        q, single = _parts.matrix(query, "query")
        if not single:
            raise InvalidRequest("search takes one query; search_batch takes several.")
        params = _parts.search_params(
            self.name, k, filter, namespace, limit, include_metadata, include_vectors, exact, ef
        )
        deadline = Deadline(timeout)
        if filter_fn is None:
            found = await self._found(params, [q], deadline)
            return found[0]
        _parts.check_k(k)
        found = await self._found({**params, "k": max(4 * k, 64)}, [q], deadline)
        nearest = found[0]
        passed = [hit for hit in nearest if filter_fn(hit.id)]
        if len(passed) >= k or len(nearest) < max(4 * k, 64):
            return passed[:k]
        allowed: list[Any] = []
        after: int | None = -1
        while after is not None:
            records, after = await self.scroll_page(
                after, 10_000, filter=filter, namespace=namespace, timeout=deadline.left()
            )
            allowed += [record.id for record in records if filter_fn(record.id)]
        found = await self._found(params, [q, *_parts.id_tensors(allowed)], deadline)
        return found[0]

    async def _found(
        self, params: Mapping[str, Any], tensors: Sequence[Any], deadline: Deadline
    ) -> list[list[Hit]]:
        """A search's hits. What one answer has no room for is fetched after it."""
        result, arrays = await self._client.call(
            "neuralcore.vectors.search",
            params,
            tensors,
            timeout=deadline.left(),
        )
        found = _parts.hits(result, arrays)
        records: list[Record] = []
        for namespace, ids in _parts.left_out(result, found):
            records += await self.get(
                ids,
                namespace=namespace,
                include_vectors=params.get("include_vectors", False),
                timeout=deadline.left(),
            )
        return _parts.completed(found, records, params["include_metadata"]) if records else found

    async def search_batch(
        self,
        queries: ArrayLike,
        k: int = 10,
        *,
        filter: Mapping[str, object] | None = None,
        namespace: str = "",
        limit: float | None = None,
        include_metadata: bool = False,
        include_vectors: bool = False,
        exact: bool = False,
        ef: int = 0,
        timeout: float | None = None,
    ) -> list[list[Hit]]:
        """For each of m × d queries the k vectors nearest to it, nearest first: see
        :meth:`search`."""
        q, _ = _parts.matrix(queries, "queries")
        params = _parts.search_params(
            self.name, k, filter, namespace, limit, include_metadata, include_vectors, exact, ef
        )
        deadline = Deadline(timeout)
        row = 4 * q.shape[1] + k * (256 + 4 * q.shape[1] * include_vectors)
        rows = _parts.rows_that_fit(self._client.binary_frame_limit, row)
        found: list[list[Hit]] = []
        for part in _parts.ranges(len(q), rows):
            found += await self._found(params, [q[part]], deadline)
        return found

    async def explain(
        self,
        query: ArrayLike,
        k: int = 10,
        *,
        filter: Mapping[str, object] | None = None,
        namespace: str = "",
        exact: bool = False,
        ef: int = 0,
        timeout: float | None = None,
    ) -> dict[str, Any]:
        """How :meth:`search` would be done: ``strategy`` (nothing, exact, exact_int8, graph),
        ``in_scope`` and ``live`` vectors, ``visited`` ones, ``rescored`` ones that an exact search
        compared by their codes and then in float32, and ``unindexed`` ones that the graph does not
        have yet."""
        q, _ = _parts.matrix(query, "query")
        params = _parts.search_params(
            self.name, k, filter, namespace, None, False, False, exact, ef
        )
        params["explain"] = True
        result, _ = await self._client.call(
            "neuralcore.vectors.search",
            params,
            [q],
            timeout=timeout,
        )
        return dict(result["plan"])

    async def info(self, *, timeout: float | None = None) -> dict[str, Any] | None:
        """dimension, metric, count, bytes of the collection; None if it is not there."""
        every = await self._client.collections(timeout=timeout)
        return next((c for c in every if c["name"] == self.name), None)

    async def describe(self, *, probe: int = 0, timeout: float | None = None) -> dict[str, Any]:
        """What it takes and how it is searched: memory, mapped bytes, the share of deleted rows,
        the graph's state, the files.

        Args:
            probe: asks so many of its own vectors, both as :meth:`search` does and exactly;
                ``recall`` is the share of the 10 nearest that are found.
        """
        params = {"collection": self.name, "probe": probe}
        result, _ = await self._client.call(
            "neuralcore.vectors.describe",
            params,
            timeout=timeout,
        )
        return result

    async def snapshot(self, *, timeout: float | None = None) -> bool:
        """Has a snapshot written, so that opening need not read the log; whether there was anything
        to write. The daemon does so by itself as the log grows."""
        params = {"collection": self.name}
        result, _ = await self._client.call(
            "neuralcore.vectors.snapshot",
            params,
            timeout=timeout,
        )
        return bool(result["written"])

    async def wait_until_indexed(
        self,
        *,
        progress: bool | None = None,
        timeout: float = 600.0,
    ) -> None:
        """Returns when the graph has every vector, or none is built because there are too few.

        Args:
            progress: a bar on stderr; by default for many vectors if stderr is a terminal.

        Raises:
            RequestTimeout: it took longer; building goes on.
        """
        deadline = Deadline(timeout)
        deadline.left()
        state = await self.describe()
        done = 0
        with _progress(state["count"], "vectors indexed", progress) as advance:
            while not _parts.is_indexed(state):
                await asyncio.sleep(0.1)
                state = await self.describe(timeout=deadline.left())
                now = state["count"] - state["unindexed"] if state["graph"] != "none" else 0
                advance(max(0, now - done))
                done = max(done, now)

    async def plot(self, *, limit: int = 2000, color: str | None = None, ax: Any = None) -> Any:
        """A picture of at most ``limit`` vectors in two dimensions (their principal components).

        Needs matplotlib: ``pip install 'neuralcore-runtime[plot]'``.

        Args:
            color: name of a value in the metadata; each value has its colour.
            ax: axes of matplotlib to draw into.

        Returns:
            The axes.
        """
        _parts.require_plotting()
        records: list[Record] = []
        after: int | None = -1
        while after is not None and len(records) < limit:
            page, after = await self.scroll_page(
                after, min(200, limit - len(records)), namespace="*", include_vectors=True
            )
            records += page
        return _parts.plot(self.name, records, color, ax)

    async def drop(self, *, timeout: float | None = None) -> bool:
        """Removes the collection with all it holds, its files too; whether it was there."""
        result, _ = await self._client.call(
            "neuralcore.vectors.drop", {"collection": self.name}, timeout=timeout
        )
        return bool(result["dropped"])

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name!r}>"
