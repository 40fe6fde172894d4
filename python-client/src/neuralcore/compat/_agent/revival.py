"""Messages on the wire, and back: handlers get the class that was published, with all its fields.

On the wire a message is the dict of its fields, as ATLAS sends it, without those that are None, and
with the name of its class under ``payload_type``. Where ATLAS's own ``core.messaging.messages`` has
been imported its classes are used, so that an application's ``isinstance`` holds; else ours, which
are alike.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from neuralcore.compat._agent import messages as _ours

if TYPE_CHECKING:
    from neuralcore._bus.message import Message as Received
    from neuralcore.compat._agent.messages import AgentMessage

_TYPE = "payload_type"
_ATLAS = "core.messaging.messages"


def wire_form(
    fields: dict[str, Any], context: tuple[str, ...], class_name: str
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Payload and meta of a message of those fields; its twin in C is ``Outbox.put_fields``."""
    payload = {key: value for key, value in fields.items() if value is not None}
    payload.setdefault("payload", None)
    priority = payload.get("priority")
    if isinstance(priority, int) and type(priority) not in (int, bool):
        payload["priority"] = int(priority)  # plain, so that it is encoded without detours
    meta = {key: payload[key] for key in context if key in payload}
    if payload.get("headers"):
        meta["headers"] = payload["headers"]
    payload[_TYPE] = meta[_TYPE] = class_name
    return payload, meta


class Revival:
    """Knows classes by name. Thread-safe.

    :param only_base: deliver every message as an ``AgentMessage``, as ATLAS does.
    :ivar empty: of each class that is known, its fields, all None.
    """

    def __init__(self, *, only_base: bool = False) -> None:
        module = sys.modules.get(_ATLAS, _ours)
        self.base: type[AgentMessage] = module.AgentMessage
        self._only_base = only_base
        self._classes: dict[str, type[AgentMessage]] = {}
        self.empty: dict[type[AgentMessage], dict[str, Any]] = {}
        for value in list(vars(module).values()):
            if isinstance(value, type) and issubclass(value, self.base):
                self.learn(value)

    def message_of(self, received: Received) -> AgentMessage:
        """The message that was published; its priority is the one it was queued with."""
        payload = received.payload
        if not (isinstance(payload, dict) and "channel" in payload and "payload" in payload):
            return self._foreign(received, payload)
        name = payload.pop(_TYPE, None)
        cls = self.base
        if not self._only_base:
            if name is None:  # from ATLAS's own class, which says it beside the payload
                name = received.meta.custom.get(_TYPE)
            cls = self._classes.get(name, cls)
        payload["channel"] = received.channel
        payload["priority"] = received.priority
        if self._only_base:
            payload["id"] = received.id
        empty = self.empty[cls]
        fields = {**empty, **payload}
        if len(fields) > len(empty):  # of a class that is not known here
            fields = {key: fields[key] for key in empty}
        # Not by its constructor, which takes three times as long and would put defaults where the
        # publisher had None.
        message = cls.__new__(cls)
        object.__setattr__(message, "__dict__", fields)
        return message

    def _foreign(self, received: Received, payload: Any) -> AgentMessage:
        """What was not published as an agent's message, such as a dead letter."""
        meta = received.meta
        context = meta.custom
        return self.base(
            id=received.id,
            channel=received.channel,
            payload=payload,
            priority=received.priority,
            ts=received.timestamp_ns / 1e9,
            agent_id=context.get("agent_id"),
            conversation_id=context.get("conversation_id"),
            request_id=context.get("request_id"),
            user_id=context.get("user_id"),
            trace_id=meta.trace_id,
            headers=context.get("headers") or {},
            source_channel=context.get("source_channel"),
        )

    def learn(self, cls: type[AgentMessage]) -> None:
        """Has messages of this class come back as such.

        :raises TypeError: if it is no class of messages.
        """
        if not hasattr(cls, "to_ncb_meta"):
            raise TypeError(
                "publish takes an AgentMessage, or a channel's name and a payload; not a "
                f"{cls.__name__}."
            )
        self.empty[cls] = dict.fromkeys(cls.__dataclass_fields__)
        self._classes.setdefault(cls.__name__, cls)
