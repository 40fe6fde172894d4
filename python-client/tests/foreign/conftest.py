"""A daemon that lets clients talk to each other on ``test.*``."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from neuralcore import daemon


class Door(NamedTuple):
    host: str
    port: int
    http_port: int
    token: str


@pytest.fixture(scope="session")
def door() -> Iterator[Door]:
    home = Path(tempfile.mkdtemp(prefix="neuralcore-test-"))
    lists = {
        "NEURALCORE_BRIDGE_INBOUND": "test.*,neuralcore.system.*,neuralcore.vectors.*",
        "NEURALCORE_BRIDGE_OUTBOUND": "test.*",
    }
    with pytest.MonkeyPatch.context() as environment:
        for name, value in lists.items():
            environment.setenv(name, value)
        running = daemon.start(home=home, owned=True, timeout=60.0)
    try:
        ready = running.ready
        token = Path(ready.token_file).read_text().strip()
        yield Door(ready.host, ready.port, ready.http_port, token)
    finally:
        running.stop()
        shutil.rmtree(home, ignore_errors=True)
