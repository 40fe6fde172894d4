"""A pytest plugin for ATLAS's own tests; ``atlas_tests.py`` beside it runs them.

ATLAS_TESTS_SUBSTITUTE says which of its modules are ours: none ("0"), ``core.messaging.NCB``
("ncb"), or also ``core.messaging.agent_bus`` ("agent_bus"). The default client is then that of a
daemon of the run's own. The checkout is not touched.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

SUBSTITUTE = os.environ.get("ATLAS_TESTS_SUBSTITUTE", "0")
CHECKOUT = Path(os.environ["ATLAS_TESTS_ROOT"])

# Its conftest wants a plugin for PostgreSQL and ships a stand-in, in a folder that cannot be put on
# the path: `calendar` lies there too.
if importlib.util.find_spec("pytest_postgresql") is None:
    stand_in = CHECKOUT / "tests" / "pytest_postgresql.py"
    spec = importlib.util.spec_from_file_location("pytest_postgresql", stand_in)
    if spec is not None and spec.loader is not None and stand_in.exists():
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        sys.modules["pytest_postgresql"] = module

if SUBSTITUTE != "0":
    sys.modules["core.messaging.NCB"] = importlib.import_module("neuralcore.compat.atlas_ncb")
if SUBSTITUTE == "agent_bus":
    sys.modules["core.messaging.agent_bus"] = importlib.import_module("neuralcore.compat.agent_bus")


class _Daemon:
    """The run's own daemon."""

    def __init__(self) -> None:
        from neuralcore import daemon
        from neuralcore._default import set_default_client
        from neuralcore.client import connect

        self._home = tempfile.mkdtemp(prefix="neuralcore-atlas-")
        self._daemon = daemon.start(home=Path(self._home), owned=True, timeout=60.0)
        self._client = connect(self._daemon.url)
        set_default_client(self._client)

    def close(self) -> None:
        self._client.close()
        self._daemon.stop()
        shutil.rmtree(self._home, ignore_errors=True)


def pytest_configure(config: Any) -> None:
    if SUBSTITUTE != "0":
        config.neuralcore_daemon = _Daemon()


def pytest_collection_finish(session: Any) -> None:
    """Makes sure that what is tested is what is said to be tested."""
    messaging = sys.modules.get("core.messaging")
    if messaging is not None:
        used = (messaging.NeuralCognitiveBus, messaging.AgentBus)
        ours = [each.__module__.startswith("neuralcore.") for each in used]
        if ours != [SUBSTITUTE != "0", SUBSTITUTE == "agent_bus"]:
            raise RuntimeError(f"ATLAS uses {used}")


def pytest_unconfigure(config: Any) -> None:
    daemon = getattr(config, "neuralcore_daemon", None)
    if daemon is not None:
        daemon.close()
