"""Packages like ATLAS's, as far as our stand-ins touch them: written from its interface."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_EMBEDDINGS = """
from neuralcore.compat._atlas.embedding_types import *

_EMBEDDING_PROVIDERS = {}

def get_embedding_provider_class(name):
    if name not in _EMBEDDING_PROVIDERS:
        raise EmbeddingProviderError(f"Unknown embedding provider '{name}'.")
    return _EMBEDDING_PROVIDERS[name]

async def create_embedding_provider(name, **kwargs):
    provider = get_embedding_provider_class(name)(**kwargs)
    await provider.initialize()
    return provider
"""
_HUGGING_FACE = '''
from .base import EmbeddingProvider, _EMBEDDING_PROVIDERS

class HuggingFaceEmbeddingProvider:
    """Theirs."""

_EMBEDDING_PROVIDERS["huggingface"] = HuggingFaceEmbeddingProvider
'''
_FILES = {
    "modules/storage/embeddings/__init__.py": "from .huggingface import *\n",
    "modules/storage/embeddings/base.py": _EMBEDDINGS,
    "modules/storage/embeddings/huggingface.py": _HUGGING_FACE,
    "modules/storage/retrieval/__init__.py": "",
    "modules/storage/retrieval/cache.py": "class QueryResultCache:\n    '''Theirs.'''\n",
}


@contextmanager
def atlas_at(folder: Path, files: dict[str, str] | None = None) -> Iterator[None]:
    """Its packages can be imported from this folder meanwhile."""
    for name, text in {**_FILES, **(files or {})}.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        for package in path.parents:
            if package == folder:
                break
            (package / "__init__.py").touch()
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        sys.path.remove(str(folder))
        for name in [n for n in sys.modules if n.partition(".")[0] in ("modules", "core")]:
            del sys.modules[name]
