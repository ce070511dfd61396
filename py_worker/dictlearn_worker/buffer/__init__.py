"""Rows of activations, and how batches are drawn from them."""
