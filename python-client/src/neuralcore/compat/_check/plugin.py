"""A pytest plugin for one file of ATLAS's tests: puts ours in, and writes down what came of each.

``NEURALCORE_CHECK_REPORT`` names the file to write, ``NEURALCORE_CHECK_PARTS`` the parts to enable,
separated by commas. Which backend they have is said by ``NEURALCORE_URL``, as everywhere.
"""

from __future__ import annotations

import importlib.util
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from neuralcore.compat._adopt.table import SWAPS

if TYPE_CHECKING:
    import pytest

_ORDER = ("error", "failed", "skipped", "passed")


def _stand_in() -> None:
    """ATLAS's conftest wants a plugin for PostgreSQL, and brings one for where it is missing.

    It lies in a folder that cannot be put on the path: ``calendar`` lies there too.
    """
    if importlib.util.find_spec("pytest_postgresql") is not None:
        return
    file = Path("tests/pytest_postgresql.py").absolute()
    spec = importlib.util.spec_from_file_location("pytest_postgresql", file)
    if file.exists() and spec is not None and spec.loader is not None:
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        sys.modules["pytest_postgresql"] = module


_stand_in()
_parts = [part for part in os.environ.get("NEURALCORE_CHECK_PARTS", "").split(",") if part]
if _parts:
    from neuralcore.compat._adopt import running

    running.enable(**running.parts(_parts))

_outcomes: dict[str, str] = {}
_reasons: dict[str, str] = {}


def pytest_collectreport(report: pytest.CollectReport) -> None:
    if report.failed:
        _note(report.nodeid, "error", report)
    elif report.skipped:
        _note(report.nodeid, "skipped", report)


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    outcome = report.outcome
    if report.when != "call" and outcome == "passed":
        return
    _note(
        report.nodeid, "error" if outcome == "failed" and report.when != "call" else outcome, report
    )


def _note(nodeid: str, outcome: str, report: Any) -> None:
    """The worst of what came of it."""
    before = _outcomes.get(nodeid, outcome)
    _outcomes[nodeid] = min(before, outcome, key=_ORDER.index)
    if outcome in ("error", "failed"):
        lines = [line for line in str(report.longrepr).splitlines() if line.startswith("E ")]
        _reasons[nodeid] = lines[0][1:].strip() if lines else str(report.longrepr)[-200:]


def pytest_sessionfinish() -> None:
    loaded = sorted({swap.module for swap in SWAPS} & sys.modules.keys())
    report = {"outcomes": _outcomes, "reasons": _reasons, "loaded": loaded}
    Path(os.environ["NEURALCORE_CHECK_REPORT"]).write_text(json.dumps(report))
