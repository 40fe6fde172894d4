"""Vector maths in this process, against float64 references."""

from __future__ import annotations

import array
import math
import random
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neuralcore import vectors
from neuralcore.errors import InvalidRequest
from neuralcore.fallback import _purepython
from neuralcore.fallback import vectors as local

VALUES = st.floats(min_value=-1e6, max_value=1e6, width=32)
VECTOR = st.integers(1, 40).flatmap(lambda n: st.lists(VALUES, min_size=n, max_size=n))
PAIR = st.integers(0, 40).flatmap(
    lambda n: st.tuples(
        st.lists(VALUES, min_size=n, max_size=n), st.lists(VALUES, min_size=n, max_size=n)
    )
)
PAIR_FUNCTIONS = {
    "cosine": vectors.cosine_similarity,
    "dot_product": vectors.dot_product,
    "euclidean": vectors.euclidean_distance,
    "squared_euclidean": vectors.squared_euclidean_distance,
}


def reference(a, b, metric):
    x, y = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    if metric == "dot_product":
        return float(x @ y)
    if metric == "cosine":
        lengths = np.sqrt(x @ x) * np.sqrt(y @ y)
        return float(x @ y / lengths) if lengths else 0.0
    square = float(((x - y) ** 2).sum())
    return square if metric == "squared_euclidean" else math.sqrt(square)


def allowed(a, b, metric):
    x, y = np.abs(np.asarray(a, np.float64)), np.abs(np.asarray(b, np.float64))
    if metric == "cosine":
        return 1e-5
    if metric == "dot_product":
        return 1e-6 * float(x @ y) + 1e-30
    return 1e-5 * reference(a, b, metric) + 1e-30


@pytest.mark.parametrize("metric", PAIR_FUNCTIONS)
@pytest.mark.parametrize("form", ["list", "tuple", "float32", "float64", "mixed", "strided"])
@settings(max_examples=30)
@given(pair=PAIR)
def test_pairs_match_the_reference(metric, form, pair):
    a, b = pair
    given_a, given_b = {
        "list": lambda: (a, b),
        "tuple": lambda: (tuple(a), tuple(b)),
        "float32": lambda: (np.array(a, np.float32), np.array(b, np.float32)),
        "float64": lambda: (np.array(a, np.float64), np.array(b, np.float64)),
        "mixed": lambda: (a, np.array(b, np.float32)),
        "strided": lambda: (np.repeat(np.array(a, np.float32), 2)[::2], np.array(b, np.float32)),
    }[form]()
    result = PAIR_FUNCTIONS[metric](given_a, given_b)
    assert isinstance(result, float)
    assert result == pytest.approx(reference(a, b, metric), abs=allowed(a, b, metric), rel=1e-6)


def views(values):
    """Arrays of these values that lie in memory in every way that NumPy knows."""
    n = len(values)
    yield "reversed", values[::-1].copy()[::-1]
    yield "reversed and strided", np.repeat(values[::-1], 2)[::-2][::-1][::-1]
    yield "column", np.stack([values, values, values], axis=1)[:, 1]
    yield "field", np.rec.fromarrays([np.zeros(n, np.uint8), values]).f1
    yield "other order of bytes", values.astype(values.dtype.newbyteorder(">"))
    yield "unaligned", np.frombuffer(b"x" + values.tobytes(), values.dtype, n, 1)
    yield "repeated", np.broadcast_to(values[0], (n,))


@pytest.mark.parametrize("metric", PAIR_FUNCTIONS)
@pytest.mark.parametrize("number", ["f2", "f4", "f8", "g"])
def test_arrays_may_lie_in_memory_as_they_like(metric, number):
    random_numbers = np.random.default_rng(7)
    for n in (1, 2, 3, 17, 384):
        a, b = random_numbers.normal(size=(2, n)).astype(number)
        for form, x in [*views(a), ("plain", a)]:
            for other, y in [*views(b), ("plain", b)]:
                assert PAIR_FUNCTIONS[metric](x, y) == pytest.approx(
                    reference(x, y, metric), abs=allowed(x, y, metric), rel=1e-6
                ), (n, form, other)


@given(VECTOR)
def test_a_vector_is_like_itself(v):
    expected = 0.0 if not any(v) else 1.0
    assert vectors.cosine_similarity(v, v) == pytest.approx(expected, abs=1e-5)
    assert vectors.cosine_similarity(np.array(v, np.float32), np.array(v, np.float32)) == (
        pytest.approx(expected, abs=1e-5)
    )


@pytest.mark.parametrize("scale", [1e-40, 1e-30, 1e30, 3e38])
def test_extreme_magnitudes_keep_their_angle(scale):
    a, b = np.array([1, 0], np.float32) * np.float32(scale), np.array([1, 1], np.float32)
    for x, y in ((a, b), (a.tolist(), b.tolist()), (a.astype(np.float64), b.tolist())):
        assert vectors.cosine_similarity(x, y) == pytest.approx(math.sqrt(0.5), rel=1e-5)
    assert vectors.cosine_similarity_batch(a, [b])[0] == pytest.approx(math.sqrt(0.5), rel=1e-5)
    assert np.linalg.norm(vectors.normalize(a)) == pytest.approx(1.0, rel=1e-6)


def test_zero_vectors_are_like_nothing():
    zero = np.zeros(4, np.float32)
    for a, b in ((zero, zero), (zero, np.ones(4, np.float32)), ([0.0] * 4, [1.0] * 4)):
        assert vectors.cosine_similarity(a, b) == 0.0
    assert vectors.cosine_similarity_batch([zero], [zero, np.ones(4)]).tolist() == [[0.0, 0.0]]
    assert vectors.normalize(zero).tolist() == [0.0] * 4
    assert vectors.cosine_similarity([], []) == 0.0


@pytest.mark.parametrize("function", PAIR_FUNCTIONS.values())
def test_lengths_must_match(function):
    with pytest.raises(ValueError, match=r"^Vector length mismatch: 3 vs 4$"):
        function([1.0] * 3, [1.0] * 4)
    with pytest.raises(ValueError, match=r"^Vector length mismatch: 3 vs 4$"):
        function(np.ones(3, np.float32), np.ones(4, np.float32))


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("form", [list, np.float32, np.float64])
def test_what_is_not_finite_is_refused_with_its_place(value, form):
    def vector(*values):
        return list(values) if form is list else np.array(values, form)

    bad, good = vector(1.0, value), vector(1.0, 1.0)
    for function in PAIR_FUNCTIONS.values():
        with pytest.raises(ValueError, match=r"a: the value at index 1 is -?(nan|inf)") as caught:
            function(bad, good)
        assert caught.value.code == "NOT_FINITE"
        with pytest.raises(ValueError, match="b: the value at index 1"):
            function(good, bad)
    for call in (vectors.normalize, vectors.normalize_inplace):
        with pytest.raises(ValueError, match="v: the value at index 1"):
            call(bad)
    for queries, documents, place in (
        ([good, bad], [good], "queries: the value at row 1, column 1"),
        ([good], [good, good, bad], "documents: the value at row 2, column 1"),
    ):
        with pytest.raises(ValueError, match=place):
            vectors.cosine_similarity_batch(queries, documents)
        with pytest.raises(ValueError, match=place):
            vectors.top_k_similar(queries, documents, metric="euclidean")
    with pytest.raises(ValueError, match="row 1, column 1"):
        vectors.pairwise_distances([good, bad])
    with pytest.raises(ValueError, match="vectors: the value at row 1, column 1"):
        vectors.normalize_batch([good, bad])


@pytest.mark.parametrize("wrong", ["abc", b"abc", None, 3.0])
def test_what_is_no_vector_is_refused(wrong):
    with pytest.raises(ValueError, match=f"b is a {type(wrong).__name__}"):
        vectors.cosine_similarity([1.0, 2.0, 3.0], wrong)


@pytest.mark.parametrize(
    "wrong", [{1, 2}, {1: 1, 2: 2}, bytearray(b"ab"), np.array(3.0), iter([1])]
)
def test_what_has_no_order_or_no_axis_is_no_vector(wrong):
    for call in (
        lambda: vectors.cosine_similarity([1.0, 2.0], wrong),
        lambda: vectors.normalize(wrong),
        lambda: vectors.normalize_inplace(wrong),
        lambda: vectors.cosine_similarity_batch(wrong, [[1.0, 2.0]]),
        lambda: vectors.normalize_batch(wrong),
    ):
        with pytest.raises(InvalidRequest, match=r"sequence of numbers|axes|one vector|needed"):
            call()


@pytest.mark.parametrize("length", [3, 100])
@pytest.mark.parametrize(
    ("value", "said"),
    [
        (None, "value at index 1 is a NoneType; real numbers are needed"),
        ([1.0], "value at index 1 is a list; real numbers are needed"),
        ("1", "real numbers are needed"),
        (1j, "real numbers are needed"),
        (10**400, "value at index 1 is beyond a float's range; vectors must be finite"),
    ],
)
def test_what_is_no_number_in_a_list_is_refused(length, value, said):
    bad, good = [1.0] * length, [1.0] * length
    bad[1] = value
    for function in PAIR_FUNCTIONS.values():
        with pytest.raises(InvalidRequest, match=said):
            function(good, bad)
    for call in (vectors.normalize, vectors.normalize_inplace):
        with pytest.raises(InvalidRequest, match=said):
            call(bad)
    for matrices in (vectors.normalize_batch, vectors.pairwise_distances):
        with pytest.raises(InvalidRequest):
            matrices([good, bad])


@pytest.mark.filterwarnings("error")
def test_what_is_beyond_the_range_of_floats_gives_no_warning():
    large = [1e300] * 80
    assert vectors.squared_euclidean_distance(large, [0.0] * 80) == math.inf
    assert vectors.dot_product(np.array(large), np.array(large)) == math.inf
    for call in (vectors.normalize_batch, vectors.cosine_similarity_matrix):
        with pytest.raises(InvalidRequest, match="column 0 is inf"):
            call([large, np.array(large)])


@pytest.mark.parametrize("queries", [1, 5, 300])
def test_distances_of_near_vectors_far_from_the_origin(queries):
    random_numbers = np.random.default_rng(11)
    documents = (random_numbers.normal(size=(400, 64)) + 1e6).astype(np.float32)
    others = documents[:queries] + np.float32(0.125)
    others[0] = documents[0]
    result = vectors.top_k_similar(others, documents, 400, metric="euclidean", where="local")
    for query, nearest in zip(others, result, strict=True):
        for i, distance in nearest:
            assert distance == pytest.approx(reference(query, documents[i], "euclidean"), rel=1e-6)
    assert result[0][0] == (0, 0.0)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("queries", [1, 40])
def test_products_whose_terms_are_beyond_float32_are_numbers(queries):
    random_numbers = np.random.default_rng(3)
    a = (random_numbers.normal(size=(queries, 512)) * 1e25).astype(np.float32)
    b = (random_numbers.normal(size=(30, 512)) * 1e25).astype(np.float32)
    b[1] = -b[0]
    b[2] = np.where(np.arange(512) % 2, a[0], 0)
    b[3, ::2], b[3, 1::2] = a[0, 1::2], -a[0, ::2]  # the sum of which is 0, the terms are not
    result = vectors.top_k_similar(a, b, 30, metric="dot_product", where="local")
    for query, row in zip(a, result, strict=True):
        for i, score in row:
            exact = reference(query, b[i], "dot_product")
            if abs(exact) > 3.41e38:
                assert score == math.copysign(math.inf, exact)
            else:
                assert score == pytest.approx(exact, abs=allowed(query, b[i], "dot_product"))


def test_distances_of_small_vectors_beside_a_large_one():
    documents = np.array([[1.0], [3e-20], [1e-40]], np.float32)
    distances = vectors.pairwise_distances(documents, where="local")
    assert distances[1, 2] == pytest.approx(3e-20)
    assert distances[0, 1] == 1.0


@pytest.mark.parametrize("wrong", [np.array([1 + 2j, 3j]), np.array(["1", "2"])])
def test_what_numpy_would_make_numbers_of_is_refused(wrong):
    for call in (
        lambda: vectors.cosine_similarity(wrong, wrong),
        lambda: vectors.cosine_similarity([1.0, 2.0], wrong),
        lambda: vectors.normalize(wrong),
        lambda: vectors.normalize_batch([wrong, wrong]),
        lambda: vectors.pairwise_distances(np.stack([wrong, wrong])),
    ):
        with pytest.raises(InvalidRequest, match="real numbers are needed"):
            call()


def test_normalize_makes_a_copy():
    v = np.array([3.0, 4.0], np.float32)
    unit = vectors.normalize(v)
    assert unit.dtype == np.float32
    assert unit.tolist() == pytest.approx([0.6, 0.8])
    assert v.tolist() == [3.0, 4.0]


def test_batch_in_both_shapes():
    queries, documents = [[1.0, 0.0], [0.0, 1.0]], [[1.0, 0.0], [0.0, 1.0], [0.707, 0.707]]
    many = vectors.cosine_similarity_batch(queries, documents)
    assert (len(many), len(many[0])) == (2, 3)
    assert many[0][0] == pytest.approx(1.0)
    assert many[1][1] == pytest.approx(1.0)
    one = vectors.cosine_similarity_batch([1.0, 0.0], documents)
    assert one.dtype == np.float32
    assert one.tolist() == pytest.approx([1.0, 0.0, 0.707], abs=1e-3)
    assert np.array_equal(one, vectors.cosine_similarity_batch(query=[1.0, 0.0], vectors=documents))
    assert np.array_equal(
        many, vectors.cosine_similarity_batch(queries=queries, documents=documents)
    )
    assert np.array_equal(
        many, vectors.cosine_similarity_batch(np.array(queries), np.array(documents))
    )


def test_batch_of_nothing():
    assert vectors.cosine_similarity_batch([1.0, 0.0], []).shape == (0,)
    assert vectors.cosine_similarity_batch([], [[1.0]]).shape == (0, 1)
    assert vectors.cosine_similarity_matrix([]).shape == (0, 0)


def test_batch_refuses_what_does_not_fit():
    with pytest.raises(ValueError, match=r"^Vector length mismatch: 2 vs 3$"):
        vectors.cosine_similarity_batch([1.0, 0.0], [[1.0, 0.0, 0.0]])
    with pytest.raises(ValueError, match=r"^Vector length mismatch: 2 vs 1$"):
        vectors.cosine_similarity_batch([1.0, 0.0], [[1.0, 0.0], [1.0]])
    with pytest.raises(TypeError, match="either queries or query"):
        vectors.cosine_similarity_batch(vectors=[[1.0]])
    with pytest.raises(ValueError, match="where='moon'"):
        vectors.cosine_similarity_batch([1.0], [[1.0]], where="moon")


@pytest.mark.parametrize("metric", list(vectors.DistanceMetric))
def test_matrices_match_the_pairs(metric):
    random = np.random.default_rng(20260)
    a = random.normal(size=(7, 33)).astype(np.float32)
    b = random.normal(size=(11, 33)).astype(np.float32)
    scores = local.scores(a, b, metric.value)
    for i, x in enumerate(a):
        for j, y in enumerate(b):
            assert scores[i, j] == pytest.approx(reference(x, y, metric.value), abs=1e-4)


@pytest.mark.parametrize("metric", list(vectors.DistanceMetric))
def test_top_k_is_the_sorted_head(metric):
    random = np.random.default_rng(4)
    rows = random.integers(-2, 3, size=(500, 6)).astype(np.float32)  # many ties
    query = rows[17]
    found = vectors.top_k_similar(query, rows, 20, metric=metric)
    scores = local.scores(query[None], rows, metric.value)[0].tolist()
    sign = -1 if metric.higher_is_nearer else 1
    expected = sorted(range(500), key=lambda i: (sign * scores[i], i))[:20]
    assert [i for i, _ in found] == expected
    assert [score for _, score in found] == [scores[i] for i in expected]
    assert len(vectors.top_k_similar(query, rows[:3], 20, metric=metric)) == 3
    assert vectors.top_k_similar([query, rows[0]], rows, 2, metric=metric)[0] == found[:2]


def test_metric_names():
    assert vectors.DistanceMetric.of("L2") is vectors.DistanceMetric.EUCLIDEAN
    assert vectors.DistanceMetric.of("inner_product") is vectors.DistanceMetric.DOT_PRODUCT
    assert vectors.DistanceMetric.COSINE == "cosine"
    with pytest.raises(ValueError, match="'manhattan' is not one of cosine"):
        vectors.DistanceMetric.of("manhattan")


@pytest.fixture
def without_numpy(monkeypatch):
    monkeypatch.setattr(local, "has_numpy", lambda: False)
    monkeypatch.setitem(sys.modules, "numpy", None)


@pytest.mark.usefixtures("without_numpy")
def test_everything_works_without_numpy():
    rows = [[1.0, 0.0], [0.0, 1.0], [3.0, 4.0]]
    assert vectors.cosine_similarity_batch([1.0, 0.0], rows) == pytest.approx([1.0, 0.0, 0.6])
    assert vectors.cosine_similarity_batch(rows, rows)[2][2] == pytest.approx(1.0)
    assert vectors.normalize([3.0, 4.0]) == pytest.approx([0.6, 0.8])
    assert vectors.top_k_similar([1.0, 0.0], rows, 2) == [(0, 1.0), (2, pytest.approx(0.6))]
    assert vectors.cosine_similarity([1.0] * 2000, [1.0] * 2000) == pytest.approx(1.0)
    with pytest.raises(ValueError, match="mismatch: 2 vs 3"):
        vectors.cosine_similarity_batch([1.0, 0.0], [[1.0, 2.0, 3.0]])


@given(PAIR)
def test_plain_python_and_numpy_agree(pair):
    a, b = pair
    for metric in local.METRICS:
        assert _purepython.PAIR[metric](a, b) == pytest.approx(
            local._array_pair(np.array(a), np.array(b), metric), rel=1e-9, abs=1e-9
        )


@pytest.mark.parametrize("kind", ["list", "array", "float16", "float32", "float64", "strided"])
def test_normalizing_in_place_returns_the_old_length(kind):
    values = [3.0, 0.0, 4.0]
    vector = {
        "list": lambda: list(values),
        "array": lambda: array.array("f", values),
        "strided": lambda: np.array([3.0, 9, 0, 9, 4, 9])[::2],
    }.get(kind, lambda: np.array(values, dtype=kind))()
    assert vectors.normalize_inplace(vector) == pytest.approx(5.0)
    assert list(vector) == pytest.approx([0.6, 0.0, 0.8], abs=1e-3)
    zero = [0.0, 0.0]
    assert vectors.normalize_inplace(zero) == 0.0
    assert zero == [0.0, 0.0]
    tiny = np.array([3e-30, 4e-30], dtype=np.float32)
    assert vectors.normalize_inplace(tiny) == pytest.approx(5e-30)
    assert list(tiny) == pytest.approx([0.6, 0.8])
    with pytest.raises(ValueError, match="int64"):
        vectors.normalize_inplace(np.array([1, 2]))


@pytest.mark.parametrize("make", [list, lambda v: array.array("d", v), np.array])
@pytest.mark.parametrize("values", [[5e-324, 5e-324, 0.0], [1.7e308, -1.7e308]])
def test_normalizing_in_place_what_has_a_length_at_the_end_of_the_range(make, values):
    v = make(values)
    assert vectors.normalize_inplace(v) == pytest.approx(math.hypot(*values))
    assert [abs(x) for x in v if x] == pytest.approx([math.sqrt(0.5)] * 2)


def test_normalizing_many():
    rows = np.random.default_rng(3).normal(size=(20, 7))
    rows[4] = 0
    units = vectors.normalize_batch(rows)
    assert units.dtype == np.float32
    lengths = np.linalg.norm(units, axis=1)
    assert lengths == pytest.approx([float(i != 4) for i in range(20)])


@pytest.mark.parametrize("metric", ["cosine", "euclidean", "squared_euclidean", "dot_product"])
def test_pairwise_distances_have_a_zero_diagonal(metric):
    rows = np.random.default_rng(4).normal(size=(12, 5)).astype(np.float32)
    found = vectors.pairwise_distances(rows, metric)
    assert found.shape == (12, 12)
    assert not found.diagonal().any()
    assert found == pytest.approx(found.T, abs=1e-5)
    a, b = rows[2].astype(float), rows[9].astype(float)
    expected = {
        "cosine": 1 - a @ b / np.linalg.norm(a) / np.linalg.norm(b),
        "euclidean": np.linalg.norm(a - b),
        "squared_euclidean": ((a - b) ** 2).sum(),
        "dot_product": -(a @ b),
    }[metric]
    assert found[2, 9] == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("form", [list, tuple])
@pytest.mark.parametrize("length", [1, 64, 384, 20_000])
def test_lists_give_what_arrays_give(form, length):
    seed = random.randrange(1 << 30)
    chance = np.random.default_rng(seed)
    rows = chance.standard_normal((3, length))
    lists = form(form(row.tolist()) for row in rows)
    for function in (vectors.cosine_similarity, vectors.euclidean_distance, vectors.dot_product):
        expected = function(rows[0], rows[1])
        assert function(lists[0], lists[1]) == pytest.approx(expected), f"seed {seed}"
    matrix = vectors.matrix(lists)
    np.testing.assert_array_equal(matrix, rows.astype(np.float32))
    assert matrix.flags.writeable


@pytest.mark.parametrize(
    "rows",
    [
        [[1, True], [np.float32(2), 3.5]],
        [[1e300, 1.0]],
        [[np.float64(1), 2], np.array([3, 4])],
        [range(2), [3, 4]],
    ],
    ids=str,
)
def test_lists_of_all_kinds_of_numbers(rows):
    with np.errstate(over="ignore"):
        expected = np.array([list(row) for row in rows], dtype=np.float64).astype(np.float32)
        np.testing.assert_array_equal(vectors.matrix(rows), expected)


@pytest.mark.parametrize("rows", [[["a", 1.0]], [[1.0, 2.0], [1.0]], [[1.0], "x"], [[[1.0]], 3]])
def test_lists_of_other_things_are_refused(rows):
    with pytest.raises((ValueError, TypeError)):
        vectors.matrix(rows)
