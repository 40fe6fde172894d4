"""Decides what ``connect()`` connects to."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from neuralcore import daemon
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
    try:
        if daemon.find(folder) is not None:
            try:
                connection = _of_home(folder)
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
        connection = _of_home(folder)
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


def _of_home(home: Path) -> Connection:
    def endpoint() -> Endpoint:
        ready = daemon.read_ready(home)
        if ready is None:
            raise ConnectError(f"No daemon runs in {home}.")
        return ready.endpoint

    return Connection(endpoint)


def _say(connection: Connection, why: str) -> None:
    version = connection.server.version if connection.server else "?"
    logger.info("using the daemon %s at %s (%s)", version, connection.url, why)


def _fallback(reason: str, level: int) -> FallbackClient:
    from neuralcore.fallback.client import FallbackClient

    logger.log(level, "using the fallback in this process, which is slower: %s", reason)
    return FallbackClient()
