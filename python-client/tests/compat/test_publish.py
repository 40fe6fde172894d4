"""Publishing: ids, order, rates, payloads, and what is refused."""

from __future__ import annotations

import asyncio
import dataclasses
import threading

import pytest

from compat.conftest import Got, until
from neuralcore.compat.atlas_ncb import ChannelConfig, Message


async def test_lower_priorities_come_first_and_zero_is_one(bus, got):
    await bus.register_subscriber("c", "s", got)
    for priority in (100, 5, 0, -3, 5, None, 10**12):
        await bus.publish("c", priority, priority=priority)
    assert await got.wait(7) == [-3, 0, 5, 5, 100, None, 10**12]
    assert [m.priority for m in got.messages] == [-3, 0, 5, 5, 100, 100, 10**12]


async def test_equal_priorities_keep_their_order_across_channels(bus, got):
    for name in ("d", "e"):
        bus.create_channel(name)
    for name in ("c", "d", "e"):
        await bus.register_subscriber(name, "s", got)
    sent = [(n, "cde"[n % 3]) for n in range(30)]
    for n, name in sent:
        await bus.publish(name, n)
    await got.wait(30)
    assert [(m.payload, m.channel) for m in got.messages] == sent


async def test_publish_does_not_give_way(bus):
    order = []

    async def other():
        order.append("other")

    task = asyncio.create_task(other())
    for n in range(10):
        await bus.publish("c", n)
    order.append("published")
    await task
    assert order == ["published", "other"]


async def test_a_message_says_what_atlas_says(bus, got):
    await bus.register_subscriber("c", "s", got)
    known = await bus.publish(
        "c", {"a": [1, None]}, priority=4, meta={"trace_id": "t", "x": {"y": 1}}
    )
    await got.wait(1)
    message = got.messages[0]
    assert isinstance(message, Message)
    assert isinstance(known, str)
    assert message.to_dict() == {
        "id": known,
        "channel": "c",
        "ts": message.ts,
        "priority": 4,
        "payload": {"a": [1, None]},
        "meta": {"trace_id": "t", "x": {"y": 1}, "published_by": "unknown"},
    }
    assert message.trace_id == "t"
    assert isinstance(message.ts, float)
    with pytest.raises(dataclasses.FrozenInstanceError):
        message.priority = 1


async def test_every_message_has_a_trace_id_of_its_own(bus, got):
    await bus.register_subscriber("c", "s", got)
    for n in range(3):
        await bus.publish("c", n)
    await got.wait(3)
    assert len({m.trace_id for m in got.messages}) == 3
    assert all(len(m.trace_id) == 32 for m in got.messages)


async def test_names_that_the_message_bus_uses_itself_pass_through_meta(bus, got):
    meta = {"reply_to": "nobody", "source": "me", "correlation_id": "k", "error": {"e": 1}, "a": ""}
    await bus.register_subscriber("c", "s", got)
    await bus.publish("c", 1, meta=meta)
    await got.wait(1)
    assert {name: got.messages[0].meta.get(name) for name in meta} == meta


async def test_each_subscriber_has_a_payload_of_its_own(bus):
    seen = []

    async def change(message):
        seen.append(list(message.payload["list"]))
        message.payload["list"].append("changed")

    await bus.register_subscriber("c", "a", change)
    await bus.register_subscriber("c", "b", change)
    payload = {"list": [1]}
    await bus.publish("c", payload)
    await until(lambda: len(seen) == 2, "both")
    assert seen == [[1], [1]]
    assert payload == {"list": [1]}


async def test_an_unknown_channel_is_none_and_in_the_log(bus, caplog):
    assert await bus.publish("nowhere", 1) is None
    assert [r.event for r in caplog.records if r.levelname == "ERROR"] == ["publish_no_channel"]


async def test_the_validator_rules_names(make):
    bus = make(channel_validator=lambda name: name.islower())
    bus.create_channel("c")
    await bus.start()
    assert await bus.publish("c", 1) is not None
    with pytest.raises(ValueError, match="Invalid channel name: C"):
        await bus.publish("C", 1)
    with pytest.raises(ValueError, match="Invalid channel name: C"):
        await bus.register_subscriber("C", "s", Got())


@pytest.mark.parametrize("running", [True, False])
async def test_what_cannot_be_encoded_is_an_error_at_publish(make, running):
    bus = make()
    bus.create_channel("c")
    if running:
        await bus.start()
    with pytest.raises(TypeError, match="object"):
        await bus.publish("c", {"a": object()})
    assert bus.snapshot_metrics().get("c", {}).get("published", 0) == 0


async def test_a_rate_delays_and_loses_nothing(make, got):
    bus = make()
    config = ChannelConfig("c", rate_limit_per_sec=100, rate_limit_burst=5)
    bus.create_channel("c", config)
    await bus.start()
    await bus.register_subscriber("c", "s", got)
    loop = asyncio.get_running_loop()
    started = loop.time()
    ids = await asyncio.gather(*(bus.publish("c", n) for n in range(15)))
    assert loop.time() - started >= 0.09  # ten of them at 100 a second
    assert None not in ids
    assert await got.wait(15) == list(range(15))


async def test_publishing_from_another_thread(bus, got):
    await bus.register_subscriber("c", "s", got)
    ids = []
    thread = threading.Thread(target=lambda: ids.append(asyncio.run(bus.publish("c", 1))))
    thread.start()
    await got.wait(1)
    thread.join()
    assert [m.id for m in got.messages] == ids


async def test_what_a_full_channel_drops_is_counted(make):
    bus = make()
    bus.create_channel("c", ChannelConfig("c", max_queue_size=8))
    await bus.start()
    handled = []
    release = asyncio.Event()

    async def wait(message):
        await release.wait()
        handled.append(message.payload)

    await bus.register_subscriber("c", "s", wait)
    for n in range(50):
        await bus.publish("c", n)
        await asyncio.sleep(0)
    await until(lambda: bus.snapshot_metrics()["c"]["dropped"] > 0, "a drop")
    release.set()
    await until(
        lambda: len(handled) + bus.snapshot_metrics()["c"]["dropped"] >= 50, "all accounted for"
    )
    assert len(handled) + bus.snapshot_metrics()["c"]["dropped"] == 50
    assert len(handled) <= 8 + 1 + 1
    assert handled == sorted(handled)


async def test_drop_old_gives_up_the_worst_and_never_the_most_urgent(make):
    bus = make()
    bus.create_channel("c", ChannelConfig("c", max_queue_size=4, drop_policy="drop_old"))
    await bus.start()
    handled = []
    release = asyncio.Event()

    async def wait(message):
        await release.wait()
        handled.append(message.payload)

    await bus.register_subscriber("c", "s", wait)
    await bus.publish("c", "first")
    await asyncio.sleep(0.05)
    for name, priority in [("a", 5), ("b", 9), ("c", 9), ("d", 1), ("e", 0), ("late", 200)]:
        await bus.publish("c", name, priority=priority)
    await until(lambda: bus.snapshot_metrics()["c"]["dropped"] == 2, "two drops")
    release.set()
    await until(lambda: len(handled) == 5, "five")
    assert handled == ["first", "e", "d", "a", "c"]
