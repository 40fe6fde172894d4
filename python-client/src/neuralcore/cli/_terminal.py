"""Text for a terminal: wrapped quotations, in which nothing steers the terminal."""

from __future__ import annotations

import shutil
import textwrap

__all__ = ["printable", "quote", "width"]


def width() -> int:
    """Columns to write in: the terminal's, but neither too narrow nor too wide to read."""
    return max(60, min(100, shutil.get_terminal_size((88, 24)).columns))


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
