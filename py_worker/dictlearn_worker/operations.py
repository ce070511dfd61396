"""Importing this module registers every operation of the protocol."""

from __future__ import annotations

from . import system

__all__ = ["system"]
