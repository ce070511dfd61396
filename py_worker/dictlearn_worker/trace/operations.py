"""The operations of traces: running a program, and fetching its saved values."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import torch

from .. import protocol as p
from ..errors import WorkerError
from ..models.language_model import LanguageModel
from ..models.tokens import inputs_of
from ..registry import Context, method
from .interpreter import Interpreter


@method("trace.run")
def run(context: Context, params: p.TraceRunParams) -> p.TraceRunResult:
    """Runs the program once. A failure's data names the operation."""
    model = None if params.model is None else context.objects.get(params.model, LanguageModel)
    interpreter = Interpreter(context, model)
    try:
        with gradients(model, on=params.gradients):
            if model is None:
                interpreter.run(params.program)
            else:
                run_in_trace(model, interpreter, params)
    except Exception as error:
        raise located(error, interpreter) from error
    return p.TraceRunResult(saved=[held(context, tensor) for tensor in interpreter.saved])


def run_in_trace(model: LanguageModel, interpreter: Interpreter, params: p.TraceRunParams) -> None:
    """One nnsight trace. nnsight compiles the lines of its `with` blocks, so these are fixed and the program is data.

    Several invokes are put into one batch by nnsight. The program itself runs in one more invoke, without
    a prompt: that sees the whole batch, so one prompt can use another's value without their blocks waiting for each
    other.
    """
    traced = model.traced
    inputs = [inputs_of(model, prompts) for prompts in params.invokes]
    if len(inputs) == 1:
        with traced.trace(inputs[0]) as tracer:
            interpreter.run(params.program)
            if params.stop:
                tracer.stop()
        return
    with traced.trace() as tracer:
        interpreter.batcher = tracer.batcher
        interpreter.rows = []
        for each in inputs:
            with tracer.invoke(each):
                pass
            interpreter.rows.append([tracer.batcher.total - len(each), len(each)])
        with tracer.invoke():
            interpreter.run(params.program)
            if params.stop:
                tracer.stop()


@contextlib.contextmanager
def gradients(model: LanguageModel | None, *, on: bool) -> Iterator[None]:
    """With `on`, everything after the model's embeddings has a gradient; else nothing has, and no graph is kept."""
    if not on:
        with torch.no_grad():
            yield
        return
    assert model is not None, "a gradient needs a model"
    weight: Any = model.module.get_input_embeddings().weight  # pyright: ignore[reportCallIssue]
    weight.requires_grad_(True)
    try:
        with torch.enable_grad():
            yield
    finally:
        weight.requires_grad_(False)


def located(error: Exception, interpreter: Interpreter) -> Exception:
    """The failure with its operation's number; memory errors and cancellation are unchanged.

    Between two operations the model runs: then the last write is named, if there was one.
    """
    if isinstance(error, WorkerError) and error.code == "cancelled":
        return error
    if isinstance(error, (torch.OutOfMemoryError, MemoryError, torch.AcceleratorError)):
        return error
    at = interpreter.failed
    if isinstance(error, WorkerError):
        error.data |= {"operation": at, "python": None, "in_model": False}
        return error
    python = f"{type(error).__name__}: {str(error) or 'no message'}"
    from nnsight.intervention.interleaver import OutOfOrderError

    if isinstance(error, OutOfOrderError):
        message = "the model does not come by here any more"
        return WorkerError("trace_order", message, operation=at, python=python, in_model=False)
    return WorkerError(
        "trace_failed",
        python.split("\n", 1)[0],
        operation=interpreter.last_write if at is None else at,
        python=python,
        in_model=at is None,
    )


def held(context: Context, tensor: torch.Tensor) -> p.SavedTensor:
    """Stores a tensor in the table."""
    dtype = str(tensor.dtype).removeprefix("torch.")
    return p.SavedTensor(tensor=context.objects.put(tensor), shape=list(tensor.shape), dtype=dtype)


@method("tensor.fetch")
def fetch(context: Context, params: p.TensorFetchParams) -> p.TensorFetchResult:
    """The values of a saved tensor: integers and booleans as int64, half precision as float32."""
    tensor = context.objects.get(params.tensor, torch.Tensor)
    if not tensor.is_floating_point():
        tensor = tensor.to(torch.int64)
    return p.TensorFetchResult(tensor=context.attach(tensor))
