"""What the message bus does in C is what it does in Python."""

from __future__ import annotations

import asyncio
import collections
import contextlib
import copy
import gc
import importlib.util
import inspect
import os
import pickle
import random
import re
import struct
import subprocess
import sys
import threading
import tracemalloc
from typing import Any
from unittest.mock import patch

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neuralcore import _wire
from neuralcore._bus import batch as batches
from neuralcore._bus import native, receive
from neuralcore._bus.batch import FULL_MESSAGES, Batch
from neuralcore._bus.dispatch import _Begun
from neuralcore._bus.filling import with_short_way
from neuralcore._bus.inbox import Inbox, Schedule
from neuralcore._bus.message import Message, MessageId
from neuralcore._bus.native import fast
from neuralcore._bus.outbox import Outbox
from neuralcore._bus.payload import PayloadCodec, decode_msgpack
from neuralcore._wire import Delivered
from neuralcore.compat._agent import revival
from neuralcore.compat._agent.messages import CONTEXT, MessagePriority
from neuralcore.errors import NotSupported, ProtocolError

modes = pytest.mark.parametrize("mode", ["python", "c"] if fast is not None else ["python"])

u32 = st.integers(0, 2**32 - 1)
u64 = st.integers(0, 2**64 - 1)
i64 = st.integers(-(2**63), 2**63 - 1)
deliveries = st.lists(
    st.builds(
        Delivered,
        subscription=st.integers(0, 3) | u32,
        attempt=st.integers(0, 0xFFFF),
        publisher=u64,
        sequence=u64,
        channel_sequence=u64,
        timestamp_ns=i64,
        priority=i64,
        ttl_ms=u32,
        channel=st.sampled_from(["a", "b.c", "ü"]),
        payload_type=st.integers(0, 3),
        payload=st.binary(max_size=40),
        meta_type=st.integers(0, 3),
        meta=st.binary(max_size=20),
        number=u64,
        replayed=st.booleans(),
    ),
    max_size=12,
)


FIELDS = (
    *("channel", "priority", "namespace_sequence", "_attempt", "_about", "_types"),
    *("_payload_bytes", "_meta_bytes", "_subscription", "_payload", "_meta", "_settled"),
)


def read(mode: str, frame: bytes) -> list[tuple[int, list[dict[str, Any]]]]:
    """What a deliver frame says, field by field."""
    with patch.object(receive, "fast", fast if mode == "c" else None):
        runs, _ = receive.read_deliveries(frame, {})
    return [
        (
            subscription,
            [{name: getattr(m, name) for name in FIELDS} for m in messages],
        )
        for subscription, messages in runs
    ]


@given(deliveries)
def test_deliver_frames_are_read_alike(sent: list[Delivered]) -> None:
    frame = _wire.encode_deliver(sent)[4:]
    runs = read("python", frame)
    if fast is not None:
        assert read("c", frame) == runs
    messages = [fields for _, messages in runs for fields in messages]
    assert [fields["_payload_bytes"] for fields in messages] == [d.payload for d in sent]
    assert [fields["priority"] for fields in messages] == [d.priority for d in sent]


@modes
@given(deliveries.filter(bool), st.randoms(use_true_random=False))
def test_a_damaged_frame_is_refused_or_read(
    mode: str, sent: list[Delivered], choices: random.Random
) -> None:
    frame = bytearray(_wire.encode_deliver(sent)[4:])
    with pytest.raises(ProtocolError):
        read(mode, bytes(frame[: choices.randrange(16, len(frame))]))
    for _ in range(3):
        frame[choices.randrange(len(frame))] = choices.randrange(256)
    with contextlib.suppress(ProtocolError):
        read(mode, bytes(frame))


def outbox_into(sent: list[Batch], hold: threading.Event | None = None) -> Outbox:
    def send(batch: Batch, wait: float) -> bool:
        if hold is not None and not hold.wait(wait):
            return False
        sent.append(batch)
        return True

    def failed(batch: Batch, error: Exception) -> None:
        raise AssertionError(batch) from error

    return Outbox(0xABC, send, failed, 1 << 20)


def end(outbox: Outbox) -> None:
    """Closing alone does not wait for the outbox's own thread, which may be sending just now."""
    assert outbox.flush(60.0)
    outbox.close()


@modes
@given(
    messages=st.lists(
        st.tuples(
            st.sampled_from(["a", "b.c", "ü"]),
            st.binary(max_size=40),
            st.binary(max_size=20),
            st.integers(0, 2**63 - 1),
        ),
        max_size=8,
    ),
    namespace=st.sampled_from(["", "default", "ö"]),
    number=u32,
    publisher=u64,
    level=st.integers(1, 3),
    delayed=st.booleans(),
)
def test_publish_frames_are_made_alike(
    mode: str,
    messages: list[tuple[str, bytes, bytes, int]],
    namespace: str,
    number: int,
    publisher: int,
    level: int,
    delayed: bool,
) -> None:
    batch = Batch(level=level, delayed=delayed)
    batch.count = len(messages)
    for sequence, (channel, payload, meta, time) in enumerate(messages):
        fields = (
            sequence, time, -1, len(payload), len(meta), 7, batch.index(channel), 2, 1
        )  # fmt: skip
        batch.entries += (
            batches.DELAYED_ENTRY.pack(*fields, 9) if delayed else batches.ENTRY.pack(*fields)
        )
        batch.bodies += payload + meta
    with patch.object(batches, "fast", fast if mode == "c" else None):
        frame = batch.frame(number, namespace, publisher)
    assert int.from_bytes(frame[:4], "big") == len(frame) - 4
    publish = _wire.decode(frame[4:])
    assert isinstance(publish, _wire.Publish)
    assert (publish.batch, publish.namespace, publish.publisher) == (number, namespace, publisher)
    assert [(m.sequence, m.channel, m.payload, m.meta) for m in publish.messages] == [
        (n, channel, payload, meta) for n, (channel, payload, meta, _) in enumerate(messages)
    ]
    with patch.object(batches, "fast", None):
        assert frame == batch.frame(number, namespace, publisher)
    kept = [(m.sequence, m.payload, m.meta, delay) for m, delay in batch.messages()]
    assert kept == [
        (n, payload, meta, 9 if delayed else 0) for n, (_, payload, meta, _) in enumerate(messages)
    ]


@modes
def test_a_batch_of_anything_but_bytes_makes_no_frame(mode: str) -> None:
    batch = Batch()
    batch.index("a")
    batch.entries = "text"  # type: ignore[assignment]
    with patch.object(batches, "fast", fast if mode == "c" else None), pytest.raises(TypeError):
        batch.frame(1, "default", 1)


def test_threads_put_into_one_outbox() -> None:
    sent: list[Batch] = []
    outbox = outbox_into(sent)
    outbox.open()
    ids: list[list[MessageId]] = [[] for _ in range(6)]

    def publish(thread: int) -> None:
        for i in range(3_000):
            body = b"%d %d" % (thread, i)
            if i % 50 == 7:
                put = outbox.put_with(f"c{thread}", i, 2, body, 0, b"", 0, i % 100, 0)[0]
            else:
                put = outbox.put(f"c{thread % 2}", i, 2, body)
            ids[thread].append(put)

    threads = [threading.Thread(target=publish, args=(n,)) for n in range(len(ids))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    while outbox.flush(1.0) and len(outbox):
        pass
    messages = [message for batch in sent for message, _ in batch.messages()]
    assert sorted(_wire.message_id(0xABC, m.sequence) for m in messages) == sorted(
        id for told in ids for id in told
    )
    for batch in sent:
        numbers = [message.sequence for message, _ in batch.messages()]
        assert numbers == sorted(numbers)  # by which a rejected one is found
        assert len(numbers) <= FULL_MESSAGES
    for n, told in enumerate(ids):
        mine = [m for m in messages if m.payload.startswith(b"%d " % n)]
        assert [m.payload for m in mine] == [b"%d %d" % (n, i) for i in range(3_000)]
        assert [_wire.message_id(0xABC, m.sequence) for m in mine] == told


@pytest.mark.parametrize("slowly", [False, True])
def test_what_is_put_with_a_meta_arrives_with_it(slowly: bool) -> None:
    sent: list[Batch] = []
    outbox = outbox_into(sent)
    put = outbox._put if slowly else outbox.put
    put("a", -1, 2, b"early", 1, b"{}", 7)
    outbox.open()
    large = b"x" * 9_000
    ids = [put("a" if i % 2 else "ü", i, 3, large, 2, b"m%d" % i, i) for i in range(100)]
    put("a", 2**63 - 1, 0, b"")
    for wrong in ((2**63, 7), (1, 2**32), (1, -1)):
        with pytest.raises((struct.error, OverflowError)):
            put("a", wrong[0], 2, b"no", 2, b"no", wrong[1])
    assert outbox.flush(1.0)
    assert len(sent) > 3  # large ones do not wait for 512 of them
    messages = [message for batch in sent for message, _ in batch.messages()]
    assert outbox.taken == len(messages) == 102
    first = messages[0]
    assert (first.priority, first.payload, first.meta, first.ttl_ms) == (-1, b"early", b"{}", 7)
    middle = messages[1:-1]
    assert [_wire.message_id(0xABC, m.sequence) for m in middle] == ids
    assert [(m.channel, m.priority, m.payload_type, m.meta_type, m.ttl_ms) for m in middle] == [
        ("a" if i % 2 else "ü", i, 3, 2, i) for i in range(100)
    ]
    assert {m.payload for m in middle} == {large}
    assert [m.meta for m in middle] == [b"m%d" % i for i in range(100)]
    assert (messages[-1].priority, messages[-1].payload, messages[-1].meta) == (2**63 - 1, b"", b"")


def test_a_payload_is_decoded_once() -> None:
    def received(types: int, payload: bytes) -> Message:
        return Message("c", 5, 1, 1, bytes(32), types, payload)

    message = received(2, msgspec.msgpack.encode({"a": [1, None]}))
    assert message.payload == {"a": [1, None]}
    assert message.payload is message.payload
    assert received(2, msgspec.msgpack.encode(None)).payload is None
    assert received(1, b'{"a": 1}').payload == {"a": 1}
    assert received(3, b"raw").payload == b"raw"
    assert received(0, b"").payload is None
    assert received(2 | 1 << 8, b"\x07").payload == 7
    assert Message.of("c", {"made": True}).payload == {"made": True}
    with pytest.raises(NotSupported):
        _ = received(9, b"").payload
    with pytest.raises(msgspec.DecodeError):
        _ = received(2, b"").payload
    with pytest.raises(AttributeError):
        message.payload = 1  # type: ignore[misc]
    assert (inspect.getdoc(Message.payload) or "").startswith("What was published")


def test_an_outbox_that_cannot_send_keeps_everything() -> None:
    sent: list[Batch] = []
    hold = threading.Event()
    outbox = outbox_into(sent, hold)
    outbox.open()
    for i in range(3 * FULL_MESSAGES + 5):
        outbox.put("c", i, 2, b"x" * (i % 700))
    assert len(outbox) == 3 * FULL_MESSAGES + 5
    assert not sent
    hold.set()
    assert outbox.flush(10.0)
    assert [m.priority for b in sent for m, _ in b.messages()] == list(range(3 * FULL_MESSAGES + 5))
    outbox.close()


def test_an_id_is_a_str_to_be_awaited() -> None:
    async def awaited() -> MessageId:
        return await MessageId("ab" * 16)

    id = MessageId("ab" * 16)
    assert id == "ab" * 16
    assert isinstance(id, str)
    assert {id: 1}["ab" * 16] == 1
    assert asyncio.run(awaited()) == id
    assert type(asyncio.run(awaited())) is MessageId
    for twin in (pickle.loads(pickle.dumps(id)), copy.deepcopy(id)):
        assert twin == id
        assert type(twin) is MessageId


def test_publish_is_described_as_if_it_were_python() -> None:
    from neuralcore.messaging import MessageBus

    assert list(inspect.signature(MessageBus.publish).parameters)[:4] == [
        "self",
        "channel",
        "payload",
        "priority",
    ]
    assert (MessageBus.publish.__doc__ or "").startswith("Publishes a message")
    assert MessageBus.publish.__name__ == "publish"


class Subscribed:
    """What the schedule in C asks of a subscription."""

    is_simple = True

    def __init__(
        self,
        schedule: Any,
        handler: Any = None,
        ack: Any = None,
        concurrency: int = 1,
        make: Any = Inbox,
    ) -> None:
        self.told: list[int] = []
        self.concurrency = concurrency
        self.turn = None
        self.inbox = make(self, schedule, handler, ack, concurrency, concurrency == 1, False, 64)

    def finished(self, messages: int) -> None:
        self.told.append(messages)


def message(priority: int, number: int, attempt: int = 1) -> Message:
    return Message("a", priority, number, attempt, bytes(32), 2, b"\xc0")


def inbox_in_python() -> Any:
    """The module as it is where nothing was compiled."""
    spec = importlib.util.find_spec("neuralcore._bus.inbox")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    with patch.object(native, "fast", None):
        spec.loader.exec_module(module)
    return module


@given(st.randoms(use_true_random=False), st.integers(1, 60))
def test_whose_turn_it_is_is_told_alike(choices: random.Random, steps: int) -> None:
    plain = inbox_in_python()
    both = []
    concurrency = [choices.choice([1, 1, 2]) for _ in range(9)]
    for schedule, make in (
        (Schedule(lambda: None), Inbox),
        (plain.Schedule(lambda: None), plain.Inbox),
    ):
        subscribed = [Subscribed(schedule, None, None, most, make) for most in concurrency]
        both.append((schedule, subscribed, []))
    numbers = iter(range(1, 10_000))
    for _ in range(steps):
        step = choices.choice(["arrived", "arrived", "begin", "begin", "end", "cancel", "clear"])
        index = choices.randrange(9)
        # What was read from the log comes by itself.
        kind = 1 if choices.random() < 0.8 else 1 | 1 << 16
        some = [
            message(choices.choice([-9, 0, 5, 5, 2**62]), next(numbers), kind)
            for _ in range(choices.randrange(1, 30))
        ]
        rare = choices.random() < 0.1
        most = choices.randrange(1, 4)
        handled = []
        for schedule, subscribed, in_hand in both:
            seen: list[Any] = []
            if step == "arrived":
                schedule.arrived(subscribed[index], some)
                schedule.sort()
            elif step == "begin":
                subscription = schedule.begin()
                if subscription is not None:
                    in_hand.append(subscription)
                    inbox = subscription.inbox
                    for _ in range(min(most, inbox.size)):
                        seen.append(inbox.pop().namespace_sequence)
                        schedule.took(subscription)
                    seen.append(subscribed.index(subscription))
            elif step == "end" and in_hand:
                schedule.end(in_hand.pop(0))
            elif step == "cancel" and rare:
                subscribed[index].inbox.cancelled = True
            elif step == "clear" and rare:
                for subscription in subscribed:
                    subscription.inbox.cancelled = True
                schedule.clear()
            handled.append((seen, schedule.running, [s.inbox.running for s in subscribed]))
        assert handled[0] == handled[1]
    rest = []
    for schedule, _, in_hand in both:
        for subscription in in_hand:
            schedule.end(subscription)
        left = []
        while (subscription := schedule.begin()) is not None:
            while subscription.inbox.size:
                left.append(subscription.inbox.pop().namespace_sequence)
                schedule.took(subscription)
            schedule.end(subscription)
        assert schedule.idle
        rest.append(left)
    assert rest[0] == rest[1]


def call(handler: Any, numbers: list[int], few: int = 0, ack: Any = None) -> tuple[Any, ...]:
    """One turn with these messages; how many of them are left, and what the turn came to."""
    schedule: Any = Schedule(lambda: None)
    subscribed = Subscribed(schedule, handler, ack)
    schedule.arrived(subscribed, [message(5, number) for number in numbers])
    outcome, subscription, last, value = schedule.turn(few, 60.0)
    assert subscription is (None if outcome == 0 else subscribed)
    if subscription is not None:
        assert not schedule.idle
        schedule.end(subscription)
    assert schedule.waiting == len(schedule) == subscribed.inbox.size
    assert schedule.idle is (subscribed.inbox.size == 0)
    return subscribed.inbox.size, outcome, last, value


if fast is not None:

    def test_handlers_are_called_until_one_needs_more() -> None:
        _, returned, raised, waits, _ = fast.OUTCOMES
        seen = []
        acked: list[int] = []

        async def handler(message: Message) -> Any:
            number = message.namespace_sequence
            seen.append(number)
            if number == 3:
                return "an answer"
            if number == 4:
                raise KeyError(number)
            if number == 5:
                return await asyncio.sleep(0, "late")
            return None

        def plain(message: Message) -> None:
            raise StopIteration(message)

        def ack(message: Message) -> None:
            acked.append(message.namespace_sequence)

        assert call(handler, [1, 2], ack=ack) == (0, 0, True, None)
        left, outcome, last, value = call(handler, [1, 3, 1], ack=ack)
        assert (left, outcome, last.namespace_sequence, value) == (1, returned, 3, "an answer")
        left, outcome, last, error = call(handler, [4, 1])
        assert (left, outcome, last.namespace_sequence) == (1, raised, 4)
        assert type(error) is KeyError
        assert error.__traceback__ is not None
        left, outcome, last, begun = call(handler, [1, 1, 5, 1])
        assert (left, outcome, last.namespace_sequence) == (1, waits, 5)
        assert asyncio.run(_awaited(_Begun(*begun))) == "late"
        assert type(call(plain, [1])[3]) is StopIteration
        assert call(handler, [1, 2, 6], few=2) == (2, 0, True, None)
        assert call(handler, []) == (0, 0, False, None)
        assert seen == [1, 2, 1, 3, 4, 1, 1, 5, 1]
        assert acked == [1, 2, 1]

    def test_many_subscriptions_are_handled_in_one_turn() -> None:
        schedule: Any = Schedule(lambda: None)
        seen: list[tuple[int, int]] = []

        async def handler(message: Message) -> None:
            seen.append((message.priority, message.namespace_sequence))
            if message.namespace_sequence == 40:  # arrives while handlers run, and goes first
                schedule.arrived(all_of_them[7], [instead])

        instead = message(-1, 10_000)
        all_of_them = [Subscribed(schedule, handler) for _ in range(100)]
        messages = [(number % 10, number) for number in range(1, 1001)]
        for priority, number in messages:
            schedule.arrived(all_of_them[number % 100], [message(priority, number)])
        assert schedule.turn(0, 60.0) == (0, None, True, None)
        messages.sort()
        messages.insert(messages.index((0, 40)) + 1, (-1, 10_000))
        assert seen == messages
        assert schedule.idle
        assert [s.inbox.handled for s in all_of_them] == [11 if n == 7 else 10 for n in range(100)]
        # Nobody had half a window to be told of.
        assert not any(s.told for s in all_of_them)

    def test_a_subscription_is_told_in_halves_of_its_window() -> None:
        schedule: Any = Schedule(lambda: None)

        async def handler(message: Message) -> None:
            return None

        subscribed = Subscribed(schedule, handler)
        for number in range(100):
            schedule.arrived(subscribed, [message(5, number)])
            schedule.turn(0, 60.0)
        assert sum(subscribed.told) + subscribed.inbox.owed == 100
        assert subscribed.told == [32, 32, 32]

    def test_who_waits_for_credit_is_told_at_once() -> None:
        schedule: Any = Schedule(lambda: None)

        async def handler(message: Message) -> None:
            return None

        subscribed = Subscribed(schedule, handler)
        schedule.arrived(subscribed, [message(5, number) for number in range(64)])
        schedule.turn(63, 60.0)
        assert subscribed.told == [1]

    def test_a_cancelled_subscription_is_not_called() -> None:
        schedule: Any = Schedule(lambda: None)
        seen = []

        async def handler(message: Message) -> None:
            seen.append(message)
            one.inbox.cancelled = True

        one, other = Subscribed(schedule, handler), Subscribed(schedule, handler)
        schedule.arrived(one, [message(5, number) for number in range(10)])
        schedule.arrived(other, [message(6, 11)])
        schedule.turn(0, 60.0)
        assert [m.namespace_sequence for m in seen] == [0, 11]
        assert schedule.idle

    def test_a_handler_that_waits_gets_what_it_waits_for() -> None:
        async def handler(message: Any) -> list[Any]:
            heard: list[Any] = []
            loop = asyncio.get_running_loop()
            for outcome in (1, KeyError("k"), 2):
                future = loop.create_future()
                if isinstance(outcome, Exception):
                    loop.call_soon(future.set_exception, outcome)
                else:
                    loop.call_soon(future.set_result, outcome)
                try:
                    heard.append(await future)
                except KeyError as error:
                    heard.append(type(error))
            try:
                await asyncio.wait_for(asyncio.sleep(60), 0.01)
            except asyncio.TimeoutError:
                heard.append("late")
            return heard

        async def run() -> Any:
            return await _Begun(*call(handler, [0])[3])

        assert asyncio.run(run()) == [1, KeyError, 2, "late"]

    def test_a_waiting_handler_is_cancelled_with_its_task() -> None:
        async def run() -> list[str]:
            heard = []

            async def handler(message: Any) -> None:
                try:
                    await asyncio.sleep(60)
                except asyncio.CancelledError:
                    heard.append("cancelled")
                    raise

            async def wait() -> None:
                await _Begun(*call(handler, [0])[3])

            task = asyncio.ensure_future(wait())
            await asyncio.sleep(0)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            return heard

        assert asyncio.run(run()) == ["cancelled"]


async def _awaited(awaitable: Any) -> Any:
    return await awaitable


def test_ids_made_in_place_are_strings_like_others() -> None:
    outbox = outbox_into([])
    outbox.open()
    ids = [outbox.put("a", 1, 2, b"x") for _ in range(batches.FULL_MESSAGES)]
    for id in ids:
        assert type(id) is MessageId
        plain = str(id)
        assert (id, hash(id), len(id)) == (plain, hash(plain), 32)
        assert {plain: 1}[id] == 1
        assert pickle.loads(pickle.dumps(id)) == copy.deepcopy(id) == id[:] == plain
    outbox.close()


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.sampled_from([n for b in (5, 7, 8, 15, 16, 31, 32, 63) for n in (2**b - 1, -(2**b))])
    | st.floats()
    | st.text(max_size=40)
    | st.binary(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=20) | st.dictionaries(st.text(max_size=35), inner, max_size=20)
    ),
    max_leaves=30,
)


def published(payload: Any) -> bytes:
    """What the short way of publish makes of a dict."""
    sent: list[Batch] = []
    outbox = outbox_into(sent)
    outbox.open()

    class Bus:
        _filling = outbox.for_dicts({"a": 3}, PayloadCodec())

        @with_short_way
        def publish(self, channel: str, payload: Any, priority: int | None = None) -> MessageId:
            return outbox.put(channel, 3, 2, PayloadCodec().encode_value(payload))

    outbox.put("a", 0, 3, b"before")
    Bus().publish("a", payload)
    end(outbox)
    assert sum(batch.count for batch in sent) == 2  # in one batch, unless the writer was quick
    return next(m.payload for batch in sent for m, _ in batch.messages() if m.payload_type == 2)


if fast is not None:

    @given(
        st.dictionaries(st.text(max_size=35), values, max_size=5),
        st.dictionaries(st.text(max_size=35), values, max_size=5),
        st.integers(0, 2**32 - 1),
    )
    def test_payload_and_meta_are_put_as_they_are_one_by_one(
        payload: dict[str, Any], meta: dict[str, Any], ttl: int
    ) -> None:
        sent: list[Batch] = []
        outbox = outbox_into(sent)
        outbox.open()
        encode = PayloadCodec().encode_value
        assert outbox.put_dicts is not None
        assert outbox.put_dicts("a", 1, payload, meta, ttl) is None  # not told what to encode with
        outbox.for_dicts({"a": 3}, PayloadCodec())
        outbox.put("a", 7, 3, b"before")
        ids = [
            outbox.put_dicts("a", 7, payload, meta, ttl),
            outbox.put("a", 7, 2, encode(payload), *((2, encode(meta)) if meta else (0, b"")), ttl),
            outbox.put_dicts("a", 7, {"cannot": bytes(3)}, None, 0),
        ]
        end(outbox)
        assert ids[2] is None
        _, *both = [m for batch in sent for m, _ in batch.messages()]
        if ids[0] is None:  # there are bytes in it
            assert len(both) == 1
            return
        one, other = both
        assert one._replace(sequence=0, timestamp_ns=0) == other._replace(
            sequence=0, timestamp_ns=0
        )
        assert [int(str(id)[16:], 16) for id in ids[:2]] == [one.sequence, other.sequence]

    @given(
        st.fixed_dictionaries(
            {"payload": st.none() | values},
            optional={
                "priority": st.integers() | st.sampled_from(MessagePriority) | st.booleans(),
                "headers": st.none() | st.dictionaries(st.text(max_size=3), values) | st.just(()),
                "agent_id": st.none() | st.text(max_size=40) | st.sampled_from(MessagePriority),
                "trace_id": values,
                "": st.none() | values,
                "payload_type": st.text(max_size=1),
            },
        )
        | st.just({}),
        st.integers(0, 2**32 - 1),
    )
    def test_an_objects_fields_are_put_as_its_payload_and_meta(
        fields: dict[str, Any], ttl: int
    ) -> None:
        sent: list[Batch] = []
        outbox = outbox_into(sent)
        outbox.open()
        outbox.for_dicts({"a": 3}, PayloadCodec())
        outbox.put("a", 7, 3, b"before")
        assert outbox.put_fields is not None
        assert outbox.put_dicts is not None
        payload, meta = revival.wire_form(fields, CONTEXT, "Kind")
        id = outbox.put_fields("a", MessagePriority.LOW, fields, CONTEXT, "Kind", ttl)
        same = outbox.put_dicts("a", 8, payload, meta, ttl)
        end(outbox)
        _, *put = [m._replace(timestamp_ns=0) for batch in sent for m, _ in batch.messages()]
        if id is None:
            left = (
                "payload" not in fields or "payload_type" in fields or fields.get("headers") == ()
            )
            assert left or same is None
        else:
            assert same is not None
            assert put[0] == put[1]._replace(sequence=put[0].sequence)

    def test_an_objects_fields_that_are_no_fields_are_refused_or_left() -> None:
        outbox = outbox_into([])
        outbox.open()
        outbox.for_dicts({"a": 3}, PayloadCodec())
        assert outbox.put_fields is not None
        put: Any = outbox.put_fields
        assert put("a", 1, {"payload": 1, 2: 3}, (), "Kind", 0) is None
        assert put("a", 1, {"payload": "\ud800"}, (), "Kind", 0) is None
        for wrong in (
            ("a", 1, [], (), "Kind", 0),
            ("a", 1, {}, (), 5, 0),
            ("a", "1", {}, (), "K", 0),
        ):
            with pytest.raises(TypeError):
                put(*wrong)
        with pytest.raises(OverflowError):
            put("a", 1 << 70, {"payload": 1}, (), "Kind", 0)


def received(payload: bytes) -> Any:
    return Message("a", 0, 1, 1, bytes(32), 2, payload).payload


@given(st.dictionaries(st.text(max_size=35), values, max_size=20))
def test_payloads_are_encoded_as_msgspec_does(payload: dict[str, Any]) -> None:
    encoded = msgspec.msgpack.encode(payload)
    assert published(payload) == encoded
    assert repr(received(encoded)) == repr(msgspec.msgpack.decode(encoded))


@pytest.mark.parametrize("length", [15, 16, 31, 32, 255, 256, 65535, 65536])
def test_lengths_are_written_as_msgspec_does(length: int) -> None:
    payload = {
        "text": "x" * length,
        "list": [1] * length,
        "map": {str(n): n for n in range(length)},
    }
    encoded = msgspec.msgpack.encode(payload)
    assert published(payload) == encoded
    assert received(encoded) == payload


@given(st.binary(max_size=60), values, st.randoms(use_true_random=False))
def test_damaged_payloads_are_read_as_msgspec_does(
    noise: bytes, value: Any, choices: random.Random
) -> None:
    damaged = bytearray(msgspec.msgpack.encode(value))
    damaged[choices.randrange(len(damaged))] = choices.randrange(256)
    for data in (noise, bytes(damaged), bytes(damaged[:-1]), bytes(damaged) + b"\xc0"):
        outcomes = []
        for decode in (received, decode_msgpack):
            try:
                outcomes.append(repr(decode(data)))
            except Exception as error:
                outcomes.append(repr(error))
        # Of an extension only its address is told.
        first, second = (re.sub(r" at 0x[0-9a-f]+", "", outcome) for outcome in outcomes)
        assert first == second


@pytest.mark.parametrize("depth", [63, 64, 65, 400])
def test_what_lies_deep_is_no_matter(depth: int) -> None:
    payload: dict[str, Any] = {}
    for level in range(depth):
        payload = {"in": [payload]} if level % 2 else {"in": payload}
    assert received(published(payload)) == payload


@pytest.mark.parametrize("type", ["list", "dict"])
def test_what_a_payload_promises_in_vain_takes_no_memory(type: str) -> None:
    size = 1 << 16
    kind, many = (b"\xdd", size - 500) if type == "list" else (b"\xdf", size // 2 - 500)
    payload = (kind + many.to_bytes(4, "big") + (b"" if type == "list" else b"\xa1a")) * 60
    payload += b"\xc0" * (size - len(payload))
    tracemalloc.start()
    try:
        with pytest.raises(msgspec.DecodeError):
            received(payload)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 100 * size


def test_a_message_can_be_copied() -> None:
    original = Message("a", 7, 8, 2, bytes(range(32)), 2 | 2 << 8, b"\x81\xa1a\x01", b"\x80")
    for twin in (
        pickle.loads(pickle.dumps(original)),
        copy.copy(original),
        copy.deepcopy(original),
    ):
        assert type(twin) is Message
        assert twin is not original
        assert [getattr(twin, name) for name in FIELDS] == [
            getattr(original, name) for name in FIELDS
        ]
        assert twin.payload == {"a": 1}


def test_a_batch_names_channels_by_plain_strings() -> None:
    class Name(str):
        __slots__ = ()

        def __str__(self) -> str:
            return "another"

    batch = Batch()
    assert batch.index(Name("a")) == batch.index("a") == 0
    assert [(type(name), name) for name in batch.indexes] == [(str, "a")]


FINALIZER_ENDS_A_SUBSCRIPTION = """
import gc
from neuralcore import _wire
from neuralcore._bus import receive
from neuralcore._bus.inbox import Inbox

one = _wire.Delivered(1, 1, 1, 1, 1, 0, 5, 0, "a", 2, b"\\xc0", 0, b"", 1, False)
frame = _wire.encode_deliver([one] * 200)[4:]
inboxes = {}

class Last:
    def __del__(self):
        inboxes.clear()

class Subscribed:
    pass

for _ in range(20):
    gc.disable()
    inboxes[1] = Inbox(Subscribed(), None, None, None, 1, True, True, 64)
    last = Last()
    last.itself = last
    del last
    gc.set_threshold(20, 1, 1)
    gc.enable()
    receive.read_deliveries(frame, inboxes)
    gc.collect()
    assert not inboxes
print("lived")
"""


def test_a_finalizer_may_end_a_subscription_while_its_messages_are_read() -> None:
    done = subprocess.run(
        [sys.executable, "-c", FINALIZER_ENDS_A_SUBSCRIPTION],
        env={**os.environ, "PYTHONMALLOC": "debug"},  # what is freed is overwritten
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "lived\n"), done.stderr


if fast is not None:

    def test_a_finalizer_may_publish_while_a_payload_is_encoded() -> None:
        sent: list[Batch] = []
        outbox = outbox_into(sent)
        filling = outbox.for_dicts({"a": 3}, PayloadCodec())
        outbox.open()
        put = outbox.put_dicts
        assert put is not None
        outbox.put("a", 1, 3, b"first")

        class Last:
            itself: Any

            def __del__(self) -> None:
                outbox.put("a", 1, 3, b"from a finalizer")
                outbox.flush()

        thresholds = gc.get_threshold()
        payload = {"text": "x" * 2_000, "no UTF-8": "\ud800"}
        gc.disable()
        try:
            last = Last()
            last.itself = last
            del last
            gc.set_threshold(1, 1, 1)
            gc.enable()
            assert put("a", 1, payload, None, 0) is None
        finally:
            gc.set_threshold(*thresholds)
            gc.enable()
        gc.collect()
        outbox.put("a", 1, 3, b"last")
        end(outbox)
        bodies = [m.payload for batch in sent for m, _ in batch.messages()]
        assert bodies == [b"first", b"from a finalizer", b"last"]
        assert filling.count == filling.bytes == 0

    def test_what_is_none_of_the_usual_is_refused_or_read() -> None:
        outbox = outbox_into([])
        outbox.open()
        outbox.for_dicts({"a": 3}, PayloadCodec())
        outbox.put("a", 1, 3, b"first")
        assert outbox.put_dicts is not None
        assert outbox.put_dicts("a", 1, {}, collections.OrderedDict(a=1), 0) is None  # type: ignore[arg-type]
        end(outbox)

        anew = Message("a", 0, 1, 1, bytes(32), 2, b"\x07")
        assert anew.payload == 7
        del anew._payload
        assert anew.payload == 7

        class Told(Subscribed):
            def deliver(self, messages: Any) -> None:
                self.told.append(messages)

        told: Any = Told(None)
        told.inbox((1, 2))
        assert told.told == [(1, 2)]
        schedule: Any = Schedule(lambda: None)
        robbed = Subscribed(schedule)
        schedule.arrived(robbed, [message(5, 1)])
        robbed.inbox.pop()
        assert schedule.turn(0, 1.0)[1:3] == (None, False)
