"""The client that the module functions share. Thread-safe and fork-safe."""

from __future__ import annotations

import os
import threading
from typing import Literal

from neuralcore.client import Client, connect

_lock = threading.Lock()
_client: Client | None = None


def current_client() -> Client | None:
    """The default client if there is one already; asks and starts nothing."""
    client = _client
    if client is None or (client.backend == "daemon" and client.connection.closed):
        return None
    return client


def default_client(*, require: Literal["daemon"] | None = None) -> Client:
    """The process's own client, made by :func:`neuralcore.connect` when first asked for.

    May start a daemon. Never changes afterwards, but that ``require="daemon"`` puts a daemon's
    in the place of the fallback's for those who ask from then on.

    Raises:
        ConnectError: a daemon is required and there is none.
    """
    client = current_client()
    if client is not None and (require is None or client.backend == require):
        return client
    with _lock:
        client = current_client()
        if client is None or (require is not None and client.backend != require):
            client = connect(require=require)
            set_default_client(client)
        return client


def set_default_client(client: Client | None) -> Client | None:
    """Puts a client in the place of the default one, which is returned and stays open."""
    global _client
    before, _client = _client, client
    return before


def _after_fork_in_child() -> None:
    # The client itself lives on: its connection makes a new one on first use.
    global _lock
    _lock = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)
