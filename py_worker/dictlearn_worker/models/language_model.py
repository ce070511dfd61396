"""A loaded language model, and the reading of its activations through nnsight."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import torch

from ..errors import WorkerError
from ..memory import upload
from ..protocol import Site, SiteWidths
from .shared_tokenizer import SharedTokenizer

# The trial: contexts and tokens. Two contexts tell a row for each token from a value that all contexts share.
TRIAL = (2, 4)


@dataclass(frozen=True)
class Read:
    """One value that is read: a module's input or its output."""

    submodule: str
    kind: str


def reads_of(site: Site) -> tuple[Read, Read]:
    """What a site's inputs and targets are; the same read twice unless it is in_to_out."""
    path = dotted(site.submodule)
    inside, outside = Read(path, "input"), Read(path, "output")
    return {"in": (inside, inside), "out": (outside, outside), "in_to_out": (inside, outside)}[site.io]


def dotted(path: str) -> str:
    """`layers[1].mlp` as `layers.1.mlp`, the form in which PyTorch names modules."""
    return re.sub(r"\[(\d+)\]", r".\1", path)


class ModelInputs(dict[str, torch.Tensor]):
    """The arguments of one forward pass: token ids and attention mask, (contexts, positions) each."""

    @classmethod
    def of(cls, ids: torch.Tensor, mask: torch.Tensor | None, device: torch.device) -> ModelInputs:
        """On `device`. Without a mask the model attends to every earlier position."""
        seen = torch.ones_like(ids) if mask is None else mask
        return cls(input_ids=upload(ids, device), attention_mask=upload(seen, device))

    @property
    def contexts(self) -> int:
        """How many there are."""
        return len(self["input_ids"])


class SeenAll(Exception):
    """Ends a forward pass of which nothing more is wanted."""


@dataclass
class LanguageModel:
    """`traced` is nnsight's wrapper, `module` the Hugging Face model inside it."""

    traced: Any
    module: torch.nn.Module
    tokenizer: Any
    device: torch.device
    max_context: int | None
    # Every read that was tried, in the order in which a forward pass comes by them: nnsight wants them in that order.
    order: list[Read] = field(default_factory=list)
    widths: dict[Read, int] = field(default_factory=dict)
    # nnsight's view of each module by its path, made when it is first asked for.
    envoys: dict[str, Any] = field(default_factory=dict)

    @cached_property
    def shared_tokenizer(self) -> SharedTokenizer:
        """For the threads that read text."""
        return SharedTokenizer(self.tokenizer)

    def envoy(self, path: str) -> Any:
        """The module as nnsight wraps it; the model itself has the empty path. Raises `unknown_submodule`.

        Found by module and not by path: nnsight gives submodules called `input` or `output` other names.
        """
        if not self.envoys:
            by_module = {id(envoy._module): envoy for envoy in self.traced.modules()}
            named = self.module.named_modules()
            self.envoys |= {name: by_module[id(module)] for name, module in named if id(module) in by_module}
        if path not in self.envoys:
            self.submodule(path)
        return self.envoys[path]

    def submodule(self, path: str) -> torch.nn.Module:
        """The module at a dotted path; an unknown one is `unknown_submodule` with the nearest paths."""
        modules = {name: module for name, module in self.module.named_modules() if name}
        if path in modules:
            return modules[path]
        near = difflib.get_close_matches(path, modules, n=5, cutoff=0.4)
        raise WorkerError(
            "unknown_submodule",
            f"The model has no submodule {path!r}.",
            hint=f"Paths like it: {', '.join(near)}." if near else f"Its parts are {', '.join(top_level(modules))}.",
            path=path,
            near=near,
        )

    @torch.no_grad()
    def try_sites(self, sites: Sequence[Site]) -> list[SiteWidths]:
        """Runs two short contexts with hooks, to learn the widths of the sites and the order of their reads.

        It ends behind the last of them: weights that no run needs are then not even read from the disk.

        Raises `unknown_submodule`, or `no_activations` where a value is not (contexts, positions, width).
        """
        wanted = dict.fromkeys([*self.order, *(read for site in sites for read in reads_of(site))])
        seen: dict[Read, tuple[int, ...] | None] = {}
        handles = []

        def see(read: Read, value: Any) -> None:
            seen.setdefault(read, shape_of(first_tensor(value)))
            if len(seen) == len(wanted):
                raise SeenAll

        for read in wanted:
            module = self.submodule(read.submodule)

            def before(_: Any, args: tuple[Any, ...], kwargs: dict[str, Any], read: Read = read) -> None:
                see(read, (*args, *kwargs.values()))

            def after(_: Any, args: tuple[Any, ...], kwargs: dict[str, Any], output: Any, read: Read = read) -> None:
                see(read, output)

            if read.kind == "input":
                handles.append(module.register_forward_pre_hook(before, with_kwargs=True))
            else:
                handles.append(module.register_forward_hook(after, with_kwargs=True))
        ids = torch.zeros(TRIAL, dtype=torch.int64, device=self.device)
        try:
            self.module(input_ids=ids, attention_mask=torch.ones_like(ids))
        except SeenAll:
            pass
        finally:
            for handle in handles:
                handle.remove()
        for read in wanted:
            shape = seen.get(read)
            if shape is None or len(shape) != 3 or shape[:2] != TRIAL:
                if read not in seen:
                    found = "the module never runs in a forward pass"
                elif shape is None:
                    found = "it is not a tensor"
                else:
                    found = f"it has shape {list(shape)} for {TRIAL[0]} contexts of {TRIAL[1]} tokens"
                raise WorkerError(
                    "no_activations",
                    f"The {read.kind} of {read.submodule} has no row for each token: {found}.",
                    hint="Choose a module whose activations are (batch, position, width), such as an MLP or a layer.",
                )
            self.widths[read] = shape[2]
        self.order = list(seen)
        return [
            SiteWidths(input_width=self.widths[inputs], output_width=self.widths[targets])
            for inputs, targets in map(reads_of, sites)
        ]

    @torch.no_grad()
    def read(
        self, ids: torch.Tensor, mask: torch.Tensor | None, reads: Sequence[Read], *, stop: bool
    ) -> dict[Read, torch.Tensor]:
        """The values (contexts, positions, width) of `reads`, from one pass; with `stop` it ends there.

        ids, mask: (contexts, positions). Without a mask the model attends to every earlier position.
        """
        assert set(reads) <= set(self.order), "the caller asks for the widths of a site before it reads there"
        ordered = sorted(set(reads), key=self.order.index)
        inputs = ModelInputs.of(ids, mask, self.device)
        envoys = [(self.envoy(read.submodule), read.kind) for read in ordered]
        with self.traced.trace(inputs, use_cache=False) as tracer:
            values = []
            for envoy, kind in envoys:
                values.append(envoy.inputs if kind == "input" else envoy.output)
            values = values.save()  # pyright: ignore[reportAttributeAccessIssue]
            if stop:
                tracer.stop()
        found = {}
        for read, value in zip(ordered, values, strict=True):
            if read.kind == "input":
                args, kwargs = value
                value = (*args, *kwargs.values())
            found[read] = first_tensor(value)
            assert found[read] is not None, f"the {read.kind} of {read.submodule} was a tensor in the trial"
        return found


def first_tensor(value: Any) -> Any:
    """The tensor itself, or the first one in (nested) tuples: for a layer the residual stream. None: there is none."""
    if isinstance(value, torch.Tensor):
        return value
    if isinstance(value, (tuple, list)):
        return next((tensor for each in value if (tensor := first_tensor(each)) is not None), None)
    return None


def shape_of(tensor: torch.Tensor | None) -> tuple[int, ...] | None:
    """The shape as plain numbers."""
    return None if tensor is None else tuple(tensor.shape)


def top_level(modules: dict[str, torch.nn.Module]) -> list[str]:
    """The paths of one or two parts, to show what there is."""
    return [path for path in modules if path.count(".") < 2][:10]
