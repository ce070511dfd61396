"""Dictionary files with any names and orientation of the tensors."""

from __future__ import annotations

from pathlib import Path

import torch

from ..errors import WorkerError
from ..protocol import Layout
from .files import not_a_dictionary, read_tensors, write_tensors
from .standard import AutoEncoder

DTYPES = (torch.float32, torch.float64, torch.bfloat16)
# How far a folded bias may be from the written one: only as far as float32 sums in a different order.
FOLD_TOLERANCE = 1e-5


def save(dictionary: AutoEncoder, path: Path, bias_scale: float) -> int:
    """Writes the state_dict, the biases times `bias_scale`, as an `ae.pt`; returns the bytes."""
    state = dictionary.state_dict()
    if bias_scale != 1:
        state = {key: tensor * bias_scale if key.endswith("bias") else tensor for key, tensor in state.items()}
    return write_tensors(path, state, "pt", {})


def write(
    dictionary: AutoEncoder, path: Path, layout: Layout, *, metadata: dict[str, str], unfolded: Path | None
) -> int:
    """Writes a dictionary as `layout` says; returns the bytes.

    An input bias that the layout cannot hold is folded into the encoder's bias. The encoding stays the same except for
    rounding, and `unfolded` gets both original biases.
    """
    state = dictionary.state_dict()
    if "input_bias" in state and layout.input_bias == "zero" and bool(state["input_bias"].any()):
        if unfolded is not None:
            biases = {key: state[key] for key in ("input_bias", "encoder.bias")}
            write_tensors(unfolded, biases, "safetensors", {})
        state["encoder.bias"] = fold(state["encoder.weight"], state["encoder.bias"], state["input_bias"])
    tensors = {
        stored.name: state[stored.parameter].T if stored.transposed else state[stored.parameter]
        for stored in layout.parameters
    }
    return write_tensors(path, tensors, layout.container, metadata)


def fold(weight: torch.Tensor, bias: torch.Tensor, input_bias: torch.Tensor) -> torch.Tensor:
    """The bias b' with W x + b' = W (x - b_in) + b, summed in float64. weight: (m, d_in)."""
    return (bias.double() - weight.double() @ input_bias.double()).to(bias.dtype)


def read(
    path: Path, layout: Layout, *, unfolded: Path | None, dtype: torch.dtype | None, device: torch.device
) -> AutoEncoder:
    """Reads a dictionary in the given `layout`. Raises `no_such_file` or `not_a_dictionary`."""
    tensors, _ = read_tensors(path, layout.container)
    names = {stored.name for stored in layout.parameters} | set(layout.ones)
    if set(tensors) != names:
        raise not_a_dictionary(path, f"it holds {', '.join(tensors)}, instead of {', '.join(sorted(names))}")
    for name in layout.ones:
        if not bool((tensors[name] == 1).all()):
            raise not_a_dictionary(path, f"{name} in it is not 1, but the weights are read as they are")
    state = {
        stored.parameter: tensors[stored.name].T if stored.transposed else tensors[stored.name]
        for stored in layout.parameters
    }
    found = state["bias"].dtype if dtype is None else dtype
    if found not in DTYPES:
        raise not_a_dictionary(path, f"its tensors are {found}")
    if layout.input_bias == "zero":
        state["input_bias"] = torch.zeros(state["encoder.weight"].shape[1], dtype=found)
    if unfolded is not None:
        state |= unfold(unfolded, state)
    output_width, size = state["decoder.weight"].shape
    input_width = state["encoder.weight"].shape[1]
    own = "input_bias" in state
    dictionary = AutoEncoder(input_width, output_width, size, found, own_input_bias=own)
    try:
        dictionary.load_state_dict(state)
    except RuntimeError as error:
        raise not_a_dictionary(path, "the shapes of its tensors do not fit each other") from error
    return dictionary.to(device)


def unfold(path: Path, state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The biases that `write` folded together, after a check that they belong to these weights."""
    biases, _ = read_tensors(path, "safetensors")
    weight, bias = state["encoder.weight"], state["encoder.bias"]
    shapes = {"input_bias": weight.shape[1:], "encoder.bias": bias.shape}
    if {key: tensor.shape for key, tensor in biases.items()} == shapes:
        folded = fold(weight, biases["encoder.bias"].to(bias.dtype), biases["input_bias"].to(bias.dtype))
        if torch.allclose(folded, bias, rtol=FOLD_TOLERANCE, atol=FOLD_TOLERANCE):
            return biases
    raise WorkerError(
        "not_a_dictionary",
        f"{path} holds the biases of other weights than those beside it.",
        hint="Remove that file to use the weights as they are.",
    )


def input_bias_of(dictionary: AutoEncoder) -> str:
    """`none`: the decoder's bias is subtracted; `zero` or `set`: the dictionary has its own input bias."""
    if not dictionary.own_input_bias:
        return "none"
    return "set" if bool(dictionary.input_bias.any()) else "zero"
