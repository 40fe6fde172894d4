"""Numbers that several modules share."""

from __future__ import annotations

TURN_SECONDS = 0.001
"""After so long with a backlog, an event loop gets a tick between two handlers."""
