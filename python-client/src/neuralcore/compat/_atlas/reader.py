"""Values out of a configuration, each checked, with its whole key in what is refused."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from neuralcore.errors import InvalidRequest

_TRUE = ("1", "true", "yes", "on")
_FALSE = ("0", "false", "no", "off")


def refused(key: str, value: Any, needed: str) -> InvalidRequest:
    return InvalidRequest(f"{key} is {value!r}; it must be {needed}.", code="CONFIG_INVALID")


def section(values: Mapping[str, Any], *names: str, path: str = "") -> Section:
    """The mapping at this place; an empty one where there is none.

    :raises InvalidRequest: if something else is there.
    """
    for name in names:
        path = f"{path}.{name}" if path else name
        value = values.get(name)
        if value is None:
            values = {}
        elif isinstance(value, Mapping):
            values = value
        else:
            raise refused(path, value, "a mapping")
    return Section(path, values)


class Section(dict[str, Any]):
    """One mapping of a configuration. None counts as not given."""

    def __init__(self, path: str, values: Mapping[str, Any]) -> None:
        super().__init__(values)
        self.path = path

    def text(self, name: str, default: str | None) -> str | None:
        """Blank counts as not given, as ATLAS writes it for what was taken out."""
        value = self.get(name)
        if value is not None and not isinstance(value, str):
            raise self._refused(name, "a text")
        return (value or "").strip() or default

    def flag(self, name: str, default: bool) -> bool:
        """Also the words that ATLAS takes for true and false."""
        value = self.get(name)
        if value is None:
            return default
        if isinstance(value, bool):
            return value
        word = str(value).strip().lower()
        if word in _TRUE or word in _FALSE:
            return word in _TRUE
        raise self._refused(name, "true or false")

    def count(self, name: str, default: int, *, least: int = 1, most: int = 1 << 31) -> int:
        """A whole number, or its digits."""
        value = self.get(name)
        if value is None:
            return default
        try:
            number = int(value) if isinstance(value, (int, str)) else None
        except ValueError:
            number = None
        if number is None or isinstance(value, bool) or not least <= number <= most:
            upper = f", at most {most}" if most < 1 << 31 else ""
            raise self._refused(name, f"a whole number of at least {least}{upper}")
        return number

    def _refused(self, name: str, needed: str) -> InvalidRequest:
        return refused(f"{self.path}.{name}", self.get(name), needed)
