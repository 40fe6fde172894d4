"""`bench vectors`: vector maths and collections as a Python program sees them, beside NumPy.

Contenders take turns, round by round, in one process and one run. Every answer is compared with
NumPy's in float64 before anything is timed. Ratios are of the medians of the same run.
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

import neuralcore
from daemon import Daemon, running_daemon
from neuralcore import vectors
from neuralcore.fallback import _purepython
from report import Figure, save, show

# Parts that need 100,000 vectors.
LARGE_PARTS = ("large", "filter", "reopen", "memory")
Array = npt.NDArray[np.float32]
_WARM_UP = 20
DIMENSION = 384
SEED = 20261122
# OpenBLAS's threads keep a core for a while after a product, also when another's turn has come.
_SPINNING_SECONDS = 0.1
# A daemon whose work has ended gives back what it no longer needs, some seconds later.
_SETTLING_SECONDS = 10


def clustered(count: int, dimension: int = DIMENSION, seed: int = SEED) -> Array:
    """Unit vectors around some hundred centres, as embeddings of texts are."""
    rng = np.random.default_rng(seed)
    centres = rng.standard_normal((max(8, count // 200), dimension), dtype=np.float32)
    rows = centres[rng.integers(0, len(centres), count)]
    rows += 0.7 * rng.standard_normal((count, dimension), dtype=np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return rows


def queries_near(rows: Array, count: int, seed: int = SEED + 1) -> Array:
    """Queries that are no rows but lie near some."""
    rng = np.random.default_rng(seed)
    near = rows[rng.choice(len(rows), count, replace=False)]
    near = near + (0.4 / rows.shape[1] ** 0.5) * rng.standard_normal(near.shape)
    unit: np.ndarray = near / np.linalg.norm(near, axis=1, keepdims=True)
    return np.asarray(unit, dtype=np.float32)


class Turns:
    """Times contenders in turns; knows the medians of each."""

    def __init__(self, rounds: int) -> None:
        self.rounds = rounds
        self.seconds: dict[str, list[float]] = {}
        self.figures: list[Figure] = []

    def measure(
        self,
        unit: str,
        scale: float,
        calls: dict[str, tuple[Callable[[], Any], int]],
        targets: dict[str, str] | None = None,
    ) -> None:
        """Each contender: what to call, and how many times a round."""
        for call, times in calls.values():
            for _ in range(max(1, min(times, 20))):
                call()
        names = list(calls)
        for turn in range(self.rounds):
            for name in names[turn % len(names) :] + names[: turn % len(names)]:
                call, times = calls[name]
                time.sleep(_SPINNING_SECONDS)
                call()  # after a pause the first is slower, whoever is called
                start = time.perf_counter()
                for _ in range(times):
                    call()
                took = (time.perf_counter() - start) / times
                self.seconds.setdefault(name, []).append(took)
        for name in names:
            values = [seconds * scale for seconds in self.seconds[name]]
            self.figures.append(Figure.of(name, unit, values, (targets or {}).get(name, "")))

    def ratio(self, name: str, of: str, to: str, target: str) -> None:
        """How many times as fast `of` is as `to`, round by round."""
        pairs = zip(self.seconds[to], self.seconds[of], strict=True)
        self.note(name, "x", [slow / fast for slow, fast in pairs], target)

    def note(self, name: str, unit: str, values: list[float], target: str = "") -> None:
        self.figures.append(Figure.of(name, unit, values, target))


def recall(found: list[list[Any]], exact: npt.NDArray[np.int64]) -> float:
    hits = sum(len(set(f) & set(e.tolist())) for f, e in zip(found, exact, strict=True))
    return hits / exact.size


def nearest(rows: Array, queries: Array, k: int) -> npt.NDArray[np.int64]:
    """The true ids, by cosine in float64 (rows and queries are of length one)."""
    scores = queries.astype(np.float64) @ rows.T.astype(np.float64)
    return np.argsort(-scores, axis=1, kind="stable")[:, :k]


def numpy_top(rows: Array, query: Array, k: int) -> npt.NDArray[np.int64]:
    """Top k of one query as one writes it with NumPy."""
    scores = rows @ query
    best = np.argpartition(-scores, k)[:k]
    return best[np.argsort(-scores[best])]


def numpy_cosine(a: Array, b: Array) -> Array:
    """The matrix of cosines, written well."""
    norms_a = np.sqrt(np.einsum("ij,ij->i", a, a))
    norms_b = np.sqrt(np.einsum("ij,ij->i", b, b))
    product: np.ndarray = np.asarray(a @ b.T)
    product /= norms_a[:, None]
    product /= norms_b[None, :]
    return product


def pairs(turns: Turns) -> None:
    a, b = clustered(2)
    x, y = a.tolist(), b.tolist()
    expected = float(np.dot(a.astype(float), b.astype(float)))
    for got in (vectors.cosine_similarity(a, b), vectors.cosine_similarity(x, y)):
        assert abs(got - expected) < 1e-5, (got, expected)

    def numpy_pair() -> float:
        return float(a @ b / (np.linalg.norm(a) * np.linalg.norm(b)))

    def plain() -> float:
        dot = sum(p * q for p, q in zip(x, y, strict=True))
        return float(dot / (sum(p * p for p in x) ** 0.5 * sum(q * q for q in y) ** 0.5))

    turns.measure(
        "us",
        1e6,
        {
            "cosine of a pair, arrays": (lambda: vectors.cosine_similarity(a, b), 20_000),
            "cosine of a pair, lists": (lambda: vectors.cosine_similarity(x, y), 3_000),
            "NumPy, pair of arrays": (numpy_pair, 5_000),
            "pure Python, pair of lists": (plain, 300),
        },
        {"cosine of a pair, arrays": "<= 0.4 us"},
    )
    turns.ratio(
        "pair of arrays against pure Python",
        "cosine of a pair, arrays",
        "pure Python, pair of lists",
        ">= 60",
    )
    turns.ratio(
        "pair of lists against pure Python",
        "cosine of a pair, lists",
        "pure Python, pair of lists",
        ">= 2",
    )
    assert abs(_purepython.cosine(x, y) - expected) < 1e-5


def one_to_many(turns: Turns) -> None:
    rows = clustered(1_000)
    query = queries_near(rows, 1)[0]
    got = vectors.cosine_similarity_batch(query, rows)
    assert np.abs(got - rows @ query).max() < 1e-5
    turns.measure(
        "ms",
        1e3,
        {
            "one to 1,000": (lambda: vectors.cosine_similarity_batch(query, rows), 200),
            "NumPy, one to 1,000": (lambda: numpy_cosine(query[None], rows)[0], 200),
        },
        {"one to 1,000": "<= 0.1 ms"},
    )
    turns.ratio("one to 1,000 against NumPy", "one to 1,000", "NumPy, one to 1,000", ">= 1.5")


def matrices(turns: Turns, client: neuralcore.Client) -> None:
    a, b = clustered(1_000), clustered(1_000, seed=SEED + 5)
    assert np.abs(client.similarity(a, b) - numpy_cosine(a, b)).max() < 1e-5
    turns.measure(
        "ms",
        1e3,
        {
            "matrix 1,000 x 1,000, daemon": (lambda: client.similarity(a, b), 5),
            "matrix 1,000 x 1,000, in process": (
                lambda: vectors.cosine_similarity_batch(a, b, where="local"),
                5,
            ),
            "NumPy, matrix written well": (lambda: numpy_cosine(a, b), 5),
            "OpenBLAS, the bare product": (lambda: a @ b.T, 5),
        },
    )
    for of in ("matrix 1,000 x 1,000, daemon", "matrix 1,000 x 1,000, in process"):
        turns.ratio(f"{of}, against NumPy", of, "NumPy, matrix written well", ">= 2")


def fill(collection: neuralcore.Collection, rows: Array) -> float:
    """Vectors a second, durable, in batches of 1,000."""
    ids = np.arange(len(rows))
    start = time.perf_counter()
    for first in range(0, len(rows), 1_000):
        part = slice(first, first + 1_000)
        collection.upsert(ids[part], rows[part])
    return len(rows) / (time.perf_counter() - start)


def small_collection(turns: Turns, client: neuralcore.Client) -> None:
    rows = clustered(10_000)
    queries = queries_near(rows, 200)
    collection = client.collection("ten-thousand", DIMENSION)
    turns.note(
        "durable upsert, batches of 1,000",
        "vectors/s",
        [fill(client.collection(f"upsert-{i}", DIMENSION), rows) for i in range(turns.rounds)],
        ">= 20,000",
    )
    for i in range(turns.rounds):
        client.collection(f"upsert-{i}").drop()
    fill(collection, rows)
    collection.wait_until_indexed()
    strategy = collection.explain(queries[0])["strategy"]
    exact = nearest(rows, queries, 10)
    found = [[hit.id for hit in collection.search(q)] for q in queries]
    for query in [*queries] * _WARM_UP:  # until the JVM has compiled what a call runs
        collection.search(query)
    turns.note(f"10,000, top 10, {strategy}: recall", "", [recall(found, exact)], ">= 0.99")
    p50s = []
    for _ in range(turns.rounds):
        times = []
        for query in queries:
            start = time.perf_counter()
            collection.search(query)
            times.append(time.perf_counter() - start)
        p50s.append(1e3 * statistics.median(times))
    turns.note(f"10,000, top 10, {strategy}: p50", "ms", p50s, "<= 0.3 ms")
    collection.drop()


def bandwidth(rows: Array) -> list[float]:
    """Bytes a second that this process reads on all cores, by NumPy's own reduction."""
    import concurrent.futures as futures

    flat = rows.reshape(-1)
    halves = np.array_split(flat, 2)
    rates = []
    with futures.ThreadPoolExecutor(2) as pool:
        for _ in range(5):
            start = time.perf_counter()
            list(pool.map(np.max, halves))
            rates.append(flat.nbytes / (time.perf_counter() - start))
    return rates


def large_collection(turns: Turns, client: neuralcore.Client, rows: Array) -> None:
    collection = client.collection("hundred-thousand", DIMENSION)
    bare = client.collection("hundred-thousand-float32", DIMENSION, durable=False, int8=False)
    for each in (collection, bare):
        fill(each, rows)
    queries = queries_near(rows, 100)
    truth = nearest(rows, queries, 10)
    one = queries[0]
    for each in (collection, bare):
        assert [h.id for h in each.search(one, exact=True)] == truth[0].tolist()
        batch = each.search_batch(queries, exact=True)
        assert recall([[h.id for h in hits] for hits in batch], truth) > 0.999
    names = {
        "100,000, one query, exact, float32 alone": ">= 1.5",
        "100,000, one query, exact, int8 and rescoring": ">= 3",
    }
    float32, codes = names
    # Until the JVM has compiled what a call runs.
    for _ in range(_WARM_UP):
        bare.search_batch(queries, exact=True)
        collection.search(one, exact=True)
        bare.search(one, exact=True)
    turns.measure(
        "ms",
        1e3,
        {
            float32: (lambda: bare.search(one, exact=True), 30),
            codes: (lambda: collection.search(one, exact=True), 30),
            "NumPy, one query": (lambda: numpy_top(rows, one, 10), 15),
            "100,000, 100 queries, exact": (
                lambda: collection.search_batch(queries, exact=True),
                2,
            ),
            "NumPy, 100 queries": (
                lambda: np.argpartition(-(queries @ rows.T), 10, axis=1)[:, :10],
                2,
            ),
        },
    )
    for name, target in names.items():
        turns.ratio(f"{name}, against NumPy", name, "NumPy, one query", target)
    turns.ratio(
        "100 queries, exact, against NumPy",
        "100,000, 100 queries, exact",
        "NumPy, 100 queries",
        ">= 4",
    )
    read = statistics.median(bandwidth(rows))
    turns.note("memory read by NumPy, two threads", "GB/s", [read / 1e9])
    shares = [rows.nbytes / s / read for s in turns.seconds[float32]]
    turns.note("one query, exact, float32 alone: share of that", "", shares, ">= 0.8")
    bare.drop()


def by_graph(turns: Turns, collection: neuralcore.Collection, rows: Array, queries: Array) -> None:
    """One query as it is by default: int8 codes through the graph, the best again in float32."""
    truth = nearest(rows, queries, 10)
    for _ in range(_WARM_UP):
        found = [[h.id for h in collection.search(q)] for q in queries]
    strategy = collection.explain(queries[0])["strategy"]
    ours, numpy = f"100,000, one query, {strategy}, int8 and rescoring", "NumPy, one query again"
    turns.note(f"{ours}: recall", "", [recall(found, truth)], ">= 0.99")
    one = queries[0]
    calls = {
        ours: (lambda: collection.search(one), 50),
        numpy: (lambda: numpy_top(rows, one, 10), 5),
    }
    turns.measure("ms", 1e3, calls)
    turns.ratio(f"{ours}, against NumPy", ours, numpy, ">= 3")


def filtered(turns: Turns, client: neuralcore.Client, rows: Array) -> None:
    """Selectivities by a number that is uniform in 0 … 999, over a built graph."""
    collection = client.collection("hundred-thousand")
    marks = np.random.default_rng(3).integers(0, 1_000, len(rows))
    for first in range(0, len(rows), 1_000):
        part = range(first, min(first + 1_000, len(rows)))
        metadata = [{"mark": int(marks[i])} for i in part]
        collection.upsert(list(part), rows[part.start : part.stop], metadata)
    collection.wait_until_indexed()
    queries = queries_near(rows, 100, seed=SEED + 9)
    by_graph(turns, collection, rows, queries)
    for share, below in (("0.1 %", 1), ("1 %", 10), ("10 %", 100), ("50 %", 500)):
        condition = {"mark": {"$lt": below}}
        allowed = np.flatnonzero(marks < below)
        truth = allowed[nearest(rows[allowed], queries, 10)]
        hits = collection.search_batch(queries, filter=condition)
        found = [[hit.id for hit in one] for one in hits]
        turns.note(f"filter of {share}: recall", "", [recall(found, truth)], ">= 0.95")
        names = f"filter of {share}: search", f"filter of {share}: exact scan"

        def search(exact: bool, condition: dict[str, Any] = condition) -> None:
            collection.search(queries[7], filter=condition, exact=exact)

        turns.measure(
            "ms",
            1e3,
            {names[0]: (lambda: search(False), 20), names[1]: (lambda: search(True), 10)},
            {names[0]: "<= exact scan"},
        )


def resident(pid: int) -> tuple[int, int]:
    """Bytes of a process's own memory, and of mapped files that are in memory."""
    fields = dict(
        line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines()
    )
    own, mapped = (int(fields[name].split()[0]) << 10 for name in ("RssAnon", "RssFile"))
    return own, mapped


@contextmanager
def fresh_daemon() -> Iterator[tuple[Daemon, neuralcore.Client]]:
    """A daemon on an empty folder."""
    with (
        tempfile.TemporaryDirectory(prefix="neuralcore-bench-") as folder,
        running_daemon(Path(folder)) as running,
        connect(running.ready) as client,
    ):
        yield running, client


def settled(running: Daemon) -> tuple[int, int]:
    """:func:`resident` once the daemon has had nothing to do for a while."""
    running.wait_for_model()
    time.sleep(_SETTLING_SECONDS)
    return resident(running.process.pid)


def idle_memory() -> tuple[int, int]:
    """:func:`settled` of a daemon without collections that has answered a search."""
    with fresh_daemon() as (running, client):
        few = client.collection("few", DIMENSION, durable=False)
        few.upsert([1], clustered(1))
        few.search(clustered(1)[0])
        return settled(running)


def reopening(turns: Turns, data: Path, rows: Array) -> None:
    """A fresh daemon on the same folder: the first answer, and what the vectors take."""
    seconds: list[float] = []
    opened: list[float] = []
    idle, idle_files = idle_memory()
    own: list[float] = []
    at_once: list[float] = []
    files: list[float] = []
    for _ in range(turns.rounds):
        with running_daemon(data) as running, connect(running.ready) as client:
            client.info()
            start = time.perf_counter()
            collection = client.collection("hundred-thousand")
            assert collection.count() == len(rows)
            assert collection.search(rows[5], exact=True)[0].id == 5
            seconds.append(time.perf_counter() - start)
            state = collection.describe()
            opened.append(state["open_milliseconds"] / 1e3)
            at_once.append((resident(running.process.pid)[0] - idle) / rows.nbytes)
            now, now_files = settled(running)
            own.append((now - idle) / rows.nbytes)
            files.append((now_files - idle_files) / rows.nbytes)
    turns.note("reopen 100,000: opening alone", "s", opened, "<= 0.5 s")
    turns.note("reopen 100,000: asked to the first exact answer", "s", seconds, "<= 0.5 s")
    turns.note("int8 in the heap, float32 mapped: the daemon's count", "x", counted(state, rows))
    turns.note("... resident, less an idle daemon's", "x", own, "<= 0.5")
    turns.note("... the same right after the answer", "x", at_once)
    turns.note("... resident pages of files besides", "x", files)


def counted(state: dict[str, Any], rows: Array) -> list[float]:
    return [state["memory_bytes"] / rows.nbytes]


def memory(turns: Turns, rows: Array) -> None:
    """What bare vectors take in the heap: float32 alone, no codes, no graph, not durable."""
    idle, _ = idle_memory()
    own: list[float] = []
    at_once: list[float] = []
    for _ in range(turns.rounds):
        with fresh_daemon() as (running, client):
            bare = client.collection("bare", DIMENSION, durable=False, int8=False)
            fill(bare, rows)
            state = bare.describe()
            at_once.append((resident(running.process.pid)[0] - idle) / rows.nbytes)
            own.append((settled(running)[0] - idle) / rows.nbytes)
    turns.note("bare vectors in the heap: the daemon's count", "x", counted(state, rows))
    turns.note("... resident, less an idle daemon's", "x", own, "<= 1.3")
    turns.note("... the same right after the last upsert", "x", at_once)


def connect(ready: dict[str, Any]) -> neuralcore.Client:
    return neuralcore.connect(f"unix:{ready['socket']}")


def run(rounds: int, parts: list[str]) -> Path:
    turns = Turns(rounds)
    data = Path(tempfile.mkdtemp(prefix="neuralcore-bench-"))
    rows = clustered(100_000) if set(LARGE_PARTS) & set(parts) else clustered(2)
    try:
        if "pairs" in parts:
            pairs(turns)
            one_to_many(turns)
        if "small" in parts:
            with running_daemon(data / "small") as running, connect(running.ready) as client:
                small_collection(turns, client)
        # First without a graph: building one would take the cores while exact search is measured.
        os.environ["NEURALCORE_VECTORS_EXACT_BELOW"] = str(1 << 30)
        with running_daemon(data) as running, connect(running.ready) as client:
            if "pairs" in parts:
                matrices(turns, client)
            if "large" in parts:
                large_collection(turns, client, rows)
            elif "reopen" in parts or "filter" in parts:
                fill(client.collection("hundred-thousand", DIMENSION), rows)
            if "reopen" in parts:
                client.collection("hundred-thousand").snapshot()
        if "reopen" in parts:
            reopening(turns, data, rows)
        if "memory" in parts:
            memory(turns, rows)
        del os.environ["NEURALCORE_VECTORS_EXACT_BELOW"]
        if "filter" in parts:
            with running_daemon(data) as running, connect(running.ready) as client:
                filtered(turns, client, rows)
    finally:
        shutil.rmtree(data, ignore_errors=True)
    show("vectors from Python", turns.figures)
    details = {"parts": parts, "numpy": np.__version__, "seed": SEED, "dimension": DIMENSION}
    return save("vectors-python", turns.figures, json.loads(json.dumps(details)))
