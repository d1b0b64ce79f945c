"""The contenders of the benchmark compute the same thing; how fast is nobody's assertion."""

from pathlib import Path
from time import sleep

import numpy as np
import pytest
import torch

from benchmarks import checked, numpy_contenders, torch_contenders
from benchmarks.everyday import hand_ins
from benchmarks.footprint import accounted_memory
from benchmarks.machine import kernels, warning
from benchmarks.problem import Problem, draw, label
from benchmarks.timing import count_by, interleave, stopwatch, summary
from manual_mlp import loss_and_gradients

pytestmark = pytest.mark.slow


@pytest.fixture(params=["float32", "float64"])
def problem(request: pytest.FixtureRequest) -> Problem:
    return draw(20, (6, 5, 4, 3), request.param)


def test_torch_in_every_form_finds_the_manual_gradient(problem: Problem) -> None:
    _, gradients = loss_and_gradients(problem.parameters, problem.x, problem.targets)
    tolerance = 100 * float(np.finfo(problem.x.dtype).eps)
    network = torch_contenders.module(problem)
    leaves = torch_contenders.bare(problem)
    x, one_hot = torch.from_numpy(problem.x), torch.from_numpy(problem.targets)
    for targets in (one_hot, one_hot.argmax(dim=1)):
        torch_contenders.module_gradient(network, x, targets)
        torch_contenders.bare_gradient(leaves, x, one_hot)
        for gradient, module, leaf in zip(
            gradients.values(), network.parameters(), leaves, strict=True
        ):
            assert module.grad is not None and leaf.grad is not None
            np.testing.assert_allclose(
                gradient, module.grad.numpy().T, rtol=tolerance, atol=tolerance
            )
            np.testing.assert_allclose(gradient, leaf.grad, rtol=tolerance, atol=tolerance)


def test_every_contender_can_be_called_again_and_again(problem: Problem) -> None:
    calls = {
        "floor": numpy_contenders.floor(problem),
        "torch step": torch_contenders.step(problem),
        **numpy_contenders.manual(problem),
        **torch_contenders.gradients(problem),
        **checked.necessary(problem),
    }
    timings = interleave(calls, rounds=1, turn=0.0)
    assert list(timings) == list(calls)
    assert all(timing.calls == 2 for timing in timings.values())


def test_the_floor_is_every_product_of_a_gradient_and_nothing_else(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shapes = []
    products = numpy_contenders.floor(draw(20, (6, 5, 4, 3), "float64"))
    monkeypatch.setattr(np, "matmul", lambda a, b, out: shapes.append((*a.shape, b.shape[1])))
    products()
    forward = [(20, 6, 5), (20, 5, 4), (20, 4, 3)]
    backward = [(4, 20, 3), (20, 3, 4), (5, 20, 4), (20, 4, 5), (6, 20, 5)]
    assert shapes == forward + backward


def test_a_checked_epoch_is_timed_from_update_to_update() -> None:
    seconds = checked.checked_epochs(draw(24, (6, 5, 3), "float64"), epochs=6)
    assert len(seconds) == 3 and min(seconds) > 0


def test_gradcheck_is_given_the_manual_gradient_and_accepts_it() -> None:
    problem = draw(8, (4, 5, 3), "float64")
    assert checked.gradcheck(problem, fast_mode=True)
    assert checked.gradcheck(problem, fast_mode=False)


def test_summary_is_of_the_middle() -> None:
    timing = summary([5.0, 1.0, 2.0, 3.0, 4.0])
    assert (timing.fastest, timing.median, timing.calls) == (1.0, 3.0, 5)
    assert timing.lower < timing.median < timing.upper


def test_accounted_memory_is_four_copies_of_the_parameters_on_either_side_and_a_rest() -> None:
    numbers = 4 * 5 + 5 + 5 * 3 + 3
    assert accounted_memory((4, 5, 3), "float32") == 8 * 4 * numbers + 64_000_000


def test_seconds_are_counted_by_the_clock_that_is_asked_for() -> None:
    count_by("processor")
    try:
        assert stopwatch(lambda: sleep(0.05)) < 0.05
    finally:
        count_by("wall")
    assert stopwatch(lambda: sleep(0.05)) >= 0.05


def test_a_shape_is_named_by_its_batch_and_its_layers() -> None:
    assert label(1_437, (64, 48, 10)) == "1,437×(64–48–10)"


def test_a_measurement_under_a_pinned_kernel_says_how_to_measure_without(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE", "MKL_CBWR", "MKL_DEBUG_CPU_TYPE"):
        monkeypatch.delenv(name, raising=False)
    assert warning() is None
    monkeypatch.setenv("MKL_DEBUG_CPU_TYPE", "5")
    monkeypatch.setenv("OPENBLAS_CORETYPE", "Haswell")
    said = warning()
    assert said is not None and said.startswith("warning: OPENBLAS_CORETYPE=Haswell, MKL_DEBUG")
    assert "env -u OPENBLAS_CORETYPE -u MKL_DEBUG_CPU_TYPE python -m benchmarks.speed" in said


def test_the_kernels_of_both_sides_are_named() -> None:
    named = kernels()
    assert set(named) == {"numpy", "torch"}
    assert all(named.values())


def test_the_hand_ins_that_are_timed_can_be_read_and_differ(tmp_path: Path) -> None:
    texts = [one.read_text() for one in sorted(hand_ins(tmp_path / "all", 4).iterdir())]
    assert len(set(texts)) == 4 and all(compile(text, "hand-in", "exec") for text in texts)
