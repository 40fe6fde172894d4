"""Embedding for other frameworks: ``langchain``, ``llama_index``, ``haystack``.

Each module needs its framework (``pip install 'neuralcore-runtime[langchain]'`` and so on) and only
says in its words what :class:`neuralcore.embedding.EmbeddingEngine` does.
"""
