"""ATLAS's buses where there is no daemon."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from typing import Any

import pytest

from compat.conftest import Got, until
from neuralcore.compat.agent_bus import AgentBus, AgentMessage, UserInputMessage
from neuralcore.compat.atlas_ncb import ChannelConfig, NeuralCognitiveBus
from neuralcore.errors import NotSupported
from neuralcore.fallback.client import FallbackClient
from neuralcore.messaging import MessageBus


@pytest.fixture
async def bus() -> AsyncIterator[AgentBus]:
    running = AgentBus(client=FallbackClient())
    await running.start()
    yield running
    await running.stop()


@pytest.fixture
async def ncb() -> AsyncIterator[NeuralCognitiveBus]:
    running = NeuralCognitiveBus(client=FallbackClient())
    await running.start()
    yield running
    await running.stop(1.0)


async def test_it_says_what_it_lacks(caplog):
    bus = AgentBus(client=FallbackClient())
    with caplog.at_level(logging.WARNING):
        await bus.start()
    assert "without the daemon" in caplog.text
    await bus.stop()


async def test_a_failure_is_tried_again_and_succeeds(bus):
    attempts: list[int] = []
    done: list[Any] = []

    async def shaky(message: AgentMessage) -> None:
        attempts.append(message.payload["n"])
        if len(attempts) < 3:
            raise RuntimeError("not yet")
        done.append(message.payload)

    await bus.subscribe("jobs", shaky, retry_attempts=3, retry_delay=0.01)
    await bus.publish("jobs", {"n": 1})
    await until(lambda: done, "success")
    assert attempts == [1, 1, 1]


async def test_others_go_on_while_one_waits_for_its_next_attempt(bus):
    seen: list[int] = []

    async def handle(message: AgentMessage) -> None:
        seen.append(message.payload)
        if message.payload == 0 and seen.count(0) == 1:
            raise RuntimeError("the first time")

    await bus.subscribe("jobs", handle, retry_attempts=1, retry_delay=2.0)
    for i in range(3):
        await bus.publish("jobs", i)
    await until(lambda: len(seen) == 4, "all four calls")
    assert seen == [0, 1, 2, 0]


async def test_what_is_given_up_becomes_a_dead_letter(bus):
    letters = Got()
    await bus.configure_channel("jobs", dead_letter_channel="jobs.dead")
    await bus.subscribe("jobs.dead", letters)

    async def fails(_: AgentMessage) -> None:
        raise ValueError("never")

    await bus.subscribe("jobs", fails, handler_name="worker", retry_attempts=1, retry_delay=0.01)
    id_ = await bus.publish("jobs", {"n": 1}, metadata={"agent_id": "a"})
    await letters.wait(1)
    letter = letters.messages[0].payload
    assert letter["origin_channel"] == "jobs"
    assert letter["subscriber"] == "worker"
    assert (letter["error_type"], letter["error"]) == ("ValueError", "never")
    assert "ValueError: never" in letter["traceback"]
    assert letter["message"]["payload"]["payload"] == {"n": 1}
    assert letter["message"]["payload"]["id"] == id_
    assert letter["message"]["meta"]["agent_id"] == "a"
    assert letters.messages[0].priority == 0


async def test_a_dead_letter_that_fails_has_none_itself(ncb):
    ncb.create_channel("dead", ChannelConfig("dead", dead_letter_channel="dead"))
    ncb.create_channel("c", ChannelConfig("c", dead_letter_channel="dead"))
    seen: list[Any] = []

    async def fails(message: Any) -> None:
        seen.append(message.channel)
        raise RuntimeError("no")

    await ncb.register_subscriber("dead", "reader", fails)
    await ncb.register_subscriber("c", "worker", fails)
    await ncb.publish("c", 1)
    await ncb.publish("c", 2)
    await until(lambda: len(seen) == 4, "two messages and two letters")
    assert sorted(seen) == ["c", "c", "dead", "dead"]


async def test_a_key_is_kept_by_success_and_released_by_failure(bus):
    seen: list[str] = []
    await bus.configure_channel("jobs", idempotency_key_field="key", dead_letter_channel="dead")

    async def handle(message: AgentMessage) -> None:
        seen.append(message.payload["key"])
        if seen == ["a"]:
            raise RuntimeError("the first time")

    await bus.subscribe("jobs", handle)
    await bus.publish("jobs", {"key": "a"})
    await until(lambda: seen == ["a"], "the first")
    bus.publish("jobs", {"key": "b"})
    await until(lambda: seen == ["a", "b"], "the second, after the failure of the first was told")
    for key in ("a", "a", "b", 1, "1"):
        await bus.publish("jobs", {"key": key})
    await until(lambda: len(seen) == 5, "what is no double")
    assert seen == ["a", "b", "a", 1, "1"]


async def test_priority_and_class_are_kept(bus):
    seen = Got()
    await bus.subscribe("user.input", seen)
    for priority in (8, 0, 5):
        await bus.publish(UserInputMessage(content=str(priority), priority=priority))
    await seen.wait(3)
    assert [type(message) for message in seen.messages] == [UserInputMessage] * 3
    assert [message.content for message in seen.messages] == ["0", "5", "8"]


async def test_settings_that_need_the_daemon_are_as_in_atlas(ncb):
    ncb.create_channel("c", ChannelConfig("c", drop_policy="block", persistent=True))
    seen = Got()
    await ncb.register_subscriber("c", "s", seen, replay_on_register=True)
    await ncb.publish("c", 1)
    assert await seen.wait(1) == [1]
    with pytest.raises(NotSupported, match="rate_per_second"):
        await ncb.register_subscriber("c", "s", seen, rate_limit_per_sec=5, rate_limit_burst=1)


async def test_messages_are_settled_by_hand():
    seen: list[Any] = []

    async def handle(message: Any) -> None:
        seen.append((message.payload, message.attempt))
        if message.payload == "again" and message.attempt == 1:
            message.nack(delay=0.01)
        elif message.payload == "never":
            message.term("no use")
        else:
            message.ack()

    async with MessageBus(client=FallbackClient()) as bus:
        await bus.subscribe("c", handle, ack="manual", credit=1)
        for payload in ("again", "never", "once"):
            bus.publish("c", payload)
        await until(lambda: len(seen) == 4, "all")
    assert seen == [("again", 1), ("never", 1), ("once", 1), ("again", 2)]


async def test_a_subscription_has_begun_before_what_is_published_in_the_same_turn(bus):
    seen = Got()
    bus.subscribe("c", seen)
    bus.publish("c", 1)
    await seen.wait(1)
