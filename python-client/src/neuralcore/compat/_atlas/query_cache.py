"""A cache of answers to questions that finds the answer of a similar question too.

The interface is that of ATLAS's ``QueryResultCache``. Questions are compared as ATLAS means it,
but only with those that were asked of the same knowledge bases: ATLAS's compares with all, and so
answers from a knowledge base that was not asked.

The vectors of the questions of one set of knowledge bases stand in one matrix, so that a look-up is
one product: O(entries · dimension), some 50 µs for 1,000 entries.
"""

from __future__ import annotations

import hashlib
import math
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from threading import RLock
from typing import TYPE_CHECKING, Any

from neuralcore.compat._atlas.cosines import zero_if_different

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_FIRST_ROWS = 16
_ROUNDING = 1e-6
"""What float32 may take from the similarity of a vector with itself."""


@dataclass
class _Entry:
    """
    :param bases: the knowledge bases asked; empty for all of them.
    :param questions: where its vector is, if it has one.
    """

    value: Any
    expires_at: float
    bases: frozenset[str]
    questions: _Questions | None = None


class QueryResultCache:
    """Results by question and knowledge bases. Thread-safe.

    :param max_size: entries kept; beyond, the one goes that was not asked for the longest.
    :param ttl_seconds: for which an entry counts; None for ever.
    :param similarity_threshold: cosine from which on another question is the same.
    :param embedding_cache: kept.
    :param clock: seconds.
    """

    def __init__(
        self,
        max_size: int = 1000,
        ttl_seconds: float | None = 300,
        similarity_threshold: float = 0.95,
        embedding_cache: Any = None,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._max_size = max(1, max_size)
        self._ttl_seconds = ttl_seconds
        self._similarity_threshold = similarity_threshold
        self._embedding_cache = embedding_cache
        self._clock = clock
        self._lock = RLock()
        self._entries: OrderedDict[str, _Entry] = OrderedDict()
        self._questions: dict[tuple[frozenset[str], int], _Questions] = {}
        self._hits = self._misses = self._semantic_hits = 0

    @property
    def stats(self) -> dict[str, Any]:
        """size, max_size, hits, semantic_hits (which are hits too), misses, hit_rate,
        ttl_seconds."""
        with self._lock:
            asked = self._hits + self._misses
            return {
                "size": len(self._entries),
                "max_size": self._max_size,
                "hits": self._hits,
                "semantic_hits": self._semantic_hits,
                "misses": self._misses,
                "hit_rate": self._hits / asked if asked else 0.0,
                "ttl_seconds": self._ttl_seconds,
            }

    def get(
        self,
        query: str,
        knowledge_base_ids: Sequence[str] | None = None,
        query_embedding: Any = None,
    ) -> Any | None:
        """The result kept for this question, else for the most similar one; None if there is none.

        :param knowledge_base_ids: in any order; the result is of exactly these.
        :param query_embedding: the question's vector, a list or an array; without it only the same
            words are the same question.
        """
        bases = frozenset(knowledge_base_ids or ())
        unit = _unit(query_embedding)
        with self._lock:
            key = _key(query, bases)
            entry = self._live(key)
            if entry is None and unit is not None:
                key, entry = self._most_similar(unit, bases)
                self._semantic_hits += entry is not None
            if entry is None:
                self._misses += 1
                return None
            self._hits += 1
            self._entries.move_to_end(key)
            return entry.value

    def set(
        self,
        query: str,
        result: Any,
        knowledge_base_ids: Sequence[str] | None = None,
        query_embedding: Any = None,
    ) -> None:
        """Keeps a result; parameters as for :meth:`get`."""
        bases = frozenset(knowledge_base_ids or ())
        unit = _unit(query_embedding)
        key = _key(query, bases)
        with self._lock:
            self._remove(key)
            while len(self._entries) >= self._max_size:
                self._remove(next(iter(self._entries)))
            lasts = self._ttl_seconds or math.inf
            entry = self._entries[key] = _Entry(result, self._clock() + lasts, bases)
            if unit is not None:
                place = (bases, len(unit))
                entry.questions = self._questions.setdefault(place, _Questions(len(unit)))
                entry.questions.add(key, unit)

    def invalidate_knowledge_base(self, kb_id: str) -> int:
        """Forgets what was found in this knowledge base, or in all; how many entries that were."""
        with self._lock:
            gone = [k for k, e in self._entries.items() if not e.bases or kb_id in e.bases]
            for key in gone:
                self._remove(key)
            return len(gone)

    def clear(self) -> int:
        """Forgets everything, the counts too; how many entries there were."""
        with self._lock:
            count = len(self._entries)
            self._entries.clear()
            self._questions.clear()
            self._hits = self._misses = self._semantic_hits = 0
            return count

    def _cosine_similarity(self, a: Any, b: Any) -> float:
        return zero_if_different(a, b)

    def _live(self, key: str) -> _Entry | None:
        entry = self._entries.get(key)
        if entry is not None and self._clock() > entry.expires_at:
            self._remove(key)
            return None
        return entry

    def _most_similar(
        self, unit: NDArray[np.float32], bases: frozenset[str]
    ) -> tuple[str, _Entry | None]:
        questions = self._questions.get((bases, len(unit)))
        while questions is not None and questions.keys:
            key, similarity = questions.nearest(unit)
            if similarity <= 0.0 or similarity < self._similarity_threshold - _ROUNDING:
                break
            entry = self._live(key)
            if entry is not None:
                return key, entry
        return "", None

    def _remove(self, key: str) -> None:
        entry = self._entries.pop(key, None)
        if entry is None or entry.questions is None:
            return
        entry.questions.remove(key)
        if not entry.questions.keys:
            self._questions.pop((entry.bases, entry.questions.dimension), None)


class _Questions:
    """Vectors of length one, with the key of the entry each belongs to."""

    def __init__(self, dimension: int) -> None:
        import numpy as np

        self.dimension = dimension
        self.keys: list[str] = []
        self._rows: dict[str, int] = {}
        self._units: NDArray[np.float32] = np.empty((_FIRST_ROWS, dimension), np.float32)

    def add(self, key: str, unit: NDArray[np.float32]) -> None:
        import numpy as np

        row = len(self.keys)
        if row == len(self._units):
            larger = np.empty((2 * row, self.dimension), np.float32)
            larger[:row] = self._units
            self._units = larger
        self._units[row] = unit
        self._rows[key] = row
        self.keys.append(key)

    def remove(self, key: str) -> None:
        """The last one takes its row."""
        row, last = self._rows.pop(key), self.keys.pop()
        if last != key:
            self._units[row] = self._units[len(self.keys)]
            self.keys[row] = last
            self._rows[last] = row

    def nearest(self, unit: NDArray[np.float32]) -> tuple[str, float]:
        cosines = self._units[: len(self.keys)] @ unit
        row = int(cosines.argmax())
        return self.keys[row], float(cosines[row])


def _key(query: str, bases: frozenset[str]) -> str:
    # Lengths make it unambiguous: an id may contain whatever separates the parts.
    parts = [query.lower().strip(), *sorted(bases)]
    text = "".join(f"{len(part)}:{part}" for part in parts)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _unit(embedding: Any) -> NDArray[np.float32] | None:
    """The vector with length one; None for nothing, zeros, and what is no vector of numbers."""
    if embedding is None or not len(embedding):
        return None
    import numpy as np

    vector = np.asarray(embedding, dtype=np.float64)
    length = float(np.linalg.norm(vector)) if vector.ndim == 1 else math.nan
    if not (0.0 < length < math.inf):
        return None
    unit: NDArray[np.float32] = (vector / length).astype(np.float32)
    return unit
