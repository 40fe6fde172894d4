"""``neuralcore check``: run ATLAS's own tests without neuralcore and with it"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from neuralcore.compat import check


def add_arguments(parser: ArgumentParser) -> None:
    parser.description = (
        "Runs ATLAS's own tests as they are, with neuralcore over a daemon, and with neuralcore "
        "and no daemon, each file in a process of its own, and shows the difference. The checkout "
        "is not touched."
    )
    parser.epilog = "Example: neuralcore check --atlas-root ~/atlas --bus"
    check.add_arguments(parser)


def run(options: Namespace) -> int:
    return check.check(options)
