"""Old and new side by side: the application gets the old's, and what differs is told."""

from __future__ import annotations

import asyncio
import json
from types import SimpleNamespace
from typing import Any

import pytest

from compat.conftest import until
from neuralcore.compat import shadow
from neuralcore.compat._atlas.embedding_types import BatchEmbeddingResult, EmbeddingResult
from neuralcore.compat._atlas.tool_types import VectorRecord
from neuralcore.compat.agent_bus import AgentBus, AgentMessage
from neuralcore.compat.atlas_vectors import NeuralCoreVectorStoreAdapter
from neuralcore.fallback.client import FallbackClient


class OldBus:
    """In the manner of ATLAS's: handlers run one after the other, when they are published to."""

    def __init__(self) -> None:
        self.handlers: dict[str, list[Any]] = {}
        self.broken: Any = None

    async def publish(self, message: AgentMessage) -> str:
        if message.payload == "refused":
            raise RuntimeError("no room")
        if message.payload != self.broken:
            for handler, filter_fn in self.handlers.get(message.channel, ()):
                if filter_fn is None or filter_fn(message):
                    await handler(message)
        return message.id

    async def send_it(self, payload: Any) -> str:
        return await self.publish(AgentMessage(channel="c", payload=payload))

    async def subscribe(
        self, channel: str, handler: Any, *, handler_name: str = "", filter_fn: Any = None
    ) -> Any:
        entry = (handler, filter_fn)
        self.handlers.setdefault(channel, []).append(entry)

        async def cancel() -> None:
            self.handlers[channel].remove(entry)

        return SimpleNamespace(cancel=cancel)


class QueuedBus(OldBus):
    """As ATLAS's in that what is published is handled later, by tasks of the bus."""

    def __init__(self) -> None:
        super().__init__()
        self.tasks: list[asyncio.Task[None]] = []

    async def publish(self, message: AgentMessage) -> str:
        async def later() -> None:
            await asyncio.sleep(0.05)
            await OldBus.publish(self, message)

        self.tasks.append(asyncio.create_task(later()))
        return message.id


@pytest.fixture
async def both():
    new = AgentBus(client=FallbackClient())
    await new.start()
    watch = shadow.bus(OldBus(), new)
    yield watch
    await watch.end(0.1)
    await new.stop()


async def test_buses_that_do_the_same_agree(both):
    seen: list[Any] = []

    async def handler(message: AgentMessage) -> None:
        seen.append(message.payload)

    subscription = await both.old.subscribe("c", handler, filter_fn=lambda m: m.payload != 3)
    for i in range(5):
        await both.old.send_it(i)
    report = await both.settle()
    assert seen == [0, 1, 2, 4]
    assert report.agrees
    assert str(report) == "compared: 4 messages; differences: none"
    await subscription.cancel()
    await both.old.send_it(9)
    assert (await both.settle()).agrees
    assert seen == [0, 1, 2, 4]
    assert set(report.as_dict()["milliseconds"]) == {"publish, old", "publish, new"}


async def test_settling_waits_for_what_neither_has_delivered_yet():
    async def handler(message: AgentMessage) -> None:
        pass

    new = AgentBus(client=FallbackClient())
    await new.start()
    watch = shadow.bus(QueuedBus(), new)
    await watch.old.subscribe("c", handler)
    await watch.old.send_it(1)
    report = await watch.settle()
    assert str(report) == "compared: 1 messages; differences: none"
    await watch.end()
    await new.stop()


async def test_what_one_bus_alone_delivers_is_told(both, tmp_path):
    async def handler(message: AgentMessage) -> None:
        pass

    await both.old.subscribe("c", handler, handler_name="h")
    both.old.broken = 1
    for i in range(3):
        await both.old.send_it(i)
    with pytest.raises(RuntimeError, match="no room"):
        await both.old.send_it("refused")
    report = await both.settle(0.5)
    assert dict(report.counts) == {"extra": 1, "old failed": 1}
    extra = next(found for found in report.differences if found.kind == "extra")
    assert (extra.where, extra.detail) == ("c / h", "c priority 5: 1")
    report.write(tmp_path / "report.json")
    assert json.loads((tmp_path / "report.json").read_text())["differences"]["extra"] == 1


async def test_handlers_run_once_and_the_old_bus_is_itself_again(both):
    calls: list[int] = []

    async def fails(message: AgentMessage) -> None:
        calls.append(message.payload)

    await both.old.subscribe("c", fails)
    await both.old.send_it(1)
    await both.settle()
    await both.end()
    await both.old.send_it(2)
    assert calls == [1, 2]
    assert "publish" not in vars(both.old)


class Provider:
    """Vectors by text."""

    def __init__(self, vectors: dict[str, list[float]]) -> None:
        self.vectors = vectors

    async def embed_text(self, text: str, *, input_type: Any = None) -> Any:
        return EmbeddingResult(self.vectors[text], text, "m")

    async def embed_batch(self, texts: Any, *, input_type: Any = None) -> Any:
        return BatchEmbeddingResult(
            [EmbeddingResult(self.vectors[text], text, "m") for text in texts], "m"
        )


async def test_vectors_that_point_elsewhere_are_told():
    old = Provider({"same": [1.0, 0.0], "other": [1.0, 0.0], "wide": [1.0, 0.0]})
    new = Provider({"same": [2.0, 0.0], "other": [0.6, 0.8], "wide": [1.0, 0.0, 0.0]})
    watch = shadow.embeddings(old, new)
    assert (await old.embed_text("same")).embedding == [1.0, 0.0]
    assert len((await old.embed_batch(["same", "other", "wide"])).vectors) == 3
    with pytest.raises(KeyError):
        await old.embed_text("unknown")
    await watch.settle()
    del new.vectors["same"]
    await old.embed_text("same")
    report = await watch.end()
    assert report.compared["texts"] == 4
    assert dict(report.counts) == {"vector": 1, "dimension": 1, "new failed": 1}
    assert ("vector", "other", "cosine 0.6000") in report.differences


async def test_what_cannot_be_compared_is_told():
    old, new = Provider({"a": [1.0]}), Provider({"a": [1.0]})
    watch = shadow.embeddings(old, new)
    new.vectors["a"] = None
    await old.embed_text("a")
    report = await watch.end()
    assert dict(report.counts) == {"not compared": 1}
    assert not report.compared


class OldStore:
    """An exact store, and one that can be wrong."""

    def __init__(self) -> None:
        self.records: dict[str, VectorRecord] = {}
        self.forgets = ""

    async def upsert_vectors(self, namespace: str, vectors: Any) -> Any:
        self.records.update({record.id: record for record in vectors})

    async def query_vectors(self, namespace: str, query: Any, *, top_k: int) -> Any:
        def score(values: Any) -> float:
            return sum(a * b for a, b in zip(values, query, strict=True))

        matches = [
            SimpleNamespace(id=r.id, score=score(r.values))
            for r in self.records.values()
            if r.id != self.forgets
        ]
        return SimpleNamespace(matches=sorted(matches, key=lambda m: (-m.score, m.id))[:top_k])

    async def delete_namespace(self, namespace: str) -> Any:
        self.records.clear()


async def test_searches_that_find_something_else_are_told():
    old = OldStore()
    watch = shadow.vectors(old, NeuralCoreVectorStoreAdapter(client=FallbackClient()))
    unit = [(1.0, 0.0), (0.8, 0.6), (0.6, 0.8), (0.0, 1.0), (-1.0, 0.0)]
    await old.upsert_vectors("n", tuple(VectorRecord(f"r{i}", v) for i, v in enumerate(unit)))
    found = await old.query_vectors("n", (1.0, 0.0), top_k=3)
    assert [match.id for match in found.matches] == ["r0", "r1", "r2"]
    report = await watch.settle()
    assert report.agrees
    assert report.compared["queries"] == 1
    old.forgets = "r1"
    await old.query_vectors("n", (1.0, 0.0), top_k=3)
    assert dict((await watch.settle()).counts) == {"extra": 1}
    await old.delete_namespace("n")
    old.forgets = ""
    await old.query_vectors("n", (1.0, 0.0), top_k=3)
    await until(lambda: watch.report.compared["queries"] == 3, "the last query")
    assert sum((await watch.end()).counts.values()) == 1
