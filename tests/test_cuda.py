"""The reference on a GPU beside the manual side on the CPU; skipped where torch sees no GPU."""

import numpy as np
import pytest
import torch

from compare import run_training
from compare.contracts.experiment import Experiment
from torch_reference.device import find_device

pytestmark = pytest.mark.skipif(
    not torch.cuda.is_available(), reason="torch sees no CUDA device here"
)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("batch_size", [None, 100])
def test_a_reference_on_the_gpu_agrees_with_the_manual_side(
    dtype: str, batch_size: int | None
) -> None:
    result = run_training(
        Experiment(epochs=3, batch_size=batch_size, dtype=dtype, device="cuda", hidden=(32,))
    )
    assert result.verdict == "agrees", result.sentence
    assert max(worst.ratio for worst in result.worst.values()) <= 0.5
    assert result.environment["device"].startswith("cuda (")


def test_products_on_the_gpu_keep_all_digits_of_float32() -> None:
    """TF32 would keep 10 bits of each factor: an error of about 1e-3, far above every allowance."""
    torch.set_float32_matmul_precision("high")
    try:
        place = find_device("cuda", torch.float32)
        a = torch.full((64, 64), 1 + 2.0**-12, device=place)
        product = (a @ torch.eye(64, device=place)).cpu().numpy()
    finally:
        torch.set_float32_matmul_precision("highest")
    np.testing.assert_array_equal(product, np.float32(1 + 2.0**-12))
