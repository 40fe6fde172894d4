"""The daemon's services in this process: the same addresses, parameters and answers."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from neuralcore._version import PROTOCOL, __version__
from neuralcore._wire.text import json_bytes, json_object
from neuralcore.errors import InvalidRequest, LimitExceeded, NotFound, NotSupported, Unavailable
from neuralcore.fallback import vectors as _vectors
from neuralcore.fallback._finite import check_finite
from neuralcore.fallback.collections import (
    Collection,
    Row,
    Scope,
    check_k,
    mismatch,
)
from neuralcore.fallback.embedding import DEFAULT_MODEL, Embedder, check_model
from neuralcore.fallback.filters import compiled

Answer = tuple[dict[str, Any], list[Any]]

# What the daemon allows, by default where it is a setting.
_MAX_DIMENSION = 8192
_MAX_NAME_BYTES = 256
_MAX_ID = 1024
_MAX_PAGE = 100_000
_MAX_LINKS = 256
_MAX_BREADTH = 1 << 16
_MAX_PROBE = 1000


class Services:
    """Answers calls. Thread-safe; a call runs in the caller's thread."""

    def __init__(self) -> None:
        self._started = time.monotonic()
        self._lock = threading.Lock()
        self._collections: dict[str, Collection] = {}
        self._embedder = Embedder()
        self._services: dict[str, Callable[[Mapping[str, Any], Sequence[Any]], Answer]] = {
            "neuralcore.system.info": self._info,
            "neuralcore.system.echo": lambda params, tensors: (dict(params), list(tensors)),
            "neuralcore.embedding.embed": self._embed,
            "neuralcore.embedding.models": self._models,
            "neuralcore.embedding.load": self._load,
            "neuralcore.embedding.tokens": self._tokens,
            "neuralcore.vectors.similarity": self._similarity,
            "neuralcore.vectors.topk": self._top_k,
            "neuralcore.vectors.create": self._create,
            "neuralcore.vectors.drop": self._drop,
            "neuralcore.vectors.list": self._list,
            "neuralcore.vectors.upsert": self._upsert,
            "neuralcore.vectors.get": self._get,
            "neuralcore.vectors.delete": self._delete,
            "neuralcore.vectors.count": self._count,
            "neuralcore.vectors.scroll": self._scroll,
            "neuralcore.vectors.search": self._search,
            "neuralcore.vectors.describe": self._describe,
            "neuralcore.vectors.snapshot": self._snapshot,
        }

    def call(self, address: str, params: Mapping[str, Any], tensors: Sequence[Any]) -> Answer:
        """Answers one call as ``docs/protocol.md`` describes it. Parameters are taken as they would
        arrive at the daemon, as JSON, so that the same is kept and the same refused.

        :raises Unavailable: UNKNOWN_ADDRESS if there is no such service.
        """
        service = self._services.get(address)
        if service is not None:
            return service(json_object(json_bytes(params)), tensors)
        if address.startswith("neuralcore.messaging."):
            raise NotSupported(f"{address} needs the daemon; MessageBus works without it.")
        raise Unavailable(f"Nothing answers at {address}.", code="UNKNOWN_ADDRESS")

    def _info(self, params: Mapping[str, Any], tensors: Sequence[Any]) -> Answer:
        import os

        return {
            "version": __version__,
            "protocol": PROTOCOL,
            "pid": os.getpid(),
            "uptime_seconds": time.monotonic() - self._started,
            "roles": ["vectors", "embedding"] if Embedder.is_installed() else ["vectors"],
            "kernels": "numpy",
            "model": DEFAULT_MODEL,
            "model_ready": self._embedder.info()["ready"],
            "python": sys.version.split()[0],
            "connections": 0,
        }, []

    def _embed(self, params: Mapping[str, Any], tensors: Sequence[Any]) -> Answer:
        (texts,) = _attached(tensors, "texts")
        check_model(params.get("model"))
        kind = params.get("kind", "document")
        if kind not in ("document", "query", "plain"):
            raise InvalidRequest(f"kind is {kind!r}; it must be 'document', 'query' or 'plain'.")
        if params.get("normalize") is False or params.get("precision") in ("int8", "fp16"):
            raise NotSupported("The fallback embeds in fp32, to vectors of length one.")
        vectors = self._embedder.embed(texts)
        if "dimensions" in params:
            vectors = _shortened(vectors, params["dimensions"])
        answer = {
            "model": DEFAULT_MODEL,
            "dimension": vectors.shape[1],
            "tokens": self._embedder.count_tokens(texts) if texts else 0,
        }
        return answer, [vectors]

    def _load(self, params: Mapping[str, Any], tensors: Sequence[Any]) -> Answer:
        if "path" in params:
            raise NotSupported("The fallback has the default model only; the daemon has others.")
        check_model(params.get("model"))
        return {"model": self._embedder.info()}, []

    def _tokens(self, params: Mapping[str, Any], tensors: Sequence[Any]) -> Answer:
        import numpy as np

        (texts,) = _attached(tensors, "texts")
        check_model(params.get("model"))
        counts = [self._embedder.count_tokens([text]) for text in texts]
        return {}, [np.array(counts, dtype=np.int32)]

    def _models(self, params: Mapping[str, Any], tensors: Sequence[Any]) -> Answer:
        return {"models": [self._embedder.info()]}, []

    def _similarity(self, params: Mapping[str, Any], tensors: Sequence[Any]) -> Answer:
        metric = _metric(params)
        queries, documents = _attached(tensors, "queries", "documents")
        _check_both(queries, documents)
        return {}, [_vectors.scores(queries, documents, metric)]

    def _top_k(self, params: Mapping[str, Any], tensors: Sequence[Any]) -> Answer:
        import numpy as np

        metric = _metric(params)
        k = _whole(params, "k")
        queries, documents = _attached(tensors, "queries", "documents")
        check_k(k)
        _check_both(queries, documents)
        scores = _vectors.scores(queries, documents, metric)
        k = min(k, len(documents))
        indexes = np.array([_vectors.top_k(row, k, metric) for row in scores], dtype=np.int64)
        indexes = indexes.reshape(len(queries), k)
        return {}, [indexes, np.take_along_axis(scores, indexes, axis=1)]

    def _create(self, params: Mapping[str, Any], tensors: Sequence[Any]) -> Answer:
        name, dimension = _text(params, "collection"), _whole(params, "dimension")
        metric = "cosine" if params.get("metric") is None else _metric(params)
        if len(name.encode()) > _MAX_NAME_BYTES:
            raise InvalidRequest(
                f"'collection' has {len(name.encode())} bytes; a name has 1 to {_MAX_NAME_BYTES}."
            )
        if dimension < 1:
            raise InvalidRequest(f"'dimension' is {dimension}; it must be at least 1.")
        if dimension > _MAX_DIMENSION:
            raise LimitExceeded(f"The dimension is {dimension}; {_MAX_DIMENSION} are allowed.")
        _check_graph(params)
        if not isinstance(params.get("metadata") or {}, dict):
            raise InvalidRequest(f"'metadata' is {params['metadata']!r}; it must be an object.")
        if params.get("durable"):
            raise NotSupported(
                f"Collection {name!r} is to be durable, and the fallback keeps nothing on disk.",
                hint="Start the daemon, or pass durable=False.",
            )
        with self._lock:
            known = self._collections.get(name)
            if known is None:
                self._collections[name] = Collection(
                    name, dimension, metric, params.get("metadata")
                )
            elif not params.get("exist_ok", False):
                raise InvalidRequest(
                    f"Collection {name!r} is there already; choose another name or exist_ok.",
                    code="ALREADY_EXISTS",
                )
            elif (known.dimension, known.metric) != (dimension, metric):
                raise InvalidRequest(
                    f"Collection {name!r} has dimension {known.dimension} and metric "
                    f"{known.metric}, not {dimension} and {metric}.",
                    code="ALREADY_EXISTS",
                )
        return {}, []

    def _drop(self, params: Mapping[str, Any], tensors: Sequence[Any]) -> Answer:
        with self._lock:
            gone = self._collections.pop(_text(params, "collection"), None)
        return {"dropped": gone is not None}, []

    def _list(self, params: Mapping[str, Any], tensors: Sequence[Any]) -> Answer:
        with self._lock:
            collections = sorted(self._collections.values(), key=lambda c: c.name)
        return {"collections": [collection.info() for collection in collections]}, []

    def _upsert(self, params: Mapping[str, Any], tensors: Sequence[Any]) -> Answer:
        ids, vectors = _attached(tensors, "ids", "vectors")
        names = _ids(ids)
        for i, name in enumerate(names):
            if isinstance(name, str) and not 1 <= len(name) <= _MAX_ID:
                raise InvalidRequest(
                    f"Id {i} has {len(name)} characters; an id has 1 to {_MAX_ID}."
                )
        inserted, updated = self._collection(params).upsert(
            names,
            vectors,
            _each(params, "metadata", dict, "an object"),
            _each(params, "texts", str, "a string"),
            _namespace(params),
        )
        return {"inserted": inserted, "updated": updated}, []

    def _get(self, params: Mapping[str, Any], tensors: Sequence[Any]) -> Answer:
        collection = self._collection(params)
        (ids,) = _attached(tensors, "ids")
        with collection.lock:
            places = collection.places_of(_ids(ids), _namespace(params))
            return _rows(collection, places, params.get("include_vectors", True))

    def _delete(self, params: Mapping[str, Any], tensors: Sequence[Any]) -> Answer:
        if not tensors and params.get("filter") is None:
            raise InvalidRequest("Nothing says what to delete; give ids, a filter, or both.")
        return {"deleted": self._collection(params).delete(_scope(params, tensors))}, []

    def _count(self, params: Mapping[str, Any], tensors: Sequence[Any]) -> Answer:
        collection = self._collection(params)
        with collection.lock:
            return {"count": len(collection.find(_scope(params, tensors)))}, []

    def _scroll(self, params: Mapping[str, Any], tensors: Sequence[Any]) -> Answer:
        collection = self._collection(params)
        after = _whole(params, "after", -1)
        limit = _within(params, "limit", 1000, 1, _MAX_PAGE)
        with collection.lock:
            every = collection.find(_scope(params, tensors))
            places = [p for p in every if collection.rows[p].order > after][:limit]
            answer, arrays = _rows(collection, places, params.get("include_vectors", False))
            if len(places) == limit:
                answer["next"] = collection.rows[places[-1]].order
            return answer, arrays

    def _describe(self, params: Mapping[str, Any], tensors: Sequence[Any]) -> Answer:
        description = self._collection(params).describe()
        if _within(params, "probe", 0, 0, _MAX_PROBE):
            description["recall"] = 1.0
        return description, []

    def _snapshot(self, params: Mapping[str, Any], tensors: Sequence[Any]) -> Answer:
        self._collection(params)
        return {"written": False}, []

    def _search(self, params: Mapping[str, Any], tensors: Sequence[Any]) -> Answer:
        import numpy as np

        if not tensors:
            raise InvalidRequest("0 arrays came; needed are: queries.")
        collection = self._collection(params)
        with collection.lock:
            scope = _scope(params, tensors[1:])
            _within(params, "ef", 0, 0, _MAX_BREADTH)
            found = collection.search(tensors[0], _whole(params, "k"), scope, _limit(params))
            places = [int(place) for f in found for place in f.places]
            rows = [collection.rows[place] for place in places]
            answer: dict[str, Any] = {"counts": [len(f.places) for f in found]}
            if params.get("include_metadata", False):
                answer.update(_described(rows))
            if params.get("explain", False):
                in_scope = len(collection.find(scope))
                answer["plan"] = {
                    "strategy": "exact" if in_scope else "nothing",
                    "in_scope": in_scope,
                    "live": len(collection),
                    "visited": in_scope * len(found),
                    "rescored": 0,
                    "unindexed": 0,
                }
            ids = [row.id for row in rows]
            if any(isinstance(id_, int) for id_ in ids):
                answer["ids"] = ids
                ids = [str(id_) for id_ in ids]
            scores = [f.scores for f in found] or [np.empty(0, dtype=np.float32)]
            arrays = [ids, np.concatenate(scores)]
            if params.get("include_vectors", False):
                arrays.append(collection.vectors[places])
            return answer, arrays

    def _collection(self, params: Mapping[str, Any]) -> Collection:
        name = _text(params, "collection")
        with self._lock:
            collection = self._collections.get(name)
        if collection is None:
            raise NotFound(f"There is no collection {name!r}.", hint="Create it first.")
        return collection


def _check_graph(params: Mapping[str, Any]) -> None:
    """Refuses what no graph can have, though none is built here."""
    m = _within(params, "m", 16, 2, _MAX_LINKS)
    _within(params, "m0", 2 * m, m, 2 * _MAX_LINKS)
    _within(params, "ef_construction", 200, 1, _MAX_BREADTH)
    _within(params, "ef_search", 50, 1, _MAX_BREADTH)
    _whole(params, "seed", 0)


def _ids(sent: Any) -> list[Any]:
    """Ids as they are kept: str, or int where an int64 array came."""
    return list(sent) if isinstance(sent, (list, tuple)) else sent.tolist()


def _scope(params: Mapping[str, Any], tensors: Sequence[Any]) -> Scope:
    given = params.get("filter")
    if given is not None and not isinstance(given, dict):
        raise InvalidRequest(f"'filter' is {given!r}; it must be an object.")
    return Scope(
        _namespace(params),
        None if given is None else compiled(given),
        frozenset(i for sent in tensors for i in _ids(sent)) if tensors else None,
    )


def _rows(collection: Collection, places: list[int], vectors: bool) -> Answer:
    rows = [collection.rows[place] for place in places]
    answer: dict[str, Any] = {"found": [row.id for row in rows], **_described(rows)}
    return answer, [collection.vectors[places] if vectors else collection.vectors[:0]]


def _described(rows: Sequence[Row]) -> dict[str, Any]:
    """Metadata, and texts and namespaces if there are any."""
    answer: dict[str, Any] = {"metadata": [row.metadata for row in rows]}
    if any(row.text is not None for row in rows):
        answer["texts"] = [row.text for row in rows]
    if any(row.namespace for row in rows):
        answer["namespaces"] = [row.namespace for row in rows]
    return answer


def _text(params: Mapping[str, Any], name: str) -> str:
    value = params.get(name)
    if not isinstance(value, str) or not value:
        raise InvalidRequest(f"'{name}' is {value!r}; a text that is not empty is needed.")
    return value


def _whole(params: Mapping[str, Any], name: str, otherwise: int | None = None) -> int:
    value = params.get(name)
    if value is None:
        value = otherwise
    if isinstance(value, bool) or not isinstance(value, int) or value.bit_length() > 63:
        raise InvalidRequest(f"'{name}' is {value!r}; it must be an integer.")
    return value


def _within(params: Mapping[str, Any], name: str, otherwise: int, low: int, high: int) -> int:
    value = _whole(params, name, otherwise)
    if not low <= value <= high:
        raise InvalidRequest(f"'{name}' is {value}; it must be between {low} and {high}.")
    return value


def _limit(params: Mapping[str, Any]) -> float | None:
    value = params.get("limit")
    if isinstance(value, bool) or not isinstance(value, (int, float, type(None))):
        raise InvalidRequest(f"'limit' is {value!r}; it must be a number.")
    return value


def _namespace(params: Mapping[str, Any]) -> str:
    value = params.get("namespace")
    if not isinstance(value, (str, type(None))):
        raise InvalidRequest(f"'namespace' is {value!r}; it must be a string.")
    return value or ""


def _each(params: Mapping[str, Any], name: str, kind: type, expected: str) -> list[Any] | None:
    """A list of one value, or null, a row."""
    values = params.get(name)
    if values is None:
        return None
    if not isinstance(values, list):
        raise InvalidRequest(f"'{name}' is {values!r}; it must be a list.")
    for i, value in enumerate(values):
        if value is not None and not isinstance(value, kind):
            raise InvalidRequest(
                f"'{name}' holds {value!r} at {i}; each entry must be {expected} or null."
            )
    return values


def _shortened(vectors: Any, dimensions: Any) -> Any:
    import numpy as np

    if not isinstance(dimensions, int) or not 1 <= dimensions <= vectors.shape[1]:
        raise InvalidRequest(f"dimensions is {dimensions!r}; it must be 1 to {vectors.shape[1]}.")
    kept = vectors[:, :dimensions]
    return kept / np.maximum(np.linalg.norm(kept, axis=1, keepdims=True), 1e-12)


def _metric(params: Mapping[str, Any]) -> str:
    metric = _text(params, "metric")
    metric = "dot_product" if metric == "inner_product" else metric
    if metric not in _vectors.METRICS:
        raise InvalidRequest(f"'metric' is {metric!r}; one of {_vectors.METRICS} is needed.")
    return metric


def _attached(tensors: Sequence[Any], *names: str) -> Sequence[Any]:
    if len(tensors) != len(names):
        raise InvalidRequest(f"{len(tensors)} arrays came; needed are: {', '.join(names)}.")
    return tensors


def _check_both(queries: Any, documents: Any) -> None:
    if len(queries) and len(documents) and queries.shape[1] != documents.shape[1]:
        raise mismatch(queries.shape[1], documents.shape[1])
    check_finite(queries, "queries")
    check_finite(documents, "documents")
