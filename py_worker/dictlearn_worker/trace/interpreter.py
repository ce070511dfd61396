"""Runs a recorded program of operations in step with the model, from inside a real nnsight trace."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from .. import protocol as p
from ..dictionary.standard import AutoEncoder
from ..errors import WorkerError
from ..models.language_model import LanguageModel
from ..registry import Context
from .functions import ALONG, APPLY, JOIN, REDUCE, pick, put

# The rows of one invoke in the batch: their start and number. None: all rows.
Rows = list[int] | None


class Interpreter:
    """The state of one run: values by number, saved values, and the number of the current operation.

    Values are tensors or Python numbers. `rows` says which rows of the batch each invoke has; `batcher` is nnsight's
    own, which narrows a value to an invoke's rows and puts them back. Reads and writes come in the order of the
    forward pass.
    """

    def __init__(self, context: Context, model: LanguageModel | None) -> None:
        self.context = context
        self.model = model
        self.batcher: Any = None
        self.rows: list[Rows] = [None]
        self.values: dict[int, Any] = {}
        # For values that are part of a batch: the whole value, from which later values are computed.
        self.wholes: dict[int, tuple[torch.Tensor, Rows]] = {}
        self.saved: list[torch.Tensor] = []
        # The storage of the model's own values, which it may later change in place.
        self.own: set[int] = set()
        self.position = 0
        # How often the program ran to its end.
        self.runs = 0
        # The operation that raised, and the last one that changed the model's computation.
        self.failed: int | None = None
        self.last_write: int | None = None

    def run(self, program: list[Any]) -> None:
        """Executes the operations in order."""
        try:
            for position, operation in enumerate(program):
                self.position = position
                self.context.check_cancelled()
                EXECUTE[type(operation)](self, operation)
        except Exception:
            self.failed = self.position
            raise
        self.runs += 1

    def tensor(self, number: int) -> torch.Tensor:
        """The value with that number, which must be a tensor."""
        value = self.values[number]
        if not isinstance(value, torch.Tensor):
            raise WorkerError("trace_not_a_tensor", f"a tensor is needed here, but this is a {type(value).__name__}")
        return value

    def read(self, operation: p.TraceRead) -> None:
        """A part of a module's input or output, narrowed to the invoke's rows."""
        part = follow(self.live(operation), operation)
        rows = self.rows[operation.invoke]
        value = part if self.batcher is None else self.batcher.narrow(part, rows)
        if not isinstance(value, torch.Tensor):
            raise WorkerError("trace_not_a_tensor", f"{name_of(operation)} is no tensor but a {type(value).__name__}")
        self.values[operation.id] = value
        self.own.add(value.untyped_storage().data_ptr())
        if value is not part:
            self.wholes[operation.id] = (part, rows)

    def write(self, operation: p.TraceWrite) -> None:
        """Replaces a value in the model. A smaller one is broadcast to the shape."""
        value = self.live(operation)
        part = follow(value, operation)
        if not isinstance(part, torch.Tensor):
            raise WorkerError("trace_not_a_tensor", f"{name_of(operation)} is no tensor but a {type(part).__name__}")
        rows = self.rows[operation.invoke]
        old = part if self.batcher is None else self.batcher.narrow(part, rows)
        new = like(self.values[operation.value], old, operation)
        whole = new if self.batcher is None else self.batcher.widen(part, rows, new)
        changed = with_part(value, operation.at, whole)
        if operation.side == "input":
            self.envoy(operation).input = changed
        else:
            self.envoy(operation).output = changed
        self.last_write = self.position

    def live(self, operation: p.TraceRead | p.TraceWrite) -> Any:
        """Waits until the model reaches the place, and takes its value there."""
        envoy = self.envoy(operation)
        return envoy.input if operation.side == "input" else envoy.output

    def envoy(self, operation: p.TraceRead | p.TraceWrite) -> Any:
        """The module as nnsight wraps it."""
        if self.model is None:
            raise WorkerError("trace_no_model", "this program reads a module, but runs without a model")
        return self.model.envoy(operation.module)

    def gradient(self, operation: p.TraceGradient) -> None:
        """d(of)/d(each). For a part of a batch it is taken from the whole's gradient, like nnsight's own `.grad`."""
        of = self.tensor(operation.of)
        if of.numel() != 1:
            raise WorkerError("trace_gradient", f"a gradient is taken of one number, but this has shape {[*of.shape]}")
        if not of.requires_grad:
            raise WorkerError("trace_gradient", "this number depends on nothing that has a gradient")
        sources = [self.wholes.get(each, (self.tensor(each), None)) for each in operation.by]
        for source, _ in sources:
            if not source.requires_grad:
                kind = str(source.dtype).removeprefix("torch.")
                raise WorkerError(
                    "trace_gradient", f"a value of dtype {kind} that no activation led to has no gradient"
                )
        found = torch.autograd.grad(of, [source for source, _ in sources], retain_graph=True, allow_unused=True)
        for index, (number, gradient) in enumerate(zip(operation.ids, found, strict=True)):
            if gradient is None:
                raise WorkerError("trace_gradient", f"the number does not depend on value {index + 1} of {len(found)}")
            rows = sources[index][1]
            self.values[number] = gradient if rows is None else self.batcher.narrow(gradient, rows)

    def encode(self, operation: p.TraceEncode) -> None:
        """Features (..., m) of activations (..., d_in), in the dictionary's dtype."""
        dictionary = self.context.objects.get(operation.dictionary, AutoEncoder)
        x = self.fitting(operation.input, dictionary.input_width, "activations")
        self.values[operation.id] = dictionary.encode(x.to(dictionary.device, dictionary.dtype))

    def decode(self, operation: p.TraceDecode) -> None:
        """Reconstructions (..., d_out) of features (..., m)."""
        dictionary = self.context.objects.get(operation.dictionary, AutoEncoder)
        f = self.fitting(operation.input, dictionary.size, "features")
        self.values[operation.id] = dictionary.decode(f.to(dictionary.device, dictionary.dtype))

    def fitting(self, number: int, width: int, what: str) -> torch.Tensor:
        """A tensor whose last dimension has that width."""
        x = self.tensor(number)
        if x.ndim == 0 or x.shape[-1] != width:
            raise WorkerError("trace_shape", f"the dictionary takes {width} {what} in a row, but this is {[*x.shape]}")
        return x

    def topk(self, operation: p.TraceTopk) -> None:
        """The largest values and their indices."""
        found = torch.topk(self.tensor(operation.input), operation.k, dim=operation.dim, largest=operation.largest)
        self.values[operation.id], self.values[operation.indices] = found

    def variable(self, operation: p.TraceVariable) -> None:
        """The same numbers, detached from the graph."""
        self.values[operation.id] = self.tensor(operation.input).detach().requires_grad_(operation.gradient)

    def save(self, operation: p.TraceSave) -> None:
        """Saves a tensor's current values, in no more memory than they need."""
        value = self.tensor(operation.input).detach()
        storage = value.untyped_storage()
        shared = storage.nbytes() > value.nbytes or storage.data_ptr() in self.own
        self.saved.append(value.clone() if shared else value)

    def apply(self, operation: p.TraceApply) -> None:
        """A function of up to three values."""
        self.values[operation.id] = APPLY[operation.function](*(self.values[each] for each in operation.inputs))

    def reduce(self, operation: p.TraceReduce) -> None:
        """A reduction over dimensions."""
        x = self.tensor(operation.input)
        self.values[operation.id] = REDUCE[operation.function](x, operation.dims, operation.keep)

    def along(self, operation: p.TraceAlong) -> None:
        """A function along one dimension."""
        self.values[operation.id] = ALONG[operation.function](self.tensor(operation.input), operation.dim)

    def join(self, operation: p.TraceJoin) -> None:
        """Joins several tensors."""
        parts = [self.tensor(each) for each in operation.inputs]
        self.values[operation.id] = JOIN[operation.function](parts, dim=operation.dim)

    def pick(self, operation: p.TracePick) -> None:
        """A part along one dimension."""
        self.values[operation.id] = pick(self.tensor(operation.input), operation.dim, index(operation.index))

    def put(self, operation: p.TracePut) -> None:
        """A copy with that part replaced."""
        new = self.values[operation.value]
        self.values[operation.id] = put(self.tensor(operation.input), operation.dim, index(operation.index), new)

    def reshape(self, operation: p.TraceReshape) -> None:
        """The same numbers in another shape."""
        self.values[operation.id] = self.tensor(operation.input).reshape(operation.shape)

    def permute(self, operation: p.TracePermute) -> None:
        """The dimensions in another order."""
        self.values[operation.id] = self.tensor(operation.input).permute(operation.dims)

    def cast(self, operation: p.TraceCast) -> None:
        """In another dtype."""
        self.values[operation.id] = self.tensor(operation.input).to(getattr(torch, operation.dtype))

    def number(self, operation: p.TraceNumber) -> None:
        """A Python number, which does not change the dtype of a tensor that it is combined with."""
        self.values[operation.id] = operation.value

    def constant(self, operation: p.TraceConstant) -> None:
        """A tensor that came with the program."""
        value = self.context.tensor(operation.tensor)
        self.values[operation.id] = value if self.model is None else value.to(self.model.device)

    def held(self, operation: p.TraceHeld) -> None:
        """A tensor that an earlier trace saved."""
        self.values[operation.id] = self.context.objects.get(operation.tensor, torch.Tensor)


EXECUTE: dict[type, Callable[[Interpreter, Any], None]] = {
    p.TraceRead: Interpreter.read,
    p.TraceWrite: Interpreter.write,
    p.TraceNumber: Interpreter.number,
    p.TraceConstant: Interpreter.constant,
    p.TraceHeld: Interpreter.held,
    p.TraceApply: Interpreter.apply,
    p.TraceReduce: Interpreter.reduce,
    p.TraceAlong: Interpreter.along,
    p.TraceTopk: Interpreter.topk,
    p.TraceJoin: Interpreter.join,
    p.TracePick: Interpreter.pick,
    p.TracePut: Interpreter.put,
    p.TraceReshape: Interpreter.reshape,
    p.TracePermute: Interpreter.permute,
    p.TraceCast: Interpreter.cast,
    p.TraceVariable: Interpreter.variable,
    p.TraceEncode: Interpreter.encode,
    p.TraceDecode: Interpreter.decode,
    p.TraceGradient: Interpreter.gradient,
    p.TraceSave: Interpreter.save,
}


def name_of(operation: p.TraceRead | p.TraceWrite) -> str:
    """`the output of gpt_neox.layers.0`, with its part."""
    module = operation.module or "the model"
    return f"the {operation.side} of {module}" + "".join(f"[{key}]" for key in operation.at)


def index(value: int | list[int] | p.TraceSlice) -> int | list[int] | slice:
    """The index expression."""
    return slice(value.start, value.stop) if isinstance(value, p.TraceSlice) else value


def follow(value: Any, operation: p.TraceRead | p.TraceWrite) -> Any:
    """The part at these keys."""
    for key in operation.at:
        try:
            value = value[int(key)] if isinstance(value, (tuple, list)) else value[key]
        except (KeyError, IndexError, TypeError, ValueError):
            kind = type(value).__name__
            raise WorkerError("trace_no_part", f"{name_of(operation)} does not exist: it is a {kind}") from None
    return value


def with_part(value: Any, at: list[str], new: Any) -> Any:
    """The same value with another part at these keys; nothing is changed in place."""
    if not at:
        return new
    key, *rest = at
    if isinstance(value, (tuple, list)):
        parts = list(value)
        parts[int(key)] = with_part(parts[int(key)], rest, new)
        if isinstance(value, list):
            return parts
        return type(value)(*parts) if hasattr(value, "_fields") else tuple(parts)
    changed = value.copy()
    changed[key] = with_part(changed[key], rest, new)
    return changed


def like(new: Any, old: torch.Tensor, operation: p.TraceWrite) -> torch.Tensor:
    """`new` in the shape, the dtype and on the device of `old`."""
    if not isinstance(new, torch.Tensor):
        return torch.full_like(old, new)
    new = new.to(old.device, old.dtype)
    if new.shape == old.shape:
        return new
    try:
        return torch.broadcast_to(new, old.shape).contiguous()
    except RuntimeError:
        raise WorkerError(
            "trace_shape",
            f"{name_of(operation)} has shape {[*old.shape]}, and a value of shape {[*new.shape]} cannot stand for it",
        ) from None
