"""A pytest plugin, active wherever this package is installed: the fixture ``neuralcore_daemon``.

::

    def test_search(neuralcore_daemon):
        with neuralcore_daemon.client() as client:
            assert client.embed("hello").shape == (384,)
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from neuralcore.client import Client
    from neuralcore.daemon import Daemon


class RunningDaemon:
    """A daemon of the tests' own, with a data folder that is gone afterwards.

    Attributes:
        home: its data folder.
    """

    def __init__(self, home: Path) -> None:
        self.home = home
        self._daemon: Daemon | None = None

    @property
    def daemon(self) -> Daemon:
        """The process; started when first asked for, and again after :meth:`kill`."""
        from neuralcore import daemon

        if self._daemon is None:
            self._daemon = daemon.start(home=self.home, owned=True, timeout=60.0)
        return self._daemon

    @property
    def url(self) -> str:
        """What ``neuralcore.connect(url)`` takes."""
        return self.daemon.url

    def client(self) -> Client:
        """A new client, to be closed by the caller."""
        from neuralcore.client import connect

        return connect(self.url)

    def kill(self) -> None:
        """Kills the daemon without warning (SIGKILL); what was only in its memory is lost."""
        if self._daemon is not None:
            assert self._daemon.process is not None
            self._daemon.process.kill()
            self._daemon.stop()
            self._daemon = None

    def kill_now(self) -> None:
        """Sends SIGKILL and does not wait, as from another thread; :meth:`kill` cleans up."""
        if self._daemon is not None:
            assert self._daemon.process is not None
            self._daemon.process.kill()

    def stop(self) -> None:
        """Has it drain and end."""
        if self._daemon is not None:
            self._daemon.stop()
            self._daemon = None


@pytest.fixture(scope="session")
def neuralcore_daemon() -> Iterator[RunningDaemon]:
    """A daemon for the session, owned by it: it ends with pytest however that ends."""
    # Not pytest's tmp_path: a socket's path may have some 100 characters.
    home = Path(tempfile.mkdtemp(prefix="neuralcore-test-"))
    running = RunningDaemon(home)
    try:
        _ = running.daemon
        yield running
    finally:
        running.stop()
        shutil.rmtree(home, ignore_errors=True)
