"""NaN equal to NaN proves no mistake; finite numbers beside it do."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pytest

from compare.diagnosis.gradients import diagnose


def softmax(logits: Any, scale: float = 1.0) -> Any:
    p = np.exp(scale * (logits - logits.max(axis=1, keepdims=True) * (scale == 1.0)))
    return p / p.sum(axis=1, keepdims=True)


def network(parameters: Any, x: Any, targets: Any, root: bool = False, scale: float = 1.0) -> Any:
    with np.errstate(all="ignore"):
        z = x @ parameters["w1"] + parameters["b1"]
        h = np.sqrt(z) if root else np.maximum(z, 0)
        p = softmax(h @ parameters["w2"] + parameters["b2"], scale)
        d = (p - targets) / len(x)
        dz = d @ parameters["w2"].T * (z > 0)
        gradients = {"w1": x.T @ dz, "b1": dz.sum(0), "w2": h.T @ d, "b2": d.sum(0)}
        return -(targets * np.log(p)).sum() / len(x), gradients


def all_nan(parameters: Any, x: Any, targets: Any) -> Any:
    return float("nan"), {name: array * np.nan for name, array in parameters.items()}


def overwritten(parameters: Any, x: Any, targets: Any) -> Any:
    _, gradients = network(parameters, x, targets)
    return float("nan"), gradients


NOT_NAMED: dict[str, Any] = {
    "root": partial(network, root=True),
    "overflow": partial(network, scale=1e4),
    "all": all_nan,
}


@pytest.mark.parametrize("name", NOT_NAMED)
def test_what_is_nan_everywhere_is_evidence_of_no_mistake(name: str) -> None:
    assert diagnose(NOT_NAMED[name], sizes=(5, 4, 3)) == ()


def test_nan_beside_a_right_gradient_is_named_and_says_what_else_looks_so() -> None:
    (found,) = diagnose(overwritten, sizes=(5, 4, 3))
    assert found.mistake == "delta-overwrites-probabilities"
    assert "looks the same" in found.sentence


def test_the_logarithm_of_zero_is_named_where_it_makes_nan() -> None:
    names = [one.mistake for one in diagnose(network, sizes=(5, 4, 3))]
    assert names == ["log-of-zero"]
