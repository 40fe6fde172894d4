"""What is found and what is started, without a real daemon; tests/daemon has the rest."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from neuralcore import _discovery, _java, daemon
from neuralcore.aio import connect_async
from neuralcore.client import connect
from neuralcore.errors import (
    ConnectError,
    DaemonStartError,
    InvalidRequest,
    NotFound,
    VersionMismatch,
)

from echo_server import EchoServer

SETTINGS = (
    "NEURALCORE_URL",
    "NEURALCORE_HOME",
    "NEURALCORE_DATA_FOLDER",
    "NEURALCORE_JAVA",
    "NEURALCORE_JAR",
    "JAVA_HOME",
    "XDG_DATA_HOME",
)

posix = pytest.mark.skipif(os.name != "posix", reason="daemons are started on POSIX systems")


@pytest.fixture
def home(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    for name in SETTINGS:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NEURALCORE_JAVA_FOLDERS", "")
    monkeypatch.setenv("PATH", "/nowhere")
    with tempfile.TemporaryDirectory(prefix="nc-home-") as folder:
        monkeypatch.setenv("NEURALCORE_HOME", folder)
        yield Path(folder)


def say_ready(home: Path, server: EchoServer, pid: int | None = None) -> None:
    ready = {
        "pid": pid or os.getpid(),
        "socket": server.path,
        "host": "127.0.0.1",
        "port": 1,
        "version": "0.1.0",
        "protocol": 1,
        "open": True,
        "a field of a newer version": 1,
    }
    (home / "run").mkdir(exist_ok=True)
    (home / "run" / "ready.json").write_text(json.dumps(ready))


def jdk(folder: Path, version: str, modules: str = "java.base jdk.incubator.vector") -> Path:
    (folder / "bin").mkdir(parents=True)
    (folder / "bin" / "java").write_text("#!/bin/sh\nexit 3\n")
    (folder / "bin" / "java").chmod(0o700)
    (folder / "release").write_text(f'JAVA_VERSION="{version}"\nMODULES="{modules}"\n')
    return folder


# Homes


def test_homes(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in SETTINGS:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("HOME", "/home/u")
    assert daemon.default_home() == Path("/home/u/.local/share/neuralcore")
    monkeypatch.setenv("XDG_DATA_HOME", "relative/is/ignored")
    assert daemon.default_home() == Path("/home/u/.local/share/neuralcore")
    monkeypatch.setenv("XDG_DATA_HOME", "/data")
    assert daemon.default_home() == Path("/data/neuralcore")
    monkeypatch.setattr(sys, "platform", "darwin")
    assert daemon.default_home() == Path("/home/u/Library/Application Support/neuralcore")
    monkeypatch.setenv("NEURALCORE_HOME", "/chosen")
    assert daemon.default_home() == Path("/chosen")
    monkeypatch.setenv("NEURALCORE_DATA_FOLDER", "/chosen/before")
    assert daemon.default_home() == Path("/chosen/before")


# Finding


def test_a_running_daemon_is_found(home: Path, server: EchoServer) -> None:
    assert daemon.find() is None
    say_ready(home, server)
    ready = daemon.find()
    assert ready is not None
    assert (ready.pid, ready.url, ready.http_port) == (os.getpid(), f"unix:{server.path}", 0)


def test_a_ready_file_left_behind_finds_nothing(home: Path, server: EchoServer) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    say_ready(home, server, ended.pid)
    assert daemon.find() is None
    say_ready(home, server)
    server.stop()
    assert daemon.find() is None


RUBBISH = (
    "",
    " ",
    "{",
    "[]",
    "{} {}",
    '{"pid": "x", "open": true}',
    '{"open": nonsense}',
    "[" * 9999,
)


@pytest.mark.parametrize("loaded", [True, False], ids=["json", "scanner"])
def test_a_ready_file_is_read_alike_with_and_without_json(
    home: Path, server: EchoServer, monkeypatch: pytest.MonkeyPatch, loaded: bool
) -> None:
    def read(text: str) -> dict[str, Any] | None:
        file.write_text(text)
        if not loaded:
            # Each time: the scanner loads it to say that something is wrong.
            monkeypatch.delitem(sys.modules, "json", raising=False)
        return _discovery.read_ready(str(home))

    say_ready(home, server)
    file = home / "run" / "ready.json"
    strange = ' {"pid": 7, "host": "\\u00e4\\n\\"", "x": [1.5, -2e3, null, {"a": NaN}]}\n'
    for text, host in ((file.read_text(), "127.0.0.1"), (strange, 'ä\n"')):
        ready = read(text)
        assert ready is not None
        assert ready["host"] == host
        assert ready["token_file"] == ""
    for rubbish in RUBBISH:
        assert read(rubbish) is None, rubbish


def test_a_daemon_that_has_no_unix_socket_is_found(home: Path) -> None:
    with EchoServer(tcp_token="t") as server:
        port = _discovery.parse_url(server.url)[2]  # type: ignore[index]
        (home / "run").mkdir()
        file = home / "run" / "ready.json"
        said = {"pid": os.getpid(), "host": "127.0.0.1", "port": port, "open": True}
        file.write_text(json.dumps(said))
        assert daemon.find() is not None
        file.write_text(json.dumps({**said, "socket": "/x" * 60}))
        assert daemon.find() is not None
    assert daemon.find() is None


def test_a_zombie_is_no_daemon(home: Path, server: EchoServer) -> None:
    child = subprocess.Popen([sys.executable, "-c", ""], stdout=subprocess.PIPE)
    assert child.stdout is not None
    child.stdout.read()
    child.stdout.close()
    while not _discovery.is_zombie(child.pid) and os.path.exists("/proc"):
        pass
    assert _discovery.is_alive(child.pid) == (not os.path.exists("/proc"))
    child.wait()


def test_tcp_where_the_socket_s_path_is_too_long(home: Path) -> None:
    ready = daemon.Ready(
        home, 1, "/x" * 60, "127.0.0.1", 7, "127.0.0.1", 8, "/token", "", 1, "", 0, True, False
    )
    assert ready.url == "tcp://127.0.0.1:7"
    assert ready.endpoint.token_file == "/token"


# Java and the jar


@posix
def test_java_is_looked_for_in_order(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(DaemonStartError, match="needs Java 25 or newer; found: none"):
        _java.find_java()
    old = jdk(tmp_path / "17", "17.0.1")
    usual = [jdk(tmp_path / "25", "25.0.3"), old, jdk(tmp_path / "26", "26")]
    monkeypatch.setenv("NEURALCORE_JAVA_FOLDERS", os.pathsep.join(map(str, usual)))
    assert _java.find_java(may_run=False).home == tmp_path / "26"
    on_path = jdk(tmp_path / "path", "25")
    monkeypatch.setenv("PATH", str(on_path / "bin"))
    assert _java.find_java(may_run=False).why == "PATH"
    monkeypatch.setenv("JAVA_HOME", str(jdk(tmp_path / "home", "25")))
    assert _java.find_java(may_run=False).why == "JAVA_HOME"
    monkeypatch.setenv("JAVA_HOME", str(old))
    assert _java.find_java(may_run=False).why == "PATH"
    link = tmp_path / "link"
    link.symlink_to(usual[0] / "bin" / "java")
    monkeypatch.setenv("NEURALCORE_JAVA", str(link))
    assert _java.find_java() == (usual[0], 25, "NEURALCORE_JAVA")
    for wrong, says in ((old, "which is Java 17"), (tmp_path / "no", "where no Java is")):
        monkeypatch.setenv("NEURALCORE_JAVA", str(wrong))
        with pytest.raises(DaemonStartError, match=says):
            _java.find_java()


@posix
def test_a_java_without_a_release_file_is_asked(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = jdk(tmp_path / "jdk", "")
    (folder / "release").unlink()
    (folder / "bin" / "java").write_text("#!/bin/sh\necho 'openjdk version \"25.0.3\"' >&2\n")
    monkeypatch.setenv("NEURALCORE_JAVA_FOLDERS", str(folder))
    assert _java.find_java().version == 25
    with pytest.raises(DaemonStartError, match="found: none"):
        _java.find_java(may_run=False)


@posix
def test_the_command(home: Path, tmp_path: Path) -> None:
    jar = tmp_path / "target" / "neuralcore.jar"
    jar.parent.mkdir()
    jar.touch()
    java = _java.Java(jdk(tmp_path / "jdk", "25"), 25, "")
    run = str(java.executable)
    assert _java.jvm_command(java, jar) == [run, "-jar", str(jar)]
    options = tmp_path / "conf" / "jvm.options"
    options.parent.mkdir()
    options.write_text("# a comment\n--add-modules=jdk.incubator.vector\n-Xms64m\n")
    cache = jar.with_name("neuralcore.aot")
    cache.touch()
    end = [f"-XX:AOTCache={cache}", "-jar", str(jar)]
    assert _java.jvm_command(java, jar) == [run, f"@{options}", *end]
    bare = _java.Java(jdk(tmp_path / "bare", "25", "java.base"), 25, "")
    assert _java.jvm_command(bare, jar) == [str(bare.executable), "-Xms64m", *end]


@posix
def test_startable(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEURALCORE_JAR", str(tmp_path / "neuralcore.jar"))
    monkeypatch.setenv("NEURALCORE_JAVA", str(jdk(tmp_path / "jdk", "25")))
    assert not daemon.startable()
    (tmp_path / "neuralcore.jar").touch()
    assert daemon.startable()
    monkeypatch.delenv("NEURALCORE_JAVA")
    assert not daemon.startable()


@posix
def test_a_start_that_fails_shows_the_command_and_the_output(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = jdk(tmp_path / "jdk", "25")
    (folder / "bin" / "java").write_text(
        "#!/bin/sh\nfor i in $(seq 30); do echo line $i; done\necho port in use >&2; exit 75\n"
    )
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    monkeypatch.setenv("NEURALCORE_JAVA", str(folder))
    monkeypatch.setenv("NEURALCORE_JAR", str(tmp_path / "neuralcore.jar"))
    (tmp_path / "neuralcore.jar").touch()
    with pytest.raises(ConnectionError, match="exit code 75") as caught:
        daemon.start()
    error = caught.value
    assert isinstance(error, DaemonStartError)
    assert error.details["exit_code"] == 75
    assert error.log_tail.splitlines()[0] == "line 12"
    assert error.log_tail.splitlines()[-1] == "port in use"
    assert "serve --data " + str(home) in str(error)
    assert (home / "logs" / "console.log").stat().st_mode & 0o077 == 0
    with pytest.raises(DaemonStartError):
        connect(require="daemon")


@posix
def test_a_start_that_hangs_is_ended(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = jdk(tmp_path / "jdk", "25")
    (folder / "bin" / "java").write_text("#!/bin/sh\necho $$ > $NEURALCORE_HOME/pid; sleep 600\n")
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    monkeypatch.setenv("NEURALCORE_JAVA", str(folder))
    monkeypatch.setenv("NEURALCORE_JAR", str(tmp_path / "neuralcore.jar"))
    (tmp_path / "neuralcore.jar").touch()
    with pytest.raises(DaemonStartError, match="not ready in time"):
        daemon.start(timeout=0.5)
    assert not _discovery.is_alive(int((home / "pid").read_text()))


def test_a_home_that_cannot_be_written_to(tmp_path: Path, home: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DaemonStartError, match="cannot be used"):
        daemon.start(home=tmp_path / "file" / "home")


# connect()


def test_a_running_daemon_is_used(
    home: Path, server: EchoServer, caplog: pytest.LogCaptureFixture
) -> None:
    say_ready(home, server)
    with caplog.at_level(logging.INFO, "neuralcore"), connect(require="daemon") as client:
        assert client.call("neuralcore.system.echo", {"a": 1})[0] == {"a": 1}
        assert (client.backend, client.url) == ("daemon", f"unix:{server.path}")
    assert [r.getMessage() for r in caplog.records] == [
        f"using the daemon 0.1.0 at unix:{server.path} (it was running)"
    ]


def test_a_daemon_that_comes_back_elsewhere_is_found_again(home: Path, server: EchoServer) -> None:
    say_ready(home, server)
    with connect() as client, EchoServer() as other:
        say_ready(home, other)
        server.stop()
        while not other.accepted:
            pass
        assert client.call("neuralcore.system.echo", {"a": 1})[0] == {"a": 1}
        assert client.url == other.url


def test_the_url_given_wins(
    home: Path, server: EchoServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    with EchoServer(tcp_token="t") as other:
        say_ready(home, server)
        monkeypatch.setenv("NEURALCORE_URL", other.url)
        with connect() as client:
            assert client.url == other.url.partition("?")[0]
        with connect(server.url) as client:
            assert client.url == server.url
    with pytest.raises(ConnectError, match="No daemon answers at tcp"):
        connect()  # NEURALCORE_URL, where nobody is any more: nothing else is tried


async def test_the_asynchronous_client(home: Path, server: EchoServer) -> None:
    say_ready(home, server)
    async with await connect_async(require="daemon") as client:
        result, _ = await client.call("neuralcore.system.echo", {"a": 1})
        assert result == {"a": 1}
        with pytest.raises(TimeoutError):
            await client.call("test.silent", timeout=0.05)
        task = asyncio.create_task(client.call("test.silent"))
        await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


def test_without_a_daemon_one_can_be_required(home: Path) -> None:
    with pytest.raises(ConnectError, match="none was to be started"):
        connect(require="daemon", start=False)
    with pytest.raises(ConnectError, match="a daemon is required"):
        connect("fallback:", require="daemon")
    with pytest.raises(InvalidRequest, match="require='native'"):
        connect(require="native")  # type: ignore[arg-type]


def test_another_version_is_told_not_passed_over(home: Path) -> None:
    with EchoServer(protocol=2) as server:
        say_ready(home, server)
        with pytest.raises(VersionMismatch):
            connect()


async def test_the_asynchronous_fallback(home: Path) -> None:
    async with await connect_async("fallback:") as client:
        assert (client.backend, client.url) == ("fallback", "fallback:")
        docs = await client.collection("docs", 2)
        assert await docs.upsert(["a", "b"], [[1, 0], [0, 1]]) == (2, 0)
        assert (await docs.search([0, 1], 1))[0].id == "b"
        none = await client.collection("none")
        with pytest.raises(NotFound):
            await none.delete(["a"])
    with pytest.raises(ConnectError, match="closed"):
        await client.info()


def test_falling_back_is_told(home: Path, caplog: pytest.LogCaptureFixture) -> None:
    with connect(start=False) as client:
        assert client.backend == "fallback"
    (record,) = [r for r in caplog.records if r.name == "neuralcore"]
    assert record.levelno == logging.WARNING
    assert f"No daemon runs in {home}" in record.getMessage()


def test_nobody_else_can_look_into_a_home_that_is_made(tmp_path: Path) -> None:
    home = tmp_path / "home"
    daemon._make_private(home, home / "logs")
    assert [path.stat().st_mode & 0o777 for path in (home, home / "logs")] == [0o700, 0o700]
