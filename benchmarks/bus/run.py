"""The bus beside its rivals: ATLAS's NCB, nats-server with nats-py, Redis Streams.

Contenders take turns round by round. Each measurement is a Python process of its own
(``scenarios.py``), with its server beside it, and checks what it received.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bus import plot, servers
from bus.scenarios import disk_syncs
from daemon import running_daemon
from report import ROOT, Figure, save, show

PLOTS = ROOT / "docs" / "plots"
_TIMEOUT = 300
# As many times as fast as ATLAS's bus, about, so that each takes as long.
_ATLAS_TIMES = {"NeuralCognitiveBus": 5, "NeuralCoreNCB": 20}


@dataclass(frozen=True)
class Size:
    """How much is measured."""

    messages: int
    ncb_messages: int
    calls: int
    durable: int
    replay: int
    growth: bool


FULL = Size(400_000, 10_000, 1000, 60_000, 300_000, growth=True)
QUICK = Size(20_000, 3_000, 200, 2_000, 5_000, growth=False)


def run(rounds: int, size: Size, atlas_root: str | None, only: set[str] | None) -> dict[str, Any]:
    """Measures and saves; the figures by name."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="neuralcore-bench-")))
        bench = _Bench(rounds, size, stack, folder, atlas_root)
        parts = {
            "throughput": bench.throughput,
            "fanout": bench.fanout,
            "calls": bench.calls,
            "processes": bench.processes,
            "durable": bench.durable,
            "replay": bench.replay,
            "drop_old": bench.drop_old,
            "atlas": bench.atlas,
        }
        if size.growth:
            parts |= {
                "channels": bench.channels,
                "subscribers": bench.subscribers,
                "payloads": bench.payloads,
            }
        for name, part in parts.items():
            if only is None or name in only:
                part()
        save("bus", bench.figures, {"notes": bench.notes, "growth": bench.lines})
        return {figure.name: figure for figure in bench.figures}


class _Bench:
    def __init__(
        self,
        rounds: int,
        size: Size,
        stack: ExitStack,
        folder: Path,
        atlas_root: str | None,
    ) -> None:
        self.figures: list[Figure] = []
        self.notes: list[str] = []
        self.lines: dict[str, dict[str, list[tuple[float, float]]]] = {}
        self._rounds = rounds
        self._size = size
        self._stack = stack
        self._folder = folder
        self._where: dict[str, str] = {}
        settings = {"NEURALCORE_BRIDGE_MAX_SUBSCRIPTIONS": "20000"}
        daemon = stack.enter_context(running_daemon(folder / "daemon", settings))
        self._where["ours"] = f"unix:{daemon.ready['socket']}"
        if atlas_root is not None:
            self._where["ncb"] = str(Path(atlas_root).resolve())
        nats, redis = servers.nats_server(), servers.redis_server()
        if nats is not None:
            self._where["nats"] = stack.enter_context(servers.running_nats(nats, self._sub("nats")))
        if redis is not None:
            self._where["redis"] = stack.enter_context(
                servers.running_redis(redis, self._sub("redis"))
            )
        self._nats, self._redis = nats, redis
        for name in ("ncb", "nats", "redis"):
            if name not in self._where:
                self.notes.append(f"{name} was not there and is not compared with")

    def _sub(self, name: str) -> Path:
        path = self._folder / name
        path.mkdir()
        return path

    def throughput(self) -> None:
        """One process publishes and receives."""
        self._one_process("one process, 1 → 1", 1, "≥ 500,000; ≥ 30 × ncb; ≥ 4 × nats")

    def fanout(self) -> None:
        """One process publishes and receives each message four times."""
        self._one_process("one process, 1 → 4, deliveries", 4, "")

    def _one_process(self, title: str, copies: int, target: str) -> None:
        self._warm_up()
        rates: dict[str, list[float]] = {}
        for _ in range(self._rounds):
            for name in [*self._where, *_OTHER_WAYS]:
                got = self._measure(
                    name,
                    "one_process",
                    at=self._where["ours"] if name in _OTHER_WAYS else None,
                    messages=self._messages(name) // copies,
                    channels=1,
                    copies=copies,
                )
                rates.setdefault(name, []).append(got["warm"])
        self._add(title, "messages/s", rates, target)

    def _messages(self, name: str) -> int:
        """So many that every contender takes some seconds."""
        if name == "ncb":
            return self._size.ncb_messages
        return self._size.messages // (20 if name == "redis" else 1)

    def _warm_up(self) -> None:
        """The JVM compiles what it has run some hundred thousand times."""
        if self._size.growth:
            for _ in range(2):
                self._measure("ours", "one_process", messages=200_000, channels=1, copies=1)

    def _warm_up_singles(self) -> None:
        """A message alone takes another way through the daemon than a batch of hundreds."""
        if self._size.growth:
            self._measure("ours", "idle_latency", calls=10_000)

    def calls(self) -> None:
        """The call of publish, and the way to an idle handler."""
        self._warm_up()
        self._warm_up_singles()
        for scenario, title, targets in (
            ("publish_call", "publish call", ("≤ 2", "")),
            ("idle_latency", "idle, publish → handler", ("≤ 150", "≤ 1000")),
        ):
            taken: dict[str, dict[str, list[float]]] = {"p50": {}, "p99": {}}
            for _ in range(self._rounds):
                for name in self._where:
                    calls = self._size.calls * (10 if scenario == "publish_call" else 1)
                    if name == "redis" and scenario == "publish_call":
                        continue  # it appends to a pipeline
                    got = self._measure(name, scenario, calls=calls)
                    for which, value in got.items():
                        taken[which].setdefault(name, []).append(value)
            for which, target in zip(("p50", "p99"), targets, strict=True):
                self._add(f"{title}, {which}", "µs", taken[which], target)

    def processes(self) -> None:
        """One process publishes, another receives."""
        self._warm_up()
        rates: dict[str, list[float]] = {}
        for _ in range(self._rounds):
            for name in self._where:
                if name != "ncb":
                    messages = self._messages(name)
                    got = self._measure(name, "two_processes", messages=messages)
                    rates.setdefault(name, []).append(got["rate"])
        self._add("two processes", "messages/s", rates)

    def durable(self) -> None:
        """Confirmed when on disk, and read back."""
        syncs = [disk_syncs(str(self._folder)) for _ in range(self._rounds)]
        self._add("the disk's own syncs", "syncs/s", {"disk": syncs})
        where = dict(self._where)
        if self._nats is not None:
            where["nats"] = self._stack.enter_context(
                servers.running_nats(self._nats, self._sub("nats-always"), sync_always=True)
            )
        if self._redis is not None:
            where["redis"] = self._stack.enter_context(
                servers.running_redis(self._redis, self._sub("redis-always"), sync_always=True)
            )
        rates: dict[str, list[float]] = {}
        for _ in range(self._rounds):
            for name, at in where.items():
                if name == "ncb":
                    continue
                messages = self._size.durable // (100 if name == "nats" else 1)
                try:
                    got = self._measure(name, "durable", at=at, messages=messages, in_flight=1000)
                except _NotThere as reason:
                    self.notes.append(str(reason))
                    continue
                rates.setdefault(name, []).append(got["rate"])
        self._add("durable, 1,000 in flight", "messages/s", rates, "≥ 40,000")

    def replay(self) -> None:
        """A subscription that begins at the first of what a channel has kept."""
        rates = [
            self._measure("ours", "replay", messages=self._size.replay)["rate"]
            for _ in range(self._rounds)
        ]
        self._add("replay to one subscriber", "messages/s", {"ours": rates}, "≥ 300,000")

    def atlas(self) -> None:
        """ATLAS's interface over the daemon, beside ATLAS's own bus."""
        self._warm_up()
        rates: dict[str, list[float]] = {}
        for _ in range(self._rounds):
            for name, where in (
                ("ncb", "ncb"),
                ("NeuralCognitiveBus", "ours"),
                ("NeuralCoreNCB", "ours"),
            ):
                if where in self._where:
                    got = self._measure(
                        name,
                        "one_process",
                        at=self._where[where],
                        messages=self._size.ncb_messages * _ATLAS_TIMES.get(name, 1),
                        channels=1,
                        copies=1,
                    )
                    rates.setdefault(name, []).append(got["warm"])
        self._add("ATLAS's interface, 1 → 1", "messages/s", rates)

    def drop_old(self) -> None:
        """Publishing into a full queue that evicts; ours with the way to the daemon and back."""
        self._warm_up()
        taken: dict[str, list[float]] = {}
        for _ in range(self._rounds):
            for name in self._where:
                if name in ("ours", "ncb"):
                    got = self._measure(name, "drop_old", messages=self._size.messages // 10)
                    taken.setdefault(name, []).append(got["microseconds"])
        self._add("drop_old on a full queue of 10,000, a message", "µs", taken)

    # How cost grows; the daemon's counters are checked in each run.

    def channels(self) -> None:
        """One subscription a channel."""
        self._warm_up()
        channels = [(n, self._seconds(channels=n, copies=1)) for n in (1, 10, 36, 1000)]
        self._growth("channels", "channels", "µs a message", channels)

    def subscribers(self) -> None:
        """All to one channel."""
        self._warm_up()
        copies = [(n, self._seconds(channels=1, copies=n)) for n in (1, 10, 100, 1000, 10_000)]
        self._growth("subscribers", "subscriptions", "µs a delivery", copies)

    def payloads(self) -> None:
        """Larger messages."""
        self._warm_up()
        sizes = []
        for kib in (1, 4, 16, 64, 256, 1024):
            messages = max(200, min(20_000, (128 << 10) // kib))
            got = [
                self._measure("ours", "payloads", size=kib << 10, messages=messages)["seconds"]
                for _ in range(self._rounds)
            ]
            sizes.append((float(kib), statistics.median(got) / messages * 1e6))
        self._growth("payloads", "KiB a payload", "µs a message", sizes, per_unit=True)

    def _seconds(self, *, channels: int, copies: int) -> float:
        """Microseconds a delivery."""
        messages = max(10, self._size.messages // 2 // copies)
        rates = [
            self._measure(
                "ours",
                "one_process",
                messages=messages,
                channels=channels,
                copies=copies,
            )["warm"]
            for _ in range(self._rounds)
        ]
        return 1e6 / statistics.median(rates)

    def _growth(
        self,
        name: str,
        x_name: str,
        y_name: str,
        line: list[tuple[Any, float]],
        *,
        per_unit: bool = False,
    ) -> None:
        points = [(float(x), y) for x, y in line]
        self.lines[name] = {"ours": points}
        plot.write(
            PLOTS / f"bus-{name}.svg",
            f"Cost over {x_name}",
            x_name,
            y_name,
            {"ours": points},
        )
        whole = points if per_unit else [(x, x * y) for x, y in points]
        exponent = plot.fitted_exponent(whole)
        for x, y in points:
            self.figures.append(Figure.of(f"{x_name}: {x:g}", y_name, [y]))
        self.figures.append(Figure.of(f"growth over {x_name}, exponent", "", [exponent], "≤ 1.1"))
        show(f"Growth over {x_name}", self.figures[-len(points) - 1 :])

    def _measure(
        self, name: str, scenario: str, *, at: str | None = None, **numbers: int
    ) -> dict[str, float]:
        command = [
            sys.executable,
            "-m",
            "bus.scenarios",
            name,
            at or self._where[name],
            scenario,
        ]
        command += [f"{key}={value}" for key, value in numbers.items()]
        environment = {**os.environ, "PYTHONPATH": str(ROOT / "benchmarks")}
        if name == "ours, in Python":
            environment["NEURALCORE_CLIENT_PURE_PYTHON"] = "1"
        done = subprocess.run(
            command,
            cwd=ROOT / "benchmarks",
            env=environment,
            capture_output=True,
            text=True,
            timeout=_TIMEOUT,
            check=False,
        )
        if done.returncode != 0:
            last = done.stderr.strip().splitlines()[-1:] or ["no reason given"]
            if "NotSupported" in last[0]:
                raise _NotThere(f"{name}, {scenario}: {last[0]}")
            raise RuntimeError(f"{' '.join(command)} failed:\n{done.stderr}")
        figures: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
        return figures

    def _add(self, title: str, unit: str, values: dict[str, list[float]], target: str = "") -> None:
        if not values:
            return
        added = [
            Figure.of(f"{title}: {name}", unit, numbers, target if name == "ours" else "")
            for name, numbers in values.items()
        ]
        self.figures += added
        show(title, added)
        medians = {name: figure.median for name, figure in zip(values, added, strict=True)}
        mine = medians.get("ours")
        for name, other in medians.items():
            if mine and not name.startswith("ours"):
                ratio = mine / other if unit.endswith("/s") else other / mine
                print(f"    {ratio:.1f} × {name}")


_OTHER_WAYS = ("ours, batches", "ours, in Python")


class _NotThere(Exception):
    """The daemon cannot do it yet."""
