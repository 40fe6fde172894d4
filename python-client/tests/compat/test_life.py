"""Starting, stopping, and what is published while the bus does not run."""

from __future__ import annotations

import asyncio

from compat.conftest import until
from neuralcore.compat.atlas_ncb import ChannelConfig


async def test_it_goes_through_the_daemon(bus, got, client):
    await bus.register_subscriber("c", "s", got)
    known = await bus.publish("c", {"n": 1})
    await got.wait(1)
    assert client.backend == "daemon"
    assert bus._link._bus.backend == "daemon"
    assert bus._link._bus.metrics()["channels"]["c"]["delivered"] == 1
    assert got.messages[0].id == known


async def test_running_and_its_private_twin(make):
    bus = make()
    assert (bus.running, bus._running) == (False, False)
    await bus.start()
    assert (bus.running, bus._running) == (True, True)
    await bus.stop()
    assert (bus.running, bus._running) == (False, False)


async def test_starting_twice_and_stopping_twice_is_a_warning(bus, caplog):
    await bus.start()
    await bus.stop()
    await bus.stop()
    events = [record.event for record in caplog.records if hasattr(record, "event")]
    assert events.count("start_noop") == 1
    assert events.count("stop_noop") == 1


async def test_what_is_published_before_the_start_comes_after_it_in_order_of_priority(make, got):
    bus = make()
    bus.create_channel("c")
    await bus.register_subscriber("c", "s", got)
    ids = [await bus.publish("c", n, priority=p) for n, p in enumerate((5, 0, 5, 2))]
    assert bus._queues["c"].qsize() == 4
    await bus.start()
    assert await got.wait(4) == [1, 3, 0, 2]
    assert [m.id for m in got.messages] == [ids[n] for n in (1, 3, 0, 2)]
    assert all("ncb_id" not in m.meta for m in got.messages)


async def test_before_the_start_a_channel_holds_what_its_queue_holds(make):
    bus = make()
    bus.create_channel("c", ChannelConfig("c", max_queue_size=2))
    assert [await bus.publish("c", n) is None for n in range(3)] == [False, False, True]
    assert bus.snapshot_metrics()["c"]["dropped"] == 1


async def test_it_can_be_started_again_and_subscribers_stay(bus, got):
    await bus.register_subscriber("c", "s", got)
    await bus.publish("c", 1)
    await got.wait(1)
    await bus.stop()
    await bus.publish("c", 2)
    await bus.start()
    await bus.publish("c", 3)
    assert await got.wait(3) == [1, 2, 3]


async def test_stop_lets_handlers_finish_what_was_published(bus):
    handled = []

    async def slow(message):
        await asyncio.sleep(0.005)
        handled.append(message.payload)

    await bus.register_subscriber("c", "s", slow)
    for n in range(20):
        await bus.publish("c", n)
    await until(lambda: handled, "a message")
    await bus.stop()
    assert handled == list(range(20))


async def test_stop_does_not_wait_for_ever(bus):
    started = asyncio.Event()
    ended = []

    async def stuck(message):
        started.set()
        try:
            await asyncio.sleep(3600)
        finally:
            ended.append(message.payload)

    await bus.register_subscriber("c", "s", stuck, concurrency=2)
    for n in range(4):
        await bus.publish("c", n)
    await started.wait()
    await asyncio.wait_for(bus.stop(0.05), 5.0)
    await until(lambda: ended, "the handler was cancelled")


async def test_what_a_handler_publishes_while_the_bus_stops_is_not_lost(bus, got):
    bus.create_channel("d")
    started = asyncio.Event()

    async def forward(message):
        started.set()
        await asyncio.sleep(0.05)
        assert await bus.publish("d", message.payload) is not None

    await bus.register_subscriber("c", "s", forward)
    await bus.register_subscriber("d", "t", got)
    await bus.publish("c", 1)
    await started.wait()
    await bus.stop()
    if not got.messages:
        await bus.start()
    assert await got.wait(1) == [1]


async def test_two_buses_are_two_worlds_and_a_name_makes_one(make, got):
    one, two = make(name="shared-by-two"), make(name="shared-by-two")
    alone = make()
    for bus in (one, two, alone):
        bus.create_channel("c")
        await bus.start()
    await one.register_subscriber("c", "s", got)
    await alone.publish("c", "unheard")
    await two.publish("c", "heard")
    assert await got.wait(1) == ["heard"]


async def test_what_belongs_to_kafka_is_taken_and_unknown_keywords_are_passed_over(make):
    bus = make()
    await bus.start(
        kafka_topic_prefix="x", kafka_client_id="y", kafka_acks="1", kafka_max_in_flight=1, extra=2
    )
    assert bus.running


async def test_as_a_context(make, got):
    bus = make()
    bus.create_channel("c")
    async with bus:
        await bus.register_subscriber("c", "s", got)
        await bus.publish("c", 1)
        await got.wait(1)
    assert not bus.running


def test_callbacks_run_on_the_loop_that_was_given(client):
    import threading

    from neuralcore.compat.atlas_ncb import NeuralCognitiveBus

    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    seen = threading.Event()
    threads = []

    async def note(message):
        threads.append(threading.current_thread())
        seen.set()

    async def main():
        bus = NeuralCognitiveBus(client=client, loop=loop)
        bus.create_channel("c")
        await bus.start()
        await bus.register_subscriber("c", "s", note)
        await bus.publish("c", 1)
        await asyncio.to_thread(seen.wait, 10.0)
        await bus.stop()

    asyncio.run(main())
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()
    assert threads == [thread]
