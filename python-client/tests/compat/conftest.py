"""Buses in the manner of ATLAS, over a real daemon."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest

from neuralcore.client import Client
from neuralcore.compat.atlas_ncb import Message, NeuralCognitiveBus
from neuralcore.testing import RunningDaemon

PATIENCE = 10.0


@pytest.fixture
def client(neuralcore_daemon: RunningDaemon) -> Iterator[Client]:
    with neuralcore_daemon.client() as opened:
        yield opened


@pytest.fixture
async def make(client: Client) -> AsyncIterator[Callable[..., NeuralCognitiveBus]]:
    """Makes buses, and stops those that run at the end."""
    made: list[NeuralCognitiveBus] = []

    def make_one(**keywords: Any) -> NeuralCognitiveBus:
        bus = NeuralCognitiveBus(client=client, **keywords)
        made.append(bus)
        return bus

    yield make_one
    for bus in made:
        if bus.running:
            await bus.stop(1.0)


@pytest.fixture
async def bus(make: Callable[..., NeuralCognitiveBus]) -> NeuralCognitiveBus:
    """One that runs and has a channel "c"."""
    running = make()
    running.create_channel("c")
    await running.start()
    return running


class Got:
    """A callback that remembers."""

    def __init__(self) -> None:
        self.messages: list[Message] = []

    async def __call__(self, message: Message) -> None:
        self.messages.append(message)

    @property
    def payloads(self) -> list[Any]:
        return [message.payload for message in self.messages]

    async def wait(self, count: int) -> list[Any]:
        """The payloads, once so many are there."""
        await until(lambda: len(self.messages) >= count, f"{count} messages")
        return self.payloads


@pytest.fixture
def got() -> Got:
    return Got()


async def until(check: Callable[[], Any], what: str) -> None:
    """Waits until something is so."""

    async def wait() -> None:
        while not check():
            await asyncio.sleep(0.002)

    try:
        await asyncio.wait_for(wait(), PATIENCE)
    except asyncio.TimeoutError:
        raise AssertionError(f"never: {what}") from None


async def settled(bus: NeuralCognitiveBus, channel: str = "c") -> None:
    """Waits until what was published to the channel so far has been handled by a subscriber."""
    seen = Got()
    name = "settled"
    await bus.register_subscriber(channel, name, seen, lambda m: m.payload == "settled")
    await bus.publish(channel, "settled", priority=10**6)
    await seen.wait(1)
    await bus.unregister_subscriber(channel, name)
