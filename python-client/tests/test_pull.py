"""Fetching models, from a server of the test's own."""

from __future__ import annotations

import hashlib
import http.server
import json
import threading
from typing import ClassVar

import pytest

from neuralcore import cli, pull
from neuralcore.errors import InvalidRequest, NeuralCoreError, NotFound, Unavailable

NETWORK = bytes(range(256)) * 9000
TOKENIZER = b'{"a": 1}'
BASE = "/org/tiny/resolve/main"


class Hub(http.server.BaseHTTPRequestHandler):
    """Sends the network's asker on, as the hub does, and can break off, lie or refuse."""

    protocol_version = "HTTP/1.1"

    files: ClassVar = {"/bytes": NETWORK, f"{BASE}/tokenizer.json": TOKENIZER}
    breaks_after = 0
    lies = False
    chunked = False
    refuses = 0
    asked: ClassVar[list[tuple[str, str | None]]] = []

    def do_GET(self):
        kind = type(self)
        kind.asked.append((self.path, self.headers.get("Range")))
        if kind.refuses:
            self.send_error(kind.refuses)
            return
        if self.path == f"{BASE}/onnx/model.onnx":
            digest = hashlib.sha256(b"" if kind.lies else NETWORK).hexdigest()
            self.send_response(302)
            self.send_header("Location", "/bytes")
            self.send_header("X-Linked-Etag", f'"{digest}"')
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        content = kind.files.get(self.path)
        if content is None:
            self.send_error(404)
            return
        start = 0
        if given := self.headers.get("Range"):
            start = int(given.removeprefix("bytes=").rstrip("-"))
        self.send_response(206 if start else 200)
        if kind.chunked:
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            self.close_connection = True
            self.wfile.write(b"ffffff\r\n" + content[start : start + 10_000])
            return
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        if kind.breaks_after and self.path == "/bytes":
            content = content[: start + kind.breaks_after]
            self.close_connection = True
        self.wfile.write(content[start:])

    def log_message(self, *arguments):
        pass


@pytest.fixture
def hub():
    Hub.asked, Hub.breaks_after, Hub.lies, Hub.chunked, Hub.refuses = [], 0, False, False, 0
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_model_comes_with_its_manifest(hub, tmp_path):
    told = []
    folder = pull.pull("tiny", "org/tiny", tmp_path, hub, tell=lambda *args: told.append(args))
    assert (folder / "model.onnx").read_bytes() == NETWORK
    assert (folder / "tokenizer.json").read_bytes() == TOKENIZER
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["repository"] == "org/tiny"
    assert manifest["files"]["graph"] == {
        "name": "model.onnx",
        "bytes": len(NETWORK),
        "sha256": hashlib.sha256(NETWORK).hexdigest(),
    }
    assert told[-2][:2] == ("model.onnx", len(NETWORK))
    assert sorted(path.name for path in folder.iterdir()) == [
        "manifest.json",
        "model.onnx",
        "tokenizer.json",
    ]


def test_what_broke_off_goes_on(hub, tmp_path):
    Hub.breaks_after = 700_000
    for done in (700_000, 1_400_000, 2_100_000):
        with pytest.raises(Unavailable, match=f"broke off after {done} of {len(NETWORK)}"):
            pull.pull("tiny", "org/tiny", tmp_path, hub)
    folder = pull.pull("tiny", "org/tiny", tmp_path, hub)
    assert (folder / "model.onnx").read_bytes() == NETWORK
    assert [asked for path, asked in Hub.asked if path == "/bytes"] == [
        None,
        "bytes=700000-",
        "bytes=1400000-",
        "bytes=2100000-",
    ]


def test_what_is_not_what_was_promised_is_thrown_away(hub, tmp_path):
    Hub.lies = True
    with pytest.raises(NeuralCoreError, match="thrown away"):
        pull.pull("tiny", "org/tiny", tmp_path, hub)
    assert list((tmp_path / "tiny").iterdir()) == []


def test_what_is_not_there(hub, tmp_path):
    with pytest.raises(NotFound, match="brings no ONNX network"):
        pull.pull("other", "org/other", tmp_path, hub)


def test_without_network_it_says_what_to_do(tmp_path):
    with pytest.raises(Unavailable, match=r"cannot be reached .* copy model\.onnx"):
        pull.pull("tiny", "org/tiny", tmp_path, "http://127.0.0.1:1")


def test_the_server_can_be_chosen(monkeypatch):
    monkeypatch.delenv("HF_ENDPOINT", raising=False)
    assert pull.mirror() == pull.MIRROR
    monkeypatch.setenv("HF_ENDPOINT", "http://mirror.test/")
    assert pull.mirror() == "http://mirror.test"
    assert pull.mirror("http://other.test/hub/") == "http://other.test/hub"


def test_an_answer_in_chunks_that_breaks_off(hub, tmp_path):
    Hub.chunked = True
    with pytest.raises(Unavailable, match="broke off"):
        pull.pull("tiny", "org/tiny", tmp_path, hub)
    Hub.chunked = False
    assert (pull.pull("tiny", "org/tiny", tmp_path, hub) / "model.onnx").read_bytes() == NETWORK


@pytest.mark.parametrize("status", [401, 403])
def test_a_repository_that_is_not_public(hub, tmp_path, status):
    Hub.refuses = status
    with pytest.raises(NotFound, match=f"refused .{status}.*not public"):
        pull.pull("tiny", "org/tiny", tmp_path, hub)


@pytest.mark.parametrize("server", ["http://127.0.0.1:1/a b", "127.0.0.1:1", "http://[", "x://y"])
def test_an_address_that_is_none(tmp_path, server):
    with pytest.raises(Unavailable, match="cannot be reached"):
        pull.pull("tiny", "org/tiny", tmp_path, server)


@pytest.mark.parametrize("name", ["..", "", "a b", "../up", "a/b", ".hidden"])
def test_a_name_that_is_none(hub, tmp_path, name):
    with pytest.raises(InvalidRequest, match="cannot be a model's name"):
        pull.pull(name, "org/tiny", tmp_path / "models", hub)
    assert not (tmp_path / "models").exists()


@pytest.mark.parametrize("content", ["{nonsense", "[1]", "\0"])
def test_a_damaged_manifest(hub, tmp_path, content):
    manifest = tmp_path / "tiny" / "manifest.json"
    manifest.parent.mkdir()
    manifest.write_text(content)
    with pytest.raises(NeuralCoreError, match=r"manifest\.json is no manifest; delete it"):
        pull.pull("tiny", "org/tiny", tmp_path, hub)


def test_the_command_says_in_a_line_what_went_wrong(hub, tmp_path, capsys):
    pulled = ["models", "pull", "tiny", "--repository", "org/tiny", "--mirror", hub]
    (tmp_path / "file").touch()
    assert cli.main([*pulled, "--models", str(tmp_path / "file")]) == 1
    assert "Not a directory" in capsys.readouterr().err
    assert cli.main([*pulled, "--models", str(tmp_path)]) == 0
    told = capsys.readouterr().out
    assert f"{tmp_path / 'models.yaml'}, such as\n    tiny: {{dimension" in told
