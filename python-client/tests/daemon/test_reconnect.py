"""A client that is back before the daemon has noticed that it was gone."""

from __future__ import annotations

import contextlib
import socket
import threading

import pytest

import neuralcore
from neuralcore.messaging import MessageBus

PATIENCE = 20.0


class Proxy:
    """Between client and daemon: cuts a client off and leaves the daemon's end of it open."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._clients: list[socket.socket] = []
        self._sockets: list[socket.socket] = []
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            end = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            end.connect(self._path)
            self._clients.append(client)
            self._sockets += (client, end)
            for source, sink in ((client, end), (end, client)):
                threading.Thread(target=self._pump, args=(source, sink), daemon=True).start()

    @staticmethod
    def _pump(source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                sink.sendall(data)

    def cut(self) -> None:
        for client in self._clients:
            client.shutdown(socket.SHUT_RDWR)
        self._clients.clear()

    def close(self) -> None:
        self._listener.close()
        for opened in self._sockets:
            with contextlib.suppress(OSError):
                opened.shutdown(socket.SHUT_RDWR)
            opened.close()


@pytest.fixture
def proxy(neuralcore_daemon):
    between = Proxy(neuralcore_daemon.url.removeprefix("unix:"))
    yield between
    between.close()


def test_a_private_bus_goes_on_over_a_connection_the_daemon_has_not_seen_end(proxy):
    heard: list[object] = []
    came = threading.Condition()

    def take(message) -> None:
        with came:
            heard.append(message.payload)
            came.notify_all()

    url = f"tcp://127.0.0.1:{proxy.port}"
    with neuralcore.connect(url) as client, MessageBus(client=client) as bus:
        bus.subscribe("work", take)
        for i in range(5):
            bus.publish("work", i)
            # What is on its way when a connection breaks is lost; so it is published again.
            for _ in range(100):
                with came:
                    if came.wait_for(lambda: i in heard, PATIENCE / 100):  # noqa: B023
                        break
                bus.publish("work", i)
            assert i in heard
            proxy.cut()
