"""What is there to work with, found out without starting anything."""

from __future__ import annotations

import os
import sys

from neuralcore import _discovery, _installed
from neuralcore._version import __version__

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

# Less than the five milliseconds that the whole question may take.
_PROBE_SECONDS = 0.004


def is_native_available() -> bool:
    """Whether the daemon is reachable, or could be started here. Starts nothing.

    Takes well under a millisecond, the first call a few: see ``_discovery`` for what it loads.

    With ``NEURALCORE_URL`` set: whether something accepts connections there.
    """
    client = _current_client()
    if client is not None and client.backend == "daemon":
        return True
    url = os.environ.get("NEURALCORE_URL")
    if url:
        parts = _discovery.parse_url(url)
        return parts is not None and _discovery.answers(*parts[:3], _PROBE_SECONDS)
    try:
        home = _discovery.default_home()
    except (OSError, RuntimeError):
        return False  # the working directory is gone, or there is no home folder
    return _discovery.find(home, _PROBE_SECONDS) is not None or _installed.is_complete()


def get_available_features() -> dict[str, bool]:
    """What can be used right now: "native" is the daemon, the rest works with or without it.

    "vectors" and "messaging" always do; "embedding" needs the daemon or sentence-transformers.
    Starts nothing.
    """
    from importlib.util import find_spec

    native = is_native_available()
    return {
        "native": native,
        "vectors": True,
        "embedding": native or find_spec("sentence_transformers") is not None,
        "messaging": True,
    }


def runtime_info() -> dict[str, Any]:
    """Version, platform, backend; with a connected daemon also what it says of itself.

    Starts nothing, and connects to nothing that is not connected.

    :returns: "version", "native_available", "python_version", "platform", "machine", "bus" ("c",
        or "python" where no compiler was there at installation), "backend" ("daemon", "fallback",
        or None before the first use), "url", "daemon": the answer of ``neuralcore.system.info``
        or None, and "models": of each that is served its precision and what it runs on.
    """
    import platform

    from neuralcore._bus.native import fast

    client = _current_client()
    info: dict[str, Any] = {
        "version": __version__,
        "native_available": is_native_available(),
        "python_version": sys.version,
        "platform": sys.platform,
        "machine": platform.machine(),
        "bus": "python" if fast is None else "c",
        "backend": client.backend if client is not None else None,
        "url": client.url if client is not None else None,
        "daemon": None,
        "models": {},
    }
    if client is not None and client.backend == "daemon":
        from neuralcore.errors import NeuralCoreError

        try:
            info["daemon"] = client.info()
            info["models"] = {
                model["name"]: {key: model[key] for key in ("state", "precision", "provider")}
                for model in client.models()
                if "provider" in model
            }
        except NeuralCoreError as error:
            info["daemon"] = {"error": str(error)}
    return info


def _current_client() -> Any:
    """The process's own client if there is one."""
    default = sys.modules.get("neuralcore._default")
    return default.current_client() if default is not None else None
