"""docs/derivation.md, equation by equation: test_10_3_... verifies (10.3); sections 8 to 11.

What happens after the gradient: conventions, targets, momentum, and the numbers that the text
quotes for the slips of the report.
"""

import re
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sympy  # type: ignore[import-untyped]

import manual_mlp
from benchmarks.report_slips import measurements
from manual_mlp.arrays import Arrays
from tests.equations import F, H, K, N, derivative, drawn, logits, normal, same, x, y

pytestmark = pytest.mark.slow

TEXT = Path(__file__).parent.parent / "docs" / "derivation.md"
NUMBER = re.compile(r"(-?\d+(?:\.\d+)?(?:e[+-]\d+)?)")

# 8. Mean or sum


def test_8_1_the_sum_is_n_times_the_mean() -> None:
    parameters = drawn(F, H, K)
    mean, of_mean = manual_mlp.loss_and_gradients(parameters, x, y, reduction="mean")
    total, of_sum = manual_mlp.loss_and_gradients(parameters, x, y, reduction="sum")
    same(total, N * mean)
    for name in parameters:
        same(of_sum[name], N * of_mean[name])


@pytest.mark.parametrize("form", ["velocity", "buffer"])
def test_8_2_a_learning_rate_n_times_smaller_walks_the_same_path(form: str) -> None:
    start = drawn(F, H, K)

    def walk(reduction: str, learning_rate: float) -> Arrays:
        w, state = start, manual_mlp.initial_velocity(start)
        for _ in range(20):
            _, dw = manual_mlp.loss_and_gradients(w, x, y, activation="tanh", reduction=reduction)
            w, state = manual_mlp.OPTIMISERS[form](
                w, dw, state, learning_rate=learning_rate, momentum=0.9
            )
        return w

    by_mean, by_sum = walk("mean", 0.1), walk("sum", 0.1 / N)
    for name in start:
        same(by_sum[name], by_mean[name])


# 9. Soft targets


def test_9_1_the_loss_is_at_least_the_entropy_of_the_targets() -> None:
    entropy = -np.sum(y * np.log(y)) / N
    assert manual_mlp.cross_entropy(logits, y) > entropy
    same(manual_mlp.cross_entropy(np.log(y), y), entropy)  # p = y
    same(manual_mlp.grad_ce(y, np.log(y)), np.zeros((N, K)))


# 10. Momentum, in two forms


def velocity_path(v: Any, rates: list[Any], gradients: list[Any], momentum: Any) -> list[Any]:
    """The velocities of (10.1)."""
    path = [v]
    for learning_rate, dw in zip(rates, gradients, strict=True):
        path.append(momentum * path[-1] + learning_rate * dw)
    return path


def buffer_path(v: Any, gradients: list[Any], momentum: Any) -> list[Any]:
    """The buffers of (10.2)."""
    path = [v]
    for dw in gradients:
        path.append(momentum * path[-1] + dw)
    return path


RATE, MOMENTUM, START = sympy.symbols("learning_rate momentum v", positive=True)
GRADIENTS = list(sympy.symbols("dw1:5", real=True))


def test_10_1_the_velocity_has_the_learning_rate_inside() -> None:
    w, dw, v = normal(3, F, H)
    stepped, state = manual_mlp.velocity_step(
        {"w1": w}, {"w1": dw}, {"v_w1": v}, learning_rate=0.1, momentum=0.9
    )
    v = 0.9 * v + 0.1 * dw
    same(state["v_w1"], v)
    same(stepped["w1"], w - v)


def test_10_2_the_buffer_has_the_learning_rate_outside() -> None:
    w, dw, v = normal(3, F, H)
    stepped, state = manual_mlp.buffer_step(
        {"w1": w}, {"w1": dw}, {"v_w1": v}, learning_rate=0.1, momentum=0.9
    )
    v = 0.9 * v + dw
    same(state["v_w1"], v)
    same(stepped["w1"], w - 0.1 * v)


def test_10_3_the_velocity_is_the_learning_rate_times_the_buffer() -> None:
    velocities = velocity_path(RATE * START, [RATE] * 4, GRADIENTS, MOMENTUM)
    buffers = buffer_path(START, GRADIENTS, MOMENTUM)
    for velocity, buffer in zip(velocities, buffers, strict=True):
        assert sympy.expand(velocity - RATE * buffer) == 0


def test_10_4_old_gradients_fade_with_the_powers_of_the_momentum() -> None:
    velocities = velocity_path(START, [RATE] * 4, GRADIENTS, MOMENTUM)
    for t, velocity in enumerate(velocities):
        fading = sum(MOMENTUM ** (t - s) * GRADIENTS[s - 1] for s in range(1, t + 1))
        assert sympy.expand(velocity - (MOMENTUM**t * START + RATE * fading)) == 0


def test_10_5_at_a_constant_gradient_the_velocity_rests_at_one_over_one_minus_momentum() -> None:
    [dw] = GRADIENTS[:1]
    limit = RATE / (1 - MOMENTUM) * dw
    assert sympy.simplify(MOMENTUM * limit + RATE * dw - limit) == 0
    same(velocity_path(1.0, [0.1] * 400, [2.0] * 400, 0.9)[-1], 0.1 / (1 - 0.9) * 2.0)


def test_10_6_a_rescaled_velocity_follows_the_buffer_across_a_change_of_the_learning_rate() -> None:
    new = sympy.symbols("new_rate", positive=True)
    before, after = GRADIENTS[:2], GRADIENTS[2:]
    velocity = velocity_path(RATE * START, [RATE] * 2, before, MOMENTUM)[-1]
    buffer = buffer_path(START, GRADIENTS, MOMENTUM)[-1]
    rescaled = velocity_path(velocity * new / RATE, [new] * 2, after, MOMENTUM)[-1]
    kept = velocity_path(velocity, [new] * 2, after, MOMENTUM)[-1]
    assert sympy.expand(rescaled - new * buffer) == 0
    assert sympy.expand(kept - new * buffer) != 0


# 11. Where the report goes wrong


def test_11_1_logits_minus_y_is_the_gradient_of_least_squares() -> None:
    same(derivative(lambda a: np.sum((a - y) ** 2) / 2, logits), logits - y)


# What each slip does to the numbers


def outdated(quoted: str, measured: str) -> Iterator[str]:
    """Lines that differ by more than one unit in the last digit of a decimal fraction."""
    for old, new in zip(quoted.splitlines(), measured.splitlines(), strict=True):
        pairs = zip(NUMBER.split(old), NUMBER.split(new), strict=True)
        if not all(a == b or ("." in a and one_unit_apart(a, b)) for a, b in pairs):
            yield f"{old}\nis now\n{new}"


def one_unit_apart(quoted: str, measured: str) -> bool:
    """A unit is that of the quoted number's last digit: another BLAS may round the other way."""
    exponent = Decimal(quoted).as_tuple().exponent
    assert isinstance(exponent, int)
    return abs(Decimal(quoted) - Decimal(measured)) <= Decimal(10) ** exponent


@pytest.mark.parametrize("measured", ["b1: 0.05073, 99.0 %", "b1: 0.05072, 99.1 %"])
def test_a_quotation_may_be_off_by_one_unit_of_its_last_digit(measured: str) -> None:
    assert not list(outdated("b1: 0.05072, 99.0 %", measured))


@pytest.mark.parametrize(
    "measured", ["b1: 0.05074, 99.0 %", "b2: 0.05072, 99.0 %", "b1: -0.05072, 99.0 %"]
)
def test_a_quotation_that_is_off_by_more_is_shown_beside_the_measurement(measured: str) -> None:
    quoted = "b1: 0.05072, 99.0 %"
    assert list(outdated(quoted, measured)) == [f"{quoted}\nis now\n{measured}"]


def test_the_figures_quoted_for_the_slips_of_the_report_are_current() -> None:
    _, quoted, _ = re.split("<!-- (?:benchmarks.report_slips|end) -->", TEXT.read_text("utf-8"))
    assert not list(outdated(quoted.strip(), measurements()))
