"""ATLAS's cosines, each with its own conventions; and their being put in ATLAS's place."""

from __future__ import annotations

import importlib
import math
import random

import numpy as np
import pytest

from compat.atlas_stand_in import atlas_at
from neuralcore.compat import atlas_vectors
from neuralcore.compat._atlas import tool_types
from neuralcore.compat.atlas_vectors import COPIES

EVERY = sorted({copy.ours.__name__ for copy in COPIES} - {"l2_score"})


def of(name):
    return getattr(atlas_vectors, name)


def by_hand(a, b):
    """As ATLAS computes it: the product of what both have, over the whole lengths."""
    length = math.sqrt(sum(x * x for x in a)) * math.sqrt(sum(y * y for y in b))
    return sum(x * y for x, y in zip(a, b, strict=False)) / length if length else 0.0


@pytest.fixture(autouse=True)
def _restored():
    yield
    atlas_vectors.restore_cosines()


@pytest.mark.parametrize("name", EVERY)
@pytest.mark.parametrize("form", [list, tuple, np.array, lambda v: np.array(v, dtype=np.float32)])
@pytest.mark.parametrize("length", [1, 3, 31, 384, 1536])
def test_value(name, form, length):
    seed = random.randrange(1 << 30)
    chance = random.Random(seed)
    a, b = ([chance.gauss(0, 1) for _ in range(length)] for _ in range(2))
    got = of(name)(form(a), form(b))
    assert type(got) is float
    assert got == pytest.approx(by_hand(a, b), abs=2e-6), f"seed {seed}"


@pytest.mark.parametrize("name", EVERY)
def test_whole_numbers_and_zero_vectors(name):
    assert of(name)([1, 2], [2, 4]) == pytest.approx(1.0)
    assert of(name)([0, 0], [2, 4]) == 0.0
    assert of(name)([], []) == 0.0
    assert of(name)(np.zeros(3), np.ones(3)) == 0.0


@pytest.mark.parametrize("name", EVERY)
def test_what_is_not_finite_is_no_error(name):
    assert math.isnan(of(name)([1.0, math.nan], [1.0, 2.0]))
    assert math.isnan(of(name)([1.0, math.inf], [1.0, 2.0]))


@pytest.mark.parametrize("form", [list, tuple, np.array])
def test_different_lengths(form):
    short, long = form([3.0, 4.0]), form([3.0, 4.0, 5.0])
    assert atlas_vectors.zero_if_different(short, long) == 0.0
    with pytest.raises(ValueError, match=r"^Vectors must have same dimension$"):
        atlas_vectors.chunking(short, long)
    with pytest.raises(ValueError, match=r"^Vector dimension mismatch: 2 vs 3$"):
        atlas_vectors.clip(short, long)
    with pytest.raises(tool_types.VectorValidationError, match="dimensionality mismatch"):
        atlas_vectors.validated(short, long)
    for truncating in (atlas_vectors.truncating, atlas_vectors.never_raising):
        assert truncating(short, long) == pytest.approx(by_hand(short, long))
        assert truncating(long, short) == pytest.approx(by_hand(short, long))
        assert truncating(form([]), long) == 0.0
    assert atlas_vectors.l2_score(short, long) == 1.0
    assert atlas_vectors.l2_score(form([0.0, 0.0]), short) == pytest.approx(1 / 6)


@pytest.mark.parametrize("pair", [(None, [1.0]), ([1.0], "x"), ([1.0], ["a"]), (3, 4)])
def test_one_of_them_raises_nothing(pair):
    assert atlas_vectors.never_raising(*pair) == 0.0


CALLED = {
    copy.module: f"class {copy.place.partition('.')[0]}:\n    pass\n"
    if "." in copy.place
    else "pass\n"
    for copy in COPIES
}


def files():
    """Modules with the functions where ATLAS has them, all of which give 7."""
    texts = {"modules/storage/chunking/__init__.py": "from .semantic import cosine_similarity\n"}
    texts["modules/Tools/Base_Tools/vector_store.py"] = (
        "class VectorValidationError(RuntimeError):\n    pass\n"
    )
    for copy in COPIES:
        if copy.module == "modules.storage.chunking":
            continue
        path = copy.module.replace(".", "/") + ".py"
        owner, _, name = copy.place.rpartition(".")
        self = "self, " if copy.bound else ""
        lines = f"def {name}({self}a, b):\n    return 7\n"
        if owner:
            static = "" if copy.bound else "    @staticmethod\n"
            body = "".join(f"    {line}\n" for line in lines.splitlines())
            lines = f"class {owner}:\n{static}{body}"
        texts[path] = texts.get(path, "") + lines
    return texts


def called(copy, a, b):
    module = importlib.import_module(copy.module)
    owner, _, name = copy.place.rpartition(".")
    return getattr(getattr(module, owner)() if owner else module, name)(a, b)


def test_all_of_atlas_copies_are_replaced_and_restored(tmp_path):
    with atlas_at(tmp_path, files()):
        assert [called(copy, [1.0], [1.0]) for copy in COPIES] == [7] * len(COPIES)
        done = atlas_vectors.replace_cosines(load=True)
        assert done == [f"{copy.module}:{copy.place}" for copy in COPIES]
        assert atlas_vectors.replace_cosines() == done
        for copy in COPIES:
            assert called(copy, [3.0, 4.0], [3.0, 4.0]) == pytest.approx(1.0)
        semantic = importlib.import_module("modules.storage.chunking.semantic")
        with pytest.raises(ValueError, match="same dimension"):
            semantic.cosine_similarity([1.0], [1.0, 2.0])
        evaluator = importlib.import_module("modules.storage.evaluation.evaluator")
        truncated = evaluator.RelevancyCalculator()._cosine_similarity([1.0], [1.0, 1.0])
        assert truncated == pytest.approx(math.sqrt(0.5))
        store = importlib.import_module("modules.Tools.Base_Tools.vector_store")
        in_memory = importlib.import_module("modules.Tools.providers.vector_store.in_memory")
        with pytest.raises(store.VectorValidationError):
            in_memory._cosine_similarity((1.0,), (1.0, 2.0))
        atlas_vectors.restore_cosines()
        assert [called(copy, [1.0], [1.0]) for copy in COPIES] == [7] * len(COPIES)


def test_only_what_is_loaded_is_touched_by_itself(tmp_path):
    with atlas_at(tmp_path, files()):
        assert atlas_vectors.replace_cosines() == []
        importlib.import_module("modules.conversation_store.vector_pipeline")
        assert atlas_vectors.replace_cosines() == [
            "modules.conversation_store.vector_pipeline:_cosine_similarity"
        ]
