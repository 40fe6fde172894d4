"""Whether a daemon runs, and where; the one place that knows the data folder and the ready file.

It answers ``is_native_available()``, within milliseconds of a fresh interpreter. So it loads what
that has loaded anyway and a few C modules: ``json``, ``socket``, ``pathlib`` and ``urllib`` each
take longer to load than all that is asked here, ``typing`` too. ``daemon`` and ``_endpoint`` build
on it.

Starts nothing, keeps nothing, writes nothing. Thread-safe.
"""

from __future__ import annotations

import _socket
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

# Longest unix socket path every system takes (104 with the final zero on macOS, 108 on Linux).
MAX_SOCKET_PATH = 103

# What a ready file says, and what is meant where it does not.
FIELDS: dict[str, Any] = {
    "pid": 0,
    "socket": "",
    "host": "",
    "port": 0,
    "http_host": "",
    "http_port": 0,
    "token_file": "",
    "version": "",
    "protocol": 0,
    "started": "",
    "idle_exit_ms": 0,
    "open": False,
    "model_ready": False,
}


def default_home() -> str:
    """NEURALCORE_DATA_FOLDER, else NEURALCORE_HOME, else the platform's folder for user data.

    Raises:
        RuntimeError: that would be in the user's home folder, and nothing says where it is.
    """
    for name in ("NEURALCORE_DATA_FOLDER", "NEURALCORE_HOME"):
        named = os.environ.get(name)
        if named:
            return os.path.join(os.getcwd(), _expanded(named))
    if sys.platform == "darwin":
        return _expanded("~/Library/Application Support/neuralcore")
    data = os.environ.get("XDG_DATA_HOME", "")
    return os.path.join(data if os.path.isabs(data) else _expanded("~/.local/share"), "neuralcore")


def read_ready(home: str) -> dict[str, Any] | None:
    """The fields of the ready file, be they true or left behind by a daemon that was killed."""
    try:
        with open(os.path.join(home, "run", "ready.json"), encoding="utf-8") as file:
            said = _decode(file.read())
    except (OSError, ValueError, RecursionError):
        return None
    if not isinstance(said, dict):
        return None
    ready = {name: said.get(name, default) for name, default in FIELDS.items()}
    fits = all(type(ready[name]) is type(default) for name, default in FIELDS.items())
    return ready if fits else None


def find(home: str, timeout: float) -> dict[str, Any] | None:
    """The ready file of the daemon of this home if it runs and its door answers in so many
    seconds."""
    ready = read_ready(home)
    if ready is None or not ready["open"] or not is_alive(ready["pid"]):
        return None
    path = ready["socket"] if is_usable(ready["socket"]) else ""
    return ready if answers(path, ready["host"], ready["port"], timeout) else None


def is_usable(path: str) -> bool:
    """Whether a unix socket of this path can be connected to from here."""
    return bool(path) and hasattr(_socket, "AF_UNIX") and len(path) <= MAX_SOCKET_PATH


def answers(path: str, host: str, port: int, timeout: float) -> bool:
    """Whether connections are accepted at the unix socket, or else at the TCP address.

    Looking up a host that is given by name takes as long as the system's resolver does.
    """
    try:
        if path:
            return _accepts(_socket.AF_UNIX, path, timeout)
        # As bytes where that will do: text loads the codec of international names.
        name = host.encode("ascii") if host.isascii() else host
        found = _socket.getaddrinfo(name, port, 0, _socket.SOCK_STREAM)
        return any(_accepts(family, address, timeout) for family, _, _, _, address in found)
    except (OSError, ValueError, OverflowError, AttributeError):
        return False


def parse_url(url: str) -> tuple[str, str, int, str] | None:
    """(path, "", 0, query) of ``unix:/path``, ("", host, port, query) of ``tcp://host:port?query``;
    None if it is neither."""
    scheme, _, rest = url.strip().partition(":")
    place, _, query = rest.partition("#")[0].partition("?")
    authority, path = "", place
    if place.startswith("//"):
        authority, slash, path = place[2:].partition("/")
        path = slash + path
    if scheme.lower() == "unix":
        return (path, "", 0, query) if path and not authority else None
    authority = authority.rpartition("@")[2]
    if authority.startswith("["):
        host, _, port = authority[1:].partition("]:")
    else:
        host, _, port = authority.partition(":")
    if scheme.lower() != "tcp" or not host or not (port.isascii() and port.isdigit()):
        return None
    return ("", host.lower(), int(port), query) if 0 < int(port) < 65536 else None


def is_alive(pid: int) -> bool:
    """Whether this process runs; one that has ended, and whose parent has not looked, does not."""
    if pid <= 0:
        return False
    if os.name != "posix":
        return True  # there, os.kill would end it; the door tells
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return not is_zombie(pid)


def is_zombie(pid: int) -> bool:
    """A process that has ended while its parent has not looked (Linux tells; others say no)."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            stat = file.read()
    except OSError:
        return False
    return stat.rpartition(b")")[2].split()[:1] == [b"Z"]


def _expanded(path: str) -> str:
    expanded = os.path.expanduser(path)
    if expanded.startswith("~"):
        raise RuntimeError(f"The home folder in {path} cannot be told: set NEURALCORE_HOME.")
    return expanded


def _accepts(family: int, address: Any, timeout: float) -> bool:
    probe = _socket.socket(family, _socket.SOCK_STREAM)
    try:
        probe.settimeout(timeout)
        probe.connect(address)
        return True
    except OSError:
        return False
    finally:
        probe.close()


class _Plain:
    """How JSON is read: the settings of ``json.loads``."""

    strict = True
    object_hook = None
    object_pairs_hook = None
    parse_float = float
    parse_int = int
    parse_constant = float


def _decode(text: str) -> Any:
    """``json.loads``. The package ``json`` compiles regular expressions when it is loaded, which
    takes longer than all else here; the scanner that it is made of can do without."""
    if "json" not in sys.modules:
        try:
            from _json import make_scanner

            scan: Any = make_scanner(_Plain)  # type: ignore[arg-type]
        except (ImportError, AttributeError, TypeError):
            pass  # another Python than CPython, or one whose scanner has more settings
        else:
            text = text.strip()
            try:
                value, end = scan(text, 0)
            except StopIteration:
                raise ValueError("no JSON") from None
            if end != len(text):
                raise ValueError("more than one JSON value")
            return value
    import json

    return json.loads(text)
