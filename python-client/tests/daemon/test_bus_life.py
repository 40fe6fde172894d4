"""The bus through the ends of daemons and processes."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import threading
import uuid
from pathlib import Path

import pytest

from neuralcore.messaging import MessageBus
from neuralcore.testing import RunningDaemon

PATIENCE = 20.0


@pytest.fixture
def own_daemon():
    """A daemon that a test may kill."""
    with tempfile.TemporaryDirectory(prefix="neuralcore-test-") as home:
        running = RunningDaemon(Path(home))
        yield running
        running.stop()


class Heard:
    """Collects payloads until a wanted one comes."""

    def __init__(self) -> None:
        self.payloads: list[object] = []
        self._changed = threading.Condition()

    def __call__(self, message) -> None:
        with self._changed:
            self.payloads.append(message.payload)
            self._changed.notify_all()

    def wait_for(self, payload: object) -> None:
        with self._changed:
            came = self._changed.wait_for(lambda: payload in self.payloads, PATIENCE)
        assert came, f"{payload!r} is not among {self.payloads}"


def test_subscriptions_and_settings_survive_the_daemon(own_daemon):
    heard, drops = Heard(), []
    with own_daemon.client() as client, MessageBus(client=client, on_drop=drops.append) as bus:
        bus.create_channel("small", max_queue_size=1)
        bus.subscribe("work", heard)
        bus.publish("work", "before")
        heard.wait_for("before")
        own_daemon.kill()
        bus.publish("work", "while it was away")
        assert own_daemon.daemon.pid
        heard.wait_for("while it was away")
        bus.publish("work", "after")
        heard.wait_for("after")
        assert bus.create_channel("small").result(PATIENCE) is False
        answers = bus.subscribe("double", lambda message: message.payload * 2)
        assert bus.request_sync("double", 21, timeout=PATIENCE) == 42
        assert answers in bus._core.subscriptions.values()
    assert drops == []


def test_what_is_published_last_is_sent_at_exit(neuralcore_daemon):
    name, heard = f"test-{uuid.uuid4().hex}", Heard()
    program = (
        "import sys, neuralcore;"
        "bus = neuralcore.MessageBus(name=sys.argv[1]);"
        "[bus.publish('work', i) for i in range(1000)]"
    )
    with neuralcore_daemon.client() as client, MessageBus(client=client, name=name) as bus:
        bus.create_channel("work", max_queue_size=0)
        bus.subscribe("work", heard)
        environment = {**os.environ, "NEURALCORE_URL": neuralcore_daemon.url}
        subprocess.run([sys.executable, "-c", program, name], check=True, env=environment)
        heard.wait_for(999)
        assert heard.payloads == list(range(1000))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_forked_child_publishes_and_the_parent_hears(neuralcore_daemon):
    """In a process of its own: forking pytest with its threads would test pytest."""
    program = """
import os, sys, threading
import neuralcore
from neuralcore.messaging import MessageBus

heard, enough = [], threading.Event()

def handle(message):
    heard.append(message.payload)
    if len(heard) == 3:
        enough.set()

client = neuralcore.connect(sys.argv[1])
bus = MessageBus(client=client, name=sys.argv[2])
bus.subscribe("work", handle)
bus.publish("work", "parent")
child = os.fork()
if child == 0:
    bus.publish("work", "child")
    bus.flush(10.0)
    os._exit(0)
os.waitpid(child, 0)
bus.publish("work", "parent again")
assert enough.wait(20), heard
print(sorted(heard))
"""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program, neuralcore_daemon.url, uuid.uuid4().hex],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.stdout.strip() == "['child', 'parent', 'parent again']", done.stderr


def test_between_processes(neuralcore_daemon):
    """A request to another process."""
    name = f"test-{uuid.uuid4().hex}"
    program = (
        "import sys, neuralcore;"
        "bus = neuralcore.MessageBus(name=sys.argv[1], source='other').start().result();"
        "bus.subscribe('double', lambda m: m.payload * 2);"
        "print('ready', flush=True); sys.stdin.read()"
    )
    environment = {**os.environ, "NEURALCORE_URL": neuralcore_daemon.url}
    with (
        subprocess.Popen(
            [sys.executable, "-c", program, name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        ) as other,
        neuralcore_daemon.client() as client,
        MessageBus(client=client, name=name) as bus,
    ):
        assert other.stdout.readline() == "ready\n"
        assert bus.request_sync("double", [1, 2], timeout=PATIENCE) == [1, 2, 1, 2]
        other.stdin.close()
