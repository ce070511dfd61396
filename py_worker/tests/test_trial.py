"""The trial of the sites: widths and order of the reads, and nothing computed after them."""

from __future__ import annotations

import pytest
import torch

from dictlearn_worker.errors import WorkerError
from dictlearn_worker.models.language_model import LanguageModel, Read
from dictlearn_worker.protocol import Site, SiteWidths


class Model(torch.nn.Module):
    """Three layers, of which the second is called twice, and one that never runs."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = torch.nn.Embedding(5, 3)
        self.first, self.second, self.third = (torch.nn.Linear(*each) for each in ((3, 7), (7, 7), (7, 2)))
        self.idle = torch.nn.Linear(3, 3)

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        return self.third(self.second(self.second(self.first(self.embed(input_ids)))))


def opened() -> tuple[LanguageModel, list[str]]:
    """The model, and the names of the layers that were computed."""
    module, computed = Model(), []
    for name in ("first", "second", "third"):
        getattr(module, name).register_forward_hook(lambda *_, name=name: computed.append(name))
    return LanguageModel(None, module, None, torch.device("cpu"), None), computed


def test_it_ends_behind_the_last_site() -> None:
    model, computed = opened()
    widths = model.try_sites([Site("second#1", "in_to_out"), Site("first#1", "out")])
    assert widths == [SiteWidths(7, 7), SiteWidths(7, 7)]
    assert computed == ["first", "second"]
    order = [Read("first", "output", 1), Read("second", "input", 1), Read("second", "output", 1)]
    assert model.order == order
    # A site added later is sorted in among the tried ones, and no hook remains.
    assert model.try_sites([Site("third", "in"), Site("embed", "out")]) == [SiteWidths(7, 7), SiteWidths(3, 3)]
    assert model.order == [Read("embed", "output"), *order, Read("third", "input")]
    model.module(torch.zeros(1, 1, dtype=torch.int64), None)
    assert computed[-1] == "third"


def test_calls_are_counted_once_and_then_it_ends_behind_the_last_site() -> None:
    """Whether a module runs again is known only at the end of a pass."""
    model, computed = opened()
    model.try_sites([Site("first", "out")])
    assert computed == ["first", "second", "second", "third"]
    computed.clear()
    model.try_sites([Site("first", "in")])
    assert computed == ["first"]


def test_a_module_that_never_runs_is_waited_for_to_the_end() -> None:
    model, computed = opened()
    with pytest.raises(WorkerError, match="never runs"):
        model.try_sites([Site("first", "out"), Site("idle", "out")])
    assert computed == ["first", "second", "second", "third"]
