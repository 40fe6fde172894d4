"""What is called before and after a message is published and handled."""

from __future__ import annotations

import logging
from typing import Any

from neuralcore._bus.message import Message

log = logging.getLogger("neuralcore.messaging")


class Plugin:
    """Override what you need. All of it runs in the thread that publishes or handles.

    What ``validate`` or ``pre_publish`` raises reaches the caller of ``publish``; what the others
    raise is logged.
    """

    def validate(self, channel: str, payload: Any) -> None:
        """Raise to refuse a payload."""

    def pre_publish(self, channel: str, payload: Any, fields: dict[str, Any]) -> Any:
        """The payload to publish in place of the one given; ``fields`` (of the meta) may change."""
        return payload

    def post_publish(self, channel: str, payload: Any, id: str | None) -> None:
        """It has been taken, or (``id`` is None) there was no room for it."""

    def pre_dispatch(self, message: Message) -> bool | None:
        """False keeps a message from its handler."""
        return None

    def post_dispatch(self, message: Message, error: BaseException | None) -> None:
        """Its handler has returned, or has raised ``error``."""


class Plugins:
    """The plugins of one bus, in the order in which they were added.

    :ivar around_publish: whether publishing has to ask them.
    :ivar around_dispatch: whether handling has to.
    """

    def __init__(self) -> None:
        self._all: tuple[Plugin, ...] = ()
        self.around_publish = False
        self.around_dispatch = False

    def add(self, plugin: Plugin) -> None:
        self._all = (*self._all, plugin)
        self._note()

    def remove(self, plugin: Plugin) -> None:
        self._all = tuple(p for p in self._all if p is not plugin)
        self._note()

    def _note(self) -> None:
        self.around_publish = any(
            _has(p, "validate") or _has(p, "pre_publish") or _has(p, "post_publish")
            for p in self._all
        )
        self.around_dispatch = any(
            _has(p, "pre_dispatch") or _has(p, "post_dispatch") for p in self._all
        )

    def before_publish(self, channel: str, payload: Any, fields: dict[str, Any]) -> Any:
        for plugin in self._all:
            plugin.validate(channel, payload)
        for plugin in self._all:
            payload = plugin.pre_publish(channel, payload, fields)
        return payload

    def after_publish(self, channel: str, payload: Any, id: str | None) -> None:
        for plugin in self._all:
            try:
                plugin.post_publish(channel, payload, id)
            except Exception:
                log.exception("post_publish of %r failed", plugin)

    def before_dispatch(self, message: Message) -> bool:
        return all(plugin.pre_dispatch(message) is not False for plugin in self._all)

    def after_dispatch(self, message: Message, error: BaseException | None) -> None:
        for plugin in self._all:
            try:
                plugin.post_dispatch(message, error)
            except Exception:
                log.exception("post_dispatch of %r failed", plugin)


def _has(plugin: Plugin, name: str) -> bool:
    return getattr(type(plugin), name) is not getattr(Plugin, name)
