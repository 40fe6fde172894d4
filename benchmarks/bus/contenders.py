"""Four buses behind one small interface, so that each is measured by the same lines.

Every contender encodes the same dict inside ``publish`` and decodes it in its handler; where a bus
carries bytes only, with the same library as ours.
"""

from __future__ import annotations

import asyncio
import importlib.util
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Protocol

Handler = Callable[[Any], None]


class Contender(Protocol):
    """One bus.

    :ivar awaits: whether a message is on its way only when what ``publish`` returned was awaited.
    """

    awaits: bool

    async def open(self) -> None: ...

    async def subscribe(self, channel: str, handle: Handler) -> None:
        """``handle`` gets each decoded payload."""

    def publish(self, channel: str, payload: Any, priority: int) -> Any: ...

    async def breathe(self) -> None:
        """Called after each burst: lets the loop run, and does what the bus needs to be fair."""

    async def close(self) -> None: ...


class Ours:
    """Every message crosses the daemon; :meth:`counts` shows it."""

    awaits = False

    def __init__(self, url: str, name: str = "") -> None:
        self._url = url
        self._name = name

    async def open(self) -> None:
        from neuralcore.client import connect
        from neuralcore.messaging import MessageBus

        self._client = connect(self._url)
        self.bus = MessageBus(client=self._client, name=self._name or None, max_buffered=1 << 20)
        await self.bus.start()
        self.publish = self.bus.publish  # type: ignore[method-assign]  # one call less a message

    async def subscribe(self, channel: str, handle: Handler) -> None:
        async def on_message(message: Any) -> None:
            handle(message.payload)

        await self.bus.create_channel(channel, max_queue_size=0)
        await self.bus.subscribe(channel, on_message)

    def publish(self, channel: str, payload: Any, priority: int) -> Any:
        raise AssertionError("replaced by open()")

    async def breathe(self) -> None:
        await asyncio.sleep(0)

    def counts(self, channel: str) -> dict[str, int]:
        counts: dict[str, int] = self.bus.metrics()["channels"][channel]
        return counts

    async def close(self) -> None:
        await self.bus.stop()
        self._client.close()


class OursInBatches(Ours):
    """The same with a handler that takes lists."""

    async def subscribe(self, channel: str, handle: Handler) -> None:
        async def on_messages(messages: Any) -> None:
            for message in messages:
                handle(message.payload)

        await self.bus.create_channel(channel, max_queue_size=0)
        await self.bus.subscribe(channel, on_messages, batch=True)


class Ncb:
    """ATLAS's NeuralCognitiveBus, from a checkout. In memory, within the process."""

    awaits = True

    def __init__(self, root: str) -> None:
        path = Path(root) / "core" / "messaging" / "NCB.py"
        spec = importlib.util.spec_from_file_location("atlas_ncb", path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules["atlas_ncb"] = module
        spec.loader.exec_module(module)
        self._module: Any = module

    async def open(self) -> None:
        self._bus = self._module.NeuralCognitiveBus()
        self._names = 0
        self._channels: set[str] = set()
        await self._bus.start()

    def _channel(self, channel: str) -> None:
        if channel not in self._channels:
            self._channels.add(channel)
            self._bus.create_channel(channel, self._module.ChannelConfig(channel, max_queue_size=0))

    async def subscribe(self, channel: str, handle: Handler) -> None:
        async def on_message(message: Any) -> None:
            handle(message.payload)

        self._channel(channel)
        self._names += 1
        await self._bus.register_subscriber(channel, f"s{self._names}", on_message)

    def publish(self, channel: str, payload: Any, priority: int) -> Awaitable[object] | None:
        self._channel(channel)
        published: Awaitable[object] = self._bus.publish(channel, payload, priority=priority)
        return published

    async def breathe(self) -> None:
        await asyncio.sleep(0)

    async def close(self) -> None:
        await self._bus.stop()


class AtlasInterface(Ncb):
    """Our ``NeuralCognitiveBus``: ATLAS's class over the daemon."""

    def __init__(self, url: str) -> None:
        from neuralcore.compat import atlas_ncb

        self._module = atlas_ncb
        self._url = url

    async def open(self) -> None:
        from neuralcore.client import connect

        self._client = connect(self._url)
        self._bus = self._module.NeuralCognitiveBus(client=self._client)
        self._names = 0
        self._channels = set()
        await self._bus.start()

    async def close(self) -> None:
        await self._bus.stop()
        self._client.close()


class SmallInterface:
    """``NeuralCoreNCB``, the bus of the planning documents, over the daemon."""

    awaits = True

    def __init__(self, url: str) -> None:
        self._url = url

    async def open(self) -> None:
        from neuralcore.client import connect
        from neuralcore.compat.atlas_ncb import NeuralCoreNCB

        self._client = connect(self._url)
        self._bus = NeuralCoreNCB(client=self._client)
        await self._bus.start()

    async def subscribe(self, channel: str, handle: Handler) -> None:
        async def on_payload(payload: Any) -> None:
            handle(payload)

        await self._bus._bus.create_channel(channel, max_queue_size=0)
        await self._bus.subscribe(channel, on_payload)

    def publish(self, channel: str, payload: Any, priority: int) -> Awaitable[object] | None:
        published: Awaitable[object] = self._bus.publish(channel, payload, priority)
        return published

    async def breathe(self) -> None:
        await asyncio.sleep(0)

    async def close(self) -> None:
        await self._bus.stop()
        self._client.close()


class Nats:
    """nats-py and nats-server, core (at most once, no priorities)."""

    awaits = True

    def __init__(self, url: str) -> None:
        self._url = url

    async def open(self) -> None:
        import msgspec
        import nats

        self._encode = msgspec.msgpack.Encoder().encode
        self._decode = msgspec.msgpack.Decoder().decode
        self.connection: Any = await nats.connect(
            self._url, pending_size=64 << 20, max_outstanding_pings=100
        )

    async def subscribe(self, channel: str, handle: Handler) -> None:
        decode = self._decode

        async def on_message(message: Any) -> None:
            handle(decode(message.data))

        await self.connection.subscribe(
            channel,
            cb=on_message,
            pending_msgs_limit=1 << 30,
            pending_bytes_limit=1 << 40,
        )
        await self.connection.flush()

    def publish(self, channel: str, payload: Any, priority: int) -> Awaitable[object] | None:
        published: Awaitable[object] = self.connection.publish(channel, self._encode(payload))
        return published

    async def breathe(self) -> None:
        await asyncio.sleep(0)

    async def close(self) -> None:
        await self.connection.close()


class Redis:
    """Redis Streams: XADD in pipelines, XREAD in blocks."""

    awaits = False

    def __init__(self, url: str) -> None:
        self._url = url

    async def open(self) -> None:
        import msgspec
        import redis.asyncio

        self._encode = msgspec.msgpack.Encoder().encode
        self._decode = msgspec.msgpack.Decoder().decode
        self.client: Any = redis.asyncio.Redis.from_url(self._url, protocol=2)
        self._reader: Any = redis.asyncio.Redis.from_url(self._url, protocol=2)
        self._tasks: list[asyncio.Task[None]] = []
        self._pipe = self.client.pipeline(transaction=False)
        self._reading = True
        await self.client.flushall()

    async def subscribe(self, channel: str, handle: Handler) -> None:
        async def read() -> None:
            last = "0"
            while self._reading:
                answer = await self._reader.xread({channel: last}, count=1000, block=1000)
                for _, entries in answer:
                    for id, fields in entries:
                        handle(self._decode(fields[b"p"]))
                        last = id

        self._tasks.append(asyncio.create_task(read()))

    def publish(self, channel: str, payload: Any, priority: int) -> Awaitable[object] | None:
        self._pipe.xadd(channel, {"p": self._encode(payload)})
        return None

    async def breathe(self) -> None:
        await self._pipe.execute()
        await asyncio.sleep(0)

    async def close(self) -> None:
        # A cancellation alone may get lost in redis-py while it waits for an answer.
        self._reading = False
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.client.aclose()
        await self._reader.aclose()


def contender(name: str, where: str, namespace: str = "") -> Contender:
    if name in ("ours", "ours, in Python"):
        return Ours(where, namespace)
    if name == "ours, batches":
        return OursInBatches(where, namespace)
    others: dict[str, Any] = {
        "ncb": Ncb,
        "nats": Nats,
        "redis": Redis,
        "NeuralCognitiveBus": AtlasInterface,
        "NeuralCoreNCB": SmallInterface,
    }
    made: Contender = others[name](where)
    return made
