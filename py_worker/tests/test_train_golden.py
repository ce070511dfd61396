"""Training against the golden runs of the reference: weights, both losses at every step, resampled features."""

from __future__ import annotations

import pytest
import torch
from golden import REFERENCE_RESAMPLING, Batches, case

from dictlearn_worker import protocol as p
from dictlearn_worker.dictionary.standard import AutoEncoder
from dictlearn_worker.objects import Objects
from dictlearn_worker.registry import HANDLERS, Context
from dictlearn_worker.train.trainee import Trainee

import dictlearn_worker.operations  # noqa: F401  isort: skip

CASES = ["standard-f64", "standard-f32", "no-resampling-f64", "entropy-f64", "stretcher-f64"]


def call(context: Context, name: str, /, **params: object):
    """Runs one operation as the loop would."""
    types = p.DATA_METHODS[name]
    return HANDLERS[name](context, types[0](**params))


class Run:
    """Plays the reference's loop with the worker's operations."""

    def __init__(self, name: str) -> None:
        self.settings, self.tensors = case("train", name)
        s = self.settings
        self.context = Context(Objects())
        put = self.context.objects.put
        self.source = put(Batches(self.tensors["inputs"], self.tensors.get("targets")))
        self.generator = put(torch.Generator().manual_seed(s["seed"]))
        self.dictionary = call(
            self.context,
            "dictionary.create",
            input_width=self.tensors["inputs"].shape[-1],
            output_width=self.tensors.get("targets", self.tensors["inputs"]).shape[-1],
            size=s["dictionary_size"],
            dtype=s["dtype"],
            device="cpu",
            generator=self.generator,
        ).dictionary
        self.adam = p.Adam(beta1=0.9, beta2=0.999, epsilon=1e-8, fused=False)
        self.trainee = call(self.context, "trainee.create", dictionary=self.dictionary, adam=self.adam).trainee
        self.loss = p.Loss(reconstruction="rmse", sparsity="entropy" if s.get("entropy") else "l1")
        self.log: list[dict] = []
        self.checkpoints: dict[int, dict[str, torch.Tensor]] = {}

    def state(self) -> dict[str, torch.Tensor]:
        dictionary = self.context.objects.get(self.dictionary, AutoEncoder)
        return {key: tensor.clone() for key, tensor in dictionary.state_dict().items()}

    def play(self) -> None:
        s = self.settings
        every = s["resample_steps"]
        for step in range(s["batches"]):
            warm = min(step / s["warmup_steps"], 1.0)
            numbers = p.StepNumbers(
                trainee=self.trainee,
                site=0,
                first_step=step,
                scale=1.0,
                lr=[s["lr"] * warm],
                sparsity_penalty=[s["sparsity_penalty"]],
                loss=self.loss,
                adam=self.adam,
                fired="updated",
                autocast=None,
            )
            call(self.context, "train.steps", source=self.source, rows=[s["batch_size"]], trainees=[numbers])
            entry: dict = {"step": step}
            if every is not None and step % every == every - 1:
                since = step - (every - 1) + every // 2 + 1
                features = call(self.context, "train.dead", trainee=self.trainee, since=since).features
                if features:
                    call(
                        self.context,
                        "train.resample",
                        source=self.source,
                        trainee=self.trainee,
                        site=0,
                        step=step,
                        scale=1.0,
                        features=features,
                        generator=self.generator,
                        resampling=REFERENCE_RESAMPLING,
                    )
                    entry["features"] = features
            result = call(
                self.context,
                "train.metrics",
                source=self.source,
                trainee=self.trainee,
                site=0,
                loss=self.loss,
                scale=1.0,
                dead_since=0,
            )
            entry |= {"rmse": result.rmse_loss, "sparsity": result.sparsity_loss}
            self.log.append(entry)
            if s["save_steps"] and step % s["save_steps"] == 0:
                self.checkpoints[step] = self.state()


@pytest.mark.parametrize("name", CASES)
def test_golden_run(name: str) -> None:
    """float64 agrees to 1e-9 relative, float32 to 1e-4, and the lists of resampled features exactly."""
    run = Run(name)
    tolerance = 1e-9 if run.settings["dtype"] == "float64" else 1e-4
    for key, tensor in run.state().items():
        torch.testing.assert_close(tensor, run.tensors[f"init.{key}"], rtol=tolerance, atol=tolerance)
    run.play()

    for entry, expected in zip(run.log, run.settings["steps_log"], strict=True):
        assert entry["rmse"] == pytest.approx(expected["mse_loss"], rel=tolerance), entry["step"]
        assert entry["sparsity"] == pytest.approx(expected["sparsity_loss"], rel=tolerance), entry["step"]
        assert entry.get("features") == expected.get("resampled", {}).get("dead_indices"), entry["step"]
    for key, tensor in run.state().items():
        torch.testing.assert_close(tensor, run.tensors[f"final.{key}"], rtol=tolerance, atol=tolerance)
    for step, state in run.checkpoints.items():
        for key, tensor in state.items():
            torch.testing.assert_close(tensor, run.tensors[f"checkpoints.{step}.{key}"], rtol=tolerance, atol=tolerance)
    assert run.context.objects.get(run.trainee, Trainee).dictionary.size == run.settings["dictionary_size"]
