"""What a bus with a ``persistence_path`` keeps on the disk."""

from __future__ import annotations

from pathlib import Path

from neuralcore.compat._ncb.link import Link


class Persistence:
    """The messages of persistent channels, as the daemon keeps them.

    :ivar db_path: the file.
    """

    def __init__(self, path: Path, link: Link) -> None:
        self.db_path = str(path)
        self._link = link

    async def prune_old_messages(self, channel: str, max_age_sec: float) -> int:
        """Deletes the messages of a channel that are older than so many seconds.

        What a durable subscription has not acknowledged stays.

        :returns: how many were deleted.
        :raises ConnectionLost: if the bus does not run.
        """
        before = await self._pruned(channel)
        await self._link.call("prune", {"channel": channel, "older_than": float(max_age_sec)})
        return await self._pruned(channel) - before

    async def _pruned(self, channel: str) -> int:
        """How many messages of a channel have been deleted so far."""
        stats = await self._link.call("stats", {})
        return int(stats["channels"].get(channel, {}).get("pruned", 0))
