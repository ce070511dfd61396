"""A recorded program in every pass of a generation."""

from __future__ import annotations

from typing import Any

import torch

from .. import protocol as p
from ..errors import WorkerError
from ..models.language_model import LanguageModel
from .interpreter import Interpreter
from .operations import located


def generate_with(
    model: LanguageModel, interpreter: Interpreter, program: list[Any], inputs: Any, **options: Any
) -> None:
    """Generates inside one nnsight trace, and runs the program in each of the model's passes.

    The first pass reads the prompts, and each later one the token that the previous pass gave: the model caches the
    keys and values of earlier positions, including the program's changes.
    """
    try:
        with model.traced.generate(inputs, **options) as tracer:
            # Open-ended: a request in a pass after the last one ends the loop.
            for _ in tracer.iter[:]:
                interpreter.run(program)
    except Exception as error:
        raise located(error, interpreter) from error


def require_passes(interpreter: Interpreter, tokens: int) -> None:
    """Raises `trace_order` for a place that some passes do not reach: there it would silently stay unchanged."""
    if interpreter.runs >= tokens:
        return
    message = "the model does not come by here for every token that it generates"
    raise WorkerError("trace_order", message, operation=interpreter.position, python=None, in_model=False)


def saved_in_passes(interpreter: Interpreter, program: list[Any]) -> list[list[torch.Tensor]]:
    """The values that each pass saved. After the last pass, values that do not need the model may be saved again."""
    each = sum(isinstance(operation, p.TraceSave) for operation in program)
    return [interpreter.saved[run * each : (run + 1) * each] for run in range(interpreter.runs)]
