"""What callers may pass: names, priorities, times to live."""

from __future__ import annotations

import datetime
import math
import os
import time

from neuralcore.errors import InvalidRequest

MAX_NAME_BYTES = 256

# The priority that a client of the bridge names to get its channel's own. It is nobody's.
CHANNELS_DEFAULT = -(2**63)


def check_name(what: str, name: str, *, pattern: bool = False) -> None:
    """:param pattern: whether it may hold ``*``, as what is subscribed to."""
    if not isinstance(name, str) or not name:
        raise InvalidRequest(f"The {what} is {name!r}; a text that is not empty is needed.")
    size = len(name.encode("utf-8", "replace"))
    if size > MAX_NAME_BYTES:
        raise InvalidRequest(f"The {what} has {size} bytes; it may have {MAX_NAME_BYTES}.")
    if "*" in name and not pattern:
        raise InvalidRequest(f"The {what} {name!r} holds '*', which stands for other names.")
    if any(ord(c) < 32 or 127 <= ord(c) < 160 for c in name):
        raise InvalidRequest(f"The {what} {name!r} holds a control character.")


def check_priority(priority: int) -> int:
    if not isinstance(priority, int) or not CHANNELS_DEFAULT < priority < 2**63:
        raise InvalidRequest(f"priority is {priority!r}; an integer of 64 bits is needed.")
    return int(priority)


def check_ttl(ttl: float) -> int:
    """Seconds to milliseconds, at least 1."""
    milliseconds = round(ttl * 1000)
    if not ttl > 0 or milliseconds >= 2**32:
        raise InvalidRequest(f"ttl is {ttl} s; it must be above 0 and below 49 days.")
    return max(1, milliseconds)


def check_delay(delay: float | None, deliver_at: float | datetime.datetime | None) -> int:
    """Milliseconds from now; what lies in the past is due at once."""
    if delay is not None and deliver_at is not None:
        raise InvalidRequest("Give delay or deliver_at, not both.")
    if deliver_at is not None:
        if isinstance(deliver_at, datetime.datetime):
            deliver_at = deliver_at.timestamp()
        delay = max(0.0, deliver_at - time.time())
    assert delay is not None
    if not 0 <= delay < 100 * 365 * 86_400:
        raise InvalidRequest(f"delay is {delay} s; it must be 0 or more, and below 100 years.")
    return math.ceil(delay * 1000)


def namespace_of(path: str) -> str:
    """The name of a bus that has a file and no name: the same for all that have that file."""
    import hashlib  # takes longer to load than all of this module

    digest = hashlib.sha256(os.path.realpath(path).encode("utf-8", "surrogateescape"))
    return f"file-{digest.hexdigest()[:32]}"
