"""From a float32 network to an int8 one that is measured, not hoped, to give the same vectors."""

from __future__ import annotations

import copy
import hashlib
import json
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuralcore.convert import calibration
from neuralcore.convert.forms import load
from neuralcore.convert.graph import Floats, Rewriter, Site, constants, sites, smoothing

# Strengths of SmoothQuant that are tried; none means no division. Best on calibration texts wins.
CANDIDATES: tuple[dict[str, float | None], ...] = (
    {"qkv": 0.65, "attention": 0.5, "up": 0.5, "down": None},
    {"qkv": 0.65, "attention": 0.5, "up": 0.5, "down": 0.5},
    {"qkv": 0.8, "attention": 0.6, "up": 0.7, "down": None},
    {"qkv": 0.5, "attention": 0.5, "up": 0.5, "down": 0.65},
)
PROBES = ("A short probe.", "?", "Zwei Sätze, 数字 42 and a URL: https://example.org/a?b=c&d=1.")
_BUDGET = 1024


@dataclass(frozen=True)
class Model:
    """A network and what must be known to run it."""

    onnx: Path
    tokenizer: Path
    max_tokens: int = 256
    pooling: str = "mean"


@dataclass
class Report:
    """What the int8 network was measured to be."""

    cosine_minimum: float = 0.0
    cosine_mean: float = 0.0
    texts: int = 0
    retrieval_agreement: float = 0.0
    speed_up: float = 0.0
    bytes: int = 0
    fp32_bytes: int = 0
    sha256: str = ""
    strengths: dict[str, float | None] = field(default_factory=dict)
    float32: list[str] = field(default_factory=list)
    probes: list[dict[str, Any]] = field(default_factory=list)


class Embedder:
    """Runs networks over texts as the daemon does: sorted by length, padded to the longest."""

    def __init__(self, model: Model, texts: Sequence[str]) -> None:
        from tokenizers import Tokenizer

        tokenizer = Tokenizer.from_file(str(model.tokenizer))
        tokenizer.no_padding()
        tokenizer.enable_truncation(model.max_tokens)
        self._pooling = model.pooling
        self.ids: list[list[int]] = [e.ids for e in tokenizer.encode_batch(list(texts))]
        order = sorted(range(len(self.ids)), key=lambda i: -len(self.ids[i]))
        self._batches: list[list[int]] = []
        for text in order:
            last = self._batches[-1] if self._batches else None
            if last is None or (len(last) + 1) * len(self.ids[last[0]]) > _BUDGET:
                self._batches.append([text])
            else:
                last.append(text)

    def feeds(self) -> Iterable[tuple[list[int], dict[str, NDArray[np.int64]]]]:
        for batch in self._batches:
            width = max(len(self.ids[text]) for text in batch)
            ids = np.zeros((len(batch), width), np.int64)
            mask = np.zeros_like(ids)
            for row, text in enumerate(batch):
                ids[row, : len(self.ids[text])] = self.ids[text]
                mask[row, : len(self.ids[text])] = 1
            types = np.zeros_like(ids)
            yield batch, {"input_ids": ids, "attention_mask": mask, "token_type_ids": types}

    def vectors(self, session: Any) -> tuple[Floats, float]:
        """Unit vectors of the texts, and the seconds that the network took."""
        seconds = 0.0
        rows: dict[int, Floats] = {}
        names = {entry.name for entry in session.get_inputs()}
        for batch, feed in self.feeds():
            began = time.perf_counter()
            hidden = session.run(None, {k: v for k, v in feed.items() if k in names})[0]
            seconds += time.perf_counter() - began
            mask = feed["attention_mask"][..., None].astype(np.float32)
            pooled = (
                hidden[:, 0] if self._pooling == "cls" else (hidden * mask).sum(1) / mask.sum(1)
            )
            pooled = pooled / np.linalg.norm(pooled, axis=1, keepdims=True)
            rows.update(zip(batch, pooled, strict=True))
        return np.stack([rows[i] for i in range(len(self.ids))]).astype(np.float32), seconds


def fused(model: Model) -> Any:
    """The network with attention, normalization and GELU as one node each."""
    from onnxruntime.transformers import optimizer
    from onnxruntime.transformers.fusion_options import FusionOptions

    options = FusionOptions("bert")
    options.use_multi_head_attention = True
    # How many heads there are, and of what size, is found in most networks; this is for the others.
    beside = model.onnx.with_name("config.json")
    config = json.loads(beside.read_bytes()) if beside.exists() else {}
    heads, hidden = config.get("num_attention_heads", 0), config.get("hidden_size", 0)
    made = optimizer.optimize_model(
        str(model.onnx), "bert", heads, hidden, options, opt_level=0
    ).model
    if not any(node.op_type == "MultiHeadAttention" for node in made.graph.node):
        raise ValueError(
            f"{model.onnx} is no BERT that can be quantized: no attention was found."
            + ("" if heads else f" If it is one, put its config.json beside it: {beside}.")
        )
    return made


def quantize(
    model: Model, target: Path, wanted: float = 0.99, tell: Callable[[str], None] = print
) -> Report:
    """Writes the int8 network and returns what it was measured to be.

    Products are put back to float32, the one with the largest error first, until every
    calibration text has a cosine of ``wanted`` to the float32 network's vector.

    :raises ValueError: if the network is not one of BERT's kind.
    """
    import onnx

    original = load(model.onnx)
    source = fused(model)
    texts = calibration.texts()
    embedder = Embedder(model, texts)
    exact, _ = embedder.vectors(_session(original))
    _, exact_seconds = embedder.vectors(_session(source))
    matrices = constants(source)
    places = sites(source)
    largest = _largest_activations(source, places, embedder)

    def attempt(
        strengths: Mapping[str, float | None], float32: Sequence[str]
    ) -> tuple[Any, Floats, float]:
        scales = {}
        for site in places:
            strength = strengths[site.kind]
            if strength is not None:
                scales[site.input] = smoothing(site, largest[site.input], matrices, strength)
        made = Rewriter(copy.deepcopy(source), scales, float32).build()
        vectors, seconds = embedder.vectors(_session(made))
        cosines = (vectors * exact).sum(axis=1)
        tell(f"{dict(strengths)}: cosine {cosines.min():.4f} to {cosines.mean():.5f}")
        return made, vectors, seconds

    def worst(vectors: Floats) -> float:
        return float((vectors * exact).sum(axis=1).min())

    tried = [(strengths, attempt(strengths, ())) for strengths in CANDIDATES]
    strengths, (made, vectors, seconds) = max(tried, key=lambda each: worst(each[1][1]))
    float32: list[str] = []
    products = [name for site in places if site.kind == "down" for name in site.weights]
    products += [name for site in places if site.kind != "down" for name in site.weights]
    while worst(vectors) < wanted and products:
        float32.append(products.pop(0))
        made, vectors, seconds = attempt(strengths, float32)

    onnx.save(made, str(target))
    cosines = (vectors * exact).sum(axis=1)
    probes = Embedder(model, PROBES)
    golden, _ = probes.vectors(_session(original))
    return Report(
        cosine_minimum=float(cosines.min()),
        cosine_mean=float(cosines.mean()),
        texts=len(texts),
        retrieval_agreement=retrieval_agreement(exact, vectors),
        speed_up=exact_seconds / seconds,
        bytes=target.stat().st_size,
        fp32_bytes=model.onnx.stat().st_size,
        sha256=hashlib.sha256(target.read_bytes()).hexdigest(),
        strengths=dict(strengths),
        float32=float32,
        probes=[
            {"text": text, "vector": [round(float(x), 5) for x in vector]}
            for text, vector in zip(PROBES, golden, strict=True)
        ],
    )


def retrieval_agreement(exact: Floats, other: Floats, top: int = 10, queries: int = 200) -> float:
    """How much of a query's ten nearest texts both kinds of vectors name; mean over queries."""
    agreed = []
    for query in range(min(queries, len(exact))):
        nearest = []
        for vectors in (exact, other):
            scores = vectors @ vectors[query]
            scores[query] = -2
            nearest.append(set(np.argsort(-scores)[:top].tolist()))
        agreed.append(len(nearest[0] & nearest[1]) / top)
    return float(np.mean(agreed))


def write_report(report: Report, path: Path) -> None:
    path.write_text(json.dumps(vars(report), indent=1, ensure_ascii=False) + "\n")


def _largest_activations(
    source: Any, places: Sequence[Site], embedder: Embedder
) -> dict[str, Floats]:
    from onnx import TensorProto, helper

    observed = copy.deepcopy(source)
    names = [site.input for site in places]
    for name in names:
        observed.graph.output.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, None))
    session = _session(observed)
    largest: dict[str, Floats] = {}
    for _, feed in embedder.feeds():
        real = feed["attention_mask"].astype(bool)
        for name, values in zip(names, session.run(names, feed), strict=True):
            seen = np.abs(values[real]).max(axis=0)
            largest[name] = np.maximum(largest.get(name, seen), seen)
    return largest


def _adds_exactly() -> bool:
    """Whether the processor adds products of int8 in 32 bits, by dot-product instructions."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return False
    flags = next((line.split() for line in lines if line.startswith(("flags", "Features"))), [])
    return not {"avx512_vnni", "avx_vnni", "asimddp", "i8mm"}.isdisjoint(flags)


def _session(model: Any) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    # Products that saturate would be this processor's error, not the network's: see the daemon's
    # OnnxModel, which runs it in the same way.
    options.add_session_config_entry("session.x64quantprecision", "0" if _adds_exactly() else "1")
    options.log_severity_level = 3
    options.enable_mem_pattern = False
    return onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
