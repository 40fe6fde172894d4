"""``neuralcore status``: say whether a daemon runs, and where"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from neuralcore.cli import output


def add_arguments(parser: ArgumentParser) -> None:
    output.add_common(
        parser, "Says whether a daemon runs, and where. Starts none.", "neuralcore status --json"
    )


def run(options: Namespace) -> int:
    from neuralcore import daemon
    from neuralcore.cli import NOT_RUNNING, OK
    from neuralcore.client import connect
    from neuralcore.errors import ConnectError

    url = options.url
    if url is None:
        ready = daemon.find()
        if ready is None:
            if options.json:
                output.as_json({"running": False})
            else:
                print("No daemon runs. It starts by itself when it is needed.")
            return NOT_RUNNING
        url = ready.url
    try:
        with connect(url, require="daemon") as client:
            said = client.info()
    except ConnectError as error:
        if options.json:
            output.as_json({"running": False, "url": url, "reason": str(error)})
        else:
            print(f"No daemon answers at {url}: {error}")
        return NOT_RUNNING
    if options.json:
        output.as_json({"running": True, "url": url, **said})
    else:
        output.table({"daemon": "running", "url": url, **said})
    return OK
