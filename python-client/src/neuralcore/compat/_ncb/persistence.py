"""What a bus with a ``persistence_path`` keeps on the disk."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from neuralcore.compat._ncb.link import Link
from neuralcore.errors import NotFound


class Persistence:
    """The messages of persistent channels, as the daemon keeps them.

    :ivar db_path: the file.
    """

    def __init__(self, path: Path, link: Link) -> None:
        self.db_path = str(path)
        self._link = link

    async def prune_old_messages(self, channel: str, max_age_sec: float) -> int:
        """Has the messages of a channel deleted that are older than so many seconds.

        They are gone within some seconds. What a durable subscription has not acknowledged stays
        until it has.

        :returns: how many they are; 0 if nothing is kept of such a channel.
        :raises ConnectionLost: if the bus does not run.
        """
        try:
            oldest = await self._after(channel, 0)
            newest = await self._last_before(channel, oldest, time.time() - float(max_age_sec))
            if oldest is None or newest is None:
                return 0
            number = newest["channel_sequence"]
            await self._link.call("prune", {"channel": channel, "up_to": number})
        except NotFound:
            return 0
        return int(number - oldest["channel_sequence"] + 1)

    async def _last_before(
        self, channel: str, oldest: dict[str, Any] | None, moment: float
    ) -> dict[str, Any] | None:
        """The newest message that arrived before a moment, found by doubling and halving steps."""
        if oldest is None or oldest["arrived"] >= moment:
            return None
        last, step, grows = oldest, 1, True
        while step:
            found = await self._after(channel, last["sequence"] + step - 1)
            if found is not None and found["arrived"] < moment:
                last = found
                step = step * 2 if grows else step
            else:
                grows = False
                step //= 2
        return last

    async def _after(self, channel: str, sequence: int) -> dict[str, Any] | None:
        """The first message after a sequence number."""
        params = {"channel": channel, "after": sequence, "limit": 1}
        messages: list[dict[str, Any]] = (await self._link.call("history", params))["messages"]
        return messages[0] if messages else None
