"""Fast vectors, text embedding and a priority message bus, served by a local daemon."""

from __future__ import annotations

from neuralcore._version import __version__

__all__ = ["__version__"]
