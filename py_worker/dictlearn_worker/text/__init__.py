"""Streams of documents, and the contexts that are cut from them."""
