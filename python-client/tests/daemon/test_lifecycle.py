"""Daemons that come and go."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path

import numpy as np
import pytest
import tiny_model

from neuralcore import MessageBus, _discovery, _wire, daemon
from neuralcore._connection import Connection
from neuralcore._endpoint import Endpoint
from neuralcore.client import Client, connect
from neuralcore.embedding import EmbeddingEngine
from neuralcore.errors import ConnectError, DaemonStartError
from neuralcore.testing import RunningDaemon

from eventually import eventually

ECHO = "neuralcore.system.echo"

pytestmark = pytest.mark.skipif(os.name != "posix", reason="daemons are started on POSIX systems")


@pytest.fixture
def home() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="nc-life-"))
    yield folder
    ready = daemon.read_ready(folder)
    if ready is not None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(ready.pid, signal.SIGKILL)
    shutil.rmtree(folder, ignore_errors=True)


def python(code: str, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", code, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def test_processes_that_start_one_at_once_get_one(home: Path) -> None:
    code = """
import sys
from pathlib import Path
from neuralcore.client import connect
client = connect(home=Path(sys.argv[1]), require="daemon")
print(client.info()["pid"], flush=True)
sys.stdin.readline()
"""
    children = [python(code, str(home)) for _ in range(3)]
    pids = {child.stdout.readline() for child in children if child.stdout}
    for child in children:
        child.communicate("\n", timeout=60)
    assert len(pids) == 1
    ready = daemon.find(home)
    assert ready is not None, "it serves those who come later"
    assert int(pids.pop()) == ready.pid
    assert daemon.stop(home)
    assert daemon.find(home) is None
    assert not daemon.stop(home)


def test_an_owned_daemon_ends_when_python_is_killed(home: Path) -> None:
    code = """
import sys, os
from pathlib import Path
from neuralcore import daemon
owned = daemon.start(home=Path(sys.argv[1]), owned=True)
# A forked child that lives on does not keep it alive.
child = os.fork()
if not child:
    sys.stdin.readline()
    os._exit(0)
print(owned.pid, child, flush=True)
sys.stdin.readline()
"""
    parent = python(code, str(home))
    assert parent.stdout is not None
    pid, child = map(int, parent.stdout.readline().split())
    assert _discovery.is_alive(pid)
    parent.kill()
    parent.wait()
    eventually(lambda: not _discovery.is_alive(pid))
    assert _discovery.is_alive(child)
    parent.communicate()


def test_an_owned_daemon_is_alone_in_its_home(home: Path) -> None:
    with daemon.start(home=home, owned=True) as owned:
        with pytest.raises(DaemonStartError, match=str(owned.pid)) as caught:
            daemon.start(home=home, owned=True)
        assert caught.value.code == "DATA_FOLDER_LOCKED"
        assert daemon.start(home=home).pid == owned.pid
    assert not _discovery.is_alive(owned.pid)


def test_a_daemon_nobody_uses_ends(home: Path) -> None:
    # Longer than a loaded machine needs from the open door to our connection.
    started = daemon.start(home=home, idle_exit=4)
    with connect(home=home, require="daemon", start=False) as client:
        time.sleep(5)
        assert client.info()["pid"] == started.pid
    eventually(lambda: not _discovery.is_alive(started.pid))


def test_ctrl_c_in_the_terminal_is_not_for_the_daemon(home: Path) -> None:
    with daemon.start(home=home, owned=True) as owned:
        assert os.getsid(owned.pid) != os.getsid(0)


@pytest.fixture
def running(home: Path) -> Iterator[RunningDaemon]:
    daemon_ = RunningDaemon(home)
    yield daemon_
    daemon_.stop()


def test_clients_survive_a_killed_daemon(running: RunningDaemon) -> None:
    # A loaded machine may take longer to start one than calls usually wait.
    client = Client(Connection(Endpoint.parse(running.url), patience=60))
    got: list[_wire.Delivered] = []
    connection = client.connection
    subscription = connection.next_id()
    connection.on_deliver(subscription, got.extend)
    params = {"namespace": "n", "channel": "c", "subscription": subscription, "credit": 1000}

    def subscribe() -> None:
        connection.call_async("neuralcore.messaging.subscribe", params)

    def publish(i: int) -> None:
        message = ("c", i, time.time_ns(), 5, 0, 3, b"%d" % i, 0, b"")
        connection.send(_wire.encode_publish(i, False, "n", connection.publisher, [message]))

    subscribe()
    connection.on_reconnected(subscribe)
    publish(1)
    eventually(lambda: len(got) == 1)
    assert client.call(ECHO, {"a": 1})[0] == {"a": 1}
    running.kill()
    eventually(lambda: not connection.connected)
    for i in range(2, 12):
        publish(i)
    assert len(got) == 1
    waiting: list[object] = []
    waiter = threading.Thread(target=lambda: waiting.append(client.call(ECHO, {"b": 2})[0]))
    waiter.start()
    assert running.daemon.pid
    eventually(lambda: len(got) == 11)
    assert [int(d.payload) for d in got] == list(range(1, 12))
    waiter.join(30)
    assert waiting == [{"b": 2}]
    client.close()
    url = running.url
    running.stop()
    with pytest.raises(ConnectError, match="No daemon answers"):
        connect(url)


def test_settings_reach_a_daemon_that_is_started(tmp_path: Path) -> None:
    settings = {"num_threads": 1, "verbose": True, "bridge.max_subscriptions": 7}
    with connect(home=tmp_path / "home", require="daemon", settings=settings) as client:
        assert isinstance(client, Client)
        server = client.connection.server
        daemon.stop(tmp_path / "home")
    assert server is not None
    assert server.subscriptions == 7
    assert "embedding" in server.features
    with pytest.raises(DaemonStartError, match=r"num_threads"):
        daemon.start(home=tmp_path / "other", settings={"num_thread": 1})


def has_ipv6() -> bool:
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6):
            return True
    except OSError:
        return False


def test_ipv6_at_both_doors_or_a_reason_where_the_machine_has_none(home: Path) -> None:
    settings = {"bridge.host": "[::1]", "web.host": "::1"}
    if not has_ipv6():
        with pytest.raises(DaemonStartError, match="::1"):
            daemon.start(home=home, settings=settings)
        return
    inner = home / "inner"
    started = daemon.start(home=inner, settings=settings)
    ready = started.ready
    try:
        assert stat.S_IMODE(inner.stat().st_mode) == 0o700
        assert (ready.host, ready.http_host) == ("::1", "::1")
        url = f"tcp://[::1]:{ready.port}?token_file={ready.token_file}"
        with connect(url, require="daemon") as client:
            assert client.info()["pid"] == ready.pid
        for host, status in (("[::1]", 200), ("localhost", 200), ("[::2]", 421), ("evil", 421)):
            http = HTTPConnection("::1", ready.http_port, timeout=30)
            http.request("GET", "/health/live", headers={"Host": f"{host}:{ready.http_port}"})
            assert http.getresponse().status == status, host
            http.close()
    finally:
        started.stop()


def answered(ready: daemon.Ready, outcome: str) -> float:
    """How many searches the daemon has counted with this outcome."""
    http = HTTPConnection(ready.http_host, ready.http_port, timeout=30)
    token = Path(ready.token_file).read_text().strip()
    http.request("GET", "/metrics", headers={"Authorization": f"Bearer {token}"})
    lines = http.getresponse().read().decode().splitlines()
    http.close()
    wanted = ("neuralcore_vectors_requests_seconds_count", 'operation="search"', outcome)
    return sum(float(line.rpartition(" ")[2]) for line in lines if all(w in line for w in wanted))


def test_a_daemon_without_work_gives_memory_back(home: Path) -> None:
    started = daemon.start(home=home, settings={"roles": "vectors,bridge"})
    rows = np.random.default_rng(5).standard_normal((40_000, 384), dtype=np.float32)
    try:
        with connect(started.url, require="daemon") as client:
            large = client.collection("large", 384, durable=False, int8=False)
            for first in range(0, len(rows), 1_000):
                part = slice(first, first + 1_000)
                large.upsert(np.arange(first, first + 1_000), rows[part])
            full = client.info()["memory_bytes"]
            assert large.drop()

            def is_smaller() -> bool:
                time.sleep(0.2)  # asking all the time is work
                return bool(client.info()["memory_bytes"] < full - rows.nbytes / 2)

            eventually(is_smaller, 120)
    finally:
        started.stop()


def test_the_daemon_gives_up_a_search_that_nobody_waits_for(home: Path) -> None:
    roles = {"roles": "vectors,bridge,web", "vectors.exact_below": 1_000_000}
    started = daemon.start(home=home, settings=roles)
    try:
        with connect(started.url, require="daemon") as client:
            # Half a second of work for two cores.
            rows = np.ones((30_000, 512), np.float32)
            client.collection("long", dimension=512, durable=False).upsert(range(30_000), rows)
            params = {"collection": "long", "k": 1, "exact": True}
            patience = 0.2
            for _ in range(10):
                try:
                    client.call(
                        "neuralcore.vectors.search", params, [rows[:4000]], timeout=patience
                    )
                    patience /= 2  # A machine faster than that.
                except TimeoutError:
                    deadline = time.monotonic() + 20
                    while time.monotonic() < deadline:
                        if answered(started.ready, 'outcome="failure"'):
                            return
                        time.sleep(0.02)
                    patience *= 2  # So slow that the request did not get there.
            pytest.fail("no search was given up")
    finally:
        started.stop()


def test_a_daemon_ends_with_its_folder_and_leaves_the_next_one_alone(home: Path) -> None:
    first = daemon.start(home=home)
    shutil.rmtree(home)
    second = daemon.start(home=home)
    assert second.pid != first.pid
    eventually(lambda: not _discovery.is_alive(first.pid))
    with connect(home=home) as client:
        assert client.info()["pid"] == second.pid


def test_a_daemon_that_died_is_started_again(home: Path, caplog: pytest.LogCaptureFixture) -> None:
    with connect(home=home, settings={"embedding.threads": 1}) as client:
        bus = MessageBus(client=client, name="kept")
        bus.create_channel("jobs", persistent=True)
        bus.publish("jobs", 1, confirm="durable").result(60)
        first = client.info()["pid"]
        os.kill(first, signal.SIGKILL)
        eventually(lambda: not client.connection.connected)
        bus.publish("jobs", 2, confirm="durable").result(60)
        second = client.info(timeout=60)["pid"]
        assert second not in (0, first)
        assert [row["payload"] for row in bus.history("jobs")] == [1, 2]
        assert caplog.text.count(f"the daemon {first} has died; {second} was started") == 1
        assert "embedding.threads=1" in Path(f"/proc/{second}/cmdline").read_text()

        # One that is stopped is not.
        assert daemon.stop(home)
        eventually(lambda: not client.connection.connected)
        with pytest.raises(ConnectError, match="No daemon runs in"):
            client.info()
        assert not _discovery.is_alive(second)
        assert daemon.find(home) is None


def test_texts_of_a_daemon_that_died_are_embedded_by_the_next(
    home: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with connect(home=home) as client:
        engine = EmbeddingEngine(client=client)
        expected = engine.embed("number 3 " * 20)
        first = client.info()["pid"]

        def texts() -> Iterator[str]:
            for i in range(700):
                if i == 600:  # two portions have been sent
                    time.sleep(0.2)
                    os.kill(first, signal.SIGKILL)
                yield f"number {i} " * 20

        vectors = list(engine.stream(texts()))
        assert len(vectors) == 700
        np.testing.assert_allclose(vectors[3], expected, atol=0.03)
        assert client.info()["pid"] != first
        assert "neuralcore.embedding.embed is called once more: The" in caplog.text

        # The third daemon does not know of a model that the second was given.
        given = EmbeddingEngine(tiny_model.write(home / "tiny"), client=client)
        before = given.embed("one two")
        os.kill(client.info()["pid"], signal.SIGKILL)
        np.testing.assert_array_equal(given.embed("one two"), before)


def test_a_daemon_that_somebody_else_keeps_is_left_to_him(home: Path) -> None:
    kept = daemon.start(home=home, idle_exit=0)
    with connect(home=home) as client:
        os.kill(kept.pid, signal.SIGKILL)
        eventually(lambda: not client.connection.connected)
        with pytest.raises(ConnectError, match="has ended without being stopped"):
            client.info()
        assert daemon.find(home) is None
