"""Taxonomies beside embeddings: reading one, which of its words are tokens, what is measured, result and verdict."""
