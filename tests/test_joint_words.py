"""One term with two strengths is told as that, not as a term that either side lacks."""

from __future__ import annotations

import numpy as np
import pytest

from compare.diagnosis.gradients import diagnose
from compare.mistakes.catalogue import named
from compare.textbook import Pass, Point


@pytest.mark.parametrize(
    ("term", "words"), [("l2", "an L2 term"), ("l1", "an L1 term"), ("smoothing", "label smooth")]
)
def test_two_strengths_are_one_sentence(term: str, words: str) -> None:
    def loss_and_gradients(
        parameters: dict[str, np.ndarray], x: np.ndarray, targets: np.ndarray
    ) -> tuple[float, dict[str, np.ndarray]]:
        point = Point(parameters, x, targets)
        loss = Pass(point, named(f"{term}-in-loss-only").overrides(0.01))  # type: ignore[attr-defined]
        gradient = Pass(point, named(f"{term}-in-gradient-only").overrides(0.03))  # type: ignore[attr-defined]
        gradients = {name: gradient.named(f"d{name}").value for name in parameters}
        return float(loss.named("loss").value), gradients

    (found,) = diagnose(loss_and_gradients, sizes=(8, 6, 4))
    assert words in found.sentence and "0.01 in the loss and 0.03 in the gradient" in found.sentence
    assert "does not" not in found.sentence and words in found.title
