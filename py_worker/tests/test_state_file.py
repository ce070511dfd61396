"""The file of a resume state: saved tensors are restored, and damage is one error."""

from __future__ import annotations

import hashlib
import random
import resource

import pytest
import torch

from dictlearn_worker import protocol as p
from dictlearn_worker.buffer.origins import Origins, fingerprint
from dictlearn_worker.dictionary.files import write_tensors
from dictlearn_worker.dictionary.standard import AutoEncoder
from dictlearn_worker.errors import WorkerError
from dictlearn_worker.resume import file
from dictlearn_worker.text.contexts import Batch
from dictlearn_worker.train.trainee import Trainee

LOSS = p.Loss(reconstruction="mse", sparsity="l1")


def trainee(dtype: torch.dtype, *, fused: bool) -> Trainee:
    dictionary = AutoEncoder(4, 4, 8, dtype)
    dictionary.initialise(torch.Generator().manual_seed(1))
    return Trainee(dictionary, p.Adam(beta1=0.9, beta2=0.999, epsilon=1e-8, fused=fused))


@pytest.mark.parametrize("fused", [True, False])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_a_trainee_comes_back_bit_for_bit(tmp_path, dtype, fused):
    one, other = trainee(dtype, fused=fused), trainee(dtype, fused=fused)
    rows = torch.randn(5, 4, generator=torch.Generator().manual_seed(2)).to(dtype)
    with torch.no_grad():
        one.last_fired[3] = 17
        for moments in (*one.optimiser.first_moments, *one.optimiser.second_moments, *one.optimiser.counters):
            moments += 0.25
        one.dictionary.bias += rows[0]
    written = file.write(tmp_path / "state.safetensors", one.state())
    assert written.sha256 == hashlib.sha256((tmp_path / "state.safetensors").read_bytes()).hexdigest()
    other.restore(file.read(tmp_path / "state.safetensors"))
    for name, tensor in one.state().items():
        assert torch.equal(other.state()[name], tensor), name


def test_a_copy_is_what_was_when_it_was_taken(tmp_path):
    tensor = torch.zeros(1000)
    write = file.write_behind(tmp_path / "state.safetensors", {"a": tensor})
    tensor += 1
    write.outcome.result()
    assert file.read(tmp_path / "state.safetensors")["a"].sum() == 0


def test_a_disk_that_cannot_be_written_is_one_error_and_leaves_nothing(tmp_path):
    (tmp_path / "state.safetensors").mkdir()
    with pytest.raises(WorkerError) as caught:
        file.write(tmp_path / "state.safetensors", {"a": torch.zeros(3)})
    assert caught.value.code == "cannot_write"
    assert [path.name for path in tmp_path.iterdir()] == ["state.safetensors"]


@pytest.mark.parametrize("container", ["pt", "safetensors"])
def test_a_disk_that_is_full_is_one_error_and_leaves_nothing(tmp_path, container):
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    try:
        with pytest.raises(WorkerError) as caught:
            write_tensors(tmp_path / "ae.pt", {"a": torch.zeros(300_000)}, container, {})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert caught.value.code == "cannot_write"
    assert list(tmp_path.iterdir()) == []


def test_damage_is_one_error_or_harmless(tmp_path):
    path = tmp_path / "state.safetensors"
    file.write(path, trainee(torch.float32, fused=True).state() | {"noise": torch.zeros(2000)})
    whole = path.read_bytes()
    draw = random.Random(4)
    cases = [whole[:length] for length in range(0, len(whole), 1024)]
    for _ in range(200):
        flipped = bytearray(whole)
        flipped[draw.randrange(len(whole))] ^= 1 << draw.randrange(8)
        cases.append(bytes(flipped))
    refused = 0
    for data in cases:
        path.write_bytes(data)
        try:
            file.read(path)
        except WorkerError as error:
            assert error.code == "damaged_state"
            refused += 1
    assert refused >= len(whole) // 1024


def batch(tokens: int) -> Batch:
    ids = torch.arange(tokens).reshape(1, -1)
    every = torch.ones_like(ids, dtype=torch.bool)
    return Batch(ids=ids, mask=torch.ones_like(ids), keep=every, real=every)


def test_a_batch_is_kept_while_one_of_its_rows_is():
    origins = Origins(6)
    rows = torch.ones(4, 2)
    origins.record(torch.tensor([0, 1, 2, 3]), batch(4), fingerprint([rows]))
    origins.record(torch.tensor([4, 5]), batch(2), fingerprint([rows[:2]]))
    origins.record(torch.tensor([0, 1, 2]), batch(3), fingerprint([rows[:3]]))
    assert set(origins.held) == {0, 1, 2}
    assert [slots.tolist() for slots in origins.slots_of(0)] == [[3], [3]]
    origins.record(torch.tensor([3]), batch(1), fingerprint([rows[:1]]))
    assert set(origins.held) == {1, 2, 3}
    again = Origins(6)
    again.restore({name: tensor.clone() for name, tensor in origins.state().items()})
    assert {number: held.live for number, held in again.held.items()} == {1: 2, 2: 3, 3: 1}


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_one_flipped_bit_changes_the_fingerprint(dtype):
    rows = torch.randn(50, 3, generator=torch.Generator().manual_seed(5)).to(dtype)
    before = fingerprint([rows])
    whole = {2: torch.int16, 4: torch.int32, 8: torch.int64}[rows.element_size()]
    rows.view(whole)[7, 1] ^= 1
    assert not torch.equal(fingerprint([rows]), before)
