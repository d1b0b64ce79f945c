"""A habit of the code is no half of a mistake, and loss and gradient are explained apart."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from compare import check
from compare.diagnosis.forms import Factor, form
from compare.textbook import Point

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("shared_passes")]
Array = NDArray[Any]
Arrays = dict[str, Array]

LOGS: dict[str, Callable[[Array], Array]] = {
    "log(p)": np.log,
    "p + 1e-300": lambda p: np.log(p + 1e-300),
    "max 1e-300": lambda p: np.log(np.maximum(p, 1e-300)),
    "clip 1e-15": lambda p: np.log(np.clip(p, 1e-15, 1 - 1e-15)),
    "clip 1e-12": lambda p: np.log(np.clip(p, 1e-12, 1)),
}
MISTAKES = ("mask-missing", "gradient-summed", "bias-averaged", "l2-in-both")


def network(log: Callable[[Array], Array], mistake: str = "") -> Callable[..., Any]:
    """Return a network in another style than ours, with this logarithm and one mistake."""

    def loss_and_gradients(theta: Arrays, x: Array, t: Array) -> tuple[float, Arrays]:
        n = len(x)
        h = np.maximum(x @ theta["w1"] + theta["b1"], 0)
        s = h @ theta["w2"] + theta["b2"]
        e = np.exp(s - s.max(1, keepdims=True))
        p = e / e.sum(1, keepdims=True)
        with np.errstate(all="ignore"):
            loss = -np.where(t > 0, t * log(p), 0.0).sum() / n
        d = (p - t) / (1 if mistake == "gradient-summed" else n)
        dz = d @ theta["w2"].T
        if mistake != "mask-missing":
            dz = dz * (h > 0)
        g = {"w1": x.T @ dz, "b1": dz.sum(0), "w2": h.T @ d, "b2": d.sum(0)}
        if mistake == "bias-averaged":
            g["b1"] = g["b1"] / n
        if mistake == "l2-in-both":
            loss += 0.005 * sum((theta[w] ** 2).sum() for w in ("w1", "w2"))
            g |= {w: g[w] + 0.01 * theta[w] for w in ("w1", "w2")}
        return float(loss), g

    return loss_and_gradients


@pytest.mark.parametrize("log", LOGS)
def test_a_guard_that_changes_nothing_is_no_mistake(log: str) -> None:
    result = check(network(LOGS[log]))
    assert (result.exit_code, result.diagnosis) == (0, ())


@pytest.mark.parametrize("mistake", MISTAKES)
@pytest.mark.parametrize("log", LOGS)
def test_a_mistake_beside_a_guard_is_named_alone(log: str, mistake: str) -> None:
    (found,) = check(network(LOGS[log], mistake)).diagnosis
    assert found.mistake == mistake


def last_class_forgotten(p: Array, t: Array, n: int) -> tuple[Array, Array]:
    d = p.copy()
    for j in range(t.shape[1] - 1):
        d[:, j] -= t[:, j]
    return d / n, (d / n).sum(0)


def last_sample_forgotten(p: Array, t: Array, n: int) -> tuple[Array, Array]:
    d = p.copy()
    for row in range(n - 1):
        d[row] -= t[row]
    return d / n, (d / n).sum(0)


def probabilities_overwritten(p: Array, t: Array, n: int) -> tuple[Array, Array]:
    d = (p - t) / n
    return d, ((d - t) / n).sum(0)


def targets_taken_off_twice(p: Array, t: Array, n: int) -> tuple[Array, Array]:
    d = (p - t - t) / n
    return d, d.sum(0)


@pytest.mark.parametrize(
    "error, name",
    [
        (last_class_forgotten, "class-without-target"),
        (last_sample_forgotten, "sample-without-target"),
        (probabilities_overwritten, "bias-gradient-of-overwritten-probabilities"),
        (targets_taken_off_twice, "targets-taken-off-twice"),
    ],
)
def test_a_target_that_is_missed_or_taken_off_again_is_named(
    error: Callable[[Array, Array, int], tuple[Array, Array]], name: str
) -> None:
    def wrong(theta: Arrays, x: Array, t: Array) -> Any:
        h = np.maximum(x @ theta["w1"] + theta["b1"], 0)
        s = h @ theta["w2"] + theta["b2"]
        e = np.exp(s - s.max(1, keepdims=True))
        p = e / e.sum(1, keepdims=True)
        d, db2 = error(p, t, len(x))
        dz = (d @ theta["w2"].T) * (h > 0)
        g = {"w1": x.T @ dz, "b1": dz.sum(0), "w2": h.T @ d, "b2": db2}
        return float(-(t * np.log(p)).sum() / len(x)), g

    assert [found.mistake for found in check(wrong).diagnosis] == [name]


def test_what_one_tensor_shows_alone_is_half_of_what_another_shows() -> None:
    def stale(theta: Arrays, x: Array, t: Array) -> Any:
        loss, g = network(np.log)(theta, x, t)
        z = x @ theta["w1"] + theta["b1"]
        h = np.maximum(z, 0)
        s = h @ theta["w2"] + theta["b2"]
        e = np.exp(s - s.max(1, keepdims=True))
        d = (e / e.sum(1, keepdims=True) - t) / len(x)
        back = d @ (theta["w2"] - 0.01 * g["w2"]).T
        return loss, g | {"w1": x.T @ (back * (z > 0)), "b1": (back * h).sum(0)}

    found = {one._tensors: one.mistake for one in check(stale).diagnosis}
    assert found[("dw1",)] == "weights-stepped-too-early"
    assert set(found[("db1",)].split(" + ")) == {
        "weights-stepped-too-early",
        "value-for-derivative",
    }


def test_a_factor_of_one_tensor_is_said_of_that_tensor() -> None:
    def factors(theta: Arrays, x: Array, t: Array) -> Any:
        loss, g = network(np.log)(theta, x, t)
        return loss, g | {"w2": 2 * g["w2"], "b1": 4 * g["b1"]}

    sentences = [one.sentence for one in check(factors).diagnosis]
    assert sentences[0].startswith("dw2 is 2 times as large as it should be")
    assert sentences[1].startswith("db1 is 4 times as large as it should be")


def test_a_guard_that_shows_is_a_note_with_its_size_and_line_beside_the_mistake() -> None:
    result = check(network(lambda p: np.log(p + 1e-8), "mask-missing"))
    assert [found.mistake for found in result.diagnosis] == ["mask-missing"]
    (note,) = [one for one in result.notes if one.startswith("Besides: ")]
    assert "1e-08 is added inside the logarithm" in note
    assert "test_diagnosis_domains.py, line" in note and "np.log(p + 1e-8)" in note


def test_a_large_guard_is_a_mistake_of_its_own_behind_the_other() -> None:
    result = check(network(lambda p: np.log(p + 1e-4), "mask-missing"))
    assert [found.mistake for found in result.diagnosis] == ["mask-missing", "epsilon-in-log"]


def test_a_guard_alone_is_named_with_its_line() -> None:
    (found,) = check(network(lambda p: np.log(p + 1e-8))).diagnosis
    assert found.mistake == "epsilon-in-log" and "(`" in found.sentence


def test_a_penalty_is_fitted_beside_a_guard() -> None:
    def penalised(theta: Arrays, x: Array, t: Array) -> Any:
        loss, g = network(lambda p: np.log(p + 1e-8))(theta, x, t)
        return loss + 0.01 * sum((theta[w] ** 2).sum() for w in ("w1", "w2")), g

    result = check(penalised)
    assert [found.mistake for found in result.diagnosis] == ["l2-in-loss-only"]
    assert result.diagnosis[0].constant == 0.02


def test_class_numbers_are_a_note_beside_a_mistake() -> None:
    def hard(theta: Arrays, x: Array, t: Array) -> Any:
        return network(np.log, "mask-missing")(theta, x, np.eye(t.shape[1])[t.argmax(1)])

    result = check(hard)
    assert [found.mistake for found in result.diagnosis] == ["mask-missing"]
    assert any("soft targets" in note and "one-hot" in note for note in result.notes)


def test_a_gradient_nobody_can_name_leaves_the_loss_its_name() -> None:
    def odd(theta: Arrays, x: Array, t: Array) -> Any:
        loss, g = network(lambda p: np.log(p + 1e-5))(theta, x, t)
        return loss, g | {"w1": g["w1"] ** 3}

    result = check(odd)
    assert [found.mistake for found in result.diagnosis] == ["epsilon-in-log"]
    assert any("wrong: dw1" in note for note in result.notes)


@pytest.mark.parametrize(
    "factor, said",
    [
        (lambda n: n / 32, "N / 32"),
        (lambda n: 1 / n, "1 / N"),
        (lambda n: n / (n - 1), "N / (N - 1)"),
        (lambda n: -n, "-N"),
        (lambda n: 128.0, "128"),
        (lambda n: 0.2, "1 / K"),
    ],
)
def test_a_factor_is_said_as_a_form_of_the_sizes(factor: Callable[[int], float], said: str) -> None:
    seen = [Factor(Point({}, np.zeros((n, 3)), np.zeros((n, 5))), factor(n)) for n in (6, 9)]
    assert form(seen) == said
