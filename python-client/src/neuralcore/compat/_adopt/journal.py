"""Takes over the file in which ATLAS's bus has kept its messages, and gives it back.

Its place is taken by a journal of the daemon's, so that ``persistence_path`` stays what it is; the
file itself lies beside it, untouched, with ``.atlas`` at the end of its name.
"""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING, Any

from neuralcore.compat._adopt.files import MigrationError

if TYPE_CHECKING:
    from neuralcore.client import Client

_COLUMNS = {"channel", "seq", "msg_id", "ts", "priority", "data"}
_SIDES = ("-wal", "-shm", "-journal")
_KEPT = ".atlas"
_LEFT = ".neuralcore"


def count(path: Path) -> int | None:
    """How many messages a file of ATLAS's bus has; None if it is no such file, or ours already."""
    if not path.is_file():
        return None
    connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
    try:
        kind = connection.execute(
            "SELECT type FROM sqlite_master WHERE name = 'ncb_messages'"
        ).fetchone()
        if kind != ("table",):  # in ours it is a view
            return None
        columns = {row[1] for row in connection.execute("PRAGMA table_info(ncb_messages)")}
        if not columns >= _COLUMNS:
            return None
        (rows,) = connection.execute("SELECT COUNT(*) FROM ncb_messages").fetchone()
        return int(rows)
    except sqlite3.DatabaseError:
        return None
    finally:
        connection.close()


def kept(path: Path) -> Path:
    """Where ATLAS's own file lies while it is migrated."""
    return path.with_name(path.name + _KEPT)


def migrate(path: Path, client: Client | None = None) -> dict[str, Any]:
    """Puts a journal with the same messages in the file's place; what the manifest remembers.

    ATLAS must not run. Needs the daemon, and may start it.

    :raises MigrationError: if it is no such file, or is in use; it is then where it was.
    """
    from neuralcore.messaging import MessageBus

    rows = count(path)
    if rows is None:
        raise MigrationError(f"{path} is no file of ATLAS's message bus.")
    aside = kept(path)
    if aside.exists():
        raise MigrationError(f"{aside} is in the way: an earlier migration left it.")
    _fold(path)
    os.rename(path, aside)
    done = False
    try:
        bus = MessageBus(path, client=client)
        try:
            answer = bus.import_file(aside).result()
            backend = bus.backend
        finally:
            bus.stop().result()
        if backend != "daemon":
            raise MigrationError("The daemon is needed to migrate a journal; there is none.")
        done = True
    finally:
        if not done:
            _remove(path)
            os.rename(aside, path)
    return {
        "kind": "journal",
        "path": str(path.absolute()),
        "messages": rows,
        "imported": answer["imported"],
        "unreadable": answer["unreadable"],
    }


def revert(path: Path) -> Path | None:
    """Puts ATLAS's own file back; where the journal that was there is now.

    :raises MigrationError: if there is none to put back.
    """
    aside = kept(path)
    if not aside.exists():
        raise MigrationError(f"{aside} is missing: {path} cannot be put back.")
    left = None
    if path.exists():
        left = path.with_name(path.name + _LEFT)
        for side in ("", *_SIDES):
            old = path.with_name(path.name + side)
            if old.exists():
                os.replace(old, left.with_name(left.name + side))
    os.rename(aside, path)
    return left


def _fold(path: Path) -> None:
    """Brings what lies in a log beside the file into it, and finds out whether it is in use."""
    if not any(path.with_name(path.name + side).exists() for side in _SIDES):
        return
    connection = sqlite3.connect(path, timeout=1.0)
    try:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    except sqlite3.OperationalError as error:
        raise MigrationError(f"{path} is in use: stop ATLAS first ({error}).") from error
    finally:
        connection.close()


def _remove(path: Path) -> None:
    for side in ("", *_SIDES):
        path.with_name(path.name + side).unlink(missing_ok=True)
