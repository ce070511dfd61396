"""Reports this interpreter's packages and devices as one line of JSON: `python -m dictlearn_worker.doctor`.

Needs only the standard library, so that it can report missing packages.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import sys
from importlib import metadata
from typing import Any

# Package → module. Each is imported to test it: a package with a broken shared library has a version too.
PACKAGES = {
    "torch": "torch",
    "nnsight": "nnsight",
    "transformers": "transformers",
    "pyzmq": "zmq",
    "msgspec": "msgspec",
    "datasets": "datasets",
    "safetensors": "safetensors",
    "gguf": "gguf",
}


def package(name: str, module: str) -> dict[str, str | None]:
    """The version, None when it is not installed, and why it cannot be imported, None when it can."""
    try:
        version = metadata.version(name)
    except metadata.PackageNotFoundError:
        return {"version": None, "error": "is not installed"}
    try:
        importlib.import_module(module)
    except Exception as error:  # a broken package can raise anything
        return {"version": version, "error": f"{type(error).__name__}: {error}"}
    return {"version": version, "error": None}


def memory() -> tuple[int, int]:
    """Total and available memory in bytes."""
    try:
        import psutil

        state = psutil.virtual_memory()
        return state.total, state.available
    except ImportError:
        page = os.sysconf("SC_PAGE_SIZE")
        total = os.sysconf("SC_PHYS_PAGES") * page
        available = os.sysconf("SC_AVPHYS_PAGES") * page if "SC_AVPHYS_PAGES" in os.sysconf_names else total
        return total, available


def devices() -> tuple[list[dict[str, Any]], str | None]:
    """The CPU and every CUDA device, with memory in bytes; and why CUDA could not be queried, None when it could."""
    total, free = memory()
    found: list[dict[str, Any]] = [{"name": "cpu", "kind": "cpu", "total_bytes": total, "free_bytes": free}]
    try:
        import torch

        for index in range(torch.cuda.device_count()):
            free, total = torch.cuda.mem_get_info(index)
            kind = torch.cuda.get_device_name(index)
            found.append({"name": f"cuda:{index}", "kind": kind, "total_bytes": total, "free_bytes": free})
    except ImportError:
        pass
    except Exception as error:  # an incompatible driver can raise anything
        return found, f"{type(error).__name__}: {error}"
    return found, None


def cuda() -> str | None:
    """The CUDA version that torch was built for; None for a build without CUDA, or without torch."""
    try:
        import torch

        return torch.version.cuda
    except Exception:  # reported by `package`
        return None


def diagnose() -> dict[str, Any]:
    """Everything that Node cannot determine by itself."""
    packages = {name: package(name, module) for name, module in PACKAGES.items()}
    found, error = devices()
    return {
        "python": ".".join(str(part) for part in sys.version_info[:3]),
        "packages": packages,
        "cuda": cuda(),
        "cuda_error": error,
        "devices": found,
    }


def main() -> None:
    """Prints the findings; anything that libraries print during import goes to standard error."""
    with contextlib.redirect_stdout(sys.stderr):
        findings = diagnose()
    print(json.dumps(findings))


if __name__ == "__main__":
    main()
