"""The slips of the report as code: each is the right computation with one thing as it is printed.

The report's names for the two layers are w_h, b_h, x_h and w_o, b_o; here w1, b1, h1 and w2, b2.
The equations they break are in docs/derivation.md; benchmarks/report_slips.py measures them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import manual_mlp
from manual_mlp.arrays import Array, Arrays

EPSILON = 0.00001
LossAndGradients = Callable[[Arrays, Array, Array], tuple[float, Arrays]]


def right(parameters: Arrays, x: Array, y: Array) -> tuple[float, Arrays]:
    """Loss and gradients as derived."""
    return manual_mlp.loss_and_gradients(parameters, x, y)


def from_dlogits(
    parameters: Arrays, x: Array, y: Array, rule: Callable[[Array], Array]
) -> tuple[float, Arrays]:
    """The right loss, and the right backward pass from dlogits = rule(logits)."""
    values = manual_mlp.forward(parameters, x)
    logits = values["logits"]  # (N, K)
    gradients, _ = manual_mlp.backward(parameters, x, values, rule(logits))
    return manual_mlp.cross_entropy(logits, y), gradients


def minus_missing(parameters: Arrays, x: Array, y: Array) -> tuple[float, Arrays]:
    """L = sum_n sum_k y log p, and its gradient."""
    loss, gradients = right(parameters, x, y)
    return -loss, {name: -gradient for name, gradient in gradients.items()}


def epsilon_in_the_log(parameters: Arrays, x: Array, y: Array) -> tuple[float, Arrays]:
    """log(p + epsilon) in the loss; the gradient does not know of it."""
    p = manual_mlp.softmax(manual_mlp.forward(parameters, x)["logits"])  # (N, K)
    return manual_mlp.average_ce(y, p + EPSILON), right(parameters, x, y)[1]


def diagonal_only(parameters: Arrays, x: Array, y: Array) -> tuple[float, Arrays]:
    """dlogits = -y/p * p (1 - p): the Jacobian of softmax without its off-diagonal terms."""
    return from_dlogits(
        parameters, x, y, lambda logits: -y * (1 - manual_mlp.softmax(logits)) / len(x)
    )


def softmax_left_out(parameters: Arrays, x: Array, y: Array) -> tuple[float, Arrays]:
    """dlogits = (logits - y) / N."""
    return from_dlogits(parameters, x, y, lambda logits: (logits - y) / len(x))


def softmax_and_mean_left_out(parameters: Arrays, x: Array, y: Array) -> tuple[float, Arrays]:
    """dlogits = logits - y: what the printed `grad_ce` returns when it is handed logits."""
    return from_dlogits(parameters, x, y, lambda logits: logits - y)


def one_for_p_in_dw_o(parameters: Arrays, x: Array, y: Array) -> tuple[float, Arrays]:
    """dw_o = x_h.T @ (1 - y), everything else right."""
    loss, gradients = right(parameters, x, y)
    h1 = manual_mlp.forward(parameters, x)["h1"]  # (N, H)
    return loss, gradients | {"w2": h1.T @ (1 - y) / len(x)}


def one_for_p_in_db_h(parameters: Arrays, x: Array, y: Array) -> tuple[float, Arrays]:
    """db_h = (1 - y) @ w_o.T where x_h > 0, everything else right."""
    loss, gradients = right(parameters, x, y)
    active = manual_mlp.forward(parameters, x)["h1"] > 0  # (N, H)
    db1 = ((1 - y) / len(x) @ parameters["w2"].T * active).sum(axis=0)
    return loss, gradients | {"b1": db1}


def w_h_for_w_o(parameters: Arrays, x: Array, y: Array) -> tuple[float, Arrays]:
    """db_h = (p - y) @ w_h where x_h > 0, everything else right.

    Raises `ValueError` unless there are as many inputs as classes.
    """
    loss, gradients = right(parameters, x, y)
    values = manual_mlp.forward(parameters, x)
    dlogits = manual_mlp.grad_ce(y, values["logits"])  # (N, K)
    db1 = (dlogits @ parameters["w1"] * (values["h1"] > 0)).sum(axis=0)
    return loss, gradients | {"b1": db1}


def mean_left_out(parameters: Arrays, x: Array, y: Array) -> tuple[float, Arrays]:
    """Gradients summed over the batch, under a loss that is averaged."""
    loss, gradients = right(parameters, x, y)
    return loss, {name: len(x) * gradient for name, gradient in gradients.items()}


def batch_sums_left_out(parameters: Arrays, x: Array, y: Array) -> tuple[float, Arrays]:
    """db_o = p - y, db_h likewise: one row per sample, so each sample gets biases of its own.

    `compute_layer` refuses biases (N, H); the plain x @ w + b of the report takes them.
    """
    h1 = manual_mlp.relu(x @ parameters["w1"] + parameters["b1"])  # (N, H)
    logits = h1 @ parameters["w2"] + parameters["b2"]  # (N, K)
    d_o = manual_mlp.grad_ce(y, logits, reduction="sum")  # (N, K)
    d_h = d_o @ parameters["w2"].T * (h1 > 0)  # (N, H)
    gradients = {"w1": x.T @ d_h / len(x), "b1": d_h, "w2": h1.T @ d_o / len(x), "b2": d_o}
    return manual_mlp.cross_entropy(logits, y), gradients


@dataclass(frozen=True, slots=True)
class Slip:
    """A slip by name, the gradients it makes wrong, and what it computes."""

    name: str
    wrong: tuple[str, ...]
    function: LossAndGradients


ALL = ("w1", "b1", "w2", "b2")
SLIPS = (
    Slip("nothing wrong", (), right),
    Slip("minus missing in `L`", ALL, minus_missing),
    Slip("epsilon in the log", (), epsilon_in_the_log),
    Slip("diagonal of the Jacobian only", ALL, diagonal_only),
    Slip("softmax left out of `grad_ce`", ALL, softmax_left_out),
    Slip("softmax and 1/N left out of `grad_ce`", ALL, softmax_and_mean_left_out),
    Slip("`1 - y` for `p - y` in `dL/dw_o`", ("w2",), one_for_p_in_dw_o),
    Slip("`1 - y` for `p - y` in `dL/db_h`", ("b1",), one_for_p_in_db_h),
    Slip("1/N left out of the gradients", ALL, mean_left_out),
)
