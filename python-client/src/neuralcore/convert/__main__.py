"""``python -m neuralcore.convert``: makes forms of a network, and says which one a file has.

``int8`` makes ``model_int8.onnx`` and its report (the default), ``fp16`` makes ``model_fp16.onnx``,
``opset`` another version's, ``export`` makes ``model.onnx`` of a Hugging Face folder, ``describe``
prints what a file is.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

ACTIONS = ("int8", "fp16", "opset", "export", "describe")


def main(arguments: Sequence[str] | None = None) -> int:
    given = list(sys.argv[1:] if arguments is None else arguments)
    action = given.pop(0) if given and given[0] in ACTIONS else "int8"
    parser = argparse.ArgumentParser(prog=f"neuralcore.convert {action}", description=__doc__)
    if action == "export":
        parser.add_argument("source", type=Path, help="folder with config.json and weights")
    else:
        parser.add_argument("onnx", type=Path, help="the network; for int8, float32 of a BERT")
    if action == "int8":
        parser.add_argument("tokenizer", type=Path, help="its tokenizer.json")
        parser.add_argument("folder", type=Path, help="where model_int8.onnx and .json go")
        parser.add_argument("--max-tokens", type=int, default=256)
        parser.add_argument("--pooling", choices=["mean", "cls"], default="mean")
        parser.add_argument("--cosine", type=float, default=0.99, help="least for every text")
    elif action != "describe":
        parser.add_argument("target", type=Path, help="file to write; for export, its folder")
    if action in ("opset", "export"):
        parser.add_argument("--opset", type=int, default=17)
    options = parser.parse_args(given)
    # The library reports to its maker unless told not to before it is loaded.
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    try:
        return _run(action, options)
    except ImportError as error:
        more = " torch transformers" if action == "export" else ""
        print(f"{error}: pip install 'neuralcore-runtime[convert]'{more}", file=sys.stderr)
        return 1
    except ValueError as error:
        print(error, file=sys.stderr)
        return 1


def _run(action: str, options: argparse.Namespace) -> int:
    from neuralcore.convert import forms

    if action == "int8":
        return _int8(options)
    if action == "describe":
        print(json.dumps(forms.describe(options.onnx), indent=1))
        return 0
    made = options.target
    if action == "fp16":
        forms.to_float16(options.onnx, made)
    elif action == "opset":
        forms.to_opset(options.onnx, made, options.opset)
    else:
        forms.export(options.source, made, options.opset)
        made = made / "model.onnx"
    print(json.dumps(forms.describe(made), indent=1))
    return 0


def _int8(options: argparse.Namespace) -> int:
    from neuralcore.convert import quantize

    model = quantize.Model(
        options.onnx,
        options.tokenizer,
        options.max_tokens,
        options.pooling,
    )
    options.folder.mkdir(parents=True, exist_ok=True)
    target = options.folder / "model_int8.onnx"
    report = quantize.quantize(model, target, options.cosine)
    quantize.write_report(report, target.with_suffix(".json"))
    print(
        f"{target}: {report.bytes / 1e6:.1f} MB of {report.fp32_bytes / 1e6:.1f}, cosine at least"
        f" {report.cosine_minimum:.4f}, mean {report.cosine_mean:.5f}, top-10 agreement"
        f" {report.retrieval_agreement:.3f}, {report.speed_up:.1f} times as fast"
    )
    return 0 if report.cosine_minimum >= options.cosine else 1


if __name__ == "__main__":
    sys.exit(main())
