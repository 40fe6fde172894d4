"""`bench cluster`: workers, the way to them, and how far the design goes.

Workers are JVMs of their own on one machine, whose network is a stand-in that waits a fixed time a
token (`src/it/java/verticles/StandIn.java`): cluster, TLS, event bus, scheduler and batches are the
real ones. So a worker's speed is known, and what is measured is whether the cluster adds it up.
"""

from __future__ import annotations

import contextlib
import json
import os
import statistics
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

import neuralcore
from bus import plot
from daemon import TARGET, Daemon, java, running_daemon
from neuralcore.client import Client
from report import ROOT, Figure, save, show

SOURCES = ROOT / "src" / "it" / "java" / "verticles"
JAR = TARGET / "neuralcore.jar"
CLASSES = TARGET / "bench" / "cluster"
PLOT = ROOT / "docs" / "cluster-workers.svg"
MICROSECONDS_A_TOKEN = 500
TEXT = "a text of some eighty characters, number %06d, as they stand in a paragraph."
TOKENS = 2 + len(TEXT % 0) // 4
TEXTS = 12
"""Texts a request: a batch of the stand-in, an eighth of a second."""
SMALL = ["-Xmx48m", "-Xss512k", "-XX:+UseSerialGC"]
"""Not -XX:TieredStopAtLevel=1: without its second compiler Java does AES some 50 times slower."""
WARM_UP_CALLS = 8_000
"""Requests of one text, on either side, before anything counts. Until Java has compiled the way of
a request, and what encrypts it, both are interpreted, and that costs more than the way itself."""
WARM_UP_STREAMS = 8
WARM_UP = 1
"""Then, rounds that do not count."""
TICKS = os.sysconf("SC_CLK_TCK")


def compiled() -> str:
    """The class path of the stand-in."""
    CLASSES.mkdir(parents=True, exist_ok=True)
    sources = [str(SOURCES / name) for name in ("StandIn.java", "FleetLoad.java")]
    command = [java() + "c", "-nowarn", "-proc:none", "-cp", str(JAR), "-d", str(CLASSES)]
    subprocess.run([*command, *sources], check=True)
    return f"{CLASSES}{os.pathsep}{JAR}"


def settings(folder: Path, **more: str) -> dict[str, str]:
    return {
        "NEURALCORE_CLUSTER_ENABLED": "true",
        "NEURALCORE_CLUSTER_PORT": "0",
        "NEURALCORE_CLUSTER_CREDENTIALS": str(folder / "credentials"),
        **more,
    }


@contextlib.contextmanager
def stand_ins(path: str, folder: Path, port: int, count: int, cost: int) -> Iterator[list[int]]:
    """So many workers; their process numbers."""
    command = [java(), *SMALL, "-cp", path, "verticles.StandIn", str(cost), "cluster.port=0"]
    command += [f"cluster.credentials={folder / 'credentials'}", f"cluster.join=127.0.0.1:{port}"]
    workers = []
    try:
        for _ in range(count):
            workers.append(
                subprocess.Popen(
                    command,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.DEVNULL,
                )
            )
        for worker in workers:
            assert worker.stdout is not None
            worker.stdout.readline()
        yield [worker.pid for worker in workers]
    finally:
        for worker in workers:
            worker.kill()
            worker.wait()


@contextlib.contextmanager
def door(folder: Path, port: int) -> Iterator[Daemon]:
    with running_daemon(
        folder / "door",
        settings(folder, NEURALCORE_ROLES="bridge", NEURALCORE_CLUSTER_PORT=str(port)),
    ) as daemon:
        yield daemon


def nodes(client: Client) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = client.call("neuralcore.embedding.nodes")[0]["nodes"]
    return found


def await_nodes(client: Client, count: int) -> None:
    deadline = time.perf_counter() + 120
    while len(nodes(client)) < count:
        if time.perf_counter() > deadline:
            raise RuntimeError(f"{count} workers are awaited: {nodes(client)}")
        time.sleep(0.05)


def free_port() -> int:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def cpu(pid: int) -> float:
    """Seconds of processor that a process has had."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def model_cpu(pid: int) -> float:
    """Of it what the threads had that run the model."""
    ticks = 0
    for thread in Path(f"/proc/{pid}/task").iterdir():
        with contextlib.suppress(OSError):  # it has ended
            name, _, rest = (thread / "stat").read_text().partition("(")[2].rpartition(")")
            if name.startswith("embedding-"):
                ticks += sum(map(int, rest.split()[11:13]))
    return ticks / TICKS


def embed(client: Client, number: int) -> None:
    """One request; its vectors must be those of its texts."""
    texts = [TEXT % (number * TEXTS + i) for i in range(TEXTS)]
    _, tensors = client.call("neuralcore.embedding.embed", {}, [texts], timeout=120)
    first = np.asarray(tensors[0])[:, 0]
    assert [int(value) for value in first] == [hash_of(text) for text in texts]


def hash_of(text: str) -> int:
    """What Java's String.hashCode() gives, of which the stand-in keeps 16 bits."""
    value = 0
    for character in text:
        value = (31 * value + ord(character)) & 0xFFFFFFFF
    return value & 0xFFFF


def load(daemon: Daemon, requests: int, streams: int) -> float:
    """Seconds until so many requests are answered, `streams` of them under way at a time."""
    numbers = iter(range(requests))
    lock = threading.Lock()
    failures: list[BaseException] = []

    def run() -> None:
        try:
            with neuralcore.connect(f"unix:{daemon.ready['socket']}") as client:
                while True:
                    with lock:
                        number = next(numbers, None)
                    if number is None:
                        return
                    embed(client, number)
        except BaseException as failure:
            failures.append(failure)

    threads = [threading.Thread(target=run) for _ in range(streams)]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
    return time.perf_counter() - began


def scaling(path: str, counts: Sequence[int], seconds: float) -> list[dict[str, float]]:
    """Throughput of N workers beside N times what one can do by its own arithmetic."""
    ideal = 1e6 / (MICROSECONDS_A_TOKEN * TOKENS)
    rows = []
    for count in counts:
        with tempfile.TemporaryDirectory(prefix="nc-") as name:
            folder, port = Path(name), free_port()
            with (
                door(folder, port) as daemon,
                stand_ins(path, folder, port, count, MICROSECONDS_A_TOKEN) as workers,
                neuralcore.connect(f"unix:{daemon.ready['socket']}") as client,
            ):
                await_nodes(client, count)
                streams = 3 * count + 2
                load(daemon, 6 * count, streams)
                before = cpu(daemon.process.pid), sum(cpu(pid) for pid in workers)
                requests = round(seconds * count * ideal / TEXTS)
                took = load(daemon, requests, streams)
                texts = requests * TEXTS / took
                door_cpu = (cpu(daemon.process.pid) - before[0]) / took
                worker_cpu = (sum(cpu(pid) for pid in workers) - before[1]) / took
                shares = [node["texts"] for node in nodes(client)]
            rows.append(
                {
                    "workers": count,
                    "texts_per_second": round(texts, 1),
                    "of_ideal": round(texts / (count * ideal), 4),
                    "door_cpu": round(door_cpu, 3),
                    "workers_cpu": round(worker_cpu, 3),
                    "least_share": round(min(shares) * count / sum(shares), 3),
                }
            )
            print("  ", json.dumps(rows[-1]))
    return rows


def loopback_bytes() -> int:
    """What has gone over lo, headers included; clients are on a unix socket, which is not there."""
    for line in Path("/proc/net/dev").read_text().splitlines():
        if line.strip().startswith("lo:"):
            return int(line.split(":")[1].split()[0])
    return 0


def hop(path: str, requests: int) -> list[Figure]:
    """The way from a door to another node and back, beside an echo of the door itself."""
    figures = []
    with tempfile.TemporaryDirectory(prefix="nc-") as name:
        folder, port = Path(name), free_port()
        with (
            door(folder, port) as daemon,
            stand_ins(path, folder, port, 1, 0),
            neuralcore.connect(f"unix:{daemon.ready['socket']}") as client,
        ):
            await_nodes(client, 1)
            for rows, title in ((0, "empty"), (48, "48 vectors, 74 kB")):
                tensors = [np.zeros((rows, 384), np.float32)] if rows else []
                rounds: dict[str, list[float]] = {"here": [], "there": []}
                sizes = []
                for _ in range(8):
                    for where, address in (
                        ("here", "neuralcore.system.echo"),
                        ("there", "neuralcore.vectors.echo"),
                    ):
                        times = []
                        before = loopback_bytes()
                        for _ in range(requests):
                            began = time.perf_counter()
                            client.call(address, {}, tensors)
                            times.append(1e6 * (time.perf_counter() - began))
                        rounds[where].append(statistics.median(times))
                        if where == "there":
                            sizes.append((loopback_bytes() - before) / requests)
                differences = [
                    there - here
                    for here, there in zip(rounds["here"][3:], rounds["there"][3:], strict=True)
                ]
                figures += [
                    Figure.of(f"echo of the door, {title}", "µs", rounds["here"][3:]),
                    Figure.of(f"echo of another node, {title}", "µs", rounds["there"][3:]),
                    Figure.of(f"the hop, {title}", "µs", differences),
                    Figure.of(f"the hop with TCP and TLS, {title}", "bytes", sizes[3:]),
                ]
    return figures


def warm_up(daemon: Daemon) -> None:
    def run() -> None:
        with neuralcore.connect(f"unix:{daemon.ready['socket']}") as client:
            for call in range(WARM_UP_CALLS // WARM_UP_STREAMS):
                client.call("neuralcore.embedding.embed", {}, [[f"word {call}"]], timeout=120)

    with ThreadPoolExecutor(WARM_UP_STREAMS) as pool:
        for stream in [pool.submit(run) for _ in range(WARM_UP_STREAMS)]:
            stream.result()


def real_cost(texts: int, rounds: int) -> list[Figure]:
    """Processor time a text with the real model: one process, and a door with a worker.

    In turns, the other first each time, as the machine's speed moves within a run. It moves by more
    than the way costs, so what the model's threads had is told apart: they do the same on either
    side, and the way is what is beside them.
    """
    batch = [f"{TEXT % i} It is one of many that are not alike: {i * 7919}." for i in range(texts)]
    spent: dict[str, list[float]] = {"one": [], "far": []}
    beside: dict[str, list[float]] = {"one": [], "far": []}
    with tempfile.TemporaryDirectory(prefix="nc-") as name:
        folder, port = Path(name), free_port()
        plain = {"NEURALCORE_EMBEDDING_VECTOR_CACHE": "0"}
        joined = settings(
            folder,
            NEURALCORE_ROLES="embedding",
            NEURALCORE_CLUSTER_JOIN=f"127.0.0.1:{port}",
            **plain,
        )
        with (
            running_daemon(folder / "one", plain) as one,
            door(folder, port) as gate,
            running_daemon(folder / "worker", joined) as worker,
        ):
            one.wait_for_model()
            worker.wait_for_model()
            with (
                neuralcore.connect(f"unix:{one.ready['socket']}") as near,
                neuralcore.connect(f"unix:{gate.ready['socket']}") as far,
            ):
                await_nodes(far, 1)
                for daemon in (one, gate):
                    warm_up(daemon)
                sides = [("one", near, [one]), ("far", far, [gate, worker])]
                for turn in range(rounds + WARM_UP):
                    for side, client, processes in sides if turn % 2 else sides[::-1]:
                        pids = [process.process.pid for process in processes]
                        before = sum(map(cpu, pids)), sum(map(model_cpu, pids))
                        client.call("neuralcore.embedding.embed", {}, [batch], timeout=120)
                        after = sum(map(cpu, pids)), sum(map(model_cpu, pids))
                        if turn >= WARM_UP:
                            all_of_it, model = after[0] - before[0], after[1] - before[1]
                            spent[side].append(1e6 * all_of_it / texts)
                            beside[side].append(1e6 * (all_of_it - model) / texts)
    pairs = list(zip(spent["one"], spent["far"], beside["one"], beside["far"], strict=True))
    return [
        Figure.of("one process, processor a text", "µs", spent["one"]),
        Figure.of("door and worker, processor a text", "µs", spent["far"]),
        Figure.of("door and worker beside one process", "×", [b / a for a, b, _, _ in pairs]),
        Figure.of("beside the model, one process", "µs", beside["one"]),
        Figure.of("beside the model, door and worker", "µs", beside["far"]),
        Figure.of(
            "door and worker beside one process, the model's own time taken as equal",
            "×",
            [1 + (more - less) / a for a, _, less, more in pairs],
            "≤ 1.05",
        ),
    ]


def fleet(path: str, counts: Sequence[int]) -> dict[int, tuple[float, float]]:
    """Microseconds a part and an announcement that the fleet alone takes."""
    command = [java(), "-cp", path, "verticles.FleetLoad", *map(str, counts)]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    rows = [line.split() for line in told.splitlines()]
    return {int(row[0]): (int(row[1]) / 1000, int(row[2]) / 1000) for row in rows}


def model(
    rows: list[dict[str, float]], fleets: dict[int, tuple[float, float]]
) -> list[dict[str, float]]:
    """What follows for more workers than there are: a model, no measurement.

    A door's processor a text is the median of what was measured with 4 workers and more; the
    fleet's part of it is measured for each number of workers. Each node says something to each
    other twice a second, and each worker announces itself to each door once. What a message
    between nodes costs a door is taken to be 15 µs of processor, and what a worker's real model
    does, 150 texts a second.
    """
    busy = [row for row in rows if row["workers"] >= 4]
    text_us = statistics.median(1e6 * row["door_cpu"] / row["texts_per_second"] for row in busy)
    message_us = 15.0
    real = 150.0
    found = []
    for count in (10, 100, 1000):
        part_us, announcement_us = fleets[count]
        per_text = text_us + part_us / TEXTS
        standing = count * (2 * 2 * message_us + message_us + announcement_us) / 1e6
        most = max(0.0, (1 - standing)) * 1e6 / per_text
        found.append(
            {
                "workers": count,
                "links_of_a_node": count,
                "links_of_the_cluster": count * (count + 1) // 2,
                "event_bus_connections_of_a_door": 2 * count,
                "door_standing_load": round(standing, 4),
                "fleet_us_a_part": round(part_us, 2),
                "door_texts_per_second": round(most),
                "workers_that_a_door_keeps_busy": round(most / real),
                "announcements_kB_per_second": round(count * 0.6, 1),
            }
        )
        print("  ", json.dumps(found[-1]))
    return found


def run(parts: Sequence[str], counts: Sequence[int], seconds: float) -> None:
    path = compiled()
    figures: list[Figure] = []
    details: dict[str, Any] = {
        "stand_in": {"microseconds_a_token": MICROSECONDS_A_TOKEN, "tokens_a_text": TOKENS},
        "jvm_of_a_worker": SMALL,
    }
    if "scaling" in parts:
        rows = scaling(path, counts, seconds)
        details["scaling"] = rows
        for row in rows:
            target = "≥ 0.9" if row["workers"] > 1 else ""
            figures.append(
                Figure.of(
                    f"{row['workers']:.0f} workers, of N times one", "×", [row["of_ideal"]], target
                )
            )
        fleets = fleet(path, [10, 100, 1000])
        details["fleet_us"] = {str(key): value for key, value in fleets.items()}
        details["model"] = model(rows, fleets)
        plot.write(
            PLOT,
            "Texts a second over workers (stand-ins)",
            "workers",
            "texts a second",
            {
                "measured": [(row["workers"], row["texts_per_second"]) for row in rows],
                "N times one": [
                    (row["workers"], row["workers"] * 1e6 / (MICROSECONDS_A_TOKEN * TOKENS))
                    for row in rows
                ],
            },
        )
    if "hop" in parts:
        figures += hop(path, 500)
    if "cost" in parts:
        figures += real_cost(600, 9)
    show("Cluster", figures)
    save("cluster", figures, {"details": details})
