"""ATLAS's names replaced while it runs."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import neuralcore
from compat.atlas_tree import make_tree
from neuralcore.compat import agent_bus, atlas_ncb
from neuralcore.compat._adopt.table import SWAPS, swaps_of
from neuralcore.compat.atlas_vectors import COPIES
from neuralcore.compat.config import apply_config

STORAGE_BASE = """
from abc import ABC
_EMBEDDING_PROVIDERS = {}

class EmbeddingProvider(ABC):
    pass

class EmbeddingError(Exception): ...
class EmbeddingProviderError(EmbeddingError): ...
class EmbeddingGenerationError(EmbeddingError): ...
class EmbeddingRateLimitError(EmbeddingError): ...

def register_embedding_provider(name):
    def decorator(cls):
        _EMBEDDING_PROVIDERS[name] = cls
        return cls
    return decorator
"""


@pytest.fixture(autouse=True)
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    root = make_tree(tmp_path / "atlas", git=False)
    monkeypatch.syspath_prepend(root)
    before = set(sys.modules)
    yield root
    neuralcore.disable()
    for name in set(sys.modules) - before:
        if name.partition(".")[0] in ("core", "app", "modules"):
            del sys.modules[name]


def test_what_is_imported_later_is_ours():
    assert neuralcore.enable(embedding=False, vectors=False) == ("messaging",)
    app = importlib.import_module("app")
    messaging = importlib.import_module("core.messaging")
    assert app.AgentBus is app.Bus is messaging.AgentBus is agent_bus.AgentBus
    assert app.NCBMessage is atlas_ncb.Message
    assert messaging.AgentMessage.__module__ == "core.messaging.messages"
    assert type(messaging.__loader__) is type(app.__loader__)


def test_what_was_imported_before_is_ours_too():
    app = importlib.import_module("app")
    theirs, message = app.AgentBus, app.NCBMessage
    neuralcore.enable(embedding=False, vectors=False)
    assert app.AgentBus is app.Bus is agent_bus.AgentBus
    assert app.NCBMessage is atlas_ncb.Message
    assert app.get_agent_bus is agent_bus.get_agent_bus
    assert neuralcore.disable() == ("messaging",)
    assert app.AgentBus is app.Bus is theirs
    assert app.NCBMessage is message
    assert importlib.import_module("core.messaging.agent_bus").AgentBus is theirs


def test_disabled_it_is_as_if_it_had_never_been():
    neuralcore.enable(embedding=False, vectors=False)
    app = importlib.import_module("app")
    finders = len(sys.meta_path)
    neuralcore.disable()
    assert app.AgentBus.__module__ == app.Bus.__module__ == "core.messaging.agent_bus"
    assert app.AgentBus().below().__module__ == "core.messaging.NCB"
    assert len(sys.meta_path) == finders - 1
    assert neuralcore.disable() == ()


def test_only_the_parts_wanted():
    assert neuralcore.enable(messaging=False, embedding=False, vectors=False) == ()
    app = importlib.import_module("app")
    assert app.AgentBus.__module__ == "core.messaging.agent_bus"
    assert neuralcore.enable(embedding=False, vectors=False) == ("messaging",)
    assert neuralcore.enable(embedding=False, vectors=False) == ("messaging",)
    assert app.AgentBus is agent_bus.AgentBus


def test_registries_and_methods_and_all_that_is_put_back(tree):
    package = tree / "modules/storage/embeddings"
    package.mkdir(parents=True)
    for folder in (package, package.parent, package.parent.parent):
        (folder / "__init__.py").write_text("")
    (package / "base.py").write_text(STORAGE_BASE)
    (package / "huggingface.py").write_text(
        "from .base import EmbeddingProvider, register_embedding_provider\n\n"
        '@register_embedding_provider("huggingface")\n'
        "class HuggingFaceEmbeddingProvider(EmbeddingProvider):\n    pass\n"
    )
    (tree / "modules/storage/chunking").mkdir()
    (tree / "modules/storage/chunking/__init__.py").write_text(
        "from .semantic import cosine_similarity\n"
    )
    (tree / "modules/storage/chunking/semantic.py").write_text(
        "def cosine_similarity(vec1, vec2):\n    return 'theirs'\n"
    )
    base = importlib.import_module("modules.storage.embeddings.base")
    theirs = importlib.import_module("modules.storage.embeddings.huggingface")
    original = theirs.HuggingFaceEmbeddingProvider
    neuralcore.enable(messaging=False)
    chunking = importlib.import_module("modules.storage.chunking")
    assert base._EMBEDDING_PROVIDERS["huggingface"] is theirs.HuggingFaceEmbeddingProvider
    assert theirs.HuggingFaceEmbeddingProvider is not original
    assert issubclass(base._EMBEDDING_PROVIDERS["neuralcore"], base.EmbeddingProvider)
    assert chunking.cosine_similarity([1.0, 0.0], [1.0, 0.0]) == pytest.approx(1.0)
    neuralcore.disable()
    assert base._EMBEDDING_PROVIDERS["huggingface"] is original
    assert theirs.HuggingFaceEmbeddingProvider is original
    assert chunking.cosine_similarity([1.0], [1.0]) == "theirs"


def test_what_the_configuration_switches_off_stays_atlas():
    apply_config({"messaging": {"enabled": False}})
    try:
        assert neuralcore.enable() == ("embedding", "vectors")
        assert neuralcore.enable(messaging=True) == ("messaging", "embedding", "vectors")
    finally:
        apply_config({})


def test_the_table_has_every_cosine():
    ours = {
        (s.module, s.name, s.ours.partition(":")[2])
        for s in swaps_of(("vectors",))
        if s.how == "body"
    }
    # The package takes its one from the module that is in the table.
    packages = {"modules.storage.chunking"}
    known = {(c.module, c.place, c.ours.__name__) for c in COPIES if c.module not in packages}
    assert ours == known


@pytest.mark.parametrize("swap", SWAPS, ids=lambda swap: swap.ours)
def test_ours_are_there(swap):
    assert swap.resolve() is not None
