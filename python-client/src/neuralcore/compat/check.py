"""Runs ATLAS's own tests without neuralcore and with it, and shows the difference.

::

    python -m neuralcore.compat.check --atlas-root FOLDER

Each file runs in a process of its own: as it is, then with ours over a daemon, then with ours and
no daemon. Files that import nothing we replace run once. Everything happens in a copy; the checkout
is not touched. Exit code 0 if no test that passes without us fails with us.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from neuralcore.compat._adopt import files as migration
from neuralcore.compat._adopt.table import PARTS, swaps_of
from neuralcore.compat._check import environment
from neuralcore.compat._check.runs import File, How, run, worse

BUS_FILES = (
    "tests/messaging/test_message_bus.py",
    "tests/tasks/test_task_manager.py",
    "tests/background_tasks/test_persona_remediation_worker.py",
    "tests/jobs/test_job_manager.py",
    "tests/atlas/test_blackboard_integration.py",
    "tests/config/test_messaging.py",
    "tests/server/test_job_routes.py",
    "tests/server/test_task_routes.py",
    "tests/conversations/test_conversation_routes.py",
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command and returns its exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m neuralcore.compat.check",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_arguments(parser)
    return check(parser.parse_args(arguments))


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What the command takes, here and as ``neuralcore check``."""
    parser.add_argument("--atlas-root", type=Path, required=True, help="a checkout of ATLAS")
    parser.add_argument(
        "--python",
        help="an interpreter that has what the tests import, msgspec and NumPy; by default they "
        "are installed into an environment of the check's own",
    )
    parser.add_argument(
        "--how",
        choices=("enable", "migrate"),
        default="enable",
        help="put ours in at run time, or migrate a copy, which is then reverted and compared",
    )
    parser.add_argument(
        "--part", action="append", choices=PARTS, help="only this part; may be repeated"
    )
    parser.add_argument("--backend", choices=("both", "daemon", "fallback"), default="both")
    parser.add_argument(
        "--bus", action="store_true", help="only the nine files whose tests use the bus"
    )
    parser.add_argument("--jobs", type=int, default=1, help="files at once (default: 1)")
    parser.add_argument(
        "--seconds", type=float, default=300.0, help="for one run of one file (default: 300)"
    )
    parser.add_argument("--report", type=Path, help="write all outcomes to this file, as JSON")
    parser.add_argument("--verbose", action="store_true", help="show what pytest says of failures")
    parser.add_argument("files", nargs="*", help="test files, from the root (default: all)")


def check(options: argparse.Namespace) -> int:
    """Does it; the exit code."""
    root: Path = options.atlas_root.resolve()
    if not (root / "tests").is_dir() or not (root / "core" / "messaging").is_dir():
        print(f"{root} is no checkout of ATLAS: it has no tests or no core/messaging.")
        return 2
    if options.python and (trouble := environment.trouble_with(options.python)):
        print(f"{trouble}; without --python the check makes an environment of its own.")
        return 2
    names = options.files or (BUS_FILES if options.bus else _test_files(root))
    names = [name for name in names if (root / name).exists()]
    parts = options.part or PARTS
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(_folder()))
        python = options.python or environment.prepare(_own_environment())
        tree = _copy(root, folder / "before")
        after = tree
        if options.how == "migrate":
            after = _copy(root, folder / "after")
            migration.apply(after, migration.plan(after, swaps_of(parts)).changed)
        enabled = () if options.how == "migrate" else parts
        ways = []
        if options.backend != "fallback":
            ways.append(How("daemon", after, enabled, stack.enter_context(_daemon(folder))))
        if options.backend != "daemon":
            ways.append(How("fallback", after, enabled, "fallback:"))
        modules = {swap.module for swap in swaps_of(parts)}

        def work(name: str) -> File:
            file = File(name, run(python, name, How("before", tree), options.seconds))
            if modules & set(file.before.loaded) or file.cannot_be_imported:
                for how in ways:
                    _run_with_us(python, file, how, options.seconds)
            return file

        print(f"{'':<60}{'without us':<26}" + "".join(f"{way.name:<26}" for way in ways).rstrip())
        done: list[File] = []
        with ThreadPoolExecutor(max(1, options.jobs)) as pool:
            for file in pool.map(work, names):
                done.append(file)
                _line(file, ways, verbose=options.verbose)
        reverted = options.how == "migrate" and _reverts(after, folder)
    if options.report:
        options.report.write_text(json.dumps([_document(file) for file in done], indent=1) + "\n")
    _summary(done, ways)
    if options.how == "migrate":
        print(f"the migrated copy, reverted: {'as before' if reverted else 'NOT as before'}")
    regressed = any(file.regressed for file in done)
    return 1 if regressed or (options.how == "migrate" and not reverted) else 0


def _run_with_us(python: str, file: File, how: How, seconds: float) -> None:
    """Once, and again if a test is worse than before: tests of timing fail now and then."""
    first = run(python, file.path, how, seconds)
    lost = worse(file.before, first)
    file.after[how.name] = first
    if lost:
        second = run(python, file.path, how, seconds)
        steadied = lost & second.passed
        file.unsteady |= steadied
        for test in steadied:
            first.outcomes[test] = "passed"


def _test_files(root: Path) -> list[str]:
    return sorted(file.relative_to(root).as_posix() for file in root.glob("tests/**/test_*.py"))


def _own_environment() -> Path:
    from neuralcore import daemon

    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    return daemon.default_home() / "atlas-check" / f"python{version}"


@contextlib.contextmanager
def _folder() -> Iterator[str]:
    """A folder that is gone afterwards, whatever the tests have left in it."""
    path = tempfile.mkdtemp(prefix="neuralcore-check-")
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def _copy(root: Path, to: Path) -> Path:
    ignored = shutil.ignore_patterns(".git", "__pycache__", ".venv", "venv", migration.FOLDER)
    shutil.copytree(root, to, symlinks=True, ignore=ignored)
    return to


@contextlib.contextmanager
def _daemon(folder: Path) -> Iterator[str]:
    """A daemon of the check's own; its URL."""
    from neuralcore import daemon

    running = daemon.start(home=folder / "home", owned=True, timeout=60.0)
    try:
        yield running.url
    finally:
        running.stop()


def _reverts(tree: Path, folder: Path) -> bool:
    """Whether a tree is, after it was reverted, what it was: compared with the one not migrated."""
    changed = [each["path"] for each in (migration.read_manifest(tree) or {"files": ()})["files"]]
    migration.revert(tree)
    return all(
        (tree / path).read_bytes() == (folder / "before" / path).read_bytes() for path in changed
    )


def _line(file: File, ways: Sequence[How], *, verbose: bool) -> None:
    why = file.cannot_be_imported
    if not file.after:
        return
    columns = [str(file.before) if why is None else "cannot be imported"]
    columns += [str(file.after[way.name]) for way in ways]
    print(f"{file.path:<60}" + "".join(f"{column:<26}" for column in columns).rstrip(), flush=True)
    if verbose and file.regressed:
        for way in file.regressed:
            print(file.after[way].output)


def _summary(done: Sequence[File], ways: Sequence[How]) -> None:
    near = [file for file in done if file.after]
    far = [file for file in done if not file.after]

    def passed(files: Sequence[File]) -> int:
        return sum(len(file.before.passed) for file in files)

    print(
        f"\n{len(near)} files with what we replace: {passed(near)} passed without us, "
        + ", ".join(
            f"{sum(len(file.after[way.name].passed) for file in near)} with the {way.name}"
            for way in ways
        )
    )
    if far:
        print(f"{len(far)} other files, run once: {passed(far)} passed")
    _list("fixed", [test for file in near for test in sorted(file.fixed)])
    _list(
        "regressed",
        [
            f"{test} ({way}: {file.after[way].reasons.get(test, 'did not run')})"
            for file in near
            for way, tests in file.regressed.items()
            for test in sorted(tests)
        ],
    )
    _list("unsteady: failed with us, and passed again", _sorted(file.unsteady for file in near))
    _list(
        "cannot be imported without us",
        [f"{file.path}: {why}" for file in done if (why := file.cannot_be_imported)],
    )
    outside = [
        f"{test}: {file.before.reasons.get(test, '')}"
        for file in done
        if file.cannot_be_imported is None
        for test in sorted(file.outside)
    ]
    _list("errors outside our part, without us and with us", outside)


def _sorted(sets: Iterator[set[str]]) -> list[str]:
    return sorted(set[str]().union(*sets))


def _list(title: str, lines: Sequence[str]) -> None:
    print(f"{title}: {len(lines)}")
    for line in lines:
        print(f"  {line[:180]}")


def _document(file: File) -> dict[str, Any]:
    return {
        "file": file.path,
        "before": file.before.outcomes,
        "reasons": file.before.reasons,
        "after": {way: run_.outcomes for way, run_ in file.after.items()},
        "fixed": sorted(file.fixed),
        "regressed": {way: sorted(tests) for way, tests in file.regressed.items()},
        "unsteady": sorted(file.unsteady),
    }


if __name__ == "__main__":
    sys.exit(main())
