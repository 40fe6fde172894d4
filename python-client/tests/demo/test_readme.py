"""The README's Python runs as it stands there."""

from __future__ import annotations

import ast
import asyncio
import inspect
import re
from pathlib import Path

import pytest

from neuralcore.testing import RunningDaemon

README = Path(__file__).resolve().parents[3] / "README.md"
BLOCKS = re.findall(r"^```python\n(.*?)^```", README.read_text(encoding="utf-8"), re.M | re.S)


def run(block: str) -> None:
    """Runs a block, in which one may await as in an asynchronous prompt."""
    code = compile(block, str(README), "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    result = eval(code, {})
    if inspect.iscoroutine(result):
        asyncio.run(result)


def test_search(
    neuralcore_daemon: RunningDaemon,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("NEURALCORE_URL", neuralcore_daemon.url)
    run(BLOCKS[0])
    assert capsys.readouterr().out.startswith("cat 0.")
    with neuralcore_daemon.client() as client:
        client.collection("notes").drop()


def test_bus(
    neuralcore_daemon: RunningDaemon,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("NEURALCORE_URL", neuralcore_daemon.url)
    run(BLOCKS[1])
    assert capsys.readouterr().out == "2 {'prompt': '…'}\n"


def test_there_are_no_others() -> None:
    assert len(BLOCKS) == 2
