"""Rewrites a tree of ATLAS's and can put back every byte of it.

In the tree a folder ``.neuralcore-migration`` is kept while it is migrated: the files as they were,
and ``manifest.json``, which is written before the first file is changed. What was interrupted can
therefore always be taken back.
"""

from __future__ import annotations

import contextlib
import difflib
import hashlib
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from neuralcore._version import __version__
from neuralcore.compat._adopt.rewrite import Note, rewrite
from neuralcore.compat._adopt.table import Swap

FOLDER = ".neuralcore-migration"
_MANIFEST = "manifest.json"
_SKIPPED = {"__pycache__", "node_modules", "site-packages", "tests", "test"}


class MigrationError(Exception):
    """It cannot be done; nothing was changed."""


class Changed(NamedTuple):
    """A file that is to be another.

    :ivar path: from the root, with slashes.
    :ivar changes: statements and functions of it.
    """

    path: str
    before: bytes
    after: bytes
    changes: int

    def diff(self) -> str:
        """Unified; empty if nothing changes."""
        lines = difflib.unified_diff(
            _lines(self.before), _lines(self.after), f"a/{self.path}", f"b/{self.path}"
        )
        return "".join(line if line.endswith("\n") else f"{line}\n" for line in lines)


class Plan(NamedTuple):
    """What a migration would do.

    :ivar notes: by file, what it leaves as it is and somebody should look at.
    :ivar scanned: how many files were read.
    """

    changed: list[Changed]
    notes: dict[str, list[Note]]
    scanned: int


def plan(root: Path, swaps: Sequence[Swap]) -> Plan:
    """Reads the whole tree and changes nothing."""
    changed: list[Changed] = []
    notes: dict[str, list[Note]] = {}
    scanned = 0
    needles = {swap.name.rpartition(".")[2].encode() for swap in swaps}
    needles |= {swap.module.rpartition(".")[2].encode() for swap in swaps}
    for file in python_files(root):
        scanned += 1
        source = file.read_bytes()
        if not any(needle in source for needle in needles):
            continue
        path = file.relative_to(root).as_posix()
        module, is_package = module_of(path)
        try:
            source.decode()
            after, changes, found = rewrite(source, module, is_package, swaps)
        except (SyntaxError, UnicodeDecodeError) as error:
            notes[path] = [Note(getattr(error, "lineno", None) or 1, f"not understood: {error}")]
            continue
        if found:
            notes[path] = found
        if after != source:
            changed.append(Changed(path, source, after, changes))
    return Plan(changed, notes, scanned)


def python_files(root: Path) -> Iterator[Path]:
    """ATLAS's own Python files, in the order of their names; neither its tests nor links."""
    for folder, folders, files in os.walk(root):
        here = Path(folder)
        folders[:] = sorted(
            name
            for name in folders
            if name not in _SKIPPED
            and not name.startswith(".")
            and not (here / name / "pyvenv.cfg").exists()
        )
        for name in sorted(files):
            if name.endswith(".py") and not (here / name).is_symlink():
                yield here / name


def module_of(path: str) -> tuple[str, bool]:
    """The module that a file is, by its path from the root, and whether it is a package."""
    name = path.removesuffix(".py").replace("/", ".")
    if name == "__init__" or name.endswith(".__init__"):
        return name.removesuffix("__init__").removesuffix("."), True
    return name, False


def apply(root: Path, changed: Sequence[Changed], data: Sequence[dict[str, Any]] = ()) -> None:
    """Writes the files, those of an earlier migration included, after keeping them as they were.

    :param data: what else the manifest is to remember.
    """
    store = root / FOLDER
    kept = read_manifest(root) or _empty()
    store.mkdir(exist_ok=True)
    (store / ".gitignore").write_text("*\n")
    known = {each["path"]: each for each in kept["files"]}
    for each in changed:
        if each.path in known:  # migrated once, and again for another part
            known[each.path]["after"] = _digest(each.after)
            continue
        backup = store / "files" / each.path
        backup.parent.mkdir(parents=True, exist_ok=True)
        _write(backup, each.before)
        kept["files"].append(
            {"path": each.path, "before": _digest(each.before), "after": _digest(each.after)}
        )
    kept["data"].extend(data)
    _write_manifest(root, kept)
    for each in changed:
        _write(root / each.path, each.after, like=root / each.path)


def revert(root: Path) -> list[str]:
    """Puts every file back as it was; the paths.

    :raises MigrationError: if one was changed since; it names them, and has changed nothing.
    """
    kept = read_manifest(root)
    if kept is None:
        return []
    todo: list[tuple[Path, bytes]] = []
    edited: list[str] = []
    for each in kept["files"]:
        file, backup = root / each["path"], root / FOLDER / "files" / each["path"]
        now = _digest(file.read_bytes()) if file.exists() else None
        before = backup.read_bytes()
        if _digest(before) != each["before"]:
            raise MigrationError(f"{backup} is not what was kept; nothing was changed.")
        if now == each["after"]:
            todo.append((file, before))
        elif now != each["before"]:
            edited.append(each["path"])
    if edited:
        raise MigrationError(
            f"changed since the migration: {', '.join(edited)}. Undo those changes, or take the "
            f"files from {root / FOLDER / 'files'} yourself. Nothing was changed."
        )
    for file, before in todo:
        _write(file, before, like=file)
    return [file.relative_to(root).as_posix() for file, _ in todo]


def forget(root: Path) -> None:
    """Removes what was kept, after everything has been put back."""
    shutil.rmtree(root / FOLDER)


def read_manifest(root: Path) -> dict[str, Any] | None:
    """What was migrated; None if nothing was.

    :raises MigrationError: if the file is broken.
    """
    file = root / FOLDER / _MANIFEST
    try:
        manifest = json.loads(file.read_bytes())
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise MigrationError(f"{file} cannot be read: {error}") from error
    if not isinstance(manifest, dict) or not {"files", "data"} <= manifest.keys():
        raise MigrationError(f"{file} is none of this tool's.")
    return manifest


def record(root: Path, data: dict[str, Any]) -> None:
    """Adds to what the manifest remembers of data."""
    manifest = read_manifest(root)
    if manifest is None:
        apply(root, (), [data])
        return
    manifest["data"].append(data)
    _write_manifest(root, manifest)


def dirty(root: Path) -> list[str] | None:
    """What git would have to commit, but for what this tool has written; None where git is not.

    :raises MigrationError: if git does not answer.
    """
    if not any((folder / ".git").exists() for folder in (root, *root.parents)):
        return None
    command = ["git", "-C", str(root), "status", "--porcelain=v1", "-z", "--no-renames", "--", "."]
    try:
        said = subprocess.run(command, capture_output=True, check=True).stdout
        prefix = subprocess.run(
            ["git", "-C", str(root), "rev-parse", "--show-prefix"], capture_output=True, check=True
        ).stdout.strip()
    except (OSError, subprocess.CalledProcessError) as error:
        raise MigrationError(f"git cannot say whether {root} is clean: {error}") from error
    paths = [
        os.fsdecode(entry[3:]).removeprefix(os.fsdecode(prefix))
        for entry in said.split(b"\0")
        if entry
    ]
    manifest = read_manifest(root)
    own = {each["path"]: each["after"] for each in manifest["files"]} if manifest else {}
    return [
        path
        for path in paths
        if not ((root / path).is_file() and own.get(path) == _digest((root / path).read_bytes()))
        and not path.startswith(FOLDER)
    ]


def _empty() -> dict[str, Any]:
    return {"version": __version__, "files": [], "data": []}


def _write_manifest(root: Path, manifest: dict[str, Any]) -> None:
    _write(root / FOLDER / _MANIFEST, json.dumps(manifest, indent=1).encode() + b"\n")


def _write(file: Path, content: bytes, like: Path | None = None) -> None:
    """All of it or nothing, on the disk when this returns, with the mode that ``like`` has."""
    handle, name = tempfile.mkstemp(dir=file.parent, prefix=".neuralcore-")
    try:
        with os.fdopen(handle, "wb") as out:
            out.write(content)
            out.flush()
            os.fsync(out.fileno())
        if like is not None and like.exists():
            shutil.copymode(like, name)
        os.replace(name, file)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(name)
        raise


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _lines(content: bytes) -> list[str]:
    return content.decode(errors="replace").splitlines(keepends=True)
