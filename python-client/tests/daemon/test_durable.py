"""What a durable collection keeps when its daemon is stopped, and when it is killed."""

from __future__ import annotations

import os
import random
import shutil
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from neuralcore.errors import InvalidRequest, NeuralCoreError, StorageError
from neuralcore.testing import RunningDaemon

DIMENSION = 16
KILLS = int(os.environ.get("NEURALCORE_KILLS", "20"))


def vectors(numbers: list[int]) -> np.ndarray:
    return np.array(
        [np.random.default_rng(n).normal(size=DIMENSION) for n in numbers], dtype=np.float32
    )


@pytest.fixture
def running() -> Iterator[RunningDaemon]:
    home = Path(tempfile.mkdtemp(prefix="nc-durable-"))
    daemon = RunningDaemon(home)
    yield daemon
    daemon.kill()
    shutil.rmtree(home, ignore_errors=True)


def test_a_stop_keeps_collections_and_nothing_else(running: RunningDaemon) -> None:
    with running.client() as client:
        kept = client.collection("kept", DIMENSION, metadata={"of": "tests"})
        kept.upsert(list(range(50)), vectors(list(range(50))), [{"n": i} for i in range(50)])
        kept.snapshot()
        kept.delete([3])
        kept.upsert(["x"], vectors([99]), texts=["words"], namespace="other")
        client.collection("fleeting", DIMENSION, durable=False).upsert([1], vectors([1]))
        for name, durable, what in (("fleeting", True, "memory"), ("kept", False, "on disk")):
            with pytest.raises(InvalidRequest, match=what) as refusal:
                client.collection(name, DIMENSION, durable=durable)
            assert refusal.value.code == "ALREADY_EXISTS"
            assert client.collection(name, DIMENSION).count() > 0
        dropped = client.collection("Größe/..", DIMENSION)
        dropped.upsert([1], vectors([1]))
    running.stop()
    with running.client() as client:
        assert sorted(c["name"] for c in client.collections()) == ["Größe/..", "kept"]
        assert client.collection("Größe/..").drop()
        kept = client.collection("kept")
        assert (kept.count(namespace=""), kept.count()) == (49, 50)
        (record,) = kept.get(["x"], namespace="other")
        assert record.text == "words"
        assert kept.count(filter={"n": {"$gte": 40}}) == 10
        found = kept.get(list(range(50)))
        assert [r.id for r in found] == [i for i in range(50) if i != 3]
        numbers = [r.id for r in found]
        assert np.array_equal(np.stack([r.vector for r in found]), vectors(numbers))
        info = kept.info()
        assert info is not None
        assert info["metadata"] == {"of": "tests"}
        assert kept.drop()
    running.stop()
    assert list((running.home / "vectors").iterdir()) == []


def test_kills_lose_nothing_that_was_acknowledged(running: RunningDaemon) -> None:
    """Ids count up; of each batch all rows are there or none, and those acknowledged all are."""
    seed = random.randrange(1 << 30)
    random_times = random.Random(seed)
    acknowledged = 0
    sent = 0
    for kill in range(KILLS):
        with running.client() as client:
            collection = client.collection("c", DIMENSION)
            count = collection.count()
            where = f"seed {seed}, kill {kill}"
            assert acknowledged <= count <= sent, where
            assert count % 20 == 0, where
            if count:
                checked = sorted(random_times.sample(range(count), min(count, 300)))
                found = collection.get(checked)
                assert [r.id for r in found] == checked, where
                stored = np.stack([r.vector for r in found])
                assert np.array_equal(stored, vectors(checked)), where
            acknowledged = sent = count
            timer = threading.Timer(random_times.uniform(0.0, 0.4), running.kill_now)
            timer.start()
            try:
                while True:
                    numbers = list(range(sent, sent + 20))
                    rows = vectors(numbers)
                    sent += 20
                    collection.upsert(numbers, rows, timeout=5)
                    acknowledged += 20
                    if random_times.random() < 0.02:
                        collection.snapshot(timeout=5)
            except NeuralCoreError:
                pass  # it was killed
            timer.join()
        running.kill()
    assert acknowledged > 0


def test_a_damaged_file_is_named_and_refused(running: RunningDaemon) -> None:
    with running.client() as client:
        collection = client.collection("c", DIMENSION)
        for first in range(0, 500, 50):
            numbers = list(range(first, first + 50))
            collection.upsert(numbers, vectors(numbers))
        client.collection("sound", DIMENSION).upsert([1], vectors([1]))
    running.stop()
    (log,) = (running.home / "vectors" / "c").glob("*.log")
    data = bytearray(log.read_bytes())
    data[len(data) // 2] ^= 4
    log.write_bytes(data)
    with running.client() as client:
        with pytest.raises(StorageError, match=log.name) as refusal:
            client.collection("c").search(vectors([1])[0])
        assert refusal.value.code == "DATA_DAMAGED"
        assert client.collection("sound").count() == 1
        problems = {c["name"]: c.get("problem", "") for c in client.collections()}
        assert log.name in problems["c"]
        assert problems["sound"] == ""
        assert client.collection("c").drop()
