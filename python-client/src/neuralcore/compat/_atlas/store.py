"""What the provider and the tool's adapter need of a client: rows found by ATLAS's filters."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from neuralcore._calls import Caller, resolve
from neuralcore._parts import Hit
from neuralcore.aio import AsyncClient, AsyncCollection
from neuralcore.compat._atlas.filters import fits, is_ours, plain, widened
from neuralcore.errors import InvalidRequest

if TYPE_CHECKING:
    from neuralcore.client import Client

_MORE = 8
"""Rows asked for beyond those wanted, so that equally near ones can be put in order."""
_MOST = 1 << 16


async def open_store(client: Caller | None) -> AsyncClient:
    """Over the client given, else over the process's own, which may start a daemon."""
    return over(await asyncio.to_thread(resolve, client))


def over(client: Any) -> AsyncClient:
    """The same connection, and the same rows, without blocking the event loop."""
    if isinstance(client, AsyncClient):
        return client
    if client.backend == "daemon":
        sync: Client = client
        return AsyncClient(sync.connection)
    from neuralcore._async_fallback import AsyncFallbackClient

    return AsyncFallbackClient(client)


async def nearest(
    collection: AsyncCollection,
    query: Any,
    k: int,
    *,
    namespace: str,
    filter: Mapping[str, Any] | None,
    order: Callable[[Hit], Any],
    metadata_of: Callable[[Hit], Mapping[str, Any]] = lambda hit: hit.metadata or {},
    **options: Any,
) -> list[Hit]:
    """The ``k`` nearest rows that fit a filter of ATLAS's, or of ours, sorted by ``order``.

    More than ``k`` are asked for: equally near ones are to come in that order, and some may fit our
    filter and not ATLAS's. Where that was not enough, four times as many are asked for, as long as
    the answer fits a frame.
    """
    checked = plain(filter) if filter and not is_ours(filter) else None
    sent = widened(checked) if checked else filter or None
    ask, hits = k + _MORE, None
    while True:
        try:
            hits = await collection.search(
                query, ask, filter=sent, namespace=namespace, include_metadata=True, **options
            )
        except InvalidRequest as error:
            if hits is None or error.code != "FRAME_TOO_LARGE":
                raise
            ask = _MOST
        everything = len(hits) < ask
        fitting = [hit for hit in hits if checked is None or fits(metadata_of(hit), checked)]
        enough = len(fitting) > k and fitting[k - 1].score != hits[-1].score
        if everything or enough or ask >= _MOST:
            return sorted(fitting, key=order)[:k]
        ask = min(4 * ask, _MOST)
