"""`bench relays`: messages to and from a Redis server, by the daemon's relay.

One redis-server, one daemon, one Python publisher on one machine; messages of 200 bytes of JSON.
A figure counts what the other end has: what Redis has answered for, or what the bus has taken and,
on persistent channels, committed. redis-py's own pipelines are measured in the same run.
"""

from __future__ import annotations

import argparse
import inspect
import json
import random
import signal
import socket
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

import redis as redis_py

import neuralcore
from bus.servers import redis_server
from daemon import running_daemon
from neuralcore.messaging import MessageBus
from neuralcore.relays import RedisBridge
from report import Figure, save, show

PATIENCE = 120.0
CONFIRMED = 5_000  # a round; before, so many times as many while the JVM compiles the way
WARM_UP = 5
FORMS = [("zstd", "json"), ("zstd", "ncb"), ("lz4", "json"), ("zlib", "json")]
PAYLOAD = {"id": 123456, "role": "user", "text": "x" * 140, "ok": True}


class Server:
    """A redis-server that keeps what it answered for, to be stopped, killed and started again."""

    def __init__(self, program: str, folder: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.command = [program, "--port", str(self.port), "--bind", "127.0.0.1", "--save", ""]
        self.command += ["--dir", str(folder), "--appendonly", "yes"]
        self.process = self.begin()
        self.wait()

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def begin(self) -> subprocess.Popen[bytes]:
        quiet = subprocess.DEVNULL
        return subprocess.Popen(self.command, stdin=quiet, stdout=quiet, stderr=quiet)

    def wait(self) -> None:
        """Until it answers."""
        deadline = time.perf_counter() + PATIENCE
        while True:
            try:
                with socket.create_connection(("127.0.0.1", self.port), 1) as probe:
                    probe.sendall(b"PING\r\n")
                    if probe.recv(7) == b"+PONG\r\n":
                        return
            except OSError:
                pass
            if time.perf_counter() > deadline:
                raise RuntimeError("redis-server does not answer")
            time.sleep(0.001)


def until(check: Callable[[], bool], pause: float = 0.004) -> float:
    """When it became so."""
    deadline = time.perf_counter() + PATIENCE
    while not check():
        if time.perf_counter() > deadline:
            raise RuntimeError("it does not happen")
        time.sleep(pause)
    return time.perf_counter()


@contextmanager
def bridged(bus: MessageBus, server: Server, *routes: dict[str, Any]) -> Iterator[RedisBridge]:
    bridge = RedisBridge(server.url, "bench", namespace=bus.namespace, client=bus._core._client)
    for route in routes:
        bridge.route(**route)
    bridge.connect(PATIENCE).result()
    try:
        yield bridge
    finally:
        bridge.close(forget=True).result()


def send_raw(server: Server, request: bytes, answers: int) -> None:
    """Many commands at once, as fast as the server reads them; each answer is one line."""
    with socket.create_connection(("127.0.0.1", server.port)) as connection:
        connection.sendall(request)
        seen = 0
        while seen < answers:
            piece = connection.recv(1 << 20)
            if b"-ERR" in piece:
                raise RuntimeError(piece[:200])
            seen += piece.count(b":")


def command(*words: bytes) -> bytes:
    parts = [b"*%d\r\n" % len(words)]
    parts += [b"$%d\r\n%b\r\n" % (len(word), word) for word in words]
    return b"".join(parts)


def blob(i: int) -> bytes:
    message = {"id": str(i), "channel": "c", "ts": 1.5, "priority": 5, "payload": PAYLOAD}
    return json.dumps({**message, "meta": {}}, separators=(",", ":")).encode()


def out(bus: MessageBus, server: Server, count: int, persistent: bool) -> float:
    channel = "out.p" if persistent else "out.v"
    bus.create_channel(channel, persistent=persistent, max_queue_size=2 * count).result()
    place = {"stream": "out"} if persistent else {"pubsub": "out"}
    with bridged(bus, server, {"direction": "out", "channel": channel, **place}) as bridge:
        began = time.perf_counter()
        for i in range(count):
            bus.publish(channel, {**PAYLOAD, "id": i})
            if i % 512 == 511 and bus._core.buffered > 20_000:
                bus.flush(PATIENCE).result()
        done = until(lambda: bridge.metrics()["published"] >= count)
        counts = bridge.metrics()
        if counts["published"] != count or counts["lost"]:
            raise RuntimeError(f"{counts['published']} of {count} arrived")
    if persistent:
        with redis_py.Redis.from_url(server.url) as peer:
            if peer.xlen("out") != count:
                raise RuntimeError(f"{peer.xlen('out')} of {count} entries")
            peer.delete("out")
    bus.remove_channel(channel).result()
    return count / (done - began)


def into_volatile(bus: MessageBus, server: Server, count: int) -> float:
    bus.create_channel("in.v", max_queue_size=2 * count).result()
    request = b"".join(command(b"PUBLISH", b"in", blob(i)) for i in range(count))
    with bridged(bus, server, {"direction": "in", "channel": "in.v", "pubsub": "in"}) as bridge:
        began = time.perf_counter()
        send_raw(server, request, count)
        done = until(lambda: bridge.metrics()["received"] + bridge.metrics()["dropped"] >= count)
        if bridge.metrics()["dropped"]:
            raise RuntimeError(f"{bridge.metrics()['dropped']} were dropped")
    bus.remove_channel("in.v").result()
    return count / (done - began)


def into_persistent(bus: MessageBus, server: Server, count: int) -> float:
    bus.create_channel("in.p", persistent=True).result()
    with redis_py.Redis.from_url(server.url) as peer:
        pipeline = peer.pipeline(transaction=False)
        for i in range(count):
            pipeline.xadd("in", {"id": str(i), "data": blob(i)})
        pipeline.execute()
        route = {"direction": "in", "channel": "in.p", "stream": "in", "replay_start": "0-0"}
        began = time.perf_counter()
        with bridged(bus, server, route) as bridge:
            done = until(lambda: bridge.metrics()["received"] >= count)
            pending = until(lambda: peer.xpending("in", "neuralcore")["pending"] == 0)
            if pending < done or bridge.metrics()["received"] != count:
                raise RuntimeError("some came twice")
        peer.delete("in")
    bus.remove_channel("in.p").result()
    return count / (done - began)


def redis_py_alone(server: Server, count: int, stream: bool) -> float:
    with redis_py.Redis.from_url(server.url) as peer:
        began = time.perf_counter()
        for first in range(0, count, 512):
            pipeline = peer.pipeline(transaction=False)
            for i in range(first, min(count, first + 512)):
                if stream:
                    pipeline.xadd("alone", {"id": str(i), "data": blob(i)})
                else:
                    pipeline.publish("alone", blob(i))
            pipeline.execute()
        took = time.perf_counter() - began
        peer.delete("alone")
    return count / took


def confirmed(bus: MessageBus, server: Server, count: int) -> tuple[float, float]:
    """Microseconds of a publish that waits for the server, and of redis-py's own XADD, in turn."""
    ours, theirs = [], []
    route = {"direction": "out", "channel": "c.v", "stream": "confirmed", "trim_maxlen": 1000}
    with bridged(bus, server, route), redis_py.Redis.from_url(server.url) as peer:
        for i in range(count):
            began = time.perf_counter()
            confirmation: Any = bus.publish("c.v", {**PAYLOAD, "id": i}, confirm="relayed")
            confirmation.result(PATIENCE)
            between = time.perf_counter()
            peer.xadd("alone", {"id": str(i), "data": blob(i)}, maxlen=1000)
            ours.append((between - began) * 1e6)
            theirs.append((time.perf_counter() - between) * 1e6)
        peer.delete("alone", "confirmed")
    return statistics.median(ours), statistics.median(theirs)


def saved(bus: MessageBus, server: Server, compression: str, length: int, serializer: str) -> float:
    """Per cent of the bytes of messages like ATLAS's, of texts that no dictionary was made of."""
    bridge = RedisBridge(
        server.url, "packs", namespace=bus.namespace, compression=compression,
        serializer=serializer, client=bus._core._client,
    )  # fmt: skip
    bridge.route("out", "packed", pubsub="packed")
    bridge.connect(PATIENCE).result()
    try:
        for message in atlas_like(500, length):
            bus.publish("packed", message)
        until(lambda: bridge.metrics()["published"] == 500)
        return 100 * (1 - 1 / float(bridge.metrics()["compression_ratio"]))
    finally:
        bridge.close().result()


def atlas_like(count: int, length: int) -> Iterator[dict[str, Any]]:
    """Requests, answers, tools and states with texts from the words of Python's own library."""
    words = " ".join(
        " ".join((inspect.getdoc(value) or "").split())
        for module in (argparse, inspect, json, subprocess, tempfile)
        for value in vars(module).values()
        if inspect.isclass(value) or inspect.isfunction(value)
    )
    chance = random.Random(7)
    kinds: list[Callable[[], dict[str, Any]]] = [
        lambda: {"request_id": str(uuid()), "model": "gpt-4o", "stream": True, "prompt": ""},
        lambda: {"request_id": str(uuid()), "tool_name": "fs.read", "success": True, "result": ""},
        lambda: {"agent_id": "planner", "status": "running", "task_id": str(uuid()), "message": ""},
        lambda: {"user_id": "user-7", "conversation_id": str(uuid()), "text": ""},
    ]

    def uuid() -> UUID:
        return UUID(int=chance.getrandbits(128))

    for i in range(count):
        message = kinds[i % len(kinds)]()
        start = chance.randrange(len(words) - length)
        room = length - len(json.dumps(message))
        yield {**message, list(message)[-1]: words[start : start + room]}


def reconnect(bus: MessageBus, server: Server) -> float:
    """Milliseconds from the server's first answer until the relay is connected again."""
    route = {"direction": "out", "channel": "x", "pubsub": "x"}
    with bridged(bus, server, route) as bridge:
        server.process.kill()
        server.process.wait()
        time.sleep(1.0)
        server.process = server.begin()
        server.wait()
        answered = time.perf_counter()
        done = until(lambda: bridge.status() == "connected", 0.001)
    return max(0.0, done - answered) * 1e3


def health(bus: MessageBus, server: Server, frozen: bool) -> float:
    """Milliseconds; frozen, the server's connections stay and nothing ever comes."""
    route = {"direction": "out", "channel": "x", "pubsub": "x"}
    with bridged(bus, server, route) as bridge:
        bridge.health_check().result()
        if frozen:
            server.process.send_signal(signal.SIGSTOP)
        try:
            began = time.perf_counter()
            said = bridge.health_check().result()
            took = time.perf_counter() - began
        finally:
            server.process.send_signal(signal.SIGCONT)
        if said["healthy"] == frozen or said["answer_age"] < 0:
            raise RuntimeError(f"health says {said}")
    return took * 1e3


def run(rounds: int, count: int) -> None:
    program = redis_server()
    if program is None:
        raise SystemExit("bench relays needs redis-server: apt-get install redis-server")
    rates: dict[str, list[float]] = {}
    times: dict[str, list[float]] = {}
    waits: dict[str, list[float]] = {}
    packed: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        files = Path(folder, "redis")
        files.mkdir()
        server = Server(program, files)
        try:
            with running_daemon(Path(folder, "data")) as daemon:
                client = neuralcore.connect(f"unix:{daemon.ready['socket']}")
                with client, MessageBus(name="bench", client=client) as bus:
                    for round in range(rounds + 1):  # the first warms up
                        measure(bus, server, count, rates, times)
                        calls = CONFIRMED if round else WARM_UP * CONFIRMED
                        add(waits, waits_of(bus, server, min(calls, count)))
                        add(packed, savings(bus, server))
        finally:
            server.process.kill()
            server.process.wait()
    figures = [Figure.of(name, "msg/s", found[1:]) for name, found in rates.items()]
    figures += [Figure.of(name, "ms", found[1:]) for name, found in times.items()]
    figures += [Figure.of(name, "µs", found[1:]) for name, found in waits.items()]
    figures += [Figure.of(name, "% saved", found[1:]) for name, found in packed.items()]
    show(f"Relays to Redis, {count} messages of 200 B", figures)
    print(save("relays", figures, {"count": count}))


def measure(
    bus: MessageBus,
    server: Server,
    count: int,
    rates: dict[str, list[float]],
    times: dict[str, list[float]],
) -> None:
    found = {
        "redis-py alone, PUBLISH": redis_py_alone(server, count, stream=False),
        "redis-py alone, XADD": redis_py_alone(server, count, stream=True),
        "out, volatile, Pub/Sub": out(bus, server, count, persistent=False),
        "in, volatile, Pub/Sub": into_volatile(bus, server, count),
        "out, persistent, stream": out(bus, server, count, persistent=True),
        "in, persistent, stream": into_persistent(bus, server, count),
    }
    add(rates, found)
    waits = {
        "reconnect after a restart": reconnect(bus, server),
        "health call": health(bus, server, frozen=False),
        "health call, server frozen": health(bus, server, frozen=True),
    }
    add(times, waits)


def waits_of(bus: MessageBus, server: Server, count: int) -> dict[str, float]:
    ours, theirs = confirmed(bus, server, count)
    return {
        "publish, confirmed when relayed": ours,
        "redis-py alone, XADD, one by one": theirs,
        "beyond redis-py": ours - theirs,
    }


def savings(bus: MessageBus, server: Server) -> dict[str, float]:
    return {
        f"{compression}, {serializer}, {length} B": saved(
            bus, server, compression, length, serializer
        )
        for compression, serializer in FORMS
        for length in (200, 2048)
    }


def add(to: dict[str, list[float]], found: dict[str, float]) -> None:
    for name, value in found.items():
        to.setdefault(name, []).append(value)
