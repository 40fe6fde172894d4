"""The unchanged npm client of the Vert.x SockJS bridge, run by node, against the daemon."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from .conftest import Door

CLIENT = "@vertx/eventbus-bridge-client.js@1.0.0"
ROOT = Path(__file__).resolve().parents[3]

pytestmark = pytest.mark.skipif(
    shutil.which("node") is None or shutil.which("npm") is None,
    reason="node and npm are not on the PATH: the SockJS client is left out",
)


@pytest.fixture(scope="module")
def modules() -> Path:
    """The npm client, fetched once into target/."""
    folder = ROOT / "target" / "npm"
    if not (folder / "node_modules" / "@vertx").is_dir():
        folder.mkdir(parents=True, exist_ok=True)
        command = ["npm", "install", "--silent", "--no-audit", "--no-fund", "--no-save"]
        subprocess.run([*command, "--prefix", str(folder), CLIENT], check=True, timeout=300)
    return folder


@pytest.fixture(scope="module")
def outcome(modules: Path, door: Door) -> dict[str, Any]:
    done = run(modules, f"http://127.0.0.1:{door.http_port}/eventbus?token={door.token}")
    assert done.returncode == 0, done.stderr
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def run(modules: Path, url: str) -> subprocess.CompletedProcess[str]:
    script = Path(__file__).with_name("sockjs_client.js")
    command = ["node", str(script), str(modules), url]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


def test_a_service_is_called_by_send(outcome: dict[str, Any]) -> None:
    assert outcome["service"] == {"type": "rec", "body": {"text": "é"}}


def test_register_publish_send_and_reply(outcome: dict[str, Any]) -> None:
    assert outcome["messages"] == [
        {"type": "rec", "address": "test.room", "body": {"published": 1}},
        {"type": "rec", "address": "test.room", "body": {"question": "still there?"}},
    ]
    assert outcome["reply"] == {"type": "rec", "body": {"answered": "still there?"}}


def test_failures_arrive_as_errors(outcome: dict[str, Any]) -> None:
    assert outcome["noHandler"]["failureType"] == "NO_HANDLERS"
    assert outcome["refused"]["failureType"] == "RECIPIENT_FAILURE"
    assert outcome["refused"]["failureCode"] == 1
    assert "collection" in outcome["refused"]["message"]
    assert outcome["denied"]["message"].startswith("access_denied")


def test_pings_keep_the_connection(outcome: dict[str, Any]) -> None:
    assert outcome["openAfterPings"] is True
    assert outcome["closed"] == 0
    assert outcome["errors"] == []


def test_after_unregister_nothing_comes(outcome: dict[str, Any]) -> None:
    assert outcome["afterUnregister"] == 0


def test_without_the_token_it_does_not_open(modules: Path, door: Door) -> None:
    script = (
        "const E=require(process.argv[1]+'/node_modules/@vertx/eventbus-bridge-client.js');"
        "const b=new E(process.argv[2]);b.onopen=()=>{console.log('open');process.exit()};"
        "b.onclose=()=>{console.log('closed');process.exit()};"
    )
    url = f"http://127.0.0.1:{door.http_port}/eventbus"
    command = ["node", "-e", script, str(modules), url]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == "closed"
