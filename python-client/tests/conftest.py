from __future__ import annotations

from collections.abc import Iterator

import pytest

from neuralcore._connection import Connection
from neuralcore._endpoint import Endpoint

from echo_server import EchoServer


@pytest.fixture
def server() -> Iterator[EchoServer]:
    with EchoServer() as running:
        yield running


@pytest.fixture
def connection(server: EchoServer) -> Iterator[Connection]:
    opened = Connection(Endpoint.parse(server.url))
    yield opened
    opened.close()
