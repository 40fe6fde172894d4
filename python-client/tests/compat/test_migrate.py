"""A tree that is migrated, and all of it put back."""

from __future__ import annotations

import asyncio
import json
import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from compat.atlas_tree import commit, contents, make_tree
from neuralcore._default import set_default_client
from neuralcore.client import Client
from neuralcore.compat._adopt import files
from neuralcore.compat.atlas_vectors import NeuralCoreVectorStoreAdapter
from neuralcore.messaging import MessageBus
from neuralcore.migrate import main


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    return make_tree(tmp_path / "atlas")


def run(root: Path, *arguments: str) -> int:
    return main(["--atlas-root", str(root), *arguments])


def test_a_dry_run_shows_and_changes_nothing(tree, capsys):
    before = contents(tree)
    assert run(tree, "--dry-run") == 0
    said = capsys.readouterr().out
    assert "+from neuralcore.compat.agent_bus import (" in said
    assert "+from neuralcore.compat.agent_bus import AgentBus as Bus" in said
    assert "tests/test_bus.py" not in said
    assert "would change 3 places in 2 files" in said
    assert contents(tree) == before


def test_applied_it_imports_ours_and_reverted_every_byte_is_back(tree):
    os.chmod(tree / "app.py", 0o750)
    commit(tree)
    before = contents(tree)
    assert run(tree, "--apply") == 0
    program = (
        "import app; print(app.bus().__module__, app.NCBMessage.__module__, app.Bus.__module__)"
    )
    said = subprocess.run(
        [sys.executable, "-B", "-c", program], cwd=tree, capture_output=True, text=True, check=True
    )
    ours = ["neuralcore.compat._agent.bus", "neuralcore.compat._ncb.message"]
    assert said.stdout.split() == [*ours, ours[0]]
    assert run(tree, "--revert") == 0
    assert contents(tree) == before
    assert os.stat(tree / "app.py").st_mode & 0o777 == 0o750
    assert files.dirty(tree) == []


def test_applied_twice_is_applied_once(tree, capsys):
    before = contents(tree)
    assert run(tree, "--apply") == 0
    once = contents(tree)
    capsys.readouterr()
    assert run(tree, "--apply") == 0
    assert "changed 0 places in 0 files" in capsys.readouterr().out
    assert contents(tree) == once
    assert run(tree, "--revert") == 0
    assert contents(tree) == before
    assert run(tree, "--revert") == 0
    assert "not migrated" in capsys.readouterr().out


def test_it_can_be_reverted_after_it_was_committed(tree):
    before = contents(tree)
    assert run(tree, "--apply") == 0
    commit(tree)
    assert run(tree, "--revert") == 0
    assert contents(tree) == before


def test_a_tree_with_changes_is_refused(tree, capsys):
    (tree / "new.py").write_text("x = 1\n")
    before = contents(tree)
    assert run(tree, "--apply") == 1
    assert "new.py" in capsys.readouterr().err
    assert contents(tree) == before


def test_a_folder_around_it_is_left_alone(tmp_path, capsys):
    tree = make_tree(tmp_path / "atlas", git=False)
    before = {path: path.read_bytes() for path in tree.rglob("*.py")}
    assert main(["--atlas-root", str(tmp_path), "--apply"]) == 1
    assert "neither core nor modules" in capsys.readouterr().err
    assert {path: path.read_bytes() for path in tree.rglob("*.py")} == before


def test_a_tree_without_git_is_migrated(tmp_path):
    tree = make_tree(tmp_path / "atlas", git=False)
    before = contents(tree)
    assert run(tree, "--apply") == 0
    assert run(tree, "--revert") == 0
    assert contents(tree) == before


def test_what_was_edited_since_is_not_overwritten(tree, capsys):
    assert run(tree, "--apply") == 0
    with (tree / "app.py").open("a") as out:
        out.write("y = 2\n")
    now = contents(tree)
    assert run(tree, "--revert") == 1
    assert "app.py" in capsys.readouterr().err
    assert contents(tree) == now


def test_what_was_interrupted_is_reverted(tree, monkeypatch):
    """The backups and the list are there before the first file is another."""
    before = contents(tree)
    real = files._write

    def broken(file: Path, content: bytes, like: Path | None = None) -> None:
        if like is not None and file.name == "app.py":
            raise OSError("no space left")
        real(file, content, like)

    # app.py is the first file that is changed; then the one after it.
    monkeypatch.setattr(files, "_write", broken)
    assert run(tree, "--apply") == 1
    monkeypatch.setattr(files, "_write", real)
    assert run(tree, "--revert") == 0
    assert contents(tree) == before


def test_a_file_that_is_no_python_is_told(tree, capsys):
    (tree / "odd.py").write_text("from core.messaging.agent_bus import (\n")
    commit(tree)
    assert run(tree, "--dry-run") == 0
    assert "odd.py:1: not understood" in capsys.readouterr().out


def atlas_journal(path: Path, messages: int) -> None:
    """A file as ATLAS's bus writes it."""
    with sqlite3.connect(path) as connection:
        connection.execute(
            "CREATE TABLE ncb_messages (channel TEXT NOT NULL, "
            "seq INTEGER PRIMARY KEY AUTOINCREMENT, msg_id TEXT NOT NULL, ts REAL NOT NULL, "
            "priority INTEGER NOT NULL, data BLOB NOT NULL)"
        )
        for i in range(messages):
            id_ = f"00000000-0000-4000-8000-{i:012d}"
            body = {"id": id_, "channel": "jobs", "ts": 1.7e9 + i, "priority": 5}
            blob = msgspec.msgpack.encode({**body, "payload": {"i": i}, "meta": {}})
            connection.execute(
                "INSERT INTO ncb_messages (channel, msg_id, ts, priority, data)"
                " VALUES (?, ?, ?, ?, ?)",
                ("jobs", id_, 1.7e9 + i, 5, blob),
            )
    connection.close()


def test_a_journal_is_taken_over_and_given_back(tree, tmp_path, client: Client, capsys):
    path = tmp_path / "ncb.sqlite"
    atlas_journal(path, 25)
    original = path.read_bytes()
    before = set_default_client(client)
    try:
        assert run(tree, "--dry-run", "--journal", str(path)) == 0
        assert path.read_bytes() == original
        assert run(tree, "--apply", "--journal", str(path)) == 0
        assert "25 of 25 messages taken over, 0 not readable" in capsys.readouterr().out
        with MessageBus(path, client=client) as bus:
            assert [m["payload"]["i"] for m in bus.history("jobs")] == list(range(25))
        assert run(tree, "--apply", "--journal", str(path)) == 0
        assert "migrated already" in capsys.readouterr().out
        assert run(tree, "--revert") == 0
        assert path.read_bytes() == original
    finally:
        set_default_client(before)


def test_vectors_are_taken_over(tree, tmp_path, client: Client, capsys):
    path = tmp_path / "vectors.json"
    records = {
        f"r{i}": {"id": f"r{i}", "values": [float(i), 1.0, 0.0], "metadata": {"n": i}}
        for i in range(5)
    }
    path.write_text(json.dumps({"docs": records, "more": {"x": {"values": [1, 2]}}}))
    original = path.read_bytes()
    more = ("--vectors", str(path), "--index", "migrated")
    before = set_default_client(client)
    try:
        assert run(tree, "--dry-run", *more) == 0
        assert "6 vectors in 2 namespaces would be taken over" in capsys.readouterr().out
        for _ in range(2):
            assert run(tree, "--apply", *more) == 0
            assert "6 vectors in 2 namespaces taken over" in capsys.readouterr().out
        adapter = NeuralCoreVectorStoreAdapter(index_name="migrated", client=client)
        found = asyncio.run(adapter.query_vectors("docs", [4.0, 1.0, 0.0], top_k=9))
        assert [match.id for match in found.matches] == ["r4", "r3", "r2", "r1", "r0"]
        assert found.matches[0].metadata["n"] == 4
        other = asyncio.run(adapter.query_vectors("more", [1.0, 2.0], top_k=9))
        assert [match.id for match in other.matches] == ["x"]
        assert run(tree, "--revert") == 0
        assert path.read_bytes() == original
    finally:
        set_default_client(before)


@pytest.mark.parametrize(
    "content", ["[]", "{", '{"a": 1}', '{"a": {"r": {"values": ["x"]}}}', '{"a": {"r": 1}}']
)
def test_no_vectors_are_no_vectors(tree, tmp_path, capsys, content):
    path = tmp_path / "vectors.json"
    path.write_text(content)
    assert run(tree, "--apply", "--vectors", str(path)) == 1
    assert str(path) in capsys.readouterr().err
    assert files.read_manifest(tree) is None


def test_no_journal_is_no_journal(tree, tmp_path, capsys):
    path = tmp_path / "other.db"
    path.write_bytes(b"no database")
    assert run(tree, "--apply", "--journal", str(path)) == 1
    assert "no file of ATLAS's message bus" in capsys.readouterr().err
    assert path.read_bytes() == b"no database"
    assert files.read_manifest(tree) is None
