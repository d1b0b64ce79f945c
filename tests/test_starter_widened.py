"""A file that computes in float32 throughout is compared by its formulas, one precision up."""

from __future__ import annotations

from pathlib import Path

import pytest

from compare.contracts.result import Verdict
from tests.hand_ins import checked

NET = """
import numpy as np
FORMAT
def start(n_in, n_hidden, n_out):
    r = np.random.RandomState(0)
    return {"W1": r.randn(n_in, n_hidden).astype(SHORT), "b1": np.zeros(n_hidden, dtype=SHORT),
            "W2": r.randn(n_hidden, n_out).astype(SHORT), "b2": np.zeros(n_out, dtype=SHORT)}
def forward(weights, x):
    x = x.astype(SHORT)
    h = np.maximum(x @ weights["W1"] + weights["b1"], 0)
    z = h @ weights["W2"] + weights["b2"]
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return h, e / e.sum(axis=1, keepdims=True)
def loss(p, y):
    return -np.mean(np.sum(y * np.log(p), axis=1))
def backward(weights, x, y, h, p):
    x = x.astype(SHORT)
    dz = (p - y) / len(x)
    dh = (dz @ weights["W2"].T) * (h > 0)
    return {"W1": x.T @ dh, "b1": dh.sum(axis=0), "W2": h.T @ dz, "b2": dz.sum(axis=0)}
"""
SPELT = {
    "a name": ("dt = np.float32", "dt"),
    "an attribute": ("", "np.float32"),
    "a text": ("", "'float32'"),
}


def spelt(how: str, text: str = NET) -> str:
    named, short = SPELT[how]
    return text.replace("FORMAT", named).replace("SHORT", short)


@pytest.mark.slow
@pytest.mark.parametrize("how", SPELT)
def test_right_code_in_float32_agrees(how: str, tmp_path: Path) -> None:
    found = checked(tmp_path, spelt(how))
    assert found.verdict is Verdict.AGREES, found.sentence
    assert sum("float32 of the file was read as float64" in note for note in found.notes) == 1


@pytest.mark.slow
@pytest.mark.parametrize("how", SPELT)
def test_wrong_code_in_float32_is_named_as_in_float64(how: str, tmp_path: Path) -> None:
    found = checked(tmp_path, spelt(how, NET.replace('"b2": dz.sum', '"b2": dz.mean')))
    assert found.verdict is Verdict.DISAGREES
    assert any("mean" in one.sentence for one in found.diagnosis)


@pytest.mark.slow
def test_one_conversion_in_code_of_another_format_is_a_slip(tmp_path: Path) -> None:
    text = spelt("an attribute").replace("x = x.astype(np.float32)", "x = x.astype(np.float64)", 1)
    found = checked(tmp_path, text)
    assert found.verdict is not Verdict.AGREES, found.sentence
