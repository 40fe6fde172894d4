"""``neuralcore models``: which models there are, fetch one, convert one"""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import Any

from neuralcore.cli import output
from neuralcore.errors import InvalidRequest, NotFound


def add_arguments(parser: ArgumentParser) -> None:
    output.add_common(
        parser,
        "Lists embedding models, fetches one into the models folder, or makes an int8 network.",
        "neuralcore models pull bge-small-en-v1.5",
    )
    parser.add_argument("action", choices=["list", "pull", "convert"])
    parser.add_argument("name", nargs="?", help="of the model, for pull and convert")
    parser.add_argument("--models", type=Path, help="models folder; by default the daemon's")
    parser.add_argument("--repository", help="pull: organization/name, for one not described")
    parser.add_argument("--mirror", help="pull: another server than HF_ENDPOINT or the usual one")
    parser.add_argument("--revision", default="main", help="pull: default: %(default)s")
    parser.add_argument("--source", type=Path, help="convert: a Hugging Face folder to begin with")
    parser.add_argument("--form", choices=["int8", "fp16"], default="int8", help="convert: to what")
    parser.add_argument("--cosine", type=float, default=0.99, help="convert: least, of every text")


def run(options: Namespace) -> int:
    from neuralcore.client import connect

    # The daemon knows where its models are and where they come from.
    known: dict[str, Any] = {"models": [], "folder": None}
    if options.action != "pull" or options.models is None or options.repository is None:
        with connect(options.url) as client:
            known, _ = client.call(
                "neuralcore.embedding.models", {"all": True}, timeout=options.timeout
            )
    if options.action == "list":
        for fault in known.get("faults", ()):
            print(f"neuralcore: {fault}", file=sys.stderr)
        return _list(options, known["models"])
    if not options.name:
        raise InvalidRequest(f"models {options.action} wants the name of a model.")
    plain = options.name.rpartition("/")[2]
    found = next((model for model in known["models"] if model["name"] == plain), None)
    folder = options.models or Path(known["folder"])
    if options.action == "pull":
        return _pull(options, plain, found, folder)
    return _convert(options, plain, found, folder)


def _list(options: Namespace, models: list[dict[str, Any]]) -> int:
    if options.json:
        output.as_json(models)
        return 0
    for model in models:
        shape = f"{model['dimension']} numbers, {model['max_tokens']} tokens"
        print(f"{model['state']:<9} {model['name']:<28} {shape:<26} {model['repository']}")
    return 0


def _pull(options: Namespace, name: str, found: dict[str, Any] | None, folder: Path) -> int:
    from neuralcore import pull

    repository = options.repository or (found or {}).get("repository")
    if not repository:
        raise NotFound(
            f"There is no model {name!r} among those described: name its --repository"
            " (organization/name), and describe it in models.yaml.",
            code="MODEL_NOT_FOUND",
        )

    def tell(file: str, done: int, total: int) -> None:
        if sys.stderr.isatty():
            share = f"{100 * done // total} %" if total else f"{done >> 20} MiB"
            sys.stderr.write(f"\r{file}: {share}   ")

    where = pull.pull(name, repository, folder, options.mirror, options.revision, tell)
    if sys.stderr.isatty():
        sys.stderr.write("\n")
    if options.json:
        output.as_json({"model": name, "folder": str(where)})
    else:
        print(f"{name} is in {where}; it is loaded when it is first asked for.")
        if found is None:
            print(
                f"Nothing describes it yet: write what its authors say of it into"
                f" {folder / 'models.yaml'}, such as\n    {name}: {{dimension: 384, pooling: mean}}"
            )
    return 0


def _convert(options: Namespace, name: str, found: dict[str, Any] | None, folder: Path) -> int:
    if found is None:
        raise NotFound(f"There is no model {name!r}.", code="MODEL_NOT_FOUND")
    from neuralcore.convert.__main__ import main

    place = folder / name
    if options.source is not None:
        code = main(["export", str(options.source), str(place)])
        if code != 0:
            return code
    if options.form == "fp16":
        return main(["fp16", str(place / "model.onnx"), str(place / "model_fp16.onnx")])
    return main(
        [
            str(place / "model.onnx"),
            str(place / "tokenizer.json"),
            str(place),
            *("--max-tokens", str(min(512, found["max_tokens"]))),
            *("--pooling", found["pooling"]),
            *("--cosine", str(options.cosine)),
        ]
    )
