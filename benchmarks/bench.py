"""`./neuralcore bench`: the measurements that the documents quote."""

from __future__ import annotations

import argparse
import os
import sys


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="./neuralcore bench",
        description="Measures, prints a table and writes benchmarks/results/NAME-DATE.json.",
    )
    verbs = parser.add_subparsers(dest="verb", metavar="rtt|cold|vectors", required=True)
    rtt_parser = verbs.add_parser("rtt", help="round trips: daemon, stock bridge, bare socket")
    rtt_parser.add_argument("--rounds", type=int, default=5)
    rtt_parser.add_argument("--requests", type=int, default=2000, help="requests a round")
    cold_parser = verbs.add_parser("cold", help="from nothing to a first embedding")
    cold_parser.add_argument("--rounds", type=int, default=5)
    cold_parser.add_argument(
        "--no-reference", action="store_true", help="leave sentence-transformers out"
    )
    vectors_parser = verbs.add_parser("vectors", help="vector maths and collections from Python")
    vectors_parser.add_argument("--rounds", type=int, default=5)
    vectors_parser.add_argument(
        "--parts",
        nargs="+",
        choices=["pairs", "small", "large", "filter", "reopen"],
        default=["pairs", "small", "large", "filter", "reopen"],
    )
    options = parser.parse_args()
    # The user's own daemon must not answer for the one measured.
    for name in ("NEURALCORE_URL", "NEURALCORE_HOME", "NEURALCORE_DATA_FOLDER"):
        os.environ.pop(name, None)
    if options.verb == "rtt":
        import rtt

        rtt.run(options.rounds, options.requests)
    elif options.verb == "vectors":
        import vectors_python

        vectors_python.run(options.rounds, options.parts)
    else:
        import cold

        cold.run(options.rounds, reference=not options.no_reference)
    return 0


if __name__ == "__main__":
    sys.exit(main())
