"""Whether torch computes with the instructions that this run of the tests asks for; see scripts/test.js."""

from __future__ import annotations

import os

import torch


def test_instructions_are_those_that_were_asked_for() -> None:
    """Without a setting torch uses the processor's best instructions."""
    best = "AVX512" if torch.cpu._is_avx512_supported() else "AVX2" if torch.cpu._is_avx2_supported() else "DEFAULT"
    expected = {"default": "DEFAULT", "avx2": "DEFAULT" if best == "DEFAULT" else "AVX2"}
    asked = os.environ.get("ATEN_CPU_CAPABILITY")
    if asked is not None:
        assert torch.backends.cpu.get_cpu_capability() == expected[asked]
