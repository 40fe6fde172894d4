"""Finds the daemon of this user, starts and stops one.

A daemon belongs to a data folder ("home"), and tells in ``run/ready.json`` there where it is.
``start(owned=True)`` gives one that dies with this process, however that ends: it reads the other
end of a pipe that the system closes. Otherwise it outlives us, and ends by itself when it has had
no client for ``idle_exit`` seconds.

Everything here is thread-safe.
"""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import subprocess
import threading
import time
import weakref
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import IO, NamedTuple

from neuralcore import _discovery, _installed, _java
from neuralcore._endpoint import Endpoint
from neuralcore.errors import DaemonStartError, NeuralCoreError, RequestTimeout

logger = logging.getLogger("neuralcore")

IDLE_EXIT = 600.0
START_TIMEOUT = 30.0
_LOG_LINES = 20
_POLL = 0.005
_PROBE_TIMEOUT = 1.0
# Ours alone; the daemon refuses settings that it does not know.
_CLIENT_VARIABLES = ("NEURALCORE_URL", "NEURALCORE_TOKEN", "NEURALCORE_JAVA_FOLDERS")


def environment() -> dict[str, str]:
    """The daemon's: ours, less what is for clients. ONNX Runtime reports to its maker unless told
    not to; the daemon tells it anyway, a variable spares it the time. The C library would keep
    free memory for each of many threads."""
    own = {k: v for k, v in os.environ.items() if k not in _CLIENT_VARIABLES}
    return {"MALLOC_ARENA_MAX": "2", **own, "ORT_DISABLE_TELEMETRY": "1"}


class Ready(NamedTuple):
    """What a ready file says; ``docs/protocol.md`` explains it."""

    home: Path
    pid: int
    socket: str
    host: str
    port: int
    http_host: str
    http_port: int
    token_file: str
    version: str
    protocol: int
    started: str
    idle_exit_ms: int
    open: bool
    model_ready: bool

    @property
    def endpoint(self) -> Endpoint:
        """The unix socket where there is one that can be used, else TCP."""
        if _discovery.is_usable(self.socket):
            return Endpoint(path=self.socket)
        return Endpoint(host=self.host, port=self.port, token_file=self.token_file)

    @property
    def url(self) -> str:
        return self.endpoint.url


def default_home() -> Path:
    """NEURALCORE_DATA_FOLDER, else NEURALCORE_HOME, else the platform's folder for user data."""
    return Path(_discovery.default_home())


def read_ready(home: Path | None = None) -> Ready | None:
    """What the ready file says, be it true or left behind by a daemon that was killed."""
    home = home or default_home()
    said = _discovery.read_ready(str(home))
    return Ready(home, **said) if said is not None else None


def find(home: Path | None = None) -> Ready | None:
    """The daemon of this home if it runs and its door answers; costs less than a millisecond."""
    home = home or default_home()
    said = _discovery.find(str(home), _PROBE_TIMEOUT)
    return Ready(home, **said) if said is not None else None


def startable() -> bool:
    """Whether :func:`start` has a Java and a jar to work with. Starts nothing; takes a few ms."""
    return _installed.is_complete()


class Daemon:
    """A daemon that was found or started.

    Attributes:
        ready: where it is.
        process: the process if we started it, else None.
        owned: whether it ends with this process.
    """

    def __init__(
        self, ready: Ready, process: subprocess.Popen[bytes] | None = None, *, owned: bool = False
    ) -> None:
        self.ready = ready
        self.process = process
        self.owned = owned
        if owned:
            _owned.add(self)

    @property
    def home(self) -> Path:
        return self.ready.home

    @property
    def pid(self) -> int:
        return self.ready.pid

    @property
    def url(self) -> str:
        return self.ready.url

    def stop(self, timeout: float = 15.0) -> None:
        """Has it drain and end; kills it if it does not within so many seconds. Idempotent."""
        process = self.process
        if process is None:
            stop(self.home, timeout=timeout)
            return
        if process.stdin is not None:
            with contextlib.suppress(OSError):
                process.stdin.close()
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(timeout)
            except subprocess.TimeoutExpired:
                logger.warning("the daemon %d does not end by itself: killed", process.pid)
                process.kill()
                process.wait()

    def __enter__(self) -> Daemon:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, e: BaseException | None, at: TracebackType | None
    ) -> None:
        self.stop()

    def __repr__(self) -> str:
        return f"<Daemon {self.pid} at {self.url}{', owned' if self.owned else ''}>"


_owned: weakref.WeakSet[Daemon] = weakref.WeakSet()


def start(
    *,
    home: Path | None = None,
    owned: bool = False,
    idle_exit: float = IDLE_EXIT,
    timeout: float = START_TIMEOUT,
    settings: Mapping[str, object] | None = None,
) -> Daemon:
    """Starts a daemon and waits until its door answers. One that runs already is returned.

    Processes that start one at the same time get the same one.

    Args:
        home: its data folder, the user's by default; made if it is not there.
        owned: it ends when this process ends. There must not be another in this home.
        idle_exit: seconds without a client after which one that is not owned ends; 0 for never.
        timeout: seconds to wait for the door.
        settings: keys of ``conf/neuralcore.yaml``, such as ``{"embedding.threads": 2}``, or their
            short names ``num_threads``, ``verbose``, ``models_path``, ``persistence_path``. They
            have no effect on a daemon that runs already.

    Raises:
        DaemonStartError: with the command and the end of the daemon's output.
    """
    home = (home or default_home()).absolute()
    if os.name != "posix":
        raise DaemonStartError(
            "A daemon cannot be started from here.",
            hint="Start it with java -jar neuralcore.jar serve, and connect by its tcp:// URL.",
        )
    deadline = time.monotonic() + timeout
    with _start_lock(home, deadline):
        running = find(home)
        if running is not None:
            if owned:
                raise DaemonStartError(
                    f"Another daemon, process {running.pid}, uses {home}.",
                    code="DATA_FOLDER_LOCKED",
                    hint="Choose another home, or stop that one.",
                )
            return Daemon(running)
        return _launch(home, owned, idle_exit, deadline, settings or {})


def stop(home: Path | None = None, *, timeout: float = 15.0) -> bool:
    """Has the daemon of this home drain and end, and waits for that.

    Returns:
        Whether there was one.

    Raises:
        RequestTimeout: it still runs after so many seconds.
    """
    ready = find(home)
    if ready is None:
        return False
    # Not above: whether a daemon is there must be found out without loading the transport.
    from neuralcore._connection import Connection

    deadline = time.monotonic() + timeout
    try:
        connection = Connection(ready.endpoint)
        try:
            connection.call("neuralcore.system.stop", timeout=min(timeout, 5.0))
        finally:
            connection.close(0)
    except NeuralCoreError as e:
        logger.debug("asking the daemon to stop failed (%s); it gets a signal", e)
        with contextlib.suppress(OSError):
            os.kill(ready.pid, signal.SIGTERM)
    while _discovery.is_alive(ready.pid):
        if time.monotonic() >= deadline:
            raise RequestTimeout(
                f"The daemon, process {ready.pid}, was told to stop {timeout:g} s ago and still"
                " runs."
            )
        time.sleep(2 * _POLL)
    return True


def _setting(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (list, tuple, set, frozenset)):
        return ",".join(str(item) for item in value)
    return str(value)


def _launch(
    home: Path, owned: bool, idle_exit: float, deadline: float, settings: Mapping[str, object]
) -> Daemon:
    command = _java.jvm_command(_java.find_java(), _java.find_jar())
    command += ["serve", "--data", str(home)]
    command += ["--owned"] if owned else ["--idle-exit", f"{round(idle_exit * 1000)}ms"]
    # What it says after its start is in daemon.log, which is rotated.
    command += ["--set", "log.console=false"]
    for key, value in settings.items():
        command += ["--set", f"{key}={_setting(value)}"]
    logs = home / "logs"
    _make_private(home, logs)
    console = logs / "console.log"
    with open(os.open(console, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as output:
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE if owned else subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=home,
            env=environment(),
            # Ctrl-C in our terminal is for us.
            start_new_session=True,
        )
    try:
        ready = _await_ready(home, process, command, console, deadline)
    except BaseException:
        with contextlib.suppress(OSError):
            process.kill()
        process.wait()
        if process.stdin is not None:
            process.stdin.close()
        raise
    if not owned:
        # Nobody asks after it, so somebody has to, lest it stays a zombie when it ends.
        threading.Thread(target=process.wait, name="neuralcore-reaper", daemon=True).start()
    return Daemon(ready, process, owned=owned)


def _await_ready(
    home: Path,
    process: subprocess.Popen[bytes],
    command: list[str],
    console: Path,
    deadline: float,
) -> Ready:
    while True:
        ready = read_ready(home)
        if ready is not None and ready.pid == process.pid and find(home) is not None:
            return ready
        code = process.poll()
        if code is not None:
            raise DaemonStartError(
                f"The daemon ended with exit code {code} before it was ready.",
                command=command,
                log_tail=_tail(console),
                exit_code=code,
            )
        if time.monotonic() >= deadline:
            raise DaemonStartError(
                "The daemon was not ready in time.",
                hint="Allow more with timeout=…",
                command=command,
                log_tail=_tail(console),
            )
        time.sleep(_POLL)


def _make_private(*folders: Path) -> None:
    """Makes folders that nobody else can look into; ``parents`` alone would leave them open."""
    for folder in folders:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)


@contextlib.contextmanager
def _start_lock(home: Path, deadline: float) -> Iterator[None]:
    """Held by the one process that is starting a daemon in this home."""
    import fcntl

    run = home / "run"
    try:
        _make_private(home, run)
        file: IO[bytes] = open(run / "start.lock", "ab")  # noqa: SIM115
    except OSError as e:
        raise DaemonStartError(
            f"The data folder {home} cannot be used: {e}.",
            code="DATA_FOLDER_LOCKED",
            hint="Set NEURALCORE_HOME to a folder you may write to.",
        ) from e
    with file:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except OSError:
                if time.monotonic() >= deadline:
                    raise DaemonStartError(
                        f"Another process has been starting a daemon in {home} for too long."
                    ) from None
                time.sleep(2 * _POLL)
        yield


def _tail(file: Path) -> str:
    try:
        lines = file.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    return "\n".join(lines[-_LOG_LINES:])


def _after_fork_in_child() -> None:
    """A child must not keep the parent's daemons alive by its copies of the pipes."""
    for daemon in list(_owned):
        process = daemon.process
        if process is not None and process.stdin is not None:
            with contextlib.suppress(OSError):
                process.stdin.close()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)
