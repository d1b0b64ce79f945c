"""The slope at p and softmax's Jacobian as two functions: two factors of the chain rule."""

from __future__ import annotations

from pathlib import Path

import pytest

from compare.contracts.result import Verdict
from tests.hand_ins import checked, of_wrong_twin

PARTS = """import numpy as np
def softmax(z):
    e = np.exp(z - z.max(1, keepdims=True))
    return e / e.sum(1, keepdims=True)
def ce_loss_grad(probs, targets):
    return -(targets / probs) / len(probs)
def softmax_grad(dprobs, probs):
    out = np.empty_like(probs)
    for i, (q, d) in enumerate(zip(probs, dprobs)):
        out[i] = (np.diag(q) - np.outer(q, q)) @ d
    return out
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("old", "new", "blamed"),
    [
        ("(np.diag(q) - np.outer(q, q)) @ d", "q * (1 - q) * d", "softmax_grad"),
        ("return -(targets", "return (targets", "ce_loss_grad"),
    ],
)
def test_each_factor_is_judged_as_one(tmp_path: Path, old: str, new: str, blamed: str) -> None:
    """Both are right; a wrong one is accused, and the other is not."""
    result = of_wrong_twin(tmp_path, PARTS, old, new)
    assert [one.parameter for one in result.findings] == [blamed], result.sentence


@pytest.mark.slow
def test_an_unknown_second_factor_does_not_accuse_the_first(tmp_path: Path) -> None:
    """What is no Jacobian, and no mistake that is known, is undecided alone."""
    result = checked(tmp_path, PARTS.replace("- np.outer(q, q)", "+ np.outer(q, q)"))
    assert result.verdict is Verdict.UNDECIDABLE
    assert [one.split(":")[0] for one in result.not_compared] == ["softmax_grad"]


@pytest.mark.slow
def test_a_slope_at_p_without_a_softmax_behind_it_is_none_at_the_logits(tmp_path: Path) -> None:
    """Alone it is what the catalogue says."""
    result = checked(tmp_path, PARTS.partition("def softmax_grad")[0])
    assert result.verdict is Verdict.DISAGREES
    assert [one.mistake for one in result.diagnosis] == ["gradient-at-probabilities"]
