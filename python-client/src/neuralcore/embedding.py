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
import logging
import os
import threading
import time
from collections import deque
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from neuralcore._calls import Caller, frame_room, resolve
from neuralcore._progress import progress
from neuralcore.errors import ConnectionLost, InvalidRequest, NotFound

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Vector = NDArray[np.float32]
    Matrix = NDArray[np.float32]

logger = logging.getLogger("neuralcore")

__all__ = [
    "DEFAULT_MODEL",
    "EmbeddingEngine",
    "EmbeddingType",
    "ModelConfig",
    "embed_batch",
    "embed_text",
]

DEFAULT_MODEL = "all-MiniLM-L6-v2"

_EMBED = "neuralcore.embedding.embed"
_LOAD = "neuralcore.embedding.load"
_TOKENS = "neuralcore.embedding.tokens"

_PORTION_TEXTS = 256
"""Texts of one request: enough for the daemon to sort by length, few enough to show progress."""
_UNDER_WAY = 2
"""Requests under way at a time, so that the daemon never waits for the next one."""
_ENDING_SECONDS = 0.25
"""A daemon that ends closes its connections one after the other: for so long one may be left."""
_OUTPUTS = ("float32", "int8", "base64")
_PRECISIONS = ("auto", "fp32", "fp16", "int8")


class EmbeddingType(str, Enum):
    """What a text is: some models have a prefix for each kind."""

    DOCUMENT = "document"
    QUERY = "query"
    PLAIN = "plain"
    """Neither: the text as it is, without a prefix."""

    @classmethod
    def _missing_(cls, value: object) -> EmbeddingType | None:
        # ATLAS says search_query and search_document; the others have no prefix of their own.
        plain = str(value).lower().removeprefix("search_")
        if plain in ("clustering", "classification"):
            return cls.DOCUMENT
        return next((kind for kind in cls if kind.value == plain), None)


@dataclass(frozen=True)
class ModelConfig:
    """How a model in a file of one's own is used; what is None is as usual.

    :param name: of a model in ``conf/models.yaml`` whose description is taken for what is not said
        here.
    :param dimension: of its vectors; by default what a config.json beside it says.
    :param max_tokens: of a text; 512 by default.
    :param pooling: mean (default), cls, max, last_token or mean_with_attention.
    :param normalize: whether vectors get length one where the engine does not say.
    :param query_prefix: put before queries.
    :param document_prefix: put before documents.
    :param input_names: of ids, mask and token types.
    :param output_name: of the network's output, a vector a token, or a text.
    """

    name: str | None = None
    dimension: int | None = None
    max_tokens: int | None = None
    pooling: str | None = None
    normalize: bool | None = None
    query_prefix: str | None = None
    document_prefix: str | None = None
    input_names: Sequence[str] | None = None
    output_name: str | None = None

    def _keys(self) -> dict[str, Any]:
        keys = {key: value for key, value in asdict(self).items() if value is not None}
        keys.pop("name", None)
        if "input_names" in keys:
            keys["inputs"] = list(keys.pop("input_names"))
        if "output_name" in keys:
            keys["output"] = keys.pop("output_name")
        return keys


class EmbeddingEngine:
    """Embeds texts with one model.

    Nothing happens before the first text: then it connects, which may start a daemon, and the
    daemon loads the model if it has not yet. A call whose daemon is lost is made once more.

    :param model_path: name of a model, such as "all-MiniLM-L6-v2" (with or without its
        organization), or the path of an ONNX file or of a folder with ``model.onnx``, as the
        daemon's machine sees it.
    :param tokenizer_path: of a model given by path; by default ``tokenizer.json`` beside it.
    :param config: of a model given by path.
    :param max_batch_size: kept for programs that pass it; the daemon plans its batches itself.
    :param normalize: bring vectors to length one.
    :param dimensions: numbers kept of each vector, for models that are trained for it; by default
        all. Shorter vectors are brought to length one again.
    :param precision: of the network: "auto" as the daemon is set, "fp32", "fp16", "int8".
    :param output: of vectors: "float32"; "int8", 127 times the number, rounded; "base64", a str of
        little-endian float32 for each text, in an array of objects.
    :param batch_invariant: compute each text by itself, so that its vector is bit for bit the same
        whatever else is embedded with it; several times as slow for many short texts. Otherwise
        an int8 vector may differ in its third decimal from batch to batch.
    :param cache_dir: a folder in which Hugging Face's tools have put the model.
    :param show_progress: a bar on stderr; by default for long inputs if stderr is a terminal.
    :param client: the client to use; by default the process's own, as ``connect()`` finds it.
    :param timeout: seconds for each request of up to 256 texts.
    """

    def __init__(
        self,
        model_path: str | os.PathLike[str] = DEFAULT_MODEL,
        tokenizer_path: str | os.PathLike[str] | None = None,
        config: ModelConfig | None = None,
        *,
        max_batch_size: int = 32,
        normalize: bool = True,
        dimensions: int | None = None,
        precision: str = "auto",
        output: str = "float32",
        batch_invariant: bool = False,
        cache_dir: str | os.PathLike[str] | None = None,
        show_progress: bool | None = None,
        client: Caller | None = None,
        timeout: float = 120.0,
    ) -> None:
        if max_batch_size < 1:
            raise InvalidRequest(f"max_batch_size is {max_batch_size}; it must be at least 1.")
        if dimensions is not None and dimensions < 1:
            raise InvalidRequest(f"dimensions is {dimensions}; it must be at least 1.")
        _one_of("output", output, _OUTPUTS)
        _one_of("precision", precision, _PRECISIONS)
        if output == "int8" and not normalize:
            raise InvalidRequest("output='int8' needs vectors of length one: normalize=True.")
        name = os.fspath(model_path)
        path = _path_of(name, cache_dir)
        self.model = _plain(name)
        self._given: dict[str, Any] | None = None
        if path is not None or tokenizer_path is not None or config is not None:
            self._given = {"path": str((path or Path(name)).absolute())}
            if tokenizer_path is not None:
                self._given["tokenizer"] = str(Path(tokenizer_path).absolute())
            if config is not None:
                self._given["config"] = config._keys()
            like = config.name if config is not None else None
            if like or (path is not None and cache_dir is not None):
                self._given["like"] = like or self.model
        self._client = client
        self._params: dict[str, Any] = {}
        self._params["normalize"] = normalize
        if dimensions is not None:
            self._params["dimensions"] = dimensions
        if precision != "auto":
            self._params["precision"] = precision
        if batch_invariant:
            self._params["batch_invariant"] = True
        self._output = output
        self._show_progress = show_progress
        self._timeout = timeout
        self._info: dict[str, Any] | None = None
        self._lock = threading.Lock()

    @classmethod
    def from_pretrained(
        cls,
        model: str = DEFAULT_MODEL,
        cache_dir: str | os.PathLike[str] | None = None,
        **options: Any,
    ) -> EmbeddingEngine:
        """The engine of a model known by name; options as for the constructor."""
        return cls(model, cache_dir=cache_dir, **options)

    @property
    def dimension(self) -> int:
        """Length of the vectors. Asks the daemon once."""
        dimensions = self._params.get("dimensions")
        return int(dimensions if dimensions is not None else self.info()["dimension"])

    @property
    def max_tokens(self) -> int:
        """How many tokens of a text the model sees. Asks the daemon once."""
        return int(self.info()["max_tokens"])

    def info(self) -> dict[str, Any]:
        """What the daemon says of the model, which it loads if need be. Asks once.

        :raises NotFound: if the daemon has no such model, or not its files.
        """
        with self._lock:
            if self._info is None:
                self._info = self._load()
            return self._info

    def embed(self, texts: str | Iterable[str]) -> NDArray[Any]:
        """One text to a vector (d), several to a matrix (n × d). See :meth:`embed_batch`."""
        return self.embed_with_type(texts, EmbeddingType.DOCUMENT)

    def embed_with_type(
        self, texts: str | Iterable[str], kind: EmbeddingType | str
    ) -> NDArray[Any]:
        """As :meth:`embed`, for texts of this kind: QUERY, DOCUMENT or PLAIN."""
        kind = _kind(kind)
        if not isinstance(texts, str):
            return self._embed(texts, kind)
        vector: NDArray[Any] = self._embed([texts], kind)[0]
        return vector

    def embed_batch(self, texts: Iterable[str]) -> NDArray[Any]:
        """Texts to an n × d matrix, float32 by default, in their order; (0, d) for none.

        Long lists go in portions, two of which are under way at a time. Any iterable will do, a
        column of pandas too.

        :raises NotFound: if the daemon has no such model; the message says what to do.
        :raises NotSupported: if there is no daemon and no sentence-transformers.
        :raises InvalidRequest: if something is not a text, or is over the frame limit (16 MiB).
        """
        if isinstance(texts, str):
            raise InvalidRequest("embed_batch takes a list of texts; embed takes one, too.")
        return self._embed(texts)

    def embed_query(self, text: str) -> NDArray[Any]:
        """A search query to a vector (d). Differs from a document where the model says so."""
        return self.embed_with_type(text, EmbeddingType.QUERY)

    def embed_document(self, text: str) -> NDArray[Any]:
        """A text to be found to a vector (d)."""
        return self.embed_with_type(text, EmbeddingType.DOCUMENT)

    def embed_documents(self, texts: Iterable[str]) -> NDArray[Any]:
        """Texts to be found to an n × d matrix: :meth:`embed_batch` by another name."""
        return self.embed_batch(texts)

    def stream(
        self, texts: Iterable[str], kind: EmbeddingType | str = EmbeddingType.DOCUMENT
    ) -> Iterator[NDArray[Any]]:
        """The vectors (d) of as many texts as there are, in their order.

        At most three portions of 256 texts are taken ahead of what has been consumed, so neither
        texts nor vectors pile up. If ``texts`` raises an error, so does this, after the vectors of
        the texts before it.
        """
        kind = _kind(kind)
        client = resolve(self._client)
        portions = _portions_of(_several(texts), frame_room(client))
        with ThreadPoolExecutor(_UNDER_WAY, "neuralcore-embed") as threads:

            def submitted() -> Iterator[Future[NDArray[Any]]]:
                try:
                    for portion in portions:
                        yield threads.submit(self._embed_portion, client, portion, kind)
                except Exception as error:  # in its turn, as if a portion had failed
                    failed: Future[NDArray[Any]] = Future()
                    failed.set_exception(error)
                    yield failed

            under_way: deque[Future[NDArray[Any]]] = deque()
            try:
                for future in submitted():
                    under_way.append(future)
                    if len(under_way) > _UNDER_WAY:
                        yield from self._formed(under_way.popleft().result())
                while under_way:
                    yield from self._formed(under_way.popleft().result())
            finally:
                for future in under_way:
                    future.cancel()

    def count_tokens(
        self, texts: str | Iterable[str], kind: EmbeddingType | str = EmbeddingType.DOCUMENT
    ) -> Any:
        """Tokens that the model sees, special ones and those of the kind's prefix included: an int,
        or an int array (n)."""
        import numpy as np

        kind = _kind(kind)
        one = isinstance(texts, str)
        checked = _texts([texts] if isinstance(texts, str) else texts)
        client = resolve(self._client)
        parts = [
            self._call(client, _TOKENS, {"kind": kind.value}, [checked[start:end]])[1][0]
            for start, end in _portions(checked, frame_room(client))
        ]
        counts = parts[0] if len(parts) == 1 else np.concatenate(parts)
        return int(counts[0]) if one else counts

    async def embed_async(self, texts: str | Iterable[str]) -> NDArray[Any]:
        """:meth:`embed` without blocking the event loop."""
        return await asyncio.to_thread(self.embed, texts)

    async def embed_with_type_async(
        self, texts: str | Iterable[str], kind: EmbeddingType | str
    ) -> NDArray[Any]:
        """:meth:`embed_with_type` without blocking the event loop."""
        return await asyncio.to_thread(self.embed_with_type, texts, kind)

    async def embed_batch_async(self, texts: Iterable[str]) -> NDArray[Any]:
        """:meth:`embed_batch` without blocking the event loop."""
        return await asyncio.to_thread(self.embed_batch, texts)

    async def embed_query_async(self, text: str) -> NDArray[Any]:
        """:meth:`embed_query` without blocking the event loop."""
        return await asyncio.to_thread(self.embed_query, text)

    async def embed_document_async(self, text: str) -> NDArray[Any]:
        """:meth:`embed_document` without blocking the event loop."""
        return await asyncio.to_thread(self.embed_document, text)

    async def embed_documents_async(self, texts: Iterable[str]) -> NDArray[Any]:
        """:meth:`embed_documents` without blocking the event loop."""
        return await asyncio.to_thread(self.embed_documents, texts)

    async def count_tokens_async(
        self, texts: str | Iterable[str], kind: EmbeddingType | str = EmbeddingType.DOCUMENT
    ) -> Any:
        """:meth:`count_tokens` without blocking the event loop."""
        return await asyncio.to_thread(self.count_tokens, texts, kind)

    async def stream_async(
        self, texts: Iterable[str], kind: EmbeddingType | str = EmbeddingType.DOCUMENT
    ) -> AsyncIterator[NDArray[Any]]:
        """:meth:`stream` without blocking the event loop."""
        vectors = self.stream(texts, kind)
        taking = threading.Lock()
        failed: list[Exception] = []

        def take() -> list[NDArray[Any]]:
            part: list[NDArray[Any]] = []
            with taking:
                try:
                    for vector in itertools.islice(vectors, _PORTION_TEXTS):
                        part.append(vector)
                except Exception as error:
                    failed.append(error)
            return part

        def close() -> None:
            with taking:
                vectors.close()  # type: ignore[attr-defined]

        try:
            while part := await asyncio.to_thread(take):
                for vector in part:
                    yield vector
            if failed:
                raise failed[0]
        finally:
            # Who is cancelled does not wait for the portion that a thread is still taking; what
            # is left is closed behind it.
            busy = taking.locked()
            closed = asyncio.get_running_loop().run_in_executor(None, close)
            if not busy:
                await closed

    def __repr__(self) -> str:
        return f"EmbeddingEngine({self.model!r})"

    def _embed(
        self, given: Iterable[str], kind: EmbeddingType = EmbeddingType.DOCUMENT
    ) -> NDArray[Any]:
        import numpy as np

        texts = _texts(given)
        client = resolve(self._client)
        if not texts:
            if "dimensions" in self._params:  # the daemon knows whether the model has so many
                return self._formed(self._embed_portion(client, texts, kind))
            return self._formed(np.zeros((0, self.dimension), dtype=np.float32))
        portions = list(_portions(texts, frame_room(client)))
        if len(portions) == 1:
            return self._formed(self._embed_portion(client, texts, kind))
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
        return self._formed(result)

    def _embed_portion(self, client: Caller, texts: Sequence[str], kind: EmbeddingType) -> Matrix:
        params = {"kind": kind.value, **self._params}
        _, (vectors,) = self._call(client, _EMBED, params, [list(texts)])
        matrix: Matrix = vectors
        return matrix

    def _formed(self, vectors: Matrix) -> NDArray[Any]:
        """The vectors as ``output`` wants them."""
        import numpy as np

        if self._output == "int8":
            return np.clip(np.rint(vectors * 127), -127, 127).astype(np.int8)
        if self._output == "base64":
            import base64

            texts = np.empty(len(vectors), dtype=object)
            for i, vector in enumerate(vectors):
                texts[i] = base64.b64encode(vector.astype("<f4").tobytes()).decode("ascii")
            return texts
        return vectors

    def _call(
        self, client: Caller, address: str, params: dict[str, Any], tensors: list[Any]
    ) -> tuple[dict[str, Any], list[Any]]:
        if self._given is not None:
            self.info()
        try:
            return self._ask(client, address, {**params, "model": self.model}, tensors)
        except NotFound:
            if self._given is None:
                raise
            # A daemon that was started anew does not know what the one before was given.
            with self._lock:
                self._info = self._load()
            return self._ask(client, address, {**params, "model": self.model}, tensors)

    def _ask(
        self, client: Caller, address: str, params: dict[str, Any], tensors: Sequence[Any] = ()
    ) -> tuple[dict[str, Any], list[Any]]:
        """A call; embedding changes nothing, so one that was lost is made once more."""
        try:
            return client.call(address, params, tensors, timeout=self._timeout)
        except ConnectionLost as lost:
            logger.warning("%s is called once more: %s", address, lost.message)
            time.sleep(_ENDING_SECONDS)
            return client.call(address, params, tensors, timeout=self._timeout)

    def _load(self) -> dict[str, Any]:
        params: dict[str, Any] = {"model": self.model}
        if self._given is not None:
            params = dict(self._given)
        if "precision" in self._params:
            params["precision"] = self._params["precision"]
        answer, _ = self._ask(resolve(self._client), _LOAD, params)
        info: dict[str, Any] = answer["model"]
        if self._given is not None:
            self.model = str(info["name"])
        return info


def embed_text(text: str, model: str = DEFAULT_MODEL) -> Vector:
    """One text to a vector (d). Connects at the first call, which may start a daemon."""
    return _engine(model).embed(text)


def embed_batch(texts: Iterable[str], model: str = DEFAULT_MODEL) -> Matrix:
    """Texts to an n × d float32 matrix. Connects at the first call, which may start a daemon."""
    return _engine(model).embed_batch(texts)


_engines: dict[str, EmbeddingEngine] = {}


def _engine(model: str) -> EmbeddingEngine:
    engine = _engines.get(model)
    return engine if engine is not None else _engines.setdefault(model, EmbeddingEngine(model))


def _one_of(name: str, value: str, choices: Sequence[str]) -> None:
    if value not in choices:
        raise InvalidRequest(f"{name} is {value!r}; it must be one of {', '.join(choices)}.")


def _kind(given: EmbeddingType | str) -> EmbeddingType:
    try:
        return EmbeddingType(given)
    except ValueError:
        raise InvalidRequest(
            f"kind is {given!r}; it must be 'document', 'query' or 'plain'."
        ) from None


def _plain(name: str) -> str:
    return name.removeprefix("sentence-transformers/")


def _path_of(name: str, cache_dir: str | os.PathLike[str] | None) -> Path | None:
    """The files that a name means: a path, or a model in a cache folder; else None.

    :raises NotFound: if it is a path of nothing, or the cache folder lacks the model.
    """
    path = Path(name)
    if cache_dir is not None and not path.exists():
        for folder in _cached(Path(cache_dir), name):
            for network in ("onnx/model.onnx", "model.onnx"):
                if (folder / network).is_file():
                    return folder / network
        return None  # the daemon may have it elsewhere, and says where it looked
    if name.endswith(".onnx") or path.is_absolute() or (os.sep in name and path.exists()):
        if not path.exists():
            raise NotFound(
                f"{name} is a path at which there is nothing; a model of this name would be"
                f" written without it, such as {DEFAULT_MODEL!r}.",
                code="MODEL_NOT_FOUND",
            )
        return path
    return None


def _cached(cache_dir: Path, name: str) -> Iterator[Path]:
    """Folders that hold a model in a cache; the revision that "main" names comes first, as in the
    daemon's."""
    names = [name] if "/" in name else [name, f"sentence-transformers/{name}"]
    for each in names:
        repository = cache_dir / f"models--{each.replace('/', '--')}"
        main = repository / "refs" / "main"
        wanted = main.read_text().strip() if main.is_file() else ""
        if (snapshots := repository / "snapshots").is_dir():
            yield from sorted(snapshots.iterdir(), key=lambda p: (p.name != wanted, p.name))
        yield cache_dir / each.replace("/", "_")
        yield cache_dir / each


def _texts(given: Iterable[str]) -> list[str]:
    return [_text(i, text) for i, text in enumerate(_several(given))]


def _several(given: Iterable[str]) -> Iterable[str]:
    """What is given, unless going through it would not give its texts."""
    if isinstance(given, (str, bytes, bytearray)):
        raise InvalidRequest(f"A list of texts is wanted, this is one {type(given).__name__}.")
    if isinstance(given, Mapping) or hasattr(given, "columns"):
        raise InvalidRequest(
            f"A list of texts is wanted; of a {type(given).__name__} pass one column or its values."
        )
    if not isinstance(given, Iterable):
        raise InvalidRequest(f"{given!r:.60} is neither a text nor a list of texts.")
    return given


def _text(i: int, text: object) -> str:
    if not isinstance(text, str):
        raise InvalidRequest(f"Text {i} is a {type(text).__name__}, not a str.")
    return text


def _size(text: str) -> int:
    """Most bytes that it takes: a character has up to four, and a length word goes with it."""
    return 4 * len(text) + 4


def _portions(texts: Sequence[str], room: int) -> Iterator[tuple[int, int]]:
    """Ranges of texts that make a request each: 256 of them, or as many as fit a frame."""
    start, size = 0, 0
    for i, text in enumerate(texts):
        length = _size(text)
        if i > start and (i - start >= _PORTION_TEXTS or size + length > room):
            yield start, i
            start, size = i, 0
        size += length
    yield start, len(texts)


def _portions_of(texts: Iterable[str], room: int) -> Iterator[list[str]]:
    """As :func:`_portions`, of texts that come one by one; if getting one fails, so does this,
    after those before it."""
    portion: list[str] = []
    size = 0
    failed: Exception | None = None
    try:
        for i, given in enumerate(texts):
            text = _text(i, given)
            length = _size(text)
            if portion and (len(portion) >= _PORTION_TEXTS or size + length > room):
                yield portion
                portion, size = [], 0
            portion.append(text)
            size += length
    except Exception as error:
        failed = error
    if portion:
        yield portion
    if failed is not None:
        raise failed
