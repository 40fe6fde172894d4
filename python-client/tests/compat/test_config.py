"""Configuration from mappings and files, and its reloading."""

from __future__ import annotations

import asyncio
import json
import os

import pytest

from compat.conftest import until
from neuralcore.compat.atlas_ncb import NCB_CONFIG_SCHEMA, ChannelConfig

SETTINGS = {
    "max_queue_size": 5,
    "drop_policy": "drop_old",
    "default_priority": 3,
    "rate_limit_per_sec": 10.0,
    "rate_limit_burst": 20.0,
    "persistent": True,
    "serializer": "json",
    "compress": True,
    "compression_level": 9,
    "redis_in": "ri",
    "redis_out": "ro",
    "kafka_in": "ki",
    "kafka_out": "ko",
    "dead_letter_channel": "letters",
    "fanout_max_concurrency": 4,
    "idempotency_key_field": "id",
    "idempotency_ttl_seconds": 5.0,
    "durability": "os",
    "ttl": 9.0,
    "retention_age": 100.0,
    "retention_rows": 1000,
    "retention_bytes": 10_000,
    "max_attempts": 2,
    "ageing": 1.0,
    "block_timeout": 2.0,
}


@pytest.mark.parametrize("known", [False, True])
def test_every_setting_can_be_configured_anew_or_later(make, known):
    bus = make()
    if known:
        bus.create_channel("c", ChannelConfig("c"))
    bus.apply_config({"channels": {"c": SETTINGS}})
    config = bus._channel_cfg["c"]
    assert {name: getattr(config, name) for name in SETTINGS} == SETTINGS
    assert "letters" in bus._queues
    bus.apply_config({"channels": {"c": {"max_queue_size": 6}}})
    assert {name: getattr(config, name) for name in SETTINGS} == {**SETTINGS, "max_queue_size": 6}


def test_new_channels_take_the_bus_default_size(make):
    bus = make(default_max_queue_size=77)
    bus.apply_config({"channels": {"c": None}})
    assert bus._channel_cfg["c"].max_queue_size == 77


@pytest.mark.parametrize(
    ("config", "named"),
    [
        ({"channels": [1]}, "channels"),
        ({"channels": {"c": 3}}, "'c'"),
        ({"channels": {"c": {"max_queue_size": "5"}}}, "max_queue_size"),
        ({"channels": {"c": {"drop_policy": "x"}}}, "drop_policy"),
        ({"security": 3}, "security"),
        ({"security": {"api_keys": "k"}}, "api_keys"),
        ({"security": {"channel_roles": {"c": "r"}}}, "channel_roles"),
    ],
)
def test_a_configuration_is_applied_whole_or_not_at_all(make, config, named):
    bus = make()
    bus.create_channel("a")
    channels = config.get("channels", {})
    if isinstance(channels, dict):
        config = {**config, "channels": {"a": {"max_queue_size": 3}, "b": {}, **channels}}
    with pytest.raises(ValueError, match=named):
        bus.apply_config(config)
    assert list(bus._queues) == ["a"]
    assert bus._channel_cfg["a"].max_queue_size == 1000


def test_unknown_settings_are_passed_over_and_named(make, caplog):
    bus = make()
    bus.apply_config({"channels": {"c": {"maxsize": 3}}, "more": 1})
    assert "maxsize" in caplog.text


def test_tokens_are_kept_when_a_rate_is_configured_again(make):
    bus = make()
    bus.apply_config({"channels": {"c": {"rate_limit_per_sec": 0.001, "rate_limit_burst": 3}}})
    limiter = bus._channels["c"].limiter
    assert limiter.reserve(3) == 0
    bus.apply_config({"channels": {"c": {"rate_limit_per_sec": 0.002, "rate_limit_burst": 3}}})
    assert bus._channels["c"].limiter is limiter
    assert limiter.reserve(1) > 400
    bus.apply_config({"channels": {"c": {"rate_limit_per_sec": None}}})
    assert bus._channels["c"].limiter is None


def test_files_are_yaml_or_json(make, tmp_path):
    bus = make()
    (tmp_path / "a.json").write_text(json.dumps({"channels": {"c": SETTINGS}}))
    assert bus.load_config_file(tmp_path / "a.json") == {"channels": {"c": SETTINGS}}
    (tmp_path / "empty.json").write_text("null")
    assert bus.load_config_file(str(tmp_path / "empty.json")) == {}
    (tmp_path / "list.json").write_text("[]")
    with pytest.raises(ValueError, match="list, not an object"):
        bus.load_config_file(tmp_path / "list.json")
    with pytest.raises(FileNotFoundError):
        bus.load_config_file(tmp_path / "none.json")
    yaml = pytest.importorskip("yaml")
    (tmp_path / "a.yaml").write_text(yaml.safe_dump({"channels": {"c": SETTINGS}}))
    assert bus.load_config_file(tmp_path / "a.yaml") == {"channels": {"c": SETTINGS}}
    (tmp_path / "bad.yml").write_text("a: [")
    with pytest.raises(ValueError, match="not YAML"):
        bus.load_config_file(tmp_path / "bad.yml")


def test_the_schema_names_every_setting():
    settings = NCB_CONFIG_SCHEMA["properties"]["channels"]["additionalProperties"]["properties"]
    assert set(settings) | {"dead_letter_channel", "idempotency_key_field"} >= {
        name for name in SETTINGS if not name.startswith(("redis", "kafka"))
    }


class Written:
    """A configuration file."""

    def __init__(self, path):
        self.path = path
        self.versions = 0

    def write(self, text):
        self.versions += 1
        other = self.path.with_suffix(".new")
        other.write_text(text)
        os.utime(other, ns=(self.versions, self.versions))
        other.replace(self.path)


async def test_a_file_is_applied_at_the_start_and_when_it_changes(make, tmp_path, caplog):
    file = Written(tmp_path / "bus.json")
    bus = make(hot_reload_config_path=file.path, hot_reload_interval_sec=0.01)
    await bus.start()
    await asyncio.sleep(0.03)  # there may be no file yet
    file.write(json.dumps({"channels": {"c": {"max_queue_size": 5, "default_priority": 1}}}))
    await until(lambda: "c" in bus._queues, "the channel comes")
    file.write(json.dumps({"channels": {"c": {"max_queue_size": 6}}}))
    await until(lambda: bus._channel_cfg["c"].max_queue_size == 6, "the change comes")
    assert bus._channel_cfg["c"].default_priority == 1
    file.write("{")
    await until(lambda: "not applied" in caplog.text, "the fault is told")
    assert caplog.text.count("not applied") == 1
    file.write(json.dumps({"channels": {"c": {"max_queue_size": 7}}}))
    await until(lambda: bus._channel_cfg["c"].max_queue_size == 7, "and it goes on")
    await bus.stop()
    file.write(json.dumps({"channels": {"c": {"max_queue_size": 8}}}))
    await asyncio.sleep(0.05)
    assert bus._channel_cfg["c"].max_queue_size == 7
