"""What is kept: confirmations, durable groups and replay, over ends of the bus and the daemon."""

from __future__ import annotations

import asyncio
import stat
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from neuralcore import _discovery
from neuralcore.errors import StorageError
from neuralcore.messaging import Message, MessageBus
from neuralcore.testing import RunningDaemon

from eventually import eventually

PATIENCE = 20.0


@pytest.fixture
def daemon() -> Iterator[RunningDaemon]:
    """One that a test may kill."""
    with tempfile.TemporaryDirectory(prefix="nc-bus-") as home:
        running = RunningDaemon(Path(home))
        yield running
        running.kill()


class Seen:
    def __init__(self) -> None:
        self.messages: list[Message] = []

    async def handle(self, message: Message) -> None:
        self.messages.append(message)

    @property
    def payloads(self) -> list[object]:
        return [m.payload for m in self.messages]

    async def wait(self, count: int) -> list[object]:
        deadline = time.monotonic() + PATIENCE
        while len(self.messages) < count and time.monotonic() < deadline:
            await asyncio.sleep(0.002)
        assert len(self.messages) >= count, self.payloads
        return self.payloads


async def test_what_was_confirmed_outlives_a_killed_daemon(daemon):
    with daemon.client() as client:
        async with MessageBus(client=client, name="kept") as bus:
            await bus.create_channel("jobs", persistent=True)
            await bus.publish_many("jobs", range(3000), confirm="durable")
            daemon.kill()
            assert daemon.daemon.pid
            seen = Seen()
            await bus.subscribe("jobs", seen.handle, start="first")
            assert await seen.wait(3000) == list(range(3000))
            assert [m.sequence for m in seen.messages] == list(range(1, 3001))
            assert all(m.replayed for m in seen.messages)


async def test_replay_joins_live_without_gap_or_overlap(daemon):
    with daemon.client() as client:
        async with MessageBus(client=client, name="kept") as bus:
            await bus.create_channel("jobs", persistent=True, max_queue_size=0)
            await bus.publish_many("jobs", range(2000), confirm="durable")
            seen = Seen()
            subscribing = bus.subscribe("jobs", seen.handle, start="first")
            for i in range(2000, 6000):
                bus.publish("jobs", i)
                if i % 100 == 0:
                    await asyncio.sleep(0)
            await subscribing
            await seen.wait(6000)
            await bus.flush()
            assert sorted(seen.payloads) == list(range(6000))
            counts = bus.metrics()["channels"]["jobs"]
            assert counts["published"] == len(bus.history("jobs", limit=10_000)) == 6000


async def test_counts_agree_with_the_replayed_history(daemon):
    with daemon.client() as client:
        async with MessageBus(client=client, name="kept", on_full="none") as bus:
            await bus.create_channel("jobs", persistent=True, max_queue_size=50)
            gate = asyncio.Event()

            async def wait(message):
                await gate.wait()

            await bus.subscribe("jobs", wait, group="slow", durable=True, credit=1)
            for i in range(200):
                bus.publish("jobs", i)
            await bus.flush()
            gate.set()
            counts = bus.metrics()
            taken = counts["published"] - counts["dropped"]
            assert 50 <= taken < 200
            seen = Seen()
            await bus.subscribe("jobs", seen.handle, start="first")
            payloads = await seen.wait(taken)
            counts = bus.metrics()
            history = bus.history("jobs", limit=1000)
            assert taken + counts["dropped"] + counts["refused"] == 200
            assert taken == counts["channels"]["jobs"]["published"] == len(history)
            assert payloads == [m["payload"] for m in history]
            assert [m.sequence for m in seen.messages] == list(range(1, taken + 1))


@pytest.mark.parametrize(("start", "first"), [({"last": 5}, 95), (91, 91), ("new", None)], ids=str)
async def test_where_a_replay_begins(daemon, start, first):
    with daemon.client() as client:
        async with MessageBus(client=client, name="kept") as bus:
            await bus.create_channel("jobs", persistent=True)
            await bus.publish_many("jobs", range(100), confirm="durable")
            seen = Seen()
            await bus.subscribe("jobs", seen.handle, start=start)
            await bus.publish("jobs", 100, confirm="durable")
            expected = list(range(100 if first is None else first, 101))
            assert await seen.wait(len(expected)) == expected


async def test_a_durable_group_goes_on_where_it_was(daemon):
    with daemon.client() as client:
        async with MessageBus(client=client, name="kept") as bus:
            await bus.create_channel("jobs", persistent=True)
            first = Seen()
            await bus.subscribe("jobs", first.handle, group="workers", durable=True)
            await bus.publish_many("jobs", range(10), confirm="durable")
            await first.wait(10)
            await bus.flush()  # the acknowledgements are committed
        daemon.kill()
        assert daemon.daemon.pid
        async with MessageBus(client=client, name="kept") as bus:
            await bus.publish_many("jobs", range(10, 15), confirm="durable")
            second = Seen()
            await bus.subscribe("jobs", second.handle, group="workers", durable=True)
            assert await second.wait(5) == list(range(10, 15))


async def test_what_was_not_acknowledged_comes_again_after_a_kill(daemon):
    with daemon.client() as client:
        async with MessageBus(client=client, name="kept") as bus:
            await bus.create_channel("jobs", persistent=True)
            first = Seen()
            await bus.subscribe("jobs", first.handle, group="w", durable=True, ack="manual")
            await bus.publish_many("jobs", range(4), confirm="durable")
            await first.wait(4)
            first.messages[1].ack()
            await bus.flush()
            daemon.kill()
            assert daemon.daemon.pid
            again = await first.wait(7)
            assert sorted(again[4:]) == [0, 2, 3]


async def test_a_file_of_its_own(daemon, tmp_path):
    path = tmp_path / "messages.db"
    with daemon.client() as client:
        async with MessageBus(path, client=client) as bus:
            await bus.create_channel("jobs", persistent=True)
            await bus.publish("jobs", "kept", confirm="durable")
            await bus.backup(tmp_path / "copy.db")
        assert path.exists()
        assert (tmp_path / "copy.db").exists()
        async with MessageBus(path, client=client) as bus:
            assert [m["payload"] for m in bus.history("jobs")] == ["kept"]


async def test_a_private_bus_keeps_nothing(daemon):
    with daemon.client() as client:
        async with MessageBus(client=client) as bus:
            await bus.create_channel("jobs", persistent=True)
            await bus.publish("jobs", 1, confirm="durable")
    assert list(daemon.home.rglob("*.db")) == []


async def test_a_journal_that_was_removed_begins_anew(daemon, tmp_path):
    place = tmp_path / "messages.db"
    with daemon.client() as client:
        pid = client.info()["pid"]
        for run in range(2):
            async with MessageBus(place, client=client) as bus:
                await bus.create_channel("jobs", persistent=True)
                await bus.publish_many("jobs", range(10 + run), confirm="durable")
                assert len(bus.history("jobs")) == 10 + run
                assert {stat.S_IMODE(file.stat().st_mode) for file in tmp_path.iterdir()} == {0o600}
            for file in tmp_path.iterdir():
                file.unlink()
        assert client.info()["pid"] == pid


async def test_a_journal_is_not_begun_anew_under_those_who_use_it(daemon, tmp_path):
    place = tmp_path / "messages.db"
    with daemon.client() as one, daemon.client() as another:
        async with MessageBus(place, client=one) as bus:
            await bus.create_channel("jobs", persistent=True)
            await bus.publish("jobs", 1, confirm="durable")
            for file in tmp_path.iterdir():
                file.unlink()
            with pytest.raises(StorageError, match="removed or replaced"):
                await MessageBus(place, client=another).start()


async def test_nothing_is_confirmed_that_goes_into_a_removed_journal(daemon, tmp_path):
    place = tmp_path / "messages.db"
    with daemon.client() as client:
        pid = client.info()["pid"]
        async with MessageBus(place, client=client) as bus:
            await bus.create_channel("jobs", persistent=True)
            await bus.publish("jobs", 1, confirm="durable")
            for file in tmp_path.iterdir():
                file.unlink()
            unconfirmed = asyncio.ensure_future(bus.publish_many("jobs", [2], confirm="durable"))
            await asyncio.to_thread(eventually, lambda: not _discovery.is_alive(pid))
            assert not unconfirmed.done()
            daemon.kill()  # takes note of its end
            assert daemon.daemon.pid
            await unconfirmed
            assert [row["payload"] for row in bus.history("jobs")] == [2]
