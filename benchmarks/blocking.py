"""One blocking socket, for all contenders alike: what differs between them is the server alone."""

from __future__ import annotations

import json
import socket
import struct
from pathlib import Path
from types import TracebackType
from typing import Any

LENGTH = struct.Struct(">I")
CALL = struct.Struct("<BBHIHHIII")
ATTACHMENT = struct.Struct("<B3xIII")
CALL_KIND, ANSWER_KIND = 1, 2
FLOAT32 = 1
ECHO = "neuralcore.system.echo"


class Socket:
    """A connected stream socket that sends whole frames and reads whole frames."""

    def __init__(self, where: str | tuple[str, int]) -> None:
        if isinstance(where, str):
            self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        else:
            self._socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket.settimeout(30)
        self._socket.connect(where)

    def __enter__(self) -> Socket:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._socket.close()

    def send(self, data: bytes) -> None:
        self._socket.sendall(data)

    def read(self, size: int) -> bytearray:
        """Exactly `size` bytes."""
        data = bytearray(size)
        view = memoryview(data)
        at = 0
        while at < size:
            count = self._socket.recv_into(view[at:])
            if count == 0:
                raise ConnectionError(f"closed after {at} of {size} bytes")
            at += count
        return data

    def frame(self) -> bytearray:
        """The next frame, without its length word."""
        # Most frames arrive whole, so most take two reads: the length, the rest.
        (size,) = LENGTH.unpack(self.read(LENGTH.size))
        return self.read(size)


def framed(data: bytes) -> bytes:
    return LENGTH.pack(len(data)) + data


def json_frame(**fields: Any) -> bytes:
    return framed(json.dumps(fields, separators=(",", ":")).encode())


def call_frame(
    correlation: int, parameters: bytes, attachment: bytes = b"", rows: int = 0
) -> bytes:
    """A call of the echo service, by docs/protocol.md; the attachment is rows × n float32."""
    address = ECHO.encode()
    head = CALL.pack(
        CALL_KIND, 0, 0, correlation, len(address), 1 if attachment else 0, len(parameters), 0, 0
    )
    body = head + address + parameters
    if attachment:
        columns = len(attachment) // 4 // rows
        body += bytes(-len(body) % 8)
        body += ATTACHMENT.pack(FLOAT32, rows, columns, len(attachment))
        return LENGTH.pack(len(body) + len(attachment)) + body + attachment
    return framed(body)


def authenticate(connection: Socket, token_file: str | None) -> None:
    """Greets the daemon; over TCP with the token."""
    fields: dict[str, Any] = {"type": "auth", "client": "benchmark", "protocol": 1}
    if token_file is not None:
        fields["token"] = Path(token_file).read_text().strip()
    connection.send(json_frame(**fields))
    answer = json.loads(connection.frame())
    if not answer.get("ok"):
        raise PermissionError(f"the daemon refused: {answer}")
