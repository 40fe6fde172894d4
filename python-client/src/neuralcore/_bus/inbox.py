"""What was received and waits for its handler, most urgent first."""

from __future__ import annotations

import heapq
import itertools
from collections import deque
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from neuralcore._bus.message import Message
from neuralcore._bus.native import fast

if TYPE_CHECKING:
    from neuralcore._bus.subscription import Subscription


_EMPTY: deque[Message] = deque(maxlen=0)
_REPLAYED = -(2**63)  # before every priority there is


class Inbox:
    """The messages of one subscription: a queue for each priority. Not thread-safe.

    A message costs one look-up where its neighbours have its priority, as in the daemon's frames.

    :param schedule: whose it is, or None. It, and what follows, matters to its twin in C, which
        calls handlers itself.
    :param handler: the subscription's.
    :param ack: what to call when the handler of a message has returned, or None.
    :param concurrency: messages handled at once.
    :param only_calls: whether a message takes nothing but the call of the handler, and ``ack``.
    :param marks: whether messages are to know their subscription.
    :param window: the subscription's credit.
    :ivar first: the queue of the most urgent priority; empty if nothing waits. Whoever takes from
        it calls :meth:`took`.
    :ivar running: how many messages are being handled.
    :ivar received: how many have come.
    :ivar handled: how many handlers have returned.
    :ivar owed: messages handled that the subscription was not told of, in C.
    :ivar cancelled: whether nothing is handled any more.
    """

    __slots__ = (
        "_order",
        "_queues",
        "cancelled",
        "first",
        "handled",
        "owed",
        "received",
        "running",
        "size",
        "window",
    )

    def __init__(
        self,
        subscription: Subscription,
        schedule: Schedule | None,
        handler: Callable[..., Any],
        ack: Callable[[Message], None] | None,
        concurrency: int,
        only_calls: bool,
        marks: bool,
        window: int,
        /,
    ) -> None:
        self._queues: dict[int, deque[Message]] = {}
        self._order: list[int] = []  # a heap of the priorities that have a queue
        self.first = _EMPTY
        self.size = 0
        self.running = 0
        self.received = 0
        self.handled = 0
        self.owed = 0
        self.window = window
        self.cancelled = False

    def extend(self, messages: Sequence[Message]) -> None:
        if messages and messages[0].replayed:
            self._extend_replayed(messages)
            return
        queues = self._queues
        last = None
        for message in messages:
            priority = message.priority
            if priority != last:
                last = priority
                queue = queues.get(priority)
                if queue is None:
                    queue = queues[priority] = deque()
                    heapq.heappush(self._order, priority)
                append = queue.append
            append(message)
        self.size += len(messages)
        if self._order:
            self.first = queues[self._order[0]]

    def _extend_replayed(self, messages: Sequence[Message]) -> None:
        """What was read from the log goes first, in the log's order."""
        for message in messages:
            priority = _REPLAYED if message.replayed else message.priority
            queue = self._queues.get(priority)
            if queue is None:
                queue = self._queues[priority] = deque()
                heapq.heappush(self._order, priority)
            queue.append(message)
        self.size += len(messages)
        self.first = self._queues[self._order[0]]

    def took(self, messages: int) -> None:
        """So many were taken from ``first``."""
        self.size -= messages
        while not self.first and self._order:
            # Only the most urgent queue is ever taken from.
            del self._queues[heapq.heappop(self._order)]
            self.first = self._queues[self._order[0]] if self._order else _EMPTY

    def pop(self) -> Message:
        """The most urgent message, the first come of its priority."""
        message = self.first.popleft()
        self.took(1)
        return message

    def clear(self) -> None:
        self._queues.clear()
        self._order.clear()
        self.first = _EMPTY
        self.size = 0


class Schedule:
    """Whose message is handled next, among the subscriptions that share a dispatcher.

    Lower priorities go first; equal ones in the order in which the daemon took them, across
    channels. A subscription that handles as many as it may at once steps aside and delays no other.

    ``arrived`` may be called by any thread, everything else by one at a time.

    :param wake: what to call when something has come, after ``arrived``.
    """

    def __init__(self, wake: Callable[[], None]) -> None:
        self.incoming: deque[tuple[Subscription, Sequence[Message]]] = deque()
        self._ready: list[tuple[int, int, int, Subscription]] = []
        self._ties = itertools.count()
        self.waiting = 0
        self.running = 0

    def __len__(self) -> int:
        """Messages that wait, about."""
        return self.waiting + len(self.incoming)

    @property
    def idle(self) -> bool:
        """Whether nothing waits or is being handled."""
        return not self.incoming and not self.waiting and not self.running

    @property
    def contended(self) -> bool:
        """Whether more than the subscription in hand has something to handle."""
        return bool(self._ready)

    def arrived(self, subscription: Subscription, messages: Sequence[Message]) -> None:
        self.incoming.append((subscription, messages))

    def sort(self) -> None:
        """Puts what has arrived into its place."""
        incoming = self.incoming
        while incoming:
            subscription, messages = incoming.popleft()
            if not subscription.inbox.cancelled:
                self.waiting += len(messages)
                subscription.inbox.extend(messages)
                self._offer(subscription)

    def begin(self) -> Subscription | None:
        """Chooses the subscription whose turn it is; it counts as busy until :meth:`end`.

        While :meth:`goes_on` says so, its messages may be taken from its inbox one after another.
        """
        if self.incoming:
            self.sort()
        ready = self._ready
        while ready:
            entry = heapq.heappop(ready)
            subscription = entry[3]
            if entry is not subscription.turn:
                continue
            subscription.turn = None
            if subscription.inbox.cancelled:
                self.forget(subscription)
                continue
            subscription.inbox.running += 1
            self.running += 1
            return subscription
        return None

    def took(self, subscription: Subscription, messages: int = 1) -> None:
        """So many messages were taken from the inbox of the subscription in hand."""
        self.waiting = max(0, self.waiting - messages)  # all may have been cleared meanwhile
        if subscription.concurrency > 1:
            self._offer(subscription)

    def goes_on(self, subscription: Subscription) -> bool:
        """Whether the subscription in hand has the next message too."""
        if self.incoming:
            self.sort()
        if not subscription.inbox.size or subscription.inbox.cancelled:
            return False
        if not self._ready:
            return True
        head = subscription.inbox.first[0]
        return (head.priority, head.namespace_sequence) <= self._ready[0][:2]

    def end(self, subscription: Subscription) -> None:
        """The subscription in hand is no longer."""
        subscription.inbox.running -= 1
        self.running -= 1
        if subscription.inbox.cancelled:
            self.forget(subscription)
        elif subscription.turn is None:
            self._offer(subscription)

    def forget(self, subscription: Subscription) -> None:
        """What waits for a cancelled subscription is dropped."""
        self.waiting = max(0, self.waiting - subscription.inbox.size)
        subscription.inbox.clear()
        subscription.turn = None

    def clear(self) -> None:
        self.incoming.clear()
        self._ready.clear()
        self.waiting = 0

    def _offer(self, subscription: Subscription) -> None:
        """Gives the subscription its place by the message that it would handle next."""
        inbox = subscription.inbox
        if not inbox.size or inbox.running >= subscription.concurrency:
            subscription.turn = None
            return
        head = inbox.first[0]
        turn = subscription.turn
        if turn is not None and turn[0] == head.priority and turn[1] == head.namespace_sequence:
            return
        entry = (head.priority, head.namespace_sequence, next(self._ties), subscription)
        subscription.turn = entry
        heapq.heappush(self._ready, entry)


if fast is not None and not TYPE_CHECKING:
    Inbox = fast.Inbox
    Schedule = fast.Schedule
