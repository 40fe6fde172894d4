"""`bench rtt`: how long a request takes from Python to the daemon and back.

Contenders take turns, round by round, on one machine in one run: a bare Vert.x socket echo (the
floor), the stock Vert.x TCP bridge, and the daemon with JSON and with binary frames. All of these
are driven by the same blocking client (blocking.py), one request at a time, so that they differ by
the server alone; `neuralcore.Client` is what a program sees. Every answer is compared with what
was sent.
"""

from __future__ import annotations

import base64
import gc
import json
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

import neuralcore
from blocking import ANSWER_KIND, ECHO, Socket, authenticate, call_frame, framed, json_frame
from daemon import Daemon, Peers, running_daemon, running_peers
from report import Figure, percentile, save, show

TEXT = "x" * 100
ROWS, COLUMNS = 1000, 384
PEER_ADDRESS = "test.echo"
Array = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Contender:
    """One way there and back. `exchange` makes one round trip and raises if the answer is wrong."""

    name: str
    exchange: Callable[[], None]
    target: str = ""


def same(connection: Socket, request: bytes, wanted: bytes | None) -> Callable[[], None]:
    """Sends the same frame each time; the answer must be `wanted`, else like the first."""
    expected = wanted

    def exchange() -> None:
        connection.send(request)
        answer = connection.frame()
        if expected is not None and answer != expected:
            raise AssertionError(f"sent {request[:80]!r}, got {bytes(answer[:80])!r}")

    if wanted is None:
        connection.send(request)
        first = bytes(connection.frame())
        if TEXT.encode() not in first or b'"err"' in first:
            raise AssertionError(f"not an echo: {first[:200]!r}")
        expected = first
    return exchange


def small_contenders(stack: ExitStack, daemon: Daemon, peers: Peers) -> list[Contender]:
    """100 bytes there and back."""

    def peer(where: str | tuple[str, int]) -> Socket:
        return stack.enter_context(Socket(where))

    def ours(where: str | tuple[str, int]) -> Socket:
        connection = stack.enter_context(Socket(where))
        token = None if isinstance(where, str) else daemon.ready["token_file"]
        authenticate(connection, token)
        return connection

    unix, tcp = daemon.ready["socket"], (daemon.ready["host"], daemon.ready["port"])
    bare = framed(TEXT.encode())
    stock = json_frame(
        type="send", address=PEER_ADDRESS, replyAddress="r", body={"text": TEXT}, headers={}
    )
    text = json_frame(type="send", address=ECHO, replyAddress="r", body={"text": TEXT}, headers={})
    binary = call_frame(7, json.dumps({"text": TEXT}).encode())
    target = "<= 50 us (p50)"
    contenders = [
        Contender("bare Vert.x echo, unix", same(peer(peers.unix), bare, TEXT.encode())),
        Contender("bare Vert.x echo, TCP", same(peer(peers.tcp), bare, TEXT.encode())),
        Contender("stock bridge JSON, TCP", same(peer(peers.stock), stock, None), "80-127 us seen"),
        Contender("daemon JSON, unix", same(ours(unix), text, None), target),
        Contender("daemon JSON, TCP", same(ours(tcp), text, None), target),
        Contender("daemon binary, unix", same(ours(unix), binary, None), target),
        Contender("daemon binary, TCP", same(ours(tcp), binary, None), target),
    ]
    for label, url in client_urls(daemon):
        client = stack.enter_context(neuralcore.connect(url))
        contenders.append(Contender(f"neuralcore.Client, {label}", client_echo(client), target))
    return contenders


def client_urls(daemon: Daemon) -> list[tuple[str, str]]:
    ready = daemon.ready
    return [
        ("unix", f"unix:{ready['socket']}"),
        ("TCP", f"tcp://{ready['host']}:{ready['port']}?token_file={ready['token_file']}"),
    ]


def client_echo(client: neuralcore.Client) -> Callable[[], None]:
    parameters = {"text": TEXT}

    def exchange() -> None:
        answer, _ = client.call(ECHO, parameters)
        if answer != parameters:
            raise AssertionError("the echo differs")

    return exchange


def large_contenders(stack: ExitStack, daemon: Daemon, peers: Peers) -> list[Contender]:
    """1.5 MB of float32 as an array there, as an array back."""
    array = np.random.default_rng(1).standard_normal((ROWS, COLUMNS)).astype(np.float32)

    def check(answer: Array) -> None:
        if not np.array_equal(answer, array):
            raise AssertionError("the array that came back differs")

    def bare(where: str | tuple[str, int]) -> Callable[[], None]:
        connection = stack.enter_context(Socket(where))

        def exchange() -> None:
            connection.send(framed(array.tobytes()))
            check(np.frombuffer(connection.frame(), np.float32).reshape(ROWS, COLUMNS))

        return exchange

    def stock() -> Callable[[], None]:
        connection = stack.enter_context(Socket(peers.stock))

        def exchange() -> None:
            body = {"array": base64.b64encode(array.tobytes()).decode()}
            connection.send(
                json_frame(type="send", address=PEER_ADDRESS, replyAddress="r", body=body)
            )
            answer = json.loads(connection.frame())["body"]["array"]
            check(np.frombuffer(base64.b64decode(answer), np.float32).reshape(ROWS, COLUMNS))

        return exchange

    def ours(where: str | tuple[str, int]) -> Callable[[], None]:
        connection = stack.enter_context(Socket(where))
        authenticate(connection, None if isinstance(where, str) else daemon.ready["token_file"])

        def exchange() -> None:
            connection.send(call_frame(9, b"{}", array.tobytes(), ROWS))
            answer = connection.frame()
            if answer[0] != ANSWER_KIND:
                raise AssertionError(f"not an answer: {bytes(answer[:200])!r}")
            # One attachment is the frame's end.
            check(np.frombuffer(answer[-array.nbytes :], np.float32).reshape(ROWS, COLUMNS))

        return exchange

    def client(url: str) -> Callable[[], None]:
        connected = stack.enter_context(neuralcore.connect(url))

        def exchange() -> None:
            _, (answer,) = connected.call(ECHO, {}, [array])
            check(answer)

        return exchange

    unix, tcp = daemon.ready["socket"], (daemon.ready["host"], daemon.ready["port"])
    target = "<= 3 ms (p50)"
    return [
        Contender("bare Vert.x echo, unix", bare(peers.unix)),
        Contender("bare Vert.x echo, TCP", bare(peers.tcp)),
        Contender("stock bridge base64 in JSON, TCP", stock(), "26-57 ms seen"),
        Contender("daemon binary, unix", ours(unix), target),
        Contender("daemon binary, TCP", ours(tcp), target),
        *(
            Contender(f"neuralcore.Client, {label}", client(url), target)
            for label, url in client_urls(daemon)
        ),
    ]


def measure(
    contenders: list[Contender], unit: str, scale: float, rounds: int, requests: int, warm: int
) -> list[Figure]:
    """p50 and p99 of each contender: the median over the rounds, and the spread."""
    middles: dict[str, list[float]] = {contender.name: [] for contender in contenders}
    tails: dict[str, list[float]] = {contender.name: [] for contender in contenders}
    clock = time.perf_counter_ns
    for contender in contenders:
        for _ in range(warm):
            contender.exchange()
    for turn in range(rounds):
        # Each round begins with another contender, so that none always comes first.
        for contender in (
            contenders[turn % len(contenders) :] + contenders[: turn % len(contenders)]
        ):
            exchange = contender.exchange
            for _ in range(warm // 10):
                exchange()
            times = []
            with no_collection():
                for _ in range(requests):
                    began = clock()
                    exchange()
                    times.append(clock() - began)
            times.sort()
            middles[contender.name].append(percentile(times, 0.50) * scale)
            tails[contender.name].append(percentile(times, 0.99) * scale)
    figures = []
    for contender in contenders:
        figures.append(
            Figure.of(f"{contender.name}, p50", unit, middles[contender.name], contender.target)
        )
        figures.append(Figure.of(f"{contender.name}, p99", unit, tails[contender.name]))
    return figures + ratios(middles)


def ratios(middles: dict[str, list[float]]) -> list[Figure]:
    """What each contender took, in bare echoes over the same kind of socket in the same round."""
    figures = []
    for name, values in middles.items():
        floor = middles["bare Vert.x echo, " + name.rpartition(", ")[2]]
        if values is not floor:
            times = [own / bare for own, bare in zip(values, floor, strict=True)]
            figures.append(Figure.of(f"{name}, p50 to the bare echo's", "x", times))
    return figures


@contextmanager
def no_collection() -> Iterator[None]:
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def run(rounds: int, requests: int, warm: int = 3000) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="nc-") as folder, ExitStack() as stack:
        daemon = stack.enter_context(running_daemon(Path(folder) / "data"))
        peers = stack.enter_context(running_peers(Path(folder)))
        daemon.wait_for_model()
        with ExitStack() as connections:
            small = small_contenders(connections, daemon, peers)
            small_figures = measure(small, "us", 1e-3, rounds, requests, warm)
        show(
            f"100 bytes there and back, {requests} requests a round, {rounds} rounds", small_figures
        )
        with ExitStack() as connections:
            large = large_contenders(connections, daemon, peers)
            large_requests = max(5, requests // 100)
            large_figures = measure(large, "ms", 1e-6, rounds, large_requests, max(10, warm // 60))
        show(
            f"1.5 MB of float32 there and back, {large_requests} a round, {rounds} rounds",
            large_figures,
        )
    figures = [
        *(Figure(**{**vars(f), "name": f"100 B: {f.name}"}) for f in small_figures),
        *(Figure(**{**vars(f), "name": f"1.5 MB: {f.name}"}) for f in large_figures),
    ]
    path = save("rtt", figures, {"rounds": rounds, "requests_a_round": requests})
    return {"path": path, "figures": figures}
