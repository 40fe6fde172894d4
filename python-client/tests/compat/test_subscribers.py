"""Subscribers: filters, retries, dead letters, rates, concurrency, isolation, their end."""

from __future__ import annotations

import asyncio

import pytest

from compat.conftest import Got, settled, until
from neuralcore.compat.atlas_ncb import ChannelConfig, get_trace_id


async def test_a_channel_that_there_is_not_is_an_error(bus, got):
    with pytest.raises(ValueError, match="'nowhere' does not exist"):
        await bus.register_subscriber("nowhere", "s", got)
    await bus.unregister_subscriber("nowhere", "s")
    await bus.unregister_subscriber("c", "nobody")


async def test_a_filter_picks_messages(bus, got):
    await bus.register_subscriber("c", "s", got, lambda m: m.payload % 2 == 0)
    for n in range(10):
        await bus.publish("c", n)
    assert await got.wait(5) == [0, 2, 4, 6, 8]


async def test_a_message_is_tried_again_so_many_times(bus):
    tried = []

    async def fail_twice(message):
        tried.append(message.id)
        if len(tried) < 3:
            raise RuntimeError("boom")

    await bus.register_subscriber("c", "s", fail_twice, retry_attempts=2, retry_delay=0.01)
    known = await bus.publish("c", 1)
    await until(lambda: bus.snapshot_metrics()["c"]["dispatched"] == 1, "it succeeds")
    assert tried == [known] * 3
    assert bus.snapshot_metrics()["c"]["errors"] == 0


@pytest.fixture
def letters() -> Got:
    return Got()


async def with_letters(bus, letters):
    bus._channel_cfg["c"].dead_letter_channel = "c.dlq"
    await bus.register_subscriber("c.dlq", "undertaker", letters)


async def test_after_its_retries_a_message_is_a_dead_letter_of_atlas_shape(bus, letters):
    await with_letters(bus, letters)
    tried = []

    async def fail(message):
        tried.append(1)
        raise KeyError("missing")

    await bus.register_subscriber("c", "worker", fail, retry_attempts=1, retry_delay=0.01)
    known = await bus.publish("c", {"a": 1}, priority=7, meta={"trace_id": "t", "x": 1})
    await letters.wait(1)
    assert len(tried) == 2
    letter = letters.messages[0]
    assert (letter.channel, letter.priority, letter.trace_id) == ("c.dlq", 0, "t")
    assert letter.meta["dlq"] is True
    assert letter.meta["origin_msg_id"] == known
    assert letter.meta["published_by"] == "unknown"
    assert set(letter.payload) == {
        "origin_channel",
        "subscriber",
        "error_type",
        "error",
        "traceback",
        "message",
    }
    assert letter.payload["origin_channel"] == "c"
    assert letter.payload["subscriber"] == "worker"
    assert letter.payload["error_type"] == "KeyError"
    assert letter.payload["error"] == "'missing'"
    assert "raise KeyError" in letter.payload["traceback"]
    origin = letter.payload["message"]
    assert set(origin) == {"id", "channel", "ts", "priority", "payload", "meta"}
    assert (origin["id"], origin["channel"], origin["priority"]) == (known, "c", 7)
    assert origin["payload"] == {"a": 1}
    assert origin["meta"]["x"] == 1
    assert bus.snapshot_metrics()["c"]["errors"] == 1


async def test_the_letter_of_a_message_without_meta_has_its_trace(bus, letters):
    await with_letters(bus, letters)

    async def fail(message):
        raise KeyError(message.trace_id)

    await bus.register_subscriber("c", "worker", fail)
    known = await bus.publish("c", 1)
    await letters.wait(1)
    letter = letters.messages[0]
    assert letter.trace_id == known
    assert letter.payload["message"]["meta"] == {"trace_id": known}
    assert letter.payload["error"] == repr(known)


async def test_each_subscriber_that_fails_has_a_letter_of_its_own(bus, letters, got):
    await with_letters(bus, letters)

    async def fail(message):
        raise RuntimeError("boom")

    await bus.register_subscriber("c", "one", fail)
    await bus.register_subscriber("c", "two", fail)
    await bus.register_subscriber("c", "fine", got)
    await bus.publish("c", 1)
    await letters.wait(2)
    await got.wait(1)
    assert sorted(p["subscriber"] for p in letters.payloads) == ["one", "two"]
    assert got.payloads == [1]


async def test_a_filter_that_fails_makes_a_letter_at_once(bus, letters, got):
    await with_letters(bus, letters)
    await bus.register_subscriber("c", "s", got, lambda m: m.payload["no"], retry_attempts=5)
    await bus.publish("c", 1)
    await letters.wait(1)
    assert letters.payloads[0]["error_type"] == "TypeError"
    assert got.payloads == []


async def test_a_cancellation_that_a_handler_lets_out_is_a_failure(bus, letters):
    await with_letters(bus, letters)

    async def cancelled(message):
        raise asyncio.CancelledError

    await bus.register_subscriber("c", "s", cancelled)
    await bus.publish("c", 1)
    await letters.wait(1)
    assert letters.payloads[0]["error_type"] == "CancelledError"


async def test_a_dead_letter_has_no_dead_letter(bus):
    bus.create_channel("a", ChannelConfig("a", dead_letter_channel="b"))
    bus._channel_cfg["b"].dead_letter_channel = "c"
    beyond = Got()

    async def fail(message):
        raise RuntimeError("boom")

    await bus.register_subscriber("a", "s", fail)
    await bus.register_subscriber("b", "s", fail)
    await bus.register_subscriber("c", "s", beyond)
    await bus.publish("a", 1)
    await until(lambda: bus.snapshot_metrics().get("b", {}).get("errors") == 1, "b failed")
    await settled(bus)
    assert beyond.payloads == ["settled"]


async def test_plain_functions_are_callbacks_too_and_run_once(bus):
    seen = []
    await bus.register_subscriber("c", "s", lambda m: seen.append(m.payload), retry_attempts=3)
    await bus.publish("c", 1)
    await until(lambda: bus.snapshot_metrics()["c"]["dispatched"] == 1, "handled")
    await settled(bus)
    assert seen == [1, "settled"]
    assert bus.snapshot_metrics()["c"]["errors"] == 0


async def test_two_subscribers_of_one_name_both_get_messages_and_end_together(bus):
    one, two = Got(), Got()
    await bus.register_subscriber("c", "s", one)
    await bus.register_subscriber("c", "s", two)
    await bus.publish("c", 1)
    await one.wait(1)
    await two.wait(1)
    await bus.unregister_subscriber("c", "s")
    await bus.publish("c", 2)
    await settled(bus)
    assert (one.payloads, two.payloads) == ([1], [1])


async def test_a_subscriber_can_end_itself(bus):
    seen = []

    async def once(message):
        seen.append(message.payload)
        await bus.unregister_subscriber("c", "s")

    await bus.register_subscriber("c", "s", once)
    await bus.publish("c", 1)
    await until(lambda: seen, "it ran")
    await bus.publish("c", 2)
    await settled(bus)
    assert seen == [1]


async def test_concurrency_lets_messages_meet(bus):
    barrier = [asyncio.Event(), asyncio.Event()]
    met = []

    async def meet(message):
        barrier[message.payload].set()
        await barrier[1 - message.payload].wait()
        met.append(message.payload)

    await bus.register_subscriber("c", "s", meet, concurrency=2)
    await bus.publish("c", 0)
    await bus.publish("c", 1)
    await until(lambda: len(met) == 2, "both met")


async def test_without_concurrency_one_message_is_handled_after_the_other(bus):
    running = []
    most = []

    async def handle(message):
        running.append(1)
        most.append(len(running))
        await asyncio.sleep(0.001)
        running.pop()

    await bus.register_subscriber("c", "s", handle)
    for n in range(10):
        await bus.publish("c", n)
    await until(lambda: len(most) == 10, "all")
    assert max(most) == 1


async def test_no_more_handlers_of_a_channel_run_than_its_fan_out_allows(make):
    bus = make()
    bus.create_channel("c", ChannelConfig("c", fanout_max_concurrency=2))
    await bus.start()
    running = []
    most = []

    async def handle(message):
        running.append(1)
        most.append(len(running))
        await asyncio.sleep(0.005)
        running.pop()

    for n in range(4):
        await bus.register_subscriber("c", f"s{n}", handle, concurrency=2)
    for n in range(4):
        await bus.publish("c", n)
    await until(lambda: len(most) == 16, "all")
    assert max(most) == 2


async def test_a_slow_subscriber_delays_no_other(bus, got):
    release = asyncio.Event()

    async def stuck(message):
        await release.wait()

    await bus.register_subscriber("c", "slow", stuck)
    await bus.register_subscriber("c", "fast", got)
    for n in range(50):
        await bus.publish("c", n)
    assert await got.wait(50) == list(range(50))
    release.set()


async def test_a_subscriber_that_waits_to_try_again_delays_no_other(bus, got):
    async def fail(message):
        raise RuntimeError("boom")

    await bus.register_subscriber("c", "failing", fail, retry_attempts=3, retry_delay=30)
    await bus.register_subscriber("c", "fine", got)
    for n in range(5):
        await bus.publish("c", n)
    assert await got.wait(5) == list(range(5))


async def test_a_subscriber_rate_delays_and_loses_nothing(bus, got):
    await bus.register_subscriber("c", "s", got, rate_limit_per_sec=100, rate_limit_burst=2)
    loop = asyncio.get_running_loop()
    started = loop.time()
    for n in range(12):
        await bus.publish("c", n)
    assert await got.wait(12) == list(range(12))
    assert loop.time() - started >= 0.08  # ten of them at 100 a second, less a tick


async def test_the_trace_id_is_at_hand_while_a_message_is_handled(bus):
    seen = []

    async def note(message):
        seen.append(get_trace_id())

    await bus.register_subscriber("c", "s", note)
    await bus.publish("c", 1, meta={"trace_id": "t1"})
    await bus.publish("c", 1, meta={"trace_id": "t2"})
    await until(lambda: len(seen) == 2, "both")
    assert seen == ["t1", "t2"]
    assert get_trace_id() == ""


async def test_the_bookkeeping_of_idle_subscribers_is_dropped_and_they_go_on(make, got):
    bus = make(subscriber_gc_interval_sec=0.01, subscriber_ttl_sec=0.05)
    bus.create_channel("c")
    await bus.start()
    await bus.register_subscriber("c", "s", got)
    assert ("c", "s") in bus._subscriber_last_seen
    await until(lambda: not bus._subscriber_last_seen, "it is forgotten")
    await bus.publish("c", 1)
    await got.wait(1)
    assert ("c", "s") in bus._subscriber_last_seen


async def test_what_nobody_subscribes_to_is_counted_by_the_daemon(bus):
    await bus.publish("c", 1)
    await until(lambda: bus._link._bus.metrics()["channels"]["c"]["unrouted"] == 1, "it is counted")
