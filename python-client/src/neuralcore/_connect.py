"""Decides what ``connect()`` connects to."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from neuralcore import _discovery, daemon
from neuralcore._connection import Connection
from neuralcore._endpoint import Endpoint
from neuralcore.errors import (
    AccessDenied,
    ConnectError,
    DaemonStartError,
    InvalidRequest,
    VersionMismatch,
)

if TYPE_CHECKING:
    from neuralcore.fallback.client import FallbackClient

logger = logging.getLogger("neuralcore")

FALLBACK_URL = "fallback:"

# After a daemon could not be started, none is tried for so long.
_START_AGAIN_SECONDS = 30.0


def open_backend(
    url: str | None,
    require: str | None,
    start: bool,
    timeout: float,
    home: Path | str | None,
    settings: Mapping[str, object] | None,
) -> Connection | FallbackClient:
    """A connection to a daemon, or the fallback's client; ``connect()`` explains the order."""
    if require not in (None, "daemon"):
        raise InvalidRequest(f"require={require!r} is neither None nor 'daemon'.")
    given = url or os.environ.get("NEURALCORE_URL") or ""
    if given == FALLBACK_URL:
        if require:
            raise ConnectError(f"The URL is {given}, and a daemon is required.")
        return _fallback("it was asked for", logging.INFO)
    if given:
        connection = Connection(Endpoint.parse(given))
        _say(connection, "the URL given")
        return connection
    folder = (Path(home) if home else daemon.default_home()).expanduser().absolute()
    endpoint = _Home(folder, start, settings)
    try:
        if daemon.find(folder) is not None:
            try:
                connection = Connection(endpoint)
                _say(connection, "it was running")
                return connection
            except (AccessDenied, VersionMismatch):
                raise
            except ConnectError:
                if not start:
                    raise
                # It ended between the two questions.
        if not start:
            raise ConnectError(
                f"No daemon runs in {folder}, and none was to be started.",
                hint="Start one with `neuralcore serve`.",
            )
        started = daemon.start(home=folder, timeout=timeout, settings=settings)
        connection = Connection(endpoint)
        _say(connection, "it was started" if started.process else "another process started it")
        return connection
    except (AccessDenied, VersionMismatch):
        raise
    except ConnectError as e:
        if require:
            raise
        reason = e.message + (f" {e.hint}" if e.hint else "")
        if isinstance(e, DaemonStartError) and e.log_tail:
            reason += f" Its output is in {folder / 'logs' / 'console.log'}."
        return _fallback(reason, logging.WARNING)


class _Home:
    """Where the daemon of a home is; asked whenever one is to be connected to.

    A daemon that has died is started again, as ``connect()`` would start one, if it was such a one
    itself: what somebody else keeps alive, or has stopped, is left to him.
    """

    def __init__(self, home: Path, start: bool, settings: Mapping[str, object] | None) -> None:
        self._home = home
        self._start = start
        self._settings = settings
        self._not_before = 0.0

    def __call__(self) -> Endpoint:
        ready = daemon.read_ready(self._home)
        if ready is None:
            raise ConnectError(
                f"No daemon runs in {self._home}.", hint="neuralcore.connect() starts one."
            )
        if not _discovery.is_alive(ready.pid):
            ready = self._another(ready.pid, ready.idle_exit_ms)
        return ready.endpoint

    def _another(self, gone: int, idle_exit_ms: int) -> daemon.Ready:
        if not self._start or idle_exit_ms == 0:
            raise ConnectError(
                f"The daemon of {self._home}, process {gone}, has ended without being stopped.",
                hint="Start it again with `neuralcore serve`.",
            )
        if time.monotonic() < self._not_before:
            raise ConnectError(f"No daemon could be started in {self._home} a moment ago.")
        try:
            another = daemon.start(home=self._home, settings=self._settings)
        except ConnectError:
            self._not_before = time.monotonic() + _START_AGAIN_SECONDS
            raise
        if another.process is not None:  # else another thread or process was first
            logger.warning("the daemon %d has died; %d was started", gone, another.pid)
        return another.ready


def _say(connection: Connection, why: str) -> None:
    version = connection.server.version if connection.server else "?"
    logger.info("using the daemon %s at %s (%s)", version, connection.url, why)


def _fallback(reason: str, level: int) -> FallbackClient:
    from neuralcore.fallback.client import FallbackClient

    logger.log(level, "using the fallback in this process, which is slower: %s", reason)
    return FallbackClient()
