"""What of ATLAS is replaced by what: the one list that all else here follows."""

from __future__ import annotations

import importlib
from collections.abc import Collection, Iterable
from typing import Any, Literal, NamedTuple

PARTS = ("bus", "embedding", "vectors")


class Swap(NamedTuple):
    """One name of ATLAS's and what stands in for it.

    :ivar part: one of ``PARTS``.
    :ivar module: ATLAS's module, from the root of its tree.
    :ivar name: in that module; ``Class.method`` for a method.
    :ivar ours: ``module:name``.
    :ivar how: "import": whoever imports the name imports ours. "body": the function stays, and
        calls ours with its arguments, without ``self``.
    """

    part: str
    module: str
    name: str
    ours: str
    how: Literal["import", "body"] = "import"

    def resolve(self) -> Any:
        """Ours, imported."""
        module, _, name = self.ours.partition(":")
        return getattr(importlib.import_module(module), name)


def _of(part: str, module: str, ours: str, names: Iterable[str]) -> list[Swap]:
    return [Swap(part, module, name, f"{ours}:{name}") for name in names]


SWAPS: tuple[Swap, ...] = (
    *_of(
        "bus",
        "core.messaging.agent_bus",
        "neuralcore.compat.agent_bus",
        (
            "AgentBus",
            "Subscription",
            "get_agent_bus",
            "configure_agent_bus",
            "shutdown_agent_bus",
        ),
    ),
    *_of(
        "bus",
        "core.messaging.NCB",
        "neuralcore.compat.atlas_ncb",
        (
            "ChannelConfig",
            "Message",
            "NeuralCognitiveBus",
            "Plugin",
            "SecurityConfig",
            "SubscriberConfig",
        ),
    ),
    # Of other versions, and of the planning documents.
    Swap("bus", "core.messaging.NCB", "NCB", "neuralcore.compat.atlas_ncb:NeuralCoreNCB"),
)

MODULES = {
    "core.messaging.agent_bus": "neuralcore.compat.agent_bus",
    "core.messaging.NCB": "neuralcore.compat.atlas_ncb",
}
"""Modules that ours stand in for as a whole, with all that is imported of them."""


def swaps_of(parts: Collection[str]) -> tuple[Swap, ...]:
    """The swaps of the parts named.

    :raises ValueError: if there is no such part.
    """
    unknown = sorted(set(parts) - set(PARTS))
    if unknown:
        raise ValueError(f"{', '.join(unknown)}: the parts are {', '.join(PARTS)}.")
    return tuple(swap for swap in SWAPS if swap.part in parts)
