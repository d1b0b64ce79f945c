"""docs/derivation.md, equation by equation: test_7_1_... verifies equation (7.1); sections 1 to 7.

A test knows the functions and not their derivatives. It differentiates by the complex step, by
differences, or by computer algebra, and holds the result against the equation, and the equation
against the code.
"""

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import sympy  # type: ignore[import-untyped]

import manual_mlp
from manual_mlp.arrays import Array, Arrays
from tests.equations import (
    ACTIVATIONS,
    ALPHA,
    SCALE,
    STEP,
    F,
    H,
    K,
    N,
    derivative,
    drawn,
    erf,
    logits,
    loss_of,
    loss_of_logits,
    loss_of_p,
    lse,
    normal,
    same,
    softmax,
    x,
    y,
)

ROOT = Path(__file__).parent.parent
EPSILON = 1e-5
DEPTHS = [(F, K), (F, H, K), (F, 6, H, K), (F, 8, 6, H, K)]
every_activation = pytest.mark.parametrize("activation", ACTIVATIONS)


def test_every_numbered_equation_has_its_test_and_every_test_its_equation() -> None:
    text = (ROOT / "docs" / "derivation.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```math\n(.*?)^```$", text, re.M | re.S)
    numbers = [re.findall(r"\\qquad \((\d+)\.(\d+)\)\n\Z", block) for block in blocks]
    assert all(len(found) == 1 for found in numbers), "an equation without a number"
    numbered = [found for block in numbers for found in block]
    tests = "".join(
        path.read_text(encoding="utf-8") for path in (ROOT / "tests").glob("test_derivation*")
    )
    assert len(set(numbered)) == len(numbered)
    assert set(numbered) == set(re.findall(r"^def test_(\d+)_(\d+)_", tests, re.M))


def test_the_complex_step_sees_an_error_in_the_eleventh_digit() -> None:
    slope = 1 - np.tanh(logits) ** 2
    same(derivative(lambda z: np.sum(np.tanh(z)), logits), slope)
    with pytest.raises(AssertionError, match="Mismatched elements"):
        same(derivative(lambda z: np.sum(np.tanh(z)), logits), slope * (1 + 1e-11))


# 1. The network


def test_1_1_a_layer_is_a_weighted_sum_of_its_inputs_and_a_bias() -> None:
    w, b = normal(F, H), normal(H, seed=1)
    z = [[sum(x[n, i] * w[i, j] for i in range(F)) + b[j] for j in range(H)] for n in range(N)]
    same(manual_mlp.compute_layer(x, w, b), z)


@every_activation
def test_1_2_every_layer_but_the_last_has_an_activation(activation: str) -> None:
    parameters = drawn(F, 6, H, K)
    values = manual_mlp.forward(parameters, x, activation=activation)
    same(values["h1"], ACTIVATIONS[activation](values["z1"]))
    same(values["h2"], ACTIVATIONS[activation](values["z2"]))
    same(values["logits"], values["h2"] @ parameters["w3"] + parameters["b3"])


def test_1_3_softmax_is_a_quotient_of_exponentials() -> None:
    p = [
        [np.exp(row[k]) / sum(np.exp(row[j]) for j in range(K)) for k in range(K)] for row in logits
    ]
    same(manual_mlp.softmax(logits), p)


def test_1_4_the_loss_is_the_mean_cross_entropy() -> None:
    p = softmax(logits)
    loss = -sum(y[n, k] * np.log(p[n, k]) for n in range(N) for k in range(K)) / N
    same(manual_mlp.average_ce(y, p), loss)
    same(manual_mlp.cross_entropy(logits, y), loss)


# 2. A softmax that cannot overflow, a logarithm without epsilon


def test_2_1_softmax_does_not_see_a_number_added_to_the_row() -> None:
    c = normal(N, 1, scale=5)
    same(softmax(logits + c), softmax(logits))
    same(manual_mlp.softmax(logits + c), manual_mlp.softmax(logits))


def test_2_2_log_sum_exp_can_be_shifted_by_the_largest_logit() -> None:
    m = logits.max(axis=1)
    same(lse(logits), m + np.log(np.exp(logits - m[:, None]).sum(axis=1)))


def test_2_3_the_logarithm_undoes_the_exponential() -> None:
    same(np.log(softmax(logits)), logits - lse(logits)[:, None])


def test_2_4_the_loss_needs_no_probabilities() -> None:
    loss = np.sum(y * (lse(logits)[:, None] - logits)) / N
    same(loss, loss_of_logits(logits, y))
    same(loss, manual_mlp.cross_entropy(logits, y))


def test_2_5_an_epsilon_in_the_log_changes_the_loss() -> None:
    p = softmax(logits)
    with_epsilon = -np.sum(y * np.log(p + EPSILON)) / N
    same(with_epsilon, loss_of_p(p, y) - np.sum(y * np.log(1 + EPSILON / p)) / N)


def test_2_6_an_epsilon_in_the_log_changes_the_gradient() -> None:
    p = softmax(logits)
    r = y * p / (p + EPSILON)
    gradient = derivative(lambda a: loss_of_p(softmax(a) + EPSILON, y), logits)
    same(gradient, (p * r.sum(axis=1, keepdims=True) - r) / N)
    assert np.abs(gradient - (p - y) / N).max() > 1e-7  # and is no longer p - y


# 3. The Jacobian of softmax


def test_3_1_every_probability_depends_on_every_logit() -> None:
    logits = sympy.symbols("a1:4", real=True)
    total = sum(map(sympy.exp, logits))
    p = [sympy.exp(a) / total for a in logits]
    for j in range(3):
        for k in range(3):
            by_the_equation = p[j] * ((1 if j == k else 0) - p[k])
            assert sympy.simplify(sympy.diff(p[j], logits[k]) - by_the_equation) == 0


def test_3_2_the_jacobian_is_diag_p_minus_p_p() -> None:
    for row in logits:
        p = softmax(row)
        same(derivative(softmax, row), np.diag(p) - np.outer(p, p))


def test_3_3_the_jacobian_is_symmetric_and_its_rows_sum_to_zero() -> None:
    for row in logits:
        jacobian = derivative(softmax, row)
        same(jacobian.sum(axis=1), np.zeros(K))
        same(jacobian, jacobian.T)


def test_3_4_the_derivative_of_log_sum_exp_is_softmax() -> None:
    for row in logits:
        same(derivative(lse, row), softmax(row))


# 4. Why everything cancels to p minus y


def test_4_1_the_loss_by_the_probabilities() -> None:
    p = softmax(logits)
    same(derivative(lambda p: loss_of_p(p, y), p), -y / p / N)


def test_4_2_the_chain_rule_sums_over_the_probabilities() -> None:
    p = softmax(logits)
    dlogits = np.zeros((N, K))
    for n in range(N):
        for k in range(K):
            dlogits[n, k] = (
                -sum(y[n, j] / p[n, j] * p[n, j] * ((j == k) - p[n, k]) for j in range(K)) / N
            )
    same(derivative(lambda a: loss_of_logits(a, y), logits), dlogits)


def test_4_3_targets_need_not_sum_to_one() -> None:
    t = normal(N, K)
    dlogits = (softmax(logits) * t.sum(axis=1, keepdims=True) - t) / N
    same(derivative(lambda a: loss_of_logits(a, t), logits), dlogits)


def test_4_4_the_gradient_at_the_logits_is_p_minus_y_over_n() -> None:
    dlogits = (softmax(logits) - y) / N
    same(derivative(lambda a: loss_of_logits(a, y), logits), dlogits)
    same(manual_mlp.grad_ce(y, logits), dlogits)


def test_4_4_by_computer_algebra() -> None:
    logits, y = sympy.symbols("a1:4", real=True), sympy.symbols("y1:3", real=True)
    targets = [*y, 1 - sum(y)]
    total = sum(map(sympy.exp, logits))
    p = [sympy.exp(a) / total for a in logits]
    loss = -sum(target * sympy.log(p_k) for target, p_k in zip(targets, p, strict=True))
    for k in range(3):
        assert sympy.simplify(sympy.diff(loss, logits[k]) - (p[k] - targets[k])) == 0


def test_4_5_the_diagonal_gives_one_half_of_p_minus_y_and_the_rest_the_other() -> None:
    for p_n, y_n in zip(softmax(logits), y, strict=True):
        jacobian = np.diag(p_n) - np.outer(p_n, p_n)
        diagonal = np.diag(np.diag(jacobian))
        same(-y_n / p_n @ diagonal, -y_n * (1 - p_n))
        same(-y_n / p_n @ (jacobian - diagonal), p_n * (1 - y_n))
        same(-y_n * (1 - p_n) + p_n * (1 - y_n), p_n - y_n)


def test_4_6_the_gradient_of_a_row_sums_to_zero() -> None:
    same(manual_mlp.grad_ce(y, logits).sum(axis=1), np.zeros(N))


# 5. Back through a layer: with a random dz, the loss is sum(z * dz) up to a constant


h, w, b, dz = normal(N, F, seed=1), normal(F, H, seed=2), normal(H, seed=3), normal(N, H, seed=4)


def test_5_1_the_weights_collect_from_every_row() -> None:
    dw = [[sum(h[n, i] * dz[n, j] for n in range(N)) for j in range(H)] for i in range(F)]
    same(derivative(lambda w: np.sum((h @ w + b) * dz), w), dw)
    same(h.T @ dz, dw)


def test_5_2_the_biases_collect_from_every_row() -> None:
    db = [sum(dz[n, j] for n in range(N)) for j in range(H)]
    same(derivative(lambda b: np.sum((h @ w + b) * dz), b), db)


def test_5_3_the_input_collects_from_every_output() -> None:
    dh = [[sum(dz[n, j] * w[i, j] for j in range(H)) for i in range(F)] for n in range(N)]
    same(derivative(lambda h: np.sum((h @ w + b) * dz), h), dh)
    same(dz @ w.T, dh)


# 6. Back through an activation


@every_activation
def test_6_1_an_activation_acts_on_each_entry_alone(activation: str) -> None:
    a = ACTIVATIONS[activation]
    z, dh = normal(2, N, H)
    slope = np.imag(a(z + STEP * 1j)) / STEP
    same(derivative(lambda z: np.sum(a(z) * dh), z), dh * slope)


THROUGH_THE_VALUE: dict[str, Callable[[Array], Array]] = {
    "relu": lambda h: h > 0,
    "leaky_relu": lambda h: np.where(h > 0, 1, 0.01),
    "elu": lambda h: np.where(h > 0, 1, h + 1),
    "selu": lambda h: np.where(h > 0, SCALE, h + SCALE * ALPHA),
    "softplus": lambda h: 1 - np.exp(-h),
    "relu6": lambda h: (h > 0) & (h < 6),
    "hardtanh": lambda h: abs(h) < 1,
    "tanh": lambda h: 1 - h**2,
    "sigmoid": lambda h: h * (1 - h),
    "identity": lambda h: np.ones_like(h),
}


def sigma(z: Array) -> Array:
    found: Array = 1 / (1 + np.exp(-z))
    return found


def gelu_tanh_slope(z: Array) -> Array:
    u = np.sqrt(2 / np.pi) * (z + 0.044715 * z**3)
    du = np.sqrt(2 / np.pi) * (1 + 3 * 0.044715 * z**2)
    slope: Array = sigma(2 * u) * (1 + 2 * z * (1 - sigma(2 * u)) * du)
    return slope


THROUGH_Z: dict[str, Callable[[Array], Array]] = {
    "silu": lambda z: sigma(z) * (1 + z * (1 - sigma(z))),
    "gelu": lambda z: (1 + erf(z / np.sqrt(2))) / 2 + z * np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi),
    "gelu_tanh": gelu_tanh_slope,
}


def test_6_2_the_derivative_is_written_through_the_value_or_through_z() -> None:
    z = normal(N, H, scale=2)
    assert {*THROUGH_THE_VALUE, *THROUGH_Z} == set(manual_mlp.ACTIVATIONS) == set(ACTIVATIONS)
    for name in ACTIVATIONS:
        h = manual_mlp.ACTIVATIONS[name].value(z)
        same(h, ACTIVATIONS[name](z))
        slope = THROUGH_THE_VALUE[name](h) if name in THROUGH_THE_VALUE else THROUGH_Z[name](z)
        same(np.imag(ACTIVATIONS[name](z + STEP * 1j)) / STEP, slope)
        same(manual_mlp.ACTIVATIONS[name].derivative(z, h), slope)


def test_6_3_relu_has_two_one_sided_slopes_at_zero_and_the_code_takes_the_left_one() -> None:
    t, zero = 2.0 ** -np.arange(1.0, 60.0), np.zeros(1)
    relu = manual_mlp.relu
    same((relu(t) - relu(zero)) / t, np.ones(59))
    same((relu(-t) - relu(zero)) / -t, np.zeros(59))
    same(manual_mlp.ACTIVATIONS["relu"].derivative(zero, relu(zero)), zero)


# 7. Any depth


def by_parameter(parameters: Arrays, name: str, activation: str) -> Array:
    at = parameters[name]
    return derivative(lambda w: loss_of(parameters | {name: w}, x, y, activation), at)


def by_z(parameters: Arrays, layer: int, activation: str) -> Array:
    nothing = np.zeros((N, len(parameters[f"b{layer}"])))
    return derivative(lambda d: loss_of(parameters, x, y, activation, **{f"z{layer}": d}), nothing)


@every_activation
@pytest.mark.parametrize("sizes", DEPTHS, ids=str)
def test_7_1_the_recursion_is_the_derivative_at_any_depth(
    sizes: tuple[int, ...], activation: str
) -> None:
    parameters, last = drawn(*sizes), len(sizes) - 1
    _, gradients, shown = manual_mlp.loss_and_gradients(
        parameters, x, y, activation=activation, intermediates=True
    )
    same(shown["dlogits"], by_z(parameters, last, activation))
    for layer in range(1, last):
        same(shown[f"dz{layer}"], by_z(parameters, layer, activation))
    for name in parameters:
        same(gradients[name], by_parameter(parameters, name, activation))


@every_activation
def test_7_2_a_row_goes_back_through_a_product_of_jacobians(activation: str) -> None:
    parameters = drawn(F, 8, 6, H, K)
    _, _, shown = manual_mlp.loss_and_gradients(
        parameters, x, y, activation=activation, intermediates=True
    )
    slope = manual_mlp.ACTIVATIONS[activation].derivative
    for n in range(N):
        z, h = ([shown[f"{name}{layer}"][n] for layer in (3, 2, 1)] for name in "zh")
        d3, d2, d1 = map(np.diag, map(slope, z, h))
        w4, w3, w2 = (parameters[f"w{layer}"] for layer in (4, 3, 2))
        same(shown["dz1"][n], shown["dlogits"][n] @ w4.T @ d3 @ w3.T @ d2 @ w2.T @ d1)


def test_7_3_two_layers_in_the_names_of_the_report() -> None:
    parameters = drawn(F, H, K)
    w_h, b_h, w_o, b_o = parameters.values()
    x_h = np.maximum(x @ w_h + b_h, 0)
    p = softmax(x_h @ w_o + b_o)
    _, gradients = manual_mlp.loss_and_gradients(parameters, x, y)
    same(gradients["w2"], x_h.T @ (p - y) / N)
    same(gradients["b2"], (p - y).sum(axis=0) / N)
    same(gradients["w1"], x.T @ ((p - y) @ w_o.T * (x_h > 0)) / N)
    same(gradients["b1"], ((p - y) @ w_o.T * (x_h > 0)).sum(axis=0) / N)


@pytest.mark.parametrize("activation", ["tanh", "sigmoid", "identity"])
def test_7_4_what_the_gradient_leaves_unexplained_falls_with_the_square_of_the_step(
    activation: str,
) -> None:
    theta = drawn(F, 6, H, K)
    loss, g = manual_mlp.loss_and_gradients(theta, x, y, activation=activation)
    d = {name: normal(*w.shape, seed=30) for name, w in theta.items()}
    slope = sum(float(np.sum(g[name] * d[name])) for name in theta)

    def remainder(t: float, explained: float) -> float:
        moved = {name: theta[name] + t * d[name] for name in theta}
        return abs(float(loss_of(moved, x, y, activation)) - loss - t * explained)

    # Halving a small step divides t^2 by 4 and t by 2, up to a next term of relative size t.
    assert remainder(1e-3, slope) / remainder(5e-4, slope) == pytest.approx(4, rel=0.02)
    wrong = slope + 1
    assert remainder(1e-3, wrong) / remainder(5e-4, wrong) == pytest.approx(2, rel=0.02)
