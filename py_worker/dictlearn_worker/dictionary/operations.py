"""Operations on dictionaries that are not training."""

from __future__ import annotations

from pathlib import Path

import torch

from .. import protocol as p
from ..buffer.source import Source
from ..memory import give_back
from ..registry import Context, method
from .examine import balance, examine
from .files import read_tensors
from .layouts import input_bias_of, read, save, write
from .standard import AutoEncoder


@method("generator.create")
def create_generator(context: Context, params: p.GeneratorCreateParams) -> p.GeneratorCreateResult:
    """A random generator on the CPU, where it draws the same on every machine."""
    generator = torch.Generator().manual_seed(params.seed)
    return p.GeneratorCreateResult(generator=context.objects.put(generator))


@method("dictionary.create")
def create(context: Context, params: p.DictionaryCreateParams) -> p.DictionaryCreateResult:
    """Draws on the CPU, then moves to the device."""
    generator = context.objects.get(params.generator, torch.Generator)
    dictionary = AutoEncoder(params.input_width, params.output_width, params.size, getattr(torch, params.dtype))
    dictionary.initialise(generator)
    give_back()
    return p.DictionaryCreateResult(dictionary=context.objects.put(dictionary.to(params.device)))


@method("tensors.list")
def list_tensors(context: Context, params: p.TensorsListParams) -> p.TensorsListResult:
    """Describes a file's contents."""
    tensors, metadata = read_tensors(Path(params.path), params.container)
    found = [p.TensorInfo(name=name, shape=list(t.shape), dtype=dtype_name(t.dtype)) for name, t in tensors.items()]
    return p.TensorsListResult(tensors=found, metadata=metadata)


@method("dictionary.read")
def read_dictionary(context: Context, params: p.DictionaryReadParams) -> p.DictionaryReadResult:
    """Reads a dictionary from a file of any layout."""
    dictionary = read(
        Path(params.path),
        params.layout,
        unfolded=None if params.unfolded is None else Path(params.unfolded),
        dtype=None if params.dtype is None else getattr(torch, params.dtype),
        device=torch.device(params.device),
    )
    return p.DictionaryReadResult(
        dictionary=context.objects.put(dictionary),
        input_width=dictionary.input_width,
        output_width=dictionary.output_width,
        size=dictionary.size,
        dtype=dtype_name(dictionary.dtype),  # pyright: ignore[reportArgumentType]
        input_bias=input_bias_of(dictionary),  # pyright: ignore[reportArgumentType]
    )


@method("dictionary.write")
def write_dictionary(context: Context, params: p.DictionaryWriteParams) -> p.DictionaryWriteResult:
    """Writes a dictionary in any layout, atomically."""
    dictionary = context.objects.get(params.dictionary, AutoEncoder)
    unfolded = None if params.unfolded is None else Path(params.unfolded)
    written = write(dictionary, Path(params.path), params.layout, metadata=params.metadata, unfolded=unfolded)
    return p.DictionaryWriteResult(bytes=written)


@method("dictionary.save")
def save_dictionary(context: Context, params: p.DictionarySaveParams) -> p.DictionarySaveResult:
    """Writes an `ae.pt`, atomically."""
    dictionary = context.objects.get(params.dictionary, AutoEncoder)
    written = save(dictionary, Path(params.path), params.bias_scale)
    give_back()
    return p.DictionarySaveResult(bytes=written)


@method("dictionary.scale_biases")
@torch.no_grad()
def scale_biases(context: Context, params: p.DictionaryScaleBiasesParams) -> p.DictionaryScaleBiasesResult:
    """Turns a dictionary of scaled rows into one of unscaled rows."""
    for bias in context.objects.get(params.dictionary, AutoEncoder).biases:
        bias *= params.factor
    return p.DictionaryScaleBiasesResult()


@method("dictionary.encode")
@torch.no_grad()
def encode(context: Context, params: p.DictionaryEncodeParams) -> p.DictionaryEncodeResult:
    """Features (rows, m) of rows (rows, d_in)."""
    dictionary = context.objects.get(params.dictionary, AutoEncoder)
    rows = context.matrix(params.rows, dictionary.input_width).to(dictionary.device, dictionary.dtype)
    return p.DictionaryEncodeResult(features=context.attach(dictionary.encode(rows)))


@method("dictionary.decode")
@torch.no_grad()
def decode(context: Context, params: p.DictionaryDecodeParams) -> p.DictionaryDecodeResult:
    """Rows (rows, d_out) of features (rows, m)."""
    dictionary = context.objects.get(params.dictionary, AutoEncoder)
    features = context.matrix(params.features, dictionary.size).to(dictionary.device, dictionary.dtype)
    return p.DictionaryDecodeResult(rows=context.attach(dictionary.decode(features)))


@method("dictionary.forward")
@torch.no_grad()
def forward(context: Context, params: p.DictionaryForwardParams) -> p.DictionaryForwardResult:
    """Reconstructions (rows, d_out) and features (rows, m) of rows (rows, d_in)."""
    dictionary = context.objects.get(params.dictionary, AutoEncoder)
    rows = context.matrix(params.rows, dictionary.input_width).to(dictionary.device, dictionary.dtype)
    features = dictionary.encode(rows)
    reconstruction = context.attach(dictionary.decode(features))
    return p.DictionaryForwardResult(rows=reconstruction, features=context.attach(features))


@method("dictionary.examine")
@torch.no_grad()
def examine_dictionary(context: Context, params: p.DictionaryExamineParams) -> p.DictionaryExamineResult:
    """Diagnoses the weights alone."""
    return examine(context.objects.get(params.dictionary, AutoEncoder))


@method("dictionary.balance")
@torch.no_grad()
def balance_dictionary(context: Context, params: p.DictionaryBalanceParams) -> p.DictionaryBalanceResult:
    """Statistics of rows that show which loss the weights minimise."""
    dictionary = context.objects.get(params.dictionary, AutoEncoder)
    return balance(dictionary, context.objects.get(params.source, Source), params.rows)


def dtype_name(dtype: torch.dtype) -> str:
    """`float32`."""
    return str(dtype).removeprefix("torch.")
