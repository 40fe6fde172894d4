"""What is there to work with, found out without starting anything."""

from __future__ import annotations

import importlib.util
import os
import platform
import socket
import sys
from typing import Any

from neuralcore._version import __version__

_PROBE_SECONDS = 0.004


def is_native_available() -> bool:
    """Whether the daemon is reachable, or could be started here. Starts nothing.

    Takes about a millisecond; the first call loads modules of the standard library, too.

    With ``NEURALCORE_URL`` set: whether something accepts connections there.
    """
    from neuralcore import daemon

    client = _current_client()
    if client is not None and client.backend == "daemon":
        return True
    url = os.environ.get("NEURALCORE_URL")
    if url:
        return _answers(url)
    return daemon.find() is not None or daemon.startable()


def get_available_features() -> dict[str, bool]:
    """What can be used right now: "native" is the daemon, the rest works with or without it.

    "vectors" and "messaging" always do; "embedding" needs the daemon or sentence-transformers.
    Starts nothing.
    """
    native = is_native_available()
    return {
        "native": native,
        "vectors": True,
        "embedding": native or importlib.util.find_spec("sentence_transformers") is not None,
        "messaging": True,
    }


def runtime_info() -> dict[str, Any]:
    """Version, platform, backend; with a connected daemon also what it says of itself.

    Starts nothing, and connects to nothing that is not connected.

    :returns: "version", "native_available", "python_version", "platform", "machine", "backend"
        ("daemon", "fallback", or None before the first use), "url", and "daemon": the answer of
        ``neuralcore.system.info`` or None.
    """
    client = _current_client()
    info: dict[str, Any] = {
        "version": __version__,
        "native_available": is_native_available(),
        "python_version": sys.version,
        "platform": sys.platform,
        "machine": platform.machine(),
        "backend": client.backend if client is not None else None,
        "url": client.url if client is not None else None,
        "daemon": None,
    }
    if client is not None and client.backend == "daemon":
        from neuralcore.errors import NeuralCoreError

        try:
            info["daemon"] = client.info()
        except NeuralCoreError as error:
            info["daemon"] = {"error": str(error)}
    return info


def _current_client() -> Any:
    """The process's own client if there is one."""
    default = sys.modules.get("neuralcore._default")
    return default.current_client() if default is not None else None


def _answers(url: str) -> bool:
    from neuralcore._endpoint import Endpoint

    try:
        endpoint = Endpoint.parse(url)
        if endpoint.path:
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
                probe.settimeout(_PROBE_SECONDS)
                probe.connect(endpoint.path)
        else:
            socket.create_connection((endpoint.host, endpoint.port), _PROBE_SECONDS).close()
    except (OSError, ValueError):
        return False
    return True
