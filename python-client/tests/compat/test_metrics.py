"""Counts, their export, logging and the benchmark."""

from __future__ import annotations

import json
import logging
import socket
import urllib.error
import urllib.request

import pytest

from compat.conftest import until
from neuralcore.compat.atlas_ncb import (
    ChannelConfig,
    JSONFormatter,
    TraceIdFilter,
    setup_json_logging,
    setup_logging,
)


async def test_the_snapshot_has_atlas_keys_and_true_counts(bus, got):
    assert bus.snapshot_metrics() == {}

    async def fail(message):
        raise RuntimeError("boom")

    await bus.register_subscriber("c", "s", got)
    await bus.register_subscriber("c", "f", fail)
    for n in range(10):
        await bus.publish("c", n)
    await until(lambda: bus.snapshot_metrics()["c"]["errors"] == 10, "all failed once")
    await got.wait(10)
    counts = bus.snapshot_metrics()["c"]
    assert set(counts) == {
        "published",
        "dropped",
        "dispatched",
        "errors",
        "publish_latency_ms_sum",
        "dispatch_latency_ms_sum",
        "queue_size",
    }
    assert (counts["published"], counts["dropped"], counts["dispatched"]) == (10, 0, 10)
    assert counts["queue_size"] == 0
    assert counts["publish_latency_ms_sum"] > 0
    assert counts["dispatch_latency_ms_sum"] > 0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def scrape(port: int) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
        return answer.read().decode()


async def test_prometheus_sees_atlas_names_on_loopback_while_the_bus_runs(make, got):
    pytest.importorskip("prometheus_client")
    import asyncio

    port = free_port()
    bus, other = (make(enable_prometheus=True, prometheus_port=port) for _ in range(2))
    for each in (bus, other):
        each.create_channel("prom")
        await each.start()
        await each.register_subscriber("prom", "s", got)
        await each.publish("prom", 1)
    await got.wait(2)
    text = await asyncio.to_thread(scrape, port)
    for line in (
        'ncb_published_total{channel="prom"} 2.0',
        'ncb_dropped_total{channel="prom"} 0.0',
        'ncb_dispatched_total{channel="prom"} 2.0',
        'ncb_errors_total{channel="prom"} 0.0',
        'ncb_queue_size{channel="prom"} 0.0',
        'ncb_publish_latency_ms_count{channel="prom"} 2.0',
        'ncb_dispatch_latency_ms_bucket{channel="prom",le="+Inf"} 2.0',
        "# TYPE ncb_dispatch_latency_ms histogram",
    ):
        assert line in text
    listening = socket.create_connection(("127.0.0.1", port))
    assert listening.getpeername()[0] == "127.0.0.1"
    listening.close()
    await bus.stop()
    assert "ncb_published_total" in await asyncio.to_thread(scrape, port)
    await other.stop()
    with pytest.raises(urllib.error.URLError):
        await asyncio.to_thread(scrape, port)


async def test_a_port_that_is_taken_is_a_warning(make, caplog):
    pytest.importorskip("prometheus_client")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        bus = make(enable_prometheus=True, prometheus_port=taken.getsockname()[1])
        await bus.start()
        assert bus.running
        await bus.stop()
    assert "prometheus_fail" in [getattr(r, "event", "") for r in caplog.records]


async def test_the_benchmark_loses_nothing(make):
    bus = make()
    bus.create_channel("c", ChannelConfig("c", max_queue_size=100))
    await bus.start()
    with pytest.raises(ValueError, match="does not exist"):
        await bus.benchmark("nowhere")
    result = await bus.benchmark("c", messages=2000, concurrency=7, payload_factory=lambda i: [i])
    assert set(result) == {
        "channel",
        "messages",
        "concurrency",
        "seconds",
        "msgs_per_sec",
        "metrics",
    }
    assert result["metrics"]["dispatched"] == 2000
    assert result["metrics"]["published"] == 2000
    assert bus._channels["c"].subscribers == []


def test_json_log_lines():
    record = logging.makeLogRecord(
        {"name": "n", "levelname": "INFO", "msg": "text %s", "args": ("x",), "event": "e"}
    )
    record.other = {"a": 1}
    record.long = "y" * 10
    TraceIdFilter().filter(record)
    line = json.loads(JSONFormatter().format(record))
    assert line["msg"] == "text x"
    assert (line["event"], line["level"], line["logger"]) == ("e", "INFO", "n")
    assert line["extra"] == {"other": {"a": 1}, "long": "y" * 10}
    assert "trace_id" not in line


@pytest.mark.parametrize("setup", [setup_json_logging, setup_logging])
def test_setting_up_logging_twice_adds_nothing(setup):
    name = f"ncb-test-{setup.__name__}"
    logger = setup(logger_name=name)
    assert setup(logger_name=name) is logger
    assert len(logger.handlers) == 1
    assert len(logger.handlers[0].filters) == 1
    assert not logger.propagate
    logger.handlers.clear()
