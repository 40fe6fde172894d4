"""A real Kafka broker for tests and benchmarks: a process of its own, from Maven's artifacts.

Its class path is in a file that the Java tests, or ``mvn generate-test-resources``, leave behind.
"""

from __future__ import annotations

import os
import random
import shutil
import socket
import struct
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_CLASS_PATH = Path(__file__).resolve().parents[3] / "target" / "kafka-broker.classpath"
_CLUSTER = "4L6g3nShTeMCtKX86swAAA"
_PATIENCE = 120.0


def available() -> bool:
    return _CLASS_PATH.exists()


class Broker:
    """One broker, its own controller; killed and started again it keeps what it has answered for.

    :param heap: of the JVM; a broker that is measured gets more, and the better compiler.
    """

    def __init__(self, folder: Path, heap: str = "192m", quick_start: bool = True) -> None:
        self.folder = folder
        self.port, controller = _free_port(), _free_port()
        java = os.environ.get("NEURALCORE_JAVA") or os.environ.get("JAVA_HOME")
        program = str(Path(java, "bin", "java")) if java else shutil.which("java")
        assert program is not None
        self._java = [program, f"-Xmx{heap}", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn"]
        if quick_start:
            self._java += ["-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]
        self._java += ["-cp", _CLASS_PATH.read_text()]
        self._settings = folder / "server.properties"
        self._settings.write_text(
            f"""\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
listeners=PLAINTEXT://127.0.0.1:{self.port},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{self.port}
controller.listener.names=CONTROLLER
log.dirs={folder / "logs"}
offsets.topic.num.partitions=1
offsets.topic.replication.factor=1
group.initial.rebalance.delay.ms=0
num.partitions=1
log.cleaner.dedupe.buffer.size=4194304
broker.session.timeout.ms=1000
broker.heartbeat.interval.ms=200
"""
        )
        format = ["kafka.tools.StorageTool", "format", "-t", _CLUSTER, "-c", str(self._settings)]
        subprocess.run([*self._java, *format], check=True, capture_output=True, timeout=_PATIENCE)
        self.process = self.begin()
        self.wait()

    @property
    def servers(self) -> str:
        return f"127.0.0.1:{self.port}"

    def begin(self) -> subprocess.Popen[bytes]:
        with (self.folder / "kafka.log").open("ab") as log:
            return subprocess.Popen(
                [*self._java, "kafka.Kafka", str(self._settings)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def wait(self) -> None:
        """Until it answers."""
        deadline = time.monotonic() + _PATIENCE
        while not self.answers():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError((self.folder / "kafka.log").read_text()[-4000:])
            time.sleep(0.005)

    def answers(self) -> bool:
        """Whether it says which requests it understands: it does so once it serves."""
        body = struct.pack(">hhih", 18, 0, 1, -1)  # ApiVersions, from a client without a name
        try:
            with socket.create_connection(("127.0.0.1", self.port), 1) as probe:
                probe.settimeout(1)
                probe.sendall(struct.pack(">i", len(body)) + body)
                return len(probe.recv(10)) == 10
        except OSError:
            return False

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(60)


@contextmanager
def running(folder: Path) -> Iterator[Broker]:
    broker = Broker(folder)
    try:
        yield broker
    finally:
        broker.kill()


def _free_port() -> int:
    """Below those that systems give to connections, which could have it when it is wanted."""
    while True:
        candidate = random.randrange(10_000, 32_000)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", candidate))
            except OSError:
                continue
            return candidate
