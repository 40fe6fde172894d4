"""`bench embedding`: texts a second beside sentence-transformers, with the same model and threads.

Both embed the same texts in turns, round by round: one text, sentences, paragraphs, none of them
repeated, and one text a hundred times. sentence-transformers runs in a process of its own
(target/bench-venv) that answers over a pipe; only the encoding is timed. Cosines to its vectors are
checked, for these texts and for 2,000 varied ones, with the agreement of the ten nearest texts.
`peers` has its onnx backend, that backend's int8 export and plain ONNX Runtime beside them, `bge`
the second model's agreement with the same network in ONNX Runtime, text by text.
"""

from __future__ import annotations

import os
import random
import resource
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np

import corpus
import neuralcore
from daemon import running_daemon
from embedding_peers import MODELS, OTHERS, Reference, bge
from neuralcore.embedding import EmbeddingEngine
from report import Figure, percentile, save, show


def rest() -> None:
    """PyTorch's threads spin for a while after work; the next contender needs the cores."""
    time.sleep(0.3)


def timed(call: Callable[[], object]) -> float:
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


def peak_mib(pid: int) -> float:
    """Most memory that a process has had resident."""
    return _status_mib(pid, "VmHWM")


def now_mib(pid: int) -> float:
    """Memory that a process has resident."""
    return _status_mib(pid, "VmRSS")


def _status_mib(pid: int, name: str) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(name):
            return int(line.split()[1]) / 1024
    return 0.0


def concurrent(url: str, texts: list[str], clients: int = 8) -> tuple[float, float, float]:
    """Texts a second one after another and by eight clients at once, and the latter's p99 in ms."""
    engine = EmbeddingEngine(client=neuralcore.connect(url))
    alone = timed(lambda: [engine.embed(text) for text in texts])
    times: list[float] = []
    lock = threading.Lock()

    def work(part: list[str]) -> None:
        with neuralcore.connect(url) as client:
            own = EmbeddingEngine(client=client)
            own.embed("connect")
            barrier.wait()
            mine = [timed(lambda text=text: own.embed(text)) for text in part]  # type: ignore[misc]
        with lock:
            times.extend(mine)

    barrier = threading.Barrier(clients + 1)
    threads = [threading.Thread(target=work, args=(texts[i::clients],)) for i in range(clients)]
    for thread in threads:
        thread.start()
    barrier.wait()

    def join() -> None:
        for thread in threads:
            thread.join()

    together = timed(join)
    return len(texts) / alone, len(texts) / together, percentile(sorted(times), 0.99) * 1000


PARTS = (
    *("single", "hundred", "thousand", "paragraphs", "equal", "clients", "memory"),
    *("agreement", "peers", "bge"),
)


def run(
    rounds: int, parts: set[str], varied: int, precision: str, many: int = 10_000
) -> dict[str, Any]:
    if precision != "auto":
        os.environ["NEURALCORE_EMBEDDING_PRECISION"] = precision
    # A round must not be answered from the one before.
    os.environ["NEURALCORE_EMBEDDING_VECTOR_CACHE"] = "0"
    rng = random.Random(3)
    pool, paragraphs = corpus.sentences(), [p for p in corpus.prose() if 40 <= len(p.split()) <= 80]
    rng.shuffle(pool)
    rng.shuffle(paragraphs)
    once = iter(pool)
    single = [next(once) for _ in range(24 * rounds)]
    short = [text for text in pool[-4000:] if 5 <= len(text.split()) <= 7][: 24 * rounds]
    sets = {
        "hundred": ("100 sentences", [next(once) for _ in range(100)]),
        "thousand": ("1,000 sentences", [next(once) for _ in range(1000)]),
        "paragraphs": ("300 paragraphs", paragraphs[:300]),
        "equal": ("100 equal texts", [next(once)] * 100),
    }
    figures: list[Figure] = []
    details: dict[str, Any] = {"rounds": rounds, "parts": sorted(parts)}
    with tempfile.TemporaryDirectory(prefix="nc-") as folder:
        theirs = Reference(Path(folder))
        with running_daemon(Path(folder) / "data") as daemon:
            daemon.wait_for_model()
            url = f"unix:{daemon.ready['socket']}"
            client = neuralcore.connect(url)
            engine = EmbeddingEngine(client=client, show_progress=False)
            chosen = details["precision"] = client.models()[0]["precision"]
            engine.embed_batch(single)
            theirs.seconds(single[:20])
            if parts & {"single", "equal", "peers"}:
                warm(engine)
                warm_peer(theirs)
            for part, (name, texts) in sets.items():
                if part in parts:
                    figures += compare(engine, theirs, name, texts, rounds, chosen)
                    details[f"{part}_tokens"] = int(engine.count_tokens(texts).sum())
            if "equal" in parts:
                equal = short[:1] * 100
                figures += compare(engine, theirs, "100 equal short texts", equal, rounds, chosen)
                details["equal_short_tokens"] = int(engine.count_tokens(equal).sum())
            if "single" in parts:
                figures += one_by_one(engine, theirs, "one text", single, rounds)
                figures += one_by_one(engine, theirs, "one short text", short, rounds)
                for name, texts in (("single", single), ("short", short)):
                    tokens = engine.count_tokens(texts).tolist()
                    details[f"{name}_median_tokens"] = statistics.median(tokens)
            if "agreement" in parts:
                details |= agreement(engine, theirs, varied)
            if "peers" in parts:
                hundred = sets["hundred"][1]
                figures += peers(Path(folder), engine, theirs, hundred, single, rounds)
            if "clients" in parts:
                figures += clients(url, once, rounds)
            if "memory" in parts:
                figures += memory(engine, theirs, daemon.process.pid, details, many)
            client.close()
            if "bge" in parts:
                details |= second_model(Path(folder), chosen, varied)
        theirs.close()
    details["matrix_product_gflops"] = round(matrix_product_gflops(), 1)
    for part, (name, _) in sets.items():
        if part in parts and part != "equal":
            share = flops_share(name, figures, details, part)
            figures.append(Figure.of(f"{name}, of the matrix product's rate", "%", [share]))
    show(f"embedding, {chosen}, {rounds} rounds", figures)
    for key, value in details.items():
        print(f"  {key}: {value}")
    save(f"embedding-{chosen}", figures, details)
    return {"figures": figures}


def target(name: str, precision: str) -> str:
    if "equal" in name:
        return ""
    return ">= 8 x" if precision == "int8" else ">= 3 x"


def compare(
    engine: EmbeddingEngine,
    theirs: Reference,
    name: str,
    texts: list[str],
    rounds: int,
    precision: str,
) -> list[Figure]:
    """Milliseconds of both and their ratio for a set of texts, and their vectors' cosines."""
    pairs = []
    for _ in range(rounds):
        rest()
        mine = timed(lambda: engine.embed_batch(texts))
        rest()
        pairs.append((mine, theirs.seconds(texts)))
    distinct = sorted(set(texts))
    cosines = (engine.embed_batch(distinct) * theirs.vectors(distinct)).sum(axis=1)
    least = 0.99 if precision == "int8" else 0.9999
    return [
        *both(name, pairs, "<= 3 ms" if "equal" in name else "", target(name, precision)),
        Figure.of(f"{name}, least cosine", "", [float(cosines.min())], f">= {least}"),
    ]


def warm(engine: EmbeddingEngine) -> None:
    """Short texts until the JVM has compiled their way, which takes it thousands of requests."""
    for number in range(6000):
        engine.embed(f"text {number}")


def warm_peer(peer: Reference) -> None:
    """Short texts for a peer, which has less to compile."""
    for number in range(100):
        peer.seconds([f"text {number}"])


def one_by_one(
    engine: EmbeddingEngine, theirs: Reference, name: str, texts: list[str], rounds: int
) -> list[Figure]:
    """Medians of texts embedded one after another, ours and theirs in turns by blocks of 24."""
    size = len(texts) // rounds
    middles = []
    for k in range(rounds):
        part = texts[k * size : (k + 1) * size]
        rest()
        mine = [timed(lambda text=text: engine.embed(text)) for text in part]  # type: ignore[misc]
        rest()
        other = [theirs.seconds([text]) for text in part]
        middles.append((statistics.median(mine), statistics.median(other)))
    return both(name, middles, "<= 2 ms", ">= 6 x")


def peers(
    folder: Path,
    engine: EmbeddingEngine,
    theirs: Reference,
    texts: list[str],
    single: list[str],
    rounds: int,
) -> list[Figure]:
    """Other ways to run the same network over 100 sentences and over single texts, in turns."""
    exact = theirs.vectors(texts)
    figures = []
    for name, kind in OTHERS.items():
        with closing(Reference(folder, kind)) as peer:
            peer.seconds(texts)
            warm_peer(peer)
            many, one = [], []
            for _ in range(rounds):
                rest()
                mine = timed(lambda: engine.embed_batch(texts))
                rest()
                many.append((mine, peer.seconds(texts)))
                rest()
                alone = [timed(lambda text=text: engine.embed(text)) for text in single[:24]]  # type: ignore[misc]
                rest()
                other = [peer.seconds([text]) for text in single[:24]]
                one.append((statistics.median(alone), statistics.median(other)))
            cosines = (peer.vectors(texts) * exact).sum(axis=1)
        for what, pairs in (("100 sentences", many), ("one text", one)):
            figures.append(Figure.of(f"{what}, {name}", "ms", [1000 * b for _, b in pairs]))
            ratios = [b / a for a, b in pairs]
            figures.append(Figure.of(f"{what}, {name}, ratio", "x", ratios))
        figures.append(Figure.of(f"least cosine, {name}", "", [float(cosines.min())]))
    return figures


def second_model(folder: Path, precision: str, varied: int) -> dict[str, Any]:
    """bge-small-en-v1.5; in int8 only where `neuralcore models convert` has made that network."""
    model = bge()
    if precision == "int8" and not (model / "model_int8.onnx").exists():
        return {"bge": f"no int8 network in {model}"}
    settings = {"NEURALCORE_EMBEDDING_MODELS": str(MODELS)}
    with (
        running_daemon(folder / "bge", settings) as daemon,
        neuralcore.connect(f"unix:{daemon.ready['socket']}") as client,
        closing(Reference(folder, "cls", model)) as peer,
    ):
        engine = EmbeddingEngine(
            "bge-small-en-v1.5", client=client, precision=precision, show_progress=False
        )
        told = agreement(engine, peer, varied)
    return {f"bge_{name}": value for name, value in told.items()}


def clients(url: str, once: Iterator[str], rounds: int) -> list[Figure]:
    gains, p99s = [], []
    for _ in range(rounds):
        before, after, p99 = concurrent(url, [next(once) for _ in range(160)])
        gains.append(after / before)
        p99s.append(p99)
    return [
        Figure.of("8 clients, times one after another", "x", gains, ">= 1.5"),
        Figure.of("8 clients, p99", "ms", p99s),
    ]


def memory(
    engine: EmbeddingEngine, theirs: Reference, pid: int, details: dict[str, Any], many: int
) -> list[Figure]:
    """Most memory of daemon and client over many texts; theirs over the first 600 of them."""
    texts = corpus.varied(many)
    resident = []
    for start in range(0, len(texts), max(1, many // 10)):
        engine.embed_batch(texts[start : start + max(1, many // 10)])
        resident.append(round(now_mib(pid)))
    theirs.seconds(texts[:600])
    ours = peak_mib(pid) + resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    details["texts"] = many
    details["daemon_resident_mib_after_each_tenth"] = resident
    return [
        Figure.of("peak memory of daemon and client", "MiB", [ours]),
        Figure.of("peak memory, sentence-transformers", "MiB", [theirs.peak_mib]),
        Figure.of("peak memory, share of theirs", "%", [100 * ours / theirs.peak_mib], "<= 35"),
    ]


def matrix_product_gflops() -> float:
    """The fastest of some float32 products by NumPy, on all cores."""
    size = 1500
    a = np.random.default_rng(1).random((size, size), dtype=np.float32)
    best = min(timed(lambda: a @ a) for _ in range(8))
    return float(2 * size**3 / best / 1e9)


def flops_share(name: str, figures: list[Figure], details: dict[str, Any], part: str) -> float:
    """Operations of the network's products a second, in percent of NumPy's float32 rate.

    Six layers of 12 × 384² weights, each used once a token; attention's own products, some percent
    more, are left out. Int8 has a higher rate, so its share may pass 100.
    """
    flop = 2 * 6 * 12 * 384**2 * details[f"{part}_tokens"]
    seconds = next(f.median for f in figures if f.name == name) / 1000
    return float(100 * flop / seconds / 1e9 / details["matrix_product_gflops"])


def both(name: str, pairs: list[tuple[float, float]], most: str, least_ratio: str) -> list[Figure]:
    return [
        Figure.of(name, "ms", [1000 * a for a, _ in pairs], most),
        Figure.of(f"{name}, sentence-transformers", "ms", [1000 * b for _, b in pairs]),
        Figure.of(f"{name}, ratio", "x", [b / a for a, b in pairs], least_ratio),
    ]


def agreement(engine: EmbeddingEngine, theirs: Reference, count: int) -> dict[str, Any]:
    """Cosines to the reference's vectors, and how many of its ten nearest texts are named.

    Texts that the tokenizer makes equal (white space, unknown characters) tie, and rounding orders
    them; so a text counts that is, for the reference, as near as its tenth, to a millionth.
    """
    texts = corpus.varied(count)
    mine, exact = engine.embed_batch(texts), theirs.vectors(texts)
    cosines = (mine * exact).sum(axis=1)
    shared = []
    for query in range(min(200, len(texts))):
        near, nearest = exact @ exact[query], mine @ mine[query]
        near[query] = nearest[query] = -2
        tenth = np.partition(near, -10)[-10]
        named = np.argsort(-nearest)[:10]
        shared.append(float((near[named] >= tenth - 1e-6).mean()))
    return {
        "texts_compared": len(texts),
        "cosine_minimum": round(float(cosines.min()), 6),
        "cosine_mean": round(float(cosines.mean()), 6),
        "texts_below_0.99": int((cosines < 0.99).sum()),
        "texts_below_0.9999": int((cosines < 0.9999).sum()),
        "top_10_agreement_200_queries": round(float(np.mean(shared)), 4),
    }


if __name__ == "__main__":
    sys.exit("run ./neuralcore bench embedding")
