"""Takes over the JSON file in which ATLAS's "faiss" adapter has kept its vectors.

The file is read and left as it is, so that nothing has to be given back: whoever reverts has it.
"""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from neuralcore.compat._adopt.files import MigrationError

if TYPE_CHECKING:
    from neuralcore._calls import Caller
    from neuralcore.compat._atlas.tool_types import VectorRecord

_PART = 1000


def read(path: Path) -> dict[str, list[VectorRecord]]:
    """The records of a file by namespace.

    :raises MigrationError: if it is no such file; it names the first record that makes no sense.
    """
    from neuralcore.compat._atlas.tool_types import VectorRecord

    try:
        content = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise MigrationError(f"{path} cannot be read: {error}") from error
    if not isinstance(content, Mapping):
        raise MigrationError(f"{path} is no file of vectors: it has no namespaces.")
    found: dict[str, list[VectorRecord]] = {}
    for namespace, records in content.items():
        if not isinstance(records, Mapping):
            raise MigrationError(f"{path}: namespace {namespace!r} has no records.")
        for key, record in records.items():
            values: Any = record.get("values") if isinstance(record, Mapping) else None
            if not _is_vector(values):
                raise MigrationError(f"{path}: record {key!r} of {namespace!r} has no vector.")
            metadata = record.get("metadata")
            made = VectorRecord(
                str(record.get("id", key)),
                tuple(map(float, values)),
                metadata if isinstance(metadata, Mapping) else {},
            )
            found.setdefault(str(namespace), []).append(made)
    return found


def _is_vector(values: Any) -> bool:
    return (
        isinstance(values, list)
        and len(values) > 0
        and all(type(v) in (int, float) and math.isfinite(v) for v in values)
    )


def migrate(
    path: Path, index: str = "default", metric: str = "cosine", client: Caller | None = None
) -> dict[str, Any]:
    """Puts a file's vectors into the index of that name; what the manifest remembers.

    Needs the daemon, and may start it. What is there under the same id is replaced, so that doing
    it twice is doing it once.

    :raises MigrationError: if it is no such file, or there is no daemon.
    """
    from neuralcore._default import default_client
    from neuralcore.compat._atlas.tool_adapter import NeuralCoreVectorStoreAdapter

    namespaces = read(path)
    adapter = NeuralCoreVectorStoreAdapter(
        index_name=index, metric=metric, client=client or default_client(require="daemon")
    )

    async def put() -> None:
        for namespace, records in namespaces.items():
            for start in range(0, len(records), _PART):
                await adapter.upsert_vectors(namespace, tuple(records[start : start + _PART]))

    try:
        asyncio.run(put())
    except RuntimeError as error:  # of ATLAS's errors, or of ours in their place
        raise MigrationError(f"{path}: {error}") from error
    return {
        "kind": "vectors",
        "path": str(path.absolute()),
        "index": index,
        "namespaces": len(namespaces),
        "vectors": sum(map(len, namespaces.values())),
    }
