"""Mistakes in a declared loss, output, penalty or activation are told from code that has them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import manual_mlp
from compare import check
from compare.contracts.between import PLAIN, Between
from compare.contracts.objective import LOSS_NAMES, OUTPUT_NAMES, PENALISED, Objective
from compare.contracts.result import Result
from compare.diagnosis.candidates import possible
from compare.mistakes.catalogue import IN_A_CALL
from compare.mistakes.declared import DECLARED
from compare.mistakes.declared_activations import OTHERS
from compare.mistakes.mistake import NetworkMistake
from compare.points.diagnostic import ORDINARY, probe
from compare.textbook import Pass, Point

Arrays = dict[str, Any]
OBJECTIVES = (
    *(Objective(loss, output, reduction) for reduction in ("mean", "sum") for loss in LOSS_NAMES
      for output in OUTPUT_NAMES if (output, loss) not in (("softmax", "cross_entropy"),
                                                           ("sigmoid", "bce"))),
    Objective(label_smoothing=0.1),
    Objective(class_weights=(1.0, 2.0, 0.5, 3.0)),
    *(Objective(ignore_index=k) for k in range(4)),
    Objective(l2=0.1),
    Objective(l1=0.1),
    Objective(l2=0.1, penalty_over="rows"),
    Objective(l2=0.1, penalise="all"),
)  # fmt: skip


def point(objective: Objective, activation: str, between: Between = PLAIN) -> Point:
    return probe(
        (6, 7, 4), 5, ORDINARY, activation=activation, reduction=objective.reduction,
        dtype="float64", generator=np.random.default_rng(2), objective=objective,
        between=between,
    )  # fmt: skip


def far(one: Point) -> Point:
    """Return the same point with units far from 0, where a bound at 6 shows."""
    w1 = one.parameters["w1"] * 8
    return replace(one, parameters={**one.parameters, "w1": w1})


POINTS = [
    *(far(point(Objective(), activation)) for activation in OTHERS),
    *(point(objective, "tanh") for objective in OBJECTIVES),
    *(point(Objective(), activation) for activation in OTHERS),
    *(point(Objective(l2=0.1, penalise=of), "tanh", Between("layer")) for of in PENALISED),
]


@pytest.mark.parametrize("mistake", DECLARED, ids=lambda mistake: mistake.name)
def test_each_is_possible_somewhere_and_changes_what_is_computed(mistake: NetworkMistake) -> None:
    shown = 0
    for where in POINTS:
        if possible(mistake, where):
            right = Pass(where)
            wrong = right.having(mistake.overrides(mistake.example))
            for name in where.names:
                value = wrong.named(name)
                away = np.abs(value.value - right.named(name).value)
                assert value.shape == right.named(name).shape
                no_number = mistake.name == "loss-of-no-number" and np.isnan(value.value).any()
                shown += bool((away > value.allowance).any() or no_number)
    assert shown > 0


def test_names_are_those_of_no_other_mistake() -> None:
    names = [mistake.name for mistake in (*IN_A_CALL, *DECLARED)]
    assert len(names) == len(set(names))


def parts(w: Arrays, x: Any) -> tuple[Any, Any, Any]:
    z = x @ w["w1"] + w["b1"]
    h = np.tanh(z)
    return z, h, h @ w["w2"] + w["b2"]


def back(w: Arrays, x: Any, h: Any, d: Any) -> Arrays:
    dz = d @ w["w2"].T * (1 - h * h)
    return {"w1": x.T @ dz, "b1": dz.sum(0), "w2": h.T @ d, "b2": d.sum(0)}


def sigmoid(z: Any) -> Any:
    return 1 / (1 + np.exp(-z))


def entropy(s: Any, t: Any) -> tuple[Any, Any]:
    s = s - s.max(axis=1, keepdims=True)
    log_p = s - np.log(np.exp(s).sum(axis=1, keepdims=True))
    return -(t * log_p).sum() / len(t), (np.exp(log_p) - t) / len(t)


def half_squares(w: Arrays, x: Any, t: Any) -> Any:
    _, h, o = parts(w, x)
    return np.mean((o - t) ** 2), back(w, x, h, (o - t) / o.size)


def squares_over(divisor: Callable[[Any], float]) -> Any:
    """Return a network whose loss is a sum of squares and whose gradient is divided."""

    def code(w: Arrays, x: Any, t: Any) -> Any:
        _, h, o = parts(w, x)
        return ((o - t) ** 2).sum(), back(w, x, h, 2 * (o - t) / divisor(o))

    return code


SUMMED = {"loss": "mse", "reduction": "sum", "activation": "tanh"}


def over_rows_only(w: Arrays, x: Any, t: Any) -> Any:
    _, h, o = parts(w, x)
    return np.mean((o - t) ** 2), back(w, x, h, 2 * (o - t) / len(o))


def no_output_slope(w: Arrays, x: Any, t: Any) -> Any:
    _, h, z = parts(w, x)
    o = sigmoid(z)
    return np.mean((o - t) ** 2), back(w, x, h, 2 * (o - t) / o.size)


def sigmoid_slope_on_top(w: Arrays, x: Any, t: Any) -> Any:
    _, h, z = parts(w, x)
    p = sigmoid(z)
    loss = -np.mean(t * np.log(p + 1e-12) + (1 - t) * np.log(1 - p + 1e-12))
    return loss, back(w, x, h, (p - t) * p * (1 - p) / p.size)


def unlimited(w: Arrays, x: Any, t: Any) -> Any:
    _, h, o = parts(w, x)
    r = o - t
    loss = np.where(np.abs(r) < 1, r * r / 2, np.abs(r) - 0.5).mean()
    return loss, back(w, x, h, r / r.size)


def penalty_doubled(w: Arrays, x: Any, t: Any) -> Any:
    _, h, s = parts(w, x)
    loss, d = entropy(s, t)
    g = back(w, x, h, d)
    loss += 0.01 * sum((w[k] ** 2).sum() for k in ("w1", "w2"))
    return loss, g | {k: g[k] + 2 * 0.02 * w[k] for k in ("w1", "w2")}


def penalised_but(*unpenalised: str) -> Any:
    """Return a network whose loss has the penalty of everything, the gradient not of these."""

    def code(w: Arrays, x: Any, t: Any) -> Any:
        _, h, s = parts(w, x)
        loss, d = entropy(s, t)
        g = back(w, x, h, d)
        loss += 0.01 * sum((array**2).sum() for array in w.values())
        return loss, {k: g[k] + 0.02 * w[k] * (k not in unpenalised) for k in w}

    return code


def sign_beside_a_penalty(w: Arrays, x: Any, t: Any) -> Any:
    _, h, s = parts(w, x)
    loss, d = entropy(s, t)
    g = back(w, x, h, -d)
    loss += 0.01 * sum((w[k] ** 2).sum() for k in ("w1", "w2"))
    return loss, g | {k: g[k] + 0.02 * w[k] for k in ("w1", "w2")}


def unsmoothed(w: Arrays, x: Any, t: Any) -> Any:
    _, h, s = parts(w, x)
    loss, _ = entropy(s, 0.9 * t + 0.1 / t.shape[1])
    return loss, back(w, x, h, entropy(s, t)[1])


def steeper_leak(w: Arrays, x: Any, t: Any) -> Any:
    z = x @ w["w1"] + w["b1"]
    h = np.where(z > 0, z, 0.01 * z)
    loss, d = entropy(h @ w["w2"] + w["b2"], t)
    dz = d @ w["w2"].T * np.where(z > 0, 1, 0.1)
    return loss, {"w1": x.T @ dz, "b1": dz.sum(0), "w2": h.T @ d, "b2": d.sum(0)}


def silu_without_s(w: Arrays, x: Any, t: Any) -> Any:
    z = x @ w["w1"] + w["b1"]
    h = z * sigmoid(z)
    loss, d = entropy(h @ w["w2"] + w["b2"], t)
    dz = d @ w["w2"].T * (sigmoid(z) + z * (1 - sigmoid(z)))
    return loss, {"w1": x.T @ dz, "b1": dz.sum(0), "w2": h.T @ d, "b2": d.sum(0)}


WRONG: dict[str, tuple[Any, Arrays]] = {
    "gradient-without-factor-2": (half_squares, {"loss": "mse", "activation": "tanh"}),
    "gradient-not-averaged-over-outputs": (over_rows_only, {"loss": "mse", "activation": "tanh"}),
    "gradient-averaged-over-entries": (squares_over(lambda o: o.size), SUMMED),
    "gradient-averaged-over-rows": (squares_over(len), SUMMED),
    "output-derivative-missing": (
        no_output_slope, {"loss": "mse", "output": "sigmoid", "activation": "tanh"}
    ),
    "sigmoid-derivative-on-top": (sigmoid_slope_on_top, {"loss": "bce", "activation": "tanh"}),
    "huber-not-limited": (unlimited, {"loss": "huber", "activation": "tanh"}),
    "penalty-twice-in-gradient": (penalty_doubled, {"l2": 0.02, "activation": "tanh"}),
    "penalty-missing-in-gradient-of-biases": (
        penalised_but("b1", "b2"), {"l2": 0.02, "penalise": "all", "activation": "tanh"}
    ),
    "penalty-missing-in-every-gradient": (
        penalised_but("w1", "b1", "w2", "b2"),
        {"l2": 0.02, "penalise": "linear", "activation": "tanh"},
    ),
    "target-minus-prediction": (sign_beside_a_penalty, {"l2": 0.02, "activation": "tanh"}),
    "smoothing-missing-in-gradient": (
        unsmoothed, {"label_smoothing": 0.1, "activation": "tanh"}
    ),
    "derivative-of-leaky-relu-0.1": (steeper_leak, {"activation": "leaky_relu:0.01"}),
    "silu-s-left-out": (silu_without_s, {"activation": "silu"}),
}  # fmt: skip


def asked(code: Any, declared: Arrays) -> Result:
    return check(code, inputs=6, hidden=(7,), classes=4, **declared)


@pytest.mark.parametrize("name", WRONG)
def test_a_mistake_in_what_is_declared_is_named_alone(name: str) -> None:
    result = asked(*WRONG[name])
    assert [one.mistake for one in result.diagnosis] == [name]


@pytest.mark.parametrize("penalise", ["all", "linear"])
def test_without_a_normalisation_all_parameters_are_linear(penalise: str) -> None:
    assert asked(penalised_but(), {"l2": 0.02, "penalise": penalise, "activation": "tanh"})


SCALES: dict[str, tuple[str, float, str]] = {
    "penalty-missing-in-gradient-of-gamma-and-beta": ("all", -1, "gamma beta"),
    "penalty-missing-in-gradient-of-gamma": ("all", -1, "gamma"),
    "penalty-missing-in-gradient-of-beta": ("all", -1, "beta"),
    "penalty-in-gradient-of-gamma-and-beta": ("linear", 1, "gamma beta"),
    "penalty-in-gradient-of-gamma": ("weights", 1, "gamma"),
    "penalty-in-gradient-of-beta": ("weights", 1, "beta"),
    "penalty-in-gradients-of-weights-alone": ("all", -1, "b gamma beta"),
    "penalty-in-every-gradient": ("weights", 1, "b gamma beta"),
    "": ("all", 0, "gamma beta"),
}


@pytest.mark.slow
@pytest.mark.parametrize("normalisation", ["layer", "batch"])
@pytest.mark.parametrize("name", SCALES)
def test_a_penalty_in_the_gradients_of_a_normalisation_is_named(
    name: str, normalisation: str
) -> None:
    penalise, sign, kinds = SCALES[name]
    penalty = manual_mlp.Penalty(l2=0.1, penalise=penalise)

    def code(w: Arrays, x: Any, t: Any) -> Any:
        loss, gradients, *_ = manual_mlp.declared.loss_and_gradients(
            w, x, t, penalty=penalty, between=manual_mlp.Between(normalisation)
        )
        return loss, {
            k: g + sign * 0.1 * w[k] if k.rstrip("0123456789") in kinds.split() else g
            for k, g in gradients.items()
        }

    declared = {"l2": 0.1, "penalise": penalise, "normalisation": normalisation}
    result = asked(code, declared)
    assert [one.mistake for one in result.diagnosis] == ([name] if name else [])
    assert bool(result) is (not name)


def test_a_sum_with_its_gradient_agrees() -> None:
    assert asked(squares_over(lambda o: 1), SUMMED)


@pytest.mark.parametrize(("share", "names"), [(0.5, ["loss-without-factor"]), (1.0, [])])
def test_beside_a_normalisation_mistakes_of_declared_losses_are_named(
    share: float, names: list[str]
) -> None:
    mse = manual_mlp.Criterion(loss="mse")

    def code(w: Arrays, x: Any, t: Any) -> Any:
        loss, gradients, *_ = manual_mlp.declared.loss_and_gradients(
            w, x, t, criterion=mse, between=manual_mlp.Between("layer")
        )
        return share * loss, gradients

    result = asked(code, {"loss": "mse", "normalisation": "layer"})
    assert [one.mistake for one in result.diagnosis] == names and bool(result) == (not names)


def test_of_another_declared_loss_no_softmax_is_spoken() -> None:
    def noisy(w: Arrays, x: Any, t: Any) -> Any:
        _, h, o = parts(w, x)
        return np.mean((o - t) ** 2), back(w, x, h, 2 * (o - t + np.sin(9 * o)) / o.size)

    result = asked(noisy, {"loss": "mse", "activation": "tanh"})
    assert (result.verdict, result.diagnosis) == ("disagrees", ())


@pytest.mark.slow
def test_a_guard_does_not_stand_for_a_gradient_that_nothing_explains() -> None:
    def guarded(w: Arrays, x: Any, t: Any) -> Any:
        _, h, s = parts(w, x)
        _, d = entropy(s, t)
        p = np.exp(s) / np.exp(s).sum(axis=1, keepdims=True)
        g = back(w, x, h, d)
        odd = 1 + np.sin(np.arange(g["w1"].size)).reshape(g["w1"].shape) / 3
        return -(t * np.log(p + 1e-9)).sum() / len(t), g | {"w1": g["w1"] * odd}

    result = asked(guarded, {"activation": "tanh"})
    assert result.diagnosis == ()
    assert any("1e-09 is added inside the logarithm" in note for note in result.notes)


def test_a_factor_is_a_form_before_it_is_a_number() -> None:
    def over_root(w: Arrays, x: Any, t: Any) -> Any:
        _, h, s = parts(w, x)
        loss, d = entropy(s, t)
        dz = d @ w["w2"].T / np.sqrt(h.shape[1]) * (1 - h * h)
        return loss, {"w1": x.T @ dz, "b1": dz.sum(0), "w2": h.T @ d, "b2": d.sum(0)}

    result = asked(over_root, {"activation": "tanh"})
    assert [one.mistake for one in result.diagnosis] == ["error-divided-by-root-of-width"]


@pytest.mark.slow
def test_a_mistake_in_a_network_that_was_not_declared_is_named_beside_it() -> None:
    def diagonal(w: Arrays, x: Any, t: Any) -> Any:
        _, h, z = parts(w, x)
        e = np.exp(z - z.max(axis=1, keepdims=True))
        o = e / e.sum(axis=1, keepdims=True)
        return np.mean((o - t) ** 2), back(w, x, h, 2 * (o - t) * o * (1 - o) / o.size)

    result = asked(diagonal, {"activation": "tanh"})
    assert [one.mistake for one in result.diagnosis] == [
        "undeclared-loss",
        "softmax-jacobian-diagonal",
    ]
