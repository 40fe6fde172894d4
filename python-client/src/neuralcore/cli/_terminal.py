"""What the demo draws: a progress bar, wrapped quotations, a table. Plain text, no colour."""

from __future__ import annotations

import shutil
import sys
import textwrap
import time
from collections.abc import Sequence
from types import TracebackType

__all__ = ["Progress", "quote", "table", "width"]


def width() -> int:
    """Columns to write in: the terminal's, but neither too narrow nor too wide to read."""
    return max(60, min(100, shutil.get_terminal_size((88, 24)).columns))


class Progress:
    """A bar on standard error while it is a terminal; nothing otherwise. A context manager."""

    def __init__(self, label: str, total: int) -> None:
        self._label = label
        self._total = total
        self._shown = sys.stderr.isatty()
        self._started = time.monotonic()
        self._done = 0

    def __enter__(self) -> Progress:
        self.advance(0)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._shown:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()

    def advance(self, count: int) -> None:
        """So many more are done."""
        self._done += count
        if not self._shown:
            return
        seconds = time.monotonic() - self._started
        rate = f"{self._done / seconds:,.0f}/s" if self._done and seconds > 0 else ""
        tail = f" {self._done:,}/{self._total:,} {rate}"
        room = max(10, width() - len(self._label) - len(tail) - 4)
        filled = room * self._done // max(1, self._total)
        bar = "#" * filled + "." * (room - filled)
        sys.stderr.write(f"\r\x1b[K{self._label} [{bar}]{tail}")
        sys.stderr.flush()


def quote(text: str, lines: int, indent: str) -> str:
    """The beginning of a text as a block of at most so many lines."""
    return textwrap.fill(
        printable(text),
        width=width(),
        initial_indent=indent,
        subsequent_indent=indent,
        max_lines=lines,
        placeholder=" …",
        break_long_words=True,
    )


def printable(text: str) -> str:
    """One line of text; what would steer the terminal is replaced."""
    one_line = " ".join(text.split())
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in one_line)


def table(rows: Sequence[tuple[str, str]], indent: str = "  ") -> str:
    """Two columns, the first as wide as it needs to be."""
    wide = max((len(name) for name, _ in rows), default=0)
    return "\n".join(f"{indent}{name:<{wide}}  {value}" for name, value in rows)
