"""ATLAS's vector provider over our collections, for any base class."""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any, ClassVar, NamedTuple

from neuralcore import _parts
from neuralcore._calls import Caller
from neuralcore._parts import Hit, Record
from neuralcore.aio import AsyncClient
from neuralcore.compat._atlas import storage_types
from neuralcore.compat._atlas.filters import as_json
from neuralcore.compat._atlas.modules import ClassOver
from neuralcore.compat._atlas.store import nearest, open_store
from neuralcore.compat.config import current_config
from neuralcore.errors import NeuralCoreError

_logger = logging.getLogger("neuralcore.compat")

_CREATED = "neuralcore:created_at"
"""Where a document's time stands in the metadata that are kept; callers do not see it."""
_EVERYWHERE = "*"
_PAGE = 256
_COLLECTION_CODES = ("NOT_FOUND", "ALREADY_EXISTS", "DATA_DAMAGED")
_METRICS = {"inner_product": "dot_product"}


class _Stored(NamedTuple):
    """Documents of one namespace, as a collection takes them."""

    ids: list[str]
    vectors: list[Any]
    metadata: list[dict[str, Any]]
    texts: list[str | None]


class VectorProviderCore:
    """What ``NeuralCoreVectorProvider`` does; made into that by :func:`provider_class`.

    Everything that ATLAS's ``VectorProvider`` asks for, on collections of the daemon; where there
    is no daemon, in this process's memory. Results are ATLAS's own classes where ATLAS is imported.
    An id is known within its namespace. Thread-safe; usable from several event loops.

    Scores: for cosine the similarity, with 1 - similarity as distance; for euclidean
    1 / (1 + distance); for the products the product, with its negative as distance. A search is in
    the order of scores, equal ones by id.

    A filter is ATLAS's (keys with equal values, mappings within compared likewise), or, if it has
    an operator, one of ours: ``{"year": {"$gte": 1990}}``.

    :param collection_prefix: put before the names of collections, so that several applications
        share a daemon; only collections with it are listed.
    :param durable: False keeps collections in the daemon's memory alone. By default a daemon keeps
        them on disk, and the fallback, which has none, in memory.
    :param exact: compare every vector in float32, whatever the size of the collection.
    :param client: the client to use; by default the process's own.
    """

    types: ClassVar[Any] = storage_types
    """Where the classes of documents, results and errors are."""

    def __init__(
        self,
        *,
        collection_prefix: str = "",
        durable: bool | None = None,
        exact: bool = False,
        client: Caller | None = None,
    ) -> None:
        vectors = current_config()["vectors"]
        self._graph = {key.removeprefix("hnsw_"): vectors[key] for key in vectors if "hnsw" in key}
        self._prefix = collection_prefix
        self._durable = durable
        self._exact = exact
        self._given = client
        self._client: AsyncClient | None = None
        self._metrics: dict[str, str] = {}

    @property
    def name(self) -> str:
        return "neuralcore"

    @property
    def is_initialized(self) -> bool:
        return self._client is not None

    async def initialize(self) -> None:
        """Connects, which may start a daemon. Idempotent.

        :raises VectorStoreError: if that fails.
        """
        await self._open()

    async def shutdown(self) -> None:
        """Lets go of the client, which others may use, so that it stays open. Idempotent."""
        self._client = None
        self._metrics.clear()

    async def health_check(self, timeout: float = 5.0) -> bool:
        """Whether it is initialized and answers within so many seconds. Never raises."""
        if self._client is None:
            return False
        try:
            await asyncio.wait_for(self._client.info(timeout=timeout), timeout)
        except Exception as error:
            _logger.warning("The vector store does not answer: %s", error)
            return False
        return True

    async def create_collection(
        self, name: str, dimension: int, *, metric: Any = "cosine", metadata: Any = None
    ) -> Any:
        """A new collection, or the one there is of this name, dimension and metric.

        :param metric: ATLAS's ``DistanceMetric``, or its value.
        :returns: a ``CollectionInfo``.
        :raises VectorCollectionError: if there is another one of this name.
        """
        wanted = self._metric(metric)
        async with self._errors() as client:
            await client.collection(
                self._prefix + name,
                dimension,
                metric=_METRICS.get(wanted, wanted),
                durable=self._durable,
                metadata=as_json(metadata),
                **self._graph,
            )
            made = await self._find(client, name)
        assert made is not None
        made.metric = self.types.DistanceMetric(wanted)
        return made

    async def delete_collection(self, name: str) -> bool:
        """Whether there was one."""
        self._metrics.pop(name, None)
        async with self._errors() as client:
            return bool(await (await client.collection(self._prefix + name)).drop())

    async def list_collections(self) -> Any:
        """A ``CollectionInfo`` for each, by name."""
        async with self._errors() as client:
            return [
                self._info(each)
                for each in await client.collections()
                if each["name"].startswith(self._prefix)
            ]

    async def get_collection(self, name: str) -> Any:
        """Its ``CollectionInfo``, None if there is none of this name."""
        async with self._errors() as client:
            return await self._find(client, name)

    async def upsert(
        self, collection: str, documents: Sequence[Any], *, namespace: str | None = None
    ) -> int:
        """Puts documents; one with a known id replaces the old one. When it returns, they are on
        disk.

        :param namespace: for all of them; by default each document's own.
        :returns: how many were given.
        :raises VectorStoreError: if a vector has another dimension, or a number that is not finite;
            then nothing of its namespace was put.
        """
        async with self._errors() as client:
            target = await client.collection(self._prefix + collection)
            for place, stored in _by_namespace(documents, namespace).items():
                await target.upsert(
                    stored.ids,
                    stored.vectors,
                    stored.metadata,
                    texts=stored.texts if any(t is not None for t in stored.texts) else None,
                    namespace=place,
                )
        return len(documents)

    async def delete(
        self, collection: str, ids: Sequence[str], *, namespace: str | None = None
    ) -> int:
        """Removes documents; how many there were.

        :param namespace: in which they are; by default in any.
        """
        if not ids:
            return 0
        async with self._errors() as client:
            target = await client.collection(self._prefix + collection)
            return int(await target.delete(list(ids), namespace=namespace or _EVERYWHERE))

    async def get(
        self, collection: str, ids: Sequence[str], *, namespace: str | None = None
    ) -> Any:
        """Those of the documents that are there, in the order asked for.

        :param namespace: in which they are; by default in any.
        """
        found: dict[str, list[Any]] = {}
        async with self._errors() as client:
            for part in _parts.ranges(len(ids), _PAGE):
                for record in await self._records(client, collection, ids[part], namespace):
                    found.setdefault(record.id, []).append(self._document(record, record.vector))
        return [document for id_ in dict.fromkeys(ids) for document in found.get(id_, ())]

    async def search(
        self,
        collection: str,
        query_vector: Sequence[float],
        *,
        top_k: int = 10,
        namespace: str | None = None,
        filter: Mapping[str, Any] | None = None,
        include_metadata: bool = True,
        include_vectors: bool = False,
    ) -> Any:
        """The nearest documents, nearest first.

        :param namespace: in which they are; by default in any.
        :returns: a list of ``VectorSearchResult``; documents have their content, an empty
            ``vector`` and ``metadata`` if they are not asked for.
        """
        if top_k < 1:
            return []
        async with self._errors() as client:
            metric = await self._metric_of(client, collection)
            sign = -1.0 if metric in ("cosine", "dot_product") else 1.0
            hits = await nearest(
                await client.collection(self._prefix + collection),
                query_vector,
                top_k,
                namespace=namespace or _EVERYWHERE,
                filter=filter,
                order=lambda hit: (sign * hit.score, hit.id),
                metadata_of=lambda hit: _visible(hit.metadata),
                include_vectors=include_vectors,
                exact=self._exact,
            )
        result = self.types.VectorSearchResult
        found = []
        for hit in hits:
            document = self._document(hit, hit.vector)
            if not include_metadata:
                document.metadata = {}
            score, distance = _score(hit.score, metric)
            found.append(result(document=document, score=score, distance=distance))
        return found

    async def search_by_text(
        self,
        collection: str,
        query_text: str,
        *,
        embed_fn: Callable[[str], Any],
        top_k: int = 10,
        namespace: str | None = None,
        filter: Mapping[str, Any] | None = None,
    ) -> Any:
        """:meth:`search` with a text.

        :param embed_fn: makes the vector of it; it may be asynchronous.
        """
        vector = embed_fn(query_text)
        if inspect.isawaitable(vector):
            vector = await vector
        return await self.search(
            collection, vector, top_k=top_k, namespace=namespace, filter=filter
        )

    def __repr__(self) -> str:
        return f"{type(self).__name__}(collection_prefix={self._prefix!r})"

    async def _open(self) -> AsyncClient:
        if self._client is None:
            try:
                self._client = await open_store(self._given)
            except NeuralCoreError as error:
                raise self.types.VectorStoreError(f"There is no vector store: {error}") from error
        return self._client

    @asynccontextmanager
    async def _errors(self) -> AsyncIterator[AsyncClient]:
        """The client; errors of ours become ATLAS's."""
        client = await self._open()
        try:
            yield client
        except NeuralCoreError as error:
            named = error.code in _COLLECTION_CODES
            kind = self.types.VectorCollectionError if named else self.types.VectorStoreError
            raise kind(str(error)) from error
        except (TypeError, ValueError) as error:  # what is no vector, or no metadata
            raise self.types.VectorStoreError(str(error)) from error

    async def _find(self, client: AsyncClient, name: str) -> Any:
        info = await (await client.collection(self._prefix + name)).info()
        return self._info(info) if info is not None else None

    def _info(self, known: Mapping[str, Any]) -> Any:
        metric = known.get("metric", "cosine").removeprefix("squared_")
        return self.types.CollectionInfo(
            name=known["name"].removeprefix(self._prefix),
            dimension=known.get("dimension", 0),
            count=known.get("count", 0),
            metric=self.types.DistanceMetric(metric),
            index_type="hnsw",
            metadata=dict(known.get("metadata") or {}),
        )

    async def _metric_of(self, client: AsyncClient, name: str) -> str:
        metric = self._metrics.get(name)
        if metric is None:
            info = await (await client.collection(self._prefix + name)).info()
            if info is None:
                raise self.types.VectorCollectionError(f"There is no collection {name!r}.")
            metric = self._metrics[name] = str(info["metric"])
        return metric

    def _metric(self, given: Any) -> str:
        try:
            return str(self.types.DistanceMetric(getattr(given, "value", given)).value)
        except ValueError as error:
            raise self.types.VectorCollectionError(str(error)) from error

    async def _records(
        self, client: AsyncClient, collection: str, ids: Sequence[str], namespace: str | None
    ) -> list[Record]:
        """Rows of any namespace: scrolling sees them all, getting one namespace's."""
        target = await client.collection(self._prefix + collection)
        if namespace:
            return await target.get(list(ids), namespace=namespace)
        params = {
            "collection": target.name,
            "namespace": _EVERYWHERE,
            "include_vectors": True,
            "after": -1,
            "limit": _PAGE,
        }
        records: list[Record] = []
        while params["after"] is not None:
            answer, tensors = await client.call(
                "neuralcore.vectors.scroll", params, [_parts.id_tensor(list(ids))]
            )
            records += _parts.records(answer, tensors)
            params["after"] = answer.get("next")
        return records

    def _document(self, row: Hit | Record, vector: Any) -> Any:
        created = (row.metadata or {}).get(_CREATED)
        return self.types.VectorDocument(
            id=str(row.id),
            vector=[] if vector is None else vector.tolist(),
            content=row.text,
            metadata=_visible(row.metadata),
            namespace=row.namespace or None,
            created_at=datetime.fromisoformat(created) if created else None,
        )


provider_class = ClassOver(
    VectorProviderCore,
    "VectorProvider",
    "NeuralCoreVectorProvider",
    "neuralcore.compat.atlas_vectors",
)


def _by_namespace(documents: Sequence[Any], namespace: str | None) -> dict[str, _Stored]:
    parts: dict[str, _Stored] = {}
    for document in documents:
        place = namespace or document.namespace or ""
        stored = parts.setdefault(place, _Stored([], [], [], []))
        metadata = as_json(document.metadata)
        if document.created_at is not None:
            metadata[_CREATED] = document.created_at.isoformat()
        stored.ids.append(document.id)
        stored.vectors.append(document.vector)
        stored.metadata.append(metadata)
        stored.texts.append(document.content)
    return parts


def _visible(metadata: Mapping[str, Any] | None) -> dict[str, Any]:
    return {key: value for key, value in (metadata or {}).items() if key != _CREATED}


def _score(found: float, metric: str) -> tuple[float, float]:
    """ATLAS's score and distance, of what a collection gives."""
    if metric == "cosine":
        return found, 1.0 - found
    if metric == "dot_product":
        return found, -found
    return 1.0 / (1.0 + found), found
