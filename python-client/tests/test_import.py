"""The names that the package promises, and what importing it costs."""

from __future__ import annotations

import json
import os
import socket
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


def in_fresh_python(program: str, *options: str) -> object:
    """What the program prints, as JSON."""
    done = subprocess.run(
        [sys.executable, *options, "-c", program],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
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


# Each takes a good part of the time that the question may take, or more than that.
HEAVY = {
    "asyncio",
    "json",
    "logging",
    "neuralcore._connection",
    "neuralcore._wire",
    "neuralcore.daemon",
    "neuralcore.errors",
    "numpy",
    "pathlib",
    "re",
    "shutil",
    "socket",
    "subprocess",
    "typing",
    "urllib",
}


@pytest.mark.skipif(sys.implementation.name != "cpython", reason="others have no _json")
@pytest.mark.parametrize("where", ["nowhere", "a Java", "ready file", "url"])
def test_asking_whether_it_is_native_is_light(monkeypatch, tmp_path, where):
    """Whichever way the answer is found. Without ``site``, whose packages may load anything."""
    monkeypatch.delenv("NEURALCORE_URL", raising=False)
    monkeypatch.setenv("NEURALCORE_HOME", str(tmp_path))
    monkeypatch.setenv("NEURALCORE_JAR", str(tmp_path / "neuralcore.jar"))
    for name in ("NEURALCORE_JAVA", "JAVA_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NEURALCORE_JAVA_FOLDERS", str(tmp_path / "jdk"))
    package = os.path.dirname(os.path.dirname(neuralcore.__file__))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        if where == "ready file":
            ready = {"pid": os.getpid(), "host": "127.0.0.1", "port": port, "open": True}
            (tmp_path / "run").mkdir()
            (tmp_path / "run" / "ready.json").write_text(json.dumps(ready))
        elif where == "a Java":
            (tmp_path / "neuralcore.jar").touch()
            (tmp_path / "jdk").mkdir()
            (tmp_path / "jdk" / "release").write_text('JAVA_VERSION="25.0.3"\n')
        elif where == "url":
            monkeypatch.setenv("NEURALCORE_URL", f"tcp://127.0.0.1:{port}?token=t")
        native, loaded = in_fresh_python(
            f"import sys; sys.path.insert(0, {package!r}); import neuralcore;"
            "native = neuralcore.is_native_available(); loaded = sorted(sys.modules);"
            "import json; print(json.dumps([native, loaded]))",
            "-S",
        )
    assert native is (where != "nowhere" and (os.name == "posix" or where != "a Java"))
    assert not HEAVY & set(loaded)


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
