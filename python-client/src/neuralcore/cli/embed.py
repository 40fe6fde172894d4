"""``neuralcore embed``."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace

from . import output

HELP = "Embed texts; may start a daemon."
EXAMPLE = "neuralcore embed 'a text' 'another' --json"

_SHOWN = 4


def configure(parser: ArgumentParser) -> None:
    parser.add_argument(
        "texts", nargs="+", metavar="TEXT", help="a text; - reads one a line from standard input"
    )
    parser.add_argument("--model", default="all-MiniLM-L6-v2", help="default: %(default)s")
    parser.add_argument("--query", action="store_true", help="as search queries, not documents")


def run(args: Namespace) -> int:
    from ..client import connect
    from ..embedding import EmbeddingEngine
    from . import OK

    texts: list[str] = []
    for text in args.texts:
        texts += [line.rstrip("\n") for line in sys.stdin] if text == "-" else [text]
    with connect(args.url) as client:
        engine = EmbeddingEngine(args.model, client=client, timeout=args.timeout)
        if args.query:
            vectors = [engine.embed_query(text) for text in texts]
        else:
            vectors = list(engine.embed_batch(texts))
    if args.json:
        output.as_json(
            {
                "model": engine.model,
                "texts": texts,
                "vectors": [[float(x) for x in vector] for vector in vectors],
            }
        )
        return OK
    for text, vector in zip(texts, vectors):
        first = "  ".join(f"{x:+.4f}" for x in vector[:_SHOWN])
        print(f"{first}  … ({len(vector)})  {text}")
    return OK
