"""What the worker's Python has, as JSON; a package that is missing or broken is null. Needs nothing but Python."""

from __future__ import annotations

import importlib
import json
import platform
import sys
from importlib import metadata

# Package to install -> module to import.
PACKAGES = {
    "torch": "torch",
    "nnsight": "nnsight",
    "transformers": "transformers",
    "pyzmq": "zmq",
    "msgspec": "msgspec",
    "datasets": "datasets",
    "safetensors": "safetensors",
}


def version(package: str, module: str) -> str | None:
    """The version, if the module can really be imported."""
    try:
        importlib.import_module(module)
        return metadata.version(package)
    except Exception:
        return None


def main() -> None:
    """Prints the report."""
    versions = {"python": platform.python_version()} | {name: version(name, module) for name, module in PACKAGES.items()}
    devices = []
    if versions["torch"] is not None:
        try:
            from dictlearn_worker.system import devices as found

            devices = [
                {"name": d.name, "kind": d.kind, "total_bytes": d.total_bytes, "free_bytes": d.free_bytes} for d in found()
            ]
        except ImportError:
            devices = []
    print(json.dumps({"python": sys.executable, "versions": versions, "devices": devices}))


if __name__ == "__main__":
    main()
