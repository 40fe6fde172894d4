"""Replaces ATLAS's classes and functions in a running program, and puts them back.

What has been imported is replaced wherever a module holds it, by identity; what will be imported,
at the moment when its module has been executed and before anybody takes a name from it.
"""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import logging
import os
import sys
import threading
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

from neuralcore.compat._adopt.table import NAME, PARTS, Swap, swaps_of

logger = logging.getLogger("neuralcore")


class _Change(NamedTuple):
    """Where something was put: a module, class or table, the name, what it was, and what it is."""

    owner: Any
    name: Any
    before: Any
    now: Any


_PACKAGES = ("core", "modules", "server")

_lock = threading.RLock()
_pending: dict[str, list[Swap]] = {}
_changes: list[_Change] = []
_enabled: set[str] = set()


def enable(
    *,
    messaging: bool | None = None,
    embedding: bool | None = None,
    vectors: bool | None = None,
) -> tuple[str, ...]:
    """Has ATLAS use ours from now on, in this process; its files stay as they are.

    Call it first in the program, before it makes anything: objects that exist keep their classes.
    May be called again, for other parts. Thread-safe.

    :param messaging: as the others, whether that part is ours; by default what the configuration
        says (``neuralcore.enabled``, ``neuralcore.messaging`` …, after ``apply_config``), which
        is yes if it says nothing.
    :returns: the parts that are enabled now.
    """
    from neuralcore.compat.config import is_enabled

    given = dict(zip(PARTS, (messaging, embedding, vectors), strict=True))
    wanted = [part for part, on in given.items() if (is_enabled(part) if on is None else on)]
    with _lock:
        for swap in swaps_of([part for part in wanted if part not in _enabled]):
            _pending.setdefault(swap.module, []).append(swap)
        _enabled.update(wanted)
        if _pending and _finder not in sys.meta_path:
            sys.meta_path.insert(0, _finder)
        for name in list(_pending):
            module = sys.modules.get(name)
            if module is not None and not _is_being_imported(module):
                _apply(module)
        return enabled()


def disable() -> tuple[str, ...]:
    """Puts back what :func:`enable` has replaced; returns the parts that were enabled.

    Objects that were made meanwhile keep their classes.
    """
    with _lock:
        before = enabled()
        _enabled.clear()
        _pending.clear()
        if _finder in sys.meta_path:
            sys.meta_path.remove(_finder)
        for change in reversed(_changes):
            holder = _names_of(change.owner)
            if holder.get(change.name) is change.now:
                _set(change.owner, change.name, change.before)
        # Whoever of ATLAS has imported ours meanwhile took it from there.
        for change in _changes:
            root = _root_of(change.owner)
            if root is not None:
                for module, owner, name in _holders(change.now):
                    if str(getattr(module, "__file__", None) or "").startswith(root):
                        _set(owner, name, change.before)
        _changes.clear()
        return before


def enabled() -> tuple[str, ...]:
    """The parts that :func:`enable` has replaced."""
    return tuple(part for part in PARTS if part in _enabled)


def _is_being_imported(module: ModuleType) -> bool:
    return bool(getattr(getattr(module, "__spec__", None), "_initializing", False))


def _apply(module: ModuleType) -> None:
    """Replaces what is to be in a module that has been executed, and in all who have it from it."""
    for swap in _pending.pop(module.__name__, ()):
        if swap.how in ("register", "decorate"):
            _register(module, swap)
            continue
        owner: Any = module
        *classes, name = swap.name.split(".")
        for each in classes:
            owner = vars(owner).get(each)
        before = vars(owner).get(name) if owner is not None else None
        if before is None:
            logger.debug("%s has no %s: nothing to replace", module.__name__, swap.name)
            continue
        ours = swap.resolve()
        if classes:
            _put(owner, name, before, staticmethod(ours))
            continue
        _put(module, name, before, ours)
        for _, holder, called in _holders(before):
            _put(holder, called, before, ours)


def _register(module: ModuleType, swap: Swap) -> None:
    """Stays after :func:`disable`: nobody gets it who does not ask for our name."""
    function = getattr(module, swap.name, None)
    if function is None:
        logger.debug("%s has no %s: nothing to register", module.__name__, swap.name)
    elif swap.how == "register":
        function(NAME, swap.resolve())
    else:
        function(NAME)(swap.resolve())


def _put(owner: Any, name: Any, before: Any, now: Any) -> None:
    _set(owner, name, now)
    _changes.append(_Change(owner, name, before, now))


def _set(owner: Any, name: Any, value: Any) -> None:
    if isinstance(owner, dict):
        owner[name] = value
    else:
        setattr(owner, name, value)


def _names_of(owner: Any) -> Mapping[Any, Any]:
    return owner if isinstance(owner, dict) else vars(owner)


def _holders(value: Any) -> list[tuple[ModuleType, Any, Any]]:
    """Who has it: module, the module again or a table in it such as a registry, and the name."""
    found: list[tuple[ModuleType, Any, Any]] = []
    for module in list(sys.modules.values()):
        if not isinstance(module, ModuleType) or module.__name__.partition(".")[0] == "neuralcore":
            continue
        is_atlas = module.__name__.partition(".")[0] in _PACKAGES
        for name, held in list(vars(module).items()):
            if held is value:
                found.append((module, module, name))
            elif is_atlas and type(held) is dict and not name.startswith("__"):
                found += [(module, held, key) for key, each in held.items() if each is value]
    return found


def _root_of(owner: Any) -> str | None:
    """The folder that a module was imported from, with all its packages; None for a class."""
    file = getattr(owner, "__file__", None) if isinstance(owner, ModuleType) else None
    if file is None:
        return None
    path = Path(file)
    above = path.parents[owner.__name__.count(".") + (path.name == "__init__.py")]
    return os.path.join(above, "")


class _Loader(importlib.abc.Loader):
    """Executes a module as its own loader does, and replaces names in it."""

    def __init__(self, loader: Any) -> None:
        self._loader = loader

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType | None:
        made: ModuleType | None = self._loader.create_module(spec)
        return made

    def exec_module(self, module: ModuleType) -> None:
        # Whoever looks at the module later finds the loader that it would have without us.
        module.__loader__ = self._loader
        if module.__spec__ is not None:
            module.__spec__.loader = self._loader
        self._loader.exec_module(module)
        with _lock:
            _apply(module)


class _Finder(importlib.abc.MetaPathFinder):
    """Finds the modules that wait to be changed, by asking all other finders."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname not in _pending:
            return None
        for finder in sys.meta_path:
            if finder is self or not hasattr(finder, "find_spec"):
                continue
            spec = finder.find_spec(fullname, path, target)
            if spec is not None:
                if spec.loader is not None and hasattr(spec.loader, "exec_module"):
                    spec.loader = _Loader(spec.loader)
                return spec
        return None


_finder = _Finder()


def parts(names: Collection[str]) -> dict[str, bool]:
    """The arguments of :func:`enable` for parts by name.

    :raises ValueError: if there is no such part.
    """
    swaps_of(names)
    return {part: part in names for part in PARTS}
