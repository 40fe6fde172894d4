"""Calls and messages through a real daemon."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

import neuralcore
from neuralcore import _wire
from neuralcore._connection import Connection
from neuralcore._endpoint import Endpoint
from neuralcore.aio import AsyncClient, connect_async
from neuralcore.client import Client, connect
from neuralcore.errors import (
    AccessDenied,
    InvalidRequest,
    NotFound,
    Unavailable,
)
from neuralcore.testing import RunningDaemon

from eventually import eventually

HERE = Path(__file__).parent

ECHO = "neuralcore.system.echo"


def subscribe(connection: Connection, channel: str, got: list[_wire.Delivered]) -> None:
    subscription = connection.next_id()
    connection.on_deliver(subscription, got.extend)
    where = {"namespace": "transport", "channel": channel}
    connection.call_async("neuralcore.messaging.create", {**where, "max_queue_size": 0}).result(30)
    params = {**where, "subscription": subscription, "credit": 10_000}
    connection.call_async("neuralcore.messaging.subscribe", params).result(30)


def publish(connection: Connection, channel: str, *payloads: bytes) -> None:
    messages = [
        (channel, connection.next_id(), time.time_ns(), 5, 0, 3, payload, 0, b"")
        for payload in payloads
    ]
    batch = connection.next_id()
    connection.send(_wire.encode_publish(batch, False, "transport", connection.publisher, messages))


def test_the_daemon_says_what_it_is(client: Client, neuralcore_daemon: RunningDaemon) -> None:
    info = client.info()
    assert info["pid"] == neuralcore_daemon.daemon.pid
    assert info["version"] == neuralcore.__version__
    assert client.connection.server is not None
    assert client.connection.server.binary_frame == 16 << 20


@pytest.mark.parametrize("dtype", [np.float32, np.int8, np.int32, np.int64])
def test_arrays_come_back(client: Client, dtype: type) -> None:
    for shape in [(0,), (1,), (7,), (0, 384), (3, 5), (1000, 384)]:
        array = np.arange(np.prod(shape), dtype=dtype).reshape(shape)
        result, (back, texts, raw) = client.call(ECHO, {"n": 1}, [array, ["a", "🙂"], b"raw"])
        assert result == {"n": 1}
        assert back.dtype == dtype
        np.testing.assert_array_equal(back, array)
        assert (texts, raw) == (["a", "🙂"], b"raw")


def test_the_largest_frame_and_one_byte_more(client: Client) -> None:
    limit = client.binary_frame_limit
    overhead = _wire.size_of(_wire.encode_call(1, ECHO, None, [b""], 0)) - 4
    # The answer has no address, so it is smaller.
    data = bytes(limit - overhead)
    assert client.call(ECHO, None, [data])[1] == [data]
    with pytest.raises(InvalidRequest, match="limit of 16,777,216"):
        client.call(ECHO, None, [data + b"x"])


def test_over_tcp_with_the_token(neuralcore_daemon: RunningDaemon) -> None:
    ready = neuralcore_daemon.daemon.ready
    token = Path(ready.token_file).read_text(encoding="utf-8").strip()
    address = f"tcp://{ready.host}:{ready.port}"
    for url in (f"{address}?token={token}", f"{address}?token_file={ready.token_file}"):
        with connect(url) as client:
            array = np.arange(400_000, dtype=np.float32)
            np.testing.assert_array_equal(client.call(ECHO, None, [array])[1][0], array)
    with pytest.raises(AccessDenied):
        connect(f"{address}?token=wrong")


def test_errors_have_their_class(client: Client) -> None:
    with pytest.raises(Unavailable):
        client.call("neuralcore.system.no_such_service")
    with pytest.raises(NotFound, match="nothing_here"):
        client.collection("nothing_here").delete(["a"])
    with pytest.raises(AccessDenied):
        client.call("neuralcore.internal.bus.publish")


def test_messages_arrive_in_order_whatever_else_goes_on(client: Client) -> None:
    got: list[_wire.Delivered] = []
    subscribe(client.connection, "in-order", got)
    bulk = [client.connection.call_async(ECHO, None, [bytes(5_000_000)]) for _ in range(4)]
    for start in range(0, 5000, 50):
        publish(client.connection, "in-order", *(b"%d" % i for i in range(start, start + 50)))
    eventually(lambda: len(got) == 5000)
    assert [int(d.payload) for d in got] == list(range(5000))
    assert [d.channel_sequence for d in got] == list(range(1, 5001))
    assert all(len(f.result(30)[1][0]) == 5_000_000 for f in bulk)


def test_thread_storm(client: Client) -> None:
    failures: list[BaseException] = []

    def work(number: int) -> None:
        try:
            for i in range(40):
                array = np.full((number + 1, 97), i, np.float32)
                result, (back,) = client.call(ECHO, {"n": number, "i": i}, [array])
                assert result == {"n": number, "i": i}
                np.testing.assert_array_equal(back, array)
                future = client.connection.call_async(ECHO, {"i": i}, [array])
                np.testing.assert_array_equal(future.result(30)[1][0], array)
        except BaseException as e:
            failures.append(e)

    threads = [threading.Thread(target=work, args=[n]) for n in range(64)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert not failures


async def test_thousands_of_calls_at_once(neuralcore_daemon: RunningDaemon) -> None:
    async with await connect_async(neuralcore_daemon.url) as client:
        results = await asyncio.gather(*(client.call(ECHO, {"i": i}) for i in range(5000)))
        assert [result["i"] for result, _ in results] == list(range(5000))


def test_one_client_for_several_event_loops(neuralcore_daemon: RunningDaemon) -> None:
    connection = Connection(Endpoint.parse(neuralcore_daemon.url))
    shared = AsyncClient(connection)

    async def use(number: int) -> list[int]:
        answers = await asyncio.gather(*(shared.call(ECHO, {"n": number}) for _ in range(50)))
        return [result["n"] for result, _ in answers]

    got: dict[int, list[int]] = {}
    threads = [
        threading.Thread(target=lambda n=n: got.update({n: asyncio.run(use(n))})) for n in range(5)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert got == {n: [n] * 50 for n in range(5)}
    connection.close()


async def test_cancellation_leaves_the_client_usable(neuralcore_daemon: RunningDaemon) -> None:
    async with await connect_async(neuralcore_daemon.url) as client:
        for size in (0, 3_000_000):
            tasks = [asyncio.create_task(client.call(ECHO, None, [bytes(size)])) for _ in range(20)]
            await asyncio.sleep(0)
            for task in tasks:
                task.cancel()
            outcomes = await asyncio.gather(*tasks, return_exceptions=True)
            assert any(isinstance(o, asyncio.CancelledError) for o in outcomes)
            assert (await client.call(ECHO, {"size": size}))[0] == {"size": size}


def test_ctrl_c_while_a_child_waits_for_an_answer(neuralcore_daemon: RunningDaemon) -> None:
    code = f"""
import numpy as np, neuralcore.client
client = neuralcore.client.connect({neuralcore_daemon.url!r})
array = np.zeros(2_000_000, np.float32)
print("ready", flush=True)
try:
    while True:
        client.call({ECHO!r}, None, [array])
except KeyboardInterrupt:
    print(client.call({ECHO!r}, {{"a": 1}})[0], flush=True)
"""
    child = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    assert child.stdout.readline() == "ready\n"
    time.sleep(0.2)
    child.send_signal(signal.SIGINT)
    out, _ = child.communicate(timeout=60)
    assert out == "{'a': 1}\n"
    assert child.returncode == 0


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
def test_forked_children(client: Client) -> None:
    got: list[_wire.Delivered] = []
    subscribe(client.connection, "from-children", got)
    children = []
    for number in range(4):
        child = os.fork()
        if not child:
            status = 1
            try:
                assert client.call(ECHO, {"n": number})[0] == {"n": number}
                publish(client.connection, "from-children", b"%d" % number)
                client.connection.flush(30)
                status = 0
            finally:
                os._exit(status)
        children.append(child)
    assert [os.waitpid(child, 0)[1] for child in children] == [0] * 4
    eventually(lambda: len(got) == 4)
    assert sorted(d.payload for d in got) == [b"0", b"1", b"2", b"3"]
    assert len({d.publisher for d in got} | {client.connection.publisher}) == 5
    assert client.call(ECHO, {"parent": 1})[0] == {"parent": 1}


def test_what_is_published_before_the_process_ends_arrives(
    client: Client, neuralcore_daemon: RunningDaemon
) -> None:
    got: list[_wire.Delivered] = []
    subscribe(client.connection, "at-exit", got)
    code = f"""
import sys; sys.path[:0] = {[str(HERE), str(HERE.parent)]!r}
import neuralcore.client
from test_transport import publish
client = neuralcore.client.connect({neuralcore_daemon.url!r})
for i in range(1000):
    publish(client.connection, "at-exit", bytes(1000) + b"%d" % i)
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
    eventually(lambda: len(got) == 1000)


def test_the_default_client_is_one_for_all_threads(
    neuralcore_daemon: RunningDaemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    from neuralcore import _default

    monkeypatch.setenv("NEURALCORE_URL", neuralcore_daemon.url)
    assert _default.current_client() is None
    clients: list[Client] = []
    threads = [
        threading.Thread(target=lambda: clients.append(_default.default_client()))
        for _ in range(16)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(set(map(id, clients))) == 1
    assert _default.current_client() is clients[0]
    clients[0].close()
    assert _default.current_client() is None
    _default.set_default_client(None)
