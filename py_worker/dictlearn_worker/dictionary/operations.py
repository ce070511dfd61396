"""Operations on dictionaries that are not training."""

from __future__ import annotations

from pathlib import Path

import torch

from .. import protocol as p
from ..registry import Context, method
from .files import load, save
from .standard import AutoEncoder


@method("generator.create")
def create_generator(context: Context, params: p.GeneratorCreateParams) -> p.GeneratorCreateResult:
    """A random stream on the CPU, where it is the same on every machine."""
    generator = torch.Generator().manual_seed(params.seed)
    return p.GeneratorCreateResult(generator=context.objects.put(generator))


@method("dictionary.create")
def create(context: Context, params: p.DictionaryCreateParams) -> p.DictionaryCreateResult:
    """Draws on the CPU, then moves to the device."""
    generator = context.objects.get(params.generator, torch.Generator)
    dictionary = AutoEncoder(params.input_width, params.output_width, params.size, getattr(torch, params.dtype))
    dictionary.initialise(generator)
    return p.DictionaryCreateResult(dictionary=context.objects.put(dictionary.to(params.device)))


@method("dictionary.load")
def load_dictionary(context: Context, params: p.DictionaryLoadParams) -> p.DictionaryLoadResult:
    """Reads an `ae.pt`."""
    dtype = None if params.dtype is None else getattr(torch, params.dtype)
    dictionary = load(Path(params.path), dtype, torch.device(params.device))
    return p.DictionaryLoadResult(
        dictionary=context.objects.put(dictionary),
        input_width=dictionary.input_width,
        output_width=dictionary.output_width,
        size=dictionary.size,
        dtype=str(dictionary.dtype).removeprefix("torch."),  # pyright: ignore[reportArgumentType]
    )


@method("dictionary.save")
def save_dictionary(context: Context, params: p.DictionarySaveParams) -> p.DictionarySaveResult:
    """Writes an `ae.pt`, atomically."""
    dictionary = context.objects.get(params.dictionary, AutoEncoder)
    return p.DictionarySaveResult(bytes=save(dictionary, Path(params.path)))


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
