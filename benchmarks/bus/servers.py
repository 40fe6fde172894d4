"""nats-server and redis-server for the time of a benchmark."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from report import ROOT

NATS_MODULE = "github.com/nats-io/nats-server/v2@v2.12.1"
_TOOLS = ROOT / "target" / "bench" / "tools"


def nats_server() -> str | None:
    """The program: from PATH, or built once as a Go module where Go is installed."""
    found = shutil.which("nats-server") or shutil.which("nats-server", path=str(_TOOLS))
    go = shutil.which("go")
    if found is None and go is not None:
        _TOOLS.mkdir(parents=True, exist_ok=True)
        environment = {**os.environ, "GOBIN": str(_TOOLS)}
        subprocess.run([go, "install", NATS_MODULE], env=environment, check=False)
        found = shutil.which("nats-server", path=str(_TOOLS))
    return found


def redis_server() -> str | None:
    return shutil.which("redis-server")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def _running(command: list[str], port: int) -> Iterator[None]:
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        for _ in range(500):
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                if process.poll() is not None:
                    raise RuntimeError(f"{command[0]} ended with {process.returncode}") from None
                time.sleep(0.02)
        yield
    finally:
        process.terminate()
        process.wait(30)


@contextmanager
def running_nats(program: str, folder: Path, *, sync_always: bool = False) -> Iterator[str]:
    """Yields its address. ``sync_always``: JetStream syncs before it acknowledges."""
    port = _free_port()
    settings = folder / "nats.conf"
    sync = "sync_interval: always" if sync_always else ""
    settings.write_text(
        f'listen: "127.0.0.1:{port}"\nmax_payload: 8MB\nmax_pending: 512MB\n'
        f'jetstream {{ store_dir: "{folder}/jetstream"\n {sync} }}\n'
    )
    with _running([program, "-c", str(settings)], port):
        yield f"nats://127.0.0.1:{port}"


@contextmanager
def running_redis(program: str, folder: Path, *, sync_always: bool = False) -> Iterator[str]:
    """Yields its address. ``sync_always``: the append-only file is synced before it answers."""
    port = _free_port()
    command = [
        program,
        "--port",
        str(port),
        "--bind",
        "127.0.0.1",
        "--dir",
        str(folder),
    ]
    command += ["--save", "", "--appendonly", "yes" if sync_always else "no"]
    command += ["--appendfsync", "always"]
    with _running(command, port):
        yield f"redis://127.0.0.1:{port}"
