"""Mistakes in a declared hinge, Huber, absolute or squared error, written by hand, are named."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from compare.contracts.objective import Objective
from compare.diagnosis.gradients import diagnose
from compare.mistakes.declared import DECLARED
from compare.mistakes.declared_distances import DISTANCES
from compare.mistakes.declared_hinge import HINGE

pytestmark = pytest.mark.usefixtures("shared_passes")
Array = NDArray[Any]
Terms = Callable[[Array, Array], Array]
SIZES = ((6, 7, 4), (5, 9, 6, 3), (8, 5))
"""Three networks: one hidden layer, two, none."""


def network(terms: Terms, slope: Terms, *, whole: Callable[..., Any] | None = None) -> Any:
    """Return a network of ReLU units whose loss is a mean over all entries; `whole` makes loss and
    gradient at the logits of (o, t) at once."""

    def at_logits(o: Array, t: Array) -> tuple[Any, Array]:
        return terms(o, t).sum() / o.size, slope(o, t) / o.size

    def code(p: dict[str, Array], x: Array, t: Array) -> Any:
        depth = len(p) // 2
        h = [x]
        for i in range(1, depth + 1):
            z = h[-1] @ p[f"w{i}"] + p[f"b{i}"]
            h.append(np.maximum(z, 0) if i < depth else z)
        loss, d = (whole or at_logits)(h.pop(), t)
        g = {}
        for i in range(depth, 0, -1):
            g[f"w{i}"], g[f"b{i}"] = h[i - 1].T @ d, d.sum(axis=0)
            d = d @ p[f"w{i}"].T * (h[i - 1] > 0)
        return loss, g

    return code


def margin(o: Array, t: Array, m: float = 1.0) -> Array:
    own = t.argmax(axis=1)
    return np.asarray(o - o[np.arange(len(o)), own][:, None] + m)


def hinge(o: Array, t: Array, m: float = 1.0, power: int = 1, *, own: bool = False) -> Array:
    found = np.maximum(margin(o, t, m), 0) ** power
    if not own:
        found[np.arange(len(o)), t.argmax(axis=1)] = 0
    return np.asarray(found)


def within(
    o: Array, t: Array, m: float = 1.0, at_own: Callable[[Array], Any] = lambda n: -n,
    of: Callable[[Array], Array] = lambda e: (e > 0) * 1.0,
) -> Array:  # fmt: skip
    rows, own = np.arange(len(o)), t.argmax(axis=1)
    found = of(margin(o, t, m))
    found[rows, own] = 0
    found[rows, own] = at_own(found.sum(axis=1))
    return found


def worst(o: Array, t: Array, *, slope: bool) -> Array:
    rows, own = np.arange(len(o)), t.argmax(axis=1)
    found = margin(o, t)
    found[rows, own] = -np.inf
    top, made = found.argmax(axis=1), np.zeros_like(o)
    made[rows, top] = np.maximum(found[rows, top], 0)
    if slope:
        made = (made > 0) * 1.0
        made[rows, own] -= made.sum(axis=1)
    return made


def huber(
    within_joint: Callable[[Array], Array], beyond: Callable[[Array], Array], c: float = 1.0
) -> Terms:
    return lambda o, t: np.where(abs(o - t) <= c, within_joint(o - t), beyond(o - t))


def half(d: Array) -> Array:
    return d * d / 2


TERMS: dict[str, Terms] = {
    "hinge": hinge,
    "huber": huber(half, lambda d: abs(d) - 0.5),
    "mse": lambda o, t: (o - t) ** 2,
    "l1": lambda o, t: abs(o - t),
}
SLOPES: dict[str, Terms] = {
    "hinge": within,
    "huber": lambda o, t: np.clip(o - t, -1, 1),
    "mse": lambda o, t: 2 * (o - t),
    "l1": lambda o, t: np.sign(o - t),
}


def ramp(e: Array) -> Array:
    return np.asarray(np.maximum(e, 0))


def not_cut(o: Array, t: Array) -> Array:
    found = margin(o, t)
    found[np.arange(len(o)), t.argmax(axis=1)] = 0
    return found


IN_LOSS: dict[str, tuple[str, Terms]] = {
    "hinge-true-class-in-loss": ("hinge", lambda o, t: hinge(o, t, own=True)),
    "hinge-margin-missing-in-loss": ("hinge", lambda o, t: hinge(o, t, 0.0)),
    "hinge-another-margin-in-loss": ("hinge", lambda o, t: hinge(o, t, 2.0)),
    "hinge-loss-not-cut": ("hinge", not_cut),
    "hinge-loss-squared": ("hinge", lambda o, t: hinge(o, t, power=2)),
    "hinge-loss-of-largest": ("hinge", lambda o, t: worst(o, t, slope=False)),
    "huber-half-missing-in-square": ("huber", huber(np.square, lambda d: abs(d) - 0.5)),
    "huber-half-missing-beyond": ("huber", huber(half, abs)),
    "huber-whole-taken-off-beyond": ("huber", huber(half, lambda d: abs(d) - 1)),
    "huber-another-joint-in-loss": ("huber", huber(half, lambda d: 1.35 * (abs(d) - 0.675), 1.35)),
    "square-missing-in-loss": ("mse", lambda o, t: o - t),
    "absolute-for-square-in-loss": ("mse", lambda o, t: abs(o - t)),
    "absolute-missing-in-loss": ("l1", lambda o, t: o - t),
    "square-for-absolute-in-loss": ("l1", lambda o, t: (o - t) ** 2),
    "loss-of-no-number": ("huber", lambda o, t: np.full_like(o, np.nan)),
    "loss-zero": ("mse", lambda o, t: np.zeros_like(o)),
}
IN_GRADIENT: dict[str, tuple[str, Terms]] = {
    "hinge-true-class-once": ("hinge", lambda o, t: within(o, t, at_own=lambda n: -1)),
    "hinge-true-class-sign": ("hinge", lambda o, t: within(o, t, at_own=lambda n: n)),
    "hinge-true-class-left-out": ("hinge", lambda o, t: within(o, t, at_own=lambda n: 0)),
    "hinge-true-class-counts-itself": (
        "hinge", lambda o, t: within(o, t, at_own=lambda n: -n - 1)
    ),
    "hinge-true-class-as-another": ("hinge", lambda o, t: within(o, t, at_own=lambda n: 1)),
    "hinge-margin-missing": ("hinge", lambda o, t: within(o, t, 0.0)),
    "hinge-another-margin-in-gradient": ("hinge", lambda o, t: within(o, t, 0.5)),
    "hinge-gradient-not-cut": ("hinge", lambda o, t: within(o, t, of=np.ones_like)),
    "hinge-margins-for-mask": ("hinge", lambda o, t: within(o, t, of=ramp)),
    "hinge-gradient-of-square": ("hinge", lambda o, t: within(o, t, of=lambda e: 2 * ramp(e))),
    "hinge-gradient-of-largest": ("hinge", lambda o, t: worst(o, t, slope=True)),
    "huber-not-limited": ("huber", lambda o, t: o - t),
    "huber-as-sign": ("huber", lambda o, t: np.sign(o - t)),
    "huber-swapped": ("huber", huber(np.sign, lambda d: d)),
    "huber-zero-beyond": ("huber", huber(lambda d: d, lambda d: 0 * d)),
    "huber-sign-missing-beyond": ("huber", huber(lambda d: d, lambda d: d**0)),
    "huber-gradient-doubled-within": ("huber", huber(lambda d: 2 * d, np.sign)),
    "huber-another-joint-in-gradient": ("huber", lambda o, t: np.clip(o - t, -0.5, 0.5)),
    "absolute-as-square": ("l1", lambda o, t: o - t),
    "square-as-sign": ("mse", lambda o, t: np.sign(o - t)),
}  # fmt: skip
IN_BOTH: dict[str, tuple[str, Terms, Terms]] = {
    "hinge-without-margin": ("hinge", lambda o, t: hinge(o, t, 0.0), lambda o, t: within(o, t, 0)),
    "hinge-another-margin": ("hinge", lambda o, t: hinge(o, t, 2), lambda o, t: within(o, t, 2)),
    "hinge-squared": (
        "hinge", lambda o, t: hinge(o, t, power=2),
        lambda o, t: within(o, t, of=lambda e: 2 * ramp(e)),
    ),
    "hinge-of-largest": (
        "hinge", lambda o, t: worst(o, t, slope=False), lambda o, t: worst(o, t, slope=True)
    ),
    "huber-square-doubled": (
        "huber", huber(np.square, lambda d: abs(d) - 0.5), huber(lambda d: 2 * d, np.sign)
    ),
    "huber-another-joint": (
        "huber", huber(half, lambda d: 2 * (abs(d) - 1), 2.0), lambda o, t: np.clip(o - t, -2, 2)
    ),
    "huber-as-smooth-l1": (
        "huber", huber(lambda d: d * d, lambda d: abs(d) - 0.25, 0.5),
        lambda o, t: np.clip(2 * (o - t), -1, 1),
    ),
}  # fmt: skip


def rms(o: Array, t: Array) -> Any:
    return np.sqrt(np.mean((o - t) ** 2))


def lengths(o: Array, t: Array) -> Array:
    return np.asarray(np.sqrt(((o - t) ** 2).sum(axis=1, keepdims=True)))


def right(o: Array, t: Array) -> Array:
    return np.asarray(2 * (o - t) / o.size)


AT_ONCE: dict[str, Callable[[Array, Array], tuple[Any, Array]]] = {
    "root-of-loss": lambda o, t: (rms(o, t), right(o, t)),
    "gradient-of-root": lambda o, t: (np.mean((o - t) ** 2), (o - t) / o.size / rms(o, t)),
    "root-mean-square": lambda o, t: (rms(o, t), (o - t) / o.size / rms(o, t)),
    "length-of-all-as-loss": lambda o, t: (np.linalg.norm(o - t), right(o, t)),
    "length-of-rows-as-loss": lambda o, t: (lengths(o, t).mean(), right(o, t)),
    "length-of-rows": lambda o, t: (lengths(o, t).mean(), (o - t) / lengths(o, t) / len(o)),
    "square-of-mean-as-loss": lambda o, t: (np.mean(o - t) ** 2, right(o, t)),
}
ALL: dict[str, tuple[str, Any]] = {
    **{name: (loss, network(terms, SLOPES[loss])) for name, (loss, terms) in IN_LOSS.items()},
    **{name: (loss, network(TERMS[loss], slope)) for name, (loss, slope) in IN_GRADIENT.items()},
    **{name: (loss, network(*both)) for name, (loss, *both) in IN_BOTH.items()},
    **{name: ("mse", network(hinge, hinge, whole=whole)) for name, whole in AT_ONCE.items()},
}


def names(code: Any, sizes: tuple[int, ...], loss: str) -> list[str]:
    with np.errstate(all="ignore"):
        found = diagnose(code, sizes=sizes, objective=Objective(loss))
    return [one.mistake for one in found]


@pytest.mark.parametrize("name", ALL)
def test_each_is_named_alone_in_three_networks(name: str) -> None:
    loss, code = ALL[name]
    assert {sizes: names(code, sizes, loss) for sizes in SIZES} == {
        sizes: [name] for sizes in SIZES
    }


@pytest.mark.parametrize("loss", TERMS)
def test_the_right_loss_and_gradient_are_not_accused(loss: str) -> None:
    code = network(TERMS[loss], SLOPES[loss])
    assert all(names(code, sizes, loss) == [] for sizes in SIZES)


def test_every_mistake_of_these_losses_is_planted_here() -> None:
    assert {one.name for one in (*HINGE, *DISTANCES)} == set(ALL) <= {one.name for one in DECLARED}


def test_what_keeps_loss_and_gradient_together_is_a_convention() -> None:
    together = {*IN_BOTH, "root-mean-square", "length-of-rows"}
    assert {name for name in ALL if named_in(name).convention} == together


def named_in(name: str) -> Any:
    (found,) = (one for one in DECLARED if one.name == name)
    return found


@pytest.mark.slow
def test_a_slip_of_no_known_kind_is_not_named() -> None:
    odd = network(TERMS["huber"], lambda o, t: np.clip(o - t, -1, 1) + 0.3 * np.sin(9 * o))
    assert names(odd, SIZES[0], "huber") == []
