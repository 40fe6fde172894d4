"""``NeuralCoreNCB``: the message bus with payloads in and payloads out."""

from __future__ import annotations

import asyncio
import inspect
import operator
import uuid
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any

from neuralcore._bus.handlers import converting
from neuralcore.errors import RequestTimeout
from neuralcore.messaging import Message, MessageBus, MessageId, Subscription

if TYPE_CHECKING:
    import os

    from neuralcore.client import Client
    from neuralcore.fallback.client import FallbackClient

Callback = Callable[[Any], Awaitable[Any] | Any]

# fmt: off
_SHORT_NAMES = (
    "llm_request", "llm_response", "tool_request", "tool_response", "user_input", "user_output",
    "memory_read", "memory_write", "system_event", "error", "debug", "metrics",
)
_ATLAS_NAMES = (
    "user.input", "user.output", "user.notification",
    "llm.request", "llm.stream", "llm.complete", "llm.error",
    "tool.invoke", "tool.result", "tool.progress", "tool.error",
    "agent.spawn", "agent.delegate", "agent.status", "agent.terminate", "agent.result",
    "task.create", "task.update", "task.complete",
    "job.schedule", "job.create", "job.update", "job.execute", "job.result",
    "conversation.start", "conversation.message", "conversation.end", "context.update", "followup",
    "skill.activity", "blackboard.event", "budget.usage", "budget.alert", "budget.policy",
    "system.control", "system.metrics", "system.log", "system.dlq", "system.health",
)
# fmt: on


class NeuralCoreNCB:
    """A bus whose callbacks get payloads, and whose requests get answers::

        async with NeuralCoreNCB() as ncb:
            await ncb.subscribe("tool_request", call_tool, module_name="tools")
            await ncb.publish("tool_request", {"name": "search"}, priority=0)

    Callbacks may be plain functions, which run on threads, or coroutine functions, which run on the
    loop on which they subscribed. Any channel name will do; those of ``CHANNELS`` exist from the
    start.

    :param persistence_path: as of :class:`~neuralcore.messaging.MessageBus`.
    :param worker_count: threads for callbacks that are plain functions.
    :param enable_metrics: whether :meth:`get_metrics` has something to say.
    :param client: the client to use; by default the process's own.
    """

    CHANNELS = (*_SHORT_NAMES, *_ATLAS_NAMES)

    def __init__(
        self,
        persistence_path: str | os.PathLike[str] | None = None,
        worker_count: int = 4,
        enable_metrics: bool = True,
        *,
        client: Client | FallbackClient | None = None,
    ) -> None:

        def make() -> MessageBus:
            return MessageBus(persistence_path, worker_count, client=client)

        self._make = make
        self._enable_metrics = enable_metrics
        self._bus = self._make()
        self._started = False
        self._subscriptions: dict[str, Subscription] = {}
        self._listening: dict[str, Subscription] = {}
        self._waiting: dict[str, asyncio.Future[Any]] = {}

    async def start(self) -> None:
        """Connects; may start a daemon. Does nothing if that has been done."""
        if self._started:
            return
        for channel in self.CHANNELS:
            self._bus.create_channel(channel)
        await self._bus.start()
        self._started = True

    async def stop(self) -> None:
        """Sends what was published, lets callbacks finish, ends. It can be started again."""
        if not self._started:
            return
        self._started = False
        for future in self._waiting.values():
            future.cancel()
        await self._bus.stop()
        self._subscriptions.clear()
        self._listening.clear()
        self._bus = self._make()

    async def publish(
        self,
        channel: str,
        payload: Any,
        priority: int = 50,
        trace_id: str | None = None,
        correlation_id: str | None = None,
    ) -> MessageId:
        """Publishes a message and returns its id, without waiting for anything.

        :param priority: lower is sooner.
        :raises RuntimeError: if the bus has not been started.
        :raises QueueFull: if there is no room.
        """
        if not self._started:
            raise _not_started()
        if trace_id is None and correlation_id is None:  # the short way
            return self._bus.publish(channel, payload, priority)
        return self._bus.publish(
            channel, payload, priority, trace_id=trace_id, correlation_id=correlation_id
        )

    async def subscribe(
        self,
        channel: str,
        callback: Callback,
        module_name: str = "unknown",
        filter_fn: Callable[[Any], bool] | None = None,
    ) -> str:
        """Has ``callback`` called with the payload of every message from now on.

        :param filter_fn: call only with payloads for which it is true.
        :returns: an id for :meth:`unsubscribe`.
        :raises RuntimeError: if the bus has not been started.
        """
        self._check_started()
        subscription = self._bus.subscribe(
            channel,
            _on_payload(callback),
            filter_fn=None if filter_fn is None else lambda message: filter_fn(message.payload),
        )
        await subscription
        known = f"{module_name}_{channel}_{subscription.id}"
        self._subscriptions[known] = subscription
        return known

    async def unsubscribe(self, subscription_id: str) -> None:
        """Ends a subscription; does nothing if there is none of that id."""
        subscription = self._subscriptions.pop(subscription_id, None)
        if subscription is not None:
            await subscription.cancel()

    async def request(
        self,
        channel: str,
        payload: Mapping[str, Any],
        response_channel: str | None = None,
        timeout: float = 30.0,
    ) -> Any:
        """Publishes a request and returns the payload that answers it.

        Whoever answers publishes to ``response_channel`` (by default the channel's name with
        ``_response``) a payload with the ``correlation_id`` that it found in the request.

        :param timeout: seconds.
        :raises RequestTimeout: if none comes in time.
        :raises RuntimeError: if the bus has not been started.
        """
        self._check_started()
        target = response_channel or f"{channel}_response"
        if target not in self._listening:
            self._listening[target] = self._bus.subscribe(target, self._answered)
        await self._listening[target]
        correlation = str(uuid.uuid4())
        answer = self._waiting[correlation] = asyncio.get_running_loop().create_future()
        try:
            self._bus.publish(
                channel, {**payload, "correlation_id": correlation}, 50, correlation_id=correlation
            )
            return await asyncio.wait_for(answer, timeout)
        except asyncio.TimeoutError:
            raise RequestTimeout(f"Nobody answered on {target!r} within {timeout:g} s.") from None
        finally:
            del self._waiting[correlation]

    async def _answered(self, message: Message) -> None:
        payload = message.payload
        known = payload.get("correlation_id") if isinstance(payload, dict) else None
        waiting = self._waiting.get(str(known or message.correlation_id))
        if waiting is not None and not waiting.done():
            waiting.set_result(payload)

    def get_metrics(self) -> dict[str, Any]:
        """The counts of the bus; {} if not wanted. Asks the daemon."""
        return self._bus.metrics() if self._enable_metrics else {}

    def get_queue_size(self, channel: str) -> int:
        """How many messages wait in a channel. Asks the daemon."""
        return self._bus.queue_size(channel)

    async def __aenter__(self) -> NeuralCoreNCB:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    def _check_started(self) -> None:
        if not self._started:
            raise _not_started()


def _not_started() -> RuntimeError:
    return RuntimeError("NCB not started")


def _on_payload(callback: Callback) -> Callable[[Message], Any]:
    """The callback as a handler of messages; a coroutine function stays one."""
    if inspect.iscoroutinefunction(callback):
        return converting(callback, operator.attrgetter("payload"))
    return lambda message: callback(message.payload)
