"""Which channels a bus has: creating, changing and removing them."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Callable, Mapping
from typing import Any

from neuralcore.compat._ncb.channels import Channel
from neuralcore.compat._ncb.config import FIELDS, ChannelConfig
from neuralcore.compat._ncb.logs import about


class Registry:
    """The channels of one bus by name.

    :param declare: tells the daemon how a channel is set up.
    :param removed: what else a channel's end brings with it.
    """

    def __init__(
        self,
        default_max_queue_size: int,
        declare: Callable[[ChannelConfig], None],
        removed: Callable[[Channel], None],
        logger: logging.Logger,
    ) -> None:
        self.channels: dict[str, Channel] = {}
        self.default_max_queue_size = default_max_queue_size
        self._declare = declare
        self._removed = removed
        self._logger = logger

    def create(self, name: str, config: ChannelConfig | None = None) -> None:
        """See ``NeuralCognitiveBus.create_channel``."""
        if name in self.channels:
            extra = about("channel_exists", channel=name)
            self._logger.warning("Channel %r is there already", name, extra=extra)
            return
        if config is None:
            config = ChannelConfig(name, max_queue_size=self.default_max_queue_size)
        elif config.is_watched:  # another channel's: that one keeps it
            config = dataclasses.replace(config, name=name)
        else:
            config.name = name
        config.check()
        channel = self.channels[name] = Channel(config)
        config.watch(self._changed)
        self._take_effect(channel)
        self._logger.info("Channel %r created", name, extra=about("channel_create", channel=name))

    def remove(self, name: str) -> None:
        """See ``NeuralCognitiveBus.remove_channel``."""
        channel = self.channels.pop(name, None)
        if channel is not None:
            channel.config.watch(None)
            self._removed(channel)
            extra = about("channel_remove", channel=name)
            self._logger.info("Channel %r removed", name, extra=extra)

    def _changed(self, config: ChannelConfig) -> None:
        channel = self.channels.get(config.name)
        if channel is not None and channel.config is config:
            channel.configured()
            self._take_effect(channel)

    def _take_effect(self, channel: Channel) -> None:
        other = channel.config.dead_letters
        if other is None and channel.config.dead_letter_channel:
            extra = about("dlq_invalid", channel=channel.name)
            self._logger.warning(
                "Channel %r cannot take its own dead letters", channel.name, extra=extra
            )
        if other is not None and other not in self.channels:
            self.create(other)
        self._declare(channel.config)

    def wanted(self, channels: Any) -> list[ChannelConfig]:
        """What the ``channels`` of a configuration come to; nothing is changed yet.

        :raises ValueError: if something in it has no meaning; it names it.
        """
        if not isinstance(channels, Mapping):
            raise ValueError("'channels' must be a mapping of names to settings.")
        return [self._wanted(str(name), settings) for name, settings in channels.items()]

    def _wanted(self, name: str, settings: Any) -> ChannelConfig:
        if settings is None:
            settings = {}
        if not isinstance(settings, Mapping):
            raise ValueError(f"The settings of channel {name!r} must be a mapping.")
        unknown = sorted(set(map(str, settings)) - set(FIELDS) - {"name"})
        if unknown:
            self._logger.warning("Channel %r: passed over: %s", name, ", ".join(unknown))
        known = self.channels.get(name)
        base = known.config if known else ChannelConfig(name, self.default_max_queue_size)
        return base.updated(settings)

    def apply(self, wanted: list[ChannelConfig]) -> None:
        """Creates and changes channels so that they are as wanted."""
        for config in wanted:
            known = self.channels.get(config.name)
            if known is None:
                self.create(config.name, config)
            else:
                known.config.assign(config)
