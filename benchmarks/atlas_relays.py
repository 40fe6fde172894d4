"""An original bus of ATLAS and our daemon exchange messages over one broker, in both directions.

    .venv/bin/python benchmarks/atlas_relays.py --atlas-root ATLAS --atlas-python PYTHON

ATLAS's bus runs in a process of its own, by an interpreter that has its libraries and the broker's.
Each side sends its messages and counts the other's: each must come once, in order, with payload and
priority. With Pub/Sub, and for ATLAS's consumer of a topic, nothing is kept for who is not there,
so each says first that it hears the other.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_ATLAS_DEFAULT = 100
PATIENCE = 120.0
THERE, BACK = "atlas.there", "atlas.back"
HELLO, HEARD = "is anybody there?", "I hear you"


@dataclass(frozen=True)
class Broker:
    """What differs from one broker to the other.

    :ivar running: a server; what ATLAS's ``start`` is given, and what a relay is.
    :ivar routes: our relay's, from ``THERE`` and to ``BACK``.
    """

    name: str
    running: Callable[[Path], AbstractContextManager[tuple[dict[str, Any], dict[str, Any]]]]
    out: dict[str, Any]
    back: dict[str, Any]


@contextmanager
def redis(folder: Path) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    from bus.servers import redis_server
    from relays import Server

    program = redis_server()
    if program is None:
        raise SystemExit("this needs redis-server: apt-get install redis-server")
    server = Server(program, folder)
    try:
        yield {"redis_url": server.url}, {"url": server.url}
    finally:
        server.process.kill()
        server.process.wait()


@contextmanager
def kafka(folder: Path) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    from relays_kafka import kafka_server, make

    with kafka_server.running(folder) as broker:
        for name in (THERE, BACK):  # ATLAS's consumer does not see topics that come later
            asyncio.run(make(broker.servers, f"ncb.{name}"))
        place = {"bootstrap_servers": broker.servers, "prefix": "ncb."}
        yield {"kafka_bootstrap_servers": broker.servers}, place


BROKERS = [
    Broker("redis", redis, {"pubsub": THERE}, {"pubsub": BACK}),
    Broker("kafka", kafka, {"topic": THERE}, {"topic": BACK, "replay_start": "earliest"}),
]


def payload(i: int) -> dict[str, Any]:
    return {"n": i, "text": f"Grüße {i}", "parts": [i, 1.5, None, True], "deep": {"a": {"b": i}}}


def greet(word: str, met: asyncio.Event, heard: asyncio.Event) -> None:
    """Each side says hello until it hears the other, and then so: who is heard may begin."""
    met.set()
    if word == HEARD:
        heard.set()


# ATLAS's side: run by its interpreter, without any library of ours.


async def atlas(broker: str, start: dict[str, Any], count: int) -> dict[str, Any]:
    from core.messaging import NCB  # type: ignore[import-not-found]

    bus = NCB.NeuralCognitiveBus()
    ways = {f"{broker}_in": THERE, f"{broker}_out": BACK}
    for name, way in (("in", f"{broker}_in"), ("out", f"{broker}_out")):
        config = NCB.ChannelConfig(name=name, max_queue_size=2 * count, **{way: ways[way]})
        bus.create_channel(name, config)
    got: list[Any] = []
    met, heard = asyncio.Event(), asyncio.Event()

    async def take(message: Any) -> None:
        if isinstance(message.payload, str):
            greet(message.payload, met, heard)
        else:
            got.append([message.payload, message.priority])

    await bus.register_subscriber("in", "exchange", take)
    await bus.start(**start)
    deadline = time.monotonic() + PATIENCE
    while not heard.is_set() and time.monotonic() < deadline:
        await bus.publish("out", HEARD if met.is_set() else HELLO)
        await asyncio.sleep(0.05)
    await bus.publish("out", HEARD)
    usual = len(asyncio.all_tasks())
    for i in range(count):
        while await bus.publish("out", payload(i), priority=i % 3) is None:
            await asyncio.sleep(0.001)
        # Each is a task with a connection of its own, of which there are not many.
        while len(asyncio.all_tasks()) > usual + 20:
            await asyncio.sleep(0.001)
    while len(got) < count and time.monotonic() < deadline:
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.5)  # what comes twice comes now
    await bus.stop()
    return {"got": got}


# Ours


async def ours(client: Any, broker: Broker, place: dict[str, Any], count: int) -> list[Any]:
    from neuralcore.messaging import MessageBus
    from neuralcore.relays import KafkaBridge, RedisBridge

    bridges: dict[str, Any] = {"redis": RedisBridge, "kafka": KafkaBridge}
    got: list[Any] = []
    met, heard = asyncio.Event(), asyncio.Event()

    def take(message: Any) -> None:
        if isinstance(message.payload, str):
            greet(message.payload, met, heard)
        else:
            got.append([message.payload, message.priority])

    async with MessageBus(name="exchange", client=client) as bus:
        for name in ("out", "in"):
            await bus.create_channel(name, max_queue_size=4 * count)
        bridge = bridges[broker.name](**place, namespace=bus.namespace, client=client)
        bridge.route("out", "out", **broker.out)
        bridge.route("in", "in", **broker.back)
        await bridge.connect(PATIENCE)
        await bus.subscribe("in", take)
        deadline = time.monotonic() + PATIENCE
        while not heard.is_set() and time.monotonic() < deadline:
            bus.publish("out", HEARD if met.is_set() else HELLO)
            await asyncio.sleep(0.05)
        bus.publish("out", HEARD)
        for i in range(count):
            bus.publish("out", payload(i), priority=i % 3)
            if i % 200 == 199:
                await bus.flush(PATIENCE)
        while len(got) < count and time.monotonic() < deadline:
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.5)
        await bridge.close()
    return got


def check(who: str, got: list[Any], count: int, *, ordered: bool, zero: int = 0) -> None:
    """Each once with its priority, and of one priority in order.

    :param ordered: ATLAS publishes to a broker by tasks that overtake each other.
    :param zero: what priority 0 becomes: ATLAS takes it for none, and its channel's default.
    """
    wanted = sorted([i, payload(i), i % 3 or zero] for i in range(count))
    seen = sorted([each[0]["n"], *each] for each in got)
    if seen != wanted:
        raise SystemExit(f"{who} got {len(got)} of {count}, or others: {got[:2]} …")
    for priority in (zero, 1, 2) if ordered else ():
        numbers = [each[0]["n"] for each in got if each[1] == priority]
        if numbers != sorted(numbers):
            raise SystemExit(f"{who} got priority {priority} out of order")
    order = ", each priority in order" if ordered else ""
    print(f"{who} got each of {count} once, with its priority{order}")


def main() -> None:
    parser = argparse.ArgumentParser(description="ATLAS's bus and ours over one broker")
    parser.add_argument("--atlas-root", type=Path, required=True)
    parser.add_argument("--atlas-python", default=sys.executable)
    parser.add_argument("--broker", choices=[broker.name for broker in BROKERS])
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--as-atlas", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.as_atlas:
        sys.path.insert(0, str(options.atlas_root))
        start = json.loads(options.as_atlas)
        print("\n" + json.dumps(asyncio.run(atlas(options.broker, start, options.count))))
        return
    for broker in BROKERS:
        if options.broker in (None, broker.name):
            exchange(broker, options)


def exchange(broker: Broker, options: argparse.Namespace) -> None:
    from neuralcore.testing import RunningDaemon

    with tempfile.TemporaryDirectory() as folder:
        daemon = RunningDaemon(Path(folder, "data"))
        files = Path(folder, "broker")
        files.mkdir()
        with broker.running(files) as (start, place):
            command = [options.atlas_python, __file__, "--atlas-root", str(options.atlas_root)]
            command += ["--broker", broker.name, "--count", str(options.count)]
            command += ["--as-atlas", json.dumps(start)]
            pipe = subprocess.PIPE
            with (
                subprocess.Popen(command, stdout=pipe, cwd=folder) as other,
                daemon.client() as client,
            ):
                try:
                    mine = asyncio.run(ours(client, broker, place, options.count))
                    assert other.stdout is not None
                    said = json.loads(other.stdout.read().decode().splitlines()[-1])
                finally:
                    other.terminate()
                    daemon.stop()
        check(f"{broker.name}: the daemon", mine, options.count, ordered=False)
        check(
            f"{broker.name}: ATLAS", said["got"], options.count, ordered=True, zero=_ATLAS_DEFAULT
        )


if __name__ == "__main__":
    main()
