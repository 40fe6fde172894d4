"""The transport against a server that misbehaves on demand; tests/daemon has the real one."""

from __future__ import annotations

import _thread
import asyncio
import contextlib
import logging
import os
import selectors
import signal
import threading
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from neuralcore import _wire
from neuralcore._connection import Connection
from neuralcore._endpoint import Endpoint
from neuralcore.errors import (
    AccessDenied,
    ConnectError,
    ConnectionLost,
    InvalidRequest,
    LimitExceeded,
    NotFound,
    ProtocolError,
    QueueFull,
    RequestTimeout,
    VersionMismatch,
)

from echo_server import EchoServer
from eventually import eventually

ECHO = "neuralcore.system.echo"


def repeat(times: int, function: Callable[..., object], *args: object) -> None:
    for _ in range(times):
        function(*args)


def publish(connection: Connection, channel: str, *payloads: bytes, confirm: bool = False) -> int:
    batch = connection.next_id()
    messages = [
        (channel, n, time.time_ns(), 5, 0, 3, payload, 0, b"")
        for n, payload in enumerate(payloads, 1)
    ]
    connection.send(_wire.encode_publish(batch, confirm, "test", connection.publisher, messages))
    return batch


def subscribe(connection: Connection, channel: str, callback: Any) -> int:
    subscription = connection.next_id()
    connection.on_deliver(subscription, callback)
    connection.call_async(
        "neuralcore.messaging.subscribe",
        {"namespace": "test", "channel": channel, "subscription": subscription, "credit": 100},
    ).result(20)
    return subscription


# Calls


def test_blocking_calls_return_what_was_sent(connection: Connection) -> None:
    array = np.arange(1000 * 384, dtype=np.float32).reshape(1000, 384)
    result, tensors = connection.call(ECHO, {"a": [1, None]}, [array, ["x", "é"], b"raw"])
    assert result == {"a": [1, None]}
    np.testing.assert_array_equal(tensors[0], array)
    assert tensors[0].flags.writeable
    assert tensors[1:] == [["x", "é"], b"raw"]
    assert connection.call(ECHO) == ({}, [])


@pytest.mark.parametrize("size", [1, 65_000, 65_508, 65_509, 65_600, 1_000_000])
def test_answers_around_the_size_of_the_buffer(connection: Connection, size: int) -> None:
    data = os.urandom(size)
    assert connection.call(ECHO, tensors=[data])[1] == [data]
    assert connection.call_async(ECHO, tensors=[data]).result(20)[1] == [data]


def test_more_attachments_than_one_system_call_takes(connection: Connection) -> None:
    attached = [b"%d" % i for i in range(3000)]
    assert connection.call(ECHO, tensors=attached)[1] == attached


def test_futures(connection: Connection) -> None:
    futures = [connection.call_async(ECHO, {"i": i}) for i in range(3000)]
    assert [f.result(20)[0]["i"] for f in futures] == list(range(3000))


def test_the_arrays_of_a_future_call_are_copied(server: EchoServer) -> None:
    connection = Connection(Endpoint.parse(server.url))
    server.reading.clear()
    array = np.zeros(2_000_000, np.float32)
    future = connection.call_async(ECHO, tensors=[array])
    array[:] = 1
    server.reading.set()
    assert not future.result(20)[1][0].any()
    connection.close()


def test_failures_become_the_error_of_their_code(connection: Connection) -> None:
    error = {"code": "NOT_FOUND", "message": "Collection 'x' is not there.", "extra": 1}
    for call in (connection.call, lambda *a: connection.call_async(*a).result(20)):
        with pytest.raises(NotFound, match="'x' is not there") as caught:
            call("test.fail", error)
        assert caught.value.details == {"extra": 1}
    assert connection.call(ECHO, {"still": "works"})[0] == {"still": "works"}


def test_a_blocking_call_ends_at_its_deadline_and_the_next_one_works(
    connection: Connection,
) -> None:
    with pytest.raises(TimeoutError):
        connection.call("test.silent", timeout=0.05)
    assert connection.call(ECHO, {"a": 1})[0] == {"a": 1}


def test_a_future_ends_at_its_deadline(connection: Connection) -> None:
    slow = connection.call_async("test.silent", timeout=20)
    with pytest.raises(RequestTimeout):
        connection.call_async("test.silent", timeout=0.05).result(20)
    assert not slow.done()
    slow.cancel()


@pytest.mark.parametrize("timeout", [0, -1, float("nan"), True, "1"])
def test_a_timeout_must_be_a_positive_number(connection: Connection, timeout: Any) -> None:
    with pytest.raises(InvalidRequest, match="timeout"):
        connection.call(ECHO, timeout=timeout)


def test_the_deadline_travels_with_the_call(server: EchoServer, connection: Connection) -> None:
    connection.call(ECHO, timeout=1.5)
    connection.call(ECHO)
    connection.call(ECHO, timeout=float("inf"))
    assert [call.timeout_ms for call in server.calls] == [1500, 30_000, 2**31 - 1]


def test_a_call_that_is_too_large_says_so_before_it_is_sent(
    server: EchoServer, connection: Connection
) -> None:
    for call in (connection.call, connection.call_async):
        with pytest.raises(InvalidRequest, match=r"20,000,\d+ bytes.*16,777,216") as caught:
            call(ECHO, tensors=[bytes(20_000_000)])
        assert caught.value.code == "FRAME_TOO_LARGE"
    assert not server.calls


@pytest.mark.parametrize("address", ["test.break", "test.rubbish"])
def test_a_broken_connection_fails_the_call_and_is_replaced(
    connection: Connection, address: str
) -> None:
    for call in (connection.call, lambda a: connection.call_async(a).result(20)):
        with pytest.raises((ConnectionLost, ProtocolError)):
            call(address)
        assert call(ECHO) == ({}, [])


def test_cancelling_a_future_leaves_nothing_behind(
    server: EchoServer, connection: Connection
) -> None:
    futures = [connection.call_async("test.silent") for _ in range(50)]
    assert all(f.cancel() for f in futures)
    assert connection._calls is not None
    assert not connection._calls._calls
    assert connection.call_async(ECHO, {"a": 1}).result(20)[0] == {"a": 1}


async def test_asyncio_cancellation(connection: Connection) -> None:
    task = asyncio.ensure_future(asyncio.wrap_future(connection.call_async("test.silent")))
    await asyncio.sleep(0.02)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    result, _ = await asyncio.wrap_future(connection.call_async(ECHO, {"a": 1}))
    assert result == {"a": 1}


def test_more_calls_than_the_daemon_allows_wait_their_turn(connection: Connection) -> None:
    silent = [connection.call_async("test.silent") for _ in range(768)]
    waiting = [connection.call_async(ECHO, {"i": i}) for i in range(10)]
    assert not any(f.done() for f in waiting)
    for future in silent[:5]:
        future.cancel()
    assert [f.result(20)[0]["i"] for f in waiting] == list(range(10))
    waiting[0].cancel()


def test_ctrl_c_ends_a_blocking_call(connection: Connection) -> None:
    timer = threading.Timer(0.1, _thread.interrupt_main, [signal.SIGINT])
    if hasattr(signal, "pthread_kill"):
        main = threading.main_thread().ident
        timer = threading.Timer(0.1, signal.pthread_kill, [main, signal.SIGINT])
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        connection.call("test.silent", timeout=20)
    assert connection.call(ECHO, {"a": 1})[0] == {"a": 1}


def test_many_threads(server: EchoServer) -> None:
    connection = Connection(Endpoint.parse(server.url), max_lanes=4)
    failures: list[BaseException] = []

    def work(number: int) -> None:
        try:
            for i in range(50):
                sent = {"thread": number, "i": i}
                array = np.full(number * 97 + 1, i, np.int32)
                result, (back,) = connection.call(ECHO, sent, [array])
                assert result == sent
                np.testing.assert_array_equal(back, array)
                assert connection.call_async(ECHO, sent).result(20)[0] == sent
        except BaseException as e:
            failures.append(e)

    threads = [threading.Thread(target=work, args=[n]) for n in range(32)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not failures
    # Four lanes and two streams.
    assert server.accepted <= 6
    connection.close()


def test_a_caller_waits_for_a_lane_until_its_deadline(server: EchoServer) -> None:
    connection = Connection(Endpoint.parse(server.url), max_lanes=1)

    def hold() -> None:
        with pytest.raises(RequestTimeout):
            connection.call("test.silent", timeout=1)

    held = threading.Thread(target=hold)
    held.start()
    eventually(lambda: server.calls)
    with pytest.raises(LimitExceeded, match="1 calls"):
        connection.call(ECHO, timeout=0.05)
    assert connection.call(ECHO, {"a": 1}, timeout=20)[0] == {"a": 1}
    held.join()
    connection.close()


@pytest.mark.parametrize("token", [None, "t"])
def test_an_idle_lane_that_the_daemon_closed_is_not_used(token: str | None) -> None:
    with EchoServer(tcp_token=token) as server:
        connection = Connection(Endpoint.parse(server.url))
        connection.call(ECHO)
        server.break_connections()
        eventually(lambda: server.accepted == 3)  # the messages' stream is back
        assert connection.call(ECHO, {"a": 1})[0] == {"a": 1}
        connection.close()


# Messages


def test_deliveries_come_in_order_and_in_lists(connection: Connection) -> None:
    got: list[list[_wire.Delivered]] = []
    first = subscribe(connection, "a", got.append)
    other: list[_wire.Delivered] = []
    second = subscribe(connection, "b", other.extend)
    publish(connection, "a", b"1", b"2", b"3")
    publish(connection, "b", b"4")
    connection.flush(20)
    eventually(lambda: other)
    assert [[d.payload for d in batch] for batch in got] == [[b"1", b"2", b"3"]]
    assert {d.subscription for batch in got for d in batch} == {first}
    assert other[0].subscription == second
    assert other[0].publisher == connection.publisher


def test_one_callback_for_several_subscriptions_gets_them_in_one_list(
    connection: Connection,
) -> None:
    got: list[list[bytes]] = []

    class Bus:
        def take(self, batch: list[_wire.Delivered]) -> None:
            got.append([d.payload for d in batch])

    bus = Bus()
    subscribe(connection, "a", bus.take)
    subscribe(connection, "b", bus.take)
    batch = [(name, n, 0, 5, 0, 3, b"%d" % n, 0, b"") for n, name in enumerate("abab", 1)]
    connection.send(_wire.encode_publish(1, False, "test", connection.publisher, batch))
    eventually(lambda: got)
    assert got == [[b"1", b"2", b"3", b"4"]]


def test_off_deliver(connection: Connection) -> None:
    got: list[Any] = []
    subscription = subscribe(connection, "a", got.extend)
    seen: list[Any] = []
    subscribe(connection, "b", seen.extend)
    connection.off_deliver(subscription)
    publish(connection, "a", b"1")
    publish(connection, "b", b"2")
    eventually(lambda: seen)
    assert not got


def test_confirmations(connection: Connection) -> None:
    got: list[_wire.Published] = []
    end = connection.on_published(got.append)
    batch = publish(connection, "a", b"1", b"2", confirm=True)
    eventually(lambda: got)
    assert got == [(batch, 2, [])]
    end()
    publish(connection, "a", b"1", confirm=True)
    connection.flush(20)
    assert len(got) == 1


def test_a_callback_that_fails_is_logged_and_the_next_one_runs(
    connection: Connection, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(_: _wire.Published) -> None:
        raise ValueError("of the user's own making")

    got: list[_wire.Published] = []
    connection.on_published(broken)
    connection.on_published(got.append)
    publish(connection, "a", b"1", confirm=True)
    eventually(lambda: got)
    assert "of the user's own making" in caplog.text


def reads_for_itself(connection: Connection, done: Callable[[], bool]) -> threading.Thread:
    """A thread that does, from now on."""
    until = time.monotonic() + 60
    thread = threading.Thread(target=connection.read_until, args=(done, until), name="waits")
    thread.start()
    watched = connection._io._watched  # type: ignore[union-attr]
    eventually(lambda: watched.get(connection._messages, (None, 1))[1] == 0)
    return thread


def test_a_thread_that_waits_reads_for_itself(connection: Connection) -> None:
    readers: list[str] = []
    subscribe(connection, "c", lambda batch: readers.append(threading.current_thread().name))
    publish(connection, "c", b"1")
    eventually(lambda: readers == ["neuralcore-io"])

    thread = reads_for_itself(connection, lambda: len(readers) == 2)
    publish(connection, "c", b"2")
    thread.join(60)
    assert readers[1:] == ["waits"]

    publish(connection, "c", b"3")
    eventually(lambda: readers[2:] == ["neuralcore-io"])


def test_a_thread_that_waits_ends_at_its_time_or_where_another_reads(
    connection: Connection,
) -> None:
    ended = threading.Event()
    thread = reads_for_itself(connection, ended.is_set)
    connection.read_until(lambda: False, time.monotonic() + 60)  # the other one does
    connection.call("neuralcore.system.echo")
    ended.set()
    thread.join(60)
    assert not thread.is_alive()
    connection.read_until(lambda: False, time.monotonic())


def test_a_lost_connection_is_rebuilt_though_another_thread_reads(
    server: EchoServer, connection: Connection
) -> None:
    thread = reads_for_itself(connection, lambda: False)
    server.break_connections()
    thread.join(60)
    assert not thread.is_alive()
    eventually(lambda: connection.connected)
    batches: list[int] = []
    connection.on_published(lambda published: batches.append(published.batch))
    batch = publish(connection, "c", b"1", confirm=True)
    eventually(lambda: batches == [batch])


def test_ctrl_c_in_a_thread_that_reads_leaves_no_half_read_connection(
    server: EchoServer, connection: Connection
) -> None:
    def interrupt(batch: Any) -> None:
        if threading.current_thread() is threading.main_thread():
            raise KeyboardInterrupt

    subscribe(connection, "c", interrupt)
    accepted = server.accepted

    def wait() -> None:
        for _ in range(300):  # the I/O thread may be the first to read one
            publish(connection, "c", b"1")
            connection.read_until(lambda: False, time.monotonic() + 0.2)

    with pytest.raises(KeyboardInterrupt):
        wait()
    eventually(lambda: server.accepted > accepted and connection.connected)


def test_send_from_many_threads_keeps_frames_whole(
    server: EchoServer, connection: Connection
) -> None:
    def work(number: int) -> None:
        for i in range(100):
            publish(connection, "a", bytes([number]) * (i * 37), b"%d" % i)

    threads = [threading.Thread(target=work, args=[n]) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    connection.flush(20)
    assert len(server.published) == 800
    for frame in server.published:
        body, number = (m.payload for m in frame.messages)
        assert len(body) == int(number) * 37
        assert len(set(body)) <= 1


def test_a_slow_daemon_fills_the_buffer(server: EchoServer) -> None:
    connection = Connection(Endpoint.parse(server.url), buffer_limit=1 << 20)
    server.reading.clear()
    frame = _wire.encode_publish(1, False, "n", 1, [("c", 1, 0, 5, 0, 3, bytes(100_000), 0, b"")])
    with pytest.raises(QueueFull, match=r"1048576 are allowed. Publish more slowly"):
        repeat(100, connection.send, frame)
    sent = threading.Thread(target=connection.send, args=[frame], kwargs={"wait": 20})
    sent.start()
    server.reading.set()
    sent.join(20)
    connection.flush(20)
    assert connection.queued_bytes == 0
    assert sum(len(p.messages) for p in server.published) > 10
    connection.close()


def test_bulk_calls_do_not_hold_up_messages(server: EchoServer, connection: Connection) -> None:
    connection.call_async(ECHO, tensors=[bytes(10_000_000)])
    got: list[_wire.Published] = []
    connection.on_published(got.append)
    publish(connection, "a", b"1", confirm=True)
    eventually(lambda: got)
    assert connection._messages.queued_bytes == 0


# Losing the connection


def test_what_is_sent_meanwhile_arrives_after_what_the_reconnect_hook_sends(
    server: EchoServer, connection: Connection
) -> None:
    calls: list[Any] = []

    def again() -> None:
        calls.append(
            connection.call_async(
                "neuralcore.messaging.subscribe", {"subscription": 1, "channel": "a"}
            )
        )

    got: list[_wire.Delivered] = []
    connection.on_deliver(1, got.extend)
    connection.on_reconnected(again)
    server.stop()
    eventually(lambda: not connection.connected)
    for i in range(100):
        publish(connection, "a", b"%d" % i)
    server.start()
    eventually(lambda: len(got) == 100)
    assert [d.payload for d in got] == [b"%d" % i for i in range(100)]
    assert calls[0].result(20) == ({}, [])
    assert len(calls) == 1


def test_the_buffer_is_bounded_while_the_daemon_is_away(server: EchoServer) -> None:
    connection = Connection(Endpoint.parse(server.url), buffer_limit=10_000)
    server.stop()
    eventually(lambda: not connection.connected)
    with pytest.raises(QueueFull, match="being rebuilt"):
        repeat(100, publish, connection, "a", bytes(1000))
    taken = connection.queued_bytes
    assert 5_000 < taken <= 10_000
    server.start()
    connection.flush(20)
    assert len(server.published) == 9
    connection.close()


def test_a_frame_cut_by_the_loss_is_sent_again_whole(
    server: EchoServer, connection: Connection
) -> None:
    server.reading.clear()
    publish(connection, "a", bytes(5_000_000))
    unsent = connection.call_async("neuralcore.messaging.stats", {"a": 1})
    assert connection.queued_bytes
    server.break_connections()
    server.reading.set()
    assert unsent.result(20)[0] == {"a": 1}
    connection.flush(20)
    assert len(server.published) == 1
    assert server.published[0].messages[0].payload == bytes(5_000_000)


def test_calls_under_way_fail_when_the_connection_breaks(
    server: EchoServer, connection: Connection
) -> None:
    future = connection.call_async("test.silent")
    errors: list[BaseException] = []

    def block() -> None:
        try:
            connection.call("test.silent")
        except BaseException as e:
            errors.append(e)

    thread = threading.Thread(target=block)
    thread.start()
    eventually(lambda: len(server.calls) == 2)
    server.break_connections()
    with pytest.raises(ConnectionLost):
        future.result(20)
    thread.join(20)
    assert isinstance(errors[0], ConnectionLost)


def test_calls_wait_for_the_daemon_to_come_back(server: EchoServer, connection: Connection) -> None:
    future = connection.call_async(ECHO)
    future.result(20)
    server.stop()
    eventually(lambda: not connection.connected)
    threading.Timer(0.3, server.start).start()
    future = connection.call_async(ECHO, {"a": 1})
    assert connection.call(ECHO, {"b": 2})[0] == {"b": 2}
    assert future.result(20)[0] == {"a": 1}


def test_calls_fail_when_the_daemon_stays_away(server: EchoServer) -> None:
    connection = Connection(Endpoint.parse(server.url), patience=0.1)
    connection.call_async(ECHO).result(20)
    server.stop()
    eventually(lambda: not connection.connected)
    with pytest.raises(ConnectError, match="No daemon answers"):
        connection.call(ECHO)
    with pytest.raises(ConnectError):
        connection.call_async(ECHO).result(20)
    with pytest.raises(ConnectError):
        connection.call_async("neuralcore.messaging.stats").result(20)
    connection.close(0)


def test_silence_is_met_with_pings(server: EchoServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("neuralcore._stream._PING_AFTER", 0.05)
    connection = Connection(Endpoint.parse(server.url))
    eventually(lambda: server.pings >= 3)
    assert connection.connected
    assert server.accepted == 1
    connection.close()


def test_a_daemon_that_stays_silent_is_left(
    server: EchoServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("neuralcore._stream._PING_AFTER", 0.05)
    monkeypatch.setattr("neuralcore._stream._DEAD_AFTER", 0.3)
    with contextlib.closing(Connection(Endpoint.parse(server.url))) as connection:
        server.reading.clear()
        with caplog.at_level(logging.WARNING):
            eventually(lambda: "is lost" in caplog.text)
        server.reading.set()
        eventually(lambda: connection.connected and server.accepted >= 2)


def test_a_connection_that_dies_before_it_is_watched_is_rebuilt(
    server: EchoServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("neuralcore._stream._DEAD_AFTER", -1.0)
    with contextlib.closing(Connection(Endpoint.parse(server.url))) as connection:
        eventually(lambda: server.accepted >= 3)
        monkeypatch.undo()
        assert connection.call_async(ECHO, {"a": 1}).result(20)[0] == {"a": 1}


# Ends


def test_close_sends_what_is_queued(server: EchoServer) -> None:
    connection = Connection(Endpoint.parse(server.url))
    for i in range(50):
        publish(connection, "a", bytes(10_000) + b"%d" % i)
    connection.close()
    assert len(server.published) == 50
    connection.close()
    for use in (lambda: connection.call(ECHO), lambda: connection.send(b""), connection.next_id):
        if use != connection.next_id:
            with pytest.raises(ConnectError, match="closed"):
                use()


def test_close_ends_what_waits(server: EchoServer) -> None:
    connection = Connection(Endpoint.parse(server.url))
    future = connection.call_async("test.silent")
    connection.close()
    with pytest.raises(ConnectionLost, match="closed"):
        future.result(20)


def test_flush_tells_when_time_is_up(server: EchoServer) -> None:
    connection = Connection(Endpoint.parse(server.url))
    server.reading.clear()
    publish(connection, "a", bytes(5_000_000))
    with pytest.raises(RequestTimeout, match=r"were not sent within 0\.1 s"):
        connection.flush(0.1)
    server.reading.set()
    connection.flush(20)
    connection.close()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
def test_a_forked_child_has_a_connection_of_its_own(
    server: EchoServer, connection: Connection
) -> None:
    connection.call(ECHO)
    got: list[_wire.Delivered] = []
    subscribe(connection, "a", got.extend)
    before = server.accepted
    child = os.fork()
    if not child:
        status = 1
        try:
            assert connection.call(ECHO, {"child": True})[0] == {"child": True}
            publish(connection, "a", b"from the child")
            connection.flush(20)
            status = 0
        finally:
            os._exit(status)
    assert os.waitpid(child, 0)[1] == 0
    eventually(lambda: got)
    assert connection.call(ECHO, {"parent": True})[0] == {"parent": True}
    assert server.accepted == before + 2
    assert [d.payload for d in got] == [b"from the child"]
    assert got[0].publisher != connection.publisher
    assert connection.connected


# Being let in


def test_tcp_with_a_token() -> None:
    with EchoServer(tcp_token="s3cret") as server:
        connection = Connection(Endpoint.parse(server.url))
        assert connection.call(ECHO, {"a": 1})[0] == {"a": 1}
        assert connection.call_async(ECHO, {"a": 1}).result(20)[0] == {"a": 1}
        assert "s3cret" not in repr(connection) + connection.url + repr(connection._endpoint)
        connection.close()


def test_a_wrong_token_is_refused() -> None:
    with EchoServer(tcp_token="s3cret") as server:
        with pytest.raises(AccessDenied, match="wrong token") as caught:
            Connection(Endpoint.parse(server.url.replace("s3cret", "guess")))
        assert caught.value.code == "UNAUTHENTICATED"
        assert "guess" not in str(caught.value)


def test_another_protocol_is_refused() -> None:
    with EchoServer(protocol=2) as server, pytest.raises(VersionMismatch, match="protocol 2"):
        Connection(Endpoint.parse(server.url))


def test_the_limits_are_the_daemon_s() -> None:
    with EchoServer(limits={"binary_frame": 1000}) as server:
        connection = Connection(Endpoint.parse(server.url))
        with pytest.raises(InvalidRequest, match="limit of 1,000"):
            connection.call(ECHO, tensors=[bytes(2000)])
        connection.close()


def test_nobody_there() -> None:
    with pytest.raises(ConnectError, match=r"No daemon answers at unix:/nowhere/daemon.sock"):
        Connection(Endpoint(path="/nowhere/daemon.sock"))


@pytest.mark.parametrize("url", ["http://x", "unix:", "tcp://host", "tcp://host:99999", "x"])
def test_an_address_that_is_none(url: str) -> None:
    with pytest.raises(InvalidRequest, match="not the address of a daemon"):
        Endpoint.parse(url)


def test_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Endpoint.parse("unix:/a/b") == Endpoint(path="/a/b")
    assert Endpoint.parse("unix:///a/b") == Endpoint(path="/a/b")
    assert Endpoint.parse("tcp://[::1]:7?token=t") == Endpoint(host="::1", port=7, token="t")
    assert Endpoint.parse("tcp://h:7?token_file=/f").token_file == "/f"
    monkeypatch.setenv("NEURALCORE_TOKEN", "from the environment")
    assert Endpoint.parse("tcp://h:7").token == "from the environment"


def test_closing_while_the_io_thread_begins_is_no_defect(
    server: EchoServer, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, closed = threading.Event(), threading.Event()

    class Slow(selectors.DefaultSelector):
        """Has the connection's socket closed when it is about to be registered."""

        def register(self, sock: Any, events: int, data: Any = None) -> selectors.SelectorKey:
            if data is not None:
                begun.set()
                closed.wait(10)
            return super().register(sock, events, data)

    monkeypatch.setattr(selectors, "DefaultSelector", Slow)
    connection = Connection(Endpoint.parse(server.url))
    connection.start()
    assert begun.wait(10)
    close = connection._messages.close

    def close_and_wait() -> None:
        close()
        closed.set()
        assert connection._io is not None
        connection._io.join(10)

    monkeypatch.setattr(connection._messages, "close", close_and_wait)
    connection.close()
    assert "defect" not in caplog.text
