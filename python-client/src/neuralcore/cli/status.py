"""``neuralcore status``."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from . import output

HELP = "Say whether a daemon runs, and where; starts none."
EXAMPLE = "neuralcore status --json"


def configure(parser: ArgumentParser) -> None:
    """No arguments of its own."""


def run(args: Namespace) -> int:
    from .. import daemon
    from ..client import connect
    from ..errors import ConnectError
    from . import NOT_RUNNING, OK

    url = args.url
    if url is None:
        ready = daemon.find()
        if ready is None:
            if args.json:
                output.as_json({"running": False})
            else:
                print("No daemon runs. It starts by itself when it is needed.")
            return NOT_RUNNING
        url = ready.url
    try:
        with connect(url, require="daemon") as client:
            said = client.info()
    except ConnectError as error:
        if args.json:
            output.as_json({"running": False, "url": url, "reason": str(error)})
        else:
            print(f"No daemon answers at {url}: {error}")
        return NOT_RUNNING
    if args.json:
        output.as_json({"running": True, "url": url, **said})
    else:
        output.table({"daemon": "running", "url": url, **said})
    return OK
