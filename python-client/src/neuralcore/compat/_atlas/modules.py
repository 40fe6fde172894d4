"""ATLAS's own modules, where it can be imported."""

from __future__ import annotations

import importlib
import importlib.util
import logging
import sys
from pathlib import Path
from types import ModuleType

_logger = logging.getLogger("neuralcore.compat")


def atlas_module(name: str) -> ModuleType | None:
    """ATLAS's module of this name, imported if need be; None where there is no ATLAS.

    Nothing is imported unless the file is where ATLAS has it: packages called ``modules`` and
    ``core`` are found in other applications too. If it is there and cannot be imported, as a
    library of ATLAS's is missing, the log says which.
    """
    if name in sys.modules:
        return sys.modules[name]
    if not is_there(name):
        return None
    try:
        return importlib.import_module(name)
    except Exception as error:
        _logger.warning("ATLAS's %s cannot be imported, so ours stands in: %s", name, error)
        return None


def is_there(name: str) -> bool:
    """Whether there is a file for this module. Imports nothing."""
    top, _, rest = name.partition(".")
    try:
        spec = importlib.util.find_spec(top)
    except ValueError:  # a module that was put together by hand has no spec
        folders = list(getattr(sys.modules[top], "__path__", ()))
    else:
        folders = list(spec.submodule_search_locations or ()) if spec is not None else []
    relative = Path(*rest.split("."))
    return any((Path(folder) / relative).with_suffix(".py").is_file() for folder in folders)
