"""Why a model cannot be loaded, in one sentence."""

from __future__ import annotations

import shutil

import pytest
import torch
from golden import FOLDER

from dictlearn_worker.errors import WorkerError
from dictlearn_worker.models.load import load_pretrained

FILES = ("config.json", "tokenizer.json", "tokenizer_config.json", "model.safetensors")


@pytest.mark.parametrize(
    ("lacking", "cut"), [("model.safetensors", False), ("model.safetensors", True), ("tokenizer.json", False)]
)
def test_a_folder_is_not_said_to_be_missing_from_the_hub(tmp_path, monkeypatch, lacking, cut):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    for name in FILES:
        if name != lacking:
            shutil.copy(FOLDER / "tiny-neox" / name, tmp_path / name)
        elif cut:
            (tmp_path / name).write_bytes((FOLDER / "tiny-neox" / name).read_bytes()[:10_000])
    with pytest.raises(WorkerError) as caught:
        load_pretrained(str(tmp_path), str(tmp_path), None, None, torch.device("cpu"), trust=False)
    assert str(tmp_path) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert "hub" not in str(caught.value).lower()
