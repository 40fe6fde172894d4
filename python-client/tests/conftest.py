from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from neuralcore._connection import Connection
from neuralcore._endpoint import Endpoint

from echo_server import EchoServer

# A shell may have started this with SIGINT ignored; there would be no Ctrl-C to test.
signal.signal(signal.SIGINT, signal.default_int_handler)

# A loaded machine is no failure.
settings.register_profile(
    "neuralcore", deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True
)
settings.load_profile("neuralcore")


@pytest.fixture
def server() -> Iterator[EchoServer]:
    with EchoServer() as running:
        yield running


@pytest.fixture
def connection(server: EchoServer) -> Iterator[Connection]:
    opened = Connection(Endpoint.parse(server.url))
    yield opened
    opened.close()
