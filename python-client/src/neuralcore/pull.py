"""Fetches a model's files into the models folder: the network, its tokenizer, its configuration.

A download that broke off goes on where it stopped. What has come is compared with the SHA-256 that
the server names, and written down in ``manifest.json`` beside the files, to which the daemon then
holds them. Nothing is fetched unless this is called.
"""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import json
import os
import re
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from neuralcore.errors import InvalidRequest, NeuralCoreError, NotFound, Unavailable

MIRROR = "https://huggingface.co"
"""Where models are fetched from, unless ``HF_ENDPOINT`` or an argument names another server."""

_CHUNK = 1 << 20
_TIMEOUT_SECONDS = 30.0
_LINKED = "X-Linked-Etag"
_SHA256 = re.compile(r'"?([0-9a-f]{64})"?')
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


@dataclass(frozen=True)
class Wanted:
    """A file: its places on the server, the first that exists is taken, and its name here."""

    places: tuple[str, ...]
    name: str
    role: str = ""


FILES = (
    Wanted(("onnx/model.onnx", "model.onnx"), "model.onnx", "graph"),
    Wanted(("tokenizer.json",), "tokenizer.json", "tokenizer"),
)


def mirror(given: str | None = None) -> str:
    """The server's address, without a slash at its end."""
    return (given or os.environ.get("HF_ENDPOINT") or MIRROR).rstrip("/")


def pull(
    name: str,
    repository: str,
    models: Path,
    server: str | None = None,
    revision: str = "main",
    tell: Callable[[str, int, int], None] = lambda file, done, total: None,
) -> Path:
    """Fetches a model and returns its folder.

    :param name: of the model; its folder's name.
    :param repository: "organization/name".
    :param models: the models folder.
    :param tell: called with a file's name, the bytes that are there and all of them (0: unknown).
    :raises Unavailable: if the server cannot be reached.
    :raises NotFound: if it has no such model, or not as ONNX.
    :raises InvalidRequest: if no model can have that name.
    """
    if not _NAME.fullmatch(name):
        raise InvalidRequest(f"{name!r} cannot be a model's name.")
    folder = models / name
    folder.mkdir(parents=True, exist_ok=True)
    base = f"{mirror(server)}/{repository}/resolve/{revision}"
    pinned = {}
    for wanted in FILES:
        target = folder / wanted.name
        digest = _first_of(base, wanted, target, tell)
        pinned[wanted.role] = {
            "name": wanted.name,
            "bytes": target.stat().st_size,
            "sha256": digest,
        }
    _note(folder / "manifest.json", {"repository": repository, "files": pinned})
    return folder


def _first_of(
    base: str, wanted: Wanted, target: Path, tell: Callable[[str, int, int], None]
) -> str:
    for place in wanted.places:
        with contextlib.suppress(FileNotFoundError):
            return fetch(f"{base}/{place}", target, lambda d, t: tell(wanted.name, d, t))
    raise NotFound(
        f"{base} has none of {', '.join(wanted.places)}: the repository brings no ONNX network."
        " `neuralcore models convert` makes one of a folder with the model.",
        code="MODEL_NOT_FOUND",
    )


def fetch(url: str, target: Path, tell: Callable[[int, int], None]) -> str:
    """Fetches one file and returns its SHA-256. One that is there and right is left as it is.

    :raises FileNotFoundError: if the server has no such file.
    """
    part = target.with_name(target.name + ".part")
    there = part.stat().st_size if part.exists() else 0
    digest, done = hashlib.sha256(), 0
    with _opened(url, there) as answer:
        expected = _expected(answer)
        if expected and target.exists() and _sha256(target) == expected:
            return expected
        length = int(answer.headers.get("Content-Length") or 0)
        if there and answer.status == 206:
            digest, done = _digest(part), there
        total = done + length if length else 0
        with part.open("ab" if done else "wb") as out:
            while chunk := answer.read(_CHUNK):
                out.write(chunk)
                digest.update(chunk)
                done += len(chunk)
                tell(done, total)
            out.flush()
            os.fsync(out.fileno())
    if total and done != total:
        raise Unavailable(
            f"{url} broke off after {done} of {total} bytes; calling again goes on from there."
        )
    found = digest.hexdigest()
    if expected and found != expected:
        part.unlink()
        raise NeuralCoreError(
            f"What came from {url} has the SHA-256 {found}, not {expected}; it was thrown away."
        )
    os.replace(part, target)
    return found


class _Hops(urllib.request.HTTPRedirectHandler):
    """Remembers the digest that a hub names when it sends on to where the bytes are."""

    linked = ""

    def redirect_request(
        self, req: Any, fp: Any, code: Any, msg: Any, headers: Any, newurl: Any
    ) -> Any:
        self.linked = headers.get(_LINKED) or self.linked
        return super().redirect_request(req, fp, code, msg, headers, newurl)


@contextlib.contextmanager
def _opened(url: str, start: int) -> Iterator[Any]:
    hops = _Hops()
    try:
        request = urllib.request.Request(url, headers={"User-Agent": "neuralcore-runtime"})
        if start:
            request.add_header("Range", f"bytes={start}-")
        opener = urllib.request.build_opener(hops)
        with opener.open(request, timeout=_TIMEOUT_SECONDS) as answer:
            answer.linked = hops.linked or answer.headers.get(_LINKED) or ""
            yield answer
    except urllib.error.HTTPError as error:
        if error.code == 416:  # all of it was there already, or it has changed: from the start
            with _opened(url, 0) as answer:
                yield answer
            return
        if error.code == 404:
            raise FileNotFoundError(url) from error
        if error.code in (401, 403):
            raise NotFound(
                f"{url} is refused ({error.code}): there is no such repository, or it is not"
                " public.",
                code="MODEL_NOT_FOUND",
            ) from error
        raise Unavailable(f"{url} answers {error.code}: {error.reason}.") from error
    except http.client.IncompleteRead as error:
        raise Unavailable(f"{url} broke off; calling again goes on from there.") from error
    except (
        urllib.error.URLError,
        http.client.HTTPException,
        TimeoutError,
        ConnectionError,
        ValueError,  # it is no address
    ) as error:
        raise Unavailable(
            f"{url} cannot be reached ({getattr(error, 'reason', error)}). Without network, copy"
            " model.onnx and tokenizer.json into the model's folder yourself; another server is"
            " named by --mirror or HF_ENDPOINT."
        ) from error


def _expected(answer: Any) -> str:
    """The file's SHA-256 as the server names it; empty if it does not."""
    found = _SHA256.fullmatch(answer.linked)
    return found.group(1) if found else ""


def _digest(path: Path) -> Any:
    digest = hashlib.sha256()
    with path.open("rb") as source:
        while chunk := source.read(_CHUNK):
            digest.update(chunk)
    return digest


def _sha256(path: Path) -> str:
    return str(_digest(path).hexdigest())


def _note(manifest: Path, keys: dict[str, Any]) -> None:
    """Puts keys into the manifest, where it says other things too."""
    before = _read(manifest) if manifest.exists() else {}
    beside = manifest.with_name(manifest.name + ".part")
    beside.write_text(json.dumps({**before, **keys}, indent=1) + "\n")
    os.replace(beside, manifest)


def _read(manifest: Path) -> dict[str, Any]:
    try:
        keys = json.loads(manifest.read_bytes())
    except ValueError:
        keys = None
    if not isinstance(keys, dict):
        raise NeuralCoreError(f"{manifest} is no manifest; delete it and pull again.")
    return keys
