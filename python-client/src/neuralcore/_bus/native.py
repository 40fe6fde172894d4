"""What a message bus does once a message, in C where that is there.

``_fast.c`` is compiled when the package is installed, where there is a C compiler. Without one, or
with the environment variable ``NEURALCORE_CLIENT_PURE_PYTHON`` set, everything runs in Python, at
half the messages a second. Each thing in C has its twin in Python, named beside it.
"""

from __future__ import annotations

import os
from typing import Any

fast: Any = None
"""The compiled module, or None."""

if not os.environ.get("NEURALCORE_CLIENT_PURE_PYTHON"):
    try:
        from neuralcore._bus import _fast as fast  # type: ignore[attr-defined,no-redef,unused-ignore]
    except ImportError:  # it was not compiled
        fast = None
