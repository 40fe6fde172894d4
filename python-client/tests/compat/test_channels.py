"""Channels: creating, changing, removing, and the private views that ATLAS looks into."""

from __future__ import annotations

import asyncio
import copy
import dataclasses
import pickle

import pytest

from compat.conftest import until
from neuralcore.compat.atlas_ncb import ChannelConfig, TokenBucket


def test_the_defaults_are_those_of_atlas():
    config = ChannelConfig("c")
    assert {f.name: getattr(config, f.name) for f in dataclasses.fields(config)} == {
        "name": "c",
        "max_queue_size": 1000,
        "drop_policy": "drop_new",
        "default_priority": 100,
        "rate_limit_per_sec": None,
        "rate_limit_burst": None,
        "persistent": False,
        "serializer": "msgpack",
        "compress": False,
        "compression_level": 3,
        "redis_in": None,
        "redis_out": None,
        "kafka_in": None,
        "kafka_out": None,
        "dead_letter_channel": None,
        "fanout_max_concurrency": 500,
        "idempotency_key_field": None,
        "idempotency_ttl_seconds": 60.0,
        "durability": None,
        "ttl": None,
        "retention_age": None,
        "retention_rows": None,
        "retention_bytes": None,
        "max_attempts": None,
        "ageing": None,
        "block_timeout": None,
    }


def test_a_channel_is_created_with_the_bus_default_size(make):
    bus = make(default_max_queue_size=7)
    bus.create_channel("c")
    bus.create_channel("d", ChannelConfig("other name", max_queue_size=9))
    assert bus.default_max_queue_size == 7
    assert bus._channel_cfg["c"].max_queue_size == 7
    assert bus._channel_cfg["d"].name == "d"
    assert (bus._queues["d"].maxsize, bus._queues["d"].drop_policy) == (9, "drop_new")


def test_creating_again_warns_and_changes_nothing(make, caplog):
    bus = make()
    bus.create_channel("c", ChannelConfig("c", max_queue_size=5))
    bus.create_channel("c", ChannelConfig("c", max_queue_size=6))
    assert bus._channel_cfg["c"].max_queue_size == 5
    assert [r.event for r in caplog.records if r.levelname == "WARNING"] == ["channel_exists"]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("drop_policy", "drop_random"),
        ("max_queue_size", "many"),
        ("max_queue_size", True),
        ("serializer", "pickle"),
        ("rate_limit_per_sec", -1),
        ("idempotency_ttl_seconds", 0),
        ("persistent", "yes"),
        ("dead_letter_channel", 3),
        ("durability", "ram"),
        ("retention_rows", 1.5),
    ],
)
def test_a_setting_without_meaning_is_refused_at_once(make, field, value):
    bus = make()
    with pytest.raises(ValueError, match=f"'c'.*{field} is {value!r}"):
        bus.create_channel("c", ChannelConfig("c", **{field: value}))
    assert "c" not in bus._queues
    bus.create_channel("c")
    before = getattr(bus._channel_cfg["c"], field)
    with pytest.raises(ValueError, match=field):
        setattr(bus._channel_cfg["c"], field, value)
    assert getattr(bus._channel_cfg["c"], field) == before


def test_a_field_that_there_is_not_is_refused(make):
    bus = make()
    bus.create_channel("c")
    with pytest.raises(ValueError, match="no such field"):
        bus._channel_cfg["c"].max_size = 3


def test_one_configuration_for_two_channels_does_not_tie_them(make):
    bus = make()
    config = ChannelConfig("x")
    bus.create_channel("a", config)
    bus.create_channel("b", config)
    bus._channel_cfg["a"].max_queue_size = 3
    assert bus._channel_cfg["b"].max_queue_size == 1000
    assert bus._channel_cfg["a"] is config


@pytest.mark.parametrize("copying", [copy.copy, copy.deepcopy, dataclasses.replace])
def test_a_copy_of_a_configuration_changes_no_channel(make, copying):
    bus = make()
    bus.create_channel("c")
    other = copying(bus._channel_cfg["c"])
    other.dead_letter_channel = "letters"
    assert "letters" not in bus._queues
    assert not other.is_watched
    assert pickle.loads(pickle.dumps(bus._channel_cfg["c"])) == bus._channel_cfg["c"]


def test_the_private_views_are_mappings(make):
    bus = make()
    bus.create_channel("a")
    assert "a" in bus._queues
    assert "a" in bus._channel_cfg
    assert "b" not in bus._queues
    assert bus._channel_cfg.get("b") is None
    assert (list(bus._queues), len(bus._queues)) == (["a"], 1)
    assert (list(bus._channel_cfg), len(bus._channel_cfg)) == (["a"], 1)
    with pytest.raises(KeyError):
        bus._queues["b"]
    with pytest.raises(KeyError):
        bus._channel_cfg["b"]
    bus._channel_cfg["b"] = ChannelConfig("b", max_queue_size=4)
    assert bus._queues["b"].maxsize == 4
    bus._channel_cfg["b"] = ChannelConfig("b", max_queue_size=5)
    assert bus._queues["b"].maxsize == 5
    del bus._channel_cfg["b"]
    assert "b" not in bus._queues
    with pytest.raises(KeyError):
        del bus._channel_cfg["b"]


async def test_a_dead_letter_channel_is_created_when_it_is_named(bus):
    bus.create_channel("d", ChannelConfig("d", dead_letter_channel="d.letters"))
    assert "d.letters" in bus._queues
    bus._channel_cfg["c"].dead_letter_channel = "c.letters"
    assert "c.letters" in bus._queues


def test_a_channel_is_not_its_own_dead_letter_channel(make, caplog):
    bus = make()
    bus.create_channel("c", ChannelConfig("c", dead_letter_channel="c"))
    assert "dlq_invalid" in [r.event for r in caplog.records]


async def test_removing_ends_the_subscribers_and_leaves_nothing_behind(bus, got):
    await bus.register_subscriber("c", "s", got)
    await bus.publish("c", 1)
    await got.wait(1)
    bus.remove_channel("c")
    bus.remove_channel("c")
    assert "c" not in bus._queues
    assert await bus.publish("c", 2) is None
    bus.create_channel("c")
    assert await bus.publish("c", 3) is not None
    fresh = type(got)()
    await bus.register_subscriber("c", "t", fresh)
    await bus.publish("c", 4)
    await fresh.wait(1)
    assert got.payloads == [1]
    left = bus._link._bus._core.subscriptions
    await until(lambda: len(left) == 1, "the first subscription is gone")


async def test_a_channel_created_while_running_can_be_used_at_once(bus, got):
    bus.create_channel("new", ChannelConfig("new", default_priority=3))
    await bus.register_subscriber("new", "s", got)
    await bus.publish("new", 1)
    await got.wait(1)
    assert got.messages[0].priority == 3


async def test_queue_sizes_are_those_of_the_daemon(make):
    bus = make()
    bus.create_channel("c", ChannelConfig("c", max_queue_size=16))
    await bus.start()
    release = asyncio.Event()

    async def wait(message):
        await release.wait()

    await bus.register_subscriber("c", "s", wait)
    for n in range(10):
        await bus.publish("c", n)
    # Two are with the subscriber, an eighth of the queue.
    await until(lambda: bus._queues["c"].qsize() == 8, "8 wait")
    assert bus.snapshot_metrics()["c"]["queue_size"] == 8
    release.set()
    await until(lambda: bus._queues["c"].qsize() == 0, "none waits")


async def test_a_token_bucket_keeps_its_tokens_when_the_rate_changes():
    bucket = TokenBucket(0.001, 10)
    assert bucket.reserve(10) == 0
    bucket.change(0.002, 10)
    assert 400 < bucket.reserve(1) <= 500
    with pytest.raises(ValueError, match="never fit"):
        await bucket.acquire(11)
    with pytest.raises(ValueError, match="must be above 0"):
        TokenBucket(0, 1)


async def test_a_token_bucket_gives_back_what_a_cancelled_waiter_took():
    bucket = TokenBucket(1, 1)
    await bucket.acquire()
    task = asyncio.create_task(bucket.acquire())
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])
    assert bucket.reserve(1) <= 1
