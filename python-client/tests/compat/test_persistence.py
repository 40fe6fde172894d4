"""What is kept on the disk: replay, restarts, pruning."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import time

import msgspec
import pytest

from compat.conftest import Got, until
from neuralcore.compat.atlas_ncb import ChannelConfig
from neuralcore.errors import ConnectionLost, StorageError


@pytest.fixture
def path(tmp_path):
    return tmp_path / "bus.sqlite"


@pytest.fixture
async def kept(make, path):
    """A bus that runs and has a persistent channel "p"."""
    bus = make(persistence_path=path)
    bus.create_channel("p", ChannelConfig("p", persistent=True))
    await bus.start()
    return bus


async def stored(bus, payload, priority=100):
    """Publishes to "p" and waits until it is on the disk."""
    await bus._link._bus.publish("p", payload, priority, confirm="durable")


def test_without_a_path_there_is_none(make):
    assert make()._persistence is None


async def test_replay_comes_first_and_joins_what_comes(kept, got):
    for n in range(10):
        await stored(kept, n, -n)
    await kept.register_subscriber("p", "s", got, replay_on_register=True)
    await kept.publish("p", 10)
    assert await got.wait(11) == list(range(11))
    replayed = [m for m in got.messages if m.meta.get("replay")]
    assert [m.payload for m in replayed][:10] == list(range(10))
    numbers = [m.meta["persist_seq"] for m in replayed]
    assert numbers == sorted(numbers)
    rest = Got()
    await kept.register_subscriber(
        "p", "t", rest, replay_on_register=True, replay_after_seq=numbers[6]
    )
    assert await rest.wait(4) == [7, 8, 9, 10]


async def test_without_replay_only_new_messages_come(kept, got):
    await stored(kept, "old")
    await kept.register_subscriber("p", "s", got)
    await kept.publish("p", "new")
    assert await got.wait(1) == ["new"]


async def test_messages_outlive_the_bus_with_their_ids(kept, make, path, got):
    ids = [await kept.publish("p", n) for n in range(3)]
    await kept.stop()
    again = make(persistence_path=path)
    again.create_channel("p", ChannelConfig("p", persistent=True))
    await again.start()
    await again.register_subscriber("p", "s", got, replay_on_register=True)
    assert await got.wait(3) == [0, 1, 2]
    assert [m.id for m in got.messages] == ids


async def test_two_buses_of_one_path_share_it(kept, make, path, got):
    other = make(persistence_path=path)
    other.create_channel("p", ChannelConfig("p", persistent=True))
    await other.start()
    await other.register_subscriber("p", "s", got)
    await kept.publish("p", 1)
    assert await got.wait(1) == [1]


async def test_pruning_takes_what_is_old_and_counts_it(kept, got):
    assert kept._persistence.db_path.endswith("bus.sqlite")
    assert await kept._persistence.prune_old_messages("unknown", max_age_sec=0) == 0
    for n in range(20):
        await stored(kept, n)
    await asyncio.sleep(0.05)
    moment = time.time()
    await asyncio.sleep(0.05)
    for n in range(20, 25):
        await stored(kept, n)
    assert await kept._persistence.prune_old_messages("p", max_age_sec=3600) == 0
    age = time.time() - moment
    assert await kept._persistence.prune_old_messages("p", max_age_sec=age) == 20
    await until(lambda: len(kept._link._bus.history("p")) == 5, "they are gone")
    await kept.register_subscriber("p", "s", got, replay_on_register=True)
    assert await got.wait(5) == [20, 21, 22, 23, 24]
    await kept.stop()
    with pytest.raises(ConnectionLost):
        await kept._persistence.prune_old_messages("p", 0)


async def test_a_file_of_atlas_own_bus_is_refused_and_can_be_imported(kept, make, tmp_path, got):
    file = tmp_path / "ncb_messages.sqlite"
    with contextlib.closing(sqlite3.connect(file)) as database:
        database.execute(
            "CREATE TABLE ncb_messages(channel TEXT NOT NULL, seq INTEGER PRIMARY KEY"
            " AUTOINCREMENT, msg_id TEXT NOT NULL, ts REAL NOT NULL, priority INTEGER NOT NULL,"
            " data BLOB NOT NULL)"
        )
        for n in range(3):
            message = {"id": f"m{n}", "channel": "p", "ts": 1.5, "priority": 0, "payload": n}
            row = ("p", f"m{n}", 1.5, 0, msgspec.msgpack.encode({**message, "meta": {"x": n}}))
            database.execute(
                "INSERT INTO ncb_messages(channel, msg_id, ts, priority, data) VALUES(?,?,?,?,?)",
                row,
            )
        database.commit()
    with pytest.raises(StorageError, match="not a journal"):
        await make(persistence_path=file).start()
    assert (await kept._link._bus.import_file(file))["imported"] == 3
    await kept.register_subscriber("p", "s", got, replay_on_register=True)
    assert await got.wait(3) == [0, 1, 2]
    assert [(m.priority, m.ts, m.meta["x"]) for m in got.messages] == [
        (0, 1.5, n) for n in range(3)
    ]
