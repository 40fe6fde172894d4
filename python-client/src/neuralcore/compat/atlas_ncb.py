"""ATLAS's message bus ("Neural Cognitive Bus", NCB) over the daemon.

Put this module in the place of ``core.messaging.NCB``::

    from neuralcore.compat.atlas_ncb import NeuralCognitiveBus, ChannelConfig, Message

    ncb = NeuralCognitiveBus()
    ncb.create_channel("task.update", ChannelConfig("task.update", drop_policy="drop_old"))
    await ncb.start()
    await ncb.register_subscriber("task.update", "worker", handle, retry_attempts=2)
    await ncb.publish("task.update", {"id": 7}, priority=2)

``NeuralCoreNCB`` is the smaller one of the two: callbacks get payloads, requests get answers.
``docs/atlas-bus.md`` says what is as in ATLAS and what is better.
"""

from __future__ import annotations

from neuralcore.compat._ncb.bus import NeuralCognitiveBus
from neuralcore.compat._ncb.config import NCB_CONFIG_SCHEMA, ChannelConfig
from neuralcore.compat._ncb.limiter import TokenBucket
from neuralcore.compat._ncb.logs import (
    JSONFormatter,
    TraceIdFilter,
    get_trace_id,
    setup_json_logging,
    setup_logging,
)
from neuralcore.compat._ncb.message import Message
from neuralcore.compat._ncb.metrics import LocalMetrics, MetricsRegistry
from neuralcore.compat._ncb.neuralcore_ncb import NeuralCoreNCB
from neuralcore.compat._ncb.plugins import HookFn, Plugin, SinkFn, ValidatorFn
from neuralcore.compat._ncb.security import SecurityConfig
from neuralcore.compat._ncb.subscriber import SubscriberConfig

__all__ = [
    "NCB_CONFIG_SCHEMA",
    "ChannelConfig",
    "HookFn",
    "JSONFormatter",
    "LocalMetrics",
    "Message",
    "MetricsRegistry",
    "NeuralCognitiveBus",
    "NeuralCoreNCB",
    "Plugin",
    "SecurityConfig",
    "SinkFn",
    "SubscriberConfig",
    "TokenBucket",
    "TraceIdFilter",
    "ValidatorFn",
    "get_trace_id",
    "setup_json_logging",
    "setup_logging",
]
