"""ATLAS's parts with ours beside them, on live traffic: what differs is reported.

::

    from neuralcore.compat import shadow
    from neuralcore.compat.agent_bus import AgentBus

    watch = shadow.bus(atlas_bus, beside=AgentBus())    # before anybody subscribes
    await watch.new.start()
    ...                                                 # the application as usual
    print(await watch.settle())                         # compared: …; differences: …
    watch.report.write("shadow.json")
    await watch.end()

The application goes on with the old object, whose results and errors it gets; ours does the same
beside it, and cannot disturb it but by the time that it takes. Where what comes cannot be compared,
that is a difference, too: "not compared". ``shadow.embeddings`` watches an embedding provider,
``shadow.vectors`` a vector store of ATLAS's tools. All belong to the event loop on which they are
used.
"""

from __future__ import annotations

from typing import Any

from neuralcore.compat._shadow.bus import BusWatch
from neuralcore.compat._shadow.embedding import EmbeddingWatch
from neuralcore.compat._shadow.report import Difference, Report
from neuralcore.compat._shadow.vectors import VectorStoreWatch

__all__ = [
    "BusWatch",
    "Difference",
    "EmbeddingWatch",
    "Report",
    "VectorStoreWatch",
    "bus",
    "embeddings",
    "vectors",
]


def bus(old: Any, beside: Any, report: Report | None = None) -> BusWatch:
    """Repeats what is published to an AgentBus, and what is subscribed from now on, on another.

    Handlers run for the old one alone. Differences: "missing", "extra", "order", "dropped",
    "old failed", "new failed".
    """
    return BusWatch(old, beside, report)


def embeddings(
    old: Any, beside: Any, report: Report | None = None, *, least: float = 0.99
) -> EmbeddingWatch:
    """Embeds each text with another provider too.

    Differences: "vector" (a cosine below ``least``), "dimension", "count", "new failed".
    """
    return EmbeddingWatch(old, beside, report, least=least)


def vectors(
    old: Any, beside: Any, report: Report | None = None, *, tolerance: float = 1e-4
) -> VectorStoreWatch:
    """Puts, searches and deletes in another ``VectorStoreAdapter`` too, in the same order.

    Differences: "missing", "extra", "score" (by more than ``tolerance``), "order", "new failed".
    """
    return VectorStoreWatch(old, beside, report, tolerance=tolerance)
