"""The check, on a tree whose tests say what it should find."""

from __future__ import annotations

import json
import sys
import venv
from pathlib import Path

from compat.atlas_tree import contents, make_tree
from neuralcore.compat.check import main

TESTS = {
    "tests/test_same.py": """
from core.messaging import AgentBus

def test_same():
    assert AgentBus

def test_wrong_anyway():
    assert False, "not ours"
""",
    "tests/test_fixed.py": """
from core.messaging import AgentBus

def test_fixed():
    assert AgentBus.publish_from_sync
""",
    "tests/test_chance.py": """
import uuid
import pytest
from core.messaging import AgentBus

@pytest.mark.parametrize("name", [uuid.uuid4().hex, uuid.uuid4().hex])
def test_chance(name):
    assert name
""",
    "tests/test_worse.py": """
from core.messaging import AgentBus

def test_worse():
    assert AgentBus.__module__ == "core.messaging.agent_bus"
""",
    "tests/test_far.py": """
def test_far():
    pass
""",
    "tests/test_alone.py": """
import there_is_no_such_library
""",
}


def check(root: Path, *more: str) -> int:
    options = ["--python", sys.executable, "--backend", "fallback", "--part", "messaging", *more]
    return main(["--atlas-root", str(root), *options])


def tree(tmp_path: Path) -> Path:
    root = make_tree(tmp_path / "atlas", git=False)
    for path, text in TESTS.items():
        (root / path).write_text(text)
    return root


def test_it_finds_what_is_better_and_what_is_worse(tmp_path, capsys):
    root = tree(tmp_path)
    before = contents(root)
    report = tmp_path / "report.json"
    assert check(root, "--report", str(report), "--jobs", "2") == 1
    said = capsys.readouterr().out
    assert contents(root) == before
    files = {Path(each["file"]).stem: each for each in json.loads(report.read_text())}
    assert files["test_fixed"]["fixed"] == ["tests/test_fixed.py::test_fixed"]
    assert files["test_worse"]["regressed"] == {"fallback": ["tests/test_worse.py::test_worse"]}
    assert files["test_same"]["regressed"] == files["test_chance"]["regressed"] == {}
    assert files["test_far"]["after"] == {}
    assert "fixed: 1\n  tests/test_fixed.py::test_fixed" in said
    assert "regressed: 1\n  tests/test_worse.py::test_worse (fallback: " in said
    assert "errors outside our part, without us and with us: 1\n" in said
    assert "tests/test_same.py::test_wrong_anyway: AssertionError: not ours" in said
    assert "cannot be imported without us: 1\n  tests/test_alone.py: ModuleNotFoundError" in said
    assert "1 other files, run once: 1 passed" in said


def test_a_migrated_copy_is_as_good_and_reverts(tmp_path, capsys):
    root = tree(tmp_path)
    before = contents(root)
    assert check(root, "--how", "migrate", "tests/test_fixed.py") == 0
    said = capsys.readouterr().out
    assert "fixed: 1" in said
    assert "the migrated copy, reverted: as before" in said
    assert contents(root) == before


def test_what_is_no_checkout_is_told(tmp_path, capsys):
    assert check(tmp_path) == 2
    assert "no checkout of ATLAS" in capsys.readouterr().out


def test_an_interpreter_that_cannot_run_the_tests_is_told(tmp_path, capsys):
    root = tree(tmp_path)
    venv.create(tmp_path / "bare", with_pip=False)
    for python, why in (
        (str(tmp_path / "bare" / "bin" / "python"), "lacks pytest, pytest-asyncio, msgspec, numpy"),
        (str(tmp_path / "none"), "cannot be run"),
        ("/bin/false", "is no Python"),
    ):
        assert main(["--atlas-root", str(root), "--python", python]) == 2
        assert f"{python} {why}" in capsys.readouterr().out
