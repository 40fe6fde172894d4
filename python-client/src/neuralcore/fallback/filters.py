"""Conditions on metadata, evaluated row by row.

``src/main/java/neuralcore/vectors/filter`` is the original, with an index; what holds here holds
there: see ``docs/vectors.md``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from neuralcore.errors import InvalidRequest

Filter = Mapping[str, Any]
Test = Callable[["Mapping[str, Any] | None"], bool]

_OPERATORS = "$eq, $ne, $in, $nin, $gt, $gte, $lt, $lte, $exists, $not, $and, $or"
_BOUNDS: dict[str, Callable[[Any, Any], bool]] = {
    "$gt": lambda value, bound: value > bound,
    "$gte": lambda value, bound: value >= bound,
    "$lt": lambda value, bound: value < bound,
    "$lte": lambda value, bound: value <= bound,
}


def compiled(filter: Filter) -> Test:
    """The filter as a function of a row's metadata.

    :raises InvalidRequest: if it cannot be understood, with the place.
    """
    return _all(None, filter)


def _all(path: str | None, conditions: Filter) -> Test:
    """``path`` is what the conditions are about, None for the row itself."""
    tests: list[Test] = []
    bounds: dict[str, int | float | str] = {}
    for name, operand in conditions.items():
        if not name.startswith("$"):
            tests.append(_field(name if path is None else f"{path}.{name}", operand))
        elif name in _BOUNDS:
            _need(path, name)
            if name[:3] in (known[:3] for known in bounds):
                raise InvalidRequest(f"'filter' bounds {path!r} twice on one side.")
            if isinstance(operand, bool) or not isinstance(operand, (int, float, str)):
                raise _invalid(name, operand, "a number or a string")
            bounds[name] = operand
        else:
            tests.append(_operator(path, name, operand))
    if path is not None and bounds:
        if len({isinstance(bound, str) for bound in bounds.values()}) > 1:
            raise InvalidRequest(f"'filter' bounds {path!r} by a number and a string.")
        tests.append(_between(path, bounds))
    return lambda metadata: all(test(metadata) for test in tests)


def _field(path: str, operand: Any) -> Test:
    if not isinstance(operand, Mapping):
        return _among(path, [operand])
    return _all(path, operand) if operand else _exists(path)


def _operator(path: str | None, name: str, operand: Any) -> Test:
    if name in ("$and", "$or"):
        if not isinstance(operand, list) or not operand:
            raise _invalid(name, operand, "a list of filters, at least one")
        parts = [_all(path, _object(name, part)) for part in operand]
        if name == "$and":
            return lambda metadata: all(part(metadata) for part in parts)
        return lambda metadata: any(part(metadata) for part in parts)
    if name == "$not":
        inner = _all(path, _object(name, operand))
        return lambda metadata: not inner(metadata)
    if name not in ("$eq", "$ne", "$in", "$nin", "$exists"):
        raise InvalidRequest(f"'filter' has the operator {name!r}; there are {_OPERATORS}.")
    path = _need(path, name)
    if name == "$exists":
        if not isinstance(operand, bool):
            raise _invalid(name, operand, "true or false")
        exists = _exists(path)
        return exists if operand else lambda metadata: not exists(metadata)
    if name in ("$in", "$nin") and not isinstance(operand, list):
        raise _invalid(name, operand, "a list of values")
    values = list(operand) if name in ("$in", "$nin") else [operand]
    if any(isinstance(value, Mapping) for value in values):
        raise _invalid(name, operand, "a value, not an object")
    among = _among(path, values)
    return among if name in ("$eq", "$in") else lambda metadata: not among(metadata)


def _among(path: str, values: list[Any]) -> Test:
    return lambda metadata: any(
        _same(value, wanted) for value in _values(metadata, path) for wanted in values
    )


def _exists(path: str) -> Test:
    return lambda metadata: any(True for _ in _at(metadata, path))


def _between(path: str, bounds: Mapping[str, Any]) -> Test:
    kind = str if isinstance(next(iter(bounds.values())), str) else (int, float)
    ends = [(_BOUNDS[name], _ordered(bound)) for name, bound in bounds.items()]

    def holds(value: Any) -> bool:
        if isinstance(value, bool) or not isinstance(value, kind):
            return False
        return all(is_within(_ordered(value), end) for is_within, end in ends)

    return lambda metadata: any(holds(value) for value in _values(metadata, path))


def _ordered(value: Any) -> Any:
    """What orders numbers as numbers and strings as the daemon does, by UTF-16 units."""
    return value.encode("utf-16-be") if isinstance(value, str) else value


def _at(value: Any, path: str) -> Iterator[Any]:
    """What is at the path: of each element where there is a list."""
    if isinstance(value, list):
        for item in value:
            yield from _at(item, path)
    elif isinstance(value, Mapping):
        for name, inner in value.items():
            if path == name:
                yield inner
            elif path.startswith(name + "."):
                yield from _at(inner, path[len(name) + 1 :])


def _values(metadata: Any, path: str) -> Iterator[Any]:
    for value in _at(metadata, path):
        yield from _flat(value)


def _flat(value: Any) -> Iterator[Any]:
    """A value, and the elements of a list; an object is no value."""
    if not isinstance(value, Mapping):
        yield value
    if isinstance(value, list):
        for item in value:
            yield from _flat(item)


def _same(a: Any, b: Any) -> bool:
    """Equal, and of one kind, in lists too: True is not 1."""
    if isinstance(a, bool) or isinstance(b, bool):
        return a is b
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(_same, a, b))
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(_same(a[name], b[name]) for name in a)
    return bool(a == b)


def _need(path: str | None, name: str) -> str:
    if path is None:
        raise InvalidRequest(f"'filter' has {name!r} outside of a field.")
    return path


def _object(name: str, operand: Any) -> Filter:
    if not isinstance(operand, Mapping):
        raise _invalid(name, operand, "an object")
    return operand


def _invalid(name: str, operand: Any, expected: str) -> InvalidRequest:
    return InvalidRequest(f"'filter' has {name!r} with {operand!r}; it needs {expected}.")
