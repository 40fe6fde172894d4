"""Plugins: what they see, change and stop."""

from __future__ import annotations

import asyncio
import dataclasses

from compat.conftest import Got, until
from neuralcore.compat.atlas_ncb import Plugin


def noting(name: str, into: list[tuple[str, str, object]], **more) -> Plugin:
    def hook(phase):
        async def note(message):
            into.append((name, phase, message.payload))
            return message

        return note

    phases = ("validate", "pre_publish", "post_publish", "pre_dispatch", "post_dispatch")
    return Plugin(name, **{phase: hook(phase) for phase in phases})


async def test_all_five_see_a_message_in_order_and_validate_once(bus, got):
    seen: list[tuple[str, str, object]] = []
    bus.add_plugin(noting("p", seen))
    bus.add_plugin(noting("q", seen))
    await bus.register_subscriber("c", "s", got)
    known = await bus.publish("c", 1)
    await until(lambda: len(seen) == 10, "all of them")
    phases = [phase for name, phase, _ in seen if name == "p"]
    assert phases == ["validate", "pre_publish", "post_publish", "pre_dispatch", "post_dispatch"]
    assert [name for name, phase, _ in seen if phase == "pre_publish"] == ["p", "q"]
    assert got.messages[0].id == known
    assert "ncb_id" not in got.messages[0].meta


async def test_a_plugin_sees_the_id_that_publish_returns_and_the_handler_gets(bus, got):
    ids = []

    async def note(message):
        ids.append(message.id)
        return message

    bus.add_plugin(Plugin("p", pre_publish=note, post_publish=note, pre_dispatch=note))
    await bus.register_subscriber("c", "s", got)
    known = await bus.publish("c", 1)
    await got.wait(1)
    await until(lambda: len(ids) == 3, "three")
    assert ids == [known] * 3


async def test_what_a_plugin_changes_before_publishing_counts(bus, got):
    async def change(message):
        return dataclasses.replace(
            message,
            payload=f"changed {message.payload}",
            priority=-message.priority,
            meta={**message.meta, "seen": True},
        )

    bus.add_plugin(Plugin("p", pre_publish=change))
    await bus.register_subscriber("c", "s", got)
    for n in range(3):
        await bus.publish("c", n, priority=n)
    assert await got.wait(3) == ["changed 2", "changed 1", "changed 0"]
    assert [m.priority for m in got.messages] == [-2, -1, 0]
    assert all(m.meta["seen"] for m in got.messages)


async def test_a_plugin_can_send_a_message_elsewhere(bus, got):
    async def reroute(message):
        return dataclasses.replace(message, channel="d")

    bus.create_channel("d")
    bus.add_plugin(Plugin("p", pre_publish=reroute))
    await bus.register_subscriber("d", "s", got)
    await bus.publish("c", 1)
    await got.wait(1)
    assert got.messages[0].channel == "d"


async def test_what_a_plugin_changes_before_handling_counts(bus, got):
    async def change(message):
        return dataclasses.replace(message, payload="changed")

    bus.add_plugin(Plugin("p", pre_dispatch=change))
    await bus.register_subscriber("c", "s", got)
    await bus.publish("c", 1)
    assert await got.wait(1) == ["changed"]


async def test_a_plugin_that_refuses_makes_publish_return_none(bus, got, caplog):
    async def only_small(message):
        if message.payload > 1:
            raise ValueError("too large")

    bus.add_plugin(Plugin("p", validate=only_small))
    await bus.register_subscriber("c", "s", got)
    assert [await bus.publish("c", n) is None for n in (1, 2)] == [False, True]
    assert await got.wait(1) == [1]
    assert bus.snapshot_metrics()["c"]["errors"] == 1
    assert "pre_publish_fail" in [getattr(r, "event", "") for r in caplog.records]


async def test_a_plugin_that_fails_before_handling_makes_a_dead_letter(bus, got):
    letters = Got()
    bus._channel_cfg["c"].dead_letter_channel = "letters"

    async def fail(message):
        if message.channel == "c":
            raise ValueError("no")
        return message

    bus.add_plugin(Plugin("p", pre_dispatch=fail))
    await bus.register_subscriber("c", "s", got)
    await bus.register_subscriber("letters", "s", letters)
    await bus.publish("c", 1)
    await letters.wait(1)
    assert letters.payloads[0]["error"] == "no"
    assert got.payloads == []


async def test_what_comes_from_elsewhere_is_validated_before_it_is_handled(make, got):
    here, there = make(name="validated"), make(name="validated")
    for bus in (here, there):
        bus.create_channel("c")
        await bus.start()

    async def refuse(message):
        if message.payload == "bad":
            raise ValueError("bad")

    here.add_plugin(Plugin("p", validate=refuse))
    await here.register_subscriber("c", "s", got)
    await there.publish("c", "bad")
    await there.publish("c", "good")
    assert await got.wait(1) == ["good"]
    assert here.snapshot_metrics()["c"]["errors"] == 1


async def test_one_that_is_told_afterwards_may_fail_or_dawdle(bus, got):
    dawdling = asyncio.Event()

    async def fail(message):
        raise RuntimeError("boom")

    async def dawdle(message):
        await dawdling.wait()

    bus.add_plugin(Plugin("p", post_publish=fail, post_dispatch=fail))
    bus.add_plugin(Plugin("q", post_publish=dawdle, post_dispatch=dawdle))
    await bus.register_subscriber("c", "s", got)
    for n in range(3):
        assert await bus.publish("c", n) is not None
    assert await got.wait(3) == [0, 1, 2]
    await until(lambda: bus.snapshot_metrics()["c"]["errors"] == 6, "six failures")
    await asyncio.wait_for(bus.stop(0.05), 5.0)
