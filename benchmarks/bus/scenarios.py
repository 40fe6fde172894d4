"""What is measured, within one process that this file runs as.

    python -m bus.scenarios CONTENDER WHERE SCENARIO [NAME=NUMBER…]

prints one JSON object: its figures by name. Wrong counts or contents end it with an error.
"""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import os
import sys
import time
import uuid
from collections.abc import Awaitable, Callable
from typing import Any

from bus.contenders import Contender, Ours, contender

PAYLOAD = {
    "agent": "planner",
    "text": "x" * 88,
    "score": 0.25,
    "tags": ["tool", "result"],
    "done": False,
}
_WINDOW = 16_384
_BURST = 512
Figures = dict[str, float]


class Receiver:
    """Counts, and adds up the numbers that the messages carry."""

    def __init__(self, wanted: int) -> None:
        self._done = asyncio.Event()
        self.expect(wanted)

    def expect(self, wanted: int) -> None:
        """Begins anew."""
        self.count = 0
        self.sum = 0
        self._wanted = wanted
        self._done.clear()

    def take(self, payload: Any) -> None:
        self.count += 1
        self.sum += payload["step"]
        if self.count == self._wanted:
            self._done.set()

    async def wait(self, numbers: int, copies: int = 1) -> None:
        await asyncio.wait_for(self._done.wait(), 120)
        expected = copies * numbers * (numbers - 1) // 2
        if self.sum != expected:
            raise AssertionError(f"the messages add up to {self.sum} instead of {expected}")


async def publish_all(
    bus: Contender,
    channels: list[str],
    messages: int,
    left: Callable[[int], bool],
    size: int = 0,
) -> None:
    """Publishes in bursts, at most so far ahead of the receivers as ``left`` allows."""
    payload: dict[str, Any] = dict(PAYLOAD)
    if size:
        payload["text"] = "x" * size
    burst = max(1, min(_BURST, (4 << 20) // (size or 150)))
    many = len(channels)
    awaits = bus.awaits
    publish = bus.publish
    for start in range(0, messages, burst):
        for i in range(start, min(messages, start + burst)):
            published: Any = publish(channels[i % many], {**payload, "step": i}, i % 10)
            if awaits:
                await published
        await bus.breathe()
        while not left(start + burst):
            await asyncio.sleep(0)


async def one_process(bus: Contender, *, messages: int, channels: int, copies: int) -> Figures:
    """The process publishes and receives; each message goes to ``copies`` subscriptions."""
    names = [f"work{i}" for i in range(channels)]
    total = messages * copies
    figures = {}
    receiver = Receiver(total)

    def has_room(sent: int) -> bool:
        return sent * copies - receiver.count < _WINDOW * copies

    await bus.open()
    for name in names:
        for _ in range(copies):
            await bus.subscribe(name, receiver.take)
    for run in ("cold", "warm", "warm"):
        receiver.expect(total)
        began = time.perf_counter()
        await publish_all(bus, names, messages, has_room)
        await receiver.wait(messages, copies)
        figures[run] = total / (time.perf_counter() - began)
    if isinstance(bus, Ours):
        counts = [bus.counts(name) for name in names]
        delivered = sum(c["delivered"] for c in counts)
        if delivered != 3 * total or any(c["dropped"] for c in counts):
            raise AssertionError(f"the daemon delivered {delivered} of {3 * total}")
        figures["daemon_delivered"] = delivered
    await bus.close()
    return figures


async def publish_call(bus: Contender, *, calls: int) -> Figures:
    """How long a call takes, one by one; nobody receives."""
    await bus.open()
    taken = []
    clock = time.perf_counter_ns
    payload = {**PAYLOAD, "step": 1}
    for i in range(calls):
        began = clock()
        published = bus.publish("nobody", payload, i % 10)
        if bus.awaits:
            await published
        taken.append(clock() - began)
        if i % 256 == 255:
            await bus.breathe()
    await bus.close()
    taken.sort()
    return {"p50": taken[calls // 2] / 1e3, "p99": taken[calls * 99 // 100] / 1e3}


async def idle_latency(bus: Contender, *, calls: int) -> Figures:
    """From the call of publish to the handler, one message at a time."""
    await bus.open()
    taken = []
    came = asyncio.Event()
    clock = time.perf_counter_ns

    def handle(payload: Any) -> None:
        taken.append(clock() - payload["step"])
        came.set()

    await bus.subscribe("work", handle)
    for _ in range(calls):
        came.clear()
        published = bus.publish("work", {**PAYLOAD, "step": clock()}, 0)
        if bus.awaits:
            await published
        if not isinstance(bus, Ours):
            await bus.breathe()
        await asyncio.wait_for(came.wait(), 10)
        await asyncio.sleep(0.001)
    await bus.close()
    taken.sort()
    return {"p50": taken[calls // 2] / 1e3, "p99": taken[calls * 99 // 100] / 1e3}


async def payloads(bus: Contender, *, size: int, messages: int) -> Figures:
    """The process publishes and receives messages of so many bytes."""
    await bus.open()
    receiver = Receiver(messages)
    await bus.subscribe("work", receiver.take)
    began = time.perf_counter()
    window = max(4, (16 << 20) // size)
    await publish_all(bus, ["work"], messages, lambda sent: sent - receiver.count < window, size)
    await receiver.wait(messages)
    seconds = time.perf_counter() - began
    await bus.close()
    return {"seconds": seconds, "rate": messages / seconds}


def _other_process(name: str, where: str, namespace: str, messages: int, ready: Any) -> None:
    async def receive() -> None:
        bus = contender(name, where, namespace)
        await bus.open()
        receiver = Receiver(messages)
        await bus.subscribe("work", receiver.take)
        ready.put("ready")
        await receiver.wait(messages)
        ready.put(time.time())
        await bus.close()

    asyncio.run(receive())


async def two_processes(name: str, where: str, *, messages: int) -> Figures:
    """One process publishes, another receives."""
    namespace = f"bench-{uuid.uuid4().hex}"
    spawn = multiprocessing.get_context("spawn")
    ready = spawn.Queue()
    bus = contender(name, where, namespace)
    await bus.open()
    other = spawn.Process(target=_other_process, args=(name, where, namespace, messages, ready))
    other.start()
    try:
        assert await asyncio.to_thread(ready.get, True, 60) == "ready"
        began = time.time()
        await publish_all(bus, ["work"], messages, lambda sent: True)
        ended = await asyncio.to_thread(ready.get, True, 120)
    finally:
        other.join(30)
    await bus.close()
    return {"rate": messages / (ended - began)}


async def drop_old(bus: Contender, *, messages: int) -> Figures:
    """Publishing into a channel of 10,000 that is full and evicts."""
    await bus.open()
    assert isinstance(bus, Ours) or hasattr(bus, "_bus")
    if isinstance(bus, Ours):
        gate = asyncio.Event()

        async def wait(message: Any) -> None:
            await gate.wait()

        await bus.bus.create_channel("full", max_queue_size=10_000, drop_policy="drop_old")
        await bus.bus.subscribe("full", wait, credit=1)
        fill = messages
        for i in range(11_000):
            bus.bus.publish("full", PAYLOAD, i % 10)
            if i % 512 == 511:
                await asyncio.sleep(0)
        await bus.bus.flush()
        began = time.perf_counter()
        for i in range(fill):
            bus.bus.publish("full", PAYLOAD, i % 10)
            if i % 512 == 511:
                await asyncio.sleep(0)
        await bus.bus.flush(60.0)
        seconds = time.perf_counter() - began
        counts = bus.counts("full")
        if counts["queued"] < 10_000 or counts["dropped"] < fill:
            raise AssertionError(f"the queue was not full: {counts}")
        gate.set()
        await bus.bus.stop(0.0)
        return {"microseconds": seconds / fill * 1e6}
    ncb: Any = bus
    module = ncb._module
    ncb._bus.create_channel(
        "full",
        module.ChannelConfig("full", max_queue_size=10_000, drop_policy="drop_old"),
    )
    await ncb._bus.stop()  # so that nobody takes anything
    for i in range(10_000):
        await ncb._bus.publish("full", PAYLOAD, priority=i % 10)
    began = time.perf_counter()
    few = max(1, messages // 200)
    for i in range(few):
        await ncb._bus.publish("full", PAYLOAD, priority=i % 10)
    return {"microseconds": (time.perf_counter() - began) / few * 1e6}


async def durable(name: str, where: str, *, messages: int, in_flight: int) -> Figures:
    """Each message confirmed when it is on disk, so many unconfirmed at a time."""
    payload = {**PAYLOAD, "step": 1}
    if name == "ours":
        bus = Ours(where, f"bench-{uuid.uuid4().hex}")
        await bus.open()
        await bus.bus.create_channel("kept", persistent=True, max_queue_size=0)
        began = time.perf_counter()
        waiting: list[Any] = []
        for i in range(messages):
            waiting.append(bus.bus.publish("kept", payload, i % 10, confirm="durable"))
            if len(waiting) == in_flight:
                half = in_flight // 2
                for confirmation in waiting[:half]:
                    await confirmation
                del waiting[:half]
        for confirmation in waiting:
            await confirmation
        rate = messages / (time.perf_counter() - began)
        await bus.close()
        return {"rate": rate}
    if name == "nats":
        from bus.contenders import Nats

        nats = Nats(where)
        await nats.open()
        stream = nats.connection.jetstream(publish_async_max_pending=in_flight + 1)
        subject = f"kept{uuid.uuid4().hex}"
        await stream.add_stream(name=subject, subjects=[subject], storage="file")
        began = time.perf_counter()
        encoded = nats._encode(payload)
        pending: list[Any] = []
        for _ in range(messages):
            pending.append(await stream.publish_async(subject, encoded))
            if len(pending) == in_flight:
                half = in_flight // 2
                await asyncio.gather(*pending[:half])
                del pending[:half]
        await asyncio.gather(*pending)
        rate = messages / (time.perf_counter() - began)
        await nats.close()
        return {"rate": rate}
    from bus.contenders import Redis

    redis = Redis(where)
    await redis.open()
    began = time.perf_counter()
    for start in range(0, messages, in_flight):
        for i in range(start, min(messages, start + in_flight)):
            redis.publish("kept", payload, i % 10)
        await redis._pipe.execute()
    rate = messages / (time.perf_counter() - began)
    await redis.close()
    return {"rate": rate}


async def replay(name: str, where: str, *, messages: int) -> Figures:
    """A subscription that begins at the first of so many kept messages."""
    assert name == "ours"
    bus = Ours(where, f"bench-{uuid.uuid4().hex}")
    await bus.open()
    await bus.bus.create_channel("kept", persistent=True, max_queue_size=0)
    for start in range(0, messages, 5000):
        ids = bus.bus.publish_many(
            "kept",
            ({**PAYLOAD, "step": i} for i in range(start, min(messages, start + 5000))),
            confirm="durable",
        )
        await ids
    receiver = Receiver(messages)

    async def on_message(message: Any) -> None:
        receiver.take(message.payload)

    began = time.perf_counter()
    await bus.bus.subscribe("kept", on_message, start="first")
    await receiver.wait(messages)
    rate = messages / (time.perf_counter() - began)
    await bus.close()
    return {"rate": rate}


def disk_syncs(folder: str, seconds: float = 1.0) -> float:
    """Appends of 4 KiB, each synced, that the disk makes a second."""
    path = os.path.join(folder, "sync.probe")
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    block = os.urandom(4096)
    done = 0
    began = time.perf_counter()
    while time.perf_counter() - began < seconds:
        os.write(handle, block)
        os.fdatasync(handle)
        done += 1
    taken = time.perf_counter() - began
    os.close(handle)
    os.unlink(path)
    return done / taken


def main() -> None:
    name, where, scenario, *rest = sys.argv[1:]
    numbers = {key: int(value) for key, value in (pair.split("=") for pair in rest)}
    work: Awaitable[Figures]
    if scenario in ("two_processes", "durable", "replay"):
        work = globals()[scenario](name, where, **numbers)
    else:
        work = globals()[scenario](contender(name, where), **numbers)
    figures: Figures = asyncio.run(work)  # type: ignore[arg-type]
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
