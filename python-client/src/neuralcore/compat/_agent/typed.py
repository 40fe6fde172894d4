"""Senders and receivers for each kind of message of ATLAS's agents."""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable
from typing import Any, Protocol, TypeVar

from neuralcore.compat._agent.channels import MessagePriority
from neuralcore.compat._agent.messages import (
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
)
from neuralcore.compat._agent.results import Dropped, Published, Subscription

M = TypeVar("M", bound=AgentMessage)
Handler = Callable[[M], Awaitable[Any] | Any]
Filter = Callable[[Any], bool]
Options = dict[str, Any]


class Bus(Protocol):
    """What the senders and receivers stand on."""

    def publish(self, message: AgentMessage) -> Published | Dropped: ...

    def subscribe(
        self,
        channel: str,
        handler: Handler[Any],
        *,
        handler_name: str | None = None,
        filter_fn: Filter | None = None,
    ) -> Subscription: ...


class TypedMessages:
    """Each sender returns the id of the message, each receiver a subscription; both at once, and
    awaitable. A receiver's last keyword narrows it to messages of that request, tool, agent, task
    or target."""

    # The user

    def send_user_input(
        self: Bus,
        content: str,
        *,
        conversation_id: str,
        user_id: str | None = None,
        input_type: str = "text",
        priority: int = MessagePriority.HIGH,
    ) -> Published | Dropped:
        return self.publish(
            UserInputMessage(
                content=content,
                input_type=input_type,
                conversation_id=conversation_id,
                user_id=user_id,
                priority=priority,
                payload={"content": content, "input_type": input_type},
            )
        )

    def send_user_output(
        self: Bus,
        content: str,
        *,
        conversation_id: str,
        request_id: str | None = None,
        output_type: str = "text",
        is_final: bool = True,
        metadata: Options | None = None,
    ) -> Published | Dropped:
        return self.publish(
            UserOutputMessage(
                content=content,
                output_type=output_type,
                is_final=is_final,
                metadata=metadata or {},
                conversation_id=conversation_id,
                request_id=request_id,
                payload={"content": content, "output_type": output_type, "is_final": is_final},
            )
        )

    def on_user_input(
        self: Bus, handler: Handler[UserInputMessage], *, handler_name: str | None = None
    ) -> Subscription:
        return self.subscribe("user.input", handler, handler_name=handler_name)

    def on_user_output(
        self: Bus, handler: Handler[UserOutputMessage], *, handler_name: str | None = None
    ) -> Subscription:
        return self.subscribe("user.output", handler, handler_name=handler_name)

    # Language models

    def send_llm_request(
        self: Bus,
        prompt: str,
        *,
        conversation_id: str,
        agent_id: str,
        system_prompt: str | None = None,
        model: str | None = None,
        provider: str | None = None,
        temperature: float | None = None,
        max_tokens: int | None = None,
        stream: bool = True,
        tools: list[Options] | None = None,
        request_id: str | None = None,
    ) -> Published | Dropped:
        return self.publish(
            LLMRequestMessage(
                prompt=prompt,
                system_prompt=system_prompt,
                model=model,
                provider=provider,
                temperature=temperature,
                max_tokens=max_tokens,
                stream=stream,
                tools=tools,
                conversation_id=conversation_id,
                agent_id=agent_id,
                request_id=request_id or uuid.uuid4().hex,
                payload={
                    "prompt": prompt,
                    "system_prompt": system_prompt,
                    "model": model,
                    "provider": provider,
                    "stream": stream,
                },
            )
        )

    def send_llm_stream_chunk(
        self: Bus,
        chunk: str,
        *,
        request_id: str,
        conversation_id: str,
        chunk_index: int = 0,
        is_final: bool = False,
    ) -> Published | Dropped:
        return self.publish(
            LLMStreamChunk(
                chunk=chunk,
                chunk_index=chunk_index,
                is_final=is_final,
                request_id=request_id,
                conversation_id=conversation_id,
                payload={"chunk": chunk, "chunk_index": chunk_index, "is_final": is_final},
            )
        )

    def send_llm_complete(
        self: Bus,
        content: str,
        *,
        request_id: str,
        conversation_id: str,
        model: str | None = None,
        provider: str | None = None,
        usage: dict[str, int] | None = None,
        finish_reason: str | None = None,
        tool_calls: list[Options] | None = None,
    ) -> Published | Dropped:
        return self.publish(
            LLMCompleteMessage(
                content=content,
                model=model,
                provider=provider,
                usage=usage,
                finish_reason=finish_reason,
                tool_calls=tool_calls,
                request_id=request_id,
                conversation_id=conversation_id,
                payload={"content": content, "model": model, "finish_reason": finish_reason},
            )
        )

    def on_llm_request(
        self: Bus, handler: Handler[LLMRequestMessage], *, handler_name: str | None = None
    ) -> Subscription:
        return self.subscribe("llm.request", handler, handler_name=handler_name)

    def on_llm_stream(
        self: Bus,
        handler: Handler[LLMStreamChunk],
        *,
        handler_name: str | None = None,
        request_id: str | None = None,
    ) -> Subscription:
        filter_fn = _where("request_id", request_id)
        return self.subscribe("llm.stream", handler, handler_name=handler_name, filter_fn=filter_fn)

    def on_llm_complete(
        self: Bus, handler: Handler[LLMCompleteMessage], *, handler_name: str | None = None
    ) -> Subscription:
        return self.subscribe("llm.complete", handler, handler_name=handler_name)

    # Tools

    def invoke_tool(
        self: Bus,
        tool_name: str,
        tool_args: Options,
        *,
        agent_id: str,
        conversation_id: str | None = None,
        request_id: str | None = None,
        tool_call_id: str | None = None,
        timeout: float = 300.0,
    ) -> Published | Dropped:
        request = request_id or uuid.uuid4().hex
        return self.publish(
            ToolInvokeMessage(
                tool_name=tool_name,
                tool_args=tool_args,
                tool_call_id=tool_call_id or request,
                agent_id=agent_id,
                conversation_id=conversation_id,
                request_id=request,
                ttl=timeout,
                payload={"tool_name": tool_name, "tool_args": tool_args},
            )
        )

    def send_tool_result(
        self: Bus,
        tool_name: str,
        result: Any,
        *,
        request_id: str,
        agent_id: str,
        tool_call_id: str | None = None,
        success: bool = True,
        error: str | None = None,
        execution_time_ms: float | None = None,
        conversation_id: str | None = None,
    ) -> Published | Dropped:
        return self.publish(
            ToolResultMessage(
                tool_name=tool_name,
                tool_call_id=tool_call_id,
                result=result,
                success=success,
                error=error,
                execution_time_ms=execution_time_ms,
                request_id=request_id,
                agent_id=agent_id,
                conversation_id=conversation_id,
                payload={"tool_name": tool_name, "result": result, "success": success},
            )
        )

    def on_tool_invoke(
        self: Bus,
        handler: Handler[ToolInvokeMessage],
        *,
        handler_name: str | None = None,
        tool_filter: str | None = None,
    ) -> Subscription:
        filter_fn = _where("tool_name", tool_filter)
        return self.subscribe(
            "tool.invoke", handler, handler_name=handler_name, filter_fn=filter_fn
        )

    def on_tool_result(
        self: Bus,
        handler: Handler[ToolResultMessage],
        *,
        handler_name: str | None = None,
        request_id: str | None = None,
    ) -> Subscription:
        filter_fn = _where("request_id", request_id)
        return self.subscribe(
            "tool.result", handler, handler_name=handler_name, filter_fn=filter_fn
        )

    # Agents

    def delegate_to_agent(
        self: Bus,
        target_agent: str,
        task: Options,
        *,
        source_agent: str,
        conversation_id: str | None = None,
        context: Options | None = None,
        timeout_seconds: float | None = None,
        request_id: str | None = None,
    ) -> Published | Dropped:
        return self.publish(
            AgentDelegateMessage(
                target_agent=target_agent,
                source_agent=source_agent,
                task=task,
                context=context or {},
                timeout_seconds=timeout_seconds,
                conversation_id=conversation_id,
                request_id=request_id or uuid.uuid4().hex,
                agent_id=source_agent,
                payload={
                    "target_agent": target_agent,
                    "source_agent": source_agent,
                    "task": task,
                },
            )
        )

    def spawn_agent(
        self: Bus,
        agent_type: str,
        *,
        parent_agent: str,
        config: Options | None = None,
        initial_task: Options | None = None,
        conversation_id: str | None = None,
    ) -> Published | Dropped:
        return self.publish(
            AgentSpawnMessage(
                agent_type=agent_type,
                parent_agent=parent_agent,
                config=config or {},
                initial_task=initial_task,
                conversation_id=conversation_id,
                agent_id=parent_agent,
                payload={"agent_type": agent_type, "parent_agent": parent_agent},
            )
        )

    def send_agent_status(
        self: Bus,
        agent_id: str,
        status: str,
        *,
        load: float | None = None,
        current_task: str | None = None,
        metrics: Options | None = None,
    ) -> Published | Dropped:
        return self.publish(
            AgentStatusMessage(
                status=status,
                load=load,
                current_task=current_task,
                metrics=metrics or {},
                agent_id=agent_id,
                payload={"status": status, "load": load},
            )
        )

    def on_agent_delegate(
        self: Bus,
        handler: Handler[AgentDelegateMessage],
        *,
        handler_name: str | None = None,
        target_agent: str | None = None,
    ) -> Subscription:
        filter_fn = _where("target_agent", target_agent)
        return self.subscribe(
            "agent.delegate", handler, handler_name=handler_name, filter_fn=filter_fn
        )

    def on_agent_spawn(
        self: Bus, handler: Handler[AgentSpawnMessage], *, handler_name: str | None = None
    ) -> Subscription:
        return self.subscribe("agent.spawn", handler, handler_name=handler_name)

    def on_agent_status(
        self: Bus,
        handler: Handler[AgentStatusMessage],
        *,
        handler_name: str | None = None,
        agent_id: str | None = None,
    ) -> Subscription:
        filter_fn = _where("agent_id", agent_id)
        return self.subscribe(
            "agent.status", handler, handler_name=handler_name, filter_fn=filter_fn
        )

    # Tasks

    def create_task(
        self: Bus,
        task_type: str,
        title: str,
        *,
        agent_id: str,
        description: str = "",
        parameters: Options | None = None,
        parent_task_id: str | None = None,
        conversation_id: str | None = None,
    ) -> Published | Dropped:
        return self.publish(
            TaskCreateMessage(
                task_type=task_type,
                title=title,
                description=description,
                parameters=parameters or {},
                parent_task_id=parent_task_id,
                agent_id=agent_id,
                conversation_id=conversation_id,
                payload={"task_type": task_type, "title": title},
            )
        )

    def update_task(
        self: Bus,
        task_id: str,
        status: str,
        *,
        agent_id: str,
        progress: float | None = None,
        message: str | None = None,
        result: Any = None,
        conversation_id: str | None = None,
    ) -> Published | Dropped:
        return self.publish(
            TaskUpdateMessage(
                task_id=task_id,
                status=status,
                progress=progress,
                message=message,
                result=result,
                agent_id=agent_id,
                conversation_id=conversation_id,
                payload={"task_id": task_id, "status": status, "progress": progress},
            )
        )

    def on_task_create(
        self: Bus, handler: Handler[TaskCreateMessage], *, handler_name: str | None = None
    ) -> Subscription:
        return self.subscribe("task.create", handler, handler_name=handler_name)

    def on_task_update(
        self: Bus,
        handler: Handler[TaskUpdateMessage],
        *,
        handler_name: str | None = None,
        task_id: str | None = None,
    ) -> Subscription:
        filter_fn = _where("task_id", task_id)
        return self.subscribe(
            "task.update", handler, handler_name=handler_name, filter_fn=filter_fn
        )

    # The system

    def send_system_control(
        self: Bus,
        command: str,
        *,
        target: str | None = None,
        parameters: Options | None = None,
        agent_id: str | None = None,
    ) -> Published | Dropped:
        return self.publish(
            SystemControlMessage(
                command=command,
                target=target,
                parameters=parameters or {},
                agent_id=agent_id,
                payload={"command": command, "target": target},
            )
        )

    def on_system_control(
        self: Bus,
        handler: Handler[SystemControlMessage],
        *,
        handler_name: str | None = None,
        target: str | None = None,
    ) -> Subscription:
        """Commands to all come too where a target is given."""
        filter_fn = _where("target", target, None)
        return self.subscribe(
            "system.control", handler, handler_name=handler_name, filter_fn=filter_fn
        )

    def send_error(
        self: Bus,
        channel: str,
        error_type: str,
        error_message: str,
        *,
        error_code: str | None = None,
        stack_trace: str | None = None,
        recoverable: bool = False,
        original_message_id: str | None = None,
        agent_id: str | None = None,
        conversation_id: str | None = None,
        request_id: str | None = None,
    ) -> Published | Dropped:
        return self.publish(
            ErrorMessage(
                channel=channel,
                error_type=error_type,
                error_message=error_message,
                error_code=error_code,
                stack_trace=stack_trace,
                recoverable=recoverable,
                original_message_id=original_message_id,
                agent_id=agent_id,
                conversation_id=conversation_id,
                request_id=request_id,
                payload={
                    "error_type": error_type,
                    "error_message": error_message,
                    "error_code": error_code,
                },
            )
        )


def _where(field: str, wanted: str | None, *also: str | None) -> Filter | None:
    """True for messages whose field, or payload's field, has the value; None if all are wanted."""
    if not wanted:
        return None
    accepted = (wanted, *also)

    def matches(message: Any) -> bool:
        if hasattr(message, field):
            return getattr(message, field) in accepted
        payload = message.payload
        return isinstance(payload, dict) and payload.get(field) in accepted

    return matches
