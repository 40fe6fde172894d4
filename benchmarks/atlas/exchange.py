"""ATLAS's own bus and our daemon exchange messages over a Kafka broker, in both directions.

    python benchmarks/atlas/exchange.py --atlas-root FOLDER --atlas-python INTERPRETER

The interpreter is one with what ATLAS's bus needs: aiokafka, and msgpack. A daemon and a broker are
started and ended; what arrived is compared, message by message.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
PATIENCE = 90.0

# Run by ATLAS's interpreter. It prints what it hears, and publishes what it reads, line by line.
THEIRS = """
import asyncio, json, logging, sys
sys.path.insert(0, sys.argv[1])
from core.messaging.NCB import ChannelConfig, NeuralCognitiveBus

async def main():
    logging.disable(logging.CRITICAL)
    bus = NeuralCognitiveBus()
    bus.create_channel("c", ChannelConfig(name="c", kafka_in="to.atlas"))
    bus.create_channel("d", ChannelConfig(name="d", kafka_out="from.atlas"))
    async def hear(message):
        told = {"payload": message.payload, "priority": message.priority, "meta": message.meta}
        print(json.dumps(told, default=str), flush=True)
    await bus.register_subscriber("c", "s", hear)
    await bus.start(kafka_bootstrap_servers=sys.argv[2])
    while line := await asyncio.to_thread(sys.stdin.readline):
        said = json.loads(line)
        await bus.publish("d", said["payload"], priority=said["priority"], meta=said["meta"])
    await bus.stop()

asyncio.run(main())
"""


def exchange(atlas_root: Path, atlas_python: str, count: int) -> None:
    sys.path[:0] = [str(HERE.parent), str(ROOT / "python-client" / "tests" / "daemon")]
    import kafka_server

    import neuralcore
    from daemon import running_daemon
    from neuralcore.messaging import MessageBus
    from neuralcore.relays import KafkaBridge

    with tempfile.TemporaryDirectory() as folder:
        files = Path(folder, "kafka")
        files.mkdir()
        with kafka_server.running(files) as broker, running_daemon(Path(folder, "data")) as daemon:
            client = neuralcore.connect(f"unix:{daemon.ready['socket']}")
            with client, MessageBus(name="exchange", client=client) as bus:
                heard: list[Any] = []
                for channel in ("out", "in"):
                    bus.create_channel(channel, persistent=True).result()
                bus.subscribe("in", lambda m: heard.append((m.payload, m.priority))).result()
                bridge = KafkaBridge(
                    broker.servers, prefix="ncb.", namespace=bus.namespace, client=client
                )
                bridge.route("out", "out", topic="to.atlas")
                bridge.route("in", "in", topic="from.atlas", replay_start="earliest")
                bridge.connect(PATIENCE).result()
                theirs = subprocess.Popen(
                    [atlas_python, "-c", THEIRS, str(atlas_root), broker.servers],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    text=True,
                )
                try:
                    to_atlas(bus, theirs, count)
                    from_atlas(theirs, heard, count)
                finally:
                    theirs.kill()
                    theirs.wait()
                bridge.close(forget=True).result()
    print(f"{count} messages each way: all arrived, in order, with payload, priority and meta.")


def to_atlas(bus: Any, theirs: subprocess.Popen[str], count: int) -> None:
    assert theirs.stdout is not None
    # Its consumer begins with what comes after it has joined its group, whenever that is.
    import threading

    joined = threading.Event()

    def knock() -> None:
        while not joined.wait(0.5):
            bus.publish("out", "hello")

    threading.Thread(target=knock, daemon=True).start()
    first = json.loads(theirs.stdout.readline())
    joined.set()
    assert first["payload"] == "hello", first
    for i in range(count):
        bus.publish("out", {"i": i, "text": "Gr\u00fc\u00dfe"}, priority=5, meta={"k": i})
    for i in range(count):
        told = json.loads(theirs.stdout.readline())
        while told["payload"] == "hello":
            told = json.loads(theirs.stdout.readline())
        assert told["payload"] == {"i": i, "text": "Gr\u00fc\u00dfe"}, (i, told)
        assert told["priority"] == 5, told


def from_atlas(theirs: subprocess.Popen[str], heard: list[Any], count: int) -> None:
    assert theirs.stdin is not None
    for i in range(count):
        said = {"payload": {"theirs": i}, "priority": 3, "meta": {"k": i}}
        theirs.stdin.write(json.dumps(said) + "\n")
    theirs.stdin.flush()
    deadline = time.monotonic() + PATIENCE
    while len(heard) < count:
        assert time.monotonic() < deadline, f"{len(heard)} of {count} came"
        time.sleep(0.01)
    # Its bus sends each message by a task of its own, so their order is not promised.
    assert sorted(payload["theirs"] for payload, _ in heard) == list(range(count)), heard
    assert {priority for _, priority in heard} == {3}, heard


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--atlas-root", type=Path, required=True)
    parser.add_argument("--atlas-python", default=sys.executable)
    parser.add_argument("--count", type=int, default=200)
    options = parser.parse_args()
    exchange(options.atlas_root.resolve(), options.atlas_python, options.count)
