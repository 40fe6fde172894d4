"""How commands print: for people, or one JSON document."""

from __future__ import annotations

import json
import os
import sys
from argparse import ArgumentParser
from collections.abc import Mapping
from typing import Any, TextIO


def add_common(parser: ArgumentParser, description: str, example: str) -> None:
    """What every command that talks to a daemon takes."""
    parser.description = description
    parser.epilog = f"Example: {example}"
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    parser.add_argument("--url", help="the daemon, as unix:/path or tcp://host:port")
    parser.add_argument("--timeout", type=float, default=30.0, help="seconds (default: 30)")


def is_colourful(stream: TextIO) -> bool:
    """Whether to colour: a terminal, and neither NO_COLOR nor TERM=dumb."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def as_json(document: Any) -> None:
    print(json.dumps(document, indent=2, ensure_ascii=False, default=str))


def table(rows: Mapping[str, Any]) -> None:
    """Names and values in two columns."""
    width = max((len(name) for name in rows), default=0)
    dim, plain = ("\033[2m", "\033[0m") if is_colourful(sys.stdout) else ("", "")
    for name, value in rows.items():
        print(f"{dim}{name:<{width}}{plain}  {_text(value)}")


def fail(message: str, code: str, *, as_json: bool) -> None:
    """What went wrong, on stderr."""
    if as_json:
        print(json.dumps({"error": code, "message": message}), file=sys.stderr)
        return
    red, plain = ("\033[31m", "\033[0m") if is_colourful(sys.stderr) else ("", "")
    print(f"{red}neuralcore: {message}{plain}", file=sys.stderr)


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (list, tuple)):
        return ", ".join(_text(item) for item in value)
    if isinstance(value, Mapping):
        return ", ".join(f"{k}={_text(v)}" for k, v in value.items())
    return "-" if value is None else str(value)
