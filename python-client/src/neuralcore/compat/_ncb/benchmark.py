"""How fast a bus is, from within the application."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from neuralcore.compat._ncb.message import Message

if TYPE_CHECKING:
    from neuralcore.compat._ncb.bus import NeuralCognitiveBus

_NAME = "__bench_noop__"


async def run_benchmark(
    bus: NeuralCognitiveBus,
    channel: str,
    messages: int,
    concurrency: int,
    payload_factory: Callable[[int], Any] | None,
    priority: int,
) -> dict[str, Any]:
    """See ``NeuralCognitiveBus.benchmark``."""
    if channel not in bus._queues:
        raise ValueError(f"Channel '{channel}' does not exist")
    make = payload_factory or (lambda i: {"i": i, "t": time.time()})
    # What is under way fits the queue, so that nothing is dropped.
    size = bus._queues[channel].maxsize
    window = size if size > 0 else 10_000
    done = 0
    numbers = iter(range(messages))

    async def count(_: Message) -> None:
        nonlocal done
        done += 1

    published = 0

    async def publish() -> None:
        nonlocal published
        for i in numbers:
            while published - done >= window:
                await asyncio.sleep(0)
            published += 1
            while await bus.publish(channel, make(i), priority=priority) is None:
                await asyncio.sleep(0.001)

    async def finished() -> None:
        while done < messages:
            await asyncio.sleep(0)

    await bus.register_subscriber(channel, _NAME, count)
    try:
        started = time.perf_counter()
        await asyncio.gather(*(publish() for _ in range(max(1, concurrency))))
        await asyncio.wait_for(finished(), timeout=max(5.0, messages / 10_000))
        seconds = time.perf_counter() - started
    finally:
        await bus.unregister_subscriber(channel, _NAME)
    return {
        "channel": channel,
        "messages": messages,
        "concurrency": concurrency,
        "seconds": seconds,
        "msgs_per_sec": messages / seconds if seconds > 0 else float("inf"),
        "metrics": bus.snapshot_metrics().get(channel, {}),
    }
