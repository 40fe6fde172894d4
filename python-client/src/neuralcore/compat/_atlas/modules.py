"""ATLAS's own modules, where it can be imported."""

from __future__ import annotations

import importlib
import importlib.util
import logging
import sys
import threading
from pathlib import Path
from types import ModuleType
from typing import Any, Generic, TypeVar

_Core = TypeVar("_Core")
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


class ClassOver(Generic[_Core]):
    """Makes ``core`` a subclass of an abstract class of ATLAS's, one for each module given.

    ``core`` finds the module, with the results and errors that go with that class, as ``types``.
    Thread-safe.

    :param base: name of ATLAS's class in the module.
    :param name: what the class made is called.
    :param place: the module that it says it is from.
    """

    def __init__(self, core: type[_Core], base: str, name: str, place: str) -> None:
        self._core = core
        self._base = base
        self._name = name
        self._place = place
        self._made: dict[Any, type[_Core]] = {}
        self._lock = threading.Lock()

    def __call__(self, types: Any) -> type[_Core]:
        """:param types: ATLAS's module, or what stands in for it."""
        with self._lock:
            made = self._made.get(types)
            if made is None:
                base = getattr(types, self._base)
                body = {"__doc__": self._core.__doc__, "__module__": self._place, "types": types}
                made = self._made[types] = type(base)(self._name, (self._core, base), body)
            return made


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
