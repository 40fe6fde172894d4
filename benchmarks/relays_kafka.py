"""`bench relays --broker kafka`: messages to and from a Kafka broker, by the daemon's relay.

One broker, one daemon, one Python publisher on one machine; messages of 200 bytes of JSON. A figure
counts what the other end has: what the broker has answered for (acks=all), or what the bus has
taken and, on persistent channels, committed. aiokafka sends and reads the same in the same run.
"""

from __future__ import annotations

import asyncio
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

import neuralcore
from daemon import running_daemon
from neuralcore.messaging import MessageBus
from neuralcore.relays import KafkaBridge
from relays import PATIENCE, PAYLOAD, blob, until
from report import Figure, save, show

ROOT = Path(__file__).resolve().parent.parent
sys.path.append(str(ROOT / "python-client" / "tests" / "daemon"))
import kafka_server as kafka_server  # noqa: E402

BATCH = 256 << 10
WARM_UP = 5  # times as many messages in the round that does not count: two JVMs compile their ways


@contextmanager
def bridged(bus: MessageBus, servers: str, *routes: dict[str, Any]) -> Iterator[KafkaBridge]:
    client = bus._core._client
    bridge = KafkaBridge(servers, "bench", namespace=bus.namespace, client=client)
    for route in routes:
        bridge.route(**route)
    bridge.connect(PATIENCE).result()
    try:
        yield bridge
    finally:
        bridge.close(forget=True).result()


async def make(servers: str, topic: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=servers)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(topic, 1, 1)])
    finally:
        await admin.close()


async def fill(servers: str, topic: str, count: int) -> None:
    """In whole batches, which is the fastest that a Python program can."""
    producer = AIOKafkaProducer(bootstrap_servers=servers, acks="all", max_batch_size=BATCH)
    await producer.start()
    try:
        batch = producer.create_batch()
        for i in range(count):
            if batch.append(key=None, value=blob(i), timestamp=None) is None:
                batch.close()
                await producer.send_batch(batch, topic, partition=0)
                batch = producer.create_batch()
                batch.append(key=None, value=blob(i), timestamp=None)
        batch.close()
        await (await producer.send_batch(batch, topic, partition=0))
        await producer.flush()
    finally:
        await producer.stop()


async def written(servers: str, topic: str) -> int:
    consumer = AIOKafkaConsumer(bootstrap_servers=servers)
    await consumer.start()
    try:
        partition = TopicPartition(topic, 0)
        ends = await consumer.end_offsets([partition])
        return int(ends[partition])
    finally:
        await consumer.stop()


async def aiokafka_sends(servers: str, topic: str, count: int) -> float:
    producer = AIOKafkaProducer(
        bootstrap_servers=servers, acks="all", max_batch_size=BATCH, linger_ms=1
    )
    await producer.start()
    try:
        began = time.perf_counter()
        for i in range(count):
            await producer.send(topic, blob(i))
        await producer.flush()
        return count / (time.perf_counter() - began)
    finally:
        await producer.stop()


async def aiokafka_reads(servers: str, topic: str, count: int) -> float:
    consumer = AIOKafkaConsumer(
        topic, bootstrap_servers=servers, auto_offset_reset="earliest", group_id=None
    )
    await consumer.start()
    try:
        seen, began = 0, 0.0
        while seen < count:
            for messages in (await consumer.getmany(timeout_ms=1000)).values():
                began = began or time.perf_counter()
                seen += len(messages)
        return seen / (time.perf_counter() - began)
    finally:
        await consumer.stop()


def out(bus: MessageBus, servers: str, topic: str, count: int, persistent: bool) -> float:
    bus.create_channel(topic, persistent=persistent, max_queue_size=2 * count).result()
    route = {"direction": "out", "channel": topic, "topic": topic}
    with bridged(bus, servers, route) as bridge:
        began = time.perf_counter()
        for i in range(count):
            bus.publish(topic, {**PAYLOAD, "id": i})
            if i % 512 == 511 and bus._core.buffered > 20_000:
                bus.flush(PATIENCE).result()
        done = until(lambda: bridge.metrics()["published"] >= count)
        counts = bridge.metrics()
    there = asyncio.run(written(servers, topic))
    if counts["published"] != count or counts["lost"] or there != count:
        raise RuntimeError(f"{counts['published']} of {count} arrived, {there} are there")
    bus.remove_channel(topic).result()
    return count / (done - began)


def into(bus: MessageBus, servers: str, topic: str, count: int, persistent: bool) -> float:
    """From the first message on: joining a group takes its time, and no message any."""
    asyncio.run(fill(servers, topic, count))
    bus.create_channel(topic, persistent=persistent, max_queue_size=2 * count).result()
    route = {"direction": "in", "channel": topic, "topic": topic, "replay_start": "earliest"}
    with bridged(bus, servers, {**route, "group": topic}) as bridge:
        began = until(lambda: bridge.metrics()["received"] > 0, 0.001)
        first = int(bridge.metrics()["received"])
        done = until(lambda: bridge.metrics()["received"] >= count)
        if bridge.metrics()["received"] != count or bridge.metrics()["duplicates"]:
            raise RuntimeError("some came twice")
    bus.remove_channel(topic).result()
    return float(count - first) / (done - began)


def reconnect(bus: MessageBus, broker: kafka_server.Broker, topic: str) -> tuple[float, float]:
    """Milliseconds from the broker's first answer until connected, and until it has a message."""
    route = {"direction": "out", "channel": topic, "topic": topic}
    with bridged(bus, broker.servers, route) as bridge:
        bus.publish(topic, 1)
        until(lambda: bridge.metrics()["published"] == 1)
        broker.kill()
        until(lambda: bridge.status() == "reconnecting")
        broker.process = broker.begin()
        broker.wait()
        answered = time.perf_counter()
        bus.publish(topic, 2)
        connected = until(lambda: bridge.status() == "connected", 0.001)
        sent = until(lambda: bridge.metrics()["published"] == 2, 0.001)
    return max(0.0, connected - answered) * 1e3, max(0.0, sent - answered) * 1e3


def health(bus: MessageBus, broker: kafka_server.Broker, frozen: bool) -> float:
    """Milliseconds; frozen, the broker's connections stay and nothing ever comes."""
    with bridged(bus, broker.servers) as bridge:
        bridge.health_check().result()
        if frozen:
            broker.process.send_signal(signal.SIGSTOP)
        try:
            began = time.perf_counter()
            said = bridge.health_check().result()
            took = time.perf_counter() - began
        finally:
            broker.process.send_signal(signal.SIGCONT)
        if said["healthy"] == frozen or said["answer_age"] < 0:
            raise RuntimeError(f"health says {said}")
    return took * 1e3


def run(rounds: int, count: int) -> None:
    if not kafka_server.available():
        raise SystemExit(
            "bench relays --broker kafka needs the broker: ./neuralcore mvn generate-test-resources"
        )
    rates: dict[str, list[float]] = {}
    times: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        files = Path(folder, "kafka")
        files.mkdir()
        broker = kafka_server.Broker(files, heap="1g", quick_start=False)
        try:
            with running_daemon(Path(folder, "data")) as daemon:
                client = neuralcore.connect(f"unix:{daemon.ready['socket']}")
                with client, MessageBus(name="bench", client=client) as bus:
                    for round in range(rounds + 1):  # the first warms up
                        messages = count if round else WARM_UP * count
                        measure(bus, broker.servers, round, messages, rates)
                    for round in range(rounds):  # last: a broker that was restarted begins cold
                        outage(bus, broker, round, times)
        finally:
            broker.kill()
    figures = [Figure.of(name, "msg/s", found[1:]) for name, found in rates.items()]
    figures += [Figure.of(name, "ms", found) for name, found in times.items()]
    show(f"Relays to Kafka, {count} messages of 200 B", figures)
    print(save("relays-kafka", figures, {"count": count}))


def measure(
    bus: MessageBus, servers: str, round: int, count: int, rates: dict[str, list[float]]
) -> None:
    names = ("alone", "out.v", "in.v", "out.p", "in.p")
    alone, out_v, in_v, out_p, in_p = (f"{name}.{round}" for name in names)
    for topic in (alone, out_v, in_v, out_p, in_p):
        asyncio.run(make(servers, topic))
    found = {
        "aiokafka alone, send": asyncio.run(aiokafka_sends(servers, alone, count)),
        "aiokafka alone, getmany": asyncio.run(aiokafka_reads(servers, alone, count)),
        "out, volatile, topic": out(bus, servers, out_v, count, persistent=False),
        "in, volatile, topic": into(bus, servers, in_v, count, persistent=False),
        "out, persistent, topic": out(bus, servers, out_p, count, persistent=True),
        "in, persistent, topic": into(bus, servers, in_p, count, persistent=True),
    }
    for name, value in found.items():
        rates.setdefault(name, []).append(value)


def outage(
    bus: MessageBus, broker: kafka_server.Broker, round: int, times: dict[str, list[float]]
) -> None:
    again = f"again.{round}"
    asyncio.run(make(broker.servers, again))
    connected, sent = reconnect(bus, broker, again)
    waits = {
        "reconnect after a restart": connected,
        "first message after a restart": sent,
        "health call": health(bus, broker, frozen=False),
        "health call, broker frozen": health(bus, broker, frozen=True),
    }
    for name, value in waits.items():
        times.setdefault(name, []).append(value)
