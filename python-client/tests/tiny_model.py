"""A network to be worked out by hand: token i has row i of a table as its vector.

The ONNX file is written field by field, as its protocol buffer wants it; the tokenizer knows these
words, has no special tokens, and splits at white space.
"""

from __future__ import annotations

import json
import struct
from pathlib import Path

WORDS = ("?", "one", "two", "three", "query:", "passage:")
TABLE = ((0.5, -0.5), (1, 0), (0, 2), (-3, 3), (10, 0), (0, 10))


def write(folder: Path) -> Path:
    """``model.onnx``, ``tokenizer.json`` and ``config.json``."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model.onnx").write_bytes(network())
    tokenizer = {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [],
        "normalizer": None,
        "pre_tokenizer": {"type": "WhitespaceSplit"},
        "post_processor": None,
        "decoder": None,
        "model": {
            "type": "WordLevel",
            "unk_token": "?",
            "vocab": {word: i for i, word in enumerate(WORDS)},
        },
    }
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer))
    (folder / "config.json").write_text(json.dumps({"hidden_size": 2}))
    return folder


def network() -> bytes:
    table = b"".join(struct.pack("<2f", *row) for row in TABLE)
    tensor = number(1, len(TABLE)) + number(1, 2) + number(2, 1) + text(8, "table")
    tensor += part(9, table)
    gather = text(1, "table") + text(1, "input_ids") + text(2, "last_hidden_state")
    gather += text(3, "gather") + text(4, "Gather")
    graph = part(1, gather) + text(2, "tiny") + part(5, tensor)
    graph += part(11, value("input_ids", 7)) + part(11, value("attention_mask", 7))
    graph += part(12, value("last_hidden_state", 1, 2))
    return number(1, 8) + part(7, graph) + part(8, text(1, "") + number(2, 14))


def write_pairs(folder: Path) -> Path:
    """A cross-encoder: a pair's score is the sum of its tokens' values, those of type 1 twice.

    Its tokenizer puts ``[CLS]`` (6, worth nothing) before and ``[SEP]`` (7) behind a text.
    """
    write(folder)
    tokenizer = json.loads((folder / "tokenizer.json").read_text())
    vocabulary = tokenizer["model"]["vocab"]
    vocabulary |= {"[CLS]": len(vocabulary), "[SEP]": len(vocabulary) + 1}
    special = {
        word: {"id": word, "ids": [vocabulary[word]], "tokens": [word]}
        for word in ("[CLS]", "[SEP]")
    }
    single = [
        {"SpecialToken": {"id": "[CLS]", "type_id": 0}},
        {"Sequence": {"id": "A", "type_id": 0}},
        {"SpecialToken": {"id": "[SEP]", "type_id": 0}},
    ]
    tokenizer["post_processor"] = {
        "type": "TemplateProcessing",
        "single": single,
        "pair": [*single, {"Sequence": {"id": "B", "type_id": 1}}],
        "special_tokens": special,
    }
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer))
    (folder / "config.json").write_text(json.dumps({"hidden_size": 1}))
    values = struct.pack("<8f", 0, 1, 2, 3, 0, 0, 0, 0)
    table = number(1, 8) + number(1, 1) + number(2, 1) + text(8, "table") + part(9, values)
    axes = number(1, 1) + number(2, 7) + text(8, "axes") + part(9, struct.pack("<q", 1))
    nodes = [
        node("Gather", ["table", "input_ids"], "values"),
        node(
            "Cast",
            ["token_type_ids"],
            "types",
            part(5, text(1, "to") + number(3, 1) + number(20, 2)),
        ),
        node("Unsqueeze", ["types", "last"], "wide"),
        node("Mul", ["values", "wide"], "again"),
        node(
            "Cast",
            ["attention_mask"],
            "seen",
            part(5, text(1, "to") + number(3, 1) + number(20, 2)),
        ),
        node("Unsqueeze", ["seen", "last"], "mask"),
        node("Add", ["values", "again"], "sums"),
        node("Mul", ["sums", "mask"], "masked"),
        node(
            "ReduceSum",
            ["masked", "axes"],
            "logits",
            part(5, text(1, "keepdims") + number(3, 0) + number(20, 2)),
        ),
    ]
    last = number(1, 1) + number(2, 7) + text(8, "last") + part(9, struct.pack("<q", 2))
    graph = b"".join(part(1, each) for each in nodes) + text(2, "pairs")
    graph += part(5, table) + part(5, axes) + part(5, last)
    for name in ("input_ids", "attention_mask", "token_type_ids"):
        graph += part(11, value(name, 7))
    shape = part(1, text(2, "texts")) + part(1, number(1, 1))
    graph += part(12, text(1, "logits") + part(2, part(1, number(1, 1) + part(2, shape))))
    made = number(1, 8) + part(7, graph) + part(8, text(1, "") + number(2, 14))
    (folder / "model.onnx").write_bytes(made)
    return folder


def node(operation: str, inputs: list[str], output: str, attribute: bytes = b"") -> bytes:
    made = b"".join(text(1, name) for name in inputs) + text(2, output)
    return made + text(3, output) + text(4, operation) + attribute


def value(name: str, element: int, numbers: int = 0) -> bytes:
    shape = part(1, text(2, "texts")) + part(1, text(2, "tokens"))
    if numbers:
        shape += part(1, number(1, numbers))
    return text(1, name) + part(2, part(1, number(1, element) + part(2, shape)))


def number(field: int, amount: int) -> bytes:
    return varint(field << 3) + varint(amount)


def text(field: int, content: str) -> bytes:
    return part(field, content.encode())


def part(field: int, content: bytes) -> bytes:
    return varint(field << 3 | 2) + varint(len(content)) + content


def varint(amount: int) -> bytes:
    made = bytearray()
    while amount >= 0x80:
        made.append(amount & 0x7F | 0x80)
        amount >>= 7
    made.append(amount)
    return bytes(made)
