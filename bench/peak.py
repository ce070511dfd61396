"""How fast this machine multiplies: a product of two square float32 matrices, taken in turn with what is measured."""

import torch

SIDE = 2048
# Floating-point operations of the product.
OPERATIONS = 2 * SIDE**3


def product():
    """Does it once per call; the memory is there from the start."""
    square, out = torch.randn(SIDE, SIDE), torch.empty(SIDE, SIDE)
    return lambda *_: torch.mm(square, square, out=out)
