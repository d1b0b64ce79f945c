"""Another network computed rightly is told its option; edges and guards are said, not passed by."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks.outside.handins import MISTAKES, drawn_style, loaded, source
from compare import check
from compare.judge.naming import Named

pytestmark = pytest.mark.usefixtures("shared_passes")
Array = NDArray[Any]
Arrays = dict[str, Array]
Made = tuple[float, Array]


def cross_entropy(s: Array, t: Array) -> Made:
    """Return loss and gradient at the logits."""
    s = s - s.max(1, keepdims=True)
    log_p = s - np.log(np.exp(s).sum(1, keepdims=True))
    return float(-(t * log_p).sum() / len(s)), (np.exp(log_p) - t) / len(s)


def squared(s: Array, t: Array) -> Made:
    """Return half the squared error, summed over outputs and averaged over rows."""
    return float(0.5 * ((s - t) ** 2).sum() / len(s)), (s - t) / len(s)


def network(
    value: Callable[[Array], Array] = lambda z: np.maximum(z, 0),
    slope: Callable[[Array], Array] = lambda z: z > 0,
    loss: Callable[[Array, Array], Made] = cross_entropy,
    l2: Callable[[int], float] = lambda n: 0.0,
) -> Callable[..., Any]:
    """Return a right network of these ingredients."""

    def loss_and_gradients(theta: Arrays, x: Array, t: Array) -> tuple[float, Arrays]:
        z = x @ theta["w1"] + theta["b1"]
        h = value(z)
        made, d = loss(h @ theta["w2"] + theta["b2"], t)
        dz = (d @ theta["w2"].T) * slope(z)
        g = {"w1": x.T @ dz, "b1": dz.sum(0), "w2": h.T @ d, "b2": d.sum(0)}
        c = l2(len(x))
        made += c / 2 * sum((theta[w] ** 2).sum() for w in ("w1", "w2"))
        return float(made), g | {w: g[w] + c * theta[w] for w in ("w1", "w2")}

    return loss_and_gradients


SOFTPLUS = network(lambda z: np.logaddexp(0, z), lambda z: 1 / (1 + np.exp(-z)))


@pytest.mark.parametrize(
    "implementation, option",
    [
        (SOFTPLUS, "--activation softplus"),
        (network(loss=squared), "--loss mse --reduction batch_mean"),
        (network(l2=lambda n: 0.5 / n), "--l2 0.5 --penalty-over rows"),
    ],
)
def test_another_network_is_told_the_option_that_declares_it(
    implementation: Callable[..., Any], option: str
) -> None:
    result = check(implementation)
    (found,) = result.diagnosis
    assert result.exit_code == 1 and result.kind in ("function", "convention")
    assert "declared" in found.mistake and option in found.sentence


@pytest.mark.slow
def test_a_mistake_in_another_network_is_named_beside_it() -> None:
    wrong = network(lambda z: np.logaddexp(0, z), lambda z: np.ones_like(z))
    found = [one.mistake for one in check(wrong).diagnosis]
    assert found == ["undeclared-activation", "mask-missing"]


@pytest.mark.slow
@pytest.mark.parametrize("slope, name", [(0.0, "relu"), (0.05, "leaky_relu:0.05")])
def test_a_mistake_behind_units_that_were_not_declared_is_named_beside_them(
    slope: float, name: str
) -> None:
    units = network(lambda z: np.where(z > 0, z, slope * z), lambda z: np.where(z > 0, 1, slope))

    def negated(theta: Arrays, x: Array, t: Array) -> tuple[float, Arrays]:
        loss, g = units(theta, x, t)
        return loss, {key: -value for key, value in g.items()}

    network_meant, wrong = check(negated, activation="tanh").diagnosis
    assert network_meant.mistake in ("activation-is-relu", "undeclared-activation")
    assert f"`--activation {name}` declares it" in network_meant.sentence
    assert wrong.mistake == "target-minus-prediction"


def test_the_title_of_the_mistake_stands_before_the_numbers() -> None:
    result = check(SOFTPLUS)
    start = f"disagrees ({result.kind}): the activation is softplus"
    assert result.sentence.startswith(start)


def test_a_mask_with_a_threshold_is_seen() -> None:
    result = check(network(slope=lambda z: z > 1e-5))
    assert result.exit_code == 1
    said = " ".join([*result.notes, *(one.sentence for one in result.diagnosis)])
    assert "1e-05" in said


def test_units_that_are_cut_off_at_6_are_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    # What nothing explains is looked for longest, and what it is called is not asked here.
    monkeypatch.setattr("compare.judge.conclusion.name_mistake", lambda *_: Named())
    capped = network(lambda z: np.clip(z, 0, 6), lambda z: (z > 0) & (z < 6))
    assert check(capped).exit_code == 1


@pytest.mark.parametrize("floor", [1e-15, 1e-7])
def test_a_floor_of_the_probabilities_is_said_with_its_size_and_agrees(floor: float) -> None:
    def guarded(s: Array, t: Array) -> Made:
        _, d = cross_entropy(s, t)
        e = np.exp(s - s.max(1, keepdims=True))
        p = np.clip(e / e.sum(1, keepdims=True), floor, 1 - floor)
        return float(-(t * np.log(p)).sum() / len(s)), d

    result = check(network(loss=guarded))
    assert result.exit_code == 0
    assert any(f"{floor:g}" in note for note in result.notes)


def test_a_right_network_has_nothing_to_be_noted() -> None:
    result = check(network())
    assert result.exit_code == 0
    assert result.notes == ("exactly at 0 both sides take the same slope of relu: 0",)


@pytest.mark.parametrize("draw", range(6))
def test_a_right_hand_in_of_any_style_agrees(draw: int) -> None:
    style = drawn_style(np.random.default_rng(draw))
    result = check(loaded(source(style)), activation=style["activation"])
    assert (result.exit_code, result.diagnosis) == (0, ())


@pytest.mark.parametrize("index", range(len(MISTAKES)))
def test_every_mistake_is_named_in_a_hand_in_of_a_drawn_style(index: int) -> None:
    style = drawn_style(np.random.default_rng([7, index]))
    planted = MISTAKES[index]
    style["activation"] = planted.activations[-1]
    result = check(loaded(source(style, (planted,))), activation=style["activation"])
    names = {name for one in result.diagnosis for name in (one.mistake, *one.also)}
    assert names & set(planted.names)
