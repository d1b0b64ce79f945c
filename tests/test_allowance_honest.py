"""Right gradients that round together: for each rule of the allowances one that needs it.

Every test holds a right answer against torch and asks for half of the allowance, or all of it where
the terms of a sum were sorted on purpose. Each fails if the rule it names is taken away.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import manual_mlp
from compare.allowance import Arithmetic
from compare.allowance.alike import row_identities
from compare.checks.same_point import SamePoint
from tests.allowed import DTYPES
from torch_reference import Reference

Array = NDArray[Any]
Arrays = dict[str, Array]
Product = Callable[[Array, Array], Array]


def worst(
    drawn: tuple[Arrays, Array, Array], answer: tuple[float, Arrays], activation: str = "relu"
) -> float:
    """The largest ratio to an allowance of a loss, its gradients and their projections."""
    parameters, x, targets = drawn
    sizes = (x.shape[1], *(len(b) for name, b in parameters.items() if name[0] == "b"))
    reference = Reference(sizes, activation=activation, dtype=str(x.dtype))
    check = SamePoint(reference, Arithmetic.of(x.dtype), activation, "mean")
    examined = check(parameters, x, targets, *answer, row_identities(x))
    return max(one.worst.ratio for one in examined.comparisons.values())


def in_format(drawn: tuple[Arrays, Array, Array], dtype: str) -> tuple[Arrays, Array, Array]:
    parameters, x, targets = drawn
    return (
        {n: w.astype(dtype) for n, w in parameters.items()},
        x.astype(dtype),
        targets.astype(dtype),
    )


def in_next_precision(
    drawn: tuple[Arrays, Array, Array], activation: str = "relu"
) -> tuple[float, Arrays]:
    """The exact gradient, rounded once."""
    parameters, x, targets = drawn
    wide: Any = np.longdouble if x.dtype == np.float64 else np.float64
    loss, found = manual_mlp.loss_and_gradients(
        {n: w.astype(wide) for n, w in parameters.items()}, x.astype(wide), targets.astype(wide),
        activation=activation,
    )  # fmt: skip
    return float(loss), {n: g.astype(x.dtype) for n, g in found.items()}


def one_layer(
    drawn: tuple[Arrays, Array, Array], product: Product = np.matmul
) -> tuple[float, Arrays]:
    """Softmax regression with a product of one's own."""
    parameters, x, targets = drawn
    z = product(x, parameters["w1"]) + parameters["b1"]
    shifted = z - z.max(axis=1, keepdims=True)
    sums = np.exp(shifted).sum(axis=1, keepdims=True)
    loss = (np.log(sums[:, 0]) - (targets * shifted).sum(axis=1)).mean()
    dlogits = (np.exp(shifted) / sums - targets) / x.dtype.type(len(x))
    return float(loss), {"w1": x.T @ dlogits, "b1": dlogits.sum(axis=0)}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("rows", [2, 64])
def test_equal_terms_of_sums_over_units_err_alike(dtype: str, rows: int) -> None:
    for seed in (6, 8, 15):
        generator = np.random.default_rng(seed)
        x = generator.random((rows, 784)) < 0.35  # binary pixels
        w = np.full((784, 10), 0.05) * (1 + 0.3 * generator.normal(size=10))  # constant per class
        parameters = {"w1": w, "b1": 0.1 * generator.normal(size=10)}
        targets = np.eye(10)[generator.integers(0, 10, rows)]
        drawn = in_format((parameters, x, targets), dtype)
        assert worst(drawn, in_next_precision(drawn)) <= 0.5
        assert worst(drawn, manual_mlp.loss_and_gradients(*drawn)) <= 0.5


def interleaved(seed: int, dtype: str, count: int = 4096) -> tuple[Arrays, Array, Array]:
    """Features in pairs of opposite effect: every other term of a sum has the other sign."""
    generator = np.random.default_rng(seed)
    sign = np.where(np.arange(count) % 2 == 0, 1, -1)
    x = 1 + 0.05 * generator.normal(size=(30, count))
    w = sign[:, None] * (1 + 0.05 * generator.normal(size=(count, 3))) / np.sqrt(count)
    parameters = {"w1": w, "b1": 0.1 * generator.normal(size=3)}
    targets = np.eye(3)[generator.integers(0, 3, 30)]
    return in_format((parameters, x, targets), dtype)


def in_lanes(x: Array, w: Array) -> Array:
    """Every eighth term to one of eight sums, as vector instructions add them up."""
    terms = x[:, :, None] * w[None]  # (N, F, K)
    lanes = [np.cumsum(terms[:, lane::8], axis=1)[:, -1] for lane in range(8)]
    return np.asarray(sum(lanes[1:], lanes[0]))


def sorted_by_value(x: Array, w: Array) -> Array:
    terms = np.sort(x[:, :, None] * w[None], axis=1)
    return np.asarray(np.cumsum(terms, axis=1)[:, -1])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("product", "most"), [(in_lanes, 0.5), (sorted_by_value, 1.0)])
def test_sums_over_units_may_be_added_in_any_order(
    dtype: str, product: Product, most: float
) -> None:
    for seed in range(3):
        drawn = interleaved(seed, dtype)
        assert worst(drawn, one_layer(drawn, product)) <= most


@pytest.mark.parametrize("dtype", DTYPES)
def test_probabilities_may_be_exp_of_logits_minus_their_log_sum_exp(dtype: str) -> None:
    for seed in range(5):
        generator = np.random.default_rng(seed)
        x = generator.integers(0, 256, (16, 100)) * (generator.random((16, 100)) < 0.2)
        parameters = {"w1": generator.normal(size=(100, 10)) * 0.3, "b1": np.zeros(10)}
        likely = np.where(
            generator.random(16) < 0.9,
            (x @ parameters["w1"]).argmax(axis=1),
            generator.integers(0, 10, 16),
        )
        drawn = in_format((parameters, x, np.eye(10)[likely]), dtype)
        z = drawn[1] @ drawn[0]["w1"] + drawn[0]["b1"]
        most = z.max(axis=1, keepdims=True)
        lse = most + np.log(np.exp(z - most).sum(axis=1, keepdims=True))
        dlogits = (np.exp(z - lse) - drawn[2]) / x.shape[0]
        loss = float((lse[:, 0] - (drawn[2] * z).sum(axis=1)).mean())
        answer = loss, {"w1": drawn[1].T @ dlogits, "b1": dlogits.sum(axis=0)}
        assert worst(drawn, answer) <= 0.5


@pytest.mark.parametrize("wrong", [0, 1, 3])
@pytest.mark.parametrize(("dtype", "gap"), [("float32", 17.0), ("float64", 37.0)])
def test_what_probabilities_lose_that_round_to_1_adds_up(
    dtype: str, gap: float, wrong: int
) -> None:
    # One logit is 0, so that log sum exp has no last digit to lose.
    generator = np.random.default_rng(0)
    count = 2000
    x = np.abs(generator.normal(size=(count, 5))) + 0.5
    x[:, 0] = 1 + 0.01 * generator.random(count)
    parameters = {"w1": np.zeros((5, 2)), "b1": np.zeros(2)}
    parameters["w1"][0, 1] = -gap
    labels = np.zeros(count, int)
    labels[:wrong] = 1
    parameters, x, targets = in_format((parameters, x, np.eye(2)[labels]), dtype)
    z = (x @ parameters["w1"])[:, 1].astype(np.longdouble)
    p = np.exp(z) / (1 + np.exp(z))  # of class 1
    d = np.where(labels == 1, p - 1, p)
    dlogits = np.stack([-d, d], axis=1).astype(dtype) / x.dtype.type(count)
    loss = float(np.mean(np.log1p(np.exp(z)) - z * labels))
    answer = loss, {"w1": x.T @ dlogits, "b1": dlogits.sum(axis=0)}
    assert worst((parameters, x, targets), answer) <= 0.5


@pytest.mark.parametrize(("dtype", "classes"), [("float32", 1000), ("float64", 5000)])
def test_soft_targets_round_a_loss_once_for_every_class(dtype: str, classes: int) -> None:
    generator = np.random.default_rng(0)
    x = generator.normal(size=(20, 5))
    w = generator.normal(size=(5, classes))
    soft = generator.dirichlet(np.full(classes, 0.5), 20)
    drawn = in_format(({"w1": w, "b1": np.full(classes, 1000.0)}, x, soft), dtype)
    _, gradients = manual_mlp.loss_and_gradients(*drawn)
    z = (drawn[1] @ drawn[0]["w1"] + drawn[0]["b1"]).T.copy()  # (K, N)
    most = z.max(axis=0)
    lse = most + np.log(np.exp(z - most).sum(axis=0))
    loss = float((lse - np.cumsum(drawn[2].T * z, axis=0)[-1]).mean())
    assert worst(drawn, (loss, gradients)) <= 0.5


@pytest.mark.slow
def test_targets_smoothed_alike_miss_a_sum_of_1_alike() -> None:
    # At biases that fit the classes' frequencies the gradient is small, and what it misses is not.
    generator = np.random.default_rng(0)
    count, features, classes = 20000, 784, 10
    x = generator.random((count, features)) * (generator.random((count, features)) < 0.2)
    labels = np.where(generator.random(count) < 0.95, 0, generator.integers(0, classes, count))
    targets = np.eye(classes)[labels] * 0.8 + 0.2 / classes
    w = 0.01 * generator.normal(size=(features, classes))
    parameters = {"w1": w, "b1": np.log(targets.mean(axis=0))}
    z = x @ w + parameters["b1"]
    p = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
    dlogits = (p * np.cumsum(targets, axis=1)[:, -1:] - targets) / count  # of log p
    loss = float(-(targets * np.log(p)).sum() / count)
    answer = loss, {"w1": x.T @ dlogits, "b1": dlogits.sum(axis=0)}
    assert worst((parameters, x, targets), answer) <= 0.5


@pytest.mark.parametrize(("dtype", "jitter"), [("float64", 1e-10), ("float32", 1e-4)])
def test_near_duplicate_rows_lose_alike_what_is_below_the_last_digit(
    dtype: str, jitter: float
) -> None:
    for seed in range(3):
        generator = np.random.default_rng(seed)
        prototypes, which = (
            generator.normal(size=(3, 40)) * 3,
            np.sort(generator.integers(0, 3, 800)),
        )
        x = prototypes[which] * (1 + jitter * generator.normal(size=(800, 40)))
        parameters = {
            "w1": generator.normal(size=(40, 60)) * 0.1, "b1": generator.normal(size=60) * 0.1,
            "w2": generator.normal(size=(60, 3)) * 0.2, "b2": generator.normal(size=3) * 0.1,
        }  # fmt: skip
        drawn = in_format((parameters, x, np.eye(3)[which]), dtype)
        loss, gradients, values = manual_mlp.loss_and_gradients(
            *drawn, activation="tanh", intermediates=True
        )
        for name, h, dz in (("1", drawn[1], values["dz1"]), ("2", values["h1"], values["dlogits"])):
            gradients[f"w{name}"] = np.cumsum(h[:, :, None] * dz[:, None], axis=0)[-1]
            gradients[f"b{name}"] = np.cumsum(dz, axis=0)[-1]
        assert worst(drawn, (loss, gradients), "tanh") <= 0.5


def aligned(depth: int, dtype: str, seed: int) -> tuple[Arrays, Array, Array]:
    """Layers of rank one, each aligned with the next, behind one that rounds a lot."""
    generator = np.random.default_rng(seed)
    sizes = (50, *[128] * (depth - 1), 4)
    v = [generator.normal(size=size) for size in sizes]
    x = generator.normal(size=(20, 50)) + 30
    parameters: Arrays = {}
    for i in range(1, depth + 1):
        w = 1.5 * np.outer(v[i - 1], v[i]) / np.sqrt(sizes[i - 1] * sizes[i])
        parameters |= {f"w{i}": w, f"b{i}": np.zeros(sizes[i])}
    parameters["w1"] = generator.normal(size=sizes[:2]) / np.sqrt(50)
    parameters["b1"] = -(x @ parameters["w1"]).mean(axis=0)
    return in_format((parameters, x, np.eye(4)[generator.integers(0, 4, 20)]), dtype)


@pytest.mark.parametrize("activation", ["tanh", "relu"])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("depth", [3, 6])
def test_errors_that_all_units_share_add_up_from_layer_to_layer(
    depth: int, dtype: str, activation: str
) -> None:
    for seed in range(3):
        drawn = aligned(depth, dtype, seed)
        assert worst(drawn, in_next_precision(drawn, activation), activation) <= 0.5
        ours = manual_mlp.loss_and_gradients(*drawn, activation=activation)
        assert worst(drawn, ours, activation) <= 0.5


@pytest.mark.parametrize("classes", [2, 10])
def test_a_bias_may_be_added_up_class_by_class(classes: int) -> None:
    # Sorted so, the terms of one sign come first: the partial sums grow far beyond the result.
    for seed in range(2):
        generator = np.random.default_rng(seed)
        x = 0.1 * generator.normal(size=(4000, 5))
        w = 0.1 * generator.normal(size=(5, classes))
        targets = np.eye(classes)[generator.integers(0, classes, 4000)]
        drawn = in_format(({"w1": w, "b1": np.zeros(classes)}, x, targets), "float32")
        loss, gradients, values = manual_mlp.loss_and_gradients(*drawn, intermediates=True)
        order = np.argsort(targets.argmax(axis=1), kind="stable")
        gradients["b1"] = np.cumsum(values["dlogits"][order], axis=0)[-1]
        assert worst(drawn, (loss, gradients)) <= 0.5


def of_rank_one(
    sizes: tuple[int, ...], gain: float, seed: int, rows: int
) -> tuple[Arrays, Array, Array]:
    """Aligned layers as above, with steeper weights, in float64."""
    generator = np.random.default_rng(seed)
    v = [generator.normal(size=size) for size in sizes]
    x = generator.normal(size=(rows, sizes[0])) + 30
    parameters: Arrays = {}
    for i, (fan_in, fan_out) in enumerate(pairwise(sizes), start=1):
        w = gain * np.outer(v[i - 1], v[i]) / np.sqrt(fan_in * fan_out)
        parameters |= {f"w{i}": w, f"b{i}": np.zeros(fan_out)}
    parameters["w1"] = generator.normal(size=sizes[:2]) / np.sqrt(sizes[0])
    parameters["b1"] = -(x @ parameters["w1"]).mean(axis=0)
    return parameters, x, np.eye(sizes[-1])[generator.integers(0, sizes[-1], rows)]


def test_a_shared_error_moves_the_slopes_that_it_goes_back_through() -> None:
    drawn = of_rank_one((20, 32, 32, 32, 32, 32, 32, 4), 3.0, seed=2, rows=64)
    ours = manual_mlp.loss_and_gradients(*drawn, activation="tanh")
    assert worst(drawn, in_next_precision(drawn, "tanh"), "tanh") <= 0.5
    assert worst(drawn, ours, "tanh") <= 0.5


def test_a_shared_error_of_the_logits_goes_back_with_the_signs_that_softmax_gives_it() -> None:
    drawn = of_rank_one((50, 64, 64, 300), 2.5, seed=34, rows=20)
    ours = manual_mlp.loss_and_gradients(*drawn, activation="identity")
    assert worst(drawn, in_next_precision(drawn, "identity"), "identity") <= 0.5
    assert worst(drawn, ours, "identity") <= 0.5


@pytest.mark.parametrize("dtype", DTYPES)
def test_what_p_itself_is_rounded_by_does_not_sum_to_zero_on_its_way_back(dtype: str) -> None:
    """Two classes of nearly the same weights: only what both p err by alike is not cancelled."""
    for seed in range(3):
        parameters, x, targets = of_rank_one((24, 34, 25, 60, 27, 41, 2), 1.5, seed, rows=14)
        parameters["w6"][:, 1] = 1.01 * parameters["w6"][:, 0]
        drawn = in_format((parameters, x, targets), dtype)
        ours = manual_mlp.loss_and_gradients(*drawn, activation="sigmoid")
        assert worst(drawn, in_next_precision(drawn, "sigmoid"), "sigmoid") <= 0.5
        assert worst(drawn, ours, "sigmoid") <= 0.5


def test_errors_of_one_sign_add_up_with_weights_of_one_sign() -> None:
    # Inputs too small to count: a layer's units all round what stands in their biases alike.
    generator = np.random.default_rng(4)
    generator.choice([20, 300, 2000])
    sizes, parameters = (30, 100, 40, 4), {}
    for i, (fan_in, fan_out) in enumerate(pairwise(sizes), start=1):
        parameters[f"w{i}"] = np.abs(generator.normal(size=(fan_in, fan_out))) / fan_in
        parameters[f"b{i}"] = 0.1 * generator.normal(size=fan_out)
    x = np.abs(generator.normal(size=(2000, 30)))
    parameters["w1"] = parameters["w1"] * 1e-12
    targets = np.eye(4)[np.zeros(2000, int)]
    drawn = parameters, x, targets
    assert worst(drawn, manual_mlp.loss_and_gradients(*drawn)) <= 0.5


def saturated(seed: int, rows: int, depth: int = 8, width: int = 16) -> tuple[Arrays, Array, Array]:
    """Tanh layers that hand on one direction, three times as large: nearly all rows saturate."""
    generator = np.random.default_rng(seed)
    sizes = (20, *[width] * (depth - 1), 2)
    directions = [generator.normal(size=size) / np.sqrt(size) for size in sizes]
    parameters: Arrays = {}
    for i, (below, above) in enumerate(pairwise(directions), start=1):
        noise = generator.normal(size=(len(below), len(above))) / np.sqrt(len(below))
        parameters |= {
            f"w{i}": 3 * np.outer(below, above) + 0.3 * noise,
            f"b{i}": np.zeros(len(above)),
        }
    x = generator.normal(size=(rows, sizes[0]))
    return parameters, x, np.eye(2)[generator.integers(0, 2, rows)]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("rows", [6, 64])
def test_one_row_can_be_a_whole_gradient_and_have_errors_like_no_other(
    dtype: str, rows: int
) -> None:
    for seed in range(10):
        drawn = in_format(saturated(seed, rows), dtype)
        answer = manual_mlp.loss_and_gradients(*drawn, activation="tanh")
        assert worst(drawn, answer, "tanh") <= 0.5


def offset(dtype: str, away: float, seed: int) -> tuple[Arrays, Array, Array]:
    """Logits of about `away`, apart by some last digits from row to row, the largest by 5."""
    generator = np.random.default_rng(seed)
    x = generator.normal(size=(400, 6))
    w = 5 * away * np.finfo(dtype).eps * generator.normal(size=(6, 4))
    b = away * np.array([1, 1 - 5 / away, -0.5, 0.1]) + generator.random(4)
    return in_format(({"w1": w, "b1": b}, x, np.eye(4)[generator.integers(0, 4, 400)]), dtype)


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_logarithm_of_sums_may_be_rounded_one_way_in_all_rows(dtype: str) -> None:
    """`p = exp(z - lse)`: lse lies at the same place between two numbers in nearly equal rows."""
    leant = 0.0
    for seed in range(12):
        drawn = offset(dtype, 3000.0, seed)
        parameters, x, targets = drawn
        z = x @ parameters["w1"] + parameters["b1"]
        most = z.max(axis=1, keepdims=True)
        lse = most + np.log(np.exp(z - most).sum(axis=1, keepdims=True))
        p = np.exp(z - lse)
        dlogits = (p - targets) / x.dtype.type(len(x))
        loss = float((lse - (targets * z).sum(axis=1, keepdims=True)).mean())
        answer = loss, {"w1": x.T @ dlogits, "b1": dlogits.sum(axis=0)}
        assert worst(drawn, answer) <= 0.5
        off = p.astype(np.float64).sum(axis=1) - 1
        leant = max(leant, abs(off.mean()) / np.sqrt((off**2).mean()))
    assert leant > 0.7, "else this test shows nothing"


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_logarithm_of_nearly_one_may_be_rounded_down_in_every_fitted_row(dtype: str) -> None:
    """The sum of the exponentials is 1 and a few last digits; lse lies just below the middle."""
    generator, count = np.random.default_rng(0), 20_000
    gap = {"float32": 10.4, "float64": 20.0}[dtype]
    x = np.stack([3 + 0.3 * generator.random(count), gap + 0.5 * generator.random(count)], axis=1)
    w = np.array([[1.0, 1.0], [0.0, -1.0]])  # z = x0, x0 - x1
    parameters, x, targets = in_format(
        ({"w1": w, "b1": np.zeros(2)}, x, np.tile(np.eye(2)[:1], (count, 1))), dtype
    )
    z = x @ parameters["w1"]
    lse = z[:, :1] + np.log(np.exp(z - z[:, :1]).sum(axis=1, keepdims=True))
    dlogits = (np.exp(z - lse) - targets) / x.dtype.type(count)
    loss = float((lse - z[:, :1]).mean())
    answer = loss, {"w1": x.T @ dlogits, "b1": dlogits.sum(axis=0)}
    assert worst((parameters, x, targets), answer) <= 0.5


WAYS_OF_TANH: dict[str, Callable[[Array], Array]] = {
    "by the sigmoid": lambda z: 2 / (1 + np.exp(-2 * z)) - 1,
    "by exponentials": lambda z: (np.exp(z) - np.exp(-z)) / (np.exp(z) + np.exp(-z)),
}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("way", WAYS_OF_TANH)
@pytest.mark.parametrize("scale", [1.0, 1e-2, 1e-4])
def test_a_tanh_of_small_numbers_may_round_like_1(way: str, scale: float, dtype: str) -> None:
    rng = np.random.default_rng(0)
    parameters = manual_mlp.initial_parameters((6, 9, 4), rng)  # with biases of 0
    x, targets = scale * rng.normal(size=(11, 6)), np.eye(4)[rng.integers(4, size=11)]
    drawn = parameters, x, targets = in_format((parameters, x, targets), dtype)
    h = WAYS_OF_TANH[way](x @ parameters["w1"] + parameters["b1"])
    logits = h @ parameters["w2"] + parameters["b2"]
    d = manual_mlp.grad_ce(targets, logits)
    below = (d @ parameters["w2"].T) * (1 - h * h)
    gradients = {"w1": x.T @ below, "b1": below.sum(0), "w2": h.T @ d, "b2": d.sum(0)}
    answer = manual_mlp.cross_entropy(logits, targets), gradients
    assert worst(drawn, answer, "tanh") <= 0.5
