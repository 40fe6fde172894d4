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
    library of ATLAS's is missing, the log says which, once.
    """
    if name in sys.modules:
        return sys.modules[name]
    file = _file(name)
    if file is None or file in _failed:
        return None
    try:
        return importlib.import_module(name)
    except Exception as error:
        _failed.add(file)
        _logger.warning("ATLAS's %s cannot be imported, so ours stands in: %s", name, error)
        return None


_failed: set[Path] = set()


def _file(name: str) -> Path | None:
    """Where this module is; imports nothing."""
    top, _, rest = name.partition(".")
    try:
        spec = importlib.util.find_spec(top)
    except ValueError:  # a module that was put together by hand has no spec
        folders = list(getattr(sys.modules[top], "__path__", ()))
    else:
        folders = list(spec.submodule_search_locations or ()) if spec is not None else []
    for folder in folders:
        place = Path(folder, *rest.split("."))
        for file in (place.with_suffix(".py"), place / "__init__.py"):
            if file.is_file():
                return file
    return None
