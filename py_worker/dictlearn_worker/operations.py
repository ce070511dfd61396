"""Importing this module registers every operation of the protocol."""

from __future__ import annotations

from . import system
from .bench import operations as bench
from .bridge import operations as bridge
from .buffer import operations as buffer
from .dictionary import operations as dictionary
from .evaluate import operations as evaluate
from .features import operations as features
from .models import flops, generate, load, modules, next_token, tokens
from .resume import operations as resume
from .text import operations as text
from .trace import operations as trace
from .train import operations as train

__all__ = [
    "bench",
    "bridge",
    "buffer",
    "dictionary",
    "evaluate",
    "features",
    "flops",
    "generate",
    "load",
    "modules",
    "next_token",
    "resume",
    "system",
    "text",
    "tokens",
    "trace",
    "train",
]
