"""Operations on the worker itself: hello, release, status."""

from __future__ import annotations

import gc
import os
import resource
import sys
from importlib import metadata
from typing import Any

import psutil
import torch

from .buffer.rows import ActivationRows
from .errors import WorkerError
from .memory import give_back
from .models.language_model import LanguageModel
from .protocol import (
    SCHEMA_HASH,
    ConfigureParams,
    ConfigureResult,
    Device,
    HelloParams,
    HelloResult,
    ReleaseParams,
    ReleaseResult,
    StatusParams,
    StatusResult,
)
from .registry import Context, method

# A pass of the model leaves reference cycles, which hold its frames and values until they are collected.
TRACED = (ActivationRows, LanguageModel)
LARGE_BYTES = 2**20
PACKAGES = ("torch", "nnsight", "transformers", "pyzmq", "msgspec", "datasets")


def devices() -> list[Device]:
    """The CPU and every CUDA device, with memory in bytes."""
    memory = psutil.virtual_memory()
    found = [Device(name="cpu", kind="cpu", total_bytes=memory.total, free_bytes=memory.available)]
    for index in range(torch.cuda.device_count()):
        free, total = torch.cuda.mem_get_info(index)
        name = torch.cuda.get_device_name(index)
        found.append(Device(name=f"cuda:{index}", kind=name, total_bytes=total, free_bytes=free))
    return found


def version(package: str) -> str:
    """The installed version of a package, or `missing`."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "missing"


@method("hello")
def hello(context: Context, params: HelloParams) -> HelloResult:
    """Agrees on the protocol; if the hashes differ, the caller sends nothing else."""
    if params.schema_hash != SCHEMA_HASH:
        raise WorkerError(
            "protocol_mismatch",
            f"The worker of {sys.executable} speaks protocol {SCHEMA_HASH}, but dictlearn speaks {params.schema_hash}.",
        )
    context.objects.generation = params.generation
    return HelloResult(
        schema_hash=SCHEMA_HASH,
        pid=os.getpid(),
        executable=sys.executable,
        versions={"python": sys.version.split()[0]} | {package: version(package) for package in PACKAGES},
        devices=devices(),
        threads=torch.get_num_threads(),
    )


@method("configure")
def configure(context: Context, params: ConfigureParams) -> ConfigureResult:
    """Sets the precision of CUDA's matrix products and the choice of kernels, for the whole process."""
    torch.backends.cuda.matmul.allow_tf32 = params.tf32
    torch.backends.cudnn.allow_tf32 = params.tf32
    # Setting it, to any value, imports torch's compiler, which takes longer than the rest of the start.
    if params.deterministic != torch.are_deterministic_algorithms_enabled():
        torch.use_deterministic_algorithms(params.deterministic)
    return ConfigureResult()


@method("release")
def release(context: Context, params: ReleaseParams) -> ReleaseResult:
    """Releases the handles' objects; an unknown handle does not stop the others."""
    failures: list[WorkerError] = []
    released: list[Any] = []
    for handle in params.handles:
        try:
            released.append(context.objects.release(handle))
        except WorkerError as error:
            failures.append(error)
    traced, large = any(isinstance(each, TRACED) for each in released), any(map(is_large, released))
    released.clear()
    if traced:
        gc.collect()
    if large:
        give_back()
    if failures:
        raise failures[0]
    return ReleaseResult()


def is_large(released: object) -> bool:
    """Whether it may have held so much memory that trimming the heap is worth the milliseconds."""
    if isinstance(released, torch.Tensor):
        return released.nbytes >= LARGE_BYTES
    return not isinstance(released, torch.Generator)


@method("status")
def status(context: Context, params: StatusParams) -> StatusResult:
    """How many objects are held, and the process's current and peak resident memory."""
    peak_unit = 1 if sys.platform == "darwin" else 1024
    return StatusResult(
        handles=len(context.objects),
        objects=context.objects.counts(),
        resident_bytes=psutil.Process().memory_info().rss,
        peak_resident_bytes=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * peak_unit,
    )
