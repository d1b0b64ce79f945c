"""A layer in no network that could be compared is held against its own forward pass."""

from __future__ import annotations

from pathlib import Path

import pytest

from compare.contracts.result import Verdict
from compare.examine.starter.starter import check_starter
from compare.examine.starter.starter_result import starter_result

NORM = """\
import numpy as np

class LayerNorm:
    def __init__(self, dim, eps=1e-5):
        self.eps, self.gamma, self.beta = eps, np.ones(dim), np.zeros(dim)
        self.grad_gamma = self.grad_beta = None

    def forward(self, x):
        self.inv_std = 1.0 / np.sqrt(x.var(axis=-1, keepdims=True) + self.eps)
        self.x_hat = (x - x.mean(axis=-1, keepdims=True)) * self.inv_std
        return self.gamma * self.x_hat + self.beta

    def backward(self, grad_out):
        self.grad_gamma = (grad_out * self.x_hat).sum(axis=0)
        self.grad_beta = grad_out.sum(axis=0)
        g = grad_out * self.gamma
        mean, along = (one.mean(axis=-1, keepdims=True) for one in (g, g * self.x_hat))
        return self.inv_std * (g - mean - self.x_hat * along)
"""
CONV = """\
import numpy as np

class Conv2D:
    def __init__(self, in_channels, out_channels, kernel_size):
        self.weight = np.random.randn(out_channels, in_channels, kernel_size, kernel_size)
        self.bias = np.zeros(out_channels)

    def forward(self, x):
        self.x, k = x, self.weight.shape[2]
        n, _, h, w = x.shape
        out = np.zeros((n, len(self.bias), h - k + 1, w - k + 1))
        for i in range(h - k + 1):
            for j in range(w - k + 1):
                out[:, :, i, j] = np.einsum("nchw,fchw->nf", x[:, :, i:i+k, j:j+k], self.weight)
        return out + self.bias[None, :, None, None]

    def backward(self, dout):
        k, dx = self.weight.shape[2], np.zeros_like(self.x)
        self.dweight = np.zeros_like(self.weight)
        self.dbias = dout.sum(axis=(0, 2, 3))
        for i in range(dout.shape[2]):
            for j in range(dout.shape[3]):
                d = dout[:, :, i, j]
                self.dweight += np.einsum("nf,nchw->fchw", d, self.x[:, :, i:i+k, j:j+k])
                dx[:, :, i:i+k, j:j+k] += np.einsum("nf,fchw->nchw", d, self.weight)
        return dx
"""
DROPOUT = """\
import numpy as np

class Dropout:
    def __init__(self, p=0.5):
        self.p = p

    def forward(self, x, training=True):
        self.mask = (np.random.rand(*x.shape) >= self.p) / (1 - self.p)
        return x * self.mask

    def backward(self, dout):
        return dout * self.mask
"""
PENALISED = """\
import numpy as np

class Gate:
    def __init__(self, dim):
        self.scale, self.decay = np.ones(dim), 0.3

    def forward(self, x):
        self.x = x
        return self.scale * x

    def backward(self, dy):
        self.dscale = (dy * self.x).sum(axis=0) + 0.3 * self.scale
        return dy * self.scale
"""
AVERAGED = PENALISED.replace(".sum(axis=0) + 0.3 * self.scale", ".mean(axis=0)")
TRAINED = (
    NORM
    + """
def train(layer, x, t, lr):
    y = layer.forward(x)
    layer.backward(2 * (y - t))
    layer.gamma = layer.gamma - lr * layer.grad_gamma
"""
)


STEP = """\
import numpy as np

def rnn_step_forward(x, prev_h, Wx, Wh, b):
    h = np.tanh(x @ Wx + prev_h @ Wh + b)
    return h, (x, prev_h, Wx, Wh, h)

def rnn_step_backward(dnext_h, cache):
    x, prev_h, Wx, Wh, h = cache
    da = dnext_h * (1 - h ** 2)
    return da @ Wx.T, da @ Wh.T, x.T @ da, prev_h.T @ da, da.sum(axis=0)
"""
POOL = """\
import numpy as np

def pool_forward(x, pool_param):
    size, s = pool_param["pool_height"], pool_param["stride"]
    n, c, h, w = x.shape
    out = np.zeros((n, c, h - size + 1, w - size + 1))
    for i in range(h - size + 1):
        for j in range(w - size + 1):
            out[:, :, i, j] = x[:, :, i:i+size, j:j+size].mean(axis=(2, 3))
    return out, (x, pool_param)

def pool_backward(dout, cache):
    x, pool_param = cache
    size, dx = pool_param["pool_height"], np.zeros_like(x)
    for i in range(dout.shape[2]):
        for j in range(dout.shape[3]):
            dx[:, :, i:i+size, j:j+size] += dout[:, :, i, j][:, :, None, None] / size ** 2
    return dx
"""


def verdict(folder: Path, text: str) -> tuple[Verdict, str]:
    """The verdict on a file and its sentence."""
    (folder / "layer.py").write_text(text)
    result = starter_result(check_starter(folder / "layer.py"))
    return result.verdict, result.sentence


@pytest.mark.parametrize("text", [NORM, CONV], ids=["normalisation", "convolution"])
def test_a_right_layer_agrees_with_the_slopes_of_its_own_forward_pass(
    tmp_path: Path, text: str
) -> None:
    found, sentence = verdict(tmp_path, text)
    assert found is Verdict.AGREES and sentence.endswith("the slopes of its own forward pass")


@pytest.mark.parametrize(
    ("text", "line", "slip", "name"),
    [
        (NORM, "(grad_out * self.x_hat).sum(axis=0)", "grad_out.sum(axis=0)", "gamma"),
        (NORM, "(g - mean - self", "(g - self", "x"),
        (CONV, "self.x[:, :, i:i+k, j:j+k])", "self.x[:, ::-1, i:i+k, j:j+k])", "weight"),
    ],
)
def test_of_a_wrong_layer_the_gradient_that_is_wrong_is_named(
    tmp_path: Path, text: str, line: str, slip: str, name: str
) -> None:
    assert line in text
    found, sentence = verdict(tmp_path, text.replace(line, slip))
    assert found is Verdict.DISAGREES and f"those of {name} are not" in sentence


def test_a_layer_that_draws_is_drawn_alike(tmp_path: Path) -> None:
    assert verdict(tmp_path, DROPOUT)[0] is Verdict.AGREES


def test_a_mean_over_rows_beside_a_sum_is_a_mistake(tmp_path: Path) -> None:
    text = CONV.replace("dout.sum(axis=(0, 2, 3))", "dout.sum(axis=(0, 2, 3)) / len(dout)")
    found, sentence = verdict(tmp_path, text)
    assert found is Verdict.DISAGREES and "those of bias are not" in sentence


@pytest.mark.parametrize("text", [PENALISED, AVERAGED], ids=["a penalty", "a mean over rows"])
def test_nobody_is_accused_of_what_may_be_meant(tmp_path: Path, text: str) -> None:
    assert verdict(tmp_path, text)[0] is Verdict.UNDECIDABLE


def test_a_layer_without_any_right_gradient_is_handed_something_else(tmp_path: Path) -> None:
    softmax = (
        "class Softmax:\n    def forward(self, z):\n        e = np.exp(z)\n"
        "        return e / e.sum(axis=1, keepdims=True)\n\n"
        "    def backward(self, dz):\n        return dz\n"
    )
    assert verdict(tmp_path, f"import numpy as np\n\n{softmax}")[0] is Verdict.UNDECIDABLE


def test_a_right_layer_in_a_training_that_nobody_followed_is_undecided(tmp_path: Path) -> None:
    found, sentence = verdict(tmp_path, TRAINED)
    assert found is Verdict.UNDECIDABLE and "LayerNorm" in sentence


def test_a_wrong_layer_in_such_a_training_is_wrong(tmp_path: Path) -> None:
    text = TRAINED.replace("(grad_out * self.x_hat).sum(axis=0)", "grad_out.sum(axis=0)")
    assert verdict(tmp_path, text)[0] is Verdict.DISAGREES


@pytest.mark.parametrize("text", [STEP, POOL], ids=["a step of a recurrent network", "pooling"])
def test_two_functions_are_one_layer(tmp_path: Path, text: str) -> None:
    found, sentence = verdict(tmp_path, text)
    assert found is Verdict.AGREES and sentence.endswith("the slopes of its own forward pass")


def test_of_two_functions_the_wrong_gradient_is_named(tmp_path: Path) -> None:
    found, sentence = verdict(tmp_path, STEP.replace("prev_h.T @ da", "h.T @ da"))
    assert found is Verdict.DISAGREES and "those of Wh are not" in sentence
