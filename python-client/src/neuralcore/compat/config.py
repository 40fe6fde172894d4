"""The part of ATLAS's configuration that concerns us.

::

    from neuralcore.compat.config import apply_config, configure_from_atlas

    apply_config(configure_from_atlas("/path/of/atlas"))    # or a ConfigManager of ATLAS's

``configure_from_atlas`` reads the keys that ATLAS has (``rag.embeddings.huggingface.*``,
``messaging.*``), those of the planning documents (``embedding.*``, ``ncb.*``, ``vectors.*``), which
win where both are given, and our own switches::

    neuralcore:
      enabled: true        # false leaves every part of ATLAS as it is
      embedding: true      # false leaves this one
      messaging: true
      vectors: true

What ``apply_config`` was given holds for the providers and collections that are made afterwards and
are not told otherwise. A value that makes no sense raises ``InvalidRequest`` (a ``ValueError``)
with its key. ``docs/atlas-vectors-embedding.md`` lists the keys. All functions are thread-safe.
"""

from __future__ import annotations

import copy
import importlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from neuralcore.compat._atlas.reader import Section, refused, section
from neuralcore.errors import NotSupported

__all__ = [
    "PARTS",
    "apply_config",
    "configure_from_atlas",
    "current_config",
    "is_enabled",
    "load_atlas_config",
]

PARTS = ("embedding", "messaging", "vectors")
"""What can be switched on and off by itself."""

_FILES = ("config.yaml", "core/config/atlas_config.yaml", "ATLAS/config/atlas_config.yaml")
"""The one by hand, then those that ATLAS's ConfigManager writes, by its age."""


def load_atlas_config(atlas_root: str | os.PathLike[str] | None = None) -> dict[str, Any]:
    """ATLAS's configuration files as one mapping.

    ``config.yaml``, and over it what ATLAS's ConfigManager has written
    (``core/config/atlas_config.yaml``, ``ATLAS/config/atlas_config.yaml``), key by key.

    :param atlas_root: ATLAS's folder; ``ATLAS_ROOT`` of the environment by default, else the
        working directory.
    :returns: an empty one if there are no such files.
    :raises InvalidRequest: if one is not YAML, or holds no mapping.
    :raises NotSupported: if PyYAML is missing.
    """
    root = Path(atlas_root if atlas_root is not None else os.environ.get("ATLAS_ROOT") or ".")
    merged: dict[str, Any] = {}
    for name in _FILES:
        path = root / name
        if path.is_file():
            merged = _merged(merged, _read(path))
    return merged


def configure_from_atlas(
    atlas_root: str | os.PathLike[str] | None = None,
    config: Mapping[str, Any] | Any | None = None,
) -> dict[str, Any]:
    """Our settings, out of ATLAS's.

    :param atlas_root: as for :func:`load_atlas_config`; not looked at if ``config`` is given.
    :param config: a mapping with ATLAS's keys; or an instance of ATLAS's ConfigManager, whose
        environment counts too: ``REDIS_URL``, ``KAFKA_BOOTSTRAP_SERVERS``.
    :returns: ``enabled``, and for each of :data:`PARTS` a dict with ``enabled`` and its settings:
        embedding ``model_name``, ``max_batch_size``, ``normalize``, ``cache_dir``, ``device``;
        messaging ``backend``, ``persistence_path``, ``worker_count``, ``redis_url``,
        ``kafka_bootstrap``, ``enable_prometheus``, ``prometheus_port``; vectors ``hnsw_m``,
        ``hnsw_ef_construction``, ``hnsw_ef_search``. What is not set is None, or the default.
    :raises InvalidRequest: if a value makes no sense; the message names its key.
    """
    if config is None:
        config = load_atlas_config(atlas_root)
    values, environment = _values_of(config)
    switches = section(values, "neuralcore")
    result: dict[str, Any] = {"enabled": switches.flag("enabled", True)}
    result["embedding"] = _embedding(values)
    result["messaging"] = _messaging(values, environment)
    result["vectors"] = _vectors(section(values, "vectors"))
    for part in PARTS:
        result[part]["enabled"] = result["enabled"] and _switch(switches, part)
    return result


def apply_config(neuralcore_config: Mapping[str, Any]) -> None:
    """Has what is made from now on use these settings, unless it is told otherwise.

    :param neuralcore_config: of :func:`configure_from_atlas`; parts and settings that are missing
        have their defaults.
    :raises InvalidRequest: if it is no such mapping.
    """
    import neuralcore

    if not isinstance(neuralcore_config, Mapping):
        raise refused("neuralcore_config", neuralcore_config, "a mapping")
    given = Section("neuralcore_config", neuralcore_config)
    applied = configure_from_atlas(config={})
    for key in given:
        if key not in applied:
            raise refused("a key of neuralcore_config", key, f"one of {', '.join(applied)}")
    applied["enabled"] = given.flag("enabled", True)
    for part in PARTS:
        applied[part] = _checked(section(given, part), applied[part])
    neuralcore._config = applied


def current_config() -> dict[str, Any]:
    """A copy of what :func:`apply_config` was given last, or of the defaults."""
    import neuralcore

    applied = neuralcore._config
    return copy.deepcopy(applied) if applied is not None else configure_from_atlas(config={})


def is_enabled(part: str, config: Mapping[str, Any] | None = None) -> bool:
    """Whether a part (of :data:`PARTS`) is to stand in for ATLAS's.

    :param config: of :func:`configure_from_atlas`; by default what was applied.
    """
    if part not in PARTS:
        raise refused("part", part, f"one of {', '.join(PARTS)}")
    chosen = current_config() if config is None else config
    switch = chosen.get(part, {}).get("enabled", True)
    return bool(chosen.get("enabled", True)) and bool(switch)


def _embedding(values: Mapping[str, Any]) -> dict[str, Any]:
    theirs = section(values, "rag", "embeddings", "huggingface")
    ours = section(values, "embedding")
    return {
        "model_name": ours.text("model", theirs.text("model", None)),
        "max_batch_size": ours.count("batch_size", theirs.count("batch_size", 32)),
        "normalize": ours.flag("normalize", theirs.flag("normalize_embeddings", True)),
        "cache_dir": ours.text("cache_dir", theirs.text("cache_folder", None)),
        "device": theirs.text("device", None),
    }


def _messaging(values: Mapping[str, Any], environment: Mapping[str, Any]) -> dict[str, Any]:
    # As the planning documents have it: `ncb` counts where there is no `messaging`.
    name = "messaging" if section(values, "messaging") else "ncb"
    block = section(values, name)
    kafka = section(values, name, "kafka")
    backend = (block.text("backend", "in_memory") or "in_memory").lower()
    outside = backend in ("redis", "ncb")
    servers = kafka.text("bootstrap_servers", environment.get("KAFKA_BOOTSTRAP_SERVERS"))
    return {
        "backend": backend,
        "persistence_path": block.text("persistence_path", None),
        "worker_count": block.count("workers", 4),
        "redis_url": block.text("redis_url", environment.get("REDIS_URL") if outside else None),
        "kafka_bootstrap": block.text(
            "kafka_bootstrap", block.text("kafka_bootstrap_servers", servers)
        ),
        "enable_prometheus": block.flag("enable_prometheus", False),
        "prometheus_port": block.count("prometheus_port", 9090, most=65_535),
    }


def _vectors(block: Section) -> dict[str, Any]:
    return {
        "hnsw_m": block.count("hnsw_m", 16, least=2),
        "hnsw_ef_construction": block.count("hnsw_ef_construction", 200),
        "hnsw_ef_search": block.count("hnsw_ef_search", 50),
    }


def _checked(given: Section, defaults: Mapping[str, Any]) -> dict[str, Any]:
    """Those given over the defaults, whose types they must have."""
    checked: dict[str, Any] = {}
    for key in given:
        if key not in defaults:
            raise refused(f"{given.path}.{key}", given[key], f"one of {', '.join(defaults)}")
    for key, default in defaults.items():
        if isinstance(default, bool):
            checked[key] = given.flag(key, default)
        elif isinstance(default, int):
            checked[key] = given.count(key, default)
        else:
            checked[key] = given.text(key, default)
    return checked


def _switch(switches: Section, part: str) -> bool:
    """``neuralcore.<part>``, a bool or a mapping with ``enabled``."""
    if isinstance(switches.get(part), Mapping):
        return section(switches, part, path="neuralcore").flag("enabled", True)
    return switches.flag(part, True)


def _values_of(config: Any) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """The configuration, and the environment as ATLAS has read it."""
    if isinstance(config, Mapping):
        return config, {}
    values = getattr(config, "config", None)
    if not isinstance(values, Mapping):
        raise refused("config", config, "a mapping or a ConfigManager")
    # What ATLAS has changed since it read its file, and what it takes from the environment.
    environment = {**os.environ, **_given(getattr(config, "env_config", None))}
    return values, {**environment, **_given(values)}


def _given(values: Any) -> dict[str, Any]:
    return {k: v for k, v in values.items() if v} if isinstance(values, Mapping) else {}


def _read(path: Path) -> Mapping[str, Any]:
    try:
        yaml: Any = importlib.import_module("yaml")
    except ImportError as e:
        raise NotSupported(
            f"Reading {path} needs PyYAML.", hint="pip install 'neuralcore-runtime[atlas]'"
        ) from e
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as e:
        raise refused(str(path), "not YAML", f"readable: {e}") from e
    if content is None:
        return {}
    if not isinstance(content, Mapping):
        raise refused(str(path), content, "a mapping")
    return content


def _merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Both, key by key; where both have one, that of ``above``."""
    merged = dict(below)
    for key, value in above.items():
        known = merged.get(key)
        both = isinstance(known, Mapping) and isinstance(value, Mapping)
        merged[key] = _merged(known, value) if both else value  # type: ignore[arg-type]
    return merged
