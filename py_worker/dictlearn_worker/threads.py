"""How many threads torch computes with."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def one_thread(*, where: bool) -> Iterator[None]:
    """In the block, if `where`; else as many as there are."""
    threads = torch.get_num_threads()
    if threads == 1 or not where:
        yield
        return
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
