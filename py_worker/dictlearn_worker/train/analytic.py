"""One step with gradients in closed form: no graph, no needless product, and no more than a block of gradients.

With x' = x - b_in, f = ReLU(x' W^T + b_enc), y_hat = f D + b (W: (m, d_in), D: (m, d_out), the decoder's columns as
rows):

    G = dL/dy_hat                            (B, d_out)
    S = (G D^T + penalty * dS/df) [f > 0]    (B, m)      dL/d pre-activation
    dL/dD = f^T G,  dL/dW = S^T x',  dL/db_enc = sum S,  dL/db_in = -(sum S) W,  dL/db = sum G

and one gradient, the sum of the last two, where b_in is b. S is needed only where f > 0: where that is seldom,
everything but the encoding is summed over these pairs alone.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch

from ..dictionary.standard import AutoEncoder
from ..protocol import StepNumbers
from .adam import ConstrainedAdam, FeatureGradients
from .encoded import Encoded, blocks, encode_blocks
from .scratch import Scratch
from .slopes import EntropySlope, reconstruction_slope


class AnalyticStep:
    """Steps of one dictionary. Sums and the loss are in the masters' dtype; see `product` for the rest."""

    def __init__(self, dictionary: AutoEncoder, optimiser: ConstrainedAdam) -> None:
        """The decoder's memory is put in order: feature by feature."""
        self.dictionary = dictionary
        self.optimiser = optimiser
        self.dtype = optimiser.masters[0].dtype
        self.scratch = Scratch.shared(dictionary.device, self.dtype)

    @torch.no_grad()
    def take(self, x: torch.Tensor, y: torch.Tensor, numbers: StepNumbers, offset: int) -> tuple[torch.Tensor, Encoded]:
        """One step on x (rows, d_in) and y (rows, d_out); the loss on the device, and the features before the step."""
        low = torch.bfloat16 if numbers.autocast == "bfloat16" or self.optimiser.rounded else None
        dictionary, rows = self.dictionary, len(x)
        shifted = x.to(self.dtype) - dictionary.shift.detach()
        encoded = self._encode(shifted, low)
        error = self._decode(encoded, low).sub_(y)
        reconstruction, by_y = reconstruction_slope(error, numbers.loss.reconstruction)
        penalty = numbers.sparsity_penalty[offset]
        if numbers.loss.sparsity == "l1":
            sparsity, slope = encoded.total() / rows, None
        else:
            sparsity, slope = encoded.entropy()
        self._update(encoded, shifted, by_y, slope, penalty / rows, numbers.lr[offset], low)
        return reconstruction + penalty * sparsity, encoded

    def _encode(self, shifted: torch.Tensor, low: torch.dtype | None) -> Encoded:
        encoder = self.dictionary.encoder
        weight, bias = encoder.weight.detach(), encoder.bias.detach()
        f = self.scratch.take(len(weight), len(shifted))

        def parts() -> Iterator[tuple[slice, torch.Tensor]]:
            for where in blocks(len(weight), max(f.shape[1], weight.shape[1]), f.device):
                if low is None:
                    torch.addmm(bias[where].unsqueeze(1), weight[where], shifted.T, out=f[where])
                else:
                    torch.add(product(weight[where], shifted.T, low), bias[where].unsqueeze(1), out=f[where])
                yield where, f[where]

        return encode_blocks(parts(), f, sparse=low is None and f.device.type == "cpu")

    def _decode(self, encoded: Encoded, low: torch.dtype | None) -> torch.Tensor:
        dictionary = self.dictionary
        columns, bias = dictionary.decoder.weight.detach().T, dictionary.bias.detach()
        if encoded.pairs is not None:
            return encoded.pairs.decode(columns, encoded.batch).add_(bias)
        if low is None:
            return torch.addmm(bias, encoded.f.T, columns)
        return product(encoded.f.T, columns, low).add_(bias)

    def _update(
        self,
        encoded: Encoded,
        shifted: torch.Tensor,
        by_y: torch.Tensor,
        slope: EntropySlope | None,
        penalty: float,
        lr: float,
        low: torch.dtype | None,
    ) -> None:
        dictionary, optimiser = self.dictionary, self.optimiser
        weight, columns = dictionary.encoder.weight.detach(), dictionary.decoder.weight.detach().T
        through_shift = torch.zeros_like(shifted[0])
        widest = max(encoded.batch, weight.shape[1], columns.shape[1])
        optimiser.begin()
        for where in blocks(dictionary.size, widest, weight.device):
            if encoded.pairs is not None:
                block = encoded.pairs.of_features(where.start, where.stop)
                by_f = block.products(columns[where], by_y)
                along = block.sums(block.values * by_f)
                by_f += penalty if slope is None else penalty * slope.at(block.values, block.rows)
                by_bias = block.sums(by_f)
                by_weight, by_column = block.sum_rows(by_f, shifted), block.sum_rows(block.values, by_y)
            else:
                f = encoded.f[where]
                by_f = product(columns[where], by_y.T, low)
                by_f += penalty if slope is None else penalty * slope.at(f, None)
                torch.ops.aten.threshold_backward.grad_input(by_f, f, 0, grad_input=by_f)
                by_bias = by_f.sum(dim=1)
                by_weight, by_column = product(by_f, shifted, low), product(f, by_y, low)
                along = (by_column * optimiser.columns[where]).sum(dim=1)
            through_shift -= by_bias @ weight[where].to(by_bias.dtype)
            optimiser.update_features(where, FeatureGradients(by_weight, by_bias, by_column, along), lr)
        by_output = by_y.sum(dim=0)
        biases = [through_shift, by_output] if dictionary.own_input_bias else [through_shift + by_output]
        optimiser.update_biases(biases, lr)


def product(a: torch.Tensor, b: torch.Tensor, low: torch.dtype | None) -> torch.Tensor:
    """The product a @ b. With `low`, factors and product are rounded to it, as under torch.autocast, then widened."""
    return a @ b if low is None else (a.to(low) @ b.to(low)).float()
