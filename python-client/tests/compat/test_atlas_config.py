"""ATLAS's configuration, in its own keys, the planning documents' and as a ConfigManager."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

import neuralcore
from neuralcore.compat.config import (
    PARTS,
    apply_config,
    configure_from_atlas,
    current_config,
    is_enabled,
    load_atlas_config,
)
from neuralcore.errors import InvalidRequest

RAG = """
rag:
  embeddings:
    default_provider: huggingface
    huggingface:
      model: BAAI/bge-small-en-v1.5
      device: null
      normalize_embeddings: false
      batch_size: 16
      cache_folder: /models
      trust_remote_code: false
messaging:
  backend: ncb
  persistence_path: /data/ncb.db
  enable_prometheus: true
  prometheus_port: 8000
  redis_url: redis://there:6379/0
  kafka:
    bootstrap_servers: there:9092
"""


@pytest.fixture(autouse=True)
def _nothing_applied() -> Iterator[None]:
    yield
    neuralcore._config = None


def write(root: Path, name: str, text: str) -> None:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def test_atlas_own_keys(tmp_path):
    write(tmp_path, "config.yaml", RAG)
    found = configure_from_atlas(str(tmp_path))
    assert found["embedding"] == {
        "enabled": True,
        "model_name": "BAAI/bge-small-en-v1.5",
        "max_batch_size": 16,
        "normalize": False,
        "cache_dir": "/models",
        "device": None,
    }
    assert found["messaging"] == {
        "enabled": True,
        "backend": "ncb",
        "persistence_path": "/data/ncb.db",
        "worker_count": 4,
        "redis_url": "redis://there:6379/0",
        "kafka_bootstrap": "there:9092",
        "enable_prometheus": True,
        "prometheus_port": 8000,
    }


def test_the_planning_documents_keys_win():
    found = configure_from_atlas(
        config={
            "rag": {"embeddings": {"huggingface": {"model": "gte-small", "batch_size": 8}}},
            "embedding": {"model": "e5-small-v2", "normalize": False, "cache_dir": "here"},
            "ncb": {"persistence_path": "p", "workers": 2, "kafka_bootstrap": "k:1"},
            "vectors": {"hnsw_m": 8, "hnsw_ef_construction": 100, "hnsw_ef_search": 20},
        }
    )
    embedding = found["embedding"]
    assert (embedding["model_name"], embedding["max_batch_size"]) == ("e5-small-v2", 8)
    assert (embedding["normalize"], embedding["cache_dir"]) == (False, "here")
    assert found["messaging"]["persistence_path"] == "p"
    assert (found["messaging"]["worker_count"], found["messaging"]["kafka_bootstrap"]) == (2, "k:1")
    assert found["vectors"] == {
        "enabled": True,
        "hnsw_m": 8,
        "hnsw_ef_construction": 100,
        "hnsw_ef_search": 20,
    }


def test_what_atlas_has_written_lies_over_the_file_by_hand(tmp_path):
    write(tmp_path, "config.yaml", "a: {x: 1, y: 2}\nb: 3\n")
    write(tmp_path, "core/config/atlas_config.yaml", "a: {y: 5}\n")
    write(tmp_path, "ATLAS/config/atlas_config.yaml", "a: {z: 6}\nb: null\n")
    assert load_atlas_config(tmp_path) == {"a": {"x": 1, "y": 5, "z": 6}, "b": None}


def test_the_root_comes_from_the_environment_else_the_working_directory(tmp_path, monkeypatch):
    write(tmp_path / "there", "config.yaml", "messaging: {persistence_path: there}")
    write(tmp_path / "here", "config.yaml", "messaging: {persistence_path: here}")
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.delenv("ATLAS_ROOT", raising=False)
    assert configure_from_atlas()["messaging"]["persistence_path"] == "here"
    monkeypatch.setenv("ATLAS_ROOT", str(tmp_path / "there"))
    assert configure_from_atlas()["messaging"]["persistence_path"] == "there"


def test_no_file_means_defaults(tmp_path):
    assert load_atlas_config(tmp_path) == {}
    found = configure_from_atlas(tmp_path)
    assert found["enabled"] is True
    assert found["embedding"]["max_batch_size"] == 32
    assert found["vectors"]["hnsw_ef_construction"] == 200


def manager(config, **environment):
    """Like ATLAS's ConfigManager: what it read, over the environment that it read."""
    return SimpleNamespace(
        env_config=environment,
        config={**environment, **config},
        get_config=lambda key, default=None: config.get(key, default),
    )


def test_a_config_manager_with_its_environment(monkeypatch):
    monkeypatch.delenv("REDIS_URL", raising=False)
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", "process:9092")
    given = manager({"messaging": {"backend": "ncb"}}, REDIS_URL="redis://env:1/0")
    found = configure_from_atlas(config=given)
    assert found["messaging"]["redis_url"] == "redis://env:1/0"
    assert found["messaging"]["kafka_bootstrap"] == "process:9092"


def test_the_file_wins_over_the_environment():
    given = manager(
        {"messaging": {"backend": "redis", "redis_url": "redis://file:1/0"}},
        REDIS_URL="redis://env:1/0",
    )
    assert configure_from_atlas(config=given)["messaging"]["redis_url"] == "redis://file:1/0"


def test_a_bus_within_the_process_has_no_redis():
    given = manager({"messaging": {"backend": "in_memory"}}, REDIS_URL="redis://env:1/0")
    assert configure_from_atlas(config=given)["messaging"]["redis_url"] is None


@pytest.mark.parametrize(
    ("switches", "on"),
    [
        ({}, set(PARTS)),
        ({"enabled": True}, set(PARTS)),
        ({"enabled": False}, set()),
        ({"enabled": False, "vectors": True}, set()),
        ({"vectors": False}, {"embedding", "messaging"}),
        ({"embedding": {"enabled": "off"}, "messaging": "yes"}, {"messaging", "vectors"}),
    ],
)
def test_switches(switches, on):
    found = configure_from_atlas(config={"neuralcore": switches})
    assert {part for part in PARTS if is_enabled(part, found)} == on
    apply_config(found)
    assert {part for part in PARTS if is_enabled(part)} == on


@pytest.mark.parametrize(
    ("config", "key"),
    [
        ({"rag": 3}, "rag"),
        ({"rag": {"embeddings": []}}, "rag.embeddings"),
        (
            {"rag": {"embeddings": {"huggingface": {"batch_size": "many"}}}},
            "huggingface.batch_size",
        ),
        ({"rag": {"embeddings": {"huggingface": {"batch_size": 0}}}}, "huggingface.batch_size"),
        (
            {"rag": {"embeddings": {"huggingface": {"model": 7}}}},
            "rag.embeddings.huggingface.model",
        ),
        (
            {"rag": {"embeddings": {"huggingface": {"normalize_embeddings": "perhaps"}}}},
            "rag.embeddings.huggingface.normalize_embeddings",
        ),
        ({"messaging": "redis"}, "messaging"),
        ({"messaging": {"prometheus_port": 70_000}}, "messaging.prometheus_port"),
        ({"messaging": {"kafka": {"bootstrap_servers": ["a"]}}}, "kafka.bootstrap_servers"),
        ({"ncb": {"workers": True}}, "ncb.workers"),
        ({"vectors": {"hnsw_m": 1}}, "vectors.hnsw_m"),
        ({"neuralcore": {"enabled": 3}}, "neuralcore.enabled"),
        ({"neuralcore": {"vectors": {"enabled": "?"}}}, "neuralcore.vectors.enabled"),
    ],
)
def test_a_value_that_makes_no_sense_is_refused_with_its_key(config, key):
    with pytest.raises(ValueError, match=key) as refused:
        configure_from_atlas(config=config)
    assert isinstance(refused.value, InvalidRequest)


@pytest.mark.parametrize("text", ["a: [", "- 1", "\xff\xfe"])
def test_a_file_that_cannot_be_read_is_named(tmp_path, text):
    (tmp_path / "config.yaml").write_bytes(text.encode("latin-1"))
    with pytest.raises(InvalidRequest, match=r"config\.yaml"):
        load_atlas_config(tmp_path)


def test_something_else_is_no_configuration():
    with pytest.raises(InvalidRequest, match="ConfigManager"):
        configure_from_atlas(config=7)


def test_what_is_applied_holds_and_is_a_copy():
    given = configure_from_atlas(config={"embedding": {"model": "gte-small"}})
    apply_config(given)
    given["embedding"]["model_name"] = "changed"
    current_config()["embedding"]["model_name"] = "changed"
    assert current_config()["embedding"]["model_name"] == "gte-small"
    assert neuralcore._config == current_config()


def test_missing_parts_are_applied_with_their_defaults():
    apply_config({"vectors": {"hnsw_m": 8}})
    assert current_config()["vectors"]["hnsw_m"] == 8
    assert current_config()["vectors"]["hnsw_ef_search"] == 50
    assert is_enabled("embedding")


@pytest.mark.parametrize(
    ("given", "key"),
    [
        ([], "neuralcore_config"),
        ({"vector": {}}, "vector"),
        ({"vectors": 3}, "vectors"),
        ({"vectors": {"m": 3}}, r"vectors\.m"),
        ({"embedding": {"max_batch_size": "x"}}, r"embedding\.max_batch_size"),
    ],
)
def test_what_cannot_be_applied_leaves_things_as_they_were(given, key):
    apply_config({"vectors": {"hnsw_m": 8}})
    with pytest.raises(InvalidRequest, match=key):
        apply_config(given)
    assert current_config()["vectors"]["hnsw_m"] == 8


def test_threads_see_one_configuration_or_the_other():
    one, two = ({"vectors": {"hnsw_m": m, "hnsw_ef_search": m}} for m in (8, 9))
    apply_config(one)
    seen = set()

    def look() -> None:
        for _ in range(300):
            vectors = current_config()["vectors"]
            seen.add((vectors["hnsw_m"], vectors["hnsw_ef_search"]))

    threads = [threading.Thread(target=look) for _ in range(2)]
    for thread in threads:
        thread.start()
    for i in range(300):
        apply_config(two if i % 2 else one)
    for thread in threads:
        thread.join(60)
    assert seen <= {(8, 8), (9, 9)}
