"""Relays to Kafka from Python: over a real daemon and a real broker."""

from __future__ import annotations

import asyncio
import json
import shutil
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import kafka_server
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from msgspec import msgpack

from neuralcore.cli import main
from neuralcore.client import Client
from neuralcore.compat.atlas_ncb import ChannelConfig, Message, NeuralCognitiveBus
from neuralcore.errors import ConnectError, InvalidRequest, NeuralCoreError, NotFound
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


async def test_a_publish_waits_for_the_broker(client, servers):
    async with MessageBus(name="relays-kafka-confirm", client=client) as bus:
        await bus.create_channel("kept", persistent=True)
        bridge = KafkaBridge(servers, "confirm", namespace=bus.namespace, client=client)
        bridge.route("out", "jobs", topic="confirmed", serializer="json")
        bridge.route("out", "kept", topic="confirmed", serializer="json")
        await bridge.connect(PATIENCE)
        await bus.publish("jobs", 1, confirm="relayed")
        await bus.publish("kept", 2, confirm="relayed")
        await bus.publish_many("kept", [3, 4], confirm="relayed")
        sent = await read(servers, "confirmed", 4)
        assert [json.loads(each.value)["payload"] for each in sent] == [1, 2, 3, 4]
        with pytest.raises(NotFound) as caught:
            await bus.publish("elsewhere", 5, confirm="relayed")
        assert caught.value.code == "NO_RELAY"
        await bridge.close(forget=True)


async def test_a_daemon_that_is_killed_while_it_relays_loses_nothing(servers):
    count, kills = 3000, 2
    home = Path(tempfile.mkdtemp(prefix="neuralcore-test-"))
    daemon = RunningDaemon(home)
    try:
        with daemon.client() as client, MessageBus(name="killed", client=client) as bus:
            for channel in ("jobs", "results"):
                bus.create_channel(channel, persistent=True, max_queue_size=100_000).result()
            bridge = KafkaBridge(servers, "killed", namespace=bus.namespace, client=client)
            bridge.route("out", "jobs", topic="killed-out", serializer="json")
            bridge.route("in", "results", topic="killed-in", replay_start="earliest")
            await bridge.connect(PATIENCE)
            async with producing(servers) as outside:
                for part in range(kills + 1):
                    numbers = range(part * count // (kills + 1), (part + 1) * count // (kills + 1))
                    for i in numbers:
                        await outside.send("killed-in", b'{"payload": %d}' % i)
                    await bus.publish_many("jobs", list(numbers), confirm="durable")
                    if part < kills:  # … while the relays are at work on them
                        daemon.kill()
                        _ = daemon.daemon
            first = await read_until(servers, "killed-out", count)
            assert first == list(range(count)), "the first copies of all, in order"

            def arrived() -> list[Any]:
                try:
                    return [each["payload"] for each in bus.history("results", limit=2 * count)]
                except NeuralCoreError:
                    return []  # The daemon is on its way back.

            await until(lambda: len(arrived()) >= count, "all that came in")
            assert arrived() == list(range(count)), "each once, in order"
    finally:
        daemon.stop()
        shutil.rmtree(home, ignore_errors=True)


async def read_until(servers: str, topic: str, count: int) -> list[int]:
    """Payloads of a topic without those that were there before, until there are so many."""
    consumer = AIOKafkaConsumer(topic, bootstrap_servers=servers, auto_offset_reset="earliest")
    await consumer.start()
    seen: dict[int, None] = {}
    try:
        while len(seen) < count:
            record = await asyncio.wait_for(consumer.getone(), PATIENCE)
            seen.setdefault(json.loads(record.value)["payload"])
        return list(seen)
    finally:
        await consumer.stop()
