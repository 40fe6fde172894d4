"""A vector store of ATLAS's tools with ours beside it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any

from neuralcore.compat._shadow.report import Report
from neuralcore.compat._shadow.watch import Watch, told


class VectorStoreWatch(Watch):
    """Puts, searches and deletes on both sides, in the same order, and compares what is found.

    :param tolerance: by so much two scores of the same vector may differ; so may the order of
        vectors whose scores are no further apart.
    """

    def __init__(
        self, old: Any, new: Any, report: Report | None = None, *, tolerance: float = 1e-4
    ) -> None:
        super().__init__(old, new, report)
        self._tolerance = tolerance
        self._order = asyncio.Lock()
        self._upsert = self._replace("upsert_vectors", self._upserted)
        self._query = self._replace("query_vectors", self._queried)
        self._delete = self._replace("delete_namespace", self._deleted)

    async def _upserted(self, namespace: str, vectors: Any) -> Any:
        result = await self._timed("upsert, old", self._upsert(namespace, vectors))
        self._beside(self._repeat("upsert", namespace, self.new.upsert_vectors(namespace, vectors)))
        return result

    async def _deleted(self, namespace: str) -> Any:
        result = await self._timed("delete, old", self._delete(namespace))
        self._beside(self._repeat("delete", namespace, self.new.delete_namespace(namespace)))
        return result

    async def _queried(self, namespace: str, query: Any, **options: Any) -> Any:
        result = await self._timed("query, old", self._query(namespace, query, **options))
        work = self.new.query_vectors(namespace, query, **options)
        self._beside(self._compare(namespace, result, work))
        return result

    async def _repeat(self, what: str, namespace: str, work: Awaitable[Any]) -> None:
        async with self._order:
            try:
                await self._timed(f"{what}, new", work)
            except Exception as error:
                self.report.differs("new failed", f"{what} {namespace}", told(error))

    async def _compare(self, namespace: str, old: Any, work: Awaitable[Any]) -> None:
        async with self._order:
            try:
                new = await self._timed("query, new", work)
            except Exception as error:
                self.report.differs("new failed", f"query {namespace}", told(error))
                return
        theirs = {match.id: match.score for match in old.matches}
        ours = {match.id: match.score for match in new.matches}
        worst = min(theirs.values(), default=0.0)
        for id_ in theirs.keys() - ours.keys():
            # One of several that are equally far may stand for another at the end.
            if theirs[id_] - worst > self._tolerance or len(ours) < len(theirs):
                self.report.differs("missing", f"query {namespace}", f"{id_}: {theirs[id_]:.6f}")
        for id_ in ours.keys() - theirs.keys():
            if ours[id_] - worst > self._tolerance or len(ours) > len(theirs):
                self.report.differs("extra", f"query {namespace}", f"{id_}: {ours[id_]:.6f}")
        for id_ in theirs.keys() & ours.keys():
            if abs(theirs[id_] - ours[id_]) > self._tolerance:
                detail = f"{id_}: {theirs[id_]:.6f}, {ours[id_]:.6f}"
                self.report.differs("score", f"query {namespace}", detail)
        self._compare_order(namespace, old, theirs, ours, new)
        self.report.agreed("queries")

    def _compare_order(
        self, namespace: str, old: Any, theirs: dict[str, float], ours: dict[str, float], new: Any
    ) -> None:
        both = [match.id for match in old.matches if match.id in ours]
        again = [match.id for match in new.matches if match.id in theirs]
        for left, right in zip(both, again, strict=True):
            if left != right and abs(theirs[left] - theirs[right]) > self._tolerance:
                self.report.differs("order", f"query {namespace}", f"{left} before {right}")
                return
