"""ATLAS's ``AgentBus`` over the daemon.

Put this module in the place of ``core.messaging.agent_bus``, or use it by itself::

    from neuralcore.compat.agent_bus import AgentBus, AgentMessage

    bus = AgentBus()
    await bus.start()
    await bus.on_tool_invoke(run_tool)
    await bus.invoke_tool("calculator", {"x": 1}, agent_id="main")
    bus.publish_from_sync("task.update", {"id": 7}, priority=0)  # from any thread

``docs/atlas-bus.md`` says what is as in ATLAS and what is better.
"""

from __future__ import annotations

from pathlib import Path

from neuralcore.compat._agent.bus import AgentBus
from neuralcore.compat._agent.channels import (
    ALL_CHANNELS,
    CHANNEL_BY_NAME,
    ChannelConfig,
    MessagePriority,
    get_all_channel_names,
    get_channel,
)
from neuralcore.compat._agent.messages import (
    MESSAGE_TYPES,
    AgentDelegateMessage,
    AgentMessage,
    AgentSpawnMessage,
    AgentStatusMessage,
    ErrorMessage,
    LLMCompleteMessage,
    LLMRequestMessage,
    LLMStreamChunk,
    SystemControlMessage,
    TaskCreateMessage,
    TaskUpdateMessage,
    ToolInvokeMessage,
    ToolResultMessage,
    UserInputMessage,
    UserOutputMessage,
    create_message,
)
from neuralcore.compat._agent.results import Dropped, Published, Subscription

__all__ = [
    "ALL_CHANNELS",
    "CHANNEL_BY_NAME",
    "MESSAGE_TYPES",
    "AgentBus",
    "AgentDelegateMessage",
    "AgentMessage",
    "AgentSpawnMessage",
    "AgentStatusMessage",
    "ChannelConfig",
    "Dropped",
    "ErrorMessage",
    "LLMCompleteMessage",
    "LLMRequestMessage",
    "LLMStreamChunk",
    "MessagePriority",
    "Published",
    "Subscription",
    "SystemControlMessage",
    "TaskCreateMessage",
    "TaskUpdateMessage",
    "ToolInvokeMessage",
    "ToolResultMessage",
    "UserInputMessage",
    "UserOutputMessage",
    "configure_agent_bus",
    "create_message",
    "get_agent_bus",
    "get_all_channel_names",
    "get_channel",
    "shutdown_agent_bus",
]

_bus: AgentBus | None = None


def get_agent_bus() -> AgentBus:
    """The process's own bus, made at the first call; ``await bus.start()`` before it is used."""
    global _bus
    if _bus is None:
        _bus = AgentBus()
    return _bus


def configure_agent_bus(
    *,
    persistence_path: str | Path | None = None,
    enable_prometheus: bool = False,
    prometheus_port: int = 9090,
) -> AgentBus:
    """Makes the process's own bus anew; one that ran before goes on until it is stopped."""
    global _bus
    _bus = AgentBus(
        persistence_path=persistence_path,
        enable_prometheus=enable_prometheus,
        prometheus_port=prometheus_port,
    )
    return _bus


async def shutdown_agent_bus() -> None:
    """Stops the process's own bus, if there is one; :func:`get_agent_bus` makes another."""
    global _bus
    bus, _bus = _bus, None
    if bus is not None:
        await bus.stop()
