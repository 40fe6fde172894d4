"""Configuration in files: reading them, and noticing that they change."""

from __future__ import annotations

import asyncio
import importlib
import json
import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any


def read(path: str | Path) -> dict[str, Any]:
    """The configuration in a YAML or JSON file.

    :raises FileNotFoundError: if there is none.
    :raises ValueError: if it holds no object.
    :raises RuntimeError: if it is YAML and PyYAML is not installed.
    """
    path = Path(path)
    text = path.read_text(encoding="utf-8")
    if path.suffix.lower() in (".yaml", ".yml"):
        try:
            yaml: Any = importlib.import_module("yaml")
        except ImportError:
            raise RuntimeError(f"Reading {path} needs PyYAML; or write it as JSON.") from None
        try:
            content = yaml.safe_load(text)
        except yaml.YAMLError as error:
            raise ValueError(f"{path} is not YAML: {error}") from error
    else:
        content = json.loads(text)
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise ValueError(f"{path} holds a {type(content).__name__}, not an object.")
    return content


Stamp = tuple[int, int]


class HotReload:
    """Applies a file when it has changed, looked at from time to time.

    :param interval: seconds.
    """

    def __init__(
        self,
        path: Path,
        interval: float,
        apply: Callable[[Mapping[str, Any]], None],
        logger: logging.Logger,
    ) -> None:
        self._path = path
        self._interval = interval
        self._apply = apply
        self._logger = logger
        self._seen: Stamp | None = None

    async def run(self) -> None:
        """For ever. What is wrong with the file is logged, once for each version of it."""
        while True:
            await self.look()
            await asyncio.sleep(self._interval)

    async def look(self) -> bool:
        """Applies the file if it is not the one applied last; whether it did."""
        try:
            stamp = self._stamp()
        except OSError:
            return False
        if stamp == self._seen:
            return False
        self._seen = stamp
        try:
            self._apply(await asyncio.to_thread(read, self._path))
        except Exception as error:
            self._logger.warning(
                "%s was not applied: %s",
                self._path,
                error,
                extra={"event": "hot_reload_error", "error_type": type(error).__name__},
            )
            return False
        self._logger.info("%s applied", self._path, extra={"event": "hot_reload_apply"})
        return True

    def _stamp(self) -> Stamp:
        state = self._path.stat()
        return state.st_mtime_ns, state.st_size
