"""ATLAS's adapter of its vector store tool over our collections."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

from neuralcore._calls import Caller
from neuralcore._parts import Hit
from neuralcore.aio import AsyncClient, AsyncCollection
from neuralcore.compat._atlas import tool_types
from neuralcore.compat._atlas.filters import as_json
from neuralcore.compat._atlas.reader import section
from neuralcore.compat._atlas.store import nearest, open_store
from neuralcore.compat.config import current_config
from neuralcore.errors import InvalidRequest, NeuralCoreError, NotFound

_METRICS = {"cosine": "cosine", "l2": "euclidean"}
_PREFIX = "atlas.vector_store"


class NeuralCoreVectorStoreAdapter:
    """ATLAS's ``VectorStoreAdapter``: vectors in namespaces, searched by similarity.

    A namespace's vectors have one dimension, that of the first; different namespaces may differ.
    The rows of an index are in one collection of the daemon for each dimension,
    ``atlas.vector_store.<index>.<dimension>``; where there is no daemon, in this process's memory.
    Responses are ATLAS's own classes where ATLAS is imported. Thread-safe.

    :param index_name: processes that name the same one share its vectors.
    :param metric: "cosine"; or "l2", with 1 / (1 + distance) as score.
    :param durable: False keeps vectors in the daemon's memory alone. By default a daemon keeps
        them on disk, and the fallback, which has none, in memory.
    :param exact: compare every vector in float32, whatever the size of the index.
    :param client: the client to use; by default the process's own.
    :raises VectorStoreConfigurationError: if there is no such metric.
    """

    def __init__(
        self,
        *,
        index_name: str = "default",
        metric: str = "cosine",
        durable: bool | None = None,
        exact: bool = False,
        client: Caller | None = None,
    ) -> None:
        self._types = tool_types.current()
        self._metric = metric.lower()
        if self._metric not in _METRICS:
            raise self._types.VectorStoreConfigurationError(
                f"metric is {metric!r}; it must be one of {', '.join(_METRICS)}."
            )
        vectors = current_config()["vectors"]
        self._graph = {key.removeprefix("hnsw_"): vectors[key] for key in vectors if "hnsw" in key}
        self._prefix = f"{_PREFIX}.{index_name or 'default'}."
        self._durable = durable
        self._exact = exact
        self._given = client
        self._client: AsyncClient | None = None

    async def upsert_vectors(self, namespace: str, vectors: Sequence[Any]) -> Any:
        """Puts ``VectorRecord`` s; one with a known id replaces the old one. When it returns, they
        are on disk.

        :returns: an ``UpsertResponse``.
        :raises VectorValidationError: if dimensions differ, from each other or from the
            namespace's, or a number is not finite; then nothing was put.
        """
        ids = tuple(record.id for record in vectors)
        if ids:
            dimensions = {len(record.values) for record in vectors}
            async with self._errors(namespace) as client:
                if len(dimensions) > 1:
                    raise self._types.VectorValidationError(
                        f"Vectors differ in length: {sorted(dimensions)}."
                    )
                (dimension,) = dimensions
                await self._check(client, namespace, dimension)
                values = [record.values for record in vectors]
                metadata = [as_json(record.metadata) for record in vectors]
                collection = await client.collection(f"{self._prefix}{dimension}")
                try:
                    await collection.upsert(list(ids), values, metadata, namespace=namespace)
                except NotFound:
                    collection = await self._made(client, dimension)
                    await collection.upsert(list(ids), values, metadata, namespace=namespace)
        return self._types.UpsertResponse(namespace=namespace, ids=ids, upserted_count=len(ids))

    async def query_vectors(
        self,
        namespace: str,
        query: Sequence[float],
        *,
        top_k: int,
        metadata_filter: Mapping[str, Any] | None = None,
        include_values: bool = False,
    ) -> Any:
        """The nearest vectors, the nearest first, equally near ones by id.

        :param metadata_filter: ATLAS's kind (keys with equal values, mappings within compared
            likewise), or one of ours, if it has an operator: ``{"year": {"$gte": 1990}}``.
        :returns: a ``QueryResponse``; without matches if the namespace is not known.
        :raises VectorValidationError: if the namespace's vectors have another dimension.
        """
        sign = -1.0 if self._metric == "cosine" else 1.0
        hits: list[Hit] = []
        async with self._errors(namespace) as client:
            with contextlib.suppress(NotFound):
                hits = await nearest(
                    await client.collection(f"{self._prefix}{len(query)}"),
                    query,
                    top_k,
                    namespace=namespace,
                    filter=metadata_filter,
                    order=lambda hit: (sign * hit.score, hit.id),
                    include_vectors=include_values,
                    exact=self._exact,
                )
            if not hits:
                await self._check(client, namespace, len(query))
        match = self._types.QueryMatch
        return self._types.QueryResponse(
            namespace=namespace,
            matches=tuple(
                match(
                    id=str(hit.id),
                    score=hit.score if self._metric == "cosine" else 1.0 / (1.0 + hit.score),
                    values=None if hit.vector is None else tuple(hit.vector.tolist()),
                    metadata=hit.metadata or {},
                )
                for hit in hits
            ),
            top_k=top_k,
        )

    async def delete_namespace(self, namespace: str) -> Any:
        """Removes all of a namespace.

        :returns: a ``DeleteResponse`` with the ids that were removed.
        """
        removed: list[str] = []
        async with self._errors(namespace) as client:
            for collection in await self._others(client, 0):
                async for record in collection.scroll(namespace=namespace):
                    removed.append(str(record.id))
                await collection.delete(filter={}, namespace=namespace)
        return self._types.DeleteResponse(
            namespace=namespace, removed_ids=tuple(removed), deleted=bool(removed)
        )

    def __repr__(self) -> str:
        return f"NeuralCoreVectorStoreAdapter({self._prefix!r}, metric={self._metric!r})"

    @contextlib.asynccontextmanager
    async def _errors(self, namespace: str) -> AsyncIterator[AsyncClient]:
        """The client; errors of ours become ATLAS's."""
        if namespace == "*":
            raise self._types.VectorValidationError("A namespace cannot be called '*'.")
        try:
            if self._client is None:
                self._client = await open_store(self._given)
            yield self._client
        except (InvalidRequest, TypeError, ValueError) as error:
            raise self._types.VectorValidationError(str(error)) from error
        except NeuralCoreError as error:
            raise self._types.VectorStoreOperationError(str(error)) from error

    async def _made(self, client: AsyncClient, dimension: int) -> AsyncCollection:
        return await client.collection(
            f"{self._prefix}{dimension}",
            dimension,
            metric=_METRICS[self._metric],
            durable=self._durable,
            **self._graph,
        )

    async def _check(self, client: AsyncClient, namespace: str, dimension: int) -> None:
        """Whether vectors of this dimension belong into the namespace."""
        for collection in await self._others(client, dimension):
            if await collection.count(namespace=namespace):
                known = collection.name.removeprefix(self._prefix)
                raise self._types.VectorValidationError(
                    f"Namespace {namespace!r} has vectors of {known} numbers, not of {dimension}."
                )

    async def _others(self, client: AsyncClient, dimension: int) -> list[AsyncCollection]:
        """The index's collections, but for that of this dimension."""
        return [
            await client.collection(each["name"])
            for each in await client.collections()
            if each["name"].startswith(self._prefix)
            and each["name"].removeprefix(self._prefix).isdecimal()
            and each["dimension"] != dimension
        ]


def make_adapter(
    config_manager: Any, config: Mapping[str, Any], *, name: str = "neuralcore"
) -> NeuralCoreVectorStoreAdapter:
    """What ATLAS's registry calls: an adapter with the settings under
    ``tools.vector_store.adapters.<name>``, and over them those given.

    :raises VectorStoreConfigurationError: if a setting makes no sense, with its key.
    """
    path = f"tools.vector_store.adapters.{name}"
    try:
        tools = config_manager.get_config("tools", {}) if config_manager is not None else {}
        known = section({"tools": tools}, *path.split("."))
        settings = section({name: {**known, **config}}, name, path=path.rpartition(".")[0])
        return NeuralCoreVectorStoreAdapter(
            index_name=settings.text("index_name", "default") or "default",
            metric=settings.text("metric", "cosine") or "cosine",
            durable=settings.flag("durable", True) if "durable" in settings else None,
            exact=settings.flag("exact", False),
        )
    except InvalidRequest as error:
        raise tool_types.current().VectorStoreConfigurationError(str(error)) from error
