"""`neuralcore demo`, run as a user runs it, on a real daemon."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from neuralcore.cli import demo
from neuralcore.testing import RunningDaemon

NOTES = {
    "food.md": "# Kitchen\n\nThe soup needs two onions, a carrot and an hour on a low flame.\n",
    "garden.md": "# Garden\n\nThe roses are cut back in early spring, before the buds open.\n",
    "house/roof.txt": "The roof was repaired last year and the gutters were cleaned in autumn.\n",
}


@pytest.fixture
def notes(tmp_path: Path) -> Path:
    folder = tmp_path / "notes"
    for name, text in NOTES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "neuralcore.cli", "demo", *arguments],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=300,
    )


def document(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    assert done.returncode == 0, done.stderr
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def test_finds_what_was_asked_for(notes: Path, neuralcore_daemon: RunningDaemon) -> None:
    questions = ["--ask", "When should I prune the flowers?", "--ask", "Is the house dry?"]
    with neuralcore_daemon.client() as client:
        before = client.collections()
    result = document(run(str(notes), *questions, "--json", "--url", neuralcore_daemon.url))
    first, second = (answer["hits"][0] for answer in result["answers"])
    assert (first["file"], first["line"]) == ("garden.md", 1)
    assert second["file"] == "house/roof.txt"
    assert 0 < first["score"] <= 1
    assert result["backend"] == "daemon"
    assert result["received"] == {"console": result["published"], "audit": result["published"]}
    with neuralcore_daemon.client() as client:
        assert client.collections() == before, "the demo's collection stayed behind"


def test_what_people_see(notes: Path, neuralcore_daemon: RunningDaemon) -> None:
    (notes / "picture.txt").write_bytes(b"\x89PNG\0\0")
    done = run(str(notes), "--url", neuralcore_daemon.url, COLUMNS="80")
    assert done.returncode == 0, done.stderr
    assert "skipped picture.txt: binary" in done.stdout
    assert done.stdout.count("What does it say about") >= 3
    assert "garden.md:1" in done.stdout
    for word in ("embedded", "passages/s", "received", "memory", "Next:"):
        assert word in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 100


def test_urgent_messages_overtake(notes: Path, neuralcore_daemon: RunningDaemon) -> None:
    done = run(str(notes), "--url", neuralcore_daemon.url)
    waited = done.stdout.partition("lowest number first.\n")[2].partition("\n\n")[0]
    priorities = [int(line.split()[0]) for line in waited.splitlines()]
    assert len(priorities) == 12
    assert priorities[1:] == sorted(priorities[1:])


@pytest.mark.parametrize("name", ["missing", "empty"])
def test_nothing_to_read_is_told(tmp_path: Path, name: str) -> None:
    (tmp_path / "empty").mkdir()
    done = run(str(tmp_path / name), "--url", "unix:/nowhere")
    assert done.returncode == 66
    assert len(done.stderr.splitlines()) == 1


def test_the_projects_own_documents_answer_the_own_questions(
    neuralcore_daemon: RunningDaemon,
) -> None:
    result = document(run("--json", "--url", neuralcore_daemon.url))
    wanted = ["docs/decisions.md", "docs/protocol.md", "CONTRIBUTING.md"]
    for answer, file in zip(result["answers"], wanted, strict=True):
        assert file in [hit["file"] for hit in answer["hits"]]


def test_questions_are_made_up_where_there_are_no_headings() -> None:
    passages = [demo.Passage("a.txt", 1, "", "one two three four five six seven eight nine ten")]
    assert demo.made_up_questions(passages) == [
        "What does it say about one two three four five six seven eight?"
    ]
