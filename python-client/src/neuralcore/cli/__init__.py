"""The command ``neuralcore``.

A verb is a module of this package that is listed in ``VERBS`` and has::

    add_arguments(parser: ArgumentParser) -> None   its description, arguments, and an example
    run(options: Namespace) -> int                  does it; the exit code

The first line of the module's docstring, after the colon, is its line in the overview. Verbs import
what is heavy inside ``run``. Those that talk to a daemon take ``--json``, ``--url`` and
``--timeout`` (``output.add_common``).

Exit codes: 0 done; 1 failed, with one line on stderr; 2 wrong usage; 3 no daemon runs;
130 interrupted.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import os
import sys
from collections.abc import Sequence
from types import ModuleType

from neuralcore._version import __version__
from neuralcore.cli import output
from neuralcore.errors import NeuralCoreError

OK, FAILED, USAGE, NOT_RUNNING, INTERRUPTED = 0, 1, 2, 3, 130

VERBS = ("status", "info", "embed", "models", "relay", "demo", "check")


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command and returns its exit code."""
    parser = _parser()
    options = parser.parse_args(argv)
    if options.verb is None:
        parser.print_help()
        return USAGE
    try:
        code: int = options.run(options)
        sys.stdout.flush()
        return code
    except NeuralCoreError as error:
        output.fail(str(error), error.code, as_json=getattr(options, "json", False))
        return FAILED
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever read our output has gone; Python must not complain about it at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return OK
    except OSError as error:  # a full disk, a folder that is not ours
        output.fail(str(error), "INTERNAL", as_json=getattr(options, "json", False))
        return FAILED


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
    line = (verb.__doc__ or name).strip().splitlines()[0].partition(": ")[2]
    parser = verbs.add_parser(name, help=line)
    verb.add_arguments(parser)
    parser.set_defaults(verb=name, run=verb.run)
