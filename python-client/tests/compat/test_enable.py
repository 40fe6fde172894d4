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


@pytest.fixture(autouse=True)
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    root = make_tree(tmp_path / "atlas", git=False)
    monkeypatch.syspath_prepend(root)
    before = set(sys.modules)
    yield root
    neuralcore.disable()
    for name in set(sys.modules) - before:
        if name.partition(".")[0] in ("core", "app"):
            del sys.modules[name]


def test_what_is_imported_later_is_ours():
    assert neuralcore.enable(embedding=False, vectors=False) == ("bus",)
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
    assert neuralcore.disable() == ("bus",)
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
    assert neuralcore.enable(bus=False, embedding=False, vectors=False) == ()
    app = importlib.import_module("app")
    assert app.AgentBus.__module__ == "core.messaging.agent_bus"
    assert neuralcore.enable(embedding=False, vectors=False) == ("bus",)
    assert neuralcore.enable(embedding=False, vectors=False) == ("bus",)
    assert app.AgentBus is agent_bus.AgentBus
