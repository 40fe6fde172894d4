"""ATLAS's filters of metadata, in terms of ours.

ATLAS's is a mapping of which every key must be there with an equal value, mappings within it being
compared likewise. Ours means more by some of that: ``"a.b"`` is a path, a value also fits an
element of a list, True is not 1. So ATLAS's is sent as one of ours that every row fits which fits
ATLAS's, and what comes back is looked at again.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any


def is_ours(filter: Mapping[str, Any]) -> bool:
    """Whether it has an operator (``$gte``, ``$or``, …): then it is our kind and sent as it is."""
    return any(
        str(key).startswith("$") or (isinstance(value, Mapping) and is_ours(value))
        for key, value in filter.items()
    )


def fits(metadata: Mapping[str, Any], filter: Mapping[str, Any]) -> bool:
    """Whether metadata fits a filter of ATLAS's."""
    for key, expected in filter.items():
        if key not in metadata:
            return False
        value = metadata[key]
        if isinstance(expected, Mapping) and isinstance(value, Mapping):
            if not fits(value, expected):
                return False
        elif value != expected:
            return False
    return True


def widened(filter: Mapping[str, Any]) -> dict[str, Any]:
    """A filter of ours that holds at least where this one of ATLAS's does."""
    wide: dict[str, Any] = {}
    for key, expected in filter.items():
        if isinstance(expected, Mapping):
            inner = widened(expected)
            wide[key] = inner if inner else {"$exists": True}
        elif isinstance(expected, (bool, int, float)) and expected in (0, 1):
            # Python takes these for equal, JSON does not.
            wide[key] = {"$in": [bool(expected), int(expected)]}
        elif isinstance(expected, (bool, int, float, str)):
            wide[key] = expected
        else:  # None, a list: present; the rest is seen afterwards
            wide[key] = {"$exists": True}
    return wide


def plain(value: Any) -> Any:
    """As JSON: tuples become lists, keys strings, what JSON has no form for its text."""
    if isinstance(value, Mapping):
        return {str(key): plain(each) for key, each in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, (str, bytes, bytearray)):
        return [plain(each) for each in value]
    if isinstance(value, (str, int, float, bool)) or value is None:
        return value
    item = getattr(value, "item", None)  # NumPy's numbers
    return plain(item()) if callable(item) and getattr(value, "ndim", 1) == 0 else str(value)


def as_json(metadata: Mapping[str, Any] | None) -> dict[str, Any]:
    """:func:`plain` of metadata.

    :raises ValueError: if a number in it is NaN or infinite.
    """
    made: dict[str, Any] = plain(metadata or {})
    json.dumps(made, allow_nan=False)
    return made
