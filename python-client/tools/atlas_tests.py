"""Runs ATLAS's own messaging tests with its bus and with ours in its place.

    ./neuralcore atlas-tests --atlas-root FOLDER [--python PYTHON] [--verbose]

Each file runs three times: as it is, with our module in the place of ``core.messaging.NCB``, and
with ours in that of ``core.messaging.agent_bus`` too. ``atlas_plugin.py`` does it while the tests
are collected; the checkout is not changed. Exit code 0 if all tests of
``tests/messaging/test_message_bus.py`` pass over ours, and no other file has fewer that pass than
with ATLAS's own.

Files that this interpreter cannot import, as they need other libraries of ATLAS's, are named and
counted in neither run; give one that has them with --python.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ElementTree
from collections import Counter
from pathlib import Path

TOOLS = Path(__file__).resolve().parent
PACKAGE = TOOLS.parent / "src"
MUST_PASS = "tests/messaging/test_message_bus.py"
FILES = [
    MUST_PASS,
    "tests/tasks/test_task_manager.py",
    "tests/background_tasks/test_persona_remediation_worker.py",
    "tests/jobs/test_job_manager.py",
    "tests/atlas/test_blackboard_integration.py",
    "tests/config/test_messaging.py",
    "tests/server/test_job_routes.py",
    "tests/server/test_task_routes.py",
    "tests/conversations/test_conversation_routes.py",
]
OUTCOMES = ("passed", "failed", "skipped", "error")


def run(python: str, root: Path, file: str, substitute: str, *, verbose: bool) -> Counter[str]:
    """The outcomes of one file's tests, counted."""
    with tempfile.TemporaryDirectory(prefix="neuralcore-atlas-") as folder:
        report = Path(folder) / "report.xml"
        environment = {
            **os.environ,
            "ATLAS_TESTS_ROOT": str(root),
            "ATLAS_TESTS_SUBSTITUTE": substitute,
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONPATH": os.pathsep.join([str(root), str(TOOLS), str(PACKAGE)]),
        }
        command = [python, "-m", "pytest", "-q", "-p", "atlas_plugin", "-p", "no:cacheprovider"]
        command += ["-o", "asyncio_default_fixture_loop_scope=function"]
        command += [f"--junitxml={report}", file]
        done = subprocess.run(
            command, cwd=root, env=environment, capture_output=True, text=True, timeout=600
        )
        if verbose:
            print(done.stdout, done.stderr, sep="", flush=True)
        if not report.exists():
            print(done.stdout[-800:], done.stderr[-800:], file=sys.stderr)
            return Counter(error=1)
        return outcomes(report)


def outcomes(report: Path) -> Counter[str]:
    """Counts the test cases of a JUnit XML file."""
    counted: Counter[str] = Counter()
    for case in ElementTree.parse(report).getroot().iter("testcase"):
        found = next((each.tag for each in case if each.tag in ("failure", "error", "skipped")), "")
        counted[{"": "passed", "failure": "failed"}.get(found, found)] += 1
    return counted


def line(counted: Counter[str]) -> str:
    return ", ".join(f"{counted[name]} {name}" for name in OUTCOMES if counted[name]) or "none"


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="./neuralcore atlas-tests",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--atlas-root", required=True, type=Path, help="a checkout of ATLAS")
    parser.add_argument("--python", default=sys.executable, help="an interpreter with pytest")
    parser.add_argument("--verbose", action="store_true", help="show what pytest says")
    options = parser.parse_args()
    root: Path = options.atlas_root.resolve()
    if not (root / MUST_PASS).exists():
        parser.error(f"{root} has no {MUST_PASS}: it is no checkout of ATLAS.")
    failed = []
    print(f"{'':<56} {'ATLAS own':<24} {'our NCB':<24} our AgentBus")
    for file in FILES:
        if not (root / file).exists():
            continue
        theirs, *ours = (
            run(options.python, root, file, substitute, verbose=options.verbose)
            for substitute in ("0", "ncb", "agent_bus")
        )
        columns = " ".join(f"{line(each):<24}" for each in (theirs, *ours))
        print(f"{file:<56} {columns}".rstrip(), flush=True)
        for each in ours:
            all_pass = each["passed"] > 0 and each["passed"] == sum(each.values())
            if each["passed"] < theirs["passed"] or (file == MUST_PASS and not all_pass):
                failed.append(file)
    for file in failed:
        print(f"failed: {file}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
