"""The command ``neuralcore``.

A verb is a module of this package that is listed in ``VERBS`` and has::

    HELP: str                                       one line for the overview
    EXAMPLE: str                                    a command to try
    configure(parser: ArgumentParser) -> None       its arguments
    run(args: Namespace) -> int                     does it; the exit code

Verbs import what is heavy inside ``run``. Every verb has ``--json``, ``--url`` and ``--timeout``.

Exit codes: 0 done; 1 failed, with one line on stderr; 2 wrong usage; 3 no daemon runs; 4 it runs
and something is not well; 130 interrupted.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import os
import sys
from collections.abc import Sequence
from types import ModuleType

from .._version import __version__
from ..errors import NeuralCoreError
from . import output

OK, FAILED, USAGE, NOT_RUNNING, DEGRADED, INTERRUPTED = 0, 1, 2, 3, 4, 130

VERBS = ("status", "info", "embed", "demo")


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command and returns its exit code."""
    parser = _parser()
    args = parser.parse_args(argv)
    if args.verb is None:
        parser.print_help()
        return USAGE
    try:
        code: int = args.run(args)
        sys.stdout.flush()
        return code
    except NeuralCoreError as error:
        output.fail(str(error), error.code, as_json=args.json)
        return FAILED
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever read our output has gone; Python must not complain about it at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return OK


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="neuralcore",
        description="Fast vectors, text embedding and a message bus, served by a local daemon.",
        epilog="example: neuralcore embed 'a text' --json",
    )
    parser.add_argument("--version", action="version", version=f"neuralcore {__version__}")
    parser.set_defaults(verb=None)
    verbs = parser.add_subparsers(title="commands", metavar="COMMAND")
    for name in VERBS:
        if importlib.util.find_spec(f"{__name__}.{name}") is not None:
            _add(verbs, name, importlib.import_module(f"{__name__}.{name}"))
    return parser


def _add(
    verbs: argparse._SubParsersAction[argparse.ArgumentParser], name: str, verb: ModuleType
) -> None:
    parser = verbs.add_parser(
        name, help=verb.HELP, description=verb.HELP, epilog=f"example: {verb.EXAMPLE}"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    parser.add_argument("--url", help="the daemon, as unix:/path or tcp://host:port")
    parser.add_argument("--timeout", type=float, default=30.0, help="seconds (default: 30)")
    verb.configure(parser)
    parser.set_defaults(verb=name, run=verb.run)
