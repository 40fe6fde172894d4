"""What the bus does with the daemon alone: acknowledgement, groups, patterns, filters, delays."""

from __future__ import annotations

import asyncio
import time
import uuid

import pytest

from neuralcore.errors import InvalidRequest, NotSupported, QueueFull
from neuralcore.fallback.client import FallbackClient
from neuralcore.messaging import Confirmation, Message, MessageBus, Plugin

PATIENCE = 15.0


@pytest.fixture
async def bus(client):
    async with MessageBus(client=client, name=f"test-{uuid.uuid4().hex}") as running:
        yield running


class Seen:
    """Messages, waited for by number."""

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self._more = asyncio.Event()

    def add(self, message: Message) -> None:
        self.messages.append(message)
        self._more.set()

    async def handle(self, message: Message) -> None:
        self.add(message)

    @property
    def payloads(self) -> list[object]:
        return [m.payload for m in self.messages]

    async def wait(self, count: int) -> list[object]:
        async def enough() -> None:
            while len(self.messages) < count:
                self._more.clear()
                await self._more.wait()

        await asyncio.wait_for(enough(), PATIENCE)
        return self.payloads


async def test_what_a_handler_fails_at_comes_again_and_what_it_does_does_not(bus):
    seen = Seen()

    async def handle(message):
        seen.add(message)
        if message.attempt < 3:
            raise RuntimeError("not yet")

    subscription = await bus.subscribe("jobs", handle, ack="auto", backoff=0.01)
    bus.publish("jobs", "one")
    assert await seen.wait(3) == ["one"] * 3
    assert [m.attempt for m in seen.messages] == [1, 2, 3]
    await bus.flush()
    bus.publish("jobs", "two", 0)
    await seen.wait(6)
    assert seen.payloads[3:] == ["two"] * 3
    assert subscription.errors == 4


async def test_a_message_that_never_succeeds_becomes_a_dead_letter(bus):
    dead = Seen()
    await bus.create_channel("jobs", dead_letter_channel="dead", max_attempts=2)
    await bus.subscribe("dead", dead.handle)

    async def handle(message):
        raise KeyError("no such tool")

    await bus.subscribe("jobs", handle, ack="auto", backoff=0.01)
    id = bus.publish("jobs", {"n": 1}, trace_id="t-1")
    await dead.wait(1)
    letter = dead.messages[0].payload
    assert letter["origin_channel"] == "jobs"
    assert letter["error_type"] == "KeyError"
    assert "no such tool" in letter["error"]
    assert "handle" in letter["traceback"]
    assert letter["message"]["id"] == id
    assert letter["message"]["payload"] == {"n": 1}


async def test_messages_are_settled_by_hand(bus):
    seen = Seen()
    await bus.subscribe("jobs", seen.handle, ack="manual", backoff=30.0, credit=4)
    for i in range(3):
        bus.publish("jobs", i)
    await seen.wait(3)
    first, second, third = seen.messages
    first.ack()
    second.nack(delay=0.0)
    third.extend(20.0)
    await seen.wait(4)
    again = seen.messages[3]
    assert (again.payload, again.attempt) == (1, 2)
    again.ack()
    third.ack()
    third.ack()  # once more is no error
    await bus.flush()
    assert bus.metrics()["channels"]["jobs"]["queued"] == 0


async def test_without_acknowledgement_there_is_nothing_to_settle(bus):
    seen = Seen()
    await bus.subscribe("jobs", seen.handle)
    bus.publish("jobs", 1)
    await seen.wait(1)
    with pytest.raises(InvalidRequest, match="without acknowledgement"):
        seen.messages[0].ack()


async def test_a_group_shares_its_messages(bus):
    one, two = Seen(), Seen()
    await bus.subscribe("jobs", one.handle, group="workers")
    await bus.subscribe("jobs", two.handle, group="workers")
    for i in range(100):
        bus.publish("jobs", i)
    while len(one.messages) + len(two.messages) < 100:
        await asyncio.sleep(0.001)
    assert sorted(one.payloads + two.payloads) == list(range(100))
    assert one.messages
    assert two.messages


async def test_patterns(bus):
    parts, rest = Seen(), Seen()
    await bus.subscribe("llm.*", parts.handle)
    await bus.subscribe("task.**", rest.handle)
    for channel in ("llm.request", "llm.stream.chunk", "task.events.17", "other"):
        bus.publish(channel, channel)
    await rest.wait(1)
    await parts.wait(1)
    await bus.flush()
    assert parts.payloads == ["llm.request"]
    assert rest.payloads == ["task.events.17"]
    assert rest.messages[0].channel == "task.events.17"


async def test_the_daemon_filters(bus):
    seen = Seen()
    subscription = await bus.subscribe(
        "jobs", seen.handle, filter="priority <= 2 and meta.custom.tenant == 'a'"
    )
    for priority in (1, 5):
        for tenant in ("a", "b"):
            bus.publish("jobs", [priority, tenant], priority, meta={"tenant": tenant})
    bus.publish("jobs", "last", 0, meta={"tenant": "a"})
    await seen.wait(2)
    await bus.flush()
    assert sorted(map(str, seen.payloads)) == ["[1, 'a']", "last"]
    assert subscription.received == 2
    with pytest.raises(InvalidRequest):
        await bus.subscribe("jobs", seen.handle, filter="priority <=")


async def test_a_delayed_message_waits(bus):
    seen = Seen()
    await bus.subscribe("jobs", seen.handle)
    began = time.time()
    bus.publish("jobs", "later", delay=0.15)
    bus.publish("jobs", "at", deliver_at=began + 0.2)
    bus.publish("jobs", "now")
    assert await seen.wait(3) == ["now", "later", "at"]
    assert time.time() - began >= 0.2
    with pytest.raises(InvalidRequest, match="not both"):
        bus.publish("jobs", 1, delay=1.0, deliver_at=began)


async def test_iterating(bus):
    subscription = bus.subscribe("jobs")
    await subscription
    for i in range(5):
        bus.publish("jobs", i, i % 2)
    got = []
    async for message in subscription:
        got.append(message.payload)
        if len(got) == 5:
            break
    assert sorted(got) == list(range(5))
    await subscription.cancel()
    assert [m async for m in subscription] == []


def test_iterating_in_a_thread(client):
    with MessageBus(client=client) as bus:
        subscription = bus.subscribe("jobs", ack="auto")
        for i in range(5):
            bus.publish("jobs", i)
        for i, message in enumerate(subscription):
            assert message.payload == i
            if i == 4:
                break
        assert subscription.next(timeout=0.01) is None


async def test_batch_handlers_get_lists(bus):
    lists = []
    done = asyncio.Event()

    async def handle(messages):
        lists.append([m.payload for m in messages])
        if sum(map(len, lists)) == 1000:
            done.set()

    await bus.subscribe("jobs", handle, batch=100)
    for i in range(1000):
        bus.publish("jobs", i)
    await asyncio.wait_for(done.wait(), PATIENCE)
    assert [i for part in lists for i in part] == list(range(1000))
    assert max(map(len, lists)) <= 100
    assert len(lists) < 500


async def test_confirmations(bus):
    confirmation = bus.publish("jobs", 1, confirm="accepted")
    assert isinstance(confirmation, Confirmation)
    assert await confirmation == confirmation
    assert confirmation.done()
    ids = bus.publish_many("jobs", range(700), confirm="durable")
    assert await ids == ids
    assert len(set(ids)) == 700
    with pytest.raises(InvalidRequest, match="confirm"):
        bus.publish("jobs", 1, confirm="maybe")


async def test_a_confirmation_tells_of_a_refusal(bus):
    await bus.create_channel("small", max_queue_size=1)

    async def slow(message):
        await asyncio.sleep(PATIENCE)

    await bus.subscribe("small", slow, credit=1)
    ids = [bus.publish("small", i, confirm="accepted") for i in range(3)]
    await ids[0]
    await ids[1]
    with pytest.raises(QueueFull):
        await ids[2]
    await bus.stop(0.0)


async def test_a_full_channel_is_told_at_publish(client):
    for on_full in ("raise", "none"):
        async with MessageBus(client=client, on_full=on_full) as bus:
            gate = asyncio.Event()

            async def slow(message, gate=gate):
                await gate.wait()

            await bus.create_channel("small", max_queue_size=2)
            await bus.subscribe("small", slow, credit=1)
            for i in range(5):
                bus.publish("small", i)
            await bus.flush()
            while bus._core.topics["small"].room != 0:
                await asyncio.sleep(0.001)
            if on_full == "raise":
                with pytest.raises(QueueFull, match="full"):
                    bus.publish("small", "too much")
            else:
                assert bus.publish("small", "too much") is None
                assert bus.publish_many("small", [1, 2]) == []
            assert bus.metrics()["refused"] >= 1
            gate.set()
            while bus._core.topics["small"].room == 0:
                await asyncio.sleep(0.001)
            assert bus.publish("small", "fits again") is not None


async def test_plugins(client):
    class Trace(Plugin):
        def __init__(self):
            self.said = []

        def validate(self, channel, payload):
            if payload == "bad":
                raise ValueError("bad payload")

        def pre_publish(self, channel, payload, fields):
            fields["trace_id"] = "traced"
            return {"wrapped": payload}

        def post_publish(self, channel, payload, id):
            self.said.append(("published", id))

        def pre_dispatch(self, message):
            return message.payload != {"wrapped": "hidden"}

        def post_dispatch(self, message, error):
            self.said.append(("handled", type(error).__name__))

    plugin, seen = Trace(), Seen()
    async with MessageBus(client=client) as bus:
        bus.add_plugin(plugin)
        await bus.subscribe("jobs", seen.handle)
        bus.publish("jobs", "hidden")
        id = bus.publish("jobs", "shown")
        with pytest.raises(ValueError, match="bad payload"):
            bus.publish("jobs", "bad")
        assert await seen.wait(1) == [{"wrapped": "shown"}]
        assert seen.messages[0].trace_id == "traced"
        bus.remove_plugin(plugin)
        bus.publish("jobs", "plain")
        assert (await seen.wait(2))[1] == "plain"
    assert plugin.said[1:] == [("published", id), ("handled", "NoneType")]


async def test_trace_context_travels(bus):
    seen = Seen()
    parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    await bus.subscribe("jobs", seen.handle)
    bus.publish("jobs", 1, traceparent=parent)
    await seen.wait(1)
    assert seen.messages[0].meta.traceparent == parent
    assert seen.messages[0].trace_id == "4bf92f3577b34da6a3ce929d0e0e4736"


async def test_urgent_messages_overtake_ten_thousand(bus):
    handled = []
    first, done = asyncio.Event(), asyncio.Event()

    async def handle(message):
        handled.append(message.payload)
        first.set()
        await asyncio.sleep(0.02)
        if message.payload == "urgent":
            done.set()

    await bus.create_channel("jobs", max_queue_size=0)
    await bus.subscribe("jobs", handle)
    bus.publish_many("jobs", range(10_000), 9)
    await asyncio.wait_for(first.wait(), PATIENCE)
    await bus.flush()
    await bus.publish("jobs", "urgent", 0, confirm="accepted")
    before = len(handled)
    await asyncio.wait_for(done.wait(), PATIENCE)
    # At most what was being handled and one that was chosen while the urgent one was on its way.
    assert handled.index("urgent") - before <= 2


async def test_the_idempotency_key_of_a_payload(bus):
    seen = Seen()
    await bus.create_channel("jobs", idempotency_key_field="key", idempotency_ttl=60.0)
    await bus.subscribe("jobs", seen.handle, ack="auto")
    for key in ("a", "a", "b", "a"):
        bus.publish("jobs", {"key": key})
    assert [p["key"] for p in await seen.wait(2)] == ["a", "b"]
    await bus.flush()
    assert len(seen.messages) == 2


async def test_a_blocking_channel_has_messages_wait(bus):
    go_on = asyncio.Event()
    seen = Seen()

    async def handle(message):
        await go_on.wait()
        await seen.handle(message)

    await bus.create_channel("jobs", max_queue_size=4, drop_policy="block", block_timeout=PATIENCE)
    await bus.subscribe("jobs", handle, credit=1)
    for i in range(9):  # one is handled, four have a place, as many wait for one
        await bus.publish("jobs", i, confirm="accepted")
    with pytest.raises(QueueFull):
        bus.publish("jobs", 9)
    go_on.set()
    assert await seen.wait(9) == list(range(9))


async def test_what_the_fallback_lacks_it_says():
    async def handle(message):
        """Never called."""

    async with MessageBus(client=FallbackClient()) as bus:
        for options in (
            {"group": "g"},
            {"filter": "priority < 3"},
            {"start": "first"},
        ):
            with pytest.raises(NotSupported, match=r"A subscription with .* needs the daemon"):
                await bus.subscribe("jobs", handle, **options)
        with pytest.raises(NotSupported, match="pattern"):
            await bus.subscribe("jobs.*", handle)
        with pytest.raises(NotSupported, match="Delayed delivery"):
            bus.publish("jobs", 1, delay=1.0)
        with pytest.raises(NotSupported, match="block"):
            await bus.create_channel("jobs", drop_policy="block")
        with pytest.raises(NotSupported, match="history"):
            bus.history("jobs")


async def test_a_blocked_loop_does_not_stop_other_threads(bus):
    """The loop that reads is blocked; who waits in a thread gets its answer all the same."""
    await bus.subscribe("double", lambda message: message.payload * 2)
    await bus.subscribe("other", Seen().handle)  # the loop reads from now on
    answer = asyncio.get_running_loop().run_in_executor(
        None, lambda: bus.request_sync("double", 21, timeout=PATIENCE)
    )
    await asyncio.sleep(0.05)
    deadline = time.monotonic() + PATIENCE
    while not answer.done() and time.monotonic() < deadline:
        time.sleep(0.01)
        if bus.queue_size("double") == 0 and bus._core.requests._waiting == {}:
            break
    assert await answer == 42
