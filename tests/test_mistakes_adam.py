"""What Adam keeps from update to update, written by hand and wrong in one place, is named so."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from compare import check
from compare.contracts.experiment import Experiment
from compare.diagnosis.optimiser import identify
from compare.mistakes.adam import ADAM_STATE
from manual_mlp import Record, loss_and_gradients

Array = NDArray[Any]
Arrays = dict[str, Array]
Step = Callable[[Arrays, Arrays, dict[str, Any]], tuple[Arrays, dict[str, Any]]]
RATE, BETA1, BETA2, EPS = 0.01, 0.9, 0.999, 1e-8
NETWORKS = ((7, 5), (4, 6, 3), (3, 8, 2, 5))


def adam(
    *,
    count: Callable[[int, int, int], int] = lambda t, place, of: t,
    carried: str = "ms",
    square: Callable[[Array], Array] = np.square,
    largest: Callable[[Array, Array, float], Array] | None = None,
    corrected: bool = True,
    fed_back: bool = False,
    eps: float = EPS,
    inside: bool = False,
) -> Step:
    """Return a step as people write it: a loop over the weights, with one thing in another way."""

    def step(w: Arrays, g: Arrays, state: dict[str, Any]) -> tuple[Arrays, dict[str, Any]]:
        updates = state.get("t", 0) + 1
        after, kept = {}, {"t": updates}
        for place, k in enumerate(w, start=1):
            t = count(updates, place, len(w))
            m, s = (state.get(f"{one}_{k}", 0 * w[k]) * (one in carried) for one in "ms")
            m = kept[f"m_{k}"] = BETA1 * m + (1 - BETA1) * g[k]
            s = kept[f"s_{k}"] = BETA2 * s + (1 - BETA2) * square(g[k])
            correction = 1 - BETA2**t
            if largest is not None:
                s = kept[f"r_{k}"] = largest(state.get(f"r_{k}", 0 * w[k]), s, correction)
                kept[f"s_{k}"] = s if fed_back else kept[f"s_{k}"]
            s = s / correction if corrected else s
            root = np.sqrt(s + eps) if inside else np.sqrt(s) + eps
            after[k] = w[k] - RATE * (m / (1 - BETA1**t)) / root
        return after, kept

    return step


def by_gradient(divisor: Callable[[Array, Array], tuple[Array, Array]]) -> Step:
    """Return a step that divides the gradient by a root of what it keeps."""

    def step(w: Arrays, g: Arrays, state: dict[str, Any]) -> tuple[Arrays, dict[str, Any]]:
        both = {k: divisor(state.get(k, 0 * w[k]), g[k]) for k in w}
        after = {k: w[k] - RATE * g[k] / root for k, (_, root) in both.items()}
        return after, {k: s for k, (s, _) in both.items()}

    return step


def rmsprop_unsquared(s: Array, g: Array) -> tuple[Array, Array]:
    s = 0.99 * s + 0.01 * g
    return s, np.sqrt(s) + 1e-8


def adagrad_unsquared(s: Array, g: Array) -> tuple[Array, Array]:
    s = s + g
    return s, np.sqrt(s) + 1e-10


def itself(g: Array) -> Array:
    return g


WRONG: dict[str, tuple[str, Step]] = {
    "adam-t-per-weight": ("adam", adam(count=lambda t, place, of: of * (t - 1) + place)),
    "adam-t-per-layer": (
        "adam", adam(count=lambda t, place, of: of // 2 * (t - 1) + (place + 1) // 2)
    ),
    "adam-mean-begins-anew": ("adamw", adam(carried="s")),
    "adam-squares-begin-anew": ("adam", adam(carried="m")),
    "adam-means-begin-anew": ("adam", adam(carried="")),
    "adam-begins-anew": ("adam", adam(carried="", count=lambda t, place, of: 1)),
    "adam-gradient-not-squared": ("adam", adam(square=itself)),
    "rmsprop-gradient-not-squared": ("rmsprop", by_gradient(rmsprop_unsquared)),
    "adagrad-gradient-not-squared": ("adagrad", by_gradient(adagrad_unsquared)),
    "amsgrad-largest-of-corrected": (
        "amsgrad", adam(largest=lambda r, s, c: np.maximum(r, s / c), corrected=False)
    ),
    "amsgrad-largest-fed-back": (
        "amsgrad", adam(largest=lambda r, s, c: np.maximum(r, s), fed_back=True)
    ),
}  # fmt: skip


def walked(step: Step, widths: tuple[int, ...], dtype: str) -> list[Record]:
    """Records of six updates with random gradients, from the first one on."""
    generator = np.random.default_rng(len(widths))
    shapes: dict[str, tuple[int, ...]] = {}
    for layer, (fan_in, fan_out) in enumerate(pairwise(widths), start=1):
        shapes |= {f"w{layer}": (fan_in, fan_out), f"b{layer}": (fan_out,)}
    now = {k: generator.normal(size=shape).astype(dtype) for k, shape in shapes.items()}
    state: dict[str, Any] = {}
    found = []
    for update in range(7):
        drawn = {k: generator.normal(scale=0.1, size=w.shape) for k, w in now.items()}
        gradients = {k: g.astype(dtype) for k, g in drawn.items()}
        found.append(Record(update, 0, np.arange(1), 0.0, gradients, now, {}, None))
        with np.errstate(all="ignore"):
            now, state = step(now, gradients, state)
        now = {k: w.astype(dtype) for k, w in now.items()}
    return found


def told(step: Step, declared: str, widths: tuple[int, ...], dtype: str) -> str | None:
    momentum: dict[str, Any] = {"momentum": 0.0} if declared == "rmsprop" else {}
    asked = Experiment(optimiser=declared, learning_rate=RATE, dtype=dtype, **momentum)
    found = identify(walked(step, widths, dtype), asked)
    return None if found is None or found.mistake is None else found.mistake.name


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", WRONG)
def test_each_is_named_in_three_networks(name: str, dtype: str) -> None:
    declared, step = WRONG[name]
    networks = [one for one in NETWORKS if len(one) > 2 or name != "adam-t-per-layer"]
    assert [told(step, declared, one, dtype) for one in networks] == [name] * len(networks)


@pytest.mark.parametrize("widths", NETWORKS)
@pytest.mark.parametrize(
    "declared, step",
    [("adam", adam()), ("adamw", adam()),
     ("amsgrad", adam(largest=lambda r, s, c: np.maximum(r, s)))],
    ids=["adam", "adamw", "amsgrad"],
)  # fmt: skip
def test_right_ones_are_not_accused(declared: str, step: Step, widths: tuple[int, ...]) -> None:
    asked = Experiment(optimiser=declared, learning_rate=RATE, weight_decay=0.0)
    assert identify(walked(step, widths, "float64"), asked) is None


def test_every_one_is_planted_here() -> None:
    assert set(WRONG) == {one.name for one in ADAM_STATE}


@pytest.mark.parametrize("eps", [3e-6, 0.02, 1e-8])
@pytest.mark.parametrize("inside", [True, False])
def test_an_epsilon_is_said_with_its_size(eps: float, inside: bool) -> None:
    asked = Experiment(optimiser="adam", learning_rate=RATE)
    found = identify(walked(adam(eps=eps, inside=inside), NETWORKS[0], "float64"), asked)
    if not inside and eps == EPS:
        assert found is None
        return
    assert found is not None and f"{eps:g}" in found.sentence
    assert (found.mistake is not None) == inside
    assert found.mistake is None or found.mistake.name == "adam-epsilon-inside"


def test_a_largest_mean_that_is_not_kept_is_said_beside_the_option() -> None:
    asked = Experiment(optimiser="amsgrad", learning_rate=RATE)
    found = identify(walked(adam(), NETWORKS[0], "float64"), asked)
    assert found is not None and found.words == "--optimiser adam"
    assert "the largest mean of the squares is not kept" in found.sentence


def test_numbers_that_are_none_everywhere_are_explained_by_nothing() -> None:
    lost = walked(adam(eps=float("nan")), NETWORKS[0], "float64")
    assert identify(lost, Experiment(optimiser="adam", learning_rate=RATE)) is None


def test_a_check_leads_with_the_name() -> None:
    made = adam(count=lambda t, place, of: of * (t - 1) + place)

    def step(p: Arrays, g: Arrays, state: Any, *, learning_rate: float, **_: Any) -> Any:
        return made(p, g, state)

    result = check(loss_and_gradients, step=step, optimiser="adam", learning_rate=RATE, hidden=(7,))
    assert [one.mistake for one in result.diagnosis] == ["adam-t-per-weight"]
    assert "a t of Adam that is advanced once for every weight" in result.sentence
