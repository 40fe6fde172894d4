"""``neuralcore info``: show versions, platform and what can be used"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from neuralcore.cli import output


def add_arguments(parser: ArgumentParser) -> None:
    output.add_common(
        parser,
        "Shows versions, platform and what can be used. Starts no daemon.",
        "neuralcore info",
    )


def run(options: Namespace) -> int:
    from neuralcore import get_available_features, runtime_info
    from neuralcore.cli import OK

    info = {**runtime_info(), "features": get_available_features()}
    if options.json:
        output.as_json(info)
    else:
        features = [name for name, there in info.pop("features").items() if there]
        output.table({**info, "features": features or "none"})
    return OK
