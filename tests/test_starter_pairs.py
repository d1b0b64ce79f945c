"""A forward and a backward pass as two functions are the layer whose numbers the first gives."""

from __future__ import annotations

from pathlib import Path

import pytest

from compare.contracts.result import Verdict
from compare.examine.starter.construct import builders
from compare.examine.starter.function_verdict import FunctionVerdict
from compare.examine.starter.pair_check import pair_checked
from compare.examine.starter.source import open_source
from compare.examine.starter.starter import check_starter
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

ORDERS = {
    "sig_backward": """import numpy as np
def sig_forward(v):
    out = 1 / (1 + np.exp(-v))
    return out, out
def sig_backward(out, upstream):
    return upstream * out * (1 - out)
""",
    "slope_bwd": """import numpy as np
def slope_fwd(v):
    out = np.tanh(v)
    return out, out
def slope_bwd(s, g):
    return g * (1 - s * s)
""",
    "bn_backward": """import numpy as np
def bn_forward(x, gamma, beta):
    inv = 1 / np.sqrt(x.var(0) + 1e-5)
    hat = (x - x.mean(0)) * inv
    return gamma * hat + beta, (hat, inv, gamma)
def bn_backward(d, kept):
    hat, inv, gamma = kept
    dbeta, dgamma, dhat = d.sum(0), (d * hat).sum(0), d * gamma
    dx = inv * (dhat - dhat.mean(0) - hat * (dhat * hat).mean(0))
    return dx, dbeta, dgamma
""",
}
ORDERS["bn_backward_keys"] = (
    ORDERS["bn_backward"]
    .replace("return dx, dbeta, dgamma", 'return {"dbeta": dbeta, "dx": dx, "dgamma": dgamma}')
    .replace("def bn_backward", "def bn_backward_keys")
    .replace("def bn_forward", "def bn_forward_keys")
)
ORDERS["bn_backward_bare"] = (
    ORDERS["bn_backward"]
    .replace("return dx, dbeta, dgamma", "return dx, 1 * dbeta, 1 * dgamma")
    .replace("def bn_backward", "def bn_backward_bare")
    .replace("def bn_forward", "def bn_forward_bare")
)
ORDERS_WRONG = {
    "sig_backward": ("(1 - out)", "(1 + out)"),
    "slope_bwd": ("1 - s * s", "1 - s"),
    "bn_backward": ("return dx, dbeta, dgamma", "return dx, dbeta, dgamma * 2"),
    "bn_backward_keys": ('"dbeta": dbeta', '"dbeta": dgamma'),
    "bn_backward_bare": ("1 * dbeta", "2 * dbeta"),
}
LAYER = """import numpy as np
def layer_forward(x, w, b):
    z = x @ w + b
    return np.maximum(z, 0), (x, w, b, z)
def layer_backward(up, kept):
    x, w, b, z = kept
    up = up * (z > 0)
    return up @ w.T, x.T @ up, up.sum(0)
"""
CONVENTIONS = {
    "a penalty": ("x.T @ up,", "x.T @ up + 0.01 * w,"),
    "a penalty on all": ("x.T @ up, up.sum(0)", "x.T @ up + 0.01 * w, up.sum(0) + 0.01 * b"),
    "target less output": ("x.T @ up, up.sum(0)", "-(x.T @ up), -up.sum(0)"),
    "dy of z": ("    up = up * (z > 0)\n", ""),
}
NO_CONVENTION = {
    "a penalty of x": ("up @ w.T,", "up @ w.T + 0.01 * x,"),
    "a power": ("x.T @ up,", "x.T @ up + 0.01 * w**2,"),
    "one sign": ("x.T @ up,", "-(x.T @ up),"),
    "the wrong half": ("(z > 0)", "(z < 0)"),
}


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


@pytest.mark.parametrize("name", ORDERS)
def test_dy_may_come_last_and_gradients_in_any_order(name: str, tmp_path: Path) -> None:
    assert said(tmp_path, ORDERS[name], name).verdict is Verdict.AGREES


@pytest.mark.parametrize("name", ORDERS_WRONG)
def test_what_is_wrong_in_every_order_disagrees(name: str, tmp_path: Path) -> None:
    old, new = ORDERS_WRONG[name]
    assert old in ORDERS[name]
    assert said(tmp_path, ORDERS[name].replace(old, new), name).verdict is Verdict.DISAGREES


@pytest.mark.parametrize("case", CONVENTIONS)
def test_a_penalty_a_sign_and_another_dy_are_not_compared(case: str, tmp_path: Path) -> None:
    """And the reason is said."""
    old, new = CONVENTIONS[case]
    assert old in LAYER
    found = said(tmp_path, LAYER.replace(old, new), "layer_backward")
    assert found.verdict is Verdict.UNDECIDABLE
    assert found.sentence.startswith("not compared: ")


@pytest.mark.parametrize("case", NO_CONVENTION)
def test_what_only_looks_like_a_convention_disagrees(case: str, tmp_path: Path) -> None:
    old, new = NO_CONVENTION[case]
    assert old in LAYER
    found = said(tmp_path, LAYER.replace(old, new), "layer_backward")
    assert found.verdict is Verdict.DISAGREES


@pytest.mark.parametrize(
    ("kept", "due"), [("return out, v", Verdict.UNDECIDABLE), ("return out, out", Verdict.AGREES)]
)
def test_a_derivative_at_another_value_than_is_kept_is_not_compared(
    kept: str, due: Verdict, tmp_path: Path
) -> None:
    text = ORDERS["slope_bwd"].replace("return out, out", kept)
    assert said(tmp_path, text, "slope_bwd").verdict is due


@pytest.mark.slow
@pytest.mark.parametrize(
    ("derivative", "due"),
    [("a * (1 - a)", Verdict.UNDECIDABLE), ("a * (2 - a)", Verdict.DISAGREES)],
)
def test_what_was_accused_as_a_gradient_of_logits_is_seen_beside_its_forward_pass(
    derivative: str, due: Verdict, tmp_path: Path
) -> None:
    """`a` is no softmax's value beside a sigmoid."""
    path = tmp_path / "mine.py"
    path.write_text(
        "import numpy as np\n"
        "def sigmoid_forward(z):\n    a = 1 / (1 + np.exp(-z))\n    return a, z\n"
        f"def sigmoid_backward(a, da):\n    return da * {derivative}\n",
        "utf-8",
    )
    (found,) = (one for one in check_starter(path).functions if one.name == "sigmoid_backward")
    assert found.verdict is due


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
