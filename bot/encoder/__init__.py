"""Sentence vectors: building the encoder once, loading it, remembering what was encoded."""
