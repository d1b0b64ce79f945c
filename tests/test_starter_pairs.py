"""A forward and a backward pass as two functions are the layer whose numbers the first gives."""

from __future__ import annotations

from pathlib import Path

import pytest

from compare.contracts.result import Verdict
from compare.examine.starter.construct import builders
from compare.examine.starter.function_verdict import FunctionVerdict
from compare.examine.starter.pair_check import pair_checked
from compare.examine.starter.source import open_source
from compare.guard.guard import Guard

TEXT = """import numpy as np
def dense_fwd(inp, kernel, offset):
    return np.einsum("ni,ih->nh", inp, kernel) + offset, {"i": inp, "k": kernel}
def dense_bwd(up, memo):
    to_inp = np.einsum("nh,ih->ni", up, memo["k"])
    to_kernel = np.einsum("ni,nh->ih", memo["i"], up)
    return {"inp": to_inp, "kernel": to_kernel, "offset": up.sum(0)}
def squash_fwd(v):
    out = np.tanh(v)
    return out, out
def squash_bwd(up, out):
    return up * (1 - out * out)
def ln_forward(x, scale, shift, eps=1e-5):
    mean, var = x.mean(1, keepdims=True), x.var(1, keepdims=True)
    hat = (x - mean) / np.sqrt(var + eps)
    return scale * hat + shift, (hat, scale, np.sqrt(var + eps))
def ln_backward(d, kept):
    hat, scale, root = kept
    dhat = d * scale
    n = d.shape[1]
    dx = (n * dhat - dhat.sum(1, keepdims=True) - hat * (dhat * hat).sum(1, keepdims=True))
    return dx / (n * root), (d * hat).sum(0), d.sum(0)
def drop_forward(a, conf):
    keep = np.random.rand(*a.shape) < conf["keep_prob"]
    return a * keep / conf["keep_prob"], (keep, conf)
def drop_backward(d, kept):
    keep, conf = kept
    return d * keep / conf["keep_prob"]
def ahead(x, w, b):
    z = x @ w + b
    return np.maximum(z, 0), x, w, z
def grad_of_layer(d, x, w, z):
    d = d * (z > 0)
    return d @ w.T, x.T @ d, d.sum(0)
"""
WRONG = {
    "dense_bwd": [("up.sum(0)", "up.mean(0)"), ('memo["i"], up)', 'up @ memo["k"].T, up)')],
    "squash_bwd": [("1 - out * out", "1 - out"), ("1 - out * out", "out * out - 1")],
    "ln_backward": [("(dhat * hat).sum(1", "dhat.sum(1"), ("dhat = d * scale", "dhat = d")],
    "drop_backward": [
        ('return d * keep / conf["keep_prob"]', "return d * keep"),
        ("return d * keep /", "return d /"),
    ],
}  # fmt: skip


def said(folder: Path, text: str, name: str) -> FunctionVerdict:
    """What is said of one function of a text that was not compared otherwise."""
    path = folder / "mine.py"
    path.write_text(text, "utf-8")
    source = open_source(path, guard=Guard(timeout=20.0))
    return pair_checked(source, FunctionVerdict(name, "gradient", None, Verdict.UNDECIDABLE, ""))


@pytest.mark.parametrize("name", [*WRONG, "grad_of_layer"])
def test_a_right_pair_agrees_whatever_it_is_called(name: str, tmp_path: Path) -> None:
    assert said(tmp_path, TEXT, name).verdict is Verdict.AGREES


@pytest.mark.parametrize(
    ("name", "old", "new"), [(name, *pair) for name, pairs in WRONG.items() for pair in pairs]
)
def test_a_wrong_backward_pass_of_a_right_forward_pass_disagrees(
    name: str, old: str, new: str, tmp_path: Path
) -> None:
    assert old in TEXT
    found = said(tmp_path, TEXT.replace(old, new), name)
    assert found.verdict is Verdict.DISAGREES
    assert "is right" in found.sentence


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("dense_bwd", "inp, kernel) + offset", "inp, kernel)"),
        ("grad_of_layer", "x.T @ d, d.sum(0)", "x.T @ d / len(d), d.mean(0)"),
        ("grad_of_layer", "d * (z > 0)", "d * (z < 0)"),
    ],
)
def test_nobody_is_accused_of_another_layer_or_a_gradient_over_the_rows(
    name: str, old: str, new: str, tmp_path: Path
) -> None:
    """Nor beside a forward pass that only may be its own."""
    assert said(tmp_path, TEXT.replace(old, new), name).verdict is Verdict.UNDECIDABLE


def test_hidden_units_may_be_wanted_as_a_list() -> None:
    """`FullyConnectedNet([100, 50], input_dim=..., num_classes=...)`."""

    class Net:
        def __init__(self, hidden_dims: list[int], input_dim: int = 3072, num_classes: int = 10):
            self.sizes = [input_dim, *hidden_dims, num_classes]

    made = []
    for build in builders(Net):
        try:
            made.append(build((7, 5, 4, 3), {}).sizes)
        except TypeError:
            continue
    assert [7, 5, 4, 3] in made
