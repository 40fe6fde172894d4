"""A BERT's graph with its matrix products in int8.

Each product with a constant matrix becomes ``DynamicQuantizeMatMul``: weights are signed int8 with
a scale a column, activations are quantized while it runs, with **one** scale a tensor. That one
scale is where plain int8 loses: a few channels, and a few tokens, are ten times as large as the
rest. Two things are done about it:

* *SmoothQuant* [1]: channel ``j`` of the activations is divided by ``s[j]`` and row ``j`` of the
  weights multiplied by it, ``s[j] = max|x[j]|^a / max|w[j]|^(1-a)``, which moves the difficulty to
  the weights. Behind attention the division is free: it goes into the value projection.
* *Rows of their own scale*: in the second product of the feed-forward part, where tokens differ
  most, each row is divided by its largest value, and the product's row multiplied by it.

[1] G. Xiao et al.: SmoothQuant, ICML 2023.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
_CONTRIB = "com.microsoft"


@dataclass(frozen=True)
class Site:
    """The products that share an input. ``kind`` is qkv, attention, up or down."""

    input: str
    kind: str
    weights: tuple[str, ...]


def constants(model: Any) -> dict[str, NDArray[Any]]:
    from onnx import numpy_helper

    return {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}


def sites(model: Any) -> list[Site]:
    """The matrix products with constant matrices, in the graph's order."""
    known = {tensor.name for tensor in model.graph.initializer}
    readers: dict[str, list[Any]] = {}
    makers = {node.output[0]: node for node in model.graph.node}
    for node in model.graph.node:
        for name in node.input:
            readers.setdefault(name, []).append(node)
    found = []
    for name, nodes in readers.items():
        products = [
            n for n in nodes if n.op_type == "MatMul" and n.input[0] == name and n.input[1] in known
        ]
        if products:
            after = readers.get(products[0].output[0], [])
            kinds = {node.op_type for node in after}
            before = makers[name].op_type if name in makers else ""
            kind = (
                "qkv"
                if "MultiHeadAttention" in kinds
                else "attention"
                if before == "MultiHeadAttention"
                else "up"
                if "BiasGelu" in kinds
                else "down"
            )
            found.append(Site(name, kind, tuple(node.input[1] for node in products)))
    return found


def smoothing(
    site: Site, largest: Floats, matrices: Mapping[str, NDArray[Any]], strength: float
) -> Floats:
    """SmoothQuant's ``s`` of a site; its geometric mean is one."""
    rows = np.max([np.abs(matrices[name]).max(axis=1) for name in site.weights], axis=0)
    scale = np.maximum(largest, 1e-3) ** strength / np.maximum(rows, 1e-5) ** (1 - strength)
    return np.asarray(scale / np.exp(np.log(scale).mean()), dtype=np.float32)


def to_int8(matrix: Floats) -> tuple[NDArray[np.int8], Floats]:
    """Signed int8 with a scale a column."""
    scale = np.abs(matrix).max(axis=0) / 127
    scale[scale == 0] = 1e-8
    return np.clip(np.rint(matrix / scale), -127, 127).astype(np.int8), scale.astype(np.float32)


class Rewriter:
    """Builds the int8 graph of a fused one."""

    def __init__(
        self, model: Any, smooth: Mapping[str, Floats], float32: Collection[str] = ()
    ) -> None:
        self._model = model
        self._smooth = smooth
        self._float32 = float32
        self._matrices = constants(model)
        self._kinds = {site.input: site.kind for site in sites(model)}
        self._made: dict[str, NDArray[Any]] = {}
        self._nodes: list[Any] = []
        self._ready: dict[str, tuple[str, str]] = {}
        self._bias: dict[str, Floats] = {}
        self._columns: dict[str, Floats] = {}

    def build(self) -> Any:
        """The same model object, rewritten."""
        from onnx import helper, numpy_helper

        graph = self._model.graph
        for node in graph.node:
            self._note(node)
        for node in graph.node:
            self._rewrite(node)
        del graph.node[:]
        graph.node.extend(self._nodes)
        used = {name for node in self._nodes for name in node.input}
        kept = [tensor for tensor in graph.initializer if tensor.name in used]
        del graph.initializer[:]
        graph.initializer.extend(kept)
        graph.initializer.extend(numpy_helper.from_array(a, n) for n, a in self._made.items())
        if all(entry.domain != _CONTRIB for entry in self._model.opset_import):
            self._model.opset_import.append(helper.make_opsetid(_CONTRIB, 1))
        return self._model

    def _note(self, node: Any) -> None:
        """Which products take over a bias, and which the division behind attention."""
        if node.op_type == "BiasGelu":
            self._bias[node.input[0]] = self._matrices[node.input[1]]
        if node.op_type == "MultiHeadAttention":
            parts = np.split(self._matrices[node.input[3]], 3)
            divided = self._smooth.get(node.output[0])
            if divided is not None:
                self._columns[node.input[2]] = np.float32(1) / divided
                parts[2] = parts[2] / divided
            self._bias.update(zip(node.input[:3], parts, strict=True))

    def _rewrite(self, node: Any) -> None:
        if node.op_type == "MatMul" and node.input[1] in self._matrices:
            self._product(node)
        elif node.op_type == "MultiHeadAttention":
            node.input[3] = ""
            self._nodes.append(node)
        elif node.op_type == "BiasGelu":
            self._node("Gelu", [node.input[0]], node.output[0], contrib=True)
        else:
            self._nodes.append(node)

    def _product(self, node: Any) -> None:
        source, name, output = node.input[0], node.input[1], node.output[0]
        matrix = self._matrices[name]
        if source in self._smooth:
            matrix = matrix * self._smooth[source][:, None]
        matrix = np.asarray(matrix * self._columns.get(output, np.float32(1)), dtype=np.float32)
        bias = self._bias.get(output)
        activation, largest = self._activation(source)
        result = output + "_rows" if largest else output
        if name in self._float32:
            product = result + "_product" if bias is not None else result
            self._node("MatMul", [activation, self._constant(name + "_f", matrix)], product)
            if bias is not None:
                self._node("Add", [product, self._constant(name + "_b", bias)], result)
        else:
            values, scale = to_int8(matrix)
            inputs = [
                activation,
                self._constant(name + "_q", values),
                self._constant(name + "_s", scale),
                self._constant(name + "_z", np.zeros(scale.shape, np.int8)),
            ]
            if bias is not None:
                inputs.append(self._constant(name + "_b", bias))
            self._node("DynamicQuantizeMatMul", inputs, result, contrib=True)
        if largest:
            self._node("Mul", [result, largest], output)

    def _activation(self, source: str) -> tuple[str, str]:
        """The name of a site's activations, divided as they are to be, and of its rows' scales."""
        if source not in self._ready:
            name, largest = source, ""
            if source in self._smooth and self._kinds[source] != "attention":
                inverse = self._constant(source + "_inverse", 1 / self._smooth[source])
                name = self._node("Mul", [source, inverse], source + "_smooth")
            if self._kinds[source] == "down":
                sizes = self._node("Abs", [name], source + "_sizes")
                top = self._node("ReduceMax", [sizes], source + "_top", axes=[-1], keepdims=1)
                least = self._constant("least_row_scale", np.array(1e-6, np.float32))
                largest = self._node("Max", [top, least], source + "_largest")
                name = self._node("Div", [name, largest], source + "_even")
            self._ready[source] = (name, largest)
        return self._ready[source]

    def _constant(self, name: str, values: NDArray[Any]) -> str:
        dtype = np.int8 if values.dtype == np.int8 else np.float32
        self._made[name] = np.ascontiguousarray(values, dtype=dtype)
        return name

    def _node(
        self, op: str, inputs: list[str], output: str, contrib: bool = False, **attributes: Any
    ) -> str:
        from onnx import helper

        domain = _CONTRIB if contrib else ""
        made = helper.make_node(op, inputs, [output], output, domain=domain, **attributes)
        self._nodes.append(made)
        return output
