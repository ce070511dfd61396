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

    The first pass reads the prompts, and each later one the token that the pass before it gave: the model keeps the
    keys and values of what came before, as they were with the program's changes.
    """
    try:
        with model.traced.generate(inputs, **options) as tracer:
            # Without an end: what is asked of a pass behind the last one ends the loop.
            for _ in tracer.iter[:]:
                interpreter.run(program)
    except Exception as error:
        raise located(error, interpreter) from error


def require_passes(interpreter: Interpreter, tokens: int) -> None:
    """A place that some pass does not come by would be left alone there, without a word. Raises `trace_order`."""
    if interpreter.runs >= tokens:
        return
    message = "the model does not come by here for every token that it generates"
    raise WorkerError("trace_order", message, operation=interpreter.position, python=None, in_model=False)


def saved_in_passes(interpreter: Interpreter, program: list[Any]) -> list[list[torch.Tensor]]:
    """What each pass saved. Behind the last one, values that need nothing of the model may have been saved again."""
    each = sum(isinstance(operation, p.TraceSave) for operation in program)
    return [interpreter.saved[run * each : (run + 1) * each] for run in range(interpreter.runs)]
