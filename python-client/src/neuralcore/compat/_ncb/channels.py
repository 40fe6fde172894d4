"""The channels of one bus, and the two views of them that ATLAS's own code looks into."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from typing import TYPE_CHECKING

from neuralcore.compat._ncb.config import ChannelConfig
from neuralcore.compat._ncb.limiter import TokenBucket

if TYPE_CHECKING:
    from neuralcore.compat._ncb.subscriber import Subscriber


_MOST_CREDIT = 1024


class Channel:
    """A channel's settings, as far as this process obeys them, and its subscribers here."""

    def __init__(self, config: ChannelConfig) -> None:
        self.config = config
        self.subscribers: list[Subscriber] = []
        self.limiter: TokenBucket | None = None
        self._fanout_limit = 0
        self.fanout = asyncio.Semaphore()
        self.configured()

    @property
    def name(self) -> str:
        return self.config.name

    def configured(self) -> None:
        """The settings may have changed. A limiter keeps the tokens it has."""
        rate = self.config.rate
        if rate is None:
            self.limiter = None
        elif self.limiter is None:
            self.limiter = TokenBucket(*rate)
        else:
            self.limiter.change(*rate)
        limit = max(1, self.config.fanout_max_concurrency)
        if limit != self._fanout_limit:
            self._fanout_limit = limit
            self.fanout = asyncio.Semaphore(limit)

    @property
    def is_crowded(self) -> bool:
        """Whether its subscribers could together run more handlers at once than may."""
        most = 0
        for subscriber in self.subscribers:
            most += subscriber.config.concurrency
        return most > self._fanout_limit

    def credit(self, concurrency: int) -> int:
        """Messages that may be on their way to a subscriber, or wait here, beyond the queue.

        Small against the queue, so that ``max_queue_size`` means what it says.
        """
        size = self.config.max_queue_size
        return max(concurrency, min(_MOST_CREDIT, size // 8) if size > 0 else _MOST_CREDIT)


class Queue:
    """What waits in one channel."""

    def __init__(self, channel: Channel, sizes: Callable[[], Mapping[str, int]]) -> None:
        self._channel = channel
        self._sizes = sizes

    @property
    def maxsize(self) -> int:
        return self._channel.config.max_queue_size

    @property
    def drop_policy(self) -> str:
        return self._channel.config.drop_policy

    def qsize(self) -> int:
        """How many messages wait. Asks the daemon."""
        return self._sizes().get(self._channel.name, 0)


class Queues(Mapping[str, Queue]):
    """The queues by channel; ``name in queues`` says whether a channel exists."""

    def __init__(
        self, channels: dict[str, Channel], sizes: Callable[[], Mapping[str, int]]
    ) -> None:
        self._channels = channels
        self._sizes = sizes

    def __getitem__(self, name: str) -> Queue:
        return Queue(self._channels[name], self._sizes)

    def __contains__(self, name: object) -> bool:
        return name in self._channels

    def __iter__(self) -> Iterator[str]:
        return iter(self._channels)

    def __len__(self) -> int:
        return len(self._channels)


class ChannelConfigs(MutableMapping[str, ChannelConfig]):
    """The settings by channel. What is assigned takes effect: a field, or a whole entry.

    Assigning to a name that is not there creates the channel; ``del`` removes it.
    """

    def __init__(
        self,
        channels: dict[str, Channel],
        create: Callable[[str, ChannelConfig], None],
        remove: Callable[[str], None],
    ) -> None:
        self._channels = channels
        self._create = create
        self._remove = remove

    def __getitem__(self, name: str) -> ChannelConfig:
        return self._channels[name].config

    def __setitem__(self, name: str, config: ChannelConfig) -> None:
        known = self._channels.get(name)
        if known is None:
            self._create(name, config)
        elif known.config is not config:
            config.check()
            known.config.assign(config)

    def __delitem__(self, name: str) -> None:
        if name not in self._channels:
            raise KeyError(name)
        self._remove(name)

    def __contains__(self, name: object) -> bool:
        return name in self._channels

    def __iter__(self) -> Iterator[str]:
        return iter(self._channels)

    def __len__(self) -> int:
        return len(self._channels)
