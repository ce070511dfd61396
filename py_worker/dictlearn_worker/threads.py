"""The number of threads that torch computes with."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def one_thread(*, where: bool) -> Iterator[None]:
    """One thread in the block, if `where`; else all."""
    threads = torch.get_num_threads()
    if threads == 1 or not where:
        yield
        return
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
