"""Importing this module registers every operation of the protocol."""

from __future__ import annotations

from . import system
from .dictionary import operations as dictionary
from .train import operations as train

__all__ = ["dictionary", "system", "train"]
