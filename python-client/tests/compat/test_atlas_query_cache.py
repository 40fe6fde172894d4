"""Answers of similar questions, of the same knowledge bases."""

from __future__ import annotations

import random
import threading

import numpy as np
import pytest

from neuralcore.compat.atlas_vectors import QueryResultCache

EAST, NORTH, NEARLY_EAST = [1.0, 0.0], [0.0, 1.0], [1.0, 0.1]


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_the_same_words_are_the_same_question():
    cache = QueryResultCache()
    cache.set("What is it?", "an answer", ["b", "a"])
    assert cache.get("  what IS it? ", ["a", "b"]) == "an answer"
    assert cache.get("What is it?", ["a"]) is None
    assert cache.get("What is it?") is None
    assert cache.get("What else?", ["a", "b"]) is None


@pytest.mark.parametrize("form", [list, tuple, np.array])
def test_a_similar_question_has_the_same_answer(form):
    cache = QueryResultCache()
    cache.set("east", "E", query_embedding=form(EAST))
    cache.set("north", "N", query_embedding=form(NORTH))
    assert cache.get("eastwards", query_embedding=form(NEARLY_EAST)) == "E"
    assert cache.get("between", query_embedding=form([1.0, 1.0])) is None
    assert cache.get("east", query_embedding=form(NORTH)) == "E"
    assert cache.stats["semantic_hits"] == 1


def test_the_most_similar_one_counts():
    cache = QueryResultCache(similarity_threshold=0.5)
    for i in range(40):
        cache.set(f"q{i}", i, query_embedding=[1.0, i / 10])
    assert cache.get("?", query_embedding=[1.0, 2.31]) == 23


def test_other_knowledge_bases_are_not_answered_from():
    cache = QueryResultCache()
    cache.set("east", "secret", ["private"], EAST)
    assert cache.get("eastwards", ["public"], EAST) is None
    assert cache.get("eastwards", None, EAST) is None
    assert cache.get("eastwards", ["private", "public"], EAST) is None
    assert cache.get("eastwards", ["private"], EAST) == "secret"


def test_an_id_with_a_separator_in_it_is_one_id():
    cache = QueryResultCache()
    cache.set("q|a", 1, ["b"])
    assert cache.get("q", ["a", "b"]) is None
    cache.set("q", 2, ["a,b"])
    assert cache.get("q", ["a", "b"]) is None


def test_time():
    clock = Clock()
    cache = QueryResultCache(ttl_seconds=10, clock=clock)
    cache.set("east", "E", query_embedding=EAST)
    clock.now = 5
    cache.set("older", "O", query_embedding=NEARLY_EAST)
    clock.now = 10
    assert cache.get("east") == "E"
    clock.now = 10.5
    assert cache.get("east") is None
    assert cache.get("eastwards", query_embedding=EAST) == "O"
    clock.now = 16
    assert cache.get("eastwards", query_embedding=EAST) is None
    assert cache.stats["size"] == 0


def test_without_a_time_entries_stay():
    clock = Clock()
    cache = QueryResultCache(ttl_seconds=None, clock=clock)
    cache.set("q", 1)
    clock.now = 1e9
    assert cache.get("q") == 1


def test_the_one_not_asked_for_goes():
    cache = QueryResultCache(max_size=2)
    cache.set("a", 1, query_embedding=EAST)
    cache.set("b", 2, query_embedding=NORTH)
    assert cache.get("?", query_embedding=EAST) == 1
    cache.set("c", 3)
    assert cache.get("b") is None
    assert cache.get("?", query_embedding=NORTH) is None
    assert (cache.get("a"), cache.get("c")) == (1, 3)


def test_setting_again_replaces_and_evicts_nothing():
    cache = QueryResultCache(max_size=2)
    cache.set("a", 1, query_embedding=EAST)
    cache.set("b", 2)
    cache.set("a", 3, query_embedding=NORTH)
    assert (cache.get("a"), cache.get("b")) == (3, 2)
    assert cache.get("?", query_embedding=EAST) is None
    cache.set("a", 4)
    assert cache.get("?", query_embedding=NORTH) is None


def test_a_knowledge_base_that_has_changed():
    cache = QueryResultCache()
    cache.set("a", 1, ["x"], EAST)
    cache.set("b", 2, ["x", "y"])
    cache.set("c", 3, ["y"])
    cache.set("d", 4)
    assert cache.invalidate_knowledge_base("x") == 3
    assert cache.get("c", ["y"]) == 3
    assert cache.get("?", ["x"], EAST) is None
    assert cache.clear() == 1
    assert cache.stats == {
        "size": 0,
        "max_size": 1000,
        "hits": 0,
        "semantic_hits": 0,
        "misses": 0,
        "hit_rate": 0.0,
        "ttl_seconds": 300,
    }


@pytest.mark.parametrize("odd", [[], None, [0.0, 0.0], [float("nan"), 1.0], [float("inf"), 1.0]])
def test_what_is_no_direction_is_not_compared(odd):
    cache = QueryResultCache()
    cache.set("a", 1, query_embedding=odd)
    cache.set("b", 2, query_embedding=EAST)
    assert cache.get("?", query_embedding=odd) is None
    assert cache.get("?", query_embedding=EAST) == 2
    assert cache.get("?", query_embedding=[1.0, 0.0, 0.0]) is None


def test_against_every_entry_compared_one_by_one():
    seed = random.randrange(1 << 30)
    chance = np.random.default_rng(seed)
    cache = QueryResultCache(max_size=30, similarity_threshold=0.6)
    kept: dict[str, list[float]] = {}
    for i in range(300):
        name = f"q{int(chance.integers(60))}"
        vector = chance.standard_normal(4)
        if chance.random() < 0.5:
            kept.pop(name, None)
            while len(kept) >= 30:
                kept.pop(next(iter(kept)))
            kept[name] = vector.tolist()
            cache.set(name, name, query_embedding=kept[name])
            continue
        unit = vector / np.linalg.norm(vector)
        scores = {k: float(unit @ v / np.linalg.norm(v)) for k, v in kept.items()}
        best = max(scores, key=scores.__getitem__, default=None)
        expected = best if best is not None and scores[best] >= 0.6 else None
        assert cache.get(f"?{i}", query_embedding=vector) == expected, f"seed {seed}"
        if expected is not None:
            kept[expected] = kept.pop(expected)
    assert cache.stats["size"] == len(kept)


def test_threads():
    cache = QueryResultCache(max_size=20, similarity_threshold=0.9)
    failures = []

    def work(number: int) -> None:
        chance = np.random.default_rng(number)
        try:
            for i in range(300):
                name = f"q{i % 37}"
                cache.set(name, name, [str(number % 2)], chance.standard_normal(8))
                cache.get("?", [str(number % 2)], chance.standard_normal(8))
                if i % 50 == 0:
                    cache.invalidate_knowledge_base("0")
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert not failures
    assert cache.stats["size"] <= 20
