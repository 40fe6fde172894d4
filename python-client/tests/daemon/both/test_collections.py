"""Collections over the daemon and in the fallback: the same calls, the same answers."""

from __future__ import annotations

import secrets

import numpy as np
import pytest

from neuralcore.errors import InvalidRequest, NeuralCoreError

ROWS = np.random.default_rng(5).normal(size=(60, 8)).astype(np.float32)
METADATA = [{"n": i, "even": i % 2 == 0, "tag": ["a", f"t{i % 3}"]} for i in range(60)]
TEXTS = [f"text {i}" if i % 4 else None for i in range(60)]


@pytest.fixture
def notes(client):
    collection = client.collection(f"notes-{secrets.token_hex(4)}", 8, metadata={"of": "tests"})
    assert collection.upsert(list(range(60)), ROWS, METADATA, texts=TEXTS) == (60, 0)
    yield collection
    collection.drop()


def nearest(query, ids):
    scores = ROWS @ query / np.linalg.norm(ROWS, axis=1) / np.linalg.norm(query)
    return sorted(ids, key=lambda i: -scores[i])


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        ({"even": True}, lambda i: i % 2 == 0),
        ({"even": 1}, lambda i: False),
        ({"n": 7.0}, lambda i: i == 7),
        ({"n": {"$gte": 10, "$lt": 20}}, lambda i: 10 <= i < 20),
        ({"n": {"$in": [3, 5, 99]}}, lambda i: i in (3, 5)),
        ({"n": {"$ne": 3}, "tag": "t0"}, lambda i: i % 3 == 0 and i != 3),
        ({"$or": [{"n": 1}, {"tag": {"$in": ["t2"]}}]}, lambda i: i == 1 or i % 3 == 2),
        ({"$not": {"tag": "t1"}}, lambda i: i % 3 != 1),
        ({"missing": {"$exists": False}}, lambda i: True),
        ({"missing": 1}, lambda i: False),
    ],
)
def test_a_filter_keeps_what_fulfils_it(notes, condition, holds):
    ids = [i for i in range(60) if holds(i)]
    assert notes.count(filter=condition) == len(ids)
    assert [r.id for r in notes.scroll(filter=condition)] == ids
    found = notes.search(ROWS[0], k=10, filter=condition)
    assert [hit.id for hit in found] == nearest(ROWS[0], ids)[:10]


@pytest.mark.parametrize(
    ("metadata", "condition", "holds"),
    [
        # A name may be empty, and is one all the same.
        ({"": {"b": 5}}, {"b": 5}, False),
        ({"": {"b": 5}}, {".b": 5}, True),
        ({"": {"b": 5}}, {"": {"b": {"$lt": 6}}}, True),
        ({"": 5}, {"": {"$in": [4, 5]}}, True),
        ({"": 5}, {"": {"$exists": False}}, False),
        ({"a": {"": [1, {"": 2}]}}, {"a": {"": {"": 2}}}, True),
        # Lists are equal if their elements are.
        ({"x": [1, [2.0]]}, {"x": [1.0, [2]]}, True),
        ({"x": [1]}, {"x": [True]}, False),
        ({"x": [{"a": 1, "b": 2}]}, {"x": [{"b": 2.0, "a": 1}]}, True),
        # Strings have one order: that of their UTF-16 units.
        ({"x": "\uffff"}, {"x": {"$gt": "\U0001f600"}}, True),
        ({"x": "\U0001f600"}, {"x": {"$lt": "\uffff"}}, True),
        ({"x": "a"}, {"x": {"$lt": "ab"}}, True),
    ],
)
def test_unusual_names_and_values_are_found_alike(notes, metadata, condition, holds):
    notes.upsert(["x"], ROWS[:1], [metadata], namespace="unusual")
    assert notes.count(filter=condition, namespace="unusual") == int(holds)


def test_an_option_that_is_none_is_refused(client):
    with pytest.raises(TypeError, match="ef_constructions"):
        client.collection("misspelt", 4, ef_constructions=100)


def test_complex_numbers_are_refused(notes):
    with pytest.raises(InvalidRequest, match="complex64"):
        notes.upsert([1], np.ones((1, 8), dtype=np.complex64))


def test_hits_carry_what_was_asked_for(notes):
    (bare,) = notes.search(ROWS[5], k=1)
    assert (bare.id, bare.metadata, bare.text, bare.vector) == (5, None, None, None)
    assert bare.score == pytest.approx(1.0)
    (full,) = notes.search(ROWS[5], k=1, include_metadata=True, include_vectors=True)
    assert full.metadata == METADATA[5]
    assert full.text == "text 5"
    assert np.array_equal(full.vector, ROWS[5])
    within = notes.search(ROWS[5], k=60, limit=0.3)
    every = notes.search_batch(ROWS[5:6], k=60)[0]
    assert within == [hit for hit in every if hit.score >= 0.3]


def test_a_python_function_filters(notes):
    expected = nearest(ROWS[1], [i for i in range(60) if i % 20 == 3])
    found = notes.search(ROWS[1], k=3, filter_fn=lambda i: i % 20 == 3)
    assert [hit.id for hit in found] == expected


def test_a_python_function_filters_ids_of_both_kinds(notes):
    # More than are looked at first, so that those that pass are named to the daemon.
    notes.upsert([f"s{i}" for i in range(60)], -ROWS)
    passing = {3, "s5", "s7"}
    found = notes.search(ROWS[1], k=3, filter_fn=lambda i: i in passing)
    every = [hit.id for hit in notes.search(ROWS[1], k=120)]
    assert [hit.id for hit in found] == [i for i in every if i in passing]
    assert len(found) == 3


def test_namespaces_are_apart(notes):
    notes.upsert(["a", "7"], ROWS[:2] + 1, namespace="other")
    assert notes.count(namespace="other") == 2
    assert notes.count() == 62
    assert [r.id for r in notes.get(["a"])] == []
    (record,) = notes.get(["a"], namespace="other")
    assert (record.namespace, record.metadata) == ("other", None)
    hits = notes.search(ROWS[0] + 1, k=62, namespace="*", include_metadata=True)
    assert len(hits) == 62
    assert {h.namespace for h in hits} == {"", "other"}
    # Ids of both kinds in one answer.
    assert {type(h.id) for h in hits} == {int, str}
    with pytest.raises(InvalidRequest, match="name one"):
        notes.upsert(["x"], ROWS[:1], namespace="*")


def test_deleting_by_ids_and_by_filter(notes):
    assert notes.delete([1, 2, 999]) == 2
    assert notes.delete(filter={"even": False}) == 29
    assert notes.delete([4, 6], filter={"n": {"$gt": 5}}) == 1
    assert notes.count() == 28
    with pytest.raises(InvalidRequest, match="ids, a filter, or both"):
        notes.delete()


def test_updating_replaces_everything(notes):
    assert notes.upsert([3], ROWS[50:51], [{"new": True}]) == (0, 1)
    (record,) = notes.get([3])
    assert record.metadata == {"new": True}
    assert record.text is None
    assert notes.count(filter={"n": 3}) == 0
    assert notes.count(filter={"new": True}) == 1


def test_scrolling_goes_through_all_in_order(notes):
    page, after = notes.scroll_page(limit=25, include_vectors=True)
    assert [r.id for r in page] == list(range(25))
    assert np.array_equal(page[3].vector, ROWS[3])
    notes.delete([0, 30])
    page, after = notes.scroll_page(after, 25)
    assert [r.id for r in page] == [i for i in range(25, 51) if i != 30]
    assert [r.id for r in notes.scroll_page(after, 25)[0]] == list(range(51, 60))


def test_pages_of_large_rows_fit_a_frame(notes):
    # 18 MB altogether, more than a frame may have.
    rows = np.tile(ROWS, (15, 1))
    notes.upsert([f"long {i}" for i in range(900)], rows, texts=["x" * 20_000] * 900)
    records = list(notes.scroll(include_vectors=True))
    assert [r.id for r in records] == [*range(60), *(f"long {i}" for i in range(900))]
    assert len(notes.search(ROWS[0], k=3, filter_fn=lambda i: i in ("long 1", "long 899"))) == 2


def test_what_was_put_can_be_read_back_however_large_it_is(notes):
    # 30 MB of texts and metadata, of which a frame has room for half.
    names = [f"large {i}" for i in range(30)]
    texts = [chr(97 + i % 26) * (700_000 if i else 3_000_000) for i in range(30)]
    metadata = [{"i": i, "long": "y" * 300_000, "n" * 1_000: i} for i in range(30)]
    vectors = np.tile(ROWS[7], (30, 1))
    notes.upsert(names, vectors, metadata, texts=texts, namespace="large")
    notes.upsert(["small"], ROWS[7:8], [{"i": -1}])
    read = notes.get([*names, "gone", names[3]], namespace="large")
    assert [r.id for r in read] == [*names, names[3]]
    assert [r.text for r in read] == [*texts, texts[3]]
    assert [r.metadata for r in read] == [*metadata, metadata[3]]
    assert all(np.array_equal(r.vector, ROWS[7]) for r in read)
    for found in (
        notes.search(
            ROWS[7], k=32, namespace="*", include_metadata=True, include_vectors=True, exact=True
        ),
        notes.search_batch(
            ROWS[7:8], k=32, namespace="*", include_metadata=True, include_vectors=True, exact=True
        )[0],
    ):
        hits = {(hit.namespace, hit.id): hit for hit in found}
        assert len(hits) == 32
        assert hits["", "small"].metadata == {"i": -1}
        assert hits["", 7].text == TEXTS[7]
        for name, text, meta in zip(names, texts, metadata, strict=True):
            hit = hits["large", name]
            assert (hit.text, hit.metadata) == (text, meta)
            assert np.array_equal(hit.vector, ROWS[7])
            assert hit.score == pytest.approx(1.0)
    (bare,) = notes.search(ROWS[7], k=1, namespace="large", include_vectors=True)
    assert (bare.metadata, bare.text) == (None, None)


def test_what_cannot_be_understood_is_named(notes):
    with pytest.raises(InvalidRequest, match=r"\$regex"):
        notes.search(ROWS[0], filter={"n": {"$regex": "x"}})
    with pytest.raises(InvalidRequest, match="outside of a field"):
        notes.count(filter={"$gt": 1})
    with pytest.raises(InvalidRequest, match="all strings or all integers"):
        notes.get([1, "a"])
    for k in (0, -1):
        with pytest.raises(InvalidRequest, match="at least 1"):
            notes.search(ROWS[0], k=k, filter_fn=lambda i: True)
    # In UTF-8 two such ids would be one.
    with pytest.raises(InvalidRequest, match=r"ids\[1\] is '\\udc01'"):
        notes.upsert(["fine", "\udc01"], ROWS[:2])
    assert notes.count() == 60


@pytest.mark.parametrize(
    ("metadata", "kept"),
    [
        ({"n": (1 << 64) + 1, "m": -(1 << 63), "e": 1 << 63}, None),
        ({"pair": (1, 2), 3: "c", None: 0}, {"pair": [1, 2], "3": "c", "null": 0}),
        ({"x": np.float64(0.5), "y": np.arange(2)}, {"x": 0.5, "y": [0, 1]}),
        ({"\x00\u2028": "\U0001f389", "": [[]]}, None),
    ],
)
def test_metadata_comes_back_as_json(notes, metadata, kept):
    notes.upsert(["x"], ROWS[:1], [metadata])
    (record,) = notes.get(["x"])
    assert record.metadata == (metadata if kept is None else kept)
    (hit,) = notes.search(ROWS[0], k=1, filter=kept or metadata, include_metadata=True)
    assert (hit.id, hit.metadata) == ("x", record.metadata)


def test_large_integers_are_told_apart(notes):
    large = 1 << 64
    notes.upsert(["a", "b"], ROWS[:2], [{"hash": large}, {"hash": large + 1}])
    assert [r.id for r in notes.scroll(filter={"hash": large + 1})] == ["b"]
    assert [r.id for r in notes.scroll(filter={"hash": {"$lte": large}})] == ["a"]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda c: c.upsert(["x"], ROWS[:1], [{"x": float("nan")}]), "not JSON compliant"),
        (lambda c: c.upsert(["x"], ROWS[:1], [{"x": {1}}]), "a set is not JSON"),
        (lambda c: c.upsert(["x"], ROWS[:1], ["text"]), "each entry must be an object or null"),
        (lambda c: c.upsert(["x"], ROWS[:1], texts=[5]), "each entry must be a string or null"),
        (lambda c: c.upsert([""], ROWS[:1]), "Id 0 has 0 characters"),
        (lambda c: c.upsert(["x" * 1025], ROWS[:1]), "an id has 1 to 1024"),
        (lambda c: c.upsert(["x"], ROWS[:1], namespace=5), "'namespace' is 5"),
        (lambda c: c.count(filter={"n": float("inf")}), "not JSON compliant"),
        (lambda c: c.count(filter="n"), "dict|object"),
        (lambda c: c.count(filter={"n": {"$gt": 1, "$gte": 2}}), "'n' twice on one side"),
        (lambda c: c.search(ROWS[0], k=1.5), "'k' is 1.5; it must be an integer"),
        (lambda c: c.search(ROWS[0], k=True), "must be an integer"),
        (lambda c: c.search(ROWS[0], ef=-1), "'ef' is -1; it must be between"),
        (lambda c: c.search(ROWS[0], limit=float("nan")), "not JSON compliant"),
        (lambda c: c.scroll_page(limit=0), "'limit' is 0; it must be between"),
        (lambda c: c.scroll_page("x"), "'after' is .?x.?; it must be an integer"),
        (lambda c: c.describe(probe=1001), "'probe' is 1001; it must be between"),
    ],
)
def test_the_fallback_refuses_what_the_daemon_refuses(notes, call, message):
    with pytest.raises(ValueError, match=message):
        call(notes)
    assert notes.count() == 60


@pytest.mark.parametrize(
    ("name", "dimension", "options", "message"),
    [
        ("x" * 257, 8, {}, "257 bytes"),
        ("options", 8, {"metric": ""}, "'metric' is ''"),
        ("options", True, {}, "must be an integer"),
        ("options", 8.0, {}, "must be an integer"),
        ("options", 8193, {}, "The dimension is 8193"),
        ("options", 8, {"m": 257}, "'m' is 257; it must be between 2 and 256"),
        ("options", 8, {"m": 20, "m0": 19}, "'m0' is 19; it must be between 20 and 512"),
        ("options", 8, {"ef_search": 0}, "'ef_search' is 0; it must be between"),
        ("options", 8, {"seed": 1 << 63}, "'seed' is 9223372036854775808; it must be an integer"),
    ],
)
def test_impossible_collections_are_refused(client, name, dimension, options, message):
    with pytest.raises(NeuralCoreError, match=message):
        client.collection(name, dimension, **options)


def test_plans_and_descriptions(notes):
    plan = notes.explain(ROWS[0], k=3, filter={"even": True})
    assert plan["strategy"] == "exact"
    assert (plan["in_scope"], plan["live"]) == (30, 60)
    assert notes.explain(ROWS[0], filter={"even": "no"})["strategy"] == "nothing"
    state = notes.describe(probe=5)
    assert (state["count"], state["dimension"], state["recall"]) == (60, 8, 1.0)
    assert state["deleted_share"] == 0
    notes.wait_until_indexed()
    info = notes.info()
    assert info is not None
    assert info["metadata"] == {"of": "tests"}
