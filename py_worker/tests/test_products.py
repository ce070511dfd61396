"""Products are the same by either library, and the shapes decide which one is used."""

from __future__ import annotations

import pytest
import torch

from dictlearn_worker.train import products
from dictlearn_worker.train.products import LEAST_PARALLEL, biased_product, by_onednn, product, threads_for

M, K, N = 300, 70, 50


def drawn(seed: int, *shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


@pytest.fixture(params=["oneDNN", "torch"])
def library(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Forces one library for every product."""
    if request.param == "oneDNN" and not torch.backends.mkldnn.is_available():
        pytest.skip("this torch has no oneDNN")
    monkeypatch.setattr(products, "onednn_beats_mkl", lambda: request.param == "oneDNN")
    monkeypatch.setattr(products, "LEAST_PRODUCT", 0)
    monkeypatch.setattr(products, "LEAST_INNER", 0)
    return request.param


@pytest.mark.parametrize("across", [False, True], ids=["along", "across"])
def test_products_are_exact(library, across) -> None:
    """Against float64, with the second factor in either order in memory, with and without a bias."""
    a, bias = drawn(0, M, K), drawn(2, M, 1)
    b = drawn(1, N, K).T if across else drawn(1, K, N)
    assert by_onednn(a, b) == (library == "oneDNN")
    exact, out = a.double() @ b.double(), torch.empty(M, N)
    biased_product(a, b, bias, out)
    for found, expected in ((product(a, b, torch.float32), exact), (out, exact + bias)):
        assert found.dtype == torch.float32
        assert float((found - expected).abs().max()) <= 1e-6 * float(expected.abs().max())


def test_rounded_factors_are_summed_unrounded(library) -> None:
    """bfloat16 factors with a float32 product: the product of the rounded factors in float64."""
    a, b = drawn(0, M, K).bfloat16(), drawn(1, K, N).bfloat16()
    exact = a.double() @ b.double()
    found = product(a, b, torch.float32)
    assert found.dtype == torch.float32
    assert float((found - exact).abs().max()) <= 1e-6 * float(exact.abs().max())


def test_onednn_is_for_large_float32_products(monkeypatch) -> None:
    """Not for small or thin products, not for float64, and not where MKL is as fast."""
    monkeypatch.setattr(products, "onednn_beats_mkl", lambda: True)
    large, thin, small = (torch.empty(shape) for shape in ((2048, 512), (32768, 128), (256, 512)))

    def chosen(a: torch.Tensor) -> bool:
        return by_onednn(a, torch.empty(a.shape[1], 1024, dtype=a.dtype))

    assert [chosen(each) for each in (large, thin, small, large.double())] == [True, False, False, False]
    monkeypatch.setattr(products, "onednn_beats_mkl", lambda: False)
    assert not chosen(large)


def test_small_steps_wake_no_thread() -> None:
    """One thread below the least number of multiplications, also where the step fails; then the previous number."""
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        with threads_for(LEAST_PARALLEL):
            assert torch.get_num_threads() == 2
        with pytest.raises(ValueError, match="inside"), threads_for(LEAST_PARALLEL - 1):
            assert torch.get_num_threads() == 1
            raise ValueError("inside")
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
