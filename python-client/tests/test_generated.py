"""The two clients are one: aio.py is what client.py makes, and offers the same."""

from __future__ import annotations

import inspect
import subprocess
import sys
from pathlib import Path

import pytest

from neuralcore import aio, client

TOOL = Path(__file__).parents[1] / "tools" / "generate_async.py"


def test_aio_is_what_the_tool_makes_of_client() -> None:
    made = subprocess.run([sys.executable, str(TOOL), "--check"], capture_output=True, text=True)
    assert made.returncode == 0, made.stdout


@pytest.mark.parametrize(
    ("sync", "async_"),
    [(client.Client, aio.AsyncClient), (client.Collection, aio.AsyncCollection)],
)
def test_both_have_the_same_methods_and_parameters(sync: type, async_: type) -> None:
    names = {n for n in vars(sync) if not n.startswith("_")}
    assert names == {n for n in vars(async_) if not n.startswith("_")}
    for name in names:
        ours, theirs = getattr(sync, name), getattr(async_, name)
        if inspect.isfunction(ours):
            expected = str(inspect.signature(ours))
            for word in ("Collection", "Iterator"):
                expected = expected.replace(word, f"Async{word}")
            assert expected == str(inspect.signature(theirs))
            assert inspect.iscoroutinefunction(theirs) or inspect.isasyncgenfunction(theirs), (
                f"{name} does not await"
            )
