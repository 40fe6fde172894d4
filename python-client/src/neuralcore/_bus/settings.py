"""What channels and subscriptions can be told, as the daemon names it."""

from __future__ import annotations

import datetime
from typing import Any

from neuralcore.errors import InvalidRequest

_POLICIES = ("drop_new", "drop_old", "block")
_DURABILITIES = ("disk", "os")
_STARTS = ("new", "first", "last")

Start = str | int | float | datetime.datetime | dict[str, Any]


def channel_options(given: dict[str, Any]) -> dict[str, Any]:
    """The settings that were given, checked as far as the client can.

    :raises InvalidRequest: if one is out of range.
    """
    options = {key: value for key, value in given.items() if value is not None}
    _one_of("drop_policy", options.get("drop_policy"), _POLICIES)
    _one_of("durability", options.get("durability"), _DURABILITIES)
    for name in (
        "block_timeout",
        "rate_per_second",
        "burst",
        "ttl",
        "retention_age",
        "retention_rows",
        "retention_bytes",
        "ageing",
        "idempotency_ttl",
        "idempotency_keys",
    ):
        value = options.get(name)
        if value is not None and (isinstance(value, bool) or not value >= 0):
            raise InvalidRequest(f"{name} is {value!r}; it must not be negative.")
    return options


def subscription_options(
    *,
    ack: str,
    group: str | None,
    durable: bool,
    max_attempts: int | None,
    backoff: dict[str, float] | float | None,
    lease: float | None,
    filter: str | None,
    start: Start | None,
    rate_per_second: float | None,
    burst: int | None,
) -> dict[str, Any]:
    """What ``neuralcore.messaging.subscribe`` is told beside channel and credit.

    :raises InvalidRequest: if they contradict each other.
    """
    _one_of("ack", ack, ("none", "auto", "manual"))
    if durable and group is None:
        raise InvalidRequest("A durable subscription needs a group: the name it is remembered by.")
    acknowledged = ack != "none"
    for name, value in (("max_attempts", max_attempts), ("backoff", backoff), ("lease", lease)):
        if value is not None and not acknowledged:
            raise InvalidRequest(f"{name} is for subscriptions with ack='auto' or 'manual'.")
    if isinstance(backoff, (int, float)):
        backoff = {"initial": float(backoff)}
    options: dict[str, Any] = {
        "ack": "explicit" if acknowledged else None,
        "group": group,
        "durable": durable or None,
        "max_attempts": max_attempts,
        "backoff": backoff,
        "lease": lease,
        "filter": filter,
        "start": None if start is None else start_option(start),
        "rate_per_second": rate_per_second,
        "burst": burst,
    }
    return {key: value for key, value in options.items() if value is not None}


def start_option(start: Start) -> dict[str, Any]:
    """Where a subscription begins.

    "new", "first", an int (after that sequence number), a datetime or float (that moment), or
    ``{"last": n}``.
    """
    if isinstance(start, dict):
        if set(start) == {"last"}:
            return {"at": "last", "last": start["last"]}
        return start
    if isinstance(start, str):
        _one_of("start", start, _STARTS)
        return {"at": start, "last": 1} if start == "last" else {"at": start}
    if isinstance(start, datetime.datetime):
        return {"time": start.timestamp()}
    if isinstance(start, float):
        return {"time": start}
    if isinstance(start, bool) or start < 0:
        raise InvalidRequest(f"start is {start!r}; a sequence number is 0 or more.")
    return {"sequence": start}


def _one_of(name: str, value: object, allowed: tuple[str, ...]) -> None:
    if value is not None and value not in allowed:
        raise InvalidRequest(f"{name} is {value!r}; it must be one of {', '.join(allowed)}.")
