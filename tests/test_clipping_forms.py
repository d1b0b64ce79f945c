"""Clipping by norm in the forms libraries differ in: each judged in its own, wrong ones seen."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from numpy.typing import DTypeLike

from compare import check
from compare.checks.clipping import Clipping
from compare.checks.optimiser_replay import OptimiserReplay
from compare.checks.optimiser_step import OptimiserStep
from compare.contracts.experiment import Experiment
from manual_mlp import Record, loss_and_gradients

pytestmark = pytest.mark.rounding
C, RATE = 0.3, 0.05
Form = Callable[[float], float]
Arrays = dict[str, np.ndarray[Any, Any]]

RIGHT: dict[str, tuple[Form, float]] = {
    "torch": (lambda n: min(1.0, C / (n + 1e-6)), 1e-6),
    "if, nothing added": (lambda n: C / n if n > C else 1.0, 0.0),
    "by the larger": (lambda n: C / max(n, C), 0.0),
    "1e-8 added": (lambda n: min(1.0, C / (n + 1e-8)), 1e-8),
    "if, 1e-6 added": (lambda n: C / (n + 1e-6) if n > C else 1.0, 1e-6),
}
WRONG: dict[str, Form] = {
    "squared": lambda n: min(1.0, C / n**2),
    "always": lambda n: C / n,
    "left out": lambda n: 1.0,
    "a little longer": lambda n: min(1.0, C * (1 + 1e-9) / n),
}


def trained(form: Form, dtype: DTypeLike, lengths: tuple[float, ...]) -> list[Record]:
    """Records of momentum written by hand, the gradients of every update as long as asked."""
    generator = np.random.default_rng(5)
    w: Arrays = {k: generator.normal(size=s).astype(dtype) for k, s in (("w1", (6, 5)), ("b1", 5))}
    v: Arrays = {f"v_{k}": np.zeros_like(a) for k, a in w.items()}
    found = []
    for t, length in enumerate(lengths):
        g: Arrays = {k: np.asarray(generator.normal(size=a.shape)) for k, a in w.items()}
        size = length / np.sqrt(sum((a * a).sum() for a in g.values()))
        g = {k: np.asarray(a * size, dtype) for k, a in g.items()}
        found.append(Record(t, 0, np.arange(1), 0.0, g, w, v, None))
        kind: Any = dtype
        share = kind(form(float(np.sqrt(sum((a * a).sum() for a in g.values())))))
        v = {f"v_{k}": kind(0.9) * v[f"v_{k}"] + kind(RATE) * (g[k] * share) for k in w}
        w = {k: a - v[f"v_{k}"] for k, a in w.items()}
    return found


def replayed(records: list[Record], dtype: DTypeLike) -> tuple[float, Clipping]:
    """The worst ratio of all updates, and the form that the judge found."""
    asked = Experiment(learning_rate=RATE, clip_norm=C, dtype=np.dtype(dtype).name)
    replay = OptimiserReplay.in_any_form(OptimiserStep.of(asked))
    worst = [one.ratio for a, b in pairwise(records) for one in replay(a, b).values()]
    return max(worst), replay.step.clipping


LENGTHS = (0.1, 0.3, 2.0, 0.7, 0.2, 5.0, 0.4)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("name", RIGHT)
def test_every_form_of_clipping_is_right_and_told(name: str, dtype: DTypeLike) -> None:
    form, guard = RIGHT[name]
    worst, found = replayed(trained(form, dtype, LENGTHS), dtype)
    assert worst <= 0.5
    if dtype is np.float64:
        assert found.guard == guard
        assert bool(found.note()) == (guard != 1e-6 or found.longer)


def test_a_gradient_exactly_as_long_as_allowed_may_be_left_or_shortened() -> None:
    for name in ("torch", "if, 1e-6 added"):
        g = {"w1": np.array([[0.0, C]]), "b1": np.zeros(2)}
        w: Arrays = {"w1": np.ones((1, 2)), "b1": np.ones(2)}
        v = {f"v_{k}": np.zeros_like(a) for k, a in w.items()}
        after = {k: RATE * (a * RIGHT[name][0](C)) for k, a in g.items()}
        moved = {k: w[k] - after[k] for k in w}
        kept = {f"v_{k}": a for k, a in after.items()}
        records = [Record(0, 0, np.arange(1), 0.0, g, w, v, None)]
        records.append(Record(1, 0, np.arange(1), 0.0, g, moved, kept, None))
        assert replayed(records, np.float64)[0] <= 0.5, name


@pytest.mark.parametrize("name", WRONG)
def test_no_wrong_clipping_hides_behind_a_form(name: str) -> None:
    assert replayed(trained(WRONG[name], np.float64, LENGTHS), np.float64)[0] > 1


def test_two_forms_in_one_training_are_not_one() -> None:
    first = trained(RIGHT["torch"][0], np.float64, (2.0, 2.0))
    other = trained(RIGHT["by the larger"][0], np.float64, (2.0, 2.0, 2.0))
    asked = Experiment(learning_rate=RATE, clip_norm=C)
    replay = OptimiserReplay.in_any_form(OptimiserStep.of(asked))
    assert max(one.ratio for one in replay(first[0], first[1]).values()) <= 0.5
    assert max(one.ratio for one in replay(other[1], other[2]).values()) > 1


def test_a_wrong_update_leaves_the_form_of_the_right_ones_to_be_told() -> None:
    wrong = trained(WRONG["squared"], np.float64, (2.0, 2.0))
    right = trained(RIGHT["by the larger"][0], np.float64, (2.0, 2.0, 2.0))
    asked = Experiment(learning_rate=RATE, clip_norm=C)
    replay = OptimiserReplay.in_any_form(OptimiserStep.of(asked))
    assert max(one.ratio for one in replay(wrong[0], wrong[1]).values()) > 1
    assert max(one.ratio for one in replay(right[1], right[2]).values()) <= 0.5


def clipping_step(form: Form) -> Any:
    def step(w: Any, g: Any, state: Any, *, learning_rate: float, momentum: float) -> Any:
        share = form(float(np.sqrt(sum((a * a).sum() for a in g.values()))))
        v = {
            f"v_{k}": momentum * state.get(f"v_{k}", 0 * w[k]) + learning_rate * (g[k] * share)
            for k in w
        }
        return {k: w[k] - v[f"v_{k}"] for k in w}, v

    return step


def test_a_check_says_in_which_form_a_step_clips_and_sees_one_that_always_does() -> None:
    right = check(
        loss_and_gradients, step=clipping_step(RIGHT["by the larger"][0]), clip_norm=C, hidden=(4,)
    )
    assert right and any("clips by 0.3 / norm where" in note for note in right.notes)
    wrong = check(loss_and_gradients, step=clipping_step(WRONG["always"]), clip_norm=C, hidden=(4,))
    assert wrong.kind == "update"


def test_the_headline_of_clipping_that_was_not_declared_is_the_clipping() -> None:
    step = clipping_step(RIGHT["by the larger"][0])
    result = check(loss_and_gradients, step=step, hidden=(4,), inputs=5, classes=3)
    start = "disagrees (convention): gradients clipped to a norm of 0.3, which was not declared: "
    assert result.kind == "convention" and result.sentence.startswith(start)
    assert "`--clip-norm 0.3` declares it" in result.diagnosis[0].sentence
