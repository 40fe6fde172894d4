"""Relays to Kafka from Python: over a real daemon and a real broker."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

import kafka_server
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from msgspec import msgpack

from neuralcore.cli import main
from neuralcore.client import Client
from neuralcore.compat.atlas_ncb import ChannelConfig, Message, NeuralCognitiveBus
from neuralcore.errors import ConnectError, InvalidRequest
from neuralcore.messaging import MessageBus
from neuralcore.relays import KafkaBridge
from neuralcore.testing import RunningDaemon

PATIENCE = 90.0

pytestmark = pytest.mark.skipif(not kafka_server.available(), reason="there is no Kafka broker")


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with kafka_server.running(tmp_path_factory.mktemp("kafka")) as broker:
        yield broker.servers


async def until(check: Callable[[], Any], what: str) -> Any:
    deadline = time.monotonic() + PATIENCE
    while not (found := await asyncio.to_thread(check)):
        assert time.monotonic() < deadline, f"never: {what}"
        await asyncio.sleep(0.01)
    return found


@asynccontextmanager
async def producing(servers: str) -> AsyncIterator[AIOKafkaProducer]:
    producer = AIOKafkaProducer(bootstrap_servers=servers)
    await producer.start()
    try:
        yield producer
    finally:
        await producer.stop()


async def read(servers: str, topic: str, count: int) -> list[Any]:
    """A topic's first messages."""
    consumer = AIOKafkaConsumer(topic, bootstrap_servers=servers, auto_offset_reset="earliest")
    await consumer.start()
    try:
        return [await asyncio.wait_for(consumer.getone(), PATIENCE) for _ in range(count)]
    finally:
        await consumer.stop()


async def test_a_channel_goes_to_a_topic_and_comes_back_to_another(client, servers):
    async with MessageBus(name="relays-topic", client=client) as bus:
        await bus.create_channel("jobs", persistent=True)
        await bus.create_channel("results", persistent=True)
        got: list[Any] = []
        await bus.subscribe("results", lambda m: got.append((m.payload, m.meta.custom["relay"])))
        bridge = KafkaBridge([servers], "topics", namespace=bus.namespace, client=client)
        bridge.route("out", "jobs", topic="jobs", serializer="json", key="payload.who")
        bridge.route("in", "results", topic="results", replay_start="earliest")
        await bridge.connect(PATIENCE)
        assert bridge.status() == "connected"
        await until(lambda: bridge.health_check().result()["healthy"], "good health")

        for i in range(50):
            bus.publish("jobs", {"i": i, "who": "me"})
        sent = await read(servers, "jobs", 50)
        assert [json.loads(each.value)["payload"]["i"] for each in sent] == list(range(50))
        assert {each.key for each in sent} == {b"me"}
        async with producing(servers) as outside:
            await outside.send_and_wait("results", b'{"payload": "done", "id": "x"}')
        await until(lambda: got, "the result")
        assert got[0][0] == "done"
        assert got[0][1]["from"] == "kafka:results"

        await until(lambda: bridge.metrics()["received"] == 1, "the count")
        await until(lambda: bridge.metrics()["published"] == 50, "the other count")
        await bridge.close(forget=True)
        assert bridge.status() == "disconnected"


async def test_messages_past_the_bus_have_a_result_each(client, servers):
    async with KafkaBridge(servers, "direct-topics", client=client, compress=True) as bridge:
        await bridge.publish("x", {"a": 1}, to={"topic": "direct"})
        results = await bridge.produce_batch(
            [{"channel": "x", "payload": 1}, {"payload": "of no channel"}], to={"topic": "direct"}
        )
        assert results[0] is None
        assert isinstance(results[1], InvalidRequest)
        assert len(await read(servers, "direct", 2)) == 2
        with pytest.raises(InvalidRequest):
            await bridge.publish("x", 1, to={"stream": "s"})
        assert await bridge.flush(PATIENCE)


async def test_brokers_that_are_not_there_are_an_error_and_leave_no_relay(client):
    bridge = KafkaBridge("127.0.0.1:1", "nobody", client=client, answer_timeout=0.3)
    with pytest.raises(ConnectError, match="nobody"):
        await bridge.connect(0.3)
    assert bridge.status() == "disconnected"
    with pytest.raises(InvalidRequest, match=r"interceptor\.classes"):
        await KafkaBridge("h:1", client=client, properties={"interceptor.classes": "x"}).open()


async def test_a_bus_in_the_manner_of_atlas_speaks_with_others_over_kafka(client, servers):
    bus = NeuralCognitiveBus(client=client)
    bus.create_channel("llm", ChannelConfig(name="llm", kafka_in="in", kafka_out="out"))
    got: list[Message] = []

    async def take(message: Message) -> None:
        got.append(message)

    await bus.register_subscriber("llm", "s", take)
    await bus.start(kafka_bootstrap_servers=servers, kafka_topic_prefix="atlas")
    try:
        theirs = {
            "id": "their-id",
            "channel": "llm",
            "ts": 1.5,
            "priority": 0,
            "payload": {"text": "Gr\u00fc\u00dfe"},
            "meta": {"trace_id": "t", "k": "v", "dlq": True},
        }
        async with producing(servers) as outside:
            # A group begins with what comes after it has been made.
            deadline = time.monotonic() + PATIENCE
            while not got:
                assert time.monotonic() < deadline
                await outside.send_and_wait("atlas.in", msgpack.encode(theirs))
                await asyncio.sleep(0.2)
        message = got[0]
        assert (message.payload, message.priority) == (theirs["payload"], 0)
        assert (message.meta["trace_id"], message.meta["k"]) == ("t", "v")
        assert message.meta["kafka_in"] == "atlas.in"
        assert "dlq" not in message.meta

        await bus.publish("llm", {"ours": [1, None]}, priority=7, meta={"m": 1})
        # What came in goes out again, to another topic; ours is behind it.
        count = 1
        while (ours := msgpack.decode((await read(servers, "atlas.out", count))[-1].value))[
            "payload"
        ] != {"ours": [1, None]}:
            count += 1
        assert (ours["priority"], ours["meta"]["m"], ours["channel"]) == (7, 1, "llm")
    finally:
        await bus.stop()


def test_the_command_lists_and_switches_relays(
    client: Client,
    servers: str,
    neuralcore_daemon: RunningDaemon,
    capsys: pytest.CaptureFixture[str],
):
    def command(*words: str) -> str:
        assert main(["relay", *words, "--url", neuralcore_daemon.url]) == 0
        return capsys.readouterr().out

    bridge = KafkaBridge(servers, "shown-topics", client=client)
    bridge.connect(PATIENCE).result()
    command("route", "shown-topics", "direction=out", "channel=jobs", "topic=t", "key=id")
    assert "default/jobs -> t" in command("list")
    assert "disconnected" in command("off", "shown-topics")
    command("on", "shown-topics")
    assert "healthy" in command("health", "shown-topics")
    bridge.close().result()
