"""One tiny random model of each family, and the places in it that users read."""

from __future__ import annotations

import re
from typing import Any

import torch

VOCABULARY = 264
_COMMON = {
    "vocab_size": VOCABULARY,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 64,
    "pad_token_id": 0,
    "bos_token_id": 0,
    "eos_token_id": 0,
}
_GPT = {"n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 64}
_EXPERTS = {"num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 24}
_LOCAL_EXPERTS = {"num_local_experts": 4, "num_experts_per_tok": 2}
_MAMBA = {"hidden_size": 32, "num_hidden_layers": 2, "state_size": 4, "expand": 2}
_FAIRSEQ = {"d_model": 32, "decoder_attention_heads": 4, "decoder_ffn_dim": 48}
_GEMMA = {"head_dim": 8, "query_pre_attn_scalar": 8}

# transformers' name of the family -> the keys of its config that differ from `_COMMON`.
FAMILIES: dict[str, dict[str, Any]] = {
    "gpt2": _GPT,
    "gpt_neox": {},
    "gpt_neo": {"num_layers": 2, "num_heads": 4, "attention_types": [[["global", "local"], 1]]},
    "gptj": {**_GPT, "rotary_dim": 4},
    "llama": {},
    "mistral": {},
    "qwen2": {},
    "qwen3": {"head_dim": 8},
    "qwen2_moe": {**_EXPERTS, "shared_expert_intermediate_size": 24},
    "qwen3_moe": {**_EXPERTS, "head_dim": 8},
    "olmo": {},
    "olmo2": {},
    "mixtral": _LOCAL_EXPERTS,
    "deepseek_v3": {
        "moe_intermediate_size": 24,
        "n_routed_experts": 4,
        "num_experts_per_tok": 2,
        "n_group": 2,
        "topk_group": 1,
        "kv_lora_rank": 8,
        "q_lora_rank": 8,
        "qk_rope_head_dim": 4,
        "qk_nope_head_dim": 4,
        "v_head_dim": 8,
        "first_k_dense_replace": 1,
        "n_shared_experts": 1,
        "num_key_value_heads": 4,
    },
    "gpt_oss": {**_LOCAL_EXPERTS, "head_dim": 8},
    "gemma": {"head_dim": 8},
    "gemma2": _GEMMA,
    "gemma3_text": _GEMMA,
    # Families that also take images.
    "gemma3": {
        "text_config": {**_COMMON, **_GEMMA},
        "vision_config": {
            "hidden_size": 16,
            "intermediate_size": 16,
            "num_hidden_layers": 1,
            "num_attention_heads": 2,
            "image_size": 8,
            "patch_size": 4,
        },
        "mm_tokens_per_image": 4,
    },
    "phi": {},
    "phi3": {},
    "mamba": _MAMBA,
    "mamba2": {**_MAMBA, "num_heads": 8, "head_dim": 8, "n_groups": 1, "chunk_size": 8},
    "falcon_mamba": _MAMBA,
    "rwkv": {"attention_hidden_size": 32, "context_length": 64},
    "zamba2": {
        "num_hidden_layers": 4,
        "layers_block_type": ["mamba", "hybrid", "mamba", "hybrid"],
        "hybrid_layer_ids": [1, 3],
        "num_mem_blocks": 1,
        "mamba_d_state": 4,
        "mamba_headdim": 8,
        "n_mamba_heads": 8,
        "mamba_ngroups": 1,
        "chunk_size": 8,
        "adapter_rank": 4,
        "num_key_value_heads": 4,
        "use_mem_rope": True,
    },
    "jamba": {
        "attn_layer_period": 2,
        "attn_layer_offset": 1,
        "expert_layer_period": 2,
        "expert_layer_offset": 1,
        "num_experts": 2,
        "num_experts_per_tok": 1,
        "mamba_d_state": 4,
        "use_mamba_kernels": False,
    },
    "recurrent_gemma": {
        "num_hidden_layers": 3,
        "lru_width": 32,
        "attention_window_size": 16,
        "num_key_value_heads": 1,
        "head_dim": 8,
    },
    "lfm2": {"layer_types": ["conv", "full_attention"]},
    "qwen3_next": {
        **_EXPERTS,
        "head_dim": 8,
        "layer_types": ["linear_attention", "full_attention"],
        "linear_key_head_dim": 8,
        "linear_value_head_dim": 8,
        "linear_num_key_heads": 2,
        "linear_num_value_heads": 4,
        "shared_expert_intermediate_size": 24,
    },
    "minimax": {
        **_LOCAL_EXPERTS,
        "head_dim": 8,
        "layer_types": ["linear_attention", "full_attention"],
        "block_size": 8,
    },
    "falcon": {"num_kv_heads": 2, "ffn_hidden_size": 48},
    "bloom": {"n_layer": 2, "n_head": 4},
    "opt": {"ffn_dim": 48, "word_embed_proj_dim": 32},
    "mpt": {"d_model": 32, "n_heads": 4, "n_layers": 2, "max_seq_len": 64, "expansion_ratio": 2},
    "gpt_bigcode": _GPT,
    "starcoder2": {},
    "stablelm": {},
    "cohere": {},
    "cohere2": {},
    "granite": {},
    "nemotron": {},
    "glm": {"head_dim": 8},
    "glm4": {"head_dim": 8},
    "smollm3": {},
    "bert": {"is_decoder": True},
    "roberta": {"is_decoder": True, "pad_token_id": 1},
    "xglm": {"d_model": 32, "num_layers": 2, "attention_heads": 4, "ffn_dim": 48},
    "codegen": {**_GPT, "rotary_dim": 4},
    "ctrl": {**_GPT, "dff": 48},
    "persimmon": {},
    "biogpt": {},
    "arcee": {},
    "exaone4": {},
    "bart": {
        **_FAIRSEQ,
        "decoder_layers": 2,
        "encoder_layers": 1,
        "encoder_attention_heads": 4,
        "encoder_ffn_dim": 48,
        "is_decoder": True,
        "pad_token_id": 1,
    },
}


def build(family: str, **keys: Any) -> torch.nn.Module:
    """The model that `from_pretrained` gives for such a config with other `keys`, with random weights."""
    from transformers import AutoConfig, AutoModelForCausalLM

    over = FAMILIES[family] | keys
    own = over if "text_config" in over else _COMMON | over
    torch.manual_seed(0)
    module = AutoModelForCausalLM.from_config(AutoConfig.for_model(family, **own))
    return module.eval().requires_grad_(False)


def places(module: Any) -> list[str]:
    """Embedding, first and last layer, their parts with the first and last matrix of each, norm, head."""
    named = dict(module.named_modules())
    paths = {id(each): path for path, each in named.items()}
    stacks = [
        path
        for path, each in named.items()
        if isinstance(each, torch.nn.ModuleList) and len(each) > 1 and re.search(r"(layers?|h|blocks)$", path)
    ]
    stack = min((path for path in stacks if "vision" not in path), key=lambda path: path.count("."))
    layers = named[stack]
    found = [paths[id(module.get_input_embeddings())]]
    for layer in (layers[0], layers[-1]):  # pyright: ignore[reportIndexIssue]
        found.append(paths[id(layer)])
        for part in (each for each in layer.children() if any(True for _ in each.parameters())):
            matrices = [each for each in part.modules() if each is not part and is_matrix(each)]
            found += [paths[id(each)] for each in (part, *matrices[:1], *matrices[-1:])]
    norms = [path for path in named if not path.startswith(stack) and re.search(r"(norm\w*|ln_\w+)$", path)]
    norms = [path for path in norms if "vision" not in path and "multi_modal" not in path]
    found += [*norms[-1:], paths[id(module.get_output_embeddings())]]
    return list(dict.fromkeys(found))


def is_matrix(module: torch.nn.Module) -> bool:
    """Whether it is a projection, of any class."""
    weight = getattr(module, "weight", None)
    return isinstance(weight, torch.Tensor) and weight.ndim == 2
