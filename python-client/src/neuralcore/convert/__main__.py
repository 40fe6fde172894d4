"""``python -m neuralcore.convert``: makes ``model_int8.onnx`` and its report."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="neuralcore.convert", description=__doc__)
    parser.add_argument("onnx", type=Path, help="float32 network of a BERT")
    parser.add_argument("tokenizer", type=Path, help="its tokenizer.json")
    parser.add_argument("folder", type=Path, help="where model_int8.onnx and .json go")
    parser.add_argument("--max-tokens", type=int, default=256)
    parser.add_argument("--heads", type=int, default=12)
    parser.add_argument("--hidden", type=int, default=384, help="dimension of the vectors")
    parser.add_argument("--pooling", choices=["mean", "cls"], default="mean")
    parser.add_argument("--cosine", type=float, default=0.99, help="least for every text")
    options = parser.parse_args(arguments)
    # The library reports to its maker unless told not to before it is loaded.
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    try:
        from neuralcore.convert import quantize
    except ImportError as error:
        print(f"{error}: pip install 'neuralcore-runtime[convert]'", file=sys.stderr)
        return 1
    model = quantize.Model(
        options.onnx,
        options.tokenizer,
        options.max_tokens,
        options.heads,
        options.hidden,
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
