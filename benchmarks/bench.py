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
    verbs = parser.add_subparsers(
        dest="verb",
        metavar="rtt|cold|vectors|hnsw|bus|embedding|atlas|engine|journal|relays|cluster",
        required=True,
    )
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
        choices=["pairs", "small", "large", "filter", "reopen", "memory"],
        default=["pairs", "small", "large", "filter", "reopen", "memory"],
    )
    hnsw_parser = verbs.add_parser("hnsw", help="the HNSW index beside its rivals")
    hnsw_parser.add_argument("part", choices=["build", "run", "plot"])
    hnsw_parser.add_argument(
        "--shape", default="clustered", choices=["uniform", "clustered", "duplicates", "texts"]
    )
    hnsw_parser.add_argument("--count", type=int, default=10_000)
    hnsw_parser.add_argument("--dimension", type=int, default=384)
    hnsw_parser.add_argument("--rounds", type=int, default=5)
    hnsw_parser.add_argument("--contenders", default="int8,float32,hnswlib,faiss,usearch")
    hnsw_parser.add_argument("--threads", type=int, default=2, help="to build with")
    hnsw_parser.add_argument("--rebuild", action="store_true", help="build what is kept, too")
    bus_parser = verbs.add_parser("bus", help="the bus beside ATLAS's, NATS and Redis Streams")
    bus_parser.add_argument("--rounds", type=int, default=5)
    bus_parser.add_argument("--atlas-root", help="a checkout of ATLAS, to measure its bus too")
    bus_parser.add_argument("--quick", action="store_true", help="few messages, to try it")
    bus_parser.add_argument(
        "--only",
        help="parts, by commas: throughput, fanout, calls, processes, durable, replay, drop_old, "
        "atlas, channels, subscribers, payloads",
    )
    embedding_parser = verbs.add_parser("embedding", help="beside sentence-transformers")
    embedding_parser.add_argument("--rounds", type=int, default=3)
    embedding_parser.add_argument(
        "--parts",
        help="by commas: single, hundred, thousand, paragraphs, equal, clients, memory, agreement, "
        "peers, bge",
    )
    embedding_parser.add_argument("--varied", type=int, default=2000, help="texts compared")
    embedding_parser.add_argument("--texts", type=int, default=10_000, help="for memory")
    embedding_parser.add_argument("--precision", choices=["auto", "fp32", "int8"], default="auto")
    atlas_parser = verbs.add_parser("atlas", help="ATLAS's own code with its parts and with ours")
    atlas_parser.add_argument("--atlas-root", required=True, help="a checkout of ATLAS")
    atlas_parser.add_argument("--rounds", type=int, default=3)
    atlas_parser.add_argument(
        "--parts", help="by commas: cosines, stores, embedding, bus, chunker, rag"
    )
    atlas_parser.add_argument(
        "--documents", type=int, help="so many of its documents (default: all, which takes long)"
    )
    verbs.add_parser("engine", help="the bus inside the daemon, without a socket")
    journal_parser = verbs.add_parser("journal", help="commits, reading and starts on this disk")
    journal_parser.add_argument(
        "--parts", nargs="+", choices=["rates", "growth"], default=["rates", "growth"]
    )
    journal_parser.add_argument(
        "--rows", nargs="+", type=int, default=[1_000_000, 2_000_000, 5_000_000, 10_000_000]
    )
    relays_parser = verbs.add_parser("relays", help="messages to and from a broker")
    relays_parser.add_argument("--broker", choices=["redis", "kafka"], default="redis")
    relays_parser.add_argument("--rounds", type=int, default=3)
    relays_parser.add_argument("--count", type=int, default=100_000, help="messages a figure")
    cluster_parser = verbs.add_parser("cluster", help="workers with a stand-in for the network")
    cluster_parser.add_argument(
        "--parts", nargs="+", choices=["scaling", "hop", "cost"], default=["scaling", "hop", "cost"]
    )
    cluster_parser.add_argument("--workers", nargs="+", type=int, default=[1, 2, 4, 8, 16])
    cluster_parser.add_argument("--seconds", type=float, default=4.0)
    options = parser.parse_args()
    # The user's own daemon must not answer for the one measured.
    for name in ("NEURALCORE_URL", "NEURALCORE_HOME", "NEURALCORE_DATA_FOLDER"):
        os.environ.pop(name, None)
    if options.verb == "rtt":
        import rtt

        rtt.run(options.rounds, options.requests)
    elif options.verb == "cluster":
        import cluster

        cluster.run(options.parts, options.workers, options.seconds)
    elif options.verb == "relays" and options.broker == "kafka":
        import relays_kafka

        relays_kafka.run(options.rounds, options.count)
    elif options.verb == "relays":
        import relays

        relays.run(options.rounds, options.count)
    elif options.verb == "vectors":
        import vectors_python

        vectors_python.run(options.rounds, options.parts)
    elif options.verb == "hnsw":
        import hnsw

        shape, count, dimension = options.shape, options.count, options.dimension
        contenders = options.contenders.split(",")
        threads, rebuild = options.threads, options.rebuild
        if options.part == "build":
            hnsw.build(shape, count, dimension, contenders, threads, rebuild)
        elif options.part == "run":
            hnsw.run(
                shape,
                count,
                dimension,
                contenders,
                options.rounds,
                threads=threads,
                rebuild=rebuild,
            )
        else:
            hnsw.plot_all()
    elif options.verb == "bus":
        from bus import run

        run.run(
            options.rounds,
            run.QUICK if options.quick else run.FULL,
            options.atlas_root,
            set(options.only.split(",")) if options.only else None,
        )
    elif options.verb == "embedding":
        import embedding

        parts = set(options.parts.split(",")) if options.parts else set(embedding.PARTS)
        embedding.run(options.rounds, parts, options.varied, options.precision, options.texts)
    elif options.verb == "atlas":
        from atlas import run as atlas

        atlas_parts = options.parts.split(",") if options.parts else atlas.PARTS
        atlas.run(options.rounds, options.atlas_root, atlas_parts, options.documents)
    elif options.verb == "engine":
        import engine

        engine.run()
    elif options.verb == "journal":
        import journal

        journal.run(options.parts, options.rows)
    else:
        import cold

        cold.run(options.rounds, reference=not options.no_reference)
    return 0


if __name__ == "__main__":
    sys.exit(main())
