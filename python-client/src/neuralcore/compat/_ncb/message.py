"""Messages as ATLAS's bus shows them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from neuralcore._bus.message import ABOUT
from neuralcore._wire import message_id

if TYPE_CHECKING:
    from neuralcore._bus.message import Message as Received

ID = "ncb_id"
"""In the meta of a message whose id was known before it was sent: the id."""

_NOT_FROM_OUTSIDE = frozenset(("dlq", "published_by", "origin_msg_id", "relay_hops", ID))
"""What a stranger may not say of a message."""


@dataclass(frozen=True)
class Message:
    """One message. Each subscriber has its own; its payload may be changed and nobody sees it.

    :ivar id: what ``publish`` returned.
    :ivar ts: when it was published, seconds since 1970.
    :ivar priority: lower is sooner.
    :ivar meta: ``trace_id``, ``published_by``, and what the publisher added. Of a message read back
        from the log also ``replay`` (True) and ``persist_seq``, its number there.
    """

    id: str
    channel: str
    ts: float
    priority: int
    payload: Any
    meta: dict[str, Any] = field(default_factory=dict)

    @property
    def trace_id(self) -> str:
        """Of the trace it belongs to, or ""."""
        return str(self.meta.get("trace_id") or "")

    def to_dict(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "channel": self.channel,
            "ts": self.ts,
            "priority": self.priority,
            "payload": self.payload,
            "meta": self.meta,
        }


def of_received(received: Received) -> Message:
    """The message that came from the daemon."""
    payload = received.payload
    publisher, number, _, timestamp_ns = ABOUT.unpack(received._about)
    known = message_id(publisher, number)
    if received.says_nothing:
        meta = {"trace_id": known, "published_by": "unknown"}
    else:
        meta = meta_of(received)
        if meta.get("dlq") and isinstance(payload, dict):
            _restore_letter(payload, meta)
        known = str(meta.pop(ID, None) or known)
    message = object.__new__(Message)
    # All fields at once: each by itself takes a frozen dataclass a tenth of a microsecond.
    fields = {
        "id": known,
        "channel": received.channel,
        "ts": timestamp_ns / 1e9,
        "priority": received.priority,
        "payload": payload,
        "meta": meta,
    }
    object.__setattr__(message, "__dict__", fields)
    return message


def meta_of(received: Received) -> dict[str, Any]:
    """Its meta as one flat dict; publishers that say nothing get what ATLAS's bus adds."""
    # Not received.meta, which sorts the fields into an object of its own first.
    said = received._said()
    meta: dict[str, Any] = said if isinstance(said, dict) else {}
    custom = meta.get("custom")
    if isinstance(custom, dict):  # from a MessageBus
        del meta["custom"]
        meta.update(custom)
    if "relay" in meta:
        _take_over(meta)
    if not meta.get("trace_id"):
        # A message that was given no other trace is the first of its own; so are its dead letters.
        meta["trace_id"] = meta.get("origin_msg_id") or meta.get(ID) or received.id
    if "published_by" not in meta:
        meta["published_by"] = meta.get("source") or "unknown"
    if received.replayed:
        meta["replay"] = True
        meta["persist_seq"] = received.namespace_sequence
    return meta


def _take_over(meta: dict[str, Any]) -> None:
    """What a sender beyond a broker said, beside what the daemon vouches for."""
    origin, user = meta.pop("relay"), meta.pop("user", None)
    if isinstance(user, dict):
        for key, value in user.items():
            if key not in _NOT_FROM_OUTSIDE:
                meta.setdefault(key, value)
    if isinstance(origin, dict):
        broker, _, place = str(origin.get("from", "")).partition(":")
        meta[f"{broker}_in"] = place
        meta["relayed_id"] = origin.get("id")


def _restore_letter(letter: dict[str, Any], meta: dict[str, Any]) -> None:
    """A dead letter made by the daemon names its message by the daemon's id."""
    origin = letter.get("message")
    if not isinstance(origin, dict):
        return
    said = origin.get("meta")
    if said is None:
        said = origin["meta"] = {}
    if isinstance(said, dict):
        known = said.pop(ID, None)
        if known:
            origin["id"] = meta["origin_msg_id"] = known
        said.setdefault("trace_id", meta["trace_id"])
