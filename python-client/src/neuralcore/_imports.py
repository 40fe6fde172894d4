"""Vectors that other programs have saved.

Nothing in a file is believed: every count is compared with the file's length before it is used.
"""

from __future__ import annotations

import json
import os
import struct
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from neuralcore import _parts
from neuralcore.errors import InvalidRequest
from neuralcore.fallback._finite import check_finite

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from neuralcore.client import Collection

# hnswlib's hnswalg.h, saveIndex: offset of level 0, room, elements, bytes an element, offset of the
# label, offset of the vector, largest level, entry point, M on the upper levels, M on level 0, M,
# multiplier of the levels, ef_construction. Native (little-endian, 64 bits).
_HNSWLIB = struct.Struct("<QQQQQQiIQQQdQ")
_DELETED = 1


def read_hnswlib(
    path: str | os.PathLike[str],
) -> tuple[NDArray[np.int64], NDArray[np.float32], dict[str, int]]:
    """Labels, vectors (n × d) and the index's settings.

    :raises InvalidRequest: if it is no such file.
    """
    import numpy as np

    data = Path(path).read_bytes()
    if len(data) < _HNSWLIB.size:
        raise InvalidRequest(f"{path} is not an index of hnswlib: it has {len(data)} bytes.")
    head = _HNSWLIB.unpack_from(data)
    _, room, count, size, label_at, vector_at, _, _, _, m0, m, _, ef = head
    if (
        not 2 <= m <= 10_000
        or vector_at != 4 * m0 + 4
        or label_at <= vector_at
        or (label_at - vector_at) % 4
        or size != label_at + 8
        or count > room
        or count * size > len(data) - _HNSWLIB.size
    ):
        raise InvalidRequest(f"{path} is not an index of hnswlib: its head does not fit it.")
    if not _ends_with_links(data, _HNSWLIB.size + count * size, count):
        raise InvalidRequest(f"{path} is damaged: it does not end where its links do.")
    elements = np.frombuffer(data, np.uint8, count * size, _HNSWLIB.size).reshape(count, size)
    # The third byte of an element's list of links has its marks.
    live = (elements[:, 2] & _DELETED) == 0
    vectors = np.ascontiguousarray(elements[live, vector_at:label_at]).view("<f4")
    labels = np.ascontiguousarray(elements[live, label_at:]).view("<i8").reshape(-1)
    dimension = (label_at - vector_at) // 4
    settings = {"m": int(m), "m0": int(m0), "ef_construction": int(max(1, ef))}
    settings["max_elements"] = int(max(1, room))
    return labels, vectors.reshape(-1, dimension), settings


def _ends_with_links(data: bytes, start: int, count: int) -> bool:
    """Whether the file ends with each element's links on the upper levels, bytes after their
    number."""
    at = start
    for _ in range(count):
        if at + 4 > len(data):
            return False
        at += 4 + int.from_bytes(data[at : at + 4], "little")
    return at == len(data)


class _Saved(NamedTuple):
    """What a namespace of an ATLAS vector file has."""

    namespace: str
    ids: list[str]
    vectors: NDArray[np.float32]
    metadata: list[dict[str, Any]]


def import_atlas_json(collection: Collection, path: str | os.PathLike[str]) -> int:
    """Puts the vectors of an ATLAS vector file into a collection; how many there were.

    Such a file is JSON: namespaces, each an object of id → ``{"id", "values", "metadata"}``.

    :raises InvalidRequest: if it is not, or if a vector has not the collection's length, or a value
        that is no finite number; then nothing was put.
    """
    try:
        content = json.loads(Path(path).read_bytes())
    except (ValueError, RecursionError) as e:
        raise InvalidRequest(f"{path} is not JSON: {e}.") from e
    if not isinstance(content, Mapping):
        raise InvalidRequest(f"{path} is not a vector file: it does not hold an object.")
    saved = list(_namespaces(path, content))
    lengths = {part.vectors.shape[1] for part in saved}
    if len(lengths) > 1:
        raise InvalidRequest(f"{path}: its vectors differ in length: {sorted(lengths)}.")
    for part in saved:
        collection.upsert(part.ids, part.vectors, part.metadata, namespace=part.namespace)
    return sum(len(part.ids) for part in saved)


def _namespaces(path: str | os.PathLike[str], content: Mapping[str, Any]) -> Iterator[_Saved]:
    for namespace, entries in content.items():
        if not isinstance(entries, Mapping):
            raise InvalidRequest(f"{path}: namespace {namespace!r} is not an object.")
        if namespace == "*":
            raise InvalidRequest(f"{path}: a namespace cannot be '*', which means all of them.")
        ids, values, metadata = [], [], []
        for key, entry in entries.items():
            if not isinstance(entry, Mapping) or not isinstance(entry.get("values"), list):
                raise InvalidRequest(f"{path}: {namespace!r}/{key!r} has no list of values.")
            ids.append(str(entry.get("id", key)))
            values.append(entry["values"])
            given = entry.get("metadata")
            metadata.append(dict(given) if isinstance(given, Mapping) else {})
        if ids:
            what = f"{path}: the vectors of {namespace!r}"
            vectors, _ = _parts.matrix(values, what)
            check_finite(vectors, what)
            yield _Saved(namespace, ids, vectors, metadata)
