"""Forms of a network: which one a file has, float16, another opset, and from a Hugging Face folder.

Each function needs the extra ``convert``; ``export`` needs torch and transformers too, and nothing
else in this package does.
"""

from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path
from typing import Any

_INT8_PRODUCTS = {"DynamicQuantizeMatMul", "MatMulInteger", "QLinearMatMul", "QAttention"}
_COUNTED = {1: "fp32", 10: "fp16", 16: "bf16", 2: "int8", 3: "int8"}


def precision(model: Any) -> str:
    """ "int8", "fp16", "bf16" or "fp32": what the network's products are computed in."""
    if any(node.op_type in _INT8_PRODUCTS for node in model.graph.node):
        return "int8"
    sizes: Counter[str] = Counter()
    for tensor in model.graph.initializer:
        count = 1
        for dimension in tensor.dims:
            count *= dimension
        if tensor.data_type in _COUNTED:
            sizes[_COUNTED[tensor.data_type]] += count
    return sizes.most_common(1)[0][0] if sizes else "fp32"


def describe(path: Path) -> dict[str, Any]:
    """What a file is: precision, opsets, inputs, outputs, size; checked by ONNX's own checker.

    :raises ValueError: if it is no valid network.
    """
    model = load(path)
    return {
        "file": str(path),
        "bytes": path.stat().st_size,
        "precision": precision(model),
        "opset": {entry.domain or "ai.onnx": entry.version for entry in model.opset_import},
        "inputs": [entry.name for entry in model.graph.input],
        "outputs": [entry.name for entry in model.graph.output],
    }


def load(path: Path) -> Any:
    """A network, checked by ONNX's own checker.

    :raises ValueError: if it is none.
    """
    import onnx

    try:
        onnx.checker.check_model(str(path))
        return onnx.load(str(path))
    except Exception as error:  # of several kinds, none of them documented
        raise ValueError(f"{path} is no valid network: {error}") from error


def to_float16(source: Path, target: Path) -> None:
    """Weights and products in float16, inputs and outputs as they were. For GPUs."""
    import onnx
    from onnxruntime.transformers.float16 import convert_float_to_float16

    made = convert_float_to_float16(load(source), keep_io_types=True)
    onnx.checker.check_model(made)
    onnx.save(made, str(target))


def to_opset(source: Path, target: Path, opset: int) -> None:
    """The same network in another version of ONNX's operators.

    :raises ValueError: if ONNX cannot convert it.
    """
    import onnx
    from onnx import version_converter

    model = load(source)
    try:
        made = version_converter.convert_version(model, opset)
    except Exception as error:  # RuntimeError, or what the converter's own code raises
        raise ValueError(f"{source} cannot be had in opset {opset}: {error}") from error
    onnx.save(made, str(target))


def export(folder: Path, target: Path, opset: int = 17) -> None:
    """``model.onnx``, ``tokenizer.json`` and ``config.json`` of a folder with a Hugging Face model.

    Nothing is fetched, and no code of the folder's is run.

    :param folder: with config.json, the weights, and the tokenizer.
    :param target: the folder that gets the files.
    """
    import torch
    from transformers import AutoModel, AutoTokenizer

    options = {"local_files_only": True, "trust_remote_code": False}
    tokenizer = AutoTokenizer.from_pretrained(str(folder), **options)
    model = AutoModel.from_pretrained(str(folder), attn_implementation="eager", **options).eval()
    example = dict(
        tokenizer(["a text", "another text to embed"], padding=True, return_tensors="pt")
    )
    names = [name for name in ("input_ids", "attention_mask", "token_type_ids") if name in example]

    class Named(torch.nn.Module):
        """Takes the inputs by place and gives the tokens' vectors alone."""

        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, *inputs: Any) -> Any:
            return self.model(**dict(zip(names, inputs, strict=True))).last_hidden_state

    target.mkdir(parents=True, exist_ok=True)
    torch.onnx.export(
        Named(),
        tuple(example[name] for name in names),
        str(target / "model.onnx"),
        input_names=names,
        output_names=["last_hidden_state"],
        dynamic_axes={name: {0: "texts", 1: "tokens"} for name in [*names, "last_hidden_state"]},
        opset_version=opset,
        dynamo=False,
    )
    shutil.copyfile(folder / "config.json", target / "config.json")
    given = folder / "tokenizer.json"
    if given.exists():
        shutil.copyfile(given, target / "tokenizer.json")
    else:
        tokenizer.backend_tokenizer.save(str(target / "tokenizer.json"))
