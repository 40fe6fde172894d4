"""``neuralcore info``."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from . import output

HELP = "Show versions, platform and what can be used; starts no daemon."
EXAMPLE = "neuralcore info"


def configure(parser: ArgumentParser) -> None:
    """No arguments of its own."""


def run(args: Namespace) -> int:
    from .. import get_available_features, runtime_info
    from . import OK

    info = {**runtime_info(), "features": get_available_features()}
    if args.json:
        output.as_json(info)
    else:
        features = [name for name, there in info.pop("features").items() if there]
        output.table({**info, "features": features or "none"})
    return OK
