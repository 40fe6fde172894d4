"""``neuralcore embed``: embed texts"""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace

from neuralcore.cli import output

_SHOWN = 4


def add_arguments(parser: ArgumentParser) -> None:
    output.add_common(
        parser, "Embeds texts; may start a daemon.", "neuralcore embed 'a text' 'another' --json"
    )
    parser.add_argument(
        "texts", nargs="+", metavar="TEXT", help="a text; - reads one a line from standard input"
    )
    parser.add_argument("--model", default="all-MiniLM-L6-v2", help="default: %(default)s")
    parser.add_argument("--query", action="store_true", help="as search queries, not documents")


def run(options: Namespace) -> int:
    from neuralcore.cli import OK
    from neuralcore.client import connect
    from neuralcore.embedding import EmbeddingEngine

    texts: list[str] = []
    for text in options.texts:
        texts += [line.rstrip("\n") for line in sys.stdin] if text == "-" else [text]
    with connect(options.url) as client:
        engine = EmbeddingEngine(options.model, client=client, timeout=options.timeout)
        if options.query:
            vectors = [engine.embed_query(text) for text in texts]
        else:
            vectors = list(engine.embed_batch(texts))
    if options.json:
        output.as_json(
            {
                "model": engine.model,
                "texts": texts,
                "vectors": [[float(x) for x in vector] for vector in vectors],
            }
        )
        return OK
    for text, vector in zip(texts, vectors, strict=True):
        first = "  ".join(f"{x:+.4f}" for x in vector[:_SHOWN])
        print(f"{first}  … ({len(vector)})  {text}")
    return OK
