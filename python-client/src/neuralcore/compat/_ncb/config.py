"""How a channel is set up: ATLAS's fields, and what this bus adds to them."""

from __future__ import annotations

import dataclasses
import numbers
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

DROP_POLICIES = ("drop_new", "drop_old", "block")
SERIALIZERS = ("msgpack", "json")
DURABILITIES = ("disk", "os")

Watch = Callable[["ChannelConfig"], None]


@dataclass
class ChannelConfig:
    """Settings of one channel. Those of a bus's channel may be assigned to: it takes effect.

    Fields from ``durability`` on are not ATLAS's; None leaves them to the daemon.

    :ivar max_queue_size: messages that may wait for each subscriber; 0 or less is without bound.
    :ivar drop_policy: what a full queue does: "drop_new" refuses the newcomer, "drop_old" gives up
        the oldest of the worst priority, "block" lets the newcomer wait for room for a while.
    :ivar default_priority: of messages published without one; lower is sooner.
    :ivar rate_limit_per_sec: messages a second that ``publish`` lets through, waiting if it must;
        needs ``rate_limit_burst``, how many may come at once.
    :ivar persistent: kept on the disk, if the bus has a ``persistence_path``.
    :ivar serializer: with ``compress`` and ``compression_level``, and ``redis_in`` to
        ``kafka_out``: kept for relays; the bus itself does not need them.
    :ivar dead_letter_channel: where messages go that a subscriber failed on.
    :ivar fanout_max_concurrency: handlers of this channel that may run at once.
    :ivar idempotency_key_field: the field of the payload, or of the ``payload`` within it, that
        tells a copy; None if copies are not looked for.
    :ivar idempotency_ttl_seconds: how long a message that was handled is remembered.
    :ivar durability: "disk" (power may fail) or "os" (the process may), for ``persistent``.
    :ivar ttl: seconds a message may wait.
    :ivar retention_age: seconds; with ``retention_rows`` and ``retention_bytes``, what is kept.
    :ivar max_attempts: deliveries of a message to a subscriber that does not say.
    :ivar ageing: seconds of waiting that make a message more urgent by one.
    :ivar block_timeout: seconds that "block" lets a message wait.
    """

    name: str
    max_queue_size: int = 1000
    drop_policy: str = "drop_new"
    default_priority: int = 100
    rate_limit_per_sec: float | None = None
    rate_limit_burst: float | None = None
    persistent: bool = False
    serializer: str = "msgpack"
    compress: bool = False
    compression_level: int = 3
    redis_in: str | None = None
    redis_out: str | None = None
    kafka_in: str | None = None
    kafka_out: str | None = None
    dead_letter_channel: str | None = None
    fanout_max_concurrency: int = 500
    idempotency_key_field: str | None = None
    idempotency_ttl_seconds: float = 60.0
    durability: str | None = None
    ttl: float | None = None
    retention_age: float | None = None
    retention_rows: int | None = None
    retention_bytes: int | None = None
    max_attempts: int | None = None
    ageing: float | None = None
    block_timeout: float | None = None

    def __setattr__(self, field: str, value: Any) -> None:
        watch: Watch | None = self.__dict__.get("_watch")
        if watch is not None:
            self._check_field(field, value)
        object.__setattr__(self, field, value)
        if watch is not None:
            watch(self)

    def watch(self, changed: Watch | None) -> None:
        """Has assignments checked and told from now on. A copy of this object is not watched."""
        object.__setattr__(self, "_watch", changed)

    @property
    def is_watched(self) -> bool:
        """Whether it is a channel's already."""
        return self.__dict__.get("_watch") is not None

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != "_watch"}

    @property
    def rate(self) -> tuple[float, float] | None:
        """Messages a second and at once; None unless both are set, as in ATLAS."""
        if self.rate_limit_per_sec and self.rate_limit_burst:
            return float(self.rate_limit_per_sec), float(self.rate_limit_burst)
        return None

    @property
    def dead_letters(self) -> str | None:
        """The channel for dead letters; a channel is not its own."""
        other = self.dead_letter_channel
        return other if other and other != self.name else None

    def for_daemon(self) -> dict[str, Any]:
        """What the daemon is told; it keeps for relays what it does not need itself."""
        options: dict[str, Any] = {
            "max_queue_size": max(0, int(self.max_queue_size)),
            "default_priority": int(self.default_priority),
            "drop_policy": self.drop_policy,
            "persistent": self.persistent,
            "dead_letter_channel": self.dead_letters or "",
            "idempotency_key_field": self.idempotency_key_field or "",
            "client": {name: getattr(self, name) for name in _FOR_RELAYS},
        }
        if self.idempotency_key_field:
            options["idempotency_ttl"] = float(self.idempotency_ttl_seconds)
        for name in _ADDED:
            value = getattr(self, name)
            if value is not None:
                options[name] = value
        return options

    def check(self) -> None:
        """
        :raises ValueError: if a field has no meaning; it names channel, field and value.
        """
        for field in dataclasses.fields(self):
            self._check_field(field.name, getattr(self, field.name))

    def _check_field(self, name: str, value: object) -> None:
        field = self.__dataclass_fields__.get(name)
        fault = _fault(name, field.default, value) if field is not None else "no such field"
        if fault:
            raise ValueError(f"Channel {self.name!r}: {name} is {value!r}; {fault}.")

    def updated(self, settings: Mapping[str, Any]) -> ChannelConfig:
        """A checked copy with what ``settings`` names; unknown names are passed over.

        :raises ValueError: as :meth:`check`.
        """
        known = {name: settings[name] for name in FIELDS if name in settings}
        copy = dataclasses.replace(self, **known)
        copy.check()
        return copy

    def assign(self, other: ChannelConfig) -> None:
        """Takes over all fields but the name, and tells once if anything changed."""
        before = dataclasses.asdict(self)
        watch: Watch | None = self.__dict__.get("_watch")
        self.watch(None)
        for name in FIELDS:
            setattr(self, name, getattr(other, name))
        self.watch(watch)
        if watch is not None and dataclasses.asdict(self) != before:
            watch(self)


FIELDS = tuple(field.name for field in dataclasses.fields(ChannelConfig) if field.name != "name")

_FOR_RELAYS = (
    "serializer",
    "compress",
    "compression_level",
    "redis_in",
    "redis_out",
    "kafka_in",
    "kafka_out",
)
_ADDED = FIELDS[FIELDS.index("durability") :]

_INTEGERS = {"max_queue_size", "default_priority", "compression_level", "fanout_max_concurrency"}
_OPTIONAL_INTEGERS = {"retention_rows", "retention_bytes", "max_attempts"}
_POSITIVE = {"idempotency_ttl_seconds"}
_NOT_NEGATIVE = {
    "rate_limit_per_sec",
    "rate_limit_burst",
    "ttl",
    "retention_age",
    "ageing",
    "block_timeout",
}
_CHOICES = {
    "drop_policy": DROP_POLICIES,
    "serializer": SERIALIZERS,
    "durability": (*DURABILITIES, None),
}


def _fault(name: str, default: object, value: object) -> str:
    """What is wrong with a value; empty if nothing is."""
    if name in _CHOICES:
        choices = _CHOICES[name]
        return "" if value in choices else f"it must be one of {', '.join(map(repr, choices))}"
    if isinstance(default, bool):
        return "" if isinstance(value, bool) else "it must be True or False"
    if name in _INTEGERS or name in _OPTIONAL_INTEGERS:
        if value is None and name in _OPTIONAL_INTEGERS:
            return ""
        whole = isinstance(value, numbers.Integral) and not isinstance(value, bool)
        return "" if whole else "an integer is needed"
    if name in _POSITIVE or name in _NOT_NEGATIVE:
        if value is None and name != "idempotency_ttl_seconds":
            return ""
        if not isinstance(value, (int, float)) or isinstance(value, bool):
            return "a number is needed"
        enough = value > 0 if name in _POSITIVE else value >= 0
        return "" if enough else "it is too small"
    if name == "name":
        return "" if isinstance(value, str) and value else "a text that is not empty is needed"
    return "" if value is None or isinstance(value, str) else "a text or None is needed"


NCB_CONFIG_SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "channels": {
            "type": "object",
            "additionalProperties": {
                "type": "object",
                "properties": {
                    **{name: {"type": "integer"} for name in sorted(_INTEGERS)},
                    **{name: {"type": ["integer", "null"]} for name in sorted(_OPTIONAL_INTEGERS)},
                    **{name: {"type": ["number", "null"]} for name in sorted(_POSITIVE)},
                    **{name: {"type": ["number", "null"]} for name in sorted(_NOT_NEGATIVE)},
                    **{name: {"enum": list(choices)} for name, choices in _CHOICES.items()},
                    "persistent": {"type": "boolean"},
                    "compress": {"type": "boolean"},
                },
            },
        },
        "security": {"type": "object"},
    },
}
"""The form of a configuration file, as JSON Schema; ``apply_config`` checks it without it."""
