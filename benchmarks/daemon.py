"""A daemon, and its rivals' JVM, for the time of a benchmark."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from neuralcore.daemon import environment
from report import ROOT

TARGET = ROOT / "target"
PEERS = ROOT / "benchmarks" / "peers"


def java() -> str:
    return os.environ["NEURALCORE_JAVA"] + "/bin/java"


def daemon_command() -> list[str]:
    """What `./neuralcore serve` runs."""
    command = [java(), f"@{ROOT / 'conf' / 'jvm.options'}"]
    cache = TARGET / "neuralcore.aot"
    if cache.exists():
        command.append(f"-XX:AOTCache={cache}")
    return [*command, "-jar", str(TARGET / "neuralcore.jar"), "serve"]


@dataclass
class Daemon:
    """A running daemon: its ready file, and how long it took to open and to load its model."""

    ready: dict[str, Any]
    open_seconds: float
    process: subprocess.Popen[bytes]
    ready_file: Path
    started: float

    def wait_for_model(self) -> float:
        """Seconds from the start until the default model has run once."""
        while not json.loads(self.ready_file.read_text())["model_ready"]:
            if self.process.poll() is not None:
                raise RuntimeError(f"the daemon ended with {self.process.returncode}")
            time.sleep(0.002)
        return time.perf_counter() - self.started


@contextmanager
def running_daemon(data: Path, settings: dict[str, str] | None = None) -> Iterator[Daemon]:
    """Starts a daemon on a data folder, with settings as environment variables, and ends it."""
    ready_file = data / "run" / "ready.json"
    variables = {
        **environment(),
        "NEURALCORE_DATA_FOLDER": str(data),
        **(settings or {}),
    }
    log = TARGET / "bench" / "daemon.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as out:
        started = time.perf_counter()
        process = subprocess.Popen(
            daemon_command(),
            env=variables,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
        )
        try:
            while True:
                if process.poll() is not None:
                    raise RuntimeError(f"the daemon did not start:\n{log.read_text()}")
                try:
                    ready = json.loads(ready_file.read_text())
                except FileNotFoundError:
                    ready = {}
                if ready.get("pid") == process.pid and ready["open"]:
                    break
                time.sleep(0.002)
            opened = time.perf_counter() - started
            yield Daemon(ready, opened, process, ready_file, started)
        finally:
            code = process.poll()
            process.terminate()
            process.wait(timeout=60)
            if code is not None:
                # A negative code is the signal of whoever ended it; 3 is a heap that was used up.
                end = log.read_text(errors="replace")[-4000:]
                raise RuntimeError(f"the daemon ended with {code} in the middle; its log:\n{end}")


@dataclass(frozen=True)
class Peers:
    """Where the bare echo and the stock bridge listen."""

    unix: str
    tcp: tuple[str, int]
    stock: tuple[str, int]


@contextmanager
def running_peers(folder: Path) -> Iterator[Peers]:
    """Starts benchmarks/peers/Peers.java; Maven fetches its class path on first use."""
    jars = TARGET / "bench" / "stock"
    if not any(jars.glob("vertx-tcp-eventbus-bridge-*.jar")):
        command = [str(ROOT / "neuralcore"), "mvn", "-q", "-f", str(PEERS / "pom.xml")]
        command += ["dependency:copy-dependencies", f"-DoutputDirectory={jars}"]
        subprocess.run(command, check=True)
    unix = str(folder / "peers.sock")
    process = subprocess.Popen(
        [java(), "--class-path", f"{jars}/*", str(PEERS / "Peers.java"), unix],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        line = process.stdout.readline().split()
        if len(line) != 2:
            raise RuntimeError("benchmarks/peers/Peers.java did not start")
        yield Peers(unix, ("127.0.0.1", int(line[0])), ("127.0.0.1", int(line[1])))
    finally:
        process.stdin.close()
        process.wait(timeout=60)
        process.stdout.close()
