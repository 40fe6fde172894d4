"""Text to vectors.

>>> engine = EmbeddingEngine()                    # all-MiniLM-L6-v2: 384 dimensions, 256 tokens
>>> engine.embed_batch(["a text", "another"])     # float32, 2 × 384, rows of length one

The daemon does the work, or, where there is none, sentence-transformers in this process if that is
installed. Any text can be embedded, the empty one too; of a long one the model sees the first
``max_tokens`` tokens. Functions and engines are thread-safe.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from neuralcore._calls import Caller, frame_room, resolve
from neuralcore._progress import progress
from neuralcore.errors import InvalidRequest, NotFound, NotSupported

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Vector = NDArray[np.float32]
    Matrix = NDArray[np.float32]

__all__ = ["DEFAULT_MODEL", "EmbeddingEngine", "embed_batch", "embed_text"]

DEFAULT_MODEL = "all-MiniLM-L6-v2"

_EMBED = "neuralcore.embedding.embed"
_MODELS = "neuralcore.embedding.models"

_PORTION_TEXTS = 256
"""Texts of one request: enough for the daemon to sort by length, few enough to show progress."""
_UNDER_WAY = 2
"""Requests under way at a time, so that the daemon never waits for the next one."""


class EmbeddingEngine:
    """Embeds texts with one model.

    Nothing happens before the first text: then it connects, which may start a daemon.

    :param model_path: name of a model, such as "all-MiniLM-L6-v2" (with or without
        "sentence-transformers/"), the only one in this version.
    :param max_batch_size: kept for programs that pass it; the daemon plans its batches itself.
    :param normalize: must be True in this version.
    :param batch_invariant: compute each text by itself, so that its vector is bit for bit the same
        whatever else is embedded with it; several times as slow for many short texts. Otherwise
        an int8 vector may differ in its third decimal from batch to batch.
    :param show_progress: a bar on stderr; by default for long inputs if stderr is a terminal.
    :param client: the client to use; by default the process's own, as ``connect()`` finds it.
    :param timeout: seconds for each request of up to 256 texts.
    """

    def __init__(
        self,
        model_path: str | os.PathLike[str] = DEFAULT_MODEL,
        *,
        max_batch_size: int = 32,
        normalize: bool = True,
        batch_invariant: bool = False,
        show_progress: bool | None = None,
        client: Caller | None = None,
        timeout: float = 120.0,
    ) -> None:
        if max_batch_size < 1:
            raise InvalidRequest(f"max_batch_size is {max_batch_size}; it must be at least 1.")
        if not normalize:
            raise NotSupported("This version embeds to vectors of length one only.")
        self.model = _model_name(os.fspath(model_path))
        self._client = client
        self._batch_invariant = batch_invariant
        self._show_progress = show_progress
        self._timeout = timeout
        self._info: dict[str, Any] | None = None
        self._lock = threading.Lock()

    @classmethod
    def from_pretrained(cls, model: str = DEFAULT_MODEL, **options: Any) -> EmbeddingEngine:
        """The engine of a model known by name; options as for the constructor."""
        return cls(model, **options)

    @property
    def dimension(self) -> int:
        """Length of the vectors. Asks the daemon once."""
        return int(self._model_info()["dimension"])

    @property
    def max_tokens(self) -> int:
        """How many tokens of a text the model sees. Asks the daemon once."""
        return int(self._model_info()["max_tokens"])

    def embed(self, texts: str | Sequence[str]) -> NDArray[np.float32]:
        """One text to a vector (d), several to a matrix (n × d). See :meth:`embed_batch`."""
        if not isinstance(texts, str):
            return self._embed(texts)
        vector: Vector = self._embed([texts])[0]
        return vector

    def embed_batch(self, texts: Sequence[str]) -> Matrix:
        """Texts to an n × d float32 matrix, in their order; (0, d) for none.

        Long lists go in portions, two of which are under way at a time.

        :raises NotFound: if the daemon has no such model; the message says what to do.
        :raises NotSupported: if there is no daemon and no sentence-transformers.
        :raises InvalidRequest: if something is not a text, or is over the frame limit (16 MiB).
        """
        if isinstance(texts, str):
            raise InvalidRequest("embed_batch takes a list of texts; embed takes one, too.")
        return self._embed(texts)

    def embed_query(self, text: str) -> Vector:
        """A search query to a vector (d). Differs from a document where the model says so."""
        vector: Vector = self._embed([text], "query")[0]
        return vector

    async def embed_async(self, texts: str | Sequence[str]) -> NDArray[np.float32]:
        """:meth:`embed` without blocking the event loop."""
        return await asyncio.to_thread(self.embed, texts)

    async def embed_batch_async(self, texts: Sequence[str]) -> Matrix:
        """:meth:`embed_batch` without blocking the event loop."""
        return await asyncio.to_thread(self.embed_batch, texts)

    async def embed_query_async(self, text: str) -> Vector:
        """:meth:`embed_query` without blocking the event loop."""
        return await asyncio.to_thread(self.embed_query, text)

    def __repr__(self) -> str:
        return f"EmbeddingEngine({self.model!r})"

    def _embed(self, texts: Sequence[str], kind: str = "document") -> Matrix:
        import numpy as np

        texts = list(texts)
        for i, text in enumerate(texts):
            if not isinstance(text, str):
                raise InvalidRequest(f"Text {i} is a {type(text).__name__}, not a str.")
        if not texts:
            return np.zeros((0, self.dimension), dtype=np.float32)
        client = resolve(self._client)
        portions = list(_portions(texts, frame_room(client)))
        if len(portions) == 1:
            return self._embed_portion(client, texts, kind)
        result: Matrix | None = None
        with (
            progress(len(texts), "embedding", self._show_progress) as advance,
            ThreadPoolExecutor(_UNDER_WAY, "neuralcore-embed") as threads,
        ):
            ranges = iter(portions)
            under_way = [
                (start, threads.submit(self._embed_portion, client, texts[start:end], kind))
                for start, end in itertools.islice(ranges, _UNDER_WAY)
            ]
            while under_way:
                start, future = under_way.pop(0)
                part = future.result()
                for next_start, next_end in itertools.islice(ranges, 1):
                    portion = texts[next_start:next_end]
                    future = threads.submit(self._embed_portion, client, portion, kind)
                    under_way.append((next_start, future))
                if result is None:
                    result = np.empty((len(texts), part.shape[1]), dtype=np.float32)
                result[start : start + len(part)] = part
                advance(len(part))
        assert result is not None  # there was at least one portion
        return result

    def _embed_portion(self, client: Caller, texts: Sequence[str], kind: str) -> Matrix:
        params: dict[str, Any] = {"kind": kind, "model": self.model}
        if self._batch_invariant:
            params["batch_invariant"] = True
        _, (vectors,) = client.call(_EMBED, params, [list(texts)], timeout=self._timeout)
        matrix: Matrix = vectors
        return matrix

    def _model_info(self) -> dict[str, Any]:
        with self._lock:
            if self._info is None:
                answer, _ = resolve(self._client).call(_MODELS, timeout=self._timeout)
                found = [m for m in answer["models"] if m["name"] == self.model]
                if not found:
                    names = ", ".join(m["name"] for m in answer["models"]) or "none"
                    raise NotFound(
                        f"There is no model {self.model!r}; there is: {names}.",
                        code="MODEL_NOT_FOUND",
                    )
                self._info = found[0]
            return self._info


def embed_text(text: str, model: str = DEFAULT_MODEL) -> Vector:
    """One text to a vector (d). Connects at the first call, which may start a daemon."""
    return _engine(model).embed(text)


def embed_batch(texts: Sequence[str], model: str = DEFAULT_MODEL) -> Matrix:
    """Texts to an n × d float32 matrix. Connects at the first call, which may start a daemon."""
    return _engine(model).embed_batch(texts)


_engines: dict[str, EmbeddingEngine] = {}


def _engine(model: str) -> EmbeddingEngine:
    engine = _engines.get(model)
    return engine if engine is not None else _engines.setdefault(model, EmbeddingEngine(model))


def _model_name(name: str) -> str:
    """The name under which the daemon may know it.

    :raises NotFound: for a file or folder.
    """
    plain = name.removeprefix("sentence-transformers/")
    if plain.endswith(".onnx") or (os.sep in plain and os.path.exists(plain)):
        raise NotFound(
            f"{name} is a path; this version has the model {DEFAULT_MODEL!r} only. Pass its name.",
            code="MODEL_NOT_FOUND",
        )
    return plain


def _portions(texts: Sequence[str], room: int) -> Iterator[tuple[int, int]]:
    """Ranges of texts that make a request each: 256 of them, or as many as fit a frame."""
    start, size = 0, 0
    for i, text in enumerate(texts):
        # A character has up to four bytes, and a length word goes with each text.
        length = 4 * len(text) + 4
        if i > start and (i - start >= _PORTION_TEXTS or size + length > room):
            yield start, i
            start, size = i, 0
        size += length
    yield start, len(texts)
