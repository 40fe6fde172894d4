"""Where a daemon is, and a socket to it that has been let in."""

from __future__ import annotations

import contextlib
import os
import socket
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from neuralcore import _discovery, _wire
from neuralcore._version import PROTOCOL, __version__
from neuralcore.errors import (
    ConnectError,
    InvalidRequest,
    NeuralCoreError,
    ProtocolError,
    VersionMismatch,
    error_for,
)

_LENGTH = struct.Struct(">i")


_SEND_BUFFER = 1 << 20


class ServerInfo(NamedTuple):
    """What the daemon says of itself when it lets a client in."""

    version: str
    protocol: int
    connection: str
    text_frame: int
    binary_frame: int
    subscriptions: int
    calls: int
    features: tuple[str, ...]

    @classmethod
    def of(cls, answer: Mapping[str, Any]) -> ServerInfo:
        limits = answer.get("limits") or {}
        return cls(
            version=str(answer.get("version", "")),
            protocol=int(answer.get("protocol", 0)),
            connection=str(answer.get("connection", "")),
            text_frame=int(limits.get("text_frame", _wire.MAX_TEXT)),
            binary_frame=int(limits.get("binary_frame", _wire.MAX_BINARY)),
            subscriptions=int(limits.get("subscriptions", 1000)),
            calls=int(limits.get("calls", 1024)),
            features=tuple(answer.get("features") or ()),
        )


class Endpoint(NamedTuple):
    """A unix socket (``path``), or ``host`` and ``port`` with a token.

    ``token_file`` is read at each connect, so that a daemon which was restarted with a new token
    is found again.
    """

    path: str = ""
    host: str = ""
    port: int = 0
    token: str = ""
    token_file: str = ""

    @classmethod
    def parse(cls, url: str) -> Endpoint:
        """The endpoint of ``unix:/path`` or ``tcp://host:port?token=…`` (or ``?token_file=…``).

        Without either, a TCP endpoint takes the token from ``NEURALCORE_TOKEN``.

        Raises:
            InvalidRequest: it is neither.
        """
        parts = _discovery.parse_url(url)
        if parts is not None:
            path, host, port, text = parts
            if path:
                return cls(path=path)
            # Loaded here because the usual daemon has a unix socket.
            from urllib.parse import parse_qs

            query = parse_qs(text)
            token = query.get("token", [""])[0]
            token_file = query.get("token_file", [""])[0]
            if not token and not token_file:
                token = os.environ.get("NEURALCORE_TOKEN", "")
            return cls(host=host, port=port, token=token, token_file=token_file)
        shown = url.partition("?")[0]
        raise InvalidRequest(
            f"{shown!r} is not the address of a daemon.",
            hint="Use unix:/path/to/daemon.sock or tcp://host:port?token=…",
        )

    @property
    def url(self) -> str:
        """The URL, without the token."""
        if self.path:
            return f"unix:{self.path}"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"tcp://{host}:{self.port}"

    def __repr__(self) -> str:
        return f"<Endpoint {self.url}>"

    def open(
        self, timeout: float, *, greet: bool, client_id: str = ""
    ) -> tuple[socket.socket, ServerInfo | None]:
        """A blocking socket without a timeout, authenticated where that is needed.

        Args:
            timeout: seconds for the whole of it.
            greet: send the auth frame over a unix socket too, to learn the daemon's limits.
            client_id: what the daemon shall know this connection's client by.

        Raises:
            ConnectError: nobody there, or no answer. VersionMismatch, AccessDenied: refused.
        """
        sock: socket.socket | None = None
        try:
            sock = self._connect(timeout)
            info = None
            if greet or not self.path:
                info = _greet(sock, self._token(), self.url, client_id)
            sock.settimeout(None)
            opened, sock = sock, None
            return opened, info
        except OSError as e:
            if isinstance(e, NeuralCoreError):
                raise
            raise ConnectError(
                f"No daemon answers at {self.url}: {e}.",
                hint="Start one with `neuralcore serve`, or leave out the URL to have one started.",
            ) from e
        finally:
            if sock is not None:
                sock.close()

    def _connect(self, timeout: float) -> socket.socket:
        if not self.path:
            sock = socket.create_connection((self.host, self.port), timeout)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return sock
        if not hasattr(socket, "AF_UNIX"):
            raise OSError("this system's Python has no unix sockets; use tcp://…")
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        with contextlib.suppress(OSError):
            # So that a batch of messages goes out in one write; the system grants what it allows.
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER)
        try:
            sock.settimeout(timeout)
            sock.connect(self.path)
        except BaseException:
            sock.close()
            raise
        return sock

    def _token(self) -> str:
        if self.path:
            return ""
        if self.token_file:
            return Path(self.token_file).read_text(encoding="utf-8").strip()
        return self.token


def _greet(sock: socket.socket, token: str, url: str, client_id: str) -> ServerInfo:
    hello: dict[str, Any] = {
        "type": "auth",
        "client": f"neuralcore-python/{__version__}",
        "protocol": PROTOCOL,
    }
    if client_id:
        hello["client_id"] = client_id
    if token:
        hello["token"] = token
    sock.sendall(_wire.encode_text(hello))
    (length,) = _LENGTH.unpack(_receive(sock, 4))
    _wire.check_length(length, _wire.MAX_TEXT)
    frame = _wire.decode(_receive(sock, length))
    answer = frame.json if isinstance(frame, _wire.Text) else {}
    if answer.get("type") == "auth" and answer.get("ok"):
        info = ServerInfo.of(answer)
        if info.protocol != PROTOCOL:
            raise VersionMismatch(
                f"The daemon at {url} ({info.version}) speaks protocol {info.protocol}, this"
                f" client ({__version__}) speaks {PROTOCOL}.",
                hint="Install the same version of both.",
            )
        return info
    if answer.get("type") == "err" or isinstance(frame, _wire.Failure):
        error = frame.error if isinstance(frame, _wire.Failure) else answer
        code = error.get("code") or error.get("failureCode") or "UNAUTHENTICATED"
        raise error_for(code, f"{url} refused: {error.get('message', 'no reason given')}")
    raise ProtocolError(f"What answers at {url} is not a neuralcore daemon.")


def _receive(sock: socket.socket, count: int) -> bytes:
    data = bytearray()
    while len(data) < count:
        chunk = sock.recv(count - len(data))
        if not chunk:
            raise ConnectionError("the connection was closed before the answer")
        data += chunk
    return bytes(data)
