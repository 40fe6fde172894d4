"""The messages of ATLAS's agents: an envelope, and a class for each kind with fields of its own.

Names, fields and defaults are ATLAS's. All are immutable.
"""

from __future__ import annotations

import dataclasses
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from neuralcore.compat._agent.channels import MessagePriority

if TYPE_CHECKING:
    from typing_extensions import Self

CONTEXT = ("agent_id", "conversation_id", "request_id", "user_id", "trace_id", "source_channel")


def _new_id() -> str:
    return os.urandom(16).hex()


@dataclass(frozen=True)
class AgentMessage:
    """What every message says.

    :ivar id: 32 hexadecimal digits.
    :ivar channel: where it goes, or came from.
    :ivar payload: whatever :mod:`neuralcore.messaging` can encode.
    :ivar priority: lower is sooner.
    :ivar ts: when it was made, seconds since 1970.
    :ivar ttl: seconds after which it is not delivered any more; None is never.
    :ivar request_id: what an answer refers to.
    :ivar source_channel: where an answer is expected.
    """

    id: str = field(default_factory=_new_id)
    channel: str = ""
    payload: Any = None
    priority: int = MessagePriority.NORMAL
    ts: float = field(default_factory=time.time)
    ttl: float | None = None
    agent_id: str | None = None
    conversation_id: str | None = None
    request_id: str | None = None
    user_id: str | None = None
    trace_id: str | None = field(default_factory=_new_id)
    headers: dict[str, str] = field(default_factory=dict)
    source_channel: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """All fields by name; the values are the message's own."""
        return dict(self.__dict__)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """The message of those fields; what is missing or None has its default, and what the class
        does not know is left out. Priority 0 stays 0."""
        names = {f.name for f in dataclasses.fields(cls)}
        given = {name: value for name, value in data.items() if name in names}
        return cls(**{name: value for name, value in given.items() if value is not None})

    def to_ncb_meta(self) -> dict[str, Any]:
        """What is said beside the payload: the context that is set, and the headers."""
        meta = {name: getattr(self, name) for name in CONTEXT if getattr(self, name)}
        if self.headers:
            meta["headers"] = self.headers
        return meta

    def with_reply_context(self, reply_channel: str) -> Self:
        """A copy that asks for the answer on a channel."""
        return dataclasses.replace(self, source_channel=reply_channel)

    def is_expired(self) -> bool:
        return self.ttl is not None and time.time() - self.ts > self.ttl


@dataclass(frozen=True)
class UserInputMessage(AgentMessage):
    channel: str = "user.input"
    priority: int = MessagePriority.HIGH
    content: str = ""
    input_type: str = "text"


@dataclass(frozen=True)
class UserOutputMessage(AgentMessage):
    channel: str = "user.output"
    content: str = ""
    output_type: str = "text"
    is_final: bool = True
    metadata: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class LLMRequestMessage(AgentMessage):
    channel: str = "llm.request"
    priority: int = MessagePriority.HIGH
    ttl: float | None = 120.0
    prompt: str = ""
    system_prompt: str | None = None
    model: str | None = None
    provider: str | None = None
    temperature: float | None = None
    max_tokens: int | None = None
    stream: bool = True
    tools: list[dict[str, Any]] | None = None


@dataclass(frozen=True)
class LLMStreamChunk(AgentMessage):
    channel: str = "llm.stream"
    priority: int = MessagePriority.LOW
    ttl: float | None = 10.0
    chunk: str = ""
    chunk_index: int = 0
    is_final: bool = False


@dataclass(frozen=True)
class LLMCompleteMessage(AgentMessage):
    channel: str = "llm.complete"
    content: str = ""
    model: str | None = None
    provider: str | None = None
    usage: dict[str, int] | None = None
    finish_reason: str | None = None
    tool_calls: list[dict[str, Any]] | None = None


@dataclass(frozen=True)
class ToolInvokeMessage(AgentMessage):
    channel: str = "tool.invoke"
    priority: int = MessagePriority.HIGH
    ttl: float | None = 300.0
    tool_name: str = ""
    tool_args: dict[str, Any] = field(default_factory=dict)
    tool_call_id: str | None = None


@dataclass(frozen=True)
class ToolResultMessage(AgentMessage):
    channel: str = "tool.result"
    tool_name: str = ""
    tool_call_id: str | None = None
    result: Any = None
    success: bool = True
    error: str | None = None
    execution_time_ms: float | None = None


@dataclass(frozen=True)
class AgentDelegateMessage(AgentMessage):
    channel: str = "agent.delegate"
    priority: int = MessagePriority.HIGH
    ttl: float | None = 120.0
    target_agent: str = ""
    source_agent: str = ""
    task: dict[str, Any] = field(default_factory=dict)
    context: dict[str, Any] = field(default_factory=dict)
    timeout_seconds: float | None = None


@dataclass(frozen=True)
class AgentSpawnMessage(AgentMessage):
    channel: str = "agent.spawn"
    priority: int = MessagePriority.HIGH
    agent_type: str = ""
    parent_agent: str = ""
    config: dict[str, Any] = field(default_factory=dict)
    initial_task: dict[str, Any] | None = None


@dataclass(frozen=True)
class AgentStatusMessage(AgentMessage):
    channel: str = "agent.status"
    priority: int = MessagePriority.LOW
    ttl: float | None = 30.0
    status: str = "running"
    load: float | None = None
    current_task: str | None = None
    metrics: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class TaskCreateMessage(AgentMessage):
    channel: str = "task.create"
    priority: int = MessagePriority.HIGH
    task_type: str = ""
    title: str = ""
    description: str = ""
    parameters: dict[str, Any] = field(default_factory=dict)
    parent_task_id: str | None = None


@dataclass(frozen=True)
class TaskUpdateMessage(AgentMessage):
    channel: str = "task.update"
    task_id: str = ""
    status: str = ""
    progress: float | None = None
    message: str | None = None
    result: Any = None


@dataclass(frozen=True)
class SystemControlMessage(AgentMessage):
    channel: str = "system.control"
    priority: int = MessagePriority.CRITICAL
    command: str = ""
    target: str | None = None
    parameters: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class ErrorMessage(AgentMessage):
    priority: int = MessagePriority.HIGH
    error_type: str = ""
    error_message: str = ""
    error_code: str | None = None
    stack_trace: str | None = None
    recoverable: bool = False
    original_message_id: str | None = None


MESSAGE_TYPES: dict[str, type[AgentMessage]] = {
    cls.channel: cls
    for cls in (
        UserInputMessage,
        UserOutputMessage,
        LLMRequestMessage,
        LLMStreamChunk,
        LLMCompleteMessage,
        ToolInvokeMessage,
        ToolResultMessage,
        AgentDelegateMessage,
        AgentSpawnMessage,
        AgentStatusMessage,
        TaskCreateMessage,
        TaskUpdateMessage,
        SystemControlMessage,
    )
}
"""The class of each channel whose messages have one."""


def create_message(channel: str, **fields: Any) -> AgentMessage:
    """A message of the channel's class, or an :class:`AgentMessage` if it has none."""
    return MESSAGE_TYPES.get(channel, AgentMessage)(channel=channel, **fields)
