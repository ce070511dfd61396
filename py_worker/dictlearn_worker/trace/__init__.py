"""Recorded traces: a program of operations, run inside one nnsight trace."""
