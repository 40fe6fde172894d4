"""Waits for what another thread or process brings about."""

from __future__ import annotations

import sys
import threading
import time
import traceback
from collections.abc import Callable


def eventually(condition: Callable[[], object], seconds: float = 60) -> None:
    """Returns when the condition holds; fails after so many seconds, with every thread's stack."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"did not come true within {seconds:g} s\n{_stacks()}")
        time.sleep(0.005)


def _stacks() -> str:
    names = {thread.ident: thread.name for thread in threading.enumerate()}
    return "\n".join(
        f"{names.get(ident, ident)}:\n{''.join(traceback.format_stack(frame))}"
        for ident, frame in sys._current_frames().items()
    )
