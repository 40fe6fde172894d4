"""What callers may pass: names, priorities, times to live."""

from __future__ import annotations

from neuralcore.errors import InvalidRequest

MAX_NAME_BYTES = 256


def check_name(what: str, name: str) -> None:
    if not isinstance(name, str) or not name:
        raise InvalidRequest(f"The {what} is {name!r}; a text that is not empty is needed.")
    size = len(name.encode("utf-8", "replace"))
    if size > MAX_NAME_BYTES:
        raise InvalidRequest(f"The {what} has {size} bytes; it may have {MAX_NAME_BYTES}.")
    if "*" in name or any(ord(c) < 32 or 127 <= ord(c) < 160 for c in name):
        raise InvalidRequest(f"The {what} {name!r} holds '*' or a control character.")


def check_priority(priority: int) -> int:
    # The lowest of all stands for "the channel's default" in the protocol.
    if not isinstance(priority, int) or not -(2**63) < priority < 2**63:
        raise InvalidRequest(f"priority is {priority!r}; an integer of 64 bits is needed.")
    return int(priority)


def check_ttl(ttl: float) -> int:
    """Seconds to milliseconds, at least 1."""
    milliseconds = round(ttl * 1000)
    if not ttl > 0 or milliseconds >= 2**32:
        raise InvalidRequest(f"ttl is {ttl} s; it must be above 0 and below 49 days.")
    return max(1, milliseconds)
