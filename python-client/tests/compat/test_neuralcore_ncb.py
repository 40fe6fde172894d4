"""``NeuralCoreNCB``: payloads in, payloads out."""

from __future__ import annotations

import asyncio
import threading

import pytest

from compat.conftest import until
from neuralcore.compat.atlas_ncb import NeuralCoreNCB
from neuralcore.errors import RequestTimeout


@pytest.fixture
async def ncb(client):
    async with NeuralCoreNCB(client=client) as running:
        yield running


async def test_callbacks_get_payloads_by_priority(ncb):
    got = []

    async def note(payload):
        got.append(payload["n"])

    await ncb.subscribe("tool_request", note, module_name="tools")
    for n, priority in [(1, 50), (2, 0), (3, 100)]:
        assert isinstance(await ncb.publish("tool_request", {"n": n}, priority), str)
    await until(lambda: len(got) == 3, "three")
    assert got == [2, 1, 3]


async def test_plain_callbacks_run_on_threads_and_a_filter_picks_payloads(ncb):
    got = []
    await ncb.subscribe(
        "debug",
        lambda payload: got.append((payload, threading.current_thread().name)),
        filter_fn=lambda payload: payload > 1,
    )
    for n in range(4):
        await ncb.publish("debug", n)
    await until(lambda: len(got) == 2, "two")
    assert sorted(payload for payload, _ in got) == [2, 3]
    assert all(name.startswith("neuralcore-handler") for _, name in got)


async def test_unsubscribing(ncb):
    got = []
    known = await ncb.subscribe("debug", got.append, "m")
    assert known.startswith("m_debug_")
    await ncb.unsubscribe(known)
    await ncb.unsubscribe(known)
    await ncb.unsubscribe("nobody")
    done = []
    await ncb.subscribe("debug", done.append)
    await ncb.publish("debug", 1)
    await until(lambda: done, "the other got it")
    assert got == []


async def test_a_request_is_answered_on_the_response_channel(ncb):
    async def answer(payload):
        result = {"result": payload["n"] * 2, "correlation_id": payload["correlation_id"]}
        await ncb.publish(payload.get("to", "tool_request_response"), result)

    await ncb.subscribe("tool_request", answer)
    answers = await asyncio.gather(*(ncb.request("tool_request", {"n": n}) for n in range(5)))
    assert [a["result"] for a in answers] == [0, 2, 4, 6, 8]
    other = await ncb.request("tool_request", {"n": 9, "to": "there"}, response_channel="there")
    assert other["result"] == 18


async def test_a_request_that_nobody_answers_ends_in_time(ncb):
    with pytest.raises(RequestTimeout, match=r"within 0.05 s"):
        await ncb.request("tool_request", {}, timeout=0.05)
    assert ncb._waiting == {}


async def test_trace_and_correlation_ids_travel(ncb):
    seen = []
    await ncb._bus.subscribe("error", lambda m: seen.append((m.trace_id, m.correlation_id)))
    await ncb.publish("error", {}, trace_id="t", correlation_id="k")
    await until(lambda: seen, "it came")
    assert seen == [("t", "k")]


async def test_it_must_be_started_and_can_be_started_again(client):
    ncb = NeuralCoreNCB(client=client)
    for call in (ncb.publish("debug", 1), ncb.subscribe("debug", print), ncb.request("debug", {})):
        with pytest.raises(RuntimeError, match="NCB not started"):
            await call
    await ncb.stop()
    for _ in range(2):
        await ncb.start()
        await ncb.start()
        got = []
        await ncb.subscribe("debug", got.append)
        await ncb.publish("debug", 1)
        await until(lambda got=got: got, "it came")
        await ncb.stop()


async def test_counts_and_sizes(ncb, client):
    got = []
    await ncb.subscribe("metrics", got.append)
    await ncb.publish("metrics", 1)
    await until(lambda: ncb.get_metrics()["handled"] == 1, "handled")
    assert ncb.get_metrics()["published"] == 1
    assert ncb.get_queue_size("metrics") == 0
    assert NeuralCoreNCB(client=client, enable_metrics=False).get_metrics() == {}


def test_it_knows_the_channels_of_atlas():
    assert len(NeuralCoreNCB.CHANNELS) == len(set(NeuralCoreNCB.CHANNELS)) == 12 + 39
