"""Text files, and the passages they fall into: what the demo embeds.

A passage is what a reader would quote: a heading and the paragraphs below it, up to about 700
characters, which is well inside the 256 tokens that the default model reads. It knows the file and
line it begins at.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

__all__ = ["Folder", "Passage", "read_files", "read_folder", "split"]

SUFFIXES = frozenset({".md", ".markdown", ".rst", ".text", ".txt"})
# Folders of tools and builds; their texts are not the user's own.
LEFT_OUT = frozenset({"node_modules", "target", "build", "dist", "__pycache__", "venv"})
LONGEST = 700
# A paragraph that ends after so many characters ends its passage.
ENOUGH = 300

_HEADING = re.compile(r"#{1,6}\s+(.*?)\s*#*$")
_FENCE = re.compile(r"^\s*(```|~~~)\w*\s*$")


@dataclass(frozen=True)
class Passage:
    """A piece of a file.

    :ivar file: path as shown to the user.
    :ivar line: number of its first line, from 1.
    :ivar heading: the heading it stands under, or "".
    :ivar text: the lines themselves.
    """

    file: str
    line: int
    heading: str
    text: str

    def to_embed(self) -> str:
        """The text with its heading, which often carries the subject."""
        return self.text if self.heading in self.text else f"{self.heading}\n{self.text}"

    def body(self) -> str:
        """The text without its heading and the lines that only mark up."""
        lines = self.text.splitlines()
        if _HEADING.match(lines[0]) and len(lines) > 1:
            del lines[0]
        return "\n".join(line for line in lines if any(map(str.isalnum, _FENCE.sub("", line))))


@dataclass
class Folder:
    """What was found: passages, the files they come from, and what was left out and why."""

    passages: list[Passage] = field(default_factory=list)
    files: list[str] = field(default_factory=list)
    skipped: list[tuple[str, str]] = field(default_factory=list)
    other_suffixes: dict[str, int] = field(default_factory=dict)


def read_folder(folder: Path) -> Folder:
    """Reads every text file below a folder, hidden ones and build folders left out.

    What cannot be read is noted in ``skipped``; files of other kinds are counted by suffix.
    """
    found = Folder()
    paths = []
    for path in _walk(folder, found):
        if path.suffix.lower() in SUFFIXES:
            paths.append(path)
        else:
            suffix = path.suffix.lower() or "no suffix"
            found.other_suffixes[suffix] = found.other_suffixes.get(suffix, 0) + 1
    read_files(paths, folder, found)
    return found


def read_files(paths: list[Path], base: Path, found: Folder) -> None:
    """Reads text files into `found`; their names are shown relative to `base`."""
    for path in paths:
        name = os.path.relpath(path, base)
        text = _text(path)
        if isinstance(text, _Problem):
            found.skipped.append((name, text.reason))
            continue
        passages = list(split(text, name))
        if not passages:
            found.skipped.append((name, "empty"))
            continue
        found.files.append(name)
        found.passages.extend(passages)


def split(text: str, file: str) -> Iterator[Passage]:
    """The passages of a text, in order."""
    heading = ""
    lines: list[str] = []
    first = 0
    fenced = False

    def passage() -> Passage | None:
        body = "\n".join(lines).strip()
        lines.clear()
        # A rule, a lone bracket or a heading without anything below says nothing by itself.
        if not any(map(str.isalnum, body)) or body.strip("# ") == heading:
            return None
        return Passage(file, first, heading, body)

    def size() -> int:
        return sum(map(len, lines)) + len(lines)

    for number, line in enumerate(text.splitlines(), start=1):
        if line.lstrip().startswith(("```", "~~~")):
            fenced = not fenced
        match = None if fenced else _HEADING.match(line)
        ends = match is not None or (not line.strip() and size() >= ENOUGH and not fenced)
        if lines and (ends or size() + len(line) > LONGEST):
            done = passage()
            if done is not None:
                yield done
        if match is not None:
            heading = match.group(1)
        for piece in _pieces(line):
            if not lines:
                if not piece.strip():
                    continue
                first = number
            elif size() + len(piece) > LONGEST:
                done = passage()
                if done is not None:
                    yield done
                first = number
            lines.append(piece)
    done = passage()
    if done is not None:
        yield done


def _pieces(line: str) -> Iterator[str]:
    """A line, cut at blanks where it is too long for one passage."""
    while len(line) > LONGEST:
        cut = line.rfind(" ", LONGEST // 2, LONGEST)
        cut = LONGEST if cut < 0 else cut
        yield line[:cut]
        line = line[cut:].lstrip()
    yield line


@dataclass(frozen=True)
class _Problem:
    reason: str


def _text(path: Path) -> str | _Problem:
    try:
        data = path.read_bytes()
    except OSError as error:
        return _Problem(f"cannot be read: {error.strerror or error}")
    if b"\0" in data[:8192]:
        return _Problem("binary")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        pass
    # Older Western texts; a control character in them tells that it was no text.
    text = data.decode("latin-1")
    if re.search(r"[\x00-\x08\x0e-\x1f]", text[:8192]):
        return _Problem("binary")
    return text


def _walk(folder: Path, found: Folder) -> Iterator[Path]:
    """Files below a folder, sorted, links to folders not followed."""

    def note(error: OSError) -> None:
        name = os.path.relpath(error.filename, folder)
        found.skipped.append((name, f"cannot be read: {error.strerror}"))

    for top, folders, files in os.walk(folder, onerror=note):
        folders[:] = sorted(f for f in folders if f not in LEFT_OUT and not f.startswith("."))
        for file in sorted(files):
            path = Path(top, file)
            # A pipe or a device would be waited for without end.
            if not file.startswith(".") and (path.is_file() or path.is_symlink()):
                yield path
