"""A daemon in miniature, for what a real one cannot be made to do at the right moment: it falls
silent, breaks connections, sends rubbish, reads slowly.

It speaks the protocol with the client's own codec (which the golden files hold to the daemon's).
Addresses: ``neuralcore.system.echo``; ``test.silent`` never answers; ``test.fail`` answers with
``params`` as the failure; ``test.break`` closes the connection; ``test.rubbish`` answers with
bytes that are no frame. What is published to a channel is delivered to its subscribers.
"""

from __future__ import annotations

import asyncio
import tempfile
import threading
from pathlib import Path
from types import TracebackType
from typing import Any

from neuralcore import _wire

INFO = {
    "type": "auth",
    "ok": True,
    "version": "0.1.0",
    "protocol": 1,
    "connection": "c-1",
    "limits": {
        "text_frame": 1 << 20,
        "binary_frame": 16 << 20,
        "subscriptions": 1000,
        "calls": 1024,
    },
    "features": ["bus", "vectors", "embedding"],
}


class EchoServer:
    """Serves in a thread of its own from ``start`` to ``stop``; can be started again."""

    def __init__(self, *, tcp_token: str | None = None, **answer: Any) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="nc-")
        self._token = tcp_token
        self._port = 0
        self._answer = {**INFO, **answer}
        self._connections: set[_Connection] = set()
        self.accepted = 0
        self.calls: list[_wire.Call] = []
        self.published: list[_wire.Publish] = []
        self.pings = 0
        self.reading = threading.Event()
        self.reading.set()

    @property
    def path(self) -> str:
        return str(Path(self._folder.name) / "daemon.sock")

    @property
    def url(self) -> str:
        if self._token is not None:
            return f"tcp://127.0.0.1:{self._port}?token={self._token}"
        return f"unix:{self.path}"

    def start(self) -> EchoServer:
        self._loop = asyncio.new_event_loop()
        ready = threading.Event()
        self._thread = threading.Thread(target=self._serve, args=(ready,), daemon=True)
        self._thread.start()
        assert ready.wait(10)
        return self

    def stop(self) -> None:
        if self._loop.is_closed():
            return
        self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join(10)
        Path(self.path).unlink(missing_ok=True)

    def break_connections(self) -> None:
        for connection in list(self._connections):
            self._loop.call_soon_threadsafe(connection.transport.abort)

    def send_to_all(self, data: bytes) -> None:
        for connection in list(self._connections):
            self._loop.call_soon_threadsafe(connection.transport.write, data)

    def __enter__(self) -> EchoServer:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, e: BaseException | None, at: TracebackType | None
    ) -> None:
        self.stop()
        self._folder.cleanup()

    def _serve(self, ready: threading.Event) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._main(ready))
        self._loop.close()

    async def _main(self, ready: threading.Event) -> None:
        self._stopping = asyncio.Event()
        make = lambda: _Connection(self)  # noqa: E731
        if self._token is None:
            server = await self._loop.create_unix_server(make, self.path)
        else:
            server = await self._loop.create_server(make, "127.0.0.1", self._port)
            self._port = server.sockets[0].getsockname()[1]
        ready.set()
        await self._stopping.wait()
        # Closing the server within the ticks that it takes to accept a connection leaks that one.
        for listener in server.sockets:
            self._loop.remove_reader(listener.fileno())
        for _ in range(10):
            for connection in list(self._connections):
                connection.transport.abort()
            await asyncio.sleep(0)
        server.close()


class _Connection(asyncio.Protocol):
    def __init__(self, server: EchoServer) -> None:
        self._server = server
        self._reader = _wire.FrameReader()
        self._authenticated = server._token is None
        self._subscriptions: dict[int, str] = {}
        self._numbers: dict[str, int] = {}

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self._server.accepted += 1
        self._server._connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._server._connections.discard(self)

    def data_received(self, data: bytes) -> None:
        self._server.reading.wait()
        for payload in self._reader.feed(data):
            self._frame(_wire.decode(payload))

    def _frame(self, frame: _wire.Frame) -> None:
        if isinstance(frame, _wire.Text):
            self._text(frame.json)
        elif isinstance(frame, _wire.Call):
            self._server.calls.append(frame)
            self._call(frame)
        elif isinstance(frame, _wire.Publish):
            self._server.published.append(frame)
            if frame.confirm:
                self.transport.write(_wire.encode_published(frame.batch, len(frame.messages)))
            for connection in self._server._connections:
                connection._deliver(frame)

    def _text(self, frame: dict[str, Any]) -> None:
        if frame["type"] == "ping":
            self._server.pings += 1
            self.transport.write(_wire.encode_text({"type": "pong"}))
        elif frame["type"] == "auth":
            if self._server._token not in (None, frame.get("token")):
                refusal = {"type": "err", "message": "wrong token", "code": "UNAUTHENTICATED"}
                self.transport.write(_wire.encode_text(refusal))
                self.transport.close()
                return
            self._authenticated = True
            self.transport.write(_wire.encode_text(self._server._answer))

    def _call(self, call: _wire.Call) -> None:
        write = self.transport.write
        if not self._authenticated or call.address == "test.break":
            self.transport.abort()
        elif call.address == "test.fail":
            write(b"".join(_wire.encode_failure(call.correlation, call.params)))
        elif call.address == "test.rubbish":
            write(b"\x00\x00\x00\x03\x7f\x7f\x7f")
        elif call.address == "neuralcore.messaging.subscribe":
            self._subscriptions[call.params["subscription"]] = call.params["channel"]
            write(b"".join(_wire.encode_answer(call.correlation, {})))
        elif call.address != "test.silent":
            write(b"".join(_wire.encode_answer(call.correlation, call.params, call.tensors)))

    def _deliver(self, publish: _wire.Publish) -> None:
        deliveries = []
        for message in publish.messages:
            for subscription, channel in self._subscriptions.items():
                if channel == message.channel:
                    number = self._numbers[channel] = self._numbers.get(channel, 0) + 1
                    deliveries.append(
                        _wire.Delivered(
                            subscription,
                            1,
                            publish.publisher,
                            message.sequence,
                            number,
                            *message[2:5],
                            channel,
                            *message[5:],
                        )
                    )
        if deliveries:
            self.transport.write(_wire.encode_deliver(deliveries))
