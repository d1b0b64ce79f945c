"""What the gradients are allowed: by the formulas, and where honest ones need it most."""

from __future__ import annotations

import numpy as np
import pytest

import manual_mlp
from compare.allowance import Arithmetic
from compare.allowance.dense import Dense
from compare.allowance.lowrank import LowRank
from tests.allowed import BIASES_LIKE_WEIGHTS, DTYPES, allowed, network
from torch_reference import Reference

pytestmark = pytest.mark.rounding


@pytest.mark.parametrize("dtype", DTYPES)
def test_looking_at_the_partial_sums_of_a_bias_narrows_it_and_nothing_else(dtype: str) -> None:
    drawn = network((9, 30, 5), 300, dtype=dtype)
    found = allowed(drawn, "relu", form=LowRank)
    with BIASES_LIKE_WEIGHTS:
        wider = allowed(drawn, "relu", form=LowRank)
    for name in ("w1", "w2"):
        assert (found.gradients[name] == wider.gradients[name]).all()
    for name in ("b1", "b2"):
        ratio = found.gradients[name] / wider.gradients[name]
        assert (ratio > 0.25).all() and (ratio <= 1 + 1e-12).all() and np.median(ratio) < 0.6


@pytest.mark.parametrize("repeated", [False, True])
def test_gradients_of_a_small_network_are_allowed_what_the_formulas_say(repeated: bool) -> None:
    parameters, x, targets = network((5, 7, 3), 40)
    weights = np.ones(40)
    if repeated:
        x[10:20], targets[10:20], weights[:20] = x[:10], targets[:10], 2.0
    unit, times = Arithmetic.of("float64").unit, 44.0
    made = allowed((parameters, x, targets), "relu", form=Dense)
    reference = Reference((5, 7, 3))
    _, found, values = reference.loss_and_gradients(parameters, x, targets, intermediates=True)
    ones, dz = np.ones((40, 1)), values["dlogits"]
    h, spread = np.hstack([values["h1"], ones]), made.dz[2].entries()
    h_spread = np.hstack([made.forward.h[1].entries(), 0 * ones])
    sizes = 10 / 3 * (np.abs(h).T @ np.abs(dz)) ** 2  # of terms that may differ in size
    sizes[-1] = np.inf  # a bias has the norms
    terms = np.minimum(sizes, np.outer((h**2).sum(axis=0), (dz**2).sum(axis=0))) * times / 8
    total = np.vstack([found["w2"], found["b2"]]) ** 2
    own = unit**2 * (terms + (5 / 8 * times + 2) * total)
    carried = (h**2).T @ (weights[:, None] * spread)
    carried += h_spread.T @ (weights[:, None] * (dz**2 + spread))
    share = weights @ dz**2 / (dz**2).sum(axis=0) - 1  # of equal terms, beside themselves
    alike = own * (40 * share / 2) / times
    square = own + carried + alike
    assert made.gradients["w2"] == pytest.approx(np.sqrt(square[:-1]), rel=1e-9, abs=0.0)
    assert made.gradients["b2"] == pytest.approx(np.sqrt(square[-1]), rel=1e-9, abs=0.0)
    for name, rows in (("w2", slice(0, -1)), ("b2", slice(-1, None))):
        norm = total[rows].sum()
        shared = (carried + alike)[rows].sum() / norm
        independent = ((own + carried) * total)[rows].sum() / norm**2
        assert made.projections[name] == pytest.approx(
            np.sqrt(shared + independent), rel=1e-9, abs=0.0
        )


@pytest.mark.parametrize("form", [Dense, LowRank])
@pytest.mark.parametrize(("samples", "classes"), [(4096, 2), (4096, 3), (16384, 2)])
def test_a_fitted_batch_with_two_wrong_labels_is_allowed_what_its_many_tiny_terms_round(
    form: type[Dense] | type[LowRank], samples: int, classes: int
) -> None:
    # All terms are nearly equal and lose the same beside the few large ones, each time they are
    # added to a partial sum of their size: float32 sums of 4e-8 beside 1.
    generator, width = np.random.default_rng(0), 12
    labels = generator.integers(1, classes, samples) if classes > 2 else np.ones(samples, int)
    x = np.zeros((samples, width))
    x[np.arange(samples), labels] = generator.uniform(16.65, 17.2, samples)
    x[:, classes:] = generator.uniform(0.1, 1, (samples, width - classes))
    for row, (label, likely) in {0: (1, 0), -1: (0, 1)}.items():
        labels[row], x[row, :classes] = label, 0
        x[row, likely] = 25
    eye = np.eye(width)
    parameters = {"w1": eye, "b1": np.zeros(width), "w2": eye[:, :classes], "b2": np.zeros(classes)}
    drawn = ({n: a.astype(np.float32) for n, a in parameters.items()}, x.astype(np.float32),
             np.eye(classes, dtype=np.float32)[labels])  # fmt: skip
    reference = Reference((width, width, classes), dtype="float32")
    _, theirs = reference.loss_and_gradients(*drawn)
    _, ours = manual_mlp.loss_and_gradients(*drawn, activation="relu")
    allowances = allowed(drawn, "relu", form=form).gradients
    for name, entries in ours.items():
        difference = np.abs(entries - theirs[name].astype(np.float64))
        assert (difference <= 0.5 * allowances[name]).all(), name
