"""The message bus, with the same tests over the daemon and in the fallback."""

from __future__ import annotations

import asyncio
import itertools
import logging
import os
import threading
import uuid

import pytest

from neuralcore.errors import ConnectionLost, InvalidRequest, NotFound, NotSupported, RequestTimeout
from neuralcore.fallback.client import FallbackClient
from neuralcore.messaging import (
    HandlerError,
    Message,
    MessageBus,
    MessageId,
    Priority,
    SerializationFormat,
)

PATIENCE = 10.0


@pytest.fixture
def bus(client):
    with MessageBus(client=client) as running:
        yield running
        running.stop(1.0).result(PATIENCE)


class Collector:
    """A handler that remembers, and can be waited for in any thread."""

    def __init__(self, wanted: int) -> None:
        self.messages: list[Message] = []
        self.threads: set[str] = set()
        self._wanted = wanted
        self._enough = threading.Event()

    def __call__(self, message: Message) -> None:
        self.messages.append(message)
        self.threads.add(threading.current_thread().name)
        if len(self.messages) >= self._wanted:
            self._enough.set()

    async def on_loop(self, message: Message) -> None:
        self(message)

    @property
    def payloads(self) -> list[object]:
        return [message.payload for message in self.messages]

    def wait(self) -> list[object]:
        assert self._enough.wait(PATIENCE), f"{len(self.messages)} of {self._wanted} came"
        return self.payloads

    async def wait_async(self) -> list[object]:
        await asyncio.wait_for(self._poll(), PATIENCE)
        return self.payloads

    async def _poll(self) -> None:
        while not self._enough.is_set():
            await asyncio.sleep(0.001)


def within(check, what: str) -> None:
    """Waits until something is so."""
    pause = threading.Event()
    for _ in range(int(PATIENCE / 0.005)):
        if check():
            return
        pause.wait(0.005)
    raise AssertionError(f"never: {what}")


async def test_what_is_published_in_one_tick_is_handled_by_priority(bus):
    got = Collector(3)
    await bus.subscribe("work", got.on_loop)
    for payload, priority in (("low", 8), ("high", 0), ("normal", None)):
        bus.publish("work", payload, priority)
    assert await got.wait_async() == ["high", "normal", "low"]
    assert [m.priority for m in got.messages] == [0, Priority.NORMAL, 8]


async def test_messages_that_wait_here_do_not_hold_up_an_urgent_one(bus):
    handled = []
    gate, done = asyncio.Event(), asyncio.Event()

    async def handle(message):
        handled.append(message.payload)
        await gate.wait()
        if len(handled) == 12:
            done.set()

    await bus.subscribe("work", handle)
    for i in range(11):
        bus.publish("work", i, Priority.LOW)
    while not handled:
        await asyncio.sleep(0.001)
    bus.publish("work", "urgent", Priority.CRITICAL)
    await bus.flush()
    within(lambda: bus.metrics()["received"] == 12, "all twelve have arrived")
    gate.set()
    await asyncio.wait_for(done.wait(), PATIENCE)
    assert handled == [0, "urgent", *range(1, 11)]


async def test_equal_priorities_keep_their_order_across_channels(bus):
    handled = []
    done = asyncio.Event()

    async def handle(message):
        handled.append(message.payload)
        if len(handled) == 60:
            done.set()

    for channel in ("a", "b", "c"):
        await bus.subscribe(channel, handle)
    for i in range(60):
        bus.publish("abc"[i % 3], i)
    await asyncio.wait_for(done.wait(), PATIENCE)
    assert handled == list(range(60))


async def test_three_loop_ticks_lie_between_handlers_while_few_wait(bus):
    ticks = 0
    seen = []

    async def handle(message):
        seen.append(ticks)

    await bus.subscribe("work", handle)
    for i in range(5):
        bus.publish("work", i)
    while len(seen) < 5:
        ticks += 1
        await asyncio.sleep(0)
    gaps = [later - earlier for earlier, later in itertools.pairwise(seen)]
    assert min(gaps) >= 3, gaps


async def test_who_waits_for_two_messages_sees_two(bus):
    """The waiter wakes between two handlers, as ATLAS's own tests expect."""
    handled = []
    two = asyncio.Event()

    async def handle(message):
        handled.append(message.payload["n"])
        if len(handled) == 2:
            two.set()

    await bus.subscribe("work", handle, filter_fn=lambda m: m.payload["n"] % 2 == 0)
    for n in range(5):
        await bus.publish("work", {"n": n})
    await asyncio.wait_for(two.wait(), PATIENCE)
    assert handled == [0, 2]


async def test_a_slow_handler_delays_only_its_own_subscription(bus):
    gate = asyncio.Event()
    fast = Collector(20)

    async def slow(message):
        await gate.wait()

    await bus.subscribe("slow", slow)
    await bus.subscribe("fast", fast.on_loop)
    for i in range(20):
        bus.publish("slow", i)
        bus.publish("fast", i)
    assert await fast.wait_async() == list(range(20))
    gate.set()


@pytest.mark.parametrize("kind", ["coroutine", "function"])
async def test_concurrency_is_how_many_run_at_once(bus, kind):
    running, most, done = 0, 0, threading.Event()
    lock, both = threading.Lock(), threading.Event()

    def enter():
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
            if running == 2:
                both.set()

    def leave(message):
        nonlocal running
        with lock:
            running -= 1
        if message.payload == 5:
            done.set()

    async def handle_async(message):
        enter()
        while not both.is_set():
            await asyncio.sleep(0.001)
        leave(message)

    def handle(message):
        enter()
        both.wait(PATIENCE)
        leave(message)

    await bus.subscribe("work", handle_async if kind == "coroutine" else handle, concurrency=2)
    for i in range(6):
        bus.publish("work", i)
    while not done.is_set():
        await asyncio.sleep(0.001)
    assert most == 2


def test_plain_functions_run_on_worker_threads_in_order(bus):
    got = Collector(500)
    bus.subscribe("work", got)
    for i in range(500):
        bus.publish("work", i)
    assert got.wait() == list(range(500))
    assert all(name.startswith("neuralcore-handler") for name in got.threads)


def test_coroutine_functions_work_without_a_loop(bus):
    got = Collector(3)
    bus.subscribe("work", got.on_loop)
    for i in range(3):
        bus.publish("work", i)
    assert got.wait() == [0, 1, 2]
    assert got.threads == {"neuralcore-loop"}


async def test_handlers_run_on_the_loop_of_their_subscriber(bus):
    names = []
    done = asyncio.Event()

    async def handle(message):
        names.append(threading.current_thread().name)
        done.set()

    await bus.subscribe("work", handle)
    thread = threading.Thread(target=bus.publish, args=("work", "from a thread"))
    thread.start()
    thread.join()
    await asyncio.wait_for(done.wait(), PATIENCE)
    assert names == [threading.current_thread().name]


def test_many_threads_publish(bus):
    got = Collector(4 * 250)
    bus.create_channel("work", max_queue_size=0)
    bus.subscribe("work", got)

    def publish(who):
        for i in range(250):
            bus.publish("work", [who, i])

    threads = [threading.Thread(target=publish, args=(who,)) for who in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    payloads = got.wait()
    for who in range(4):
        assert [i for w, i in payloads if w == who] == list(range(250))
    assert len({m.id for m in got.messages}) == 1000


async def test_the_id_is_known_at_once_and_can_be_awaited(bus):
    got = Collector(1)
    await bus.subscribe("work", got.on_loop)
    message_id = bus.publish("work", {"a": 1})
    assert isinstance(message_id, MessageId)
    assert await message_id == message_id
    assert len(message_id) == 32
    await got.wait_async()
    message = got.messages[0]
    assert (message.id, message.channel, message.sequence) == (message_id, "work", 1)
    assert message.attempt == 1


async def test_meta_travels(bus):
    got = Collector(2)
    await bus.subscribe("work", got.on_loop)
    bus.publish(
        "work", None, trace_id="t", correlation_id="c", source="me", meta={"tags": ["x"], "n": 1}
    )
    bus.publish("work", None)
    await got.wait_async()
    first, second = got.messages
    assert (first.trace_id, first.correlation_id, first.source) == ("t", "c", "me")
    assert first.meta.custom == {"tags": ["x"], "n": 1}
    assert first.payload is None
    assert second.meta.to_dict() == {}
    assert first.timestamp_ns <= second.timestamp_ns


async def test_every_subscription_has_its_own_copy(bus):
    one, two = Collector(1), Collector(1)
    await bus.subscribe("work", one.on_loop)
    await bus.subscribe("work", two.on_loop)
    published = {"list": [1]}
    bus.publish("work", published)
    await one.wait_async()
    await two.wait_async()
    one.messages[0].payload["list"].append(2)
    assert two.payloads == [{"list": [1]}]
    assert published == {"list": [1]}


async def test_request_and_reply(bus):
    async def double(message):
        return {"result": message.payload * 2}

    await bus.subscribe("double", double)
    answers = await asyncio.gather(*(bus.request("double", n, timeout=PATIENCE) for n in range(20)))
    assert [a["result"] for a in answers] == [2 * n for n in range(20)]


async def test_a_request_carries_its_trace(bus):
    parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

    async def tell(message):
        return [message.trace_id, message.meta.traceparent, message.meta.custom]

    await bus.subscribe("tell", tell)
    answer = await bus.request(
        "tell", {}, PATIENCE, trace_id="t", traceparent=parent, meta={"tenant": "a"}
    )
    assert answer == ["t", parent, {"tenant": "a"}]


async def test_a_priority_that_is_none_is_named(bus):
    bus.publish("work", {}, 1)
    await bus.flush()  # now the channel takes the short way
    for priority in ("high", 2**63, -(2**63), 1.5):
        for payload in ({}, "text"):
            with pytest.raises(InvalidRequest, match="priority is"):
                bus.publish("work", payload, priority)
    bus.publish("work", {}, -(2**63) + 1)


async def test_a_handler_that_is_cancelled_has_not_failed(bus, caplog):
    begun = asyncio.Event()

    async def wait(message):
        begun.set()
        await asyncio.sleep(PATIENCE)

    await bus.subscribe("work", wait)
    bus.publish("work", 1)
    await asyncio.wait_for(begun.wait(), PATIENCE)
    await bus.stop(timeout=0.05)
    told = [record for record in caplog.records if "was cancelled on message" in record.message]
    assert [(record.levelno, record.exc_info) for record in told] == [(logging.WARNING, None)]


async def test_a_later_reply_and_the_first_of_several(bus):
    held = Collector(1)
    await bus.subscribe("ask", held.on_loop)

    async def answer_later():
        await held.wait_async()
        bus.reply(held.messages[0], "first")
        bus.reply(held.messages[0], "second")

    later = asyncio.ensure_future(answer_later())
    assert await bus.request("ask", "?", timeout=PATIENCE) == "first"
    await later


async def test_a_request_fails_with_its_handler(bus, caplog):
    def fail(message):
        raise KeyError("no such tool")

    caplog.set_level(logging.CRITICAL, "neuralcore.messaging")
    await bus.subscribe("tool", fail)
    with pytest.raises(HandlerError, match=r"KeyError.*no such tool"):
        await bus.request("tool", {}, timeout=PATIENCE)
    assert bus.metrics()["handler_errors"] == 1


async def test_a_request_that_nobody_answers_times_out(bus):
    with pytest.raises(RequestTimeout, match="Nobody answered on channel 'nowhere'"):
        await bus.request("nowhere", {}, timeout=0.05)
    with pytest.raises(TimeoutError):
        await bus.request("nowhere", {}, timeout=0.05)
    with pytest.raises(InvalidRequest):
        await bus.request("nowhere", {}, timeout=0)


def test_requests_from_threads(bus):
    bus.subscribe("double", lambda message: message.payload * 2)
    assert bus.request_sync("double", 21, timeout=PATIENCE) == 42
    with pytest.raises(RequestTimeout):
        bus.request_sync("nowhere", 1, timeout=0.05)


async def test_blocking_requests_are_refused_on_a_loop(bus):
    with pytest.raises(RuntimeError, match="await request"):
        bus.request_sync("double", 21)


def test_replying_to_what_is_no_request_is_refused(bus):
    got = Collector(1)
    bus.subscribe("work", got)
    bus.publish("work", 1)
    got.wait()
    with pytest.raises(InvalidRequest, match="is no request"):
        bus.reply(got.messages[0], 2)


async def test_a_failing_handler_is_counted_and_the_next_message_comes(bus, caplog):
    caplog.set_level(logging.CRITICAL, "neuralcore.messaging")
    got = Collector(2)

    async def handle(message):
        if message.payload == 0:
            raise RuntimeError("broken")
        if message.payload == 1:
            raise asyncio.CancelledError
        got(message)

    await bus.subscribe("work", handle)
    for i in range(4):
        bus.publish("work", i)
    assert await got.wait_async() == [2, 3]
    assert bus.metrics()["handler_errors"] == 2


async def test_a_full_queue_drops_and_tells(client):
    drops = []
    async with MessageBus(client=client, on_drop=drops.append) as bus:
        gate = asyncio.Event()

        async def slow(message):
            await gate.wait()

        await bus.create_channel("small", max_queue_size=3)
        await bus.subscribe("small", slow, credit=2)
        ids = [bus.publish("small", i) for i in range(10)]
        await bus.flush()
        within(lambda: len(drops) == 5, "five drops")
        assert [d.id for d in drops] == ids[5:]
        assert {(d.channel, d.code) for d in drops} == {("small", "QUEUE_FULL")}
        assert bus.metrics()["dropped"] == 5
        assert bus.queue_size("small") == 3
        gate.set()


async def test_drop_old_keeps_the_urgent(client):
    drops = []
    async with MessageBus(client=client, on_drop=drops.append) as bus:
        got = Collector(4)
        gate = asyncio.Event()

        async def slow(message):
            await gate.wait()
            got(message)

        await bus.create_channel("small", max_queue_size=3, drop_policy="drop_old")
        await bus.subscribe("small", slow, credit=1)
        bus.publish("small", "first", 0)
        await bus.flush()
        ids = {}
        for name, priority in (("a", 5), ("b", 9), ("c", 9), ("d", 1), ("e", 10)):
            ids[name] = bus.publish("small", name, priority)
        await bus.flush()
        within(lambda: len(drops) == 2, "two drops")
        assert [d.id for d in drops] == [ids["b"], ids["e"]]
        gate.set()
        assert await got.wait_async() == ["first", "d", "a", "c"]


async def test_what_has_expired_is_not_delivered(bus):
    gate = asyncio.Event()
    got = Collector(2)

    async def slow(message):
        await gate.wait()
        got(message)

    await bus.subscribe("work", slow, credit=1)
    bus.publish("work", "first")
    await bus.flush()
    bus.publish("work", "short-lived", ttl=0.001)
    bus.publish("work", "last", ttl=60)
    await bus.flush()
    await asyncio.sleep(0.05)
    gate.set()
    assert await got.wait_async() == ["first", "last"]


async def test_counts_of_channels(bus):
    got = Collector(2)
    await bus.subscribe("work", got.on_loop)
    bus.publish("work", 1)
    bus.publish("work", 2)
    bus.publish("nobody", 3)
    await bus.flush()
    await got.wait_async()
    metrics = bus.metrics()
    assert metrics["published"] == 3
    channels = metrics["channels"]
    assert channels["work"]["published"] == channels["work"]["delivered"] == 2
    assert channels["work"]["subscriptions"] == 1
    assert channels["nobody"]["unrouted"] == 1
    assert bus.queue_size("unheard of") == 0


async def test_creating_a_channel_twice(bus):
    assert await bus.create_channel("c", max_queue_size=5) is True
    assert await bus.create_channel("c", max_queue_size=9) is False
    with pytest.raises(InvalidRequest, match="drop_policy"):
        bus.create_channel("c", drop_policy="drop_all")


async def test_a_channels_default_priority(client):
    bus = MessageBus(client=client)
    bus.create_channel("work", default_priority=77)  # before the start
    got = Collector(1)
    async with bus:
        await bus.subscribe("work", got.on_loop)
        bus.publish("work", 1)
        await got.wait_async()
    assert got.messages[0].priority == 77


async def test_unsubscribe(bus):
    got = Collector(1)
    subscription = await bus.subscribe("work", got.on_loop)
    bus.publish("work", 1)
    await got.wait_async()
    await bus.unsubscribe(subscription.id)
    bus.publish("work", 2)
    await bus.flush()
    assert bus.metrics()["channels"]["work"]["unrouted"] == 1
    assert got.payloads == [1]
    with pytest.raises(NotFound):
        bus.unsubscribe(subscription.id)
    await subscription.cancel()  # once more does nothing


async def test_a_subscription_as_a_block(bus):
    got = Collector(1)
    async with bus.subscribe("work", got.on_loop):
        bus.publish("work", 1)
        await got.wait_async()
    assert bus.metrics()["channels"]["work"]["subscriptions"] == 0


async def test_private_buses_do_not_hear_each_other(client):
    async with MessageBus(client=client) as one, MessageBus(client=client) as two:
        mine, other = Collector(1), Collector(1)
        await one.subscribe("work", mine.on_loop)
        await two.subscribe("work", other.on_loop)
        two.publish("work", "hello")
        assert await other.wait_async() == ["hello"]
        assert mine.payloads == []


async def test_buses_of_one_name_share_their_channels(client):
    name = f"test-{uuid.uuid4().hex}"
    one, two = MessageBus(client=client, name=name), MessageBus(client=client, name=name)
    async with one, two:
        await one.subscribe("double", lambda message: message.payload * 2)
        assert await two.request("double", 4, timeout=PATIENCE) == 8


async def test_each_bus_on_a_connection_hears_of_its_own_drops(client):
    dropped_one, dropped_two = [], []
    one = MessageBus(client=client, on_drop=dropped_one.append)
    two = MessageBus(client=client, on_drop=dropped_two.append)
    gate = asyncio.Event()

    async def slow(message):
        await gate.wait()

    async with one, two:
        for bus in (one, two):
            await bus.create_channel("small", max_queue_size=1)
            await bus.subscribe("small", slow, credit=1)
        mine = [one.publish("small", i) for i in range(3)]
        others = [two.publish("small", i) for i in range(4)]
        await one.flush()
        await two.flush()
        within(lambda: (len(dropped_one), len(dropped_two)) == (1, 2), "one and two drops")
        assert [d.id for d in dropped_one] == mine[2:]
        assert [d.id for d in dropped_two] == others[2:]
        gate.set()


async def test_publishing_before_anything_else_starts_the_bus(client):
    bus = MessageBus(client=client)
    bus.publish("work", 1)
    while not bus.is_running:
        await asyncio.sleep(0.001)
    await bus.flush()
    assert bus.metrics()["channels"]["work"]["published"] == 1
    await bus.stop()


async def test_stop_lets_handlers_finish(client):
    handled = []

    async def handle(message):
        await asyncio.sleep(0.002)
        handled.append(message.payload)

    bus = MessageBus(client=client)
    await bus.subscribe("work", handle)
    for i in range(5):
        bus.publish("work", i)
    await bus.flush()
    while bus.metrics()["received"] < 5:
        await asyncio.sleep(0.001)
    await bus.stop()
    assert handled == list(range(5))
    with pytest.raises(ConnectionLost, match="stopped"):
        bus.publish("work", 6)
    with pytest.raises(ConnectionLost):
        await bus.subscribe("work", handle)
    await bus.stop()  # once more does nothing


async def test_stop_cancels_a_handler_that_does_not_end(client):
    entered, cancelled = asyncio.Event(), asyncio.Event()

    async def endless(message):
        entered.set()
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    bus = MessageBus(client=client)
    await bus.subscribe("work", endless)
    bus.publish("work", 1)
    await asyncio.wait_for(entered.wait(), PATIENCE)
    await bus.stop(timeout=0.05)
    await asyncio.wait_for(cancelled.wait(), PATIENCE)


@pytest.mark.parametrize("kind", ["coroutine", "function"])
async def test_a_handler_may_stop_its_bus(client, kind):
    bus = MessageBus(client=client)
    stopped = threading.Event()

    async def stop_async(message):
        await bus.stop()
        stopped.set()

    def stop(message):
        bus.stop()
        stopped.set()

    await bus.subscribe("work", stop_async if kind == "coroutine" else stop)
    bus.publish("work", 1)
    for _ in range(int(PATIENCE / 0.005)):
        if stopped.is_set():
            break
        await asyncio.sleep(0.005)
    assert stopped.is_set()
    assert not bus.is_running


async def test_a_handler_may_publish(bus):
    got = Collector(100)

    async def forward(message):
        bus.publish("out", message.payload)

    await bus.subscribe("in", forward)
    await bus.subscribe("out", got.on_loop)
    for i in range(100):
        bus.publish("in", i)
    assert await got.wait_async() == list(range(100))


def test_one_loop_after_another(bus):
    for _ in range(2):

        async def once():
            got = Collector(1)
            async with bus.subscribe("work", got.on_loop):
                bus.publish("work", 1)
                assert await got.wait_async() == [1]

        asyncio.run(once())


def test_a_subscriber_whose_loop_is_gone_harms_nobody(bus):
    async def subscribe():
        await bus.subscribe("work", Collector(1).on_loop)

    asyncio.run(subscribe())
    got = Collector(1)
    bus.subscribe("work", got)
    bus.publish("work", 1)
    assert got.wait() == [1]


@pytest.mark.parametrize("format", list(SerializationFormat))
async def test_payloads_arrive_in_their_documented_form(client, format):
    async with MessageBus(client=client, format=format) as bus:
        got = Collector(3)
        await bus.subscribe("work", got.on_loop)
        bus.publish("work", {"tuple": (1, 2.5, None), "text": "ü€𝄞", "nested": {"a": [True]}})
        bus.publish("work", b"\x00\xff")
        bus.publish("work", "")
        assert await got.wait_async() == [
            {"tuple": [1, 2.5, None], "text": "ü€𝄞", "nested": {"a": [True]}},
            b"\x00\xff",
            "",
        ]


@pytest.mark.parametrize(
    "call",
    [
        lambda bus: bus.publish("", 1),
        lambda bus: bus.publish("c" * 257, 1),
        lambda bus: bus.publish("c", object()),
        lambda bus: bus.publish("c", 1, priority=2**63),
        lambda bus: bus.publish("c", 1, priority="high"),
        lambda bus: bus.publish("c", 1, ttl=0),
        lambda bus: bus.publish("c", 1, ttl=float("nan")),
        lambda bus: bus.publish("c", bytes(9 << 20)),
        lambda bus: bus.subscribe("c", "not a function"),
        lambda bus: bus.subscribe("c", print, credit=0),
        lambda bus: bus.create_channel("bell\x07"),
    ],
)
def test_what_makes_no_sense_is_refused_at_once(bus, call):
    with pytest.raises((InvalidRequest, ValueError)):
        call(bus)


def test_large_payloads(bus):
    got = Collector(3)
    bus.subscribe("work", got)
    for size in (1 << 20, 3 << 20, 7 << 20):
        bus.publish("work", os.urandom(8) * (size // 8))
    assert [len(p) for p in got.wait()] == [1 << 20, 3 << 20, 7 << 20]


def test_persistent_channels_without_a_daemon_need_leave(tmp_path):
    path = tmp_path / "messages.db"
    with MessageBus(persistence_path=path, client=FallbackClient()) as bus:
        assert bus.namespace.startswith("file-")  # a namespace holds no dot
        with pytest.raises(NotSupported, match="allow_volatile"):
            bus.create_channel("kept", persistent=True)
    with MessageBus(persistence_path=path, client=FallbackClient(), allow_volatile=True) as bus:
        assert bus.create_channel("kept", persistent=True).result() is True
    assert list(tmp_path.iterdir()) == []
