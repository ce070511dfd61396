"""The standard dictionary: one ReLU layer, untied weights, decoder columns of norm 1."""

from __future__ import annotations

import math

import torch
from torch import nn
from torch.nn.functional import linear


class AutoEncoder(nn.Module):
    """f = ReLU(W_enc (x - b_in) + b_enc),  y_hat = W_dec f + b.

    x: (rows, d_in), f: (rows, m), y_hat: (rows, d_out). If input and output have one width, b_in is b. If they
    differ, or on request, `input_bias` (d_in) is a separate parameter and comes first in the state_dict.
    Parameters, in the reference's order: bias (d_out), encoder.weight (m, d_in), encoder.bias (m),
    decoder.weight (d_out, m).
    Source: Bricken et al. 2023; dictionary_learning at commit ddac948.
    """

    def __init__(
        self, input_width: int, output_width: int, size: int, dtype: torch.dtype, *, own_input_bias: bool = False
    ) -> None:
        """Allocates uninitialised parameters; `initialise` or `load_state_dict` gives them one."""
        super().__init__()
        self.own_input_bias = own_input_bias or input_width != output_width
        if self.own_input_bias:
            self.input_bias = nn.Parameter(torch.empty(input_width, dtype=dtype))
        self.bias = nn.Parameter(torch.empty(output_width, dtype=dtype))
        self.encoder = nn.Linear(input_width, size, dtype=dtype, device="meta").to_empty(device="cpu")
        self.decoder = nn.Linear(size, output_width, bias=False, dtype=dtype, device="meta").to_empty(device="cpu")

    @property
    def size(self) -> int:
        """The number of features m."""
        return self.encoder.out_features

    @property
    def input_width(self) -> int:
        """d_in."""
        return self.encoder.in_features

    @property
    def output_width(self) -> int:
        """d_out."""
        return self.decoder.out_features

    @property
    def dtype(self) -> torch.dtype:
        """The dtype of all parameters."""
        return self.bias.dtype

    @property
    def device(self) -> torch.device:
        """The device of all parameters."""
        return self.bias.device

    @property
    def biases(self) -> list[nn.Parameter]:
        """All biases. x̂(x) of a dictionary of rows s·x is (1/s)·x̂(s·x): the same weights with all biases times 1/s."""
        return [parameter for name, parameter in self.named_parameters() if name.endswith("bias")]

    @property
    def shift(self) -> nn.Parameter:
        """b_in (d_in), which is subtracted before encoding."""
        return self.input_bias if self.own_input_bias else self.bias

    def encode(self, x: torch.Tensor, *, out: torch.Tensor | None = None) -> torch.Tensor:
        """Features (rows, m) of inputs (rows, d_in); in `out`, without a gradient, the same to the last bit."""
        if out is not None:
            torch.addmm(self.encoder.bias, x - self.shift, self.encoder.weight.T, out=out)
            return out.relu_()
        return torch.relu(linear(x - self.shift, self.encoder.weight, self.encoder.bias))

    def decode(self, f: torch.Tensor) -> torch.Tensor:
        """Reconstructions (rows, d_out) of features (rows, m)."""
        return linear(f, self.decoder.weight) + self.bias

    def lay_out_by_feature(self) -> None:
        """Keeps the decoder (d_out, m) in memory column by column, so that a feature's weights lie together.

        Values, shapes and files do not change; the last bits of a decoding can.
        """
        weight = self.decoder.weight
        weight.data = weight.data.T.contiguous().T

    @torch.no_grad()
    def initialise(self, generator: torch.Generator) -> None:
        """Draws the initial weights as the reference does, in its order, on the CPU.

        Encoder weight and bias: uniform in +-1/sqrt(d_in). A decoder of the same kind is drawn and discarded. Then a
        standard normal (d_out, m) whose columns are scaled to norm 1. The biases b are zero. bfloat16 is drawn in
        float32 and rounded.
        """
        drawn = torch.float32 if self.dtype == torch.bfloat16 else self.dtype
        m, d_in, d_out = self.size, self.input_width, self.output_width
        encoder, bias = draw_encoder(m, d_in, drawn, generator)
        nn.init.kaiming_uniform_(torch.empty(d_out, m, dtype=drawn), a=math.sqrt(5), generator=generator)
        decoder = torch.randn(d_out, m, dtype=drawn, generator=generator)
        decoder = decoder / decoder.norm(dim=0, keepdim=True)
        self.encoder.weight.copy_(encoder)
        self.encoder.bias.copy_(bias)
        self.decoder.weight.copy_(decoder)
        self.bias.zero_()
        if self.own_input_bias:
            self.input_bias.zero_()


def draw_encoder(
    m: int, d_in: int, dtype: torch.dtype, generator: torch.Generator
) -> tuple[torch.Tensor, torch.Tensor]:
    """torch.nn.Linear's default initialisation: weight (m, d_in), then bias (m)."""
    weight = torch.empty(m, d_in, dtype=dtype)
    nn.init.kaiming_uniform_(weight, a=math.sqrt(5), generator=generator)
    bound = 1 / math.sqrt(d_in)
    return weight, torch.empty(m, dtype=dtype).uniform_(-bound, bound, generator=generator)
