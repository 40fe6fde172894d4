"""An embedding provider of ATLAS's with ours beside it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from neuralcore.compat._shadow.report import Report
from neuralcore.compat._shadow.watch import Watch, told


class EmbeddingWatch(Watch):
    """Embeds every text on both sides; vectors that point elsewhere are a difference.

    :param least: cosine from which on two vectors are the same.
    """

    def __init__(
        self, old: Any, new: Any, report: Report | None = None, *, least: float = 0.99
    ) -> None:
        super().__init__(old, new, report)
        self._least = least
        self._text = self._replace("embed_text", self._embed_text)
        self._batch = self._replace("embed_batch", self._embed_batch)

    async def _embed_text(self, text: str, **options: Any) -> Any:
        result = await self._timed("embed, old", self._text(text, **options))
        self._beside(self._compare([text], [result.embedding], options))
        return result

    async def _embed_batch(self, texts: Sequence[str], **options: Any) -> Any:
        result = await self._timed("embed, old", self._batch(texts, **options))
        self._beside(self._compare(list(texts), result.vectors, options))
        return result

    async def _compare(
        self, texts: list[str], old: list[Sequence[float]], options: dict[str, Any]
    ) -> None:
        try:
            answer = await self._timed("embed, new", self.new.embed_batch(texts, **options))
            new = answer.vectors
        except Exception as error:
            self.report.differs("new failed", "embed_batch", told(error))
            return
        if len(old) != len(new):
            self.report.differs("count", "embed_batch", f"{len(old)} vectors, {len(new)}")
        for text, left, right in zip(texts, old, new, strict=False):
            if len(left) != len(right):
                self.report.differs("dimension", _short(text), f"{len(left)}, {len(right)}")
                continue
            cosine = _cosine(left, right)
            if not cosine >= self._least:
                self.report.differs("vector", _short(text), f"cosine {cosine:.4f}")
        self.report.agreed("texts", len(texts))


def _cosine(a: Sequence[float], b: Sequence[float]) -> float:
    lengths = math.sqrt(math.fsum(x * x for x in a)) * math.sqrt(math.fsum(x * x for x in b))
    return math.fsum(x * y for x, y in zip(a, b, strict=True)) / lengths if lengths else 0.0


def _short(text: str) -> str:
    return text if len(text) <= 80 else text[:79] + "…"
