"""Runs every check of the project and sums them up; `./neuralcore test` calls it.

Each check goes on after another failed, writes its output to target/checks/NAME.log, and counts its
tests from the JUnit files that Maven and pytest write. The last line is `N passed, N failed` (and
`, N skipped` where there are any). Exit code 1 if anything failed, or, with --no-skip, was skipped.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LOGS = ROOT / "target" / "checks"
BIN = Path(sys.executable).parent
TRACE_LINES = 12
PYTHON_FOLDERS = ["python-client", "benchmarks", ".ci"]


@dataclass
class Outcome:
    """What came of one check."""

    passed: int = 0
    failed: list[str] = field(default_factory=list)
    traces: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)

    def add_reports(self, files: Iterable[Path]) -> None:
        """Counts the test cases of JUnit XML files."""
        for file in files:
            for case in ElementTree.parse(file).getroot().iter("testcase"):
                name = f"{case.get('classname')}.{case.get('name')}"
                skip = case.find("skipped")
                failure = case.find("failure")
                failure = case.find("error") if failure is None else failure
                if failure is not None:
                    place = place_of(case.get("classname") or "", failure.text or "")
                    self.failed.append(f"{place}: {name}" if place else name)
                    # Java's reports begin the text with what threw; pytest's with source code.
                    reason = failure.text if failure.get("type") else failure.get("message")
                    lines = (reason or "").strip().splitlines()
                    self.traces.append("\n".join([self.failed[-1], *lines[:TRACE_LINES]]))
                elif skip is not None:
                    self.skipped.append(f"{name}: {skip.get('message') or 'no reason given'}")
                else:
                    self.passed += 1


def place_of(test_class: str, trace: str) -> str:
    """``file:line`` where a test failed, from the trace in its report; empty if it has none.

    Java's traces name the file without its folder and begin with what threw: the first line of the
    test's own class counts. Pytest's end with the place, seen from python-client or the project.
    """
    outer = test_class.partition("$")[0]
    file = outer.rpartition(".")[2] + ".java"
    java = re.search(rf"\({re.escape(file)}:(\d+)\)", trace)
    if java:
        path = outer.replace(".", "/") + ".java"
        found = [
            root for root in ("src/test/java", "src/it/java") if (ROOT / root / path).is_file()
        ]
        return f"{found[0]}/{path}:{java[1]}" if found else f"{file}:{java[1]}"
    places = re.findall(r"^(\S+\.py):(\d+): ", trace, re.MULTILINE)
    own = [place for place in places if Path(place[0]).stem == test_class.rpartition(".")[2]]
    for path, line in (own or places)[-1:]:
        inside = "" if (ROOT / path).is_file() else "python-client/"
        return f"{inside}{path}:{line}"
    return ""


def run(
    name: str, command: list[str], verbose: bool, environment: dict[str, str]
) -> tuple[int, Path]:
    """Runs a command in the project's folder; its exit code and the file with its output."""
    log = LOGS / f"{name}.log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env={**os.environ, **environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        assert process.stdout is not None
        for line in process.stdout:
            out.write(line)
            if verbose:
                sys.stdout.buffer.write(line)
                sys.stdout.flush()
        return process.wait(), log


def check(
    name: str,
    command: list[str],
    verbose: bool,
    reports: dict[Path, str] | None = None,
    environment: dict[str, str] | None = None,
) -> Outcome:
    """Runs one check and prints its line; `reports` are folders and patterns of JUnit files."""
    for folder, pattern in (reports or {}).items():
        for old in folder.glob(pattern):
            old.unlink()
    started = time.monotonic()
    code, log = run(name, command, verbose, environment or {})
    outcome = Outcome()
    for folder, pattern in (reports or {}).items():
        outcome.add_reports(sorted(folder.glob(pattern)))
    if code != 0 and not outcome.failed:
        outcome.failed.append(f"{name} (exit code {code})")
    elif code == 0 and not reports:
        outcome.passed = 1
    elif code == 0 and outcome.passed == 0:
        outcome.failed.append(f"{name} (no test ran)")
    verdict = "FAIL" if outcome.failed else "ok"
    counts = f"{outcome.passed} passed, {len(outcome.failed)} failed"
    if outcome.skipped:
        counts += f", {len(outcome.skipped)} skipped"
    print(f"{verdict:<5} {name:<10} {counts} ({time.monotonic() - started:.0f} s)", flush=True)
    if outcome.failed and not verbose:
        # A failed test says more than the end of a log, which is often of what ran after it.
        tail = log.read_text(errors="replace").splitlines()[-60:]
        told = "\n".join(outcome.traces).splitlines() or tail
        print("\n".join(f"      | {line}" for line in told), flush=True)
        print(f"      all of it: {log.relative_to(ROOT)}", flush=True)
    return outcome


def main() -> int:
    parser = argparse.ArgumentParser(prog="./neuralcore test", description=__doc__)
    parser.add_argument("--no-skip", action="store_true", help="a skipped test is a failure")
    parser.add_argument("--verbose", action="store_true", help="show the checks' output")
    options = parser.parse_args()
    LOGS.mkdir(parents=True, exist_ok=True)
    verbose = options.verbose
    # A user's own daemon and settings must not answer for the one under test.
    for name in list(os.environ):
        if name.startswith("NEURALCORE_") and name not in ("NEURALCORE_JAVA", "NEURALCORE_JAR"):
            del os.environ[name]
    target = ROOT / "target"
    launcher = str(ROOT / "neuralcore")
    python = str(BIN / "python")
    config = "python-client/pyproject.toml"
    ruff = str(BIN / "ruff")
    mypy = [python, "-m", "mypy", "--config-file", config, "--strict"]
    pytest = [python, "-m", "pytest", "-ra", "-c", config, "--rootdir", "python-client"]
    xml, pure_xml = LOGS / "pytest.xml", LOGS / "pure.xml"
    tests = "python-client/tests"
    # The bus once more without its part in C, as it is where there is no compiler.
    pure = [f"{tests}/daemon/{name}" for name in ("test_bus_features.py", "test_bus_life.py")]
    pure += [f"{tests}/daemon/both/test_messaging.py", f"{tests}/test_native.py"]
    outcomes = [
        check(
            "java",
            [launcher, "mvn", "verify"],
            verbose,
            {target / "surefire-reports": "TEST-*.xml", target / "failsafe-reports": "TEST-*.xml"},
        ),
        check("build", [launcher, "build"], verbose),
        check("shellcheck", [str(BIN / "shellcheck"), launcher, ".ci/run"], verbose),
        check("ruff", [ruff, "check", "--config", config, *PYTHON_FOLDERS], verbose),
        check("format", [ruff, "format", "--check", "--config", config, *PYTHON_FOLDERS], verbose),
        check("mypy", [*mypy, "python-client/src", "benchmarks", ".ci/checks.py"], verbose),
        check(
            "pytest",
            [*pytest, f"--junitxml={xml}", tests, "benchmarks"],
            verbose,
            {LOGS: xml.name},
        ),
        check(
            "pure",
            [*pytest, f"--junitxml={pure_xml}", *pure],
            verbose,
            {LOGS: pure_xml.name},
            {"NEURALCORE_CLIENT_PURE_PYTHON": "1"},
        ),
    ]
    failed = [name for outcome in outcomes for name in outcome.failed]
    skipped = [name for outcome in outcomes for name in outcome.skipped]
    passed = sum(outcome.passed for outcome in outcomes)
    for name in failed:
        print(f"failed: {name}")
    for name in skipped:
        print(f"left out: {name}")
    if skipped and options.no_skip:
        print(f"failed: {len(skipped)} skipped, and --no-skip forbids that")
    print(
        f"{passed} passed, {len(failed)} failed" + (f", {len(skipped)} skipped" if skipped else "")
    )
    return 1 if failed or (skipped and options.no_skip) else 0


if __name__ == "__main__":
    sys.exit(main())
