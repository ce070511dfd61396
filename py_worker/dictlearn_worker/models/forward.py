"""How a model is called: the arguments its forward takes, the values it returns, and the failures it raises."""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Iterator
from typing import Any

import torch

from ..errors import WorkerError
from ..failures import code_of
from ..memory import upload

# The arguments that a forward gets if it takes them.
ARGUMENTS = ("input_ids", "attention_mask", "use_cache")


class ModelInputs(dict[str, Any]):
    """The arguments of one forward pass: token ids and attention mask, (contexts, positions) each, and no cache."""

    @property
    def contexts(self) -> int:
        """The number of contexts."""
        return len(self["input_ids"])


class Forward:
    """The arguments that a model's forward takes, by its signature. With `**kwargs` it gets all of `ARGUMENTS`."""

    def __init__(self, module: torch.nn.Module) -> None:
        """Reads the signature once."""
        self.name = type(module).__name__
        parameters = inspect.signature(type(module).forward).parameters
        self.any = any(each.kind == each.VAR_KEYWORD for each in parameters.values())
        self.own = [name for name, each in parameters.items() if name != "self" and each.kind != each.VAR_KEYWORD]

    def require_token_ids(self) -> None:
        """Raises `model_forward` for a model that does not read token ids."""
        if not self.takes("input_ids"):
            raise WorkerError(
                "model_forward",
                f"The forward of {self.name} takes no input_ids; it takes {', '.join(self.own) or 'nothing'}.",
                hint="Name the argument for the token ids input_ids in the model's own code.",
            )

    def takes(self, name: str) -> bool:
        """Whether this argument can be given by keyword."""
        return self.any or name in self.own

    def inputs(self, ids: torch.Tensor, mask: torch.Tensor | None, device: torch.device) -> ModelInputs:
        """The arguments of a pass, on `device`. ids, mask: (contexts, positions).

        Without a mask, or if it takes none, the model attends to every earlier position. A causal model loses nothing
        by that: the padding of contexts is after their text.
        """
        given = ModelInputs(input_ids=upload(ids, device))
        if self.takes("attention_mask"):
            given["attention_mask"] = upload(torch.ones_like(ids) if mask is None else mask, device)
        if self.takes("use_cache"):
            given["use_cache"] = False
        return given

    def of_prompts(self, given: dict[str, Any]) -> dict[str, Any]:
        """The arguments that nnsight made from prompts, without those that the model does not take, and no cache.

        Raises `model_forward` if prompts were padded and the model takes no mask.
        """
        mask = given.get("attention_mask")
        if mask is not None and not self.takes("attention_mask") and not bool(torch.as_tensor(mask).bool().all()):
            raise WorkerError(
                "model_forward",
                f"The forward of {self.name} takes no attention_mask, so it would read the padding of shorter prompts.",
                hint="Give it prompts of one length, or one prompt at a time.",
            )
        optional = ("attention_mask", "position_ids", "token_type_ids")
        taken = {name: value for name, value in given.items() if name not in optional or self.takes(name)}
        if self.takes("use_cache"):
            taken.setdefault("use_cache", False)
        return taken

    @contextlib.contextmanager
    def checked(self) -> Iterator[None]:
        """Turns an exception of a forward pass into `model_forward`; memory, device and known failures stay."""
        try:
            yield
        except Exception as error:
            if code_of(error) != "defect":
                raise
            reason = (str(error) or "no message").splitlines()[0].rstrip(".")
            raise WorkerError(
                "model_forward",
                f"The forward of {self.name} failed: {type(error).__name__}: {reason}.",
                hint="It is called with input_ids, and with attention_mask and use_cache=False where its signature has "
                "them: give everything else a default in the model's own code.",
            ) from error

    def logits(self, output: Any, ids: torch.Tensor) -> torch.Tensor:
        """The logits (contexts, positions, vocabulary) in the return value of a pass over `ids` (contexts, positions).

        They are its `logits`, the first of a tuple, or the value itself. Raises `no_logits`.
        """
        found = logits_in(output)
        if isinstance(found, torch.Tensor) and found.ndim == 3 and found.shape[:2] == ids.shape:
            return found
        what = f"a {type(output).__name__} without them"
        if isinstance(found, torch.Tensor):
            what = f"a tensor of shape {list(found.shape)} for {ids.shape[0]} contexts of {ids.shape[1]} tokens"
        raise WorkerError(
            "no_logits",
            f"The forward of {self.name} does not return the logits of every token, but {what}.",
            hint="Return them as .logits, or first in a tuple, in the model's own code.",
        )


def logits_in(output: Any) -> Any:
    """Finds the logits in a model's return value."""
    if isinstance(output, torch.Tensor):
        return output
    if isinstance(output, (tuple, list)):
        return getattr(output, "logits", output[0] if output else None)
    return output.get("logits") if isinstance(output, dict) else getattr(output, "logits", None)
