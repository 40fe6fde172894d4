"""The names that the package promises, and what importing it costs."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

import neuralcore
from neuralcore import _default

SEED_NAMES = {
    "__version__",
    "is_native_available",
    "get_available_features",
    "cosine_similarity",
    "cosine_similarity_batch",
    "euclidean_distance",
    "dot_product",
    "normalize",
    "HNSWIndex",
    "EmbeddingEngine",
    "embed_text",
    "embed_batch",
    "MessageBus",
    "Message",
    "Priority",
    "NATIVE_AVAILABLE",
    "vectors",
    "embedding",
    "messaging",
}


def in_fresh_python(program: str) -> object:
    """What the program prints, as JSON."""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True
    )
    return json.loads(done.stdout)


def test_exported_members():
    assert set(neuralcore.__all__) >= SEED_NAMES
    assert len(neuralcore.__all__) == len(set(neuralcore.__all__))
    for name in neuralcore.__all__:
        assert getattr(neuralcore, name) is not None, name
        assert name in dir(neuralcore)


def test_submodules_export_what_they_name():
    for module in (neuralcore.vectors, neuralcore.embedding, neuralcore.messaging):
        for name in module.__all__:
            assert hasattr(module, name), name


def test_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        neuralcore.nonsense  # noqa: B018


def test_import_is_light():
    loaded = in_fresh_python(
        "import sys, json; before = set(sys.modules); import neuralcore;"
        "print(json.dumps(sorted(set(sys.modules) - before)))"
    )
    assert "numpy" not in loaded
    assert "asyncio" not in loaded
    assert all(not name.startswith(("torch", "sentence_transformers")) for name in loaded)
    assert {n for n in loaded if n.startswith("neuralcore")} <= {
        "neuralcore",
        "neuralcore._version",
    }


def test_short_lists_need_no_numpy():
    assert in_fresh_python(
        "import sys, json, neuralcore;"
        "x = neuralcore.cosine_similarity([3.0, 4.0], [3.0, 4.0]);"
        "print(json.dumps([x, 'numpy' in sys.modules]))"
    ) == [1.0, False]


def test_runtime_info():
    info = neuralcore.runtime_info()
    assert info["version"] == neuralcore.__version__
    assert isinstance(info["native_available"], bool)
    assert info["python_version"] == sys.version
    assert info["platform"] == sys.platform


def test_features():
    features = neuralcore.get_available_features()
    assert set(features) == {"native", "vectors", "embedding", "messaging"}
    assert features["native"] == neuralcore.is_native_available() == neuralcore.NATIVE_AVAILABLE
    assert features["vectors"] is True


@pytest.fixture
def no_client():
    """A process that has not connected yet, whatever other tests did before."""
    before = _default.set_default_client(None)
    yield
    _default.set_default_client(before)


def test_an_address_where_nobody_listens_is_not_native(no_client, monkeypatch, tmp_path):
    monkeypatch.setenv("NEURALCORE_URL", f"unix:{tmp_path}/nobody.sock")
    assert neuralcore.is_native_available() is False
