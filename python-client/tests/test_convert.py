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
    for action, *more in (["fp16"], ["opset"], ["int8", tmp_path / "tokenizer.json"]):
        for path in (network, tmp_path / "nothing.onnx"):
            done = convert(action, path, *more, tmp_path / "made")
            assert (done.returncode, action) == (1, action)
            assert f"{path} is no valid network" in done.stderr
            assert "Traceback" not in done.stderr


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


def test_networks_are_measured_without_saturation_whatever_the_processor():
    run = """
import numpy, onnx
from onnx import TensorProto, helper, numpy_helper
from neuralcore.convert import quantize

weights = {
    "w": numpy.full((64, 16), 127, numpy.int8),
    "s": numpy.ones(16, numpy.float32),
    "z": numpy.zeros(16, numpy.int8),
}
graph = helper.make_graph(
    [helper.make_node("DynamicQuantizeMatMul", [*"xwsz"], ["y"], domain="com.microsoft")],
    "product",
    [helper.make_tensor_value_info("x", TensorProto.FLOAT, [4, 64])],
    [helper.make_tensor_value_info("y", TensorProto.FLOAT, [4, 16])],
    [numpy_helper.from_array(values, name) for name, values in weights.items()],
)
opsets = [helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)]
model = helper.make_model(graph, opset_imports=opsets, ir_version=9)
x = numpy.ones((4, 64), numpy.float32)
print(float(quantize._session(model).run(None, {"x": x})[0].min()))
"""
    done = subprocess.run([str(PYTHON), "-c", run], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert abs(float(done.stdout) - 64 * 127) < 1
