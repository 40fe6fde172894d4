"""The benchmarks measure what they say: protocol frames, checked answers, a whole small run."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np
import pytest

import report
import rtt
from atlas import bars
from blocking import LENGTH, call_frame
from neuralcore import _java, _wire
from report import Figure, percentile


def test_percentiles_and_medians() -> None:
    values = [float(i) for i in range(1, 101)]
    assert percentile(values, 0.50) == 51.0
    assert percentile(values, 0.99) == 100.0
    figure = Figure.of("a", "ms", [3.0, 1.0, 2.0])
    assert (figure.median, figure.lowest, figure.highest, figure.rounds) == (2.0, 1.0, 3.0, 3)


def test_the_blocking_client_sends_frames_of_the_protocol() -> None:
    array = np.arange(12, dtype=np.float32).reshape(3, 4)
    data = call_frame(7, b'{"text": "x"}', array.tobytes(), rows=3)
    (length,) = LENGTH.unpack(data[: LENGTH.size])
    assert length == len(data) - LENGTH.size
    call = _wire.decode(data[LENGTH.size :])
    assert isinstance(call, _wire.Call)
    assert call.address == "neuralcore.system.echo"
    assert call.params == {"text": "x"}
    assert np.array_equal(call.tensors[0], array)


def test_a_wrong_answer_ends_the_run() -> None:
    class Liar:
        def send(self, data: bytes) -> None:
            pass

        def frame(self) -> bytearray:
            return bytearray(b"something else")

    exchange = rtt.same(Liar(), b"frame", b"frame")  # type: ignore[arg-type]
    with pytest.raises(AssertionError, match="something else"):
        exchange()


def test_rtt_runs_every_contender_and_leaves_its_figures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NEURALCORE_JAVA", str(_java.find_java().home))
    monkeypatch.setattr(report, "RESULTS", tmp_path)
    monkeypatch.setattr(report, "ROOT", tmp_path)
    outcome = rtt.run(rounds=1, requests=20, warm=20)
    document = json.loads(outcome["path"].read_text())
    names = {figure["name"] for figure in document["figures"]}
    for contender in ("bare Vert.x echo", "stock bridge", "daemon binary", "neuralcore.Client"):
        for size in ("100 B", "1.5 MB"):
            assert any(name.startswith(f"{size}: {contender}") for name in names), contender
    assert document["machine"]["cores"]
    assert all(figure["median"] > 0 for figure in document["figures"])


def test_bars_are_as_long_as_their_ratios(tmp_path: Path) -> None:
    path = tmp_path / "bars.svg"
    bars.write(
        path,
        "as fast & more",
        [
            bars.Bar("ten", 10.0, 5.0),
            bars.Bar("hundred", 100.0, 200.0),
            bars.Bar("half", 0.5, None),
        ],
    )
    drawn = ElementTree.parse(path).getroot()
    boxes = [e for e in drawn if e.tag.endswith("rect") and e.get("fill") != "white"]
    ten, hundred, half = (float(box.get("width", "0")) for box in boxes)
    assert hundred == pytest.approx(2 * ten)
    assert 0 < half < ten
    assert [box.get("fill") for box in boxes] == ["#2da44e", "#d29922", "#d29922"]
