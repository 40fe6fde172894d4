"""`bench hnsw run`: our HNSW beside hnswlib, faiss, usearch and JVector, one search thread.

Everyone gets the same unit vectors, M 16 and ef_construction 200, builds with two threads, and then
takes turns, ef by ef and round by round, in processes that stay warm. Recall is against the exact
ten nearest. Built indexes are kept in target/bench/hnsw, so that a later run can do without some
steps; whoever is named builds what is not there. JVector keeps none and is built in each run.
`bench hnsw build` builds only, for indexes that take longer than a machine can be kept quiet.
"""

from __future__ import annotations

import ast
import json
import os
import statistics
import subprocess
import sysconfig
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import islice, pairwise
from pathlib import Path
from typing import Any

import numpy as np

import neuralcore
from bus import plot as bus_plot
from daemon import TARGET, java, running_daemon
from environments import environment
from report import RESULTS, ROOT, Figure, save, show

SOURCES = ROOT / "benchmarks" / "vectors"
JVECTOR = TARGET / "bench" / "jvector"
WORK = TARGET / "bench" / "hnsw"
K = 10
QUERIES = 1000
OURS = ("int8", "float32")
RIVALS = ("hnswlib", "faiss", "usearch", "usearch-i8")
CONTENDERS = (*OURS, *RIVALS, "jvector")
EFS = (10, 14, 20, 28, 40, 56, 80, 112, 160)
WARM_UP = 30
CHUNK = 10_000  # rows changed in place at a time: a million of them are 1.5 GB


@dataclass(frozen=True)
class Data:
    """Unit vectors of a shape, queries of the same, and the exact answers."""

    name: str
    count: int
    dimension: int
    rows: Path
    queries: Path
    truth: np.ndarray

    def recall(self, found: np.ndarray) -> float:
        hits = sum(
            len(set(a.tolist()) & set(b.tolist())) for a, b in zip(found, self.truth, strict=True)
        )
        return hits / self.truth.size


def paragraphs() -> Iterator[str]:
    """What Python's library says of itself: the paragraphs of its docstrings, none twice."""
    seen: set[str] = set()
    library = Path(sysconfig.get_paths()["stdlib"])
    for path in sorted(library.rglob("*.py")):
        if "site-packages" in path.parts:
            continue
        try:
            tree = ast.parse(path.read_text("utf-8"))
        except (SyntaxError, ValueError):
            continue  # files that are meant to be wrong
        for node in ast.walk(tree):
            if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
                for part in (ast.get_docstring(node) or "").split("\n\n"):
                    text = " ".join(part.split())
                    if 40 <= len(text) <= 600 and text not in seen:
                        seen.add(text)
                        yield text


def embedded_texts(total: int) -> np.ndarray:
    """The default model's vectors of so many paragraphs, in any order."""
    texts = list(islice(paragraphs(), total))
    if len(texts) < total:
        raise ValueError(f"Python's library has {len(texts)} paragraphs, not {total}.")
    with (
        tempfile.TemporaryDirectory(prefix="neuralcore-bench-") as folder,
        running_daemon(Path(folder)) as running,
        neuralcore.connect(f"unix:{running.ready['socket']}") as client,
    ):
        vectors = np.concatenate([client.embed(texts[i : i + 500]) for i in range(0, total, 500)])
    return np.asarray(np.random.default_rng(1).permutation(vectors), dtype=np.float32)


def generate(shape: str, count: int, dimension: int, seed: int) -> np.ndarray:
    """uniform: any direction. clustered: around centres, 100 rows each, spread as wide as the
    centres are apart. duplicates: clustered, one row in ten a copy of another. texts: vectors
    of paragraphs."""
    if shape == "texts":
        vectors = embedded_texts(count + QUERIES)
        if vectors.shape[1] != dimension:
            raise ValueError(f"The model's vectors have {vectors.shape[1]} elements.")
        return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True))
    random = np.random.default_rng(seed)
    total = count + QUERIES
    rows = random.standard_normal((total, dimension), dtype=np.float32)
    if shape != "uniform":
        centres = random.standard_normal((max(10, count // 100), dimension), dtype=np.float32)
        centre = random.integers(0, len(centres), total)
        for start in range(0, total, CHUNK):
            rows[start : start + CHUNK] += centres[centre[start : start + CHUNK]]
    if shape == "duplicates":
        copies = random.random(count) < 0.1
        rows[:count][copies] = rows[random.integers(0, count, int(copies.sum()))]
    for start in range(0, total, CHUNK):
        part = rows[start : start + CHUNK]
        part /= np.linalg.norm(part, axis=1, keepdims=True)
    return rows


def prepare(shape: str, count: int, dimension: int) -> Data:
    WORK.mkdir(parents=True, exist_ok=True)
    name = f"{shape}-{count}-{dimension}"
    rows, queries, truth = (WORK / f"{name}.{kind}" for kind in ("rows", "queries", "truth.npy"))
    if not truth.exists():
        values = generate(shape, count, dimension, seed=1)
        values[:count].tofile(rows)
        values[count:].tofile(queries)
        nearest = []
        for start in range(count, count + QUERIES, 20):
            scores = values[start : start + 20] @ values[:count].T
            nearest.append(np.argpartition(-scores, K, axis=1)[:, :K])
        np.save(truth, np.concatenate(nearest).astype(np.int32))
    return Data(name, count, dimension, rows, queries, np.load(truth))


class Process:
    """A contender's process; one line there, one line back."""

    def __init__(self, command: Sequence[str], log: Path) -> None:
        self.log = log
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log.open("w"),
            text=True,
        )

    def ask(self, *words: object) -> list[str]:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(" ".join(map(str, words)) + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline().split()
        if not answer:
            raise RuntimeError(f"{words} ended the contender:\n{self.log.read_text()[-2000:]}")
        return answer

    def end(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait(timeout=60)


def rivals_python() -> str:
    """The interpreter that has the rivals, made on first use."""
    packages = ["numpy", "hnswlib", "faiss-cpu", "usearch", "matplotlib"]
    return environment("bench-vectors", packages, "hnswlib, faiss, usearch and matplotlib")


def java_command(source: str, class_path: str) -> list[str]:
    return [
        java(),
        f"@{ROOT / 'conf' / 'jvm.options'}",
        "-Xmx8g",
        "--class-path",
        class_path,
        str(SOURCES / source),
    ]


def command(kind: str) -> list[str]:
    if kind == "ours":
        return java_command("Contenders.java", str(TARGET / "neuralcore.jar"))
    if kind == "rivals":
        return [rivals_python(), str(SOURCES / "rivals.py")]
    if not any(JVECTOR.glob("jvector-*.jar")):
        fetch = [str(ROOT / "neuralcore"), "mvn", "-q", "-f", str(SOURCES / "pom.xml")]
        fetch += ["dependency:copy-dependencies", f"-DoutputDirectory={JVECTOR}"]
        subprocess.run(fetch, check=True)
    return java_command("JVectorContender.java", f"{JVECTOR}/*")


def kind_of(contender: str) -> str:
    return "ours" if contender in OURS else "jvector" if contender == "jvector" else "rivals"


@contextmanager
def running(contenders: Sequence[str], data: Data) -> Iterator[dict[str, Process]]:
    """The processes of these contenders, with the data in them."""
    with ExitStack() as stack:
        processes: dict[str, Process] = {}
        for kind in dict.fromkeys(map(kind_of, contenders)):
            process = Process(command(kind), WORK / f"{kind}.log")
            stack.callback(process.end)
            process.ask("data", data.rows, data.count, data.dimension)
            process.ask("query", data.queries, QUERIES)
            processes[kind] = process
        yield {contender: processes[kind_of(contender)] for contender in contenders}


def at_recall(points: Sequence[tuple[float, float]], wanted: float) -> float | None:
    """Queries a second at a recall, on the line between the two measured points around it."""
    ordered = sorted(points)
    for (low, slow), (high, fast) in pairwise(ordered):
        if low <= wanted <= high:
            share = (wanted - low) / (high - low) if high > low else 0.0
            return float(np.exp(np.log(slow) + share * (np.log(fast) - np.log(slow))))
    return ordered[0][1] if ordered and ordered[0][0] > wanted else None


def graph_file(data: Data, name: str) -> Path:
    return WORK / f"{data.name}.{name}"


def build_one(process: Process, data: Data, name: str, threads: int) -> dict[str, Any]:
    """Builds an index and keeps it, and beside it what that took and how busy the machine was."""
    file = graph_file(data, name)
    seconds, processor = map(float, process.ask("build", name, 16, 200, threads, file))
    built = {
        "seconds": round(seconds, 2),
        "processor_seconds": round(processor, 2),
        "threads": threads,
        "load": round(os.getloadavg()[0], 2),
        "file_bytes": file.stat().st_size if file.exists() else None,
    }
    print(f"  {data.name}: {name} built in {seconds:.1f} s", flush=True)
    file.with_name(f"{file.name}.json").write_text(json.dumps(built) + "\n")
    return built


def how_built(data: Data, name: str) -> dict[str, Any]:
    """What `build_one` wrote when it built the index that is kept; nothing is known of others."""
    file = graph_file(data, name)
    about = file.with_name(f"{file.name}.json")
    return dict(json.loads(about.read_text())) if about.exists() else {}


def build(
    shape: str, count: int, dimension: int, contenders: Sequence[str], threads: int, rebuild: bool
) -> None:
    """Builds what is not kept yet, one contender after the other, and measures nothing else."""
    data = prepare(shape, count, dimension)
    for name in contenders:
        if name != "jvector" and (rebuild or not graph_file(data, name).exists()):
            with running([name], data) as processes:
                build_one(processes[name], data, name, threads)


def run(
    shape: str,
    count: int,
    dimension: int,
    contenders: Sequence[str],
    rounds: int,
    efs: Sequence[int] = EFS,
    threads: int = 2,
    rebuild: bool = False,
) -> dict[str, Any]:
    data = prepare(shape, count, dimension)
    out = WORK / "found.bin"
    builds: dict[str, float] = {}
    loads: dict[str, float] = {}
    seconds: dict[tuple[str, int], list[float]] = {}
    recalls: dict[tuple[str, int], float] = {}
    with running(contenders, data) as processes:
        for name in contenders:
            file = graph_file(data, name)
            if name == "jvector" or rebuild or not file.exists():
                builds[name] = build_one(processes[name], data, name, threads)["seconds"]
            else:
                answer = processes[name].ask("load", name, file)
                if name in OURS:
                    loads[name] = float(answer[0])
        for name in contenders:
            # A JVM compiles while it is used; the rivals' pages are read in.
            for turn in range(WARM_UP if kind_of(name) != "rivals" else 2):
                processes[name].ask("search", name, K, efs[turn % len(efs)], out)
        for _ in range(rounds):
            for ef in efs:
                for name in contenders:
                    answer = processes[name].ask("search", name, K, ef, out)
                    seconds.setdefault((name, ef), []).append(float(answer[0]))
                    found = np.fromfile(out, np.int32).reshape(QUERIES, K)
                    recalls[name, ef] = data.recall(found)
        memory = {n: processes[n].ask("bytes", n) for n in contenders if n in OURS}
    figures = [
        Figure.of(
            f"{name}, ef {ef}, recall {recalls[name, ef]:.4f}",
            "µs a query",
            [1e6 * s / QUERIES for s in values],
        )
        for (name, ef), values in sorted(seconds.items())
    ]
    show(f"{count} × {dimension}, {shape}, top {K}, one thread, {rounds} rounds", figures)
    speeds: dict[str, dict[str, float | None]] = {}
    for name in contenders:
        points = [(recalls[name, ef], QUERIES / statistics.median(seconds[name, ef])) for ef in efs]
        speeds[name] = {str(recall): at_recall(points, recall) for recall in (0.95, 0.98, 0.99)}
    print_ratios(speeds, builds)
    details = {
        "shape": shape,
        "count": count,
        "dimension": dimension,
        "rounds": rounds,
        "build_seconds": builds,
        "built": {name: how_built(data, name) for name in contenders},
        "load_seconds": loads,
        "queries_a_second_at_recall": speeds,
        "heap_bytes_rows_links": {n: list(map(int, b)) for n, b in memory.items()},
    }
    path = save(f"hnsw-{data.name}", figures, details)
    return {"path": path, "speeds": speeds}


def print_ratios(speeds: dict[str, dict[str, float | None]], builds: dict[str, float]) -> None:
    best = speeds.get("int8") or speeds.get("float32") or {}
    print("\n  queries a second at recall, and how many times as many int8 makes")
    for name, at in speeds.items():
        cells = []
        for recall, speed in at.items():
            ours = best.get(recall)
            ratio = f"{ours / speed:5.2f}×" if ours and speed else "     -"
            cells.append(f"{recall}: {speed or float('nan'):8.0f} {ratio}")
        built = f"built in {builds[name]:.1f} s" if name in builds else ""
        print(f"  {name:<11} {'   '.join(cells)}   {built}")


PLOT = """
import json, sys
import matplotlib
matplotlib.use("Agg")
import matplotlib.pyplot as plt
out, *files = sys.argv[1:]
names = ["int8", "float32", "hnswlib", "faiss", "usearch", "usearch-i8", "jvector"]
wide = min(3, len(files))
high = -(-len(files) // wide)
figure, axes = plt.subplots(high, wide, figsize=(5 * wide, 4 * high), squeeze=False)
for axis in axes.flat[len(files):]:
    axis.axis("off")
for axis, file in zip(axes.flat, files):
    document = json.load(open(file))
    lines = {}
    for f in document["figures"]:
        name, _, rest = f["name"].partition(", ef ")
        lines.setdefault(name, []).append((float(rest.rsplit(" ", 1)[1]), 1e6 / f["median"]))
    for name, points in lines.items():
        points.sort()
        color = f"C{names.index(name)}"
        axis.plot(*zip(*points), marker="o", markersize=3, label=name, color=color)
    axis.set_yscale("log")
    best = max(recall for points in lines.values() for recall, _ in points)
    axis.set_xlim((0.85, 1.0) if best > 0.9 else (None, None))
    axis.set_title(
        f"{document['count']:,} x {document['dimension']}, {document['shape']}\\n"
        f"{' '.join([document['date'][:10], document['machine'].get('vectors', '')])}",
        fontsize="medium",
    )
    axis.set_xlabel("recall@10")
    axis.set_ylabel("queries a second, one thread")
    axis.grid(True, which="both", alpha=0.3)
    axis.legend(loc="lower left", fontsize="small")
figure.tight_layout()
figure.savefig(out, dpi=70)
"""


def plot(out: Path, results: Sequence[Path]) -> None:
    """Recall against queries a second, one picture a result file."""
    names = [str(path) for path in results]
    subprocess.run([rivals_python(), "-c", PLOT, str(out), *names], check=True)


def newest_results(least_contenders: int) -> dict[tuple[str, int, int], Path]:
    """The newest result file of each data set that has so many contenders in it."""
    newest: dict[tuple[str, int, int], Path] = {}
    for path in sorted(RESULTS.glob("hnsw-*.json"), key=lambda path: path.stem[-15:]):
        document = json.loads(path.read_text())
        if len(document["queries_a_second_at_recall"]) >= least_contenders:
            newest[document["shape"], document["count"], document["dimension"]] = path
    return dict(sorted(newest.items(), key=lambda item: (item[0][0], item[0][2], item[0][1])))


def plot_growth(shape: str = "clustered", dimension: int = 384) -> None:
    """docs/plots/hnsw-growth.svg and hnsw-build.svg: a query, and building, over the rows."""
    queries: dict[str, list[tuple[float, float]]] = {}
    builds: dict[str, list[tuple[float, float]]] = {}
    for (of, count, wide), path in newest_results(1).items():
        if (of, wide) != (shape, dimension):
            continue
        document = json.loads(path.read_text())
        for name in ("int8", "hnswlib"):
            speed = document["queries_a_second_at_recall"].get(name, {}).get("0.98")
            if speed:
                queries.setdefault(name, []).append((count, 1e6 / speed))
            seconds = document.get("built", {}).get(name, {}).get("processor_seconds")
            if seconds:
                builds.setdefault(name, []).append((count, seconds))
    for name, lines, title, unit in (
        ("growth", queries, "One query at recall@10 .98", "µs a query, one thread"),
        ("build", builds, "Building a graph", "seconds of processor time"),
    ):
        for contender, line in lines.items():
            if len(line) > 1:
                exponent = bus_plot.fitted_exponent(line)
                print(f"  {title}, {contender}: grows with rows to the power of {exponent:.2f}")
        path = ROOT / "docs" / "plots" / f"hnsw-{name}.svg"
        bus_plot.write(path, f"{title}, {dimension} dimensions, {shape}", "rows", unit, lines)


def plot_all() -> None:
    """docs/vectors-hnsw.png, and how things grow."""
    plot(ROOT / "docs" / "vectors-hnsw.png", list(newest_results(2).values()))
    plot_growth()
