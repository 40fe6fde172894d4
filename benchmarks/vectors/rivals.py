"""hnswlib, faiss and usearch behind the line protocol of Contenders.java, in their own process.

data FILE COUNT DIMENSION | query FILE COUNT
build NAME M EF THREADS FILE     seconds, and the processor's; keeps the index in FILE
load NAME FILE | search NAME K EF OUT     seconds of all queries in one call, one thread
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from importlib import import_module
from typing import Any, Protocol

import numpy as np


class Index(Protocol):
    def build(self, data: np.ndarray, m: int, ef: int, threads: int) -> None: ...
    def save(self, file: str) -> None: ...
    def load(self, file: str, count: int) -> None: ...
    def search(self, queries: np.ndarray, k: int, ef: int) -> np.ndarray: ...


class Hnswlib:
    def __init__(self, dimension: int) -> None:
        self.index: Any = import_module("hnswlib").Index("cosine", dimension)

    def build(self, data: np.ndarray, m: int, ef: int, threads: int) -> None:
        self.index.init_index(len(data), M=m, ef_construction=ef)
        self.index.add_items(data, num_threads=threads)

    def save(self, file: str) -> None:
        self.index.save_index(file)

    def load(self, file: str, count: int) -> None:
        self.index.load_index(file, max_elements=count)

    def search(self, queries: np.ndarray, k: int, ef: int) -> np.ndarray:
        self.index.set_ef(max(ef, k))
        return np.asarray(self.index.knn_query(queries, k=k, num_threads=1)[0])


class Faiss:
    """Unit vectors: the inner product is the cosine."""

    def __init__(self, dimension: int) -> None:
        self.faiss: Any = import_module("faiss")
        self.dimension = dimension
        self.index: Any = None

    def build(self, data: np.ndarray, m: int, ef: int, threads: int) -> None:
        self.faiss.omp_set_num_threads(threads)
        self.index = self.faiss.IndexHNSWFlat(self.dimension, m, self.faiss.METRIC_INNER_PRODUCT)
        self.index.hnsw.efConstruction = ef
        self.index.add(data)

    def save(self, file: str) -> None:
        self.faiss.write_index(self.index, file)

    def load(self, file: str, count: int) -> None:
        self.index = self.faiss.read_index(file)

    def search(self, queries: np.ndarray, k: int, ef: int) -> np.ndarray:
        self.faiss.omp_set_num_threads(1)
        self.index.hnsw.efSearch = ef
        return np.asarray(self.index.search(queries, k)[1])


class Usearch:
    def __init__(self, dimension: int, dtype: str = "f32") -> None:
        self.make: Any = import_module("usearch.index").Index
        self.dimension = dimension
        self.dtype = dtype
        self.index: Any = None

    def build(self, data: np.ndarray, m: int, ef: int, threads: int) -> None:
        self.index = self.make(
            ndim=self.dimension, metric="cos", dtype=self.dtype, connectivity=m, expansion_add=ef
        )
        self.index.add(np.arange(len(data), dtype=np.uint64), data, threads=threads)

    def save(self, file: str) -> None:
        self.index.save(file)

    def load(self, file: str, count: int) -> None:
        self.index = self.make(ndim=self.dimension, metric="cos", dtype=self.dtype)
        self.index.load(file)

    def search(self, queries: np.ndarray, k: int, ef: int) -> np.ndarray:
        self.index.expansion_search = ef
        return np.asarray(self.index.search(queries, k, threads=1).keys)


def main() -> None:
    data = queries = np.zeros((0, 0), np.float32)
    indexes: dict[str, Index] = {}
    make: dict[str, Callable[[int], Index]] = {
        "hnswlib": Hnswlib,
        "faiss": Faiss,
        "usearch": Usearch,
        "usearch-i8": lambda dimension: Usearch(dimension, "i8"),
    }
    for line in sys.stdin:
        verb, *words = line.split()
        answer = "ok"
        began = time.perf_counter()
        if verb == "data":
            data = np.memmap(words[0], np.float32, "r", shape=(int(words[1]), int(words[2])))
        elif verb == "query":
            queries = np.fromfile(words[0], np.float32).reshape(-1, data.shape[1])
        elif verb == "build":
            index = make[words[0]](data.shape[1])
            began, used = time.perf_counter(), time.process_time()
            index.build(data, int(words[1]), int(words[2]), int(words[3]))
            answer = f"{time.perf_counter() - began} {time.process_time() - used}"
            index.save(words[4])
            indexes[words[0]] = index
        elif verb == "load":
            indexes[words[0]] = make[words[0]](data.shape[1])
            indexes[words[0]].load(words[1], len(data))
        elif verb == "search":
            found = indexes[words[0]].search(queries, int(words[1]), int(words[2]))
            answer = str(time.perf_counter() - began)
            np.asarray(found).astype(np.int32).tofile(words[3])
        else:
            raise ValueError(line)
        print(answer, flush=True)


if __name__ == "__main__":
    main()
