"""A test that takes ``client`` runs with the fallback and with the daemon."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from neuralcore.client import Client
from neuralcore.fallback.client import FallbackClient


@pytest.fixture(params=["fallback", "daemon"])
def client(request: pytest.FixtureRequest) -> Iterator[Client]:
    if request.param == "fallback":
        opened: Client = FallbackClient()
    else:
        opened = request.getfixturevalue("neuralcore_daemon").client()
    yield opened
    opened.close()
