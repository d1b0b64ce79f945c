"""The textbook pass on pairs: right values, allowances that honest arithmetic stays within."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

import manual_mlp
from compare.diagnosis.match import ratios
from compare.mistakes.catalogue import NETWORK
from compare.mistakes.mistake import NetworkMistake
from compare.points.diagnostic import ORDINARY, SOFT, Kind, probe
from compare.textbook import Override, Pair, Pass, Point, Window, exact
from compare.textbook.functions import exp, log, log_softmax, softmax, sqrt
from compare.textbook.pair import occurrences
from compare.textbook.step import Moment, right_step

Array = NDArray[Any]
DTYPES = ("float64", "float32")


def a_point(sizes: tuple[int, ...] = (12, 9, 7, 5), kind: Kind = ORDINARY, **changes: Any) -> Point:
    """Return a probe point."""
    settings = {"activation": "relu", "reduction": "mean", "dtype": "float64"} | changes
    return probe(sizes, 6, kind, generator=np.random.default_rng(3), **settings)


def worst(seen: Array | float, pair: Pair) -> float:
    """Return the worst ratio of a tensor."""
    return float(ratios(np.asarray(seen), pair).max(initial=0.0))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize("activation", ["relu", "tanh", "sigmoid", "identity"])
def test_the_right_pass_agrees_with_the_derived_network_within_half_its_allowances(
    activation: str, reduction: str, dtype: str
) -> None:
    point = a_point(kind=SOFT, activation=activation, reduction=reduction, dtype=dtype)
    net = Pass(point)
    loss, gradients, shown = manual_mlp.loss_and_gradients(
        point.parameters, point.x, point.targets,
        activation=activation, reduction=reduction, intermediates=True,
    )  # fmt: skip
    found = {"loss": worst(loss, net.named("loss"))}
    found |= {name: worst(array, net.named(f"d{name}")) for name, array in gradients.items()}
    found |= {name: worst(array, net.named(name)) for name, array in shown.items()}
    assert max(found.values()) <= 0.5, found


def test_the_right_pass_agrees_with_autograd() -> None:
    torch_reference = pytest.importorskip("torch_reference", reason="torch is not installed")
    point = a_point()
    reference = torch_reference.Reference((12, 9, 7, 5))
    loss, gradients = reference.loss_and_gradients(point.parameters, point.x, point.targets)
    net = Pass(point)
    assert worst(loss, net.named("loss")) <= 0.5
    assert all(worst(g, net.named(f"d{name}")) <= 0.5 for name, g in gradients.items())


def test_allowances_are_tight_enough_to_see_an_error_of_a_millionth_of_a_millionth() -> None:
    net = Pass(a_point())
    for name in net.point.names:
        pair = net.named(name)
        assert worst(pair.value * (1 + 1e-12), pair) > 1


SINGLE: dict[str, tuple[Callable[[Any, Any], Any], Callable[[Array, Array], Array]]] = {
    "sum": (lambda a, b: a + b, lambda a, b: a + b),
    "difference": (lambda a, b: a - b, lambda a, b: a - b),
    "product": (lambda a, b: a * b, lambda a, b: a * b),
    "quotient": (lambda a, b: a / b, lambda a, b: a / b),
    "number minus": (lambda a, b: 1.0 - a, lambda a, b: 1 - a),
    "number over": (lambda a, b: 2.0 / a, lambda a, b: 2 / a),
    "matrix product": (lambda a, b: a.T @ b, lambda a, b: a.T @ b),
    "column sums": (lambda a, b: a.sum(0), lambda a, b: a.sum(axis=0)),
    "row sums": (lambda a, b: a.sum(1), lambda a, b: a.sum(axis=1)),
    "mean": (lambda a, b: a.mean(), lambda a, b: np.asarray(a.mean())),
    "exp": (lambda a, b: exp(a), lambda a, b: np.exp(a)),
    "log": (lambda a, b: log(exp(a)), lambda a, b: np.log(np.exp(a))),
    "sqrt": (lambda a, b: sqrt(exp(a)), lambda a, b: np.sqrt(np.exp(a))),
    "softmax": (lambda a, b: softmax(a), lambda a, b: manual_mlp.softmax(a)),
    "log softmax": (lambda a, b: log_softmax(a), lambda a, b: np.log(manual_mlp.softmax(a))),
    "float16": (lambda a, b: (a * b).astype(np.float16), lambda a, b: (a * b).astype(np.float16)),
}


@pytest.mark.parametrize("name", SINGLE)
@given(seed=st.integers(0, 10**6), scale=st.sampled_from([0.01, 1.0, 5.0]))
def test_single_precision_stays_within_the_allowance_of(name: str, seed: int, scale: float) -> None:
    generator = np.random.default_rng(seed)
    a, b = (generator.normal(scale=scale, size=(7, 5)).astype(np.float32) for _ in range(2))
    on_pairs, on_arrays = SINGLE[name]
    pair = on_pairs(exact(a, np.float32), exact(b, np.float32))
    assert worst(on_arrays(a, b), pair) <= 1


def test_equal_rows_err_alike_and_weigh_as_often_as_they_occur() -> None:
    assert occurrences(np.array([[1.0, 2.0], [3.0, 4.0], [1.0, 2.0]])).tolist() == [2, 1, 2]
    row = Pair(np.ones((1, 3)), np.full((1, 3), 1e-3), np.dtype(np.float64))
    rows = row.arranged(lambda entries: np.repeat(entries, 64, axis=0))
    assert rows.sum(0).allowance == pytest.approx(np.full(3, 64e-3))  # 64 times, not sqrt(64)


def test_within_the_allowance_of_a_jump_either_side_is_allowed() -> None:
    z = Pair(np.array([1e-9, 1.0, -1e-9]), np.full(3, 1e-8), np.dtype(np.float64))
    step = z > 0
    assert step.value.tolist() == [1, 1, 0]
    assert (step.allowance > 1).tolist() == [True, False, True]


def test_beyond_the_largest_number_of_the_dtype_is_infinity() -> None:
    large = exact(np.array([[80.0, 100.0, -200.0]]), np.float32)
    assert exp(large).value.tolist() == [[np.exp(80.0).astype(np.float32), np.inf, 0]]
    with np.errstate(invalid="ignore"):
        p = exp(large) / exp(large).sum(1)[:, None]
    assert np.isnan(p.value).tolist() == [[False, True, False]]


def test_beyond_the_largest_number_is_infinity_beside_a_nan_too() -> None:
    made = exact(np.zeros(3), np.float32).made(np.array([np.nan, -1e39, 1.0]), lambda: np.ones(3))
    assert np.isnan(made.value[0]) and made.value[1:].tolist() == [-np.inf, 1.0]
    assert made.allowance.tolist() == [0.0, 0.0, 1.0]


def test_a_quotient_is_unbounded_where_the_divisor_may_be_zero() -> None:
    one = exact(np.ones(2), np.float64)
    divisor = Pair(np.array([1e-3, 1.0]), np.array([1e-2, 1e-2]), np.dtype(np.float64))
    assert np.isinf((one / divisor).allowance).tolist() == [True, False]


class Unshared(Pass):
    """A pass that shares nothing with the right one: everything is computed with all overrides."""

    def relevant(self, stage: str, layer: int) -> frozenset[Override]:
        """Return all overrides."""
        return self.overrides


@pytest.mark.parametrize("mistake", NETWORK, ids=lambda mistake: mistake.name)
def test_what_a_mistake_cannot_reach_is_the_right_value(mistake: NetworkMistake) -> None:
    point = a_point((8, 8, 8, 8))
    if not mistake.applies(point):
        point = replace(point, activation="tanh")
    if not mistake.applies(point):
        point = replace(point, reduction="sum")
    overrides = mistake.overrides(mistake.example)
    shared = Pass(point).having(overrides)
    alone = Unshared(point, overrides)
    for name in point.names:
        assert np.array_equal(shared.named(name).value, alone.named(name).value, equal_nan=True)


def test_a_window_shows_the_rows_of_the_first_weight_gradient() -> None:
    net = Pass(a_point())
    features = np.array([2, 5, 11])
    part = Window(net, features).get("dw", 1)
    assert worst(part.value, net.get("dw", 1)[features]) <= 0.1


@pytest.mark.parametrize("form", ["velocity", "buffer"])
@pytest.mark.parametrize("dtype", DTYPES)
def test_the_right_step_agrees_with_the_derived_optimiser(form: str, dtype: str) -> None:
    generator = np.random.default_rng(0)
    w, dw, v = (generator.normal(size=(4, 3)).astype(dtype) for _ in range(3))
    step = manual_mlp.OPTIMISERS[form]
    stepped, state = step({"w1": w}, {"w1": dw}, {"v_w1": v}, learning_rate=0.1, momentum=0.9)
    nothing = exact(np.zeros((4, 3)), dtype)
    moment = Moment(
        "w1", exact(w, dtype), exact(dw, dtype), exact(v, dtype), nothing, 0.1, 0.9, form
    )
    after, velocity = right_step(moment)
    assert worst(stepped["w1"], after) <= 0.5
    assert worst(state["v_w1"], velocity) <= 0.5
