"""The channels of ATLAS, under the names its code uses.

They are those of the daemon's profile "atlas", which makes them; here is what an application may
ask without a daemon.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass


class MessagePriority(enum.IntEnum):
    """Lower is sooner."""

    CRITICAL = 0
    HIGH = 2
    NORMAL = 5
    LOW = 8
    BACKGROUND = 10


@dataclass(frozen=True)
class ChannelConfig:
    """How a channel is set up.

    :ivar maxsize: messages that may wait for each subscriber.
    :ivar priority_levels: told by ATLAS, used by nobody: any integer is a priority.
    :ivar ttl_seconds: what ATLAS means messages of the channel to live. A message's own ``ttl`` is
        what counts.
    :ivar persistent: kept on disk before anybody gets it, where the bus has a ``persistence_path``.
    """

    name: str
    maxsize: int = 1000
    priority_levels: int = 3
    ttl_seconds: float | None = None
    drop_policy: str = "drop_new"
    default_priority: int = MessagePriority.NORMAL
    persistent: bool = False
    dead_letter_channel: str | None = None
    description: str = ""
    idempotency_key_field: str | None = None
    idempotency_ttl_seconds: float = 60.0


def _channel(
    name: str,
    maxsize: int,
    levels: int,
    ttl: float | None,
    priority: MessagePriority,
    *,
    drop_old: bool = False,
    persistent: bool = False,
    dead_letters: str | None = None,
) -> ChannelConfig:
    return ChannelConfig(
        name,
        maxsize,
        levels,
        ttl,
        "drop_old" if drop_old else "drop_new",
        priority,
        persistent,
        dead_letters,
    )


_CRITICAL, _HIGH, _NORMAL, _LOW, _BACKGROUND = MessagePriority

USER_INPUT = _channel("user.input", 100, 3, 30.0, _HIGH)
USER_OUTPUT = _channel("user.output", 500, 2, 60.0, _NORMAL, drop_old=True)
USER_NOTIFICATION = _channel("user.notification", 200, 3, 120.0, _NORMAL, drop_old=True)
LLM_REQUEST = _channel("llm.request", 50, 2, 120.0, _HIGH, persistent=True)
LLM_STREAM = _channel("llm.stream", 10_000, 1, 10.0, _LOW, drop_old=True)
LLM_COMPLETE = _channel("llm.complete", 200, 2, 300.0, _NORMAL, persistent=True)
LLM_ERROR = _channel("llm.error", 100, 2, 600.0, _HIGH, persistent=True, dead_letters="system.dlq")
TOOL_INVOKE = _channel("tool.invoke", 100, 3, 300.0, _HIGH, persistent=True)
TOOL_RESULT = _channel("tool.result", 100, 2, 300.0, _NORMAL, persistent=True)
TOOL_PROGRESS = _channel("tool.progress", 500, 1, 30.0, _LOW, drop_old=True)
TOOL_ERROR = _channel(
    "tool.error", 100, 2, 600.0, _HIGH, persistent=True, dead_letters="system.dlq"
)
AGENT_SPAWN = _channel("agent.spawn", 50, 2, 60.0, _HIGH, persistent=True)
AGENT_DELEGATE = _channel("agent.delegate", 100, 3, 120.0, _HIGH, persistent=True)
AGENT_STATUS = _channel("agent.status", 500, 1, 30.0, _LOW, drop_old=True)
AGENT_TERMINATE = _channel("agent.terminate", 50, 2, 30.0, _CRITICAL)
AGENT_RESULT = _channel("agent.result", 100, 2, 300.0, _NORMAL, persistent=True)
TASK_CREATE = _channel("task.create", 100, 3, 120.0, _HIGH, persistent=True)
TASK_UPDATE = _channel("task.update", 200, 2, 60.0, _NORMAL, drop_old=True)
TASK_COMPLETE = _channel("task.complete", 100, 2, 300.0, _NORMAL, persistent=True)
JOB_SCHEDULE = _channel("job.schedule", 50, 2, None, _NORMAL, persistent=True)
JOB_CREATE = _channel("job.create", 50, 2, 120.0, _NORMAL, persistent=True)
JOB_UPDATE = _channel("job.update", 100, 2, 60.0, _NORMAL, drop_old=True)
JOB_EXECUTE = _channel("job.execute", 50, 3, 300.0, _HIGH, persistent=True)
JOB_RESULT = _channel("job.result", 100, 2, 600.0, _NORMAL, persistent=True)
CONVERSATION_START = _channel("conversation.start", 50, 2, 60.0, _HIGH, persistent=True)
CONVERSATION_MESSAGE = _channel("conversation.message", 500, 2, 120.0, _NORMAL, persistent=True)
CONVERSATION_END = _channel("conversation.end", 50, 2, 60.0, _NORMAL, persistent=True)
CONTEXT_UPDATE = _channel("context.update", 200, 2, 60.0, _NORMAL, drop_old=True)
FOLLOWUP = _channel("followup", 100, 2, 300.0, _NORMAL, persistent=True)
SKILL_ACTIVITY = _channel("skill.activity", 200, 2, 60.0, _NORMAL, drop_old=True)
BLACKBOARD_EVENT = _channel("blackboard.event", 200, 2, 60.0, _NORMAL, drop_old=True)
BUDGET_USAGE = _channel("budget.usage", 500, 1, 60.0, _BACKGROUND, drop_old=True)
BUDGET_ALERT = _channel("budget.alert", 100, 3, 300.0, _HIGH, persistent=True)
BUDGET_POLICY = _channel("budget.policy", 50, 2, 120.0, _NORMAL, persistent=True)
SYSTEM_CONTROL = _channel("system.control", 50, 1, 30.0, _CRITICAL)
SYSTEM_METRICS = _channel("system.metrics", 1000, 1, 60.0, _BACKGROUND, drop_old=True)
SYSTEM_LOG = _channel("system.log", 2000, 1, 300.0, _BACKGROUND, drop_old=True)
SYSTEM_DLQ = _channel("system.dlq", 500, 1, None, _LOW, persistent=True)
SYSTEM_HEALTH = _channel("system.health", 100, 1, 30.0, _LOW, drop_old=True)

ALL_CHANNELS = [value for value in list(globals().values()) if isinstance(value, ChannelConfig)]
CHANNEL_BY_NAME = {channel.name: channel for channel in ALL_CHANNELS}


def get_channel(name: str) -> ChannelConfig | None:
    """The channel of that name, or None."""
    return CHANNEL_BY_NAME.get(name)


def get_all_channel_names() -> list[str]:
    return list(CHANNEL_BY_NAME)
