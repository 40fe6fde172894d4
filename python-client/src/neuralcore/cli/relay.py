"""``neuralcore relay``: the daemon's relays to brokers: list them, switch them, add a route"""

from __future__ import annotations

import json
from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import Any

from neuralcore.cli import output
from neuralcore.errors import InvalidRequest

_RELAY = "neuralcore.messaging.relay."


def add_arguments(parser: ArgumentParser) -> None:
    output.add_common(
        parser,
        "Lists the relays of the daemon, asks after one's health, switches it on or off, lets it"
        " send what it has (drain), puts dead letters back (redrive), adds a route, or learns a"
        " dictionary for zstd from payloads in a file, JSON one a line (train). schema lists the"
        " relay's schemas, checks a file against the newest version, adds it as the next (add), or"
        " reads the folder again (reload).",
        "neuralcore relay route main direction=out channel=jobs stream=shop.jobs",
    )
    actions = ["list", "health", "on", "off", "drain", "redrive", "route", "close"]
    actions += ["train", "schema"]
    parser.add_argument("action", choices=actions)
    parser.add_argument("name", nargs="?", help="of the relay; for all but list; train: a new file")
    parser.add_argument(
        "keys",
        nargs="*",
        help="KEY=VALUE: what a route is; train: samples=FILE, perhaps channel=NAME, size=BYTES;"
        " schema: list, reload, or check or add and SUBJECT and FILE",
    )


def run(options: Namespace) -> int:
    from neuralcore.client import connect

    if options.action == "train":
        return _train(options)
    params: dict[str, Any] = {}
    if options.action != "list":
        if not options.name:
            raise InvalidRequest(f"relay {options.action} wants the name of a relay.")
        params["name"] = options.name
    if options.action == "route":
        params["route"] = dict(_pair(given) for given in options.keys)
    elif options.action == "schema":
        params.update(_schema(options.keys))
    elif options.keys:
        raise InvalidRequest(f"relay {options.action} wants a name and nothing else.")
    with connect(options.url, require="daemon") as client:
        said, _ = client.call(_RELAY + options.action, params, timeout=options.timeout)
    if options.json:
        output.as_json(said)
    elif options.action == "list":
        for relay in said["relays"]:
            _show(relay)
        if not said["relays"]:
            print("There is no relay.")
    elif "routes" in said:
        _show(said)
    elif "schemas" in said:
        for each in said["schemas"]:
            print("  ".join(f"{key}={value}" for key, value in each.items()))
    elif "breaks" in said:
        print("It is compatible." if said["compatible"] else "\n".join(said["breaks"]))
    elif said:
        output.table(said)
    return 0


def _schema(words: list[str]) -> dict[str, Any]:
    action = words[0] if words else "list"
    if action in ("list", "reload") and len(words) <= 1:
        return {"action": action}
    if action not in ("check", "add") or len(words) != 3:
        raise InvalidRequest(
            "relay schema NAME wants list, reload, check SUBJECT FILE or add SUBJECT FILE."
        )
    schema = json.loads(Path(words[2]).read_text(encoding="utf-8"))
    return {"action": action, "subject": words[1], "schema": schema}


def _train(options: Namespace) -> int:
    from neuralcore.client import connect
    from neuralcore.relays import RedisBridge

    keys = dict(_pair(given) for given in options.keys)
    if not options.name or "samples" not in keys or keys.keys() - {"samples", "channel", "size"}:
        raise InvalidRequest(
            "relay train wants a file to write and samples=FILE, perhaps channel=NAME, size=BYTES."
        )
    lines = Path(keys["samples"]).read_text(encoding="utf-8").splitlines()
    payloads = [json.loads(line) for line in lines if line.strip()]
    with connect(options.url, require="daemon") as client:
        bridge = RedisBridge("redis://127.0.0.1", client=client)
        if "channel" in keys:
            bridge.route("out", keys["channel"], pubsub="-")
        size = keys.get("size", 24 * 1024)
        number = bridge.train_dictionary(options.name, payloads, size=size).result()
    said = {"file": options.name, "dictionary": number, "samples": len(payloads)}
    if options.json:
        output.as_json(said)
    else:
        output.table(said)
    return 0


def _pair(given: str) -> tuple[str, Any]:
    key, equals, value = given.partition("=")
    if not equals:
        raise InvalidRequest(f"{given!r} is not KEY=VALUE.")
    if value in ("true", "false"):
        return key, value == "true"
    return key, int(value) if value.lstrip("-").isdigit() else value


def _show(relay: dict[str, Any]) -> None:
    counts = relay["metrics"]
    print(f"{relay['name']}: {relay['status']}, {relay['url']}")
    if relay["reason"] and relay["status"] != "connected":
        print(f"  {relay['reason']}")
    print(
        f"  published {counts['published']}, received {counts['received']}, lost {counts['lost']},"
        f" dropped {counts['dropped']}, errors {counts['errors']}, backlog {relay['backlog']}"
    )
    for route in relay["routes"]:
        arrow = "->" if route["direction"] == "out" else "<-"
        place = route.get("pubsub") or route.get("stream") or route.get("topic")
        print(f"  {route['namespace']}/{route['channel']} {arrow} {place}")
