"""ATLAS's AgentBus with ours beside it."""

from __future__ import annotations

import asyncio
import hashlib
import inspect
import json
import time
from collections import Counter
from typing import Any

from neuralcore.compat._shadow.report import Report
from neuralcore.compat._shadow.watch import Watch, told

_MOST = 100_000

_QUIET = 0.2
"""Seconds without a message after which what was published has arrived. That both sides have as
much does not say it: neither has anything while all is on its way."""


class _Pair:
    """What came of one subscription on both sides, as digests in their order.

    :param ordered: whether messages of one priority are to come in the same order.
    """

    def __init__(self, name: str, *, ordered: bool) -> None:
        self.name = name
        self.old: list[bytes] = []
        self.new: list[bytes] = []
        self.seen: set[str] = set()
        self._ordered = ordered
        self._texts: dict[bytes, str] = {}
        self._priorities: dict[bytes, int] = {}

    def note(self, side: list[bytes], message: Any) -> None:
        if len(side) < _MOST:
            text = _text(message)
            digest = hashlib.blake2b(text.encode(), digest_size=12).digest()
            self._texts.setdefault(digest, text)
            self._priorities.setdefault(digest, int(message.priority))
            side.append(digest)

    @property
    def agrees(self) -> bool:
        return len(self.old) == len(self.new) and Counter(self.old) == Counter(self.new)

    def compare(self, report: Report) -> None:
        """Reports what differs, and begins anew."""
        old, new = Counter(self.old), Counter(self.new)
        for kind, lacking in (("missing", old - new), ("extra", new - old)):
            for digest in lacking.elements():
                report.differs(kind, self.name, self._texts[digest])
        report.agreed("messages", len(self.old))
        if old == new and self._ordered:
            for priority in sorted(set(self._priorities.values())):
                if self._of(self.old, priority) != self._of(self.new, priority):
                    report.differs("order", self.name, f"of messages with priority {priority}")
        for kept in (self.old, self.new, self.seen, self._texts, self._priorities):
            kept.clear()

    def _of(self, side: list[bytes], priority: int) -> list[bytes]:
        return [digest for digest in side if self._priorities[digest] == priority]


class BusWatch(Watch):
    """Repeats what is published and subscribed; the application's handlers run once, for the old.

    Deliveries are compared by channel, priority and payload: what one side alone has delivered, and
    whether messages of one priority come in the same order (between priorities it is a matter of
    when each arrives). A message that is tried again counts once.
    """

    def __init__(self, old: Any, new: Any, report: Report | None = None) -> None:
        super().__init__(old, new, report)
        self._pairs: list[_Pair] = []
        self._publish = self._replace("publish", self._published)
        self._subscribe = self._replace("subscribe", self._subscribed)

    async def _published(self, message: Any, *rest: Any, **more: Any) -> Any:
        started = time.perf_counter()
        try:
            result = self._publish(message, *rest, **more)
            if inspect.isawaitable(result):
                result = await result
        except Exception as error:
            self.report.differs(
                "old failed", str(getattr(message, "channel", message)), told(error)
            )
            raise
        middle = time.perf_counter()
        try:
            if not self.new.publish(message, *rest, **more):
                self.report.differs("dropped", _where(message), "there was no room")
        except Exception as error:
            self.report.differs(
                "new failed", str(getattr(message, "channel", message)), told(error)
            )
        self.report.took("publish, old", middle - started)
        self.report.took("publish, new", time.perf_counter() - middle)
        return result

    async def _subscribed(self, channel: str, handler: Any, **options: Any) -> Any:
        pair = _Pair(
            f"{channel} / {options.get('handler_name') or 'handler'}",
            ordered=options.get("concurrency", 1) == 1,
        )

        async def for_old(message: Any) -> Any:
            if message.id not in pair.seen:  # not what is tried again
                pair.seen.add(message.id)
                pair.note(pair.old, message)
            result = handler(message)
            return await result if inspect.isawaitable(result) else result

        async def for_new(message: Any) -> None:
            pair.note(pair.new, message)

        subscription = await self._subscribe(channel, for_old, **options)
        kept = {k: v for k, v in options.items() if k in ("filter_fn", "handler_name")}
        try:
            beside = await self.new.subscribe(channel, for_new, **kept)
        except Exception as error:
            self.report.differs("new failed", channel, told(error))
            return subscription
        self._pairs.append(pair)
        cancel = subscription.cancel

        async def both() -> Any:
            beside.cancel()
            result = cancel()
            return await result if inspect.isawaitable(result) else result

        subscription.cancel = both
        return subscription

    async def settle(self, timeout: float = 30.0) -> Report:
        """Waits until both sides have as much and nothing more comes, at most so many seconds, and
        compares all of it."""
        now = time.monotonic()
        deadline, changed = now + timeout, now
        had: list[tuple[int, int]] = []
        while now < deadline:
            have = [(len(pair.old), len(pair.new)) for pair in self._pairs]
            if have != had:
                had, changed = have, now
            elif now - changed >= _QUIET and all(pair.agrees for pair in self._pairs):
                break
            await asyncio.sleep(0.02)
            now = time.monotonic()
        for pair in self._pairs:
            pair.compare(self.report)
        return self.report


def _where(message: Any) -> str:
    return str(getattr(message, "channel", message))


def _text(message: Any) -> str:
    payload = json.dumps(message.payload, sort_keys=True, default=str)
    return f"{message.channel} priority {int(message.priority)}: {payload}"
