"""A loaded language model, whose activations are read through nnsight."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import torch

from ..errors import WorkerError
from ..protocol import Site, SiteWidths
from .forward import Forward, ModelInputs
from .shared_tokenizer import SharedTokenizer
from .values import first_input, first_tensor, shape_of
from .vocabulary import embedding_rows

# The trial: contexts and tokens. Two contexts distinguish a row per token from a value that all contexts share.
TRIAL = (2, 4)


@dataclass(frozen=True)
class Read:
    """One value to read: a module's input or output, in one of its calls in a pass, counted from 1.

    Without a `call` the module has only one.
    """

    submodule: str
    kind: str
    call: int | None = None

    @property
    def calls(self) -> slice:
        """The call's number in nnsight, which counts the calls of a module in a pass."""
        return slice((self.call or 1) - 1, self.call or 1)


def reads_of(site: Site) -> tuple[Read, Read]:
    """The reads of a site's inputs and targets; the same read twice unless it is in_to_out."""
    path, call = path_and_call(site.submodule)
    inside, outside = Read(path, "input", call), Read(path, "output", call)
    return {"in": (inside, inside), "out": (outside, outside), "in_to_out": (inside, outside)}[site.io]


def path_and_call(path: str) -> tuple[str, int | None]:
    """`layers[1].mlp` as `layers.1.mlp`, as PyTorch names modules; the number of the module's call follows a #."""
    named = re.fullmatch(r"(.+)#([1-9]\d*)", path)
    path, call = (named[1], int(named[2])) if named else (path, None)
    return re.sub(r"\[(\d+)\]", r".\1", path), call


class SeenAll(BaseException):
    """Ends a forward pass early. Not a failure, so nothing on the way may catch it as one."""


@dataclass
class LanguageModel:
    """`traced` is nnsight's wrapper, `module` the Hugging Face model inside it."""

    traced: Any
    module: torch.nn.Module
    tokenizer: Any
    device: torch.device
    max_context: int | None
    # Every read that was tried, in the order of the forward pass, which nnsight requires.
    order: list[Read] = field(default_factory=list)
    widths: dict[Read, int] = field(default_factory=dict)
    # How often a pass calls the modules that were tried.
    calls: dict[str, int] = field(default_factory=dict)
    # Reads whose values the model later changes in place, such as a sum that it accumulates in one of its terms.
    changed: set[Read] = field(default_factory=set)
    # nnsight's envoy of each module by its path, looked up on first use.
    envoys: dict[str, Any] = field(default_factory=dict)

    @cached_property
    def forward(self) -> Forward:
        """How the model is called."""
        return Forward(self.module)

    def inputs(self, ids: torch.Tensor, mask: torch.Tensor | None) -> ModelInputs:
        """The arguments of one pass over ids (contexts, positions), on the model's device."""
        return self.forward.inputs(ids, mask, self.device)

    def call(self, ids: torch.Tensor) -> Any:
        """The model's return value for ids (contexts, positions), called as in every pass. Raises `model_forward`."""
        inputs = self.inputs(ids, None)
        with self.forward.checked():
            return self.module(**inputs)

    @cached_property
    def shared_tokenizer(self) -> SharedTokenizer:
        """A tokeniser for the threads that read text."""
        return SharedTokenizer(self.tokenizer, self.rows)

    @property
    def rows(self) -> int | None:
        """The embedding's number of rows: the model cannot read ids from there on."""
        return embedding_rows(self.module)

    def envoy(self, path: str) -> Any:
        """The module as nnsight wraps it; the model itself has the empty path. Raises `unknown_submodule`.

        Found by module and not by path: nnsight gives submodules called `input` or `output` other names.
        """
        if not self.envoys:
            by_module = {id(envoy._module): envoy for envoy in self.traced.modules()}
            named = self.module.named_modules(remove_duplicate=False)
            self.envoys |= {name: by_module[id(module)] for name, module in named if id(module) in by_module}
        if path not in self.envoys:
            self.submodule(path)
        return self.envoys[path]

    def submodule(self, path: str) -> torch.nn.Module:
        """The module at a dotted path; an unknown one is `unknown_submodule` with the nearest paths."""
        modules = {name: module for name, module in self.module.named_modules(remove_duplicate=False) if name}
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

        The first pass goes to its end, to count how often each module runs. Where that is known, it ends after the
        last site: weights that no run needs are then not even read from the disk.

        Raises `unknown_submodule`, `repeated_module` if a module has several calls and none of them is named, or
        `no_activations` if a value is not (contexts, positions, width).
        """
        wanted = dict.fromkeys([*self.order, *(read for site in sites for read in reads_of(site))])
        uncounted = {read.submodule for read in wanted if read.call is None} - set(self.calls)
        seen: dict[Read, tuple[int, ...] | None] = {}
        times = dict.fromkeys(wanted, 0)
        handles = []

        def see(read: Read, value: Any) -> None:
            times[read] += 1
            if times[read] == (read.call or 1):
                seen[read] = shape_of(value)
            if len(seen) == len(wanted) and not uncounted:
                raise SeenAll

        for read in wanted:
            module = self.submodule(read.submodule)

            def before(_: Any, args: tuple[Any, ...], kwargs: dict[str, Any], read: Read = read) -> None:
                see(read, first_input((args, kwargs)))

            def after(_: Any, args: tuple[Any, ...], kwargs: dict[str, Any], output: Any, read: Read = read) -> None:
                see(read, first_tensor(output))

            if read.kind == "input":
                handles.append(module.register_forward_pre_hook(before, with_kwargs=True))
            else:
                handles.append(module.register_forward_hook(after, with_kwargs=True))
        ids = torch.zeros(TRIAL, dtype=torch.int64, device=self.device)
        try:
            self.call(ids)
        except SeenAll:
            pass
        except WorkerError as error:
            # A failure after the last site does not concern the sites.
            if error.code != "model_forward" or len(seen) < len(wanted):
                raise
        finally:
            for handle in handles:
                handle.remove()
        self.calls |= {read.submodule: times[read] for read in wanted if read.submodule in uncounted}
        for read in wanted:
            self.require_call(read, times[read])
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

    def require_call(self, read: Read, times: int) -> None:
        """Raises `repeated_module` if no call is named for a module with several, or one above its `times`."""
        path = read.submodule
        if read.call is None and self.calls[path] > 1:
            last = self.calls[path]
            raise WorkerError(
                "repeated_module",
                f"{path} runs {last} times in one pass, so it has {last} rows for each token.",
                hint=f"Name one of its calls, from {path}#1 to {path}#{last}, or a module that runs once.",
            )
        if read.call is not None and 0 < times < read.call:
            raise WorkerError(
                "repeated_module",
                f"There is no {path}#{read.call}: one pass runs {path} {times} times.",
                hint=f"Name {path}#{times} or less.",
            )

    @torch.no_grad()
    def read(
        self, ids: torch.Tensor, mask: torch.Tensor | None, reads: Sequence[Read], *, stop: bool
    ) -> dict[Read, torch.Tensor]:
        """The values (contexts, positions, width) of `reads`, from one pass; with `stop` it ends there.

        ids, mask: (contexts, positions). Without a mask the model attends to every earlier position.
        """
        assert set(reads) <= set(self.order), "the caller asks for the widths of a site before it reads there"
        ordered = sorted(set(reads), key=self.order.index)
        inputs = self.inputs(ids, mask)
        places = [(self.envoy(read.submodule), read) for read in ordered]
        with self.forward.checked(), self.traced.trace(inputs) as tracer:
            values = []
            for envoy, read in places:
                for _ in tracer.iter[read.calls]:
                    value = first_input(envoy.inputs) if read.kind == "input" else first_tensor(envoy.output)
                    value = value.clone() if read in self.changed else value
                    values.append((value, value._version))
            values = values.save()  # pyright: ignore[reportAttributeAccessIssue]
            if stop:
                tracer.stop()
        changed = {read for read, (value, version) in zip(ordered, values, strict=True) if value._version != version}
        if changed:
            # The model changed them in place later in the pass: from now on they are copied when read.
            self.changed |= changed
            return self.read(ids, mask, reads, stop=stop)
        return {read: value for read, (value, _) in zip(ordered, values, strict=True)}


def top_level(modules: dict[str, torch.nn.Module]) -> list[str]:
    """The paths of one or two parts, as suggestions."""
    return [path for path in modules if path.count(".") < 2][:10]
