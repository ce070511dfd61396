"""One step with gradients in closed form: no graph, no needless product, and no more than a block of gradients.

With x' = x - b_in, f = ReLU(x' W^T + b_enc), y_hat = f D + b (W: (m, d_in), D: (m, d_out), the decoder's columns as
rows):

    G = dL/dy_hat                            (B, d_out)
    S = (G D^T + penalty * dS/df) [f > 0]    (B, m)      dL/d pre-activation
    dL/dD = f^T G,  dL/dW = S^T x',  dL/db_enc = sum S,  dL/db_in = -(sum S) W,  dL/db = sum G

and one gradient, the sum of the last two, where b_in is b. S is needed only where f > 0: if that is rare,
everything but the encoding is summed over these pairs alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch

from ..dictionary.standard import AutoEncoder
from ..memory import Scratch
from ..protocol import StepNumbers
from . import fused
from .adam import ConstrainedAdam, FeatureGradients
from .encoded import Encoded, blocks, encode_blocks
from .fused import kernels_for
from .products import biased_product, product
from .slopes import EntropySlope, reconstruction_slope


class AnalyticStep:
    """Steps of one dictionary. Sums and the loss are in the masters' dtype.

    With bfloat16 products their factors are rounded to it, as under torch.autocast: f and S are stored in it, which
    halves the memory traffic. Unlike autocast, no other product is rounded, and f only after bias and ReLU.
    """

    def __init__(self, dictionary: AutoEncoder, optimiser: ConstrainedAdam) -> None:
        """Lays out the decoder's memory feature by feature."""
        self.dictionary = dictionary
        self.optimiser = optimiser
        self.dtype = optimiser.masters[0].dtype
        self.features = Scratch.shared("features", dictionary.device)
        self.rows = Scratch.shared("rows", dictionary.device)
        self.kernels = kernels_for(dictionary.device, self.dtype)

    @torch.no_grad()
    def take(self, x: torch.Tensor, y: torch.Tensor, numbers: StepNumbers, offset: int) -> tuple[torch.Tensor, Encoded]:
        """One step on x (rows, d_in) and y (rows, d_out); the loss on the device, and the features before the step."""
        low = numbers.autocast == "bfloat16" or self.optimiser.rounded
        dictionary, rows = self.dictionary, len(x)
        weights = Weights.of(dictionary, torch.bfloat16 if low else self.dtype)
        # On the heap they would fragment it.
        shifted, error, square = self.rows.take(self.dtype, x.shape, y.shape, y.shape)
        torch.sub(x.to(self.dtype), dictionary.shift.detach(), out=shifted)
        factor = shifted.to(weights.dtype)
        encoded = self._encode(weights, factor)
        error = self._decode(weights, encoded, error).sub_(y)
        reconstruction, by_y = reconstruction_slope(error, numbers.loss.reconstruction, square)
        penalty = numbers.sparsity_penalty[offset]
        if numbers.loss.sparsity == "l1":
            sparsity, slope = encoded.total() / rows, None
        else:
            sparsity, slope = encoded.entropy()
        self._update(weights, encoded, factor, by_y, slope, penalty / rows, numbers.lr[offset])
        return reconstruction + penalty * sparsity, encoded

    def _encode(self, weights: Weights, shifted: torch.Tensor) -> Encoded:
        weight, bias = weights.encoder, self.dictionary.encoder.bias.detach()
        [f] = self.features.take(weights.dtype, (len(weight), len(shifted)))
        parts = blocks(len(weight), max(f.shape[1], weight.shape[1]), f.device)
        if self.kernels is None and weights.dtype == self.dtype:

            def features() -> Iterator[tuple[slice, torch.Tensor]]:
                for where in parts:
                    biased_product(weight[where], shifted.T, bias[where].unsqueeze(1), f[where])
                    yield where, f[where]

            return encode_blocks(features(), f, sparse=f.device.type == "cpu")
        activate = (self.kernels or fused).activate
        sums = torch.empty(len(weight), dtype=self.dtype, device=f.device)
        for where in parts:
            part = f[where]
            if weights.dtype == self.dtype:
                z = torch.mm(weight[where], shifted.T, out=part)
            else:
                z = product(weight[where], shifted.T, self.dtype)
            sums[where] = activate(z, bias[where], part)
        return Encoded(f, sums != 0, sums=sums)

    def _decode(self, weights: Weights, encoded: Encoded, out: torch.Tensor) -> torch.Tensor:
        """The reconstructions (B, d_out), in `out` if that costs nothing."""
        bias = self.dictionary.bias.detach()
        if encoded.pairs is not None:
            return encoded.pairs.decode(weights.columns, encoded.batch).add_(bias)
        if weights.dtype != self.dtype:
            return product(encoded.f.T, weights.columns, self.dtype).add_(bias)
        columns = weights.columns
        if columns.is_cuda and torch.backends.cuda.matmul.allow_tf32:
            # Transposed, TF32 products take 0.18 instead of 0.26 ms at the published size, for a copy of 17 MB.
            columns = columns.T.contiguous().T
        return torch.addmm(bias, encoded.f.T, columns, out=out)

    def _update(
        self,
        weights: Weights,
        encoded: Encoded,
        shifted: torch.Tensor,
        by_y: torch.Tensor,
        slope: EntropySlope | None,
        penalty: float,
        lr: float,
    ) -> None:
        dictionary, optimiser = self.dictionary, self.optimiser
        weight, columns = weights.encoder, weights.columns
        factor = by_y.to(weights.dtype)
        through_shift = torch.zeros_like(shifted[0], dtype=self.dtype)
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
                by_f = product(columns[where], factor.T, factor.dtype)
                if slope is not None:
                    by_bias = fused.gate(by_f, f, penalty * slope.at(f.to(self.dtype), None))
                else:
                    by_bias = (self.kernels or fused).gate(by_f, f, penalty)
                by_weight, by_column = product(by_f, shifted, self.dtype), product(f, factor, self.dtype)
                along = (by_column * optimiser.columns[where]).sum(dim=1)
            through_shift -= by_bias @ dictionary.encoder.weight.detach()[where].to(self.dtype)
            optimiser.update_features(where, FeatureGradients(by_weight, by_bias, by_column, along), lr)
        by_output = by_y.sum(dim=0)
        biases = [through_shift, by_output] if dictionary.own_input_bias else [through_shift + by_output]
        optimiser.update_biases(biases, lr)


@dataclass
class Weights:
    """The weights as factors of products, rounded if those are. encoder: W (m, d_in); columns: D (m, d_out)."""

    encoder: torch.Tensor
    columns: torch.Tensor

    @classmethod
    def of(cls, dictionary: AutoEncoder, dtype: torch.dtype) -> Weights:
        """The factors of a dictionary; the parameters themselves if they have that dtype."""
        encoder, decoder = dictionary.encoder.weight.detach(), dictionary.decoder.weight.detach()
        return cls(encoder.to(dtype), decoder.T.to(dtype))

    @property
    def dtype(self) -> torch.dtype:
        """The dtype of the factors."""
        return self.encoder.dtype
