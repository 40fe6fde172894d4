"""Puts neuralcore into a tree of ATLAS's, or takes it out again.

::

    python -m neuralcore.migrate --atlas-root FOLDER --dry-run    shows what would change
    python -m neuralcore.migrate --atlas-root FOLDER --apply      changes it, and keeps what was
    python -m neuralcore.migrate --atlas-root FOLDER --revert     puts every byte back

``--journal FILE`` also takes over the messages of ATLAS's bus, ``--vectors FILE`` the vectors that
its "faiss" adapter has kept as JSON. Exit codes: 0 done, or nothing to do; 1 it cannot be done, and
nothing was changed; 2 wrong usage.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from neuralcore.compat._adopt import files, journal, vectors
from neuralcore.compat._adopt.files import MigrationError
from neuralcore.compat._adopt.table import PARTS, swaps_of
from neuralcore.errors import NeuralCoreError


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command and returns its exit code."""
    options = _parser().parse_args(arguments)
    root: Path = options.atlas_root
    if not root.is_dir():
        print(f"{root} is no folder.", file=sys.stderr)
        return 1
    if not options.revert and not any((root / part).is_dir() for part in ("core", "modules")):
        # The folder around it would do, too, and with it all that lies beside it.
        print(f"{root} is not ATLAS's: it has neither core nor modules.", file=sys.stderr)
        return 1
    try:
        if options.revert:
            return _revert(root)
        return _migrate(root, options)
    except (MigrationError, NeuralCoreError, OSError) as error:
        print(f"neuralcore.migrate: {error}", file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m neuralcore.migrate",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--atlas-root", type=Path, required=True, help="ATLAS's tree")
    action = parser.add_mutually_exclusive_group(required=True)
    action.add_argument("--dry-run", action="store_true", help="print a diff and change nothing")
    action.add_argument("--apply", action="store_true", help="change the files")
    action.add_argument("--revert", action="store_true", help="undo all that --apply has done")
    parser.add_argument(
        "--part", action="append", choices=PARTS, help="only this part; may be repeated"
    )
    parser.add_argument(
        "--journal",
        type=Path,
        action="append",
        default=[],
        metavar="FILE",
        help="messages kept by ATLAS's bus (its persistence_path); ATLAS must not run",
    )
    parser.add_argument(
        "--vectors",
        type=Path,
        action="append",
        default=[],
        metavar="FILE",
        help='vectors kept by ATLAS\'s "faiss" adapter (its index_path); the file stays',
    )
    parser.add_argument(
        "--index", default="default", help="the index_name that the vectors get (default: default)"
    )
    parser.add_argument(
        "--metric", choices=("cosine", "l2"), default="cosine", help="of the vectors"
    )
    return parser


def _migrate(root: Path, options: argparse.Namespace) -> int:
    plan = files.plan(root, swaps_of(options.part or PARTS))
    manifest = files.read_manifest(root)
    migrated = {each["path"] for each in manifest["data"]} if manifest else set()
    journals: list[tuple[Path, int]] = []
    for path in options.journal:
        rows = journal.count(path)
        if str(path.absolute()) in migrated:
            print(f"{path}: migrated already")
        elif rows is None:
            raise MigrationError(f"{path} is no file of ATLAS's message bus.")
        else:
            journals.append((path, rows))
    stores = {path: vectors.read(path) for path in options.vectors}
    if options.apply:
        unclean = files.dirty(root)
        if unclean:
            shown = ", ".join(unclean[:5]) + (", …" if len(unclean) > 5 else "")
            raise MigrationError(
                f"{root} has changes that are not committed ({shown}): commit or stash them, so "
                "that a migration can be told from them."
            )
        if unclean is None:
            print(f"{root} is in no git repository; {files.FOLDER} keeps what was.")
    for changed in plan.changed:
        sys.stdout.write(changed.diff())
    for path, notes in plan.notes.items():
        for note in notes:
            print(f"look at {path}:{note.line}: {note.text}")
    if options.apply and plan.changed:
        files.apply(root, plan.changed)
    for path, rows in journals:
        if options.apply:
            done = journal.migrate(path)
            files.record(root, done)
            print(
                f"{path}: {done['imported']} of {rows} messages taken over, "
                f"{done['unreadable']} not readable; ATLAS's file is {journal.kept(path)}"
            )
        else:
            print(f"{path}: {rows} messages would be taken over")
    for path, namespaces in stores.items():
        count = sum(map(len, namespaces.values()))
        if options.apply:
            done = vectors.migrate(path, options.index, options.metric)
            if str(path.absolute()) not in migrated:
                files.record(root, done)
        verb = "taken over" if options.apply else "would be taken over"
        print(f"{path}: {count} vectors in {len(namespaces)} namespaces {verb}")
    did = "changed" if options.apply else "would change"
    places = sum(changed.changes for changed in plan.changed)
    print(f"{plan.scanned} files read; {did} {places} places in {len(plan.changed)} files.")
    if manifest and not plan.changed:
        print("The tree is migrated.")
    return 0


def _revert(root: Path) -> int:
    manifest = files.read_manifest(root)
    if manifest is None:
        print(f"{root} is not migrated: there is nothing to take back.")
        return 0
    for each in manifest["data"]:
        if each["kind"] == "journal" and not journal.kept(Path(each["path"])).exists():
            raise MigrationError(f"{journal.kept(Path(each['path']))} is missing.")
    reverted = files.revert(root)
    for each in manifest["data"]:
        if each["kind"] == "journal":
            left = journal.revert(Path(each["path"]))
            print(f"{each['path']} is ATLAS's again; the journal is {left}")
        elif each["kind"] == "vectors":
            print(f"{each['path']} is as it was; index {each['index']!r} is still in the daemon")
    files.forget(root)
    print(f"{len(reverted)} files are as they were.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
