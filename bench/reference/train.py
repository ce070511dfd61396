"""The training procedure of dictionary_learning ddac948 from its documented facts: one loop, one global generator."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import torch
from dictionary import AutoEncoder, losses


@dataclass
class Settings:
    dictionary_size: int
    lr: float
    sparsity_penalty: float
    warmup_steps: int
    steps: int | None = None
    entropy: bool = False
    resample_steps: int | None = None
    save_steps: int | None = None


@dataclass
class Trained:
    ae: AutoEncoder
    log: list[dict] = field(default_factory=list)
    checkpoints: dict[int, dict[str, torch.Tensor]] = field(default_factory=dict)


class ConstrainedAdam(torch.optim.Adam):
    """Adam whose decoder columns keep norm 1."""

    def __init__(self, ae: AutoEncoder, lr: float) -> None:
        super().__init__(ae.parameters(), lr=lr)
        self.columns = ae.decoder.weight

    def step(self) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        with torch.no_grad():
            unit = self.columns / self.columns.norm(dim=0, keepdim=True)
            gradient = self.columns.grad
            assert gradient is not None
            gradient -= (gradient * unit).sum(dim=0, keepdim=True) * unit
        super().step()
        with torch.no_grad():
            self.columns /= self.columns.norm(dim=0, keepdim=True)


def train(batches: Iterable[tuple[torch.Tensor, torch.Tensor]], widths: tuple[int, int], s: Settings) -> Trained:
    """Trains on (input, target) batches of these widths, which are the same tensor except with in_to_out."""
    ae = AutoEncoder(*widths, s.dictionary_size)
    optimiser = ConstrainedAdam(ae, s.lr)

    def warm(step: int) -> float:
        return step / s.warmup_steps if step < s.warmup_steps else 1.0

    scheduler = torch.optim.lr_scheduler.LambdaLR(optimiser, warm)
    alive = torch.zeros(s.dictionary_size, dtype=torch.bool)
    trained = Trained(ae)
    for step, (x, y) in enumerate(batches):
        if s.steps is not None and step >= s.steps:
            break
        optimiser.zero_grad()
        reconstruction, sparsity = losses(ae, x, y, s.entropy)
        (reconstruction + s.sparsity_penalty * sparsity).backward()
        optimiser.step()
        scheduler.step()
        entry: dict = {"step": step, "elements": y.numel()}
        with torch.no_grad():
            if s.resample_steps is not None:
                alive |= (ae.encode(x) != 0).any(dim=0)
                if step % s.resample_steps == s.resample_steps // 2:
                    alive[:] = False
                if step % s.resample_steps == s.resample_steps - 1 and not alive.all():
                    dead = torch.nonzero(~alive).flatten()
                    entry["resampled"] = dead.tolist()
                    resample(ae, optimiser, dead, x, y)
            terms = losses(ae, x, y, s.entropy)
        entry |= {"rmse_loss": terms[0].item(), "sparsity_loss": terms[1].item()}
        trained.log.append(entry)
        if s.save_steps is not None and step % s.save_steps == 0:
            trained.checkpoints[step] = {key: value.clone() for key, value in ae.state_dict().items()}
    return trained


def resample(
    ae: AutoEncoder, optimiser: ConstrainedAdam, dead: torch.Tensor, x: torch.Tensor, y: torch.Tensor
) -> None:
    """All dead features get the same encoder row; each gets a decoder column from a row drawn by its error."""
    errors = (y - ae.decode(ae.encode(x))).norm(dim=-1)
    if not torch.isfinite(errors).all():
        return
    rows = torch.multinomial(errors, len(dead), replacement=True)
    living = torch.ones(len(ae.encoder.bias), dtype=torch.bool)
    living[dead] = False
    ae.decoder.weight[:, dead] = y[rows].T
    ae.decoder.weight /= ae.decoder.weight.norm(dim=0, keepdim=True)
    ae.encoder.weight[dead] = 0.2 * ae.encoder.weight[living].mean(dim=0)
    ae.encoder.bias[dead] = 0
    for parameter in (ae.encoder.weight, ae.encoder.bias):
        for moment in ("exp_avg", "exp_avg_sq"):
            optimiser.state[parameter][moment][dead] = 0
