"""Streams of documents, and the contexts cut from them."""
