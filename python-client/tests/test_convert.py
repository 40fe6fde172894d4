"""Forms of networks, made in the environment that the build makes the int8 network in."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import tiny_model

PYTHON = Path(__file__).parents[2] / "target" / "int8" / "venv" / "bin" / "python"


def convert(*arguments):
    assert PYTHON.exists(), "./neuralcore build makes this environment"
    command = [str(PYTHON), "-m", "neuralcore.convert", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


def test_a_files_form_is_told(tmp_path):
    network = tiny_model.write_pairs(tmp_path) / "model.onnx"
    done = convert("describe", network)
    assert done.returncode == 0, done.stderr
    described = json.loads(done.stdout)
    assert described["precision"] == "fp32"
    assert described["opset"] == {"ai.onnx": 14}
    assert described["inputs"] == ["input_ids", "attention_mask", "token_type_ids"]
    assert described["outputs"] == ["logits"]
    network.write_bytes(b"nothing of the kind")
    done = convert("describe", network)
    assert done.returncode == 1
    assert "is no valid network" in done.stderr


def test_other_forms_keep_what_it_does(tmp_path):
    network = tiny_model.write_pairs(tmp_path) / "model.onnx"
    run = """
import json, sys, numpy, onnxruntime
ids = numpy.array([[6, 2, 7, 1, 7]])
types = numpy.array([[0, 0, 0, 1, 1]])
feed = dict(input_ids=ids, attention_mask=ids * 0 + 1, token_type_ids=types)
for path in sys.argv[1:]:
    print(float(onnxruntime.InferenceSession(path).run(None, feed)[0][0, 0]))
"""
    half, newer = tmp_path / "model_fp16.onnx", tmp_path / "newer.onnx"
    done = convert("fp16", network, half)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["precision"] == "fp16"
    done = convert("opset", network, newer, "--opset", "17")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["opset"]["ai.onnx"] == 17
    command = [str(PYTHON), "-c", run, str(network), str(half), str(newer)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.stdout.split() == ["4.0", "4.0", "4.0"], done.stderr


def test_what_is_missing_is_told(tmp_path):
    done = convert("export", tmp_path, tmp_path / "out")
    assert done.returncode == 1
    assert "torch" in done.stderr
