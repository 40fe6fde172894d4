"""Relays from Python: over a real daemon and a real redis-server."""

from __future__ import annotations

import asyncio
import json
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis as redis_py
import redis_server
from msgspec import msgpack

from neuralcore.cli import main
from neuralcore.client import Client
from neuralcore.compat.atlas_ncb import ChannelConfig, Message, NeuralCognitiveBus
from neuralcore.errors import (
    ConnectError,
    InvalidRequest,
    NeuralCoreError,
    NotFound,
    Unavailable,
)
from neuralcore.messaging import MessageBus
from neuralcore.relays import RedisBridge
from neuralcore.testing import RunningDaemon

PATIENCE = 60.0

pytestmark = pytest.mark.skipif(redis_server.program() is None, reason="there is no redis-server")


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    with redis_server.running(tmp_path, redis_server.free_port()) as answering:
        yield answering


@pytest.fixture
def server(url: str) -> Iterator[redis_py.Redis]:
    with redis_py.Redis.from_url(url) as connected:
        yield connected


async def until(check: Callable[[], Any], what: str) -> Any:
    deadline = time.monotonic() + PATIENCE
    while not (found := await asyncio.to_thread(check)):
        assert time.monotonic() < deadline, f"never: {what}"
        await asyncio.sleep(0.01)
    return found


async def test_a_channel_goes_to_a_stream_and_comes_back_to_another(client, url, server):
    async with MessageBus(name="relays-stream", client=client) as bus:
        await bus.create_channel("jobs", persistent=True)
        await bus.create_channel("results", persistent=True)
        got: list[Any] = []
        await bus.subscribe("results", lambda m: got.append((m.payload, m.meta.custom["relay"])))
        bridge = RedisBridge(url, "streams", namespace=bus.namespace, client=client)
        bridge.route("out", "jobs", stream="jobs", serializer="json")
        bridge.route("in", "results", stream="results", replay_start="0-0")
        await bridge.connect(PATIENCE)
        assert bridge.status() == "connected"
        await until(lambda: bridge.health_check().result()["healthy"], "good health")

        for i in range(50):
            bus.publish("jobs", {"i": i})
        await until(lambda: server.xlen("jobs") == 50, "fifty entries")
        sent = [json.loads(fields[b"data"]) for _, fields in server.xrange("jobs")]
        assert [each["payload"]["i"] for each in sent] == list(range(50))
        server.xadd("results", {"data": b'{"payload": "done", "id": "x"}'})
        await until(lambda: got, "the result")
        assert got[0][0] == "done"
        assert got[0][1]["id"] == "x"

        await until(lambda: bridge.metrics()["received"] == 1, "the count")
        await until(lambda: bridge.metrics()["published"] == 50, "the other count")
        await bridge.close(forget=True)
        assert bridge.status() == "disconnected"


async def test_messages_past_the_bus_have_a_result_each(client, url, server):
    async with RedisBridge(url, "direct", client=client, compress=True) as bridge:
        await bridge.publish("x", {"a": 1}, to={"stream": "s"})
        results = await bridge.produce_batch(
            [{"channel": "x", "payload": 1}, {"payload": "of no channel"}], to={"stream": "s"}
        )
        assert results[0] is None
        assert isinstance(results[1], InvalidRequest)
        assert server.xlen("s") == 2
        server.set("t", "no stream")
        with pytest.raises(NeuralCoreError, match="WRONGTYPE"):
            await bridge.publish("x", 1, to={"stream": "t"})
        assert await bridge.flush(PATIENCE)


async def test_messages_are_checked_by_a_schema_whose_versions_can_be_added(
    neuralcore_daemon: RunningDaemon, client, url, server, tmp_path, capsys
):
    schema = {
        "type": "object",
        "required": ["n"],
        "additionalProperties": False,
        "properties": {"n": {"type": "integer"}},
    }
    folder = tmp_path / "schemas"
    folder.mkdir()
    (folder / "order.v1.json").write_text(json.dumps(schema))
    async with MessageBus(name="relays-schema", client=client) as bus:
        await bus.create_channel("dead", persistent=True)
        await bus.create_channel("orders", persistent=True, dead_letter_channel="dead")
        letters: list[Any] = []
        await bus.subscribe("dead", lambda m: letters.append(m.payload))
        bridge = RedisBridge(
            url,
            "checked",
            namespace=bus.namespace,
            client=client,
            schemas={
                "folder": str(folder),
                "subjects": [{"subject": "order", "channel": "orders"}],
            },
        )
        bridge.route("out", "orders", stream="orders", serializer="json")
        await bridge.connect(PATIENCE)
        await bus.publish("orders", {"n": 1}, confirm="relayed")
        with pytest.raises(Unavailable):
            await bus.publish("orders", {"n": "two"}, confirm="relayed")
        await until(lambda: letters, "the dead letter")
        assert letters[0]["error_type"] == "SchemaInvalid"
        assert "order/1" in letters[0]["error"]
        assert letters[0]["message"]["payload"] == {"n": "two"}
        [(_, entry)] = server.xrange("orders")
        assert json.loads(entry[b"data"])["meta"]["relay_schema"] == "order/1"

        wider = {**schema, "properties": {"n": {"type": ["integer", "string"]}}}
        assert await bridge.check_schema("order", {"type": "string"})
        with pytest.raises(InvalidRequest, match="does not go with"):
            await bridge.add_schema("order", {"type": "string"})
        file = tmp_path / "wider.json"
        file.write_text(json.dumps(wider))

        def command(*words: str) -> int:
            return main(["relay", "schema", "checked", *words, "--url", neuralcore_daemon.url])

        assert await asyncio.to_thread(command, "check", "order", str(file)) == 0
        assert "compatible" in capsys.readouterr().out
        assert await asyncio.to_thread(command, "add", "order", str(file)) == 0
        assert await asyncio.to_thread(command) == 0
        assert "versions=[1, 2]" in capsys.readouterr().out
        assert await bridge.add_schema("order", wider) == 2
        assert (await bridge.schemas())[0]["versions"] == [1, 2]
        await bus.publish("orders", {"n": "two"}, confirm="relayed")
        assert bridge.metrics()["invalid"] == 1
        await bridge.close(forget=True)


async def test_a_server_that_is_not_there_is_an_error_and_leaves_no_relay(client):
    nowhere = f"redis://127.0.0.1:{redis_server.free_port()}"
    bridge = RedisBridge(nowhere, "nowhere", client=client)
    with pytest.raises(ConnectError, match="nowhere"):
        await bridge.connect(0.3)
    assert bridge.status() == "disconnected"


async def test_a_relay_that_has_given_up_connects_again_when_it_is_told_to(client, tmp_path):
    port = redis_server.free_port()
    with redis_server.running(tmp_path, port) as url:
        bridge = RedisBridge(url, "gives-up", client=client, max_reconnect_attempts=1)
        await bridge.connect(PATIENCE)
    await until(lambda: bridge.status() == "failed", "that it gives up")
    with redis_server.running(tmp_path, port):
        await bridge.connect(PATIENCE)
        assert bridge.status() == "connected"
        await bridge.close(forget=True)


def test_a_url_is_taken_apart_so_that_its_password_is_not_shown():
    bridge = RedisBridge("redis://ann:s%40cret@host/3")
    assert bridge._settings["url"] == "redis://host:6379/3"
    assert (bridge._settings["user"], bridge._settings["password"]) == ("ann", "s@cret")
    with pytest.raises(InvalidRequest):
        RedisBridge("http://host")


async def test_a_bus_in_the_manner_of_atlas_speaks_with_others_over_redis(client, url, server):
    bus = NeuralCognitiveBus(client=client)
    bus.create_channel("llm", ChannelConfig(name="llm", redis_in="atlas.in", redis_out="atlas.out"))
    got: list[Message] = []

    async def take(message: Message) -> None:
        got.append(message)

    await bus.register_subscriber("llm", "s", take)
    outside = server.pubsub(ignore_subscribe_messages=True)
    outside.subscribe("atlas.out")
    await until(lambda: server.pubsub_numsub("atlas.out")[0][1] == 1, "our subscription")
    await bus.start(redis_url=url)
    try:
        theirs = {
            "id": "their-id",
            "channel": "llm",
            "ts": 1.5,
            "priority": 0,
            "payload": {"text": "Gr\u00fc\u00dfe"},
            "meta": {"trace_id": "t", "k": "v", "dlq": True},
        }
        packed = msgpack.encode(theirs)
        await until(lambda: server.publish("atlas.in", packed) == 1, "the relay's subscription")
        await until(lambda: got, "their message")
        message = got[0]
        assert (message.payload, message.priority) == (theirs["payload"], 0)
        assert (message.meta["trace_id"], message.meta["k"]) == ("t", "v")
        assert message.meta["redis_in"] == "atlas.in"
        assert "dlq" not in message.meta

        await bus.publish("llm", {"ours": [1, None]}, priority=7, meta={"m": 1})
        while True:
            heard = await until(lambda: outside.get_message(timeout=1), "our message")
            ours = msgpack.decode(heard["data"])
            if ours["payload"] == {"ours": [1, None]}:
                break
        assert ours["priority"] == 7
        assert ours["meta"]["m"] == 1
        assert ours["channel"] == "llm"
    finally:
        await bus.stop()


def test_a_relay_is_there_again_after_the_daemon_was(url: str):
    home = Path(tempfile.mkdtemp(prefix="neuralcore-test-"))
    daemon = RunningDaemon(home)
    try:
        with daemon.client() as client:
            bridge = RedisBridge(url, "again", client=client)
            bridge.connect(PATIENCE).result()
            daemon.kill()
            _ = daemon.daemon
            deadline = time.monotonic() + PATIENCE
            while not _is_connected(bridge):
                assert time.monotonic() < deadline
                time.sleep(0.05)
    finally:
        daemon.stop()
        shutil.rmtree(home, ignore_errors=True)


def _is_connected(bridge: RedisBridge) -> bool:
    try:
        return bridge.status() == "connected"
    except NeuralCoreError:
        return False


def test_the_command_lists_and_switches_relays(
    client: Client,
    url: str,
    neuralcore_daemon: RunningDaemon,
    capsys: pytest.CaptureFixture[str],
):
    def command(*words: str) -> str:
        assert main(["relay", *words, "--url", neuralcore_daemon.url]) == 0
        return capsys.readouterr().out

    bridge = RedisBridge(url, "shown", client=client)
    bridge.connect(PATIENCE).result()
    command("route", "shown", "direction=out", "channel=jobs", "stream=s", "trim_maxlen=10")
    assert "default/jobs -> s" in command("list")
    assert "healthy" in command("health", "shown")
    assert "disconnected" in command("off", "shown")
    command("on", "shown")
    relays = json.loads(command("list", "--json"))["relays"]
    assert [relay["name"] for relay in relays] == ["shown"]
    bridge.close().result()
    assert "no relay" in command("list")


SAMPLES = [{"sensor": f"north-{i % 7}", "celsius": i / 8, "text": "x" * 90} for i in range(3000)]


@pytest.mark.parametrize(
    ("compression", "magic"), [("lz4", b"\x04\x22\x4d\x18"), ("zstd", b"\x28\xb5\x2f\xfd")]
)
async def test_messages_are_packed_and_unpacked(client, url, server, tmp_path, compression, magic):
    dictionary = tmp_path / "own.zdict"
    bridge = RedisBridge(
        url,
        f"packed-{compression}",
        namespace=f"relays-{compression}",
        compression=compression,
        client=client,
        dictionaries=[str(dictionary)],
    )
    assert await bridge.train_dictionary(dictionary, SAMPLES, size=4096) > 0
    async with MessageBus(name=f"relays-{compression}", client=client) as bus:
        bridge.route("out", "near", stream="packed")
        await bridge.connect(PATIENCE)
        bus.publish("near", SAMPLES[9])
        await until(lambda: server.xlen("packed") == 1, "the message")
        [(_, fields)] = server.xrange("packed")
        assert fields[b"data"][:4] == magic
        assert bridge.metrics()["compression_ratio"] > 1.2
        await bridge.close()

        known = [str(dictionary)]
        other = RedisBridge(
            url, "reads", namespace=bus.namespace, client=client, dictionaries=known
        )
        other.route("in", "there", stream="packed", replay_start="0-0")
        await other.connect(PATIENCE)
        await until(lambda: other.metrics()["loops"] == 1, "its own message, known again")
        await other.close()
    with pytest.raises(InvalidRequest):
        await bridge.train_dictionary(dictionary, SAMPLES[:2])


def test_the_command_learns_a_dictionary(neuralcore_daemon, tmp_path, capsys):
    samples = tmp_path / "samples.jsonl"
    samples.write_text("\n".join(json.dumps(each) for each in SAMPLES))
    learnt = tmp_path / "learnt.zdict"
    words = ["relay", "train", str(learnt), f"samples={samples}", "channel=jobs", "size=4096"]
    assert main([*words, "--url", neuralcore_daemon.url]) == 0
    assert "3000" in capsys.readouterr().out
    assert 0 < learnt.stat().st_size <= 4096


async def test_a_publish_waits_for_the_server(client, url, server):
    async with MessageBus(name="relays-confirm", client=client) as bus:
        await bus.create_channel("kept", persistent=True)
        bridge = RedisBridge(url, "confirm", namespace=bus.namespace, client=client)
        bridge.route("out", "jobs", stream="confirmed")
        bridge.route("out", "kept", stream="confirmed")
        await bridge.connect(PATIENCE)
        await bus.publish("jobs", {"n": 1}, confirm="relayed")
        assert server.xlen("confirmed") == 1
        await bus.publish("jobs", {"n": 2}, confirm="relayed")
        await bus.publish_many("kept", [{"n": 3}, {"n": 4}], confirm="relayed")
        assert server.xlen("confirmed") == 4
        plain = bus.publish("elsewhere", {"n": 5})
        with pytest.raises(NotFound, match=plain[:16]) as caught:
            await bus.publish("elsewhere", {"n": 6}, confirm="relayed")
        assert caught.value.code == "NO_RELAY"
        await bridge.close(forget=True)


def test_a_publish_without_a_loop_waits_for_the_server(client, url, server):
    with MessageBus(name="relays-thread", client=client) as bus:
        bridge = RedisBridge(url, "thread", namespace=bus.namespace, client=client)
        bridge.route("out", "jobs", stream="threaded")
        bridge.connect(PATIENCE).result()
        for i in range(20):
            bus.publish("jobs", {"i": i}, confirm="relayed").result(PATIENCE)
            assert server.xlen("threaded") == i + 1
        bridge.close().result()
