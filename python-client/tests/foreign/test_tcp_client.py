"""The unchanged PyPI client of the Vert.x TCP bridge, against the daemon."""

from __future__ import annotations

import contextlib
import queue
import socket
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from vertx import EventBus
from vertx.eventbus import create_err_message

from .conftest import Door
from eventually import eventually

# The client starts its threads in a way that newer Pythons warn of.
pytestmark = pytest.mark.filterwarnings("ignore:setDaemon:DeprecationWarning")

Inbox = "queue.Queue[dict[str, Any]]"


@pytest.fixture
def room() -> str:
    """An address of the test's own: the daemon may not have noticed the last client's end."""
    return f"test.{uuid.uuid4()}"


@pytest.fixture
def errors() -> Inbox:
    return queue.Queue()


@pytest.fixture
def bus(door: Door, errors: Inbox) -> Iterator[EventBus]:
    """A connected client that has shown the token as such a client can: in its first headers."""
    options = {"connect": True, "ping_interval": 1, "reply_timeout": 10, "auto_connect": ""}
    bus = EventBus(door.host, door.port, options, err_handler=errors.put)
    bus.publish("test.hello", headers={"token": door.token}, body={})
    yield bus
    close(bus)


def close(bus: EventBus) -> None:
    """As its user would, and the socket, which it leaves open where the daemon has hung up."""
    bus.close()
    with contextlib.suppress(OSError):
        bus.socket.shutdown(socket.SHUT_RDWR)
    bus.socket.close()


def settle(bus: EventBus) -> None:
    """A round trip: the daemon has handled what was sent before it."""
    answers: Inbox = queue.Queue()
    bus.send("neuralcore.system.echo", body={"settled": True}, reply_handler=answers.put)
    assert answers.get(timeout=10)["body"] == {"settled": True}


def register(bus: EventBus, room: str) -> Inbox:
    inbox: Inbox = queue.Queue()
    bus.register_handler(room, inbox.put)
    settle(bus)
    return inbox


def test_publish_reaches_who_registered(bus: EventBus, room: str) -> None:
    inbox = register(bus, room)
    bus.publish(room, body={"text": "é"})
    message = inbox.get(timeout=10)
    assert message["type"] == "message"
    assert message["body"] == {"text": "é"}
    assert not message.get("send")


def test_send_is_answered_by_who_registered(bus: EventBus, room: str) -> None:
    def answer(message: dict[str, Any]) -> None:
        bus.send(message["replyAddress"], body={"answer": message["body"]["number"] + 1})

    bus.register_handler(room, answer)
    settle(bus)
    answers: Inbox = queue.Queue()
    bus.send(room, body={"number": 41}, reply_handler=answers.put)
    assert answers.get(timeout=10)["body"] == {"answer": 42}


def test_a_service_is_called_by_send(bus: EventBus) -> None:
    answers: Inbox = queue.Queue()
    bus.send("neuralcore.system.info", body={}, reply_handler=answers.put)
    assert answers.get(timeout=10)["body"]["protocol"] == 1


def test_a_failure_reply_arrives_as_an_error(bus: EventBus, room: str, errors: Inbox) -> None:
    inbox = register(bus, room)
    reply_address = str(uuid.uuid4())
    bus.send(room, body={"a": 1}, reply_address=reply_address)
    bus._send_frame(create_err_message(inbox.get(timeout=10)["replyAddress"], 42, "not today"))
    error = errors.get(timeout=10)
    assert error["type"] == "err"
    assert error["address"] == reply_address
    assert error["failureCode"] == 42
    assert error["message"] == "not today"


def test_send_to_nobody_is_an_error(bus: EventBus, errors: Inbox) -> None:
    bus.send("test.nobody", body={}, reply_address="r1")
    error = errors.get(timeout=10)
    assert error["address"] == "r1"
    assert error["sourceAddress"] == "test.nobody"


def test_an_address_off_the_lists_is_denied(bus: EventBus, errors: Inbox) -> None:
    bus.publish("other.address", body={})
    assert errors.get(timeout=10)["message"].startswith("access_denied")


def test_pings_are_answered(bus: EventBus) -> None:
    eventually(lambda: bus.last_pong is not None)
    assert bus.is_connected()


def test_after_unregister_nothing_comes(bus: EventBus, room: str) -> None:
    inbox = register(bus, room)
    bus.unregister_handler(room, inbox.put)
    bus.publish(room, body={"late": True})
    settle(bus)
    assert inbox.empty()


def test_without_the_token_nothing_goes(door: Door, errors: Inbox) -> None:
    options = {"connect": True, "ping_interval": 1, "auto_connect": ""}
    bus = EventBus(door.host, door.port, options, err_handler=errors.put)
    try:
        bus.publish("test.hello", body={})
        assert errors.get(timeout=10)["code"] == "UNAUTHENTICATED"
    finally:
        close(bus)
