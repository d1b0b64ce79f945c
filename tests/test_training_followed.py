"""The steps of a training that is run follow momentum, from whatever velocity it begins with."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.test_training_rehearsed import judged

pytestmark = pytest.mark.slow

MOMENTUM = """import numpy as np
def soft(z):
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)
def fit(inputs, targets, val_inputs, val_targets, H=9, mu=0.9, lr=0.2, epochs=40):
    W1 = np.random.randn(inputs.shape[1], H) * 0.4
    c1 = np.zeros(H)
    W2 = np.random.randn(H, targets.shape[1]) * 0.4
    c2 = np.zeros(targets.shape[1])
    s1, t1 = np.full(W1.shape, 1e-3), np.full(c1.shape, 1e-3)
    s2, t2 = np.full(W2.shape, 1e-3), np.full(c2.shape, 1e-3)
    curve, held = [], []
    for e in range(epochs):
        h = np.maximum(inputs @ W1 + c1, 0)
        p = soft(h @ W2 + c2)
        curve.append(-np.mean(np.sum(targets * np.log(p), axis=1)))
        q = soft(np.maximum(val_inputs @ W1 + c1, 0) @ W2 + c2)
        held.append(-np.mean(np.sum(val_targets * np.log(q), axis=1)))
        d = (p - targets) / len(targets)
        dh = (d @ W2.T) * (h > 0)
        s2 = mu * s2 + lr * (h.T @ d)
        t2 = mu * t2 + lr * d.sum(axis=0)
        s1 = mu * s1 + lr * (inputs.T @ dh)
        t1 = mu * t1 + lr * dh.sum(axis=0)
        W2 -= s2
        c2 -= t2
        W1 -= s1
        c1 -= t1
    return W1, c1, W2, c2, curve, held
"""
NESTEROV = (
    ("        W2 -= s2\n", "        W2 -= (1 + mu) * s2 - mu * o2\n"),
    ("        c2 -= t2\n", "        c2 -= (1 + mu) * t2 - mu * r2\n"),
    ("        W1 -= s1\n", "        W1 -= (1 + mu) * s1 - mu * o1\n"),
    ("        c1 -= t1\n", "        c1 -= (1 + mu) * t1 - mu * r1\n"),
    ("        s2 = mu", "        o1, o2, r1, r2 = s1, s2, t1, t2\n        s2 = mu"),
    ("np.full(W1.shape, 1e-3), np.full(c1.shape, 1e-3)", "0 * W1, 0 * c1"),
    ("np.full(W2.shape, 1e-3), np.full(c2.shape, 1e-3)", "0 * W2, 0 * c2"),
)
TORCHS = (
    ("s2 = mu * s2 + lr * (h.T @ d)", "s2 = mu * s2 + h.T @ d"),
    ("t2 = mu * t2 + lr * d.sum(axis=0)", "t2 = mu * t2 + d.sum(axis=0)"),
    ("s1 = mu * s1 + lr * (inputs.T @ dh)", "s1 = mu * s1 + inputs.T @ dh"),
    ("t1 = mu * t1 + lr * dh.sum(axis=0)", "t1 = mu * t1 + dh.sum(axis=0)"),
    ("W2 -= s2", "W2 -= lr * s2"), ("c2 -= t2", "c2 -= lr * t2"),
    ("W1 -= s1", "W1 -= lr * s1"), ("c1 -= t1", "c1 -= lr * t1"),
    ("np.full(W1.shape, 1e-3), np.full(c1.shape, 1e-3)", "0 * W1, 0 * c1"),
    ("np.full(W2.shape, 1e-3), np.full(c2.shape, 1e-3)", "0 * W2, 0 * c2"),
)  # fmt: skip


@pytest.mark.parametrize("pairs", [(), NESTEROV, TORCHS])
def test_a_training_with_momentum_agrees(
    pairs: tuple[tuple[str, str], ...], tmp_path: Path
) -> None:
    result = judged(tmp_path, MOMENTUM, *pairs)
    assert result.exit_code == 0, result.sentence


WRONG = {
    "a gradient that is one per cent too large": ("(h.T @ d)", "(1.01 * h.T @ d)"),
    "a term that is missing": ("(inputs.T @ dh)", "(inputs[1:].T @ dh[1:])"),
    "a mask that is missing": (" * (h > 0)", ""),
    "a sum beside a mean": ("/ len(targets)", ""),
    "a velocity without the share of one": ("t1 = mu * t1", "t1 = 0.8 * t1"),
    "the velocity of another": ("c1 -= t1", "c1 -= t1 + 1e-4"),
    "a step up": ("W2 -= s2", "W2 += s2"),
    "a step without its velocity": ("W1 -= s1", "W1 -= lr * (inputs.T @ dh)"),
    "targets that nobody trains on": ("d = (p - targets)", "d = (p - val_targets)"),
    "rows that nobody trains on": ("d = (p - targets)", "d = (q - val_targets)"),
    "weights that are stepped before": (
        "        dh = (d @ W2.T) * (h > 0)\n        s2 = mu * s2 + lr * (h.T @ d)\n",
        "        s2 = mu * s2 + lr * (h.T @ d)\n        dh = (d @ (W2 - s2).T) * (h > 0)\n"),
}  # fmt: skip


@pytest.mark.parametrize("kind", WRONG)
def test_a_wrong_training_with_momentum_is_not_called_right(kind: str, tmp_path: Path) -> None:
    assert judged(tmp_path, MOMENTUM, WRONG[kind]).exit_code != 0


AT_REST = (
    ("np.full(W1.shape, 1e-3), np.full(c1.shape, 1e-3)", "0 * W1, 0 * c1"),
    ("np.full(W2.shape, 1e-3), np.full(c2.shape, 1e-3)", "0 * W2, 0 * c2"),
)


@pytest.mark.parametrize("begun", [(), AT_REST], ids=["moving", "at rest"])
def test_weights_that_are_stepped_too_early_are_named_whatever_their_velocity_begins_with(
    begun: tuple[tuple[str, str], ...], tmp_path: Path
) -> None:
    result = judged(tmp_path, MOMENTUM, WRONG["weights that are stepped before"], *begun)
    (named,) = result.diagnosis
    assert named.mistake == "weights-stepped-too-early"
    assert "by 0.2 times their gradient" in named.sentence


def test_a_slip_of_nesterovs_form_is_not_called_right(tmp_path: Path) -> None:
    slip = ("o1, o2, r1, r2 = s1, s2, t1, t2\n", "o1, o2, r1, r2 = s1, s2, t1, 0 * t2\n")
    assert judged(tmp_path, MOMENTUM, *NESTEROV, slip).exit_code != 0
