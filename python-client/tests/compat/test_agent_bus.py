"""AgentBus, in the manner of ATLAS, over a real daemon."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

import pytest

from neuralcore.client import Client
from neuralcore.compat import agent_bus as module
from neuralcore.compat.agent_bus import (
    ALL_CHANNELS,
    AgentBus,
    AgentMessage,
    ErrorMessage,
    LLMStreamChunk,
    MessagePriority,
    ToolInvokeMessage,
    UserInputMessage,
    create_message,
    get_channel,
)
from neuralcore.compat.atlas_ncb import ChannelConfig, Message, NeuralCognitiveBus
from neuralcore.messaging import MessageBus

from .conftest import PATIENCE

Make = Callable[..., AgentBus]


@pytest.fixture
async def make(client: Client) -> AsyncIterator[Make]:
    made: list[AgentBus] = []

    def make_one(**keywords: Any) -> AgentBus:
        bus = AgentBus(client=client, **keywords)
        made.append(bus)
        return bus

    yield make_one
    for bus in made:
        await bus.stop()


@pytest.fixture
async def bus(make: Make) -> AgentBus:
    running = make()
    await running.start()
    return running


class Got:
    """A handler that remembers, and lets one wait for so many messages."""

    def __init__(self) -> None:
        self.messages: list[Any] = []
        self._more = asyncio.Event()

    async def __call__(self, message: Any) -> None:
        self.messages.append(message)
        self._more.set()

    async def wait(self, count: int = 1) -> list[Any]:
        async def enough() -> None:
            while len(self.messages) < count:
                self._more.clear()
                await self._more.wait()

        await asyncio.wait_for(enough(), PATIENCE)
        return self.messages


@dataclass(frozen=True)
class Weather(AgentMessage):
    """A class of the application's own."""

    degrees: float = 0.0


async def test_every_class_arrives_as_itself_with_all_its_fields(bus: AgentBus) -> None:
    got = Got()
    await bus.subscribe("**", got)
    sent = [
        UserInputMessage(content="hello", conversation_id="c", payload={"content": "hello"}),
        LLMStreamChunk(chunk="x", chunk_index=3, ttl=None, request_id="r"),
        ErrorMessage(channel="llm.error", error_type="T", recoverable=True),
        Weather(channel="weather", degrees=-3.5, headers={"a": "b"}, payload=[1, None]),
        AgentMessage(channel="plain", payload=None, trace_id=None, agent_id="me"),
    ]
    for message in sent:
        assert await bus.publish(message) == message.id
    arrived = {message.id: message for message in await got.wait(len(sent))}
    assert [type(arrived[message.id]) for message in sent] == [type(message) for message in sent]
    assert [arrived[message.id] for message in sent] == sent


async def test_strict_compat_delivers_the_base_class_with_the_buss_id(make: Make) -> None:
    bus = make(strict_compat=True)
    await bus.start()
    got = Got()
    await bus.on_user_input(got)
    id = await bus.send_user_input("hello", conversation_id="c")
    (message,) = await got.wait()
    assert (type(message), message.id) == (AgentMessage, id)
    assert message.payload == {"content": "hello", "input_type": "text"}
    assert message.conversation_id == "c"


async def test_the_most_urgent_comes_first_and_zero_is_a_priority(bus: AgentBus) -> None:
    got = Got()
    await bus.subscribe("work", got)
    for priority in (8, 5, 0, 2, 0):
        await bus.publish(AgentMessage(channel="work", payload=priority, priority=priority))
    assert [m.payload for m in await got.wait(5)] == [0, 0, 2, 5, 8]
    assert [m.priority for m in got.messages] == [0, 0, 2, 5, 8]


async def test_a_payload_alone_is_published_with_the_channels_priority(bus: AgentBus) -> None:
    got = Got()
    await bus.subscribe("system.control", got)
    metadata = {"agent_id": "a", "trace_id": "t", "tenant": "x"}
    await bus.publish("system.control", {"command": "pause"}, metadata=metadata)
    await bus.publish("system.control", "go", priority=9)
    first, second = await got.wait(2)
    assert (first.payload, first.priority) == ({"command": "pause"}, MessagePriority.CRITICAL)
    assert (first.agent_id, first.trace_id, first.headers) == ("a", "t", {"tenant": "x"})
    assert (second.payload, second.priority) == ("go", 9)


async def test_publish_from_sync_works_from_any_thread_and_starts_the_bus(make: Make) -> None:
    running = make(name="from-threads")
    await running.start()
    got = Got()
    await running.subscribe("notes", got)
    other = make(name="from-threads")
    ids: list[Any] = []

    def publish(number: int) -> None:
        ids.append(other.publish_from_sync("notes", {"n": number}, priority=number))
        message = AgentMessage(channel="notes", payload={"n": number + 100})
        ids.append(other.publish_from_sync(message))

    threads = [threading.Thread(target=publish, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    publish(50)  # on a running loop
    messages = await got.wait(10)
    for thread in threads:
        thread.join()
    assert sorted(m.payload["n"] for m in messages) == [0, 1, 2, 3, 50, 100, 101, 102, 103, 150]
    assert sorted(m.id for m in messages) == sorted(ids)
    assert other.is_running


async def test_publishing_can_be_a_task_and_need_not_be_awaited(bus: AgentBus) -> None:
    got = Got()
    await bus.subscribe("c", got)
    task = asyncio.create_task(bus.publish(AgentMessage(channel="c", payload=1)))
    gathered = asyncio.gather(*(bus.publish("c", n) for n in (2, 3)))
    bus.publish("c", 4)
    assert len({await task, *await gathered}) == 3
    assert sorted(m.payload for m in await got.wait(4)) == [1, 2, 3, 4]


async def test_the_publisher_is_told_of_a_drop(make: Make) -> None:
    drops: list[Any] = []
    bus = make(on_drop=drops.append)
    await bus.start()
    hold = asyncio.Event()

    async def slow(_: Any) -> None:
        await hold.wait()

    await bus.subscribe("user.input", slow)
    results = []
    for n in range(3000):
        results.append(bus.publish("user.input", n))
        if n % 50 == 49:
            await asyncio.sleep(0.005)
        if not results[-1]:
            break
    assert not results[-1]
    assert await results[-1] is None
    assert len(drops) + sum(not r for r in results) > 0
    hold.set()


async def test_retries_then_dead_letters(bus: AgentBus) -> None:
    attempts = []
    dead = Got()
    await bus.configure_channel("shaky", dead_letter_channel="shaky.dead")
    await bus.subscribe("shaky.dead", dead)

    async def fails(message: AgentMessage) -> None:
        attempts.append(message.payload)
        raise RuntimeError("boom")

    await bus.subscribe("shaky", fails, handler_name="f", retry_attempts=2, retry_delay=0.01)
    id = await bus.publish(AgentMessage(channel="shaky", payload={"x": 1}, conversation_id="c"))
    (letter,) = await dead.wait()
    assert attempts == [{"x": 1}] * 3
    assert letter.channel == "shaky.dead"
    assert letter.payload["origin_channel"] == "shaky"
    assert letter.payload["subscriber"] == "f"
    assert letter.payload["error"] == "boom"
    assert letter.payload["message"]["payload"]["id"] == id


async def test_doubles_are_known_by_a_field_of_the_inner_payload(bus: AgentBus) -> None:
    got = Got()
    await bus.configure_channel("once", idempotency_key_field="key")
    await bus.subscribe("once", got)
    for key in ("a", "a", "b"):
        await bus.publish(AgentMessage(channel="once", payload={"key": key}))
    await bus.publish(AgentMessage(channel="once", payload={"key": "c"}, priority=10))
    assert [m.payload["key"] for m in await got.wait(3)] == ["a", "b", "c"]


async def test_what_has_outlived_its_time_is_not_delivered(bus: AgentBus) -> None:
    hold, started = asyncio.Event(), asyncio.Event()
    seen = []

    async def handler(message: AgentMessage) -> None:
        seen.append(message.payload)
        started.set()
        await hold.wait()

    # So many that the last ones wait in the daemon.
    await bus.subscribe("brief", handler)
    await bus.publish("brief", "first")
    await asyncio.wait_for(started.wait(), PATIENCE)
    for n in range(500):
        bus.publish(AgentMessage(channel="brief", payload=n, ttl=0.05))
    bus.publish(AgentMessage(channel="brief", payload="last", priority=100))
    await asyncio.sleep(0.3)
    hold.set()

    async def until_last() -> None:
        while "last" not in seen:
            await asyncio.sleep(0.01)

    await asyncio.wait_for(until_last(), PATIENCE)
    assert len(seen) < 502


async def test_subscriptions_end_awaited_or_not(bus: AgentBus) -> None:
    got = Got()
    first = await bus.subscribe("c", got, handler_name="same")
    second = bus.subscribe("c", got, handler_name="same")
    await second
    assert {s.id for s in bus.list_subscriptions()} == {first.id, second.id}
    assert first.handler_name == second.handler_name == "same"
    first.cancel()
    await second.cancel()
    assert bus.list_subscriptions() == []
    third = Got()
    await bus.subscribe("c", third)
    await bus.publish("c", 1)
    await third.wait()
    assert got.messages == []


async def test_receivers_are_narrowed_by_their_last_keyword(bus: AgentBus) -> None:
    mine, commands = Got(), Got()
    await bus.on_tool_invoke(mine, tool_filter="calculator")
    await bus.on_system_control(commands, target="worker")
    await bus.invoke_tool("browser", {}, agent_id="a")
    await bus.invoke_tool("calculator", {"x": 1}, agent_id="a", request_id="r")
    for target in ("other", None, "worker"):
        await bus.send_system_control("pause", target=target)
    (call,) = await mine.wait()
    assert isinstance(call, ToolInvokeMessage)
    assert (call.tool_name, call.tool_args, call.tool_call_id) == ("calculator", {"x": 1}, "r")
    assert [m.target for m in await commands.wait(2)] == [None, "worker"]


async def test_life(make: Make) -> None:
    bus = make()
    with pytest.raises(RuntimeError, match="AgentBus not started"):
        bus.publish("c", 1)
    with pytest.raises(RuntimeError, match="AgentBus not started"):
        bus.subscribe("c", Got())
    await bus.start()
    await bus.start()
    assert bus.is_running
    await bus.subscribe("c", Got())
    await bus.close()
    await bus.stop()
    assert not bus.is_running
    assert bus.list_subscriptions() == []
    await bus.start()
    got = Got()
    await bus.subscribe("c", got)
    await bus.publish("c", "again")
    assert (await got.wait())[0].payload == "again"
    with pytest.raises(TypeError, match="publish takes an AgentMessage"):
        bus.publish({"channel": "c"})  # type: ignore[arg-type]


async def test_the_channels_are_those_of_the_daemons_profile(client: Client) -> None:
    with MessageBus(name="profile-of-atlas", client=client) as bus:
        await bus.load_profile("atlas")
        made = bus.channels()
    assert len(ALL_CHANNELS) == 39
    assert set(made) == {channel.name for channel in ALL_CHANNELS}
    for channel in ALL_CHANNELS:
        told = made[channel.name]
        assert told["max_queue_size"] == channel.maxsize, channel.name
        assert told["drop_policy"] == channel.drop_policy, channel.name
        assert told["default_priority"] == channel.default_priority, channel.name
        assert told["persistent"] == channel.persistent, channel.name
        assert (told.get("dead_letter_channel") or None) == channel.dead_letter_channel


async def test_messages_pass_between_this_bus_and_ncb(make: Make, client: Client) -> None:
    bus = make(name="both")
    await bus.start()
    ncb = NeuralCognitiveBus(client=client, name="both")
    ncb.create_channel("c", ChannelConfig("c"))
    await ncb.start()
    try:
        raw: list[Message] = []
        arrived = asyncio.Event()

        async def on_raw(message: Message) -> None:
            raw.append(message)
            arrived.set()

        await ncb.register_subscriber("c", "raw", on_raw)
        got = Got()
        await bus.subscribe("c", got)
        await bus.publish(AgentMessage(channel="c", payload={"x": 1}, conversation_id="k"))
        await asyncio.wait_for(arrived.wait(), PATIENCE)
        assert raw[0].payload["payload"] == {"x": 1}
        assert raw[0].meta["conversation_id"] == "k"
        assert raw[0].meta["payload_type"] == "AgentMessage"
        await got.wait()
        await ncb.publish("c", {"free": True}, priority=0, meta={"agent_id": "n"})
        message = (await got.wait(2))[1]
        assert (message.payload, message.priority, message.agent_id) == ({"free": True}, 0, "n")
    finally:
        await ncb.stop(1.0)


def test_messages_are_made_and_read_back() -> None:
    message = create_message("tool.invoke", tool_name="t", priority=0)
    assert isinstance(message, ToolInvokeMessage)
    assert type(create_message("nothing.known")) is AgentMessage
    assert ToolInvokeMessage.from_dict(message.to_dict()) == message
    assert ToolInvokeMessage.from_dict({"priority": 0, "unknown": 1}).priority == 0
    assert not message.is_expired()
    assert AgentMessage(ttl=1.0, ts=0.0).is_expired()
    assert message.with_reply_context("back").source_channel == "back"
    channel = get_channel("llm.stream")
    assert channel is not None
    assert channel.maxsize == 10_000


async def test_the_processs_own_bus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_bus", None)
    bus = module.get_agent_bus()
    assert module.get_agent_bus() is bus
    assert module.configure_agent_bus() is not bus
    await module.shutdown_agent_bus()
    assert module.get_agent_bus() is not bus
