"""This machine's peak speed: a product of two square float32 matrices, taken in turn with the measured code."""

import torch

SIDE = 2048
# Floating-point operations of the product.
OPERATIONS = 2 * SIDE**3


def product():
    """Multiplies once per call, in preallocated memory."""
    square, out = torch.randn(SIDE, SIDE), torch.empty(SIDE, SIDE)
    return lambda *_: torch.mm(square, square, out=out)
