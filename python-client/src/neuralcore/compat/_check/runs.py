"""One test file in a process of its own, and what two such runs say about us."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

_PACKAGE = Path(__file__).resolve().parents[3]
OUTCOMES = ("passed", "failed", "error", "skipped")


@dataclass
class Run:
    """What came of one file.

    :ivar outcomes: passed, failed, error or skipped, by test.
    :ivar reasons: the last line of the error of those that failed.
    :ivar loaded: which of the modules that we replace were imported.
    :ivar output: the end of what pytest said.
    """

    outcomes: dict[str, str] = field(default_factory=dict)
    reasons: dict[str, str] = field(default_factory=dict)
    loaded: list[str] = field(default_factory=list)
    output: str = ""

    @property
    def passed(self) -> set[str]:
        return {test for test, outcome in self.outcomes.items() if outcome == "passed"}

    def __str__(self) -> str:
        counts = Counter(self.outcomes.values())
        return ", ".join(f"{counts[name]} {name}" for name in OUTCOMES if counts[name]) or "none"


@dataclass(frozen=True)
class How:
    """How a file is run.

    :ivar name: the head of its column.
    :ivar root: the tree to run it in.
    :ivar parts: what is enabled at run time.
    :ivar url: what ``NEURALCORE_URL`` is; None leaves it out.
    """

    name: str
    root: Path
    parts: Sequence[str] = ()
    url: str | None = None


def run(python: str, file: str, how: How, seconds: float) -> Run:
    """Runs a file; a process that says nothing within so many seconds is killed."""
    with tempfile.TemporaryDirectory(prefix="neuralcore-check-") as folder:
        report = Path(folder) / "report.json"
        environment = {
            **{k: v for k, v in os.environ.items() if not k.startswith("NEURALCORE_CHECK_")},
            "NEURALCORE_CHECK_REPORT": str(report),
            "NEURALCORE_CHECK_PARTS": ",".join(how.parts),
            # Those that ATLAS's tests need, not all that somebody has installed.
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONPATH": os.pathsep.join([str(how.root), str(_PACKAGE)]),
        }
        environment.pop("NEURALCORE_URL", None)
        if how.url is not None:
            environment["NEURALCORE_URL"] = how.url
        command = [python, "-m", "pytest", "-q", "-p", "neuralcore.compat._check.plugin"]
        command += ["-p", "pytest_asyncio.plugin"]
        command += ["-p", "no:cacheprovider", "-o", "asyncio_default_fixture_loop_scope=function"]
        try:
            done = subprocess.run(
                [*command, file],
                cwd=how.root,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                timeout=seconds,
            )
            output = done.stdout.decode(errors="replace")[-4000:]
            reason = f"pytest ended with exit code {done.returncode}"
        except subprocess.TimeoutExpired as error:
            output = (error.stdout or b"").decode(errors="replace")[-4000:]
            reason = f"not done within {seconds:g} s"
        if not report.exists():
            return Run({file: "error"}, {file: reason}, [], output)
        said = json.loads(report.read_text())
        return Run(said["outcomes"], said["reasons"], said["loaded"], output)


def worse(before: Run, after: Run) -> set[str]:
    """Tests that have passed before and not after.

    A test whose parameters are drawn by chance has another name each time: it counts as passed if
    as many of its function have.
    """
    lost = before.passed - after.passed
    unknown = {test for test in lost if test not in after.outcomes}
    functions = Counter(_function(test) for test in after.passed)
    once = Counter(_function(test) for test in before.passed)
    renamed = {test for test in unknown if functions[_function(test)] >= once[_function(test)]}
    return lost - renamed


def _function(test: str) -> str:
    return test.partition("[")[0]


@dataclass
class File:
    """One test file without us and, if it gets near us, with us.

    :ivar after: by the name of how it was run; empty if it imports nothing that we replace.
    :ivar unsteady: tests that failed with us once, and passed when they were run again.
    """

    path: str
    before: Run
    after: dict[str, Run] = field(default_factory=dict)
    unsteady: set[str] = field(default_factory=set)

    @property
    def fixed(self) -> set[str]:
        """Tests that pass with us, however they are run, and not without."""
        passed = [run.passed for run in self.after.values()]
        better = set.intersection(*passed) - self.before.passed if passed else set()
        if self.cannot_be_imported is not None:
            return better
        return better & self.before.outcomes.keys()

    @property
    def regressed(self) -> dict[str, set[str]]:
        """Tests that pass without us and not with us, by how they were run."""
        lost = {how: worse(self.before, run) for how, run in self.after.items()}
        return {how: tests for how, tests in lost.items() if tests}

    @property
    def outside(self) -> set[str]:
        """Tests that fail without us and with us."""
        bad = ("failed", "error")
        tests = {test for test, outcome in self.before.outcomes.items() if outcome in bad}
        for run_ in self.after.values():
            tests &= {test for test, outcome in run_.outcomes.items() if outcome in bad}
        return tests

    @property
    def cannot_be_imported(self) -> str | None:
        """Why it cannot be imported without us; None if it can."""
        if self.before.outcomes.get(self.path) == "error":
            return self.before.reasons.get(self.path, "no reason given")
        return None
