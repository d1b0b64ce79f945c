"""From logits to a number, and back: softmax, cross-entropy and its gradient.

Targets are rows that sum to 1, one-hot or soft. Two reductions exist, and loss and gradient
always use the same one: "mean" divides the sum over the batch by N (the report's and torch's
default), "sum" does not. There is no epsilon anywhere.
"""

from typing import NamedTuple

import numpy as np

from manual_mlp.arrays import Array, entry, require_same_shape


class Exponentials(NamedTuple):
    """What the softmax and the cross-entropy of the same logits x have in common.

        shifted_nk = x_nk - max_j x_nj  <= 0        (N, K)
        e_nk       = exp(shifted_nk)    <= 1        (N, K)
        total_n    = sum_k e_nk         >= 1        (N, 1)

    Without the shift exp overflows from 89 on in float32 and from 710 on in float64.
    """

    shifted: Array
    e: Array
    total: Array


def exponentials(x: Array) -> Exponentials:
    """The `Exponentials` of every row of x."""
    shifted = x - x.max(axis=1, keepdims=True)
    e = np.exp(shifted)
    return Exponentials(shifted, e, e.sum(axis=1, keepdims=True))


def softmax(x: Array) -> Array:
    """Softmax of every row.

        p_nk = exp(x_nk) / sum_j exp(x_nj)        (N, K) -> (N, K), the same dtype

    The maximum of the row is subtracted first. That multiplies numerator and denominator by the
    same exp(-max), so it changes nothing but the largest exponent, which becomes 0: no overflow,
    and a denominator of at least 1.

    The report wrote the same, with its own row maxima, and computed the exponentials twice.

    Source: Goodfellow, Bengio & Courville 2016, Deep Learning, equations 6.29 and 6.33.

    Parameters:
        x: logits (N, K).

    Returns:
        p (N, K); every row sums to 1.

    Example:
        >>> softmax(np.array([[1000.0, 1000.0, -1000.0]]))
        array([[0.5, 0.5, 0. ]])
    """
    _, e, total = exponentials(x)
    p: Array = e / total  # (N, K)
    return p


def average_ce(target: Array, prediction: Array) -> float:
    """Average cross-entropy of probabilities.

        L = -(1/N) sum_n sum_k y_nk log p_nk        y = target, p = prediction, both (N, K)

    with 0 log 0 = 0, its limit: a confident right answer costs exactly 0, an impossible one inf.

    The report wrote log(p + 0.00001) against the -inf of log 0. That is the loss of another
    function: every answer is off by about 1e-5 / p, a confident right one costs -1e-5, an
    impossible one 11.5, and `grad_ce` is no longer its derivative. The network itself uses
    `cross_entropy`, where p = 0 does not arise.

    Source: Goodfellow, Bengio & Courville 2016, Deep Learning, section 6.2.1.1.

    Parameters:
        target: y (N, K), one-hot or soft.
        prediction: p (N, K), probabilities.

    Returns:
        L, inf where an impossible answer was right.

    Raises:
        ValueError: the shapes differ.

    Example:
        >>> average_ce(np.array([[1.0, 0.0], [0.0, 1.0]]), np.array([[1.0, 0.0], [0.5, 0.5]]))
        0.34657359027997264
    """
    require_same_shape(target=target, prediction=prediction)
    impossible = (target == 0) & (prediction == 0)  # 0 log 0, which NumPy would make NaN
    log_p = np.zeros(prediction.shape, np.result_type(prediction, 0.0))
    with np.errstate(divide="ignore"):
        np.log(prediction, out=log_p, where=~impossible)
    return 0.0 - float(np.sum(target * log_p)) / len(target)  # 0.0 - 0.0 is 0.0, -(0.0) is -0.0


def cross_entropy_of_rows(logits: Array, targets: Array) -> tuple[float, Array]:
    """Cross-entropy of the softmax of the logits, summed over the rows, and the softmax p.

    Put p = softmax(x) into L = -sum_n sum_k y_nk log p_nk. The logarithm undoes the exponential,

        log p_nk = shifted_nk - lse_n        shifted_nk = x_nk - max_j x_nj <= 0
                                             lse_n = log sum_j exp(shifted_nj) >= 0

    and because the rows of y sum to 1,

        L = sum_n lse_n - sum_n sum_k y_nk shifted_nk

    Both sums are of one sign, so nothing cancels; a probability that underflows to 0 still has
    its finite logarithm, and nothing overflows. The exponentials serve p too. Both arguments are
    (N, K); raises `ValueError` unless the shapes are equal.

    Source: the log-sum-exp form of Blanchard, Higham & Higham 2021, IMA J. Numer. Anal. 41.
    """
    require_same_shape(logits=logits, targets=targets)
    shifted, e, total = exponentials(logits)
    return float(np.log(total).sum() - np.vdot(targets, shifted)), e / total


def cross_entropy_gradient(p: Array, targets: Array) -> Array:
    """Gradient of the summed cross-entropy at the logits, dlogits = p - y with p = softmax(logits).

    L reaches x_nk through every probability of row n, not through p_nk alone:

        dL/dp_nj    = -y_nj / p_nj
        dp_nj/dx_nk = p_nj ([j = k] - p_nk)        the full Jacobian, not its diagonal p (1 - p)
        dL/dx_nk    = sum_j dL/dp_nj dp_nj/dx_nk = -y_nk + p_nk sum_j y_nj

    and because the rows of y sum to 1,

        dlogits = p - y        (N, K), the same dtype

    which is exact: no quotient y / p is ever formed. Raises `ValueError` unless the shapes are
    equal.

    The report derived p - y with the diagonal of the Jacobian only (its -y/p * p(1 - p) is not
    p - y).

    Source: Bishop 2006, Pattern Recognition and Machine Learning, equations 4.106 and 4.109.
    """
    require_same_shape(target=targets, logits=p)
    dlogits: Array = p - targets
    return dlogits


def cross_entropy(logits: Array, targets: Array, *, reduction: str = "mean") -> float:
    """`cross_entropy_of_rows` divided by N, or with the reduction "sum" not.

    Parameters:
        logits: (N, K).
        targets: y (N, K), one-hot or soft.
        reduction: "mean" or "sum".

    Returns:
        The loss.

    Raises:
        ValueError: the shapes differ, or an unknown reduction.

    Example:
        >>> cross_entropy(np.array([[1000.0, 0.0]]), np.array([[0.0, 1.0]]))
        1000.0
    """
    return cross_entropy_of_rows(logits, targets)[0] / divisor(reduction, len(logits))


def grad_ce(target: Array, logits: Array, *, reduction: str = "mean") -> Array:
    """Gradient of `cross_entropy` at the logits.

        dlogits = (softmax(logits) - target) / N        (N, K); "sum" leaves out 1/N

    `cross_entropy_gradient` derives it. The report returned `logits - target`: right only for a
    caller who passes probabilities under the name logits, and N times the gradient of its own
    averaged loss.

    Parameters:
        target: y (N, K), one-hot or soft.
        logits: (N, K).
        reduction: "mean" or "sum".

    Returns:
        dlogits (N, K).

    Raises:
        ValueError: the shapes differ, or an unknown reduction.

    Example:
        >>> grad_ce(np.array([[0.0, 1.0]]), np.array([[0.0, 0.0]]))
        array([[ 0.5, -0.5]])
    """
    return cross_entropy_gradient(softmax(logits), target) / divisor(reduction, len(logits))


def divisor(reduction: str, rows: int) -> int:
    """What the sum over the batch is divided by: N for "mean", 1 for "sum"."""
    return entry({"mean": rows, "sum": 1}, reduction, "reduction")


def correct(logits: Array, targets: Array) -> int:
    """Rows whose largest logit is at the largest target; the first one wins a tie."""
    return int(np.count_nonzero(logits.argmax(axis=1) == targets.argmax(axis=1)))


def accuracy(logits: Array, targets: Array) -> float:
    """Share of the rows that are `correct`."""
    return correct(logits, targets) / len(logits)
