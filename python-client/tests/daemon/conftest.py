from __future__ import annotations

from collections.abc import Iterator

import pytest

from neuralcore.client import Client
from neuralcore.testing import RunningDaemon


@pytest.fixture
def client(neuralcore_daemon: RunningDaemon) -> Iterator[Client]:
    with neuralcore_daemon.client() as opened:
        yield opened
