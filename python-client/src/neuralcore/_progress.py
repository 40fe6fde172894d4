"""A progress bar on stderr, for people who wait at a terminal."""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator

LONG = 2000
"""From so many items on a bar is shown, if nobody decided."""
_REDRAW_SECONDS = 0.1


@contextlib.contextmanager
def progress(total: int, what: str, show: bool | None = None) -> Iterator[Callable[[int], None]]:
    """Gives a function to be told how many items more are done.

    :param show: None means for long work on a terminal.
    """
    if show is None:
        show = total >= LONG and sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
    if not show:
        yield lambda count: None
        return
    done = 0
    drawn = started = time.monotonic()

    def advance(count: int) -> None:
        nonlocal done, drawn
        done += count
        now = time.monotonic()
        if now - drawn >= _REDRAW_SECONDS or done >= total:
            drawn = now
            _draw(done, total, what, now - started)

    try:
        yield advance
    finally:
        sys.stderr.write("\n")


def _draw(done: int, total: int, what: str, seconds: float) -> None:
    rate = done / seconds if seconds > 0 else 0.0
    text = f" {done:,}/{total:,}  {rate:,.0f}/s"
    width = max(10, min(40, shutil.get_terminal_size().columns - len(what) - len(text) - 4))
    filled = width * done // max(1, total)
    sys.stderr.write(f"\r{what} [{'#' * filled}{'.' * (width - filled)}]{text} ")
    sys.stderr.flush()
