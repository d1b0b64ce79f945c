"""The five functions of the assignment, as people write them: verdict, convention, mistake.

Every function here is code somebody handed in, or close to it. What is asserted are the words a
student reads.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from compare.contracts.result import Verdict
from compare.examine.starter.function_check import FunctionCheck
from compare.examine.starter.function_verdict import FunctionVerdict
from compare.examine.starter.roles import orders_of, role_of
from compare.guard.guard import Guard

Array = NDArray[Any]
Function = Callable[..., Any]


def checked(role: str, function: Function, reduction: str = "mean") -> FunctionVerdict:
    """Return the verdict on a function, called `it`."""
    try:
        parameters = list(inspect.signature(function).parameters)
    except (TypeError, ValueError):
        parameters = ["x"]
    check = FunctionCheck(Guard(timeout=20.0), reduction)
    return check("it", role, function, parameters, None)


def softmax(x: Array) -> Array:
    e = np.exp(x - x.max(axis=1, keepdims=True))
    p: Array = e / e.sum(axis=1, keepdims=True)
    return p


def relu_loop(x: Array) -> Array:
    out = np.zeros(x.shape)
    for i in range(x.shape[0]):
        for j in range(x.shape[1]):
            out[i, j] = max(0, x[i, j])
    return out


def layer_by_name(w: Array, x: Array, b: Array) -> Any:
    return np.matmul(x, w) + b


def layer_of_columns(x: Array, w: Array, b: Array) -> Any:
    return np.dot(w.T, x) + b


def softmax_of_columns(x: Array) -> Any:
    e = np.exp(x - np.max(x, axis=0))
    return e / np.sum(e, axis=0)


def ce_of_predictions_first(prediction: Array, target: Array) -> Any:
    return -np.sum(target * np.log(prediction)) / target.shape[0]


SURE = "for probabilities of 0 and 1 it is not finite"
RIGHT: dict[str, tuple[str, Function, tuple[str, ...]]] = {
    "relu": ("relu", lambda x: np.maximum(x, 0), ()),
    "relu by mask": ("relu", lambda x: x * (x > 0), ()),
    "relu by absolute value": ("relu", lambda x: (x + abs(x)) / 2, ()),
    "relu in a loop": ("relu", relu_loop, ()),
    "softmax": ("softmax", softmax, ()),
    "softmax of columns": ("softmax", softmax_of_columns, ("samples are columns: (K, N)",)),
    "layer": ("compute_layer", lambda x, w, b: x @ w + b, ()),
    "layer with weights first": ("compute_layer", layer_by_name, ()),
    "layer of columns": (
        "compute_layer",
        layer_of_columns,
        ("samples are columns: z = w.T @ x + b",),
    ),
    "average": ("average_ce", lambda target, p: -np.sum(target * np.log(p)) / len(target), (SURE,)),
    "mean of sums": ("average_ce", lambda t, p: -np.mean(np.sum(t * np.log(p), axis=1)), (SURE,)),
    "by index": (
        "average_ce",
        lambda y, p: -np.log(p[np.arange(len(y)), y.argmax(axis=1)]).mean(),
        (),
    ),
    "prediction first": ("average_ce", ce_of_predictions_first, (SURE,)),
    "prediction first, without names": (
        "average_ce",
        lambda one, two: -np.sum(two * np.log(one)) / len(one),
        ("the prediction comes before the target", SURE),
    ),
    "of logits": (
        "average_ce",
        lambda target, logits: -np.sum(target * np.log(softmax(logits))) / len(target),
        (
            "the prediction is logits: it takes the softmax itself",
            "for logits of ±1e4 it is not finite",
        ),
    ),
    "of class numbers": (
        "average_ce",
        lambda target, p: -np.log(p[range(len(p)), target.astype(int)]).mean(),
        ("the target is class numbers, not one-hot rows",),
    ),
    "slope": ("grad_ce", lambda target, logits: (softmax(logits) - target) / len(target), ()),
    "slope from probabilities": (
        "grad_ce",
        lambda target, prediction: (prediction - target) / len(target),
        ("it takes probabilities, not logits",),
    ),
}


@pytest.mark.parametrize(("role", "function", "conventions"), RIGHT.values(), ids=RIGHT)
def test_a_right_function_agrees_in_its_convention(
    role: str, function: Function, conventions: tuple[str, ...]
) -> None:
    found = checked(role, function)
    assert (found.verdict, found.conventions) == (Verdict.AGREES, conventions), found.sentence
    assert found.worst is not None and found.worst.ratio <= 0.5


def softmax_in_place(x: Array) -> Any:
    x -= x.max(axis=1, keepdims=True)
    return softmax(x)


def relu_in_place(x: Array) -> Array:
    x[x < 0] = 0
    return x


def softmax_unshifted(x: Array) -> Any:
    return np.exp(x) / np.exp(x).sum(axis=1, keepdims=True)


def softmax_of_everything(x: Array) -> Any:
    return np.exp(x) / np.exp(x).sum()


def softmax_global_shift(x: Array) -> Any:
    e = np.exp(x - x.max())
    return e / e.sum(axis=1, keepdims=True)


def softmax_norm(x: Array) -> Any:
    e = np.exp(x - x.max(axis=1, keepdims=True))
    return e / np.linalg.norm(e, axis=1, keepdims=True)


WRONG: dict[str, tuple[str, Function, str, str, str]] = {
    "truncating vectorize": (
        "relu", np.vectorize(lambda x: 0 if x < 0 else x), "value", "where", "integer-truncation",
    ),
    "indicator": ("relu", lambda x: (x > 0) * 1.0, "value", "is right", ""),
    "leaky": ("relu", lambda x: np.where(x > 0, x, 0.01 * x), "value", "where 0 is right",
        "leaky-in-forward-only"),
    "relu in place": ("relu", relu_in_place, "side effect", "it modifies its argument x at", ""),
    "unshifted": (
        "softmax", softmax_unshifted, "overflow", "for logits of ±1e4 it is not finite there",
        "missing-max-shift",
    ),
    "one shift for all": (
        "softmax", softmax_global_shift, "overflow", "it is not finite there", "global-maximum",
    ),
    "over everything": ("softmax", softmax_of_everything, "value", "is right", "softmax-over"),
    "by the norm": ("softmax", softmax_norm, "value", "is right", "l2"),
    "softmax in place": ("softmax", softmax_in_place, "side effect", "right values, but it", ""),
    "no bias": ("compute_layer", lambda x, w, b: x @ w, "value", "is right", "bias-left-out"),
    "epsilon": (
        "average_ce", lambda t, p: -np.sum(t * np.log(p + 1e-5)) / len(t), "value",
        "where 2.221073121 is right", "epsilon-in-log",
    ),
    "over N K": (
        "average_ce", lambda t, p: -np.mean(t * np.log(p)), "value", "is right", "over-classes",
    ),
    "sum": (
        "average_ce", lambda t, p: -np.sum(t * np.log(p)), "convention",
        "it sums over the batch, where the assignment averages (--reduction sum declares it)", "",
    ),
    "loss of each sample": (
        "average_ce", lambda t, p: -np.sum(t * np.log(p), axis=1), "shape",
        "there is one value for each sample", "",
    ),
    "sum of slopes": (
        "grad_ce", lambda target, logits: softmax(logits) - target, "convention",
        "it sums over the batch", "",
    ),
    "without the softmax": (
        "grad_ce", lambda target, logits: logits - target, "value",
        "what it calls logits has to be probabilities: the softmax is left out; it sums", "",
    ),
    "at the probabilities": (
        "grad_ce", lambda target, prediction: -target / prediction / len(target), "convention",
        "it is dL/dp, the slope at the probabilities, not dL/dlogits", "",
    ),
    "collapsed": (
        "grad_ce", lambda target, logits: (softmax(logits) - target).mean(axis=0), "shape",
        "returns an array of float64 and shape (5,); a value of shape (17, 5) is due: it is "
        "collapsed over the batch", "",
    ),
    "a number": (
        "grad_ce", lambda target, logits: np.sum(softmax(logits) - target), "shape",
        "it is collapsed to one number", "",
    ),
    "other sign": (
        "grad_ce", lambda t, logits: (t - softmax(logits)) / len(t), "value", "is right",
        "target-minus-prediction",
    ),
    "diagonal Jacobian": (
        "grad_ce", lambda t, logits: -t * (1 - softmax(logits)) / len(t), "value", "is right",
        "diagonal-jacobian",
    ),
    "nothing": ("softmax", lambda x: None, "shape", "returns None; a value of shape (17, 5)", ""),
    "words": ("softmax", lambda x: "p", "shape", "returns a str; a value of", ""),
}  # fmt: skip


@pytest.mark.parametrize(
    ("role", "function", "kind", "words", "mistake"), WRONG.values(), ids=WRONG
)
def test_a_wrong_function_is_told_what_is_wrong(
    role: str, function: Function, kind: str, words: str, mistake: str
) -> None:
    found = checked(role, function)
    assert (found.verdict, found.kind) == (Verdict.DISAGREES, kind), found.sentence
    assert words in found.sentence
    named = [one.mistake for one in found.diagnosis]
    assert mistake in " ".join(named)
    assert bool(named) is bool(mistake)


def test_a_declared_sum_is_no_disagreement_and_a_mean_then_is_one() -> None:
    total = checked("average_ce", lambda t, p: -np.sum(t * np.log(p)), "sum")
    assert (total.verdict, total.reduction) == (Verdict.AGREES, "sum")
    mean = checked("average_ce", lambda t, p: -np.sum(t * np.log(p)) / len(t), "sum")
    assert mean.sentence == "it averages over the batch, where --reduction sum was declared"


def test_a_function_that_raises_however_it_is_called_is_not_judged() -> None:
    found = checked("relu", lambda x: x / 0 if isinstance(x, int) else undefined(x))
    assert found.verdict is Verdict.UNDECIDABLE
    assert found.sentence.startswith("could not be called: test_bring_functions.py, line ")


def undefined(x: Array) -> Any:
    raise ZeroDivisionError


def test_a_function_that_hangs_is_called_once() -> None:
    calls: list[int] = []

    def hangs(target: Array, prediction: Array) -> Any:
        calls.append(1)
        while True:
            pass

    check = FunctionCheck(Guard(timeout=0.1))
    found = check("hangs", "average_ce", hangs, ["target", "prediction"], None)
    assert "did not return within 0.1 s" in found.sentence and len(calls) == 1


def test_a_softmax_that_writes_to_its_argument_and_is_wrong_says_both() -> None:
    def both(x: Array) -> Any:
        x -= 1
        return np.exp(x)

    found = checked("softmax", both)
    assert found.kind == "value" and "; besides, it modifies its argument x at" in found.sentence


@pytest.mark.parametrize(
    ("name", "role"),
    [
        ("relu", "relu"),
        ("ReLU", "relu"),
        ("softMax", "softmax"),
        ("computeLayer", "compute_layer"),
        ("compute", "compute_layer"),
        ("averageCE", "average_ce"),
        ("average_ce", "average_ce"),
        ("CE", "average_ce"),
        ("gradCE", "grad_ce"),
        ("grad_CE", "grad_ce"),
        ("loadData", None),
        ("relu_derivative", "relu_derivative"),
        ("gradRelu", "relu_derivative"),
        ("drelu", "relu_derivative"),
        ("rellu", "relu"),
        ("avrageCE", "average_ce"),
        ("softmax2", "softmax"),
        ("linear", "compute_layer"),
        ("elu", None),
        ("leaky_relu", None),
        ("gradient", None),
    ],
)
def test_names_count_in_any_case_and_without_underscores(name: str, role: str | None) -> None:
    assert role_of(name) == role


def test_the_order_of_arguments_is_read_off_clear_names_only() -> None:
    assert orders_of("average_ce", ["y_hat", "y"]) == [("scores", "target")]
    assert orders_of("grad_ce", ["target", "activation"]) == [("target", "scores")]
    assert orders_of("grad_ce", ["one", "guess"]) == [("target", "scores")]
    assert orders_of("compute_layer", ["w", "q", "c"]) == [("w", "x", "b"), ("w", "b", "x")]
    assert orders_of("average_ce", ["one", "two"]) == [("target", "scores"), ("scores", "target")]
    assert orders_of("compute_layer", ["W", "X", "bias"]) == [("w", "x", "b")]
