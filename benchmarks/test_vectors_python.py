"""The vectors benchmark: its data, its ratios, and a small run that leaves its figures."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import vectors_python

import report
from neuralcore import _java


def test_rows_are_unit_vectors_and_queries_lie_near_them() -> None:
    rows = vectors_python.clustered(500, 32)
    assert np.allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-5)
    queries = vectors_python.queries_near(rows, 20)
    assert np.allclose(np.linalg.norm(queries, axis=1), 1, atol=1e-5)
    best = (queries @ rows.T).max(axis=1)
    assert ((best > 0.8) & (best < 0.9999)).all()


def test_recall_counts_what_was_found() -> None:
    assert vectors_python.recall([[1, 2], [3, 9]], np.array([[2, 1], [3, 4]])) == 0.75


def test_ratios_are_of_the_same_round() -> None:
    turns = vectors_python.Turns(2)
    turns.seconds = {"slow": [4.0, 6.0], "fast": [1.0, 3.0]}
    turns.ratio("how much", "fast", "slow", ">= 2")
    (figure,) = turns.figures
    assert (figure.lowest, figure.highest, figure.target) == (2.0, 4.0, ">= 2")


def test_a_run_leaves_its_figures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEURALCORE_JAVA", str(_java.find_java().home))
    monkeypatch.setattr(report, "RESULTS", tmp_path)
    monkeypatch.setattr(report, "ROOT", tmp_path)
    path = vectors_python.run(1, ["pairs"])
    names = {figure["name"] for figure in json.loads(path.read_text())["figures"]}
    for name in ("cosine of a pair, arrays", "one to 1,000", "matrix 1,000 x 1,000, daemon"):
        assert name in names
