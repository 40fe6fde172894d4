"""What ATLAS's own bus promises and does not hold: copies, room, time, and settings that change."""

from __future__ import annotations

import asyncio

import pytest

from compat.conftest import Got, settled, until
from neuralcore.compat.atlas_ncb import ChannelConfig


@pytest.fixture
async def once(make):
    """A bus whose channel "c" knows copies by the field "id"."""
    bus = make()
    bus.create_channel("c", ChannelConfig("c", idempotency_key_field="id"))
    await bus.start()
    return bus


@pytest.mark.parametrize("wrap", [lambda p: p, lambda p: {"id": "outer", "payload": p}])
async def test_a_copy_is_not_handled_again_and_not_counted_as_dropped(once, got, wrap):
    await once.register_subscriber("c", "s", got)
    for number in (1, 1, 2, "1", 1):
        assert await once.publish("c", wrap({"id": number})) is not None
    await settled(once)
    assert got.payloads[:-1] == [wrap({"id": number}) for number in (1, 2, "1")]
    assert once.snapshot_metrics()["c"]["dropped"] == 0


async def test_what_failed_may_come_again(once):
    tried = []

    async def fail_first(message):
        tried.append(message.payload)
        if len(tried) == 1:
            raise RuntimeError("boom")

    await once.register_subscriber("c", "s", fail_first)
    await once.publish("c", {"id": 1})
    await until(lambda: once.snapshot_metrics()["c"]["errors"] == 1, "it failed")
    await once._link._bus.flush()
    await once.publish("c", {"id": 1})
    await until(lambda: len(tried) == 2, "it came again")


async def test_a_copy_is_forgotten_after_its_time(once, got):
    once._channel_cfg["c"].idempotency_ttl_seconds = 0.05
    await once.register_subscriber("c", "s", got)
    await once.publish("c", {"id": 1})
    await got.wait(1)
    await asyncio.sleep(0.2)
    await once.publish("c", {"id": 1})
    await got.wait(2)


async def test_assigning_to_the_private_configuration_takes_effect(bus, got):
    """ATLAS's AgentBus.configure_channel does that."""
    await bus.register_subscriber("c", "s", got)
    bus._channel_cfg.get("c").idempotency_key_field = "id"
    bus._channel_cfg.get("c").idempotency_ttl_seconds = 60.0
    await bus.publish("c", {"id": 1})
    await bus.publish("c", {"id": 1})
    await settled(bus)
    assert got.payloads == [{"id": 1}, "settled"]
    bus._channel_cfg.get("c").idempotency_key_field = None
    await bus.publish("c", {"id": 1})
    await got.wait(3)


async def test_every_setting_reaches_the_daemon_and_so_does_its_change(bus):
    wanted = {
        "max_queue_size": 5,
        "drop_policy": "block",
        "default_priority": 3,
        "dead_letter_channel": "letters",
        "idempotency_key_field": "id",
        "idempotency_ttl": 7.0,
        "persistent": False,
        "durability": "os",
        "ttl": 9.0,
        "retention_age": 100.0,
        "retention_rows": 1000,
        "retention_bytes": 10_000,
        "max_attempts": 2,
        "ageing": 1.0,
        "block_timeout": 2.0,
    }
    settings = {**wanted, "idempotency_ttl_seconds": 7.0, "redis_out": "r"}
    del settings["idempotency_ttl"]

    def known():
        channels = bus._link._bus._core.backend.call("channels", {}, 10.0)["channels"]
        return next(config for config in channels if config["channel"] == "d")

    bus.apply_config({"channels": {"d": settings}})
    assert {name: known()[name] for name in wanted} == wanted
    assert known()["client"]["redis_out"] == "r"
    bus.apply_config({"channels": {"d": {"max_queue_size": 6, "dead_letter_channel": None}}})
    assert (known()["max_queue_size"], known()["dead_letter_channel"]) == (6, "")


async def test_publish_says_none_once_the_channel_is_known_to_be_full(make):
    bus = make()
    bus.create_channel("c", ChannelConfig("c", max_queue_size=8))
    await bus.start()
    release = asyncio.Event()

    async def stuck(message):
        await release.wait()

    await bus.register_subscriber("c", "s", stuck)

    async def refused() -> bool:
        known = await bus.publish("c", 1)
        await asyncio.sleep(0.002)
        return known is None

    for _ in range(1000):
        if await refused():
            break
    else:
        raise AssertionError("never None")
    assert bus.snapshot_metrics()["c"]["dropped"] > 0
    release.set()
    for _ in range(1000):
        if not await refused():
            break
    else:
        raise AssertionError("never room again")


async def test_block_waits_for_room_and_loses_nothing(make, got):
    bus = make()
    bus.create_channel("c", ChannelConfig("c", max_queue_size=8, drop_policy="block"))
    await bus.start()
    release = asyncio.Event()

    async def wait(message):
        await release.wait()
        await got(message)

    await bus.register_subscriber("c", "s", wait)
    for n in range(16):
        assert await bus.publish("c", n) is not None
    release.set()
    assert await got.wait(16) == list(range(16))


async def test_what_has_waited_too_long_is_not_handled(make):
    bus = make()
    bus.create_channel("c", ChannelConfig("c", max_queue_size=8, ttl=0.05))
    await bus.start()
    release = asyncio.Event()
    handled = []

    async def wait(message):
        handled.append(message.payload)
        await release.wait()

    await bus.register_subscriber("c", "s", wait)
    await bus.publish("c", 0)
    await until(lambda: handled, "the first")
    await bus.publish("c", 1)
    await asyncio.sleep(0.3)
    release.set()
    await settled(bus)
    assert handled == [0, "settled"]


async def test_others_go_on_while_a_message_waits_to_be_tried_again(bus):
    order = []

    async def fail_first(message):
        order.append(message.payload)
        if order.count("bad") == 1 and message.payload == "bad":
            raise RuntimeError("boom")

    await bus.register_subscriber("c", "s", fail_first, retry_attempts=1, retry_delay=0.2)
    for payload in ("bad", "a", "b"):
        await bus.publish("c", payload)
    await until(lambda: len(order) == 4, "four")
    assert order == ["bad", "a", "b", "bad"]


async def test_the_message_of_a_dead_letter_has_the_id_that_publish_returned(make):
    bus = make()
    bus.create_channel("c", ChannelConfig("c", dead_letter_channel="letters"))
    letters = Got()

    async def fail(message):
        raise RuntimeError("boom")

    await bus.register_subscriber("c", "s", fail)
    await bus.register_subscriber("letters", "s", letters)
    early = await bus.publish("c", 1)  # before the start, when the daemon's id is not known
    await bus.start()
    await letters.wait(1)
    assert letters.payloads[0]["message"]["id"] == early
    assert letters.messages[0].meta["origin_msg_id"] == early
    assert "ncb_id" not in letters.payloads[0]["message"]["meta"]
