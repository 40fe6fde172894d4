"""ATLAS's own code with its parts and with ours, in turns: time, memory and ratios.

Two workers (``worker.py``) run the same lines of ATLAS's, one as it is, one after
``neuralcore.enable()``; each round asks both. What they give is compared: vectors by their cosine,
searches by their ids, chunks by their texts. ATLAS's provider has the same model, from the disk,
with as many threads as there are cores; ours keeps no vectors of texts that it has seen.
"""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import corpus
from atlas.bars import Bar, write
from cold import reference_python
from daemon import TARGET, Daemon, running_daemon
from embedding import now_mib, rest
from environments import environment, site_packages
from report import ROOT, Figure, save, show

PARTS = ("cosines", "stores", "embedding", "bus", "chunker", "rag")
_SETTINGS = {"NEURALCORE_EMBEDDING_VECTOR_CACHE": "0"}
_PICTURE = ROOT / "docs" / "atlas-ratios.svg"


def worker_python() -> str:
    """An interpreter with what ATLAS imports and what we need; without torch."""
    from neuralcore.compat._check.environment import PACKAGES

    return environment("bench-atlas", list(PACKAGES), "what ATLAS imports")


def sentence_transformers() -> str:
    """Where sentence-transformers lies, which ATLAS's own provider needs and ours does not."""
    return str(site_packages(Path(reference_python()).parent.parent))


class Side:
    """One of the two workers."""

    def __init__(self, side: str, root: Path, url: str) -> None:
        environment = {
            **os.environ,
            "NEURALCORE_URL": url,
            "HF_HUB_OFFLINE": "1",
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONPATH": str(ROOT / "python-client" / "src"),
        }
        if side == "theirs":
            environment["PYTHONPATH"] += os.pathsep + sentence_transformers()
        self.peak_mib = 0.0
        self._log = TARGET / "bench" / f"atlas-{side}.log"
        self._log.parent.mkdir(parents=True, exist_ok=True)
        with self._log.open("w") as log:
            self._process = subprocess.Popen(
                [worker_python(), str(Path(__file__).with_name("worker.py")), side, str(root)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env=environment,
                cwd=root,
            )

    def __call__(self, do: str, **arguments: Any) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"do": do, **arguments}) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"{do} failed:\n{self._log.read_text()[-3000:]}")
        answer: dict[str, Any] = json.loads(line)
        self.peak_mib = answer["peak_mib"]
        return answer

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(timeout=60)


class _Bench:
    def __init__(
        self,
        rounds: int,
        root: Path,
        daemon: Daemon,
        sides: tuple[Side, Side],
        documents: int | None,
    ) -> None:
        self._rounds = rounds
        self._most = documents
        self._root = root
        self._daemon = daemon
        self._theirs, self._ours = sides
        self.figures: list[Figure] = []
        self.bars: list[Bar] = []
        self.details: dict[str, Any] = {}

    def _both(
        self, do: str, *, warm_up: bool = True, **arguments: Any
    ) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        """A round that does not count, then as many as are wanted, in turns.

        :param warm_up: without it a single text is embedded, where a round takes minutes.
        """
        if not warm_up:
            for side in (self._theirs, self._ours):
                side("embed", texts=["warm up"])
        theirs, ours = [], []
        for _ in range(self._rounds + warm_up):
            theirs.append(self._theirs(do, **arguments))
            rest()
            ours.append(self._ours(do, **arguments))
        return theirs[warm_up:], ours[warm_up:]

    def _add(
        self,
        name: str,
        unit: str,
        theirs: Sequence[float],
        ours: Sequence[float],
        target: float | None = None,
    ) -> None:
        """Two figures of time and their ratio, which is of the medians."""
        a, b = Figure.of(f"{name}: ATLAS", unit, theirs), Figure.of(f"{name}: ours", unit, ours)
        ratios = [x / y for x, y in zip(sorted(theirs), sorted(ours), strict=True)]
        ratio = Figure.of(f"{name}: ratio", "×", ratios, f">= {target:g}" if target else "")
        self.figures += [a, b, ratio]
        self.bars.append(Bar(name, ratio.median, target))

    def cosines(self) -> None:
        pairs = 500
        theirs, ours = self._both("cosines", pairs=pairs)
        worst = max(
            abs(x - y)
            for name, scores in theirs[0]["scores"].items()
            for x, y in zip(scores, ours[0]["scores"][name], strict=True)
        )
        _check(worst < 1e-5, f"cosines differ by {worst}")
        self.details["cosines"] = {"largest difference": worst}
        names = {"lists": "one beside 5,000, lists", "arrays": "one beside 5,000, arrays"}
        for name in theirs[0]["seconds"]:
            count = 10 * pairs if name in names else pairs
            self._add(
                f"cosine, {names.get(name, name + ', two lists')}",
                "µs each",
                [1e6 * each["seconds"][name] / count for each in theirs],
                [1e6 * each["seconds"][name] / count for each in ours],
                10.0 if name == "arrays" else None,
            )

    def stores(self) -> None:
        with tempfile.TemporaryDirectory(prefix="nc-") as folder:
            for name, count in (("in_memory", 1000), ("faiss", 500)):
                arguments: dict[str, Any] = {
                    "folder": folder,
                    "count": count,
                    "part": count // 4,
                    "queries": 10,
                }
                theirs, ours = self._both("store", name=name, **arguments)
                for left, right in zip(theirs[0]["found"], ours[0]["found"], strict=True):
                    same = [id_ for id_, _ in left] == [id_ for id_, _ in right]
                    _check(same, f"{name}: another ten were found")
                title = f'store "{name}", {count:,} vectors'
                for what, key, each in (("search", "seconds", 10), ("put", "put", count)):
                    self._add(
                        f"{title}, {what}",
                        "ms",
                        [1000 * one[key] / each for one in theirs],
                        [1000 * one[key] / each for one in ours],
                    )

    def embedding(self) -> None:
        for name, texts, target in (
            ("100 sentences", corpus.sentences()[:100], 5.0),
            ("1 sentence", corpus.sentences()[100:101], None),
        ):
            theirs, ours = self._both("embed", texts=texts)
            pairs = zip(theirs[0]["vectors"], ours[0]["vectors"], strict=True)
            least = min(_cosine(a, b) for a, b in pairs)
            _check(least > 0.98, f"{name}: a cosine of {least}")
            self.details[f"embedding, {name}"] = {"least cosine": round(least, 5)}
            self._add(
                f"embedding provider, {name}",
                "ms",
                [1000 * each["seconds"] for each in theirs],
                [1000 * each["seconds"] for each in ours],
                target,
            )

    def bus(self) -> None:
        count, window = 20_000, 500
        theirs, ours = self._both("agent_bus", count=count, window=window)
        self._add(
            "AgentBus, end to end, fresh messages",
            "µs",
            [1e6 * each["seconds"] / count for each in theirs],
            [1e6 * each["seconds"] / count for each in ours],
            4.0,
        )
        self._add(
            "AgentBus, publish of a prebuilt message",
            "µs",
            [1e6 * each["calls"] for each in theirs],
            [1e6 * each["calls"] for each in ours],
            10.0,
        )
        theirs, ours = self._both("ncb", count=count, window=window)
        self._add(
            "NCB, end to end, ours NeuralCoreNCB",
            "µs",
            [1e6 * each["seconds"] / count for each in theirs],
            [1e6 * each["seconds"] / count for each in ours],
            30.0,
        )

        theirs_counted = self._theirs("counters", count=5000)["counted"]
        ours_counted = self._ours("counters", count=5000)["counted"]
        self.details["counters"] = {"ATLAS": theirs_counted, "ours": ours_counted}
        for name, value in theirs_counted.items():
            differs = abs(ours_counted[name] - value) / max(1, value)
            _check(differs <= 0.01, f"{name}: {value} with ATLAS, {ours_counted[name]} with ours")

    def _documents(self) -> list[Path]:
        found = sorted((self._root / "docs").rglob("*.md"))
        _check(bool(found), f"{self._root} has no docs")
        return found[: self._most]

    def chunker(self) -> None:
        texts = [file.read_text(errors="replace") for file in self._documents()[:5]]
        theirs, ours = self._both("chunk", warm_up=False, texts=texts)
        chunks = [[c for each in side[0]["chunks"] for c in each] for side in (theirs, ours)]
        shared = len(set(chunks[0]) & set(chunks[1])) / max(1, len(set(chunks[0])))
        self.details["chunker"] = {"documents": len(texts), "chunks that are the same": shared}
        _check(shared > 0.9, f"only {shared:.2f} of the chunks are the same")
        self._add(
            f"semantic chunker, {len(texts)} documents",
            "ms",
            [1000 * each["seconds"] for each in theirs],
            [1000 * each["seconds"] for each in ours],
        )

    def rag(self) -> None:
        files = [str(file) for file in self._documents()]
        queries = [f"How does {Path(file).stem.replace('-', ' ')} work?" for file in files[:20]]
        theirs, ours = self._both("rag", warm_up=False, files=files, queries=queries)
        same = [
            len(set(a) & set(b)) / max(1, len(a))
            for a, b in zip(theirs[0]["found"], ours[0]["found"], strict=True)
        ]
        self.details["rag"] = {
            "documents": len(files),
            "chunks": [theirs[0]["chunks"], ours[0]["chunks"]],
            "of five found, the same": round(sum(same) / len(same), 3),
        }
        self._add(
            f"RAG, ingesting {len(files)} documents",
            "s",
            [each["seconds"] for each in theirs],
            [each["seconds"] for each in ours],
            5.0,
        )
        self._add(
            "RAG, a question",
            "ms",
            [1000 * each["retrieve"] / len(queries) for each in theirs],
            [1000 * each["retrieve"] / len(queries) for each in ours],
        )

    def memory(self) -> None:
        """What each side had resident at most; ours with the daemon."""
        ours = self._ours.peak_mib + now_mib(self._daemon.process.pid)
        self.figures += [
            Figure.of("memory: ATLAS's process", "MiB", [self._theirs.peak_mib]),
            Figure.of("memory: ours, with the daemon", "MiB", [ours]),
            Figure.of("memory: of it the daemon", "MiB", [now_mib(self._daemon.process.pid)]),
        ]
        self.bars.append(Bar("memory", self._theirs.peak_mib / ours, None))


def run(rounds: int, atlas_root: str, parts: Sequence[str], documents: int | None = None) -> None:
    """
    :param documents: so many of ATLAS's documents, None for all.
    """
    root = Path(atlas_root).resolve()
    if not (root / "core" / "messaging").is_dir():
        sys.exit(f"{root} is no checkout of ATLAS.")
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="nc-")))
        daemon = stack.enter_context(running_daemon(folder, _SETTINGS))
        daemon.wait_for_model()
        url = f"unix:{daemon.ready['socket']}"
        sides = (Side("theirs", root, ""), Side("ours", root, url))
        for side in sides:
            stack.callback(side.close)
        bench = _Bench(rounds, root, daemon, sides, documents)
        steps: dict[str, Callable[[], None]] = {
            "cosines": bench.cosines,
            "stores": bench.stores,
            "embedding": bench.embedding,
            "bus": bench.bus,
            "chunker": bench.chunker,
            "rag": bench.rag,
        }
        for part in parts:
            begins = len(bench.figures)
            steps[part]()
            show(part, bench.figures[begins:])
        begins = len(bench.figures)
        bench.memory()
        show("memory", bench.figures[begins:])
    path = save("atlas", bench.figures, {"parts": list(parts), "checked": bench.details})
    if set(parts) == set(PARTS):
        write(_PICTURE, "times as fast as ATLAS's own", bench.bars)
        print(f"picture: {_PICTURE.relative_to(ROOT)}, of {path.name}")


def _check(holds: bool, otherwise: str) -> None:
    if not holds:
        raise RuntimeError(otherwise)


def _cosine(a: Sequence[float], b: Sequence[float]) -> float:
    lengths = math.sqrt(sum(x * x for x in a)) * math.sqrt(sum(x * x for x in b))
    return sum(x * y for x, y in zip(a, b, strict=True)) / lengths
