"""What is known of a model before it is asked: ATLAS reads it without initializing the provider."""

from __future__ import annotations

from typing import NamedTuple

DEFAULT_MODEL = "all-MiniLM-L6-v2"
_BGE_QUERY = "Represent this sentence for searching relevant passages: "


class Known(NamedTuple):
    """
    :param dimension: of its vectors.
    :param max_tokens: of a text that it sees.
    :param query_prefix, document_prefix: what it wants before each; "" for nothing.
    """

    dimension: int
    max_tokens: int = 512
    query_prefix: str = ""
    document_prefix: str = ""

    @property
    def symmetric(self) -> bool:
        return not (self.query_prefix or self.document_prefix)


def _bge(dimension: int) -> Known:
    return Known(dimension, query_prefix=_BGE_QUERY)


def _e5(dimension: int) -> Known:
    return Known(dimension, query_prefix="query: ", document_prefix="passage: ")


KNOWN = {
    "all-MiniLM-L6-v2": Known(384, 256),
    "all-MiniLM-L12-v2": Known(384, 128),
    "all-mpnet-base-v2": Known(768, 384),
    "paraphrase-MiniLM-L6-v2": Known(384, 128),
    "multi-qa-MiniLM-L6-cos-v1": Known(384),
    "bge-small-en-v1.5": _bge(384),
    "bge-base-en-v1.5": _bge(768),
    "bge-large-en-v1.5": _bge(1024),
    "e5-small-v2": _e5(384),
    "e5-base-v2": _e5(768),
    "e5-large-v2": _e5(1024),
    "gte-small": Known(384),
    "gte-base": Known(768),
    "gte-large": Known(1024),
    "nomic-embed-text-v1.5": Known(
        768, 8192, query_prefix="search_query: ", document_prefix="search_document: "
    ),
}

_SIZES = {"small": 384, "base": 768, "large": 1024}
_FAMILIES = {"bge": _bge, "e5": _e5, "gte": Known}


def known(model: str) -> Known:
    """By name, with or without its organization; else by its family (``BAAI/bge-small-en``); else
    with 384 dimensions, until the model itself is asked."""
    name = model.replace("\\", "/").rstrip("/").rpartition("/")[2]
    if name in KNOWN:
        return KNOWN[name]
    family, _, rest = name.partition("-")
    size = _SIZES.get(rest.partition("-")[0], 384)
    return _FAMILIES.get(family, Known)(size)
