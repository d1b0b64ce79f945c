"""One file keeps its weights in one way, and a gradient has the shape of its weights."""

from __future__ import annotations

from pathlib import Path

import pytest

from compare.contracts.result import Verdict
from compare.examine.starter.function_verdict import FunctionVerdict
from compare.examine.starter.starter import check_starter

pytestmark = pytest.mark.slow

FUNCTIONS = """
import numpy

def propagate(inputs, w_hidden, b_hidden, w_out, b_out):
    pre = numpy.dot(inputs, w_hidden) + b_hidden
    act = numpy.tanh(pre)
    scores = numpy.dot(act, w_out) + b_out
    e = numpy.exp(scores - numpy.max(scores, axis=1, keepdims=True))
    return pre, act, e / numpy.sum(e, axis=1, keepdims=True)

def backward(inputs, targets, hidden, probs, w_out):
    err_out = (probs - targets) / inputs.shape[0]
    err_hidden = numpy.dot(err_out, w_out.T) * (1.0 - hidden * hidden)
    d_w_out = numpy.dot(hidden.T, err_out)
    d_b_out = numpy.sum(err_out, axis=0)
    d_w_hidden = numpy.dot(inputs.T, err_hidden)
    d_b_hidden = numpy.sum(err_hidden, axis=0)
    return d_w_hidden, d_b_hidden, d_w_out, d_b_out
"""
COLUMNS = """
import numpy as np

def feed(x, Wh, bh, Wo, bo):
    zh = Wh @ x + bh
    h = np.maximum(zh, 0.0)
    e = np.exp(Wo @ h + bo)
    return zh, h, e / e.sum(axis=0)

def backward(x, y, zh, h, p, Wo):
    delta_o = (p - y) / x.shape[1]
    delta_h = (Wo.T @ delta_o) * (zh > 0)
    dbo = delta_o.sum(1, keepdims=True)
    return delta_h @ x.T, delta_h.sum(1, keepdims=True), delta_o @ h.T, dbo
"""
UNTURNED = ("numpy.dot(err_out, w_out.T)", "numpy.dot(err_out, w_out)")
CALLED_TURNED = "\n\ndef call(a, t, h, p, w_out):\n    return backward(a, t, h, p, w_out.T)\n"
CLASS = """
import numpy as np

class Net:
    def __init__(self, n_in, n_hidden, n_out):
        rng = np.random.default_rng(3)
        self.W1, self.b1 = rng.standard_normal((n_in, n_hidden)), np.zeros(n_hidden)
        self.W2, self.b2 = rng.standard_normal((n_hidden, n_out)), np.zeros(n_out)

    def forward(self, X):
        self.X, self.z = X, X.dot(self.W1) + self.b1
        self.h = self.z * (self.z > 0)
        s = np.exp(self.h.dot(self.W2) + self.b2)
        self.p = s / s.sum(1, keepdims=True)
        return self.p

    def loss(self, Y):
        return -(Y * np.log(self.p)).sum() / len(Y)

    def backward(self, Y):
        d2 = (self.p - Y) / len(Y)
        d1 = d2.dot(self.W2.T) * (self.z > 0)
        self.grad_W2, self.grad_b2 = self.h.T.dot(d2), d2.sum(0)
        self.grad_W1, self.grad_b1 = self.X.T.dot(d1), d1.sum(0)
"""


def of(path: Path, text: str, name: str, **declared: str) -> FunctionVerdict:
    """The verdict on one function or class of a file."""
    path.write_text(text, "utf-8")
    return next(one for one in check_starter(path, declared=declared).functions if one.name == name)


@pytest.mark.parametrize(
    ("text", "slips", "verdict", "mistake"),
    [
        (FUNCTIONS, [], Verdict.AGREES, ""),
        (FUNCTIONS, [UNTURNED], Verdict.DISAGREES, "backward-not-transposed"),
        (FUNCTIONS + CALLED_TURNED, [UNTURNED], Verdict.AGREES, ""),
        (FUNCTIONS.replace("+ b_", "- b_"), [UNTURNED], Verdict.AGREES, ""),
        (COLUMNS, [], Verdict.AGREES, ""),
        (COLUMNS, [("(Wo.T @ delta_o)", "(Wo @ delta_o)")], Verdict.DISAGREES, "backward-not-tr"),
    ],
)  # fmt: skip
def test_a_gradient_takes_the_weights_as_its_forward_pass_has_them(
    tmp_path: Path, text: str, slips: list[tuple[str, str]], verdict: Verdict, mistake: str
) -> None:
    for right, wrong in slips:
        assert right in text
        text = text.replace(right, wrong)
    units = "tanh" if "tanh" in text else "relu"
    said = of(tmp_path / "mine.py", text, "backward", activation=units)
    assert said.verdict is verdict, said.sentence
    assert [one.mistake.startswith(mistake) for one in said.diagnosis] == [True] * bool(mistake)


@pytest.mark.parametrize(
    ("text", "name", "right", "wrong"),
    [
        (FUNCTIONS, "backward", "dot(inputs.T, err_hidden)", "dot(err_hidden.T, inputs)"),
        (FUNCTIONS, "backward", "numpy.dot(hidden.T, err_out)", "numpy.dot(hidden.T, err_out).T"),
        (COLUMNS, "backward", "return delta_h @ x.T", "return x @ delta_h.T"),
        (CLASS, "Net", "self.X.T.dot(d1)", "d1.T.dot(self.X)"),
        (CLASS, "Net", "self.h.T.dot(d2)", "np.dot(d2.T, self.h)"),
    ],
)  # fmt: skip
def test_a_gradient_has_the_shape_of_its_weights(
    tmp_path: Path, text: str, name: str, right: str, wrong: str
) -> None:
    assert of(tmp_path / "right.py", text, name).verdict is Verdict.AGREES
    said = of(tmp_path / "wrong.py", text.replace(right, wrong), name)
    assert said.verdict is Verdict.DISAGREES, said.sentence
    assert "transposed" in said.sentence


def test_a_gradient_that_its_user_turns_back_is_right(tmp_path: Path) -> None:
    turned = CLASS.replace("self.X.T.dot(d1)", "d1.T.dot(self.X)")
    step = "\n    def step(self, rate):\n        self.W1 -= rate * self.grad_W1.T\n"
    assert of(tmp_path / "mine.py", turned + step, "Net").verdict is Verdict.AGREES


BESIDE = [
    "def predict(w, b, x):\n    return 1 if np.dot(w, x) + b > 0 else 0\n",
    "def perceptron(w1, x, b1):\n    return np.sign(w1 @ x + b1)\n",
]


@pytest.mark.parametrize("beside", BESIDE)
def test_another_model_beside_a_network_does_not_say_how_its_weights_lie(
    tmp_path: Path, beside: str
) -> None:
    head, _, backward = FUNCTIONS.partition("def backward")
    alone = "import numpy as np\nimport numpy\n" + beside + "\ndef backward" + backward
    said = of(tmp_path / "alone.py", alone, "backward", activation="tanh")
    assert said.verdict is Verdict.AGREES, said.sentence
    wrong = f"{head}import numpy as np\n{beside}\ndef backward{backward}".replace(*UNTURNED)
    said = of(tmp_path / "wrong.py", wrong, "backward", activation="tanh")
    assert said.verdict is Verdict.DISAGREES, said.sentence


BOTH = CLASS.replace("self.X.T.dot(d1)", "d1.T.dot(self.X)").replace(
    "self.h.T.dot(d2)", "d2.T.dot(self.h)"
)
"""Every gradient is the transpose of its own."""


@pytest.mark.parametrize(
    ("step", "verdict"),
    [
        ("self.W{0} -= rate * self.grad_W{0}.T", Verdict.AGREES),
        ("self.W{0} -= rate * np.swapaxes(self.grad_W{0}, 0, 1)", Verdict.AGREES),
        ("self.W{0} -= rate * np.einsum('ij->ji', self.grad_W{0})", Verdict.AGREES),
        ("self.W{0} -= rate * self.grad_W{0}.transpose(1, 0)", Verdict.AGREES),
        ("self.W{0}.T[...] -= rate * self.grad_W{0}", Verdict.AGREES),
        ("view = self.W{0}.T; view -= rate * self.grad_W{0}", Verdict.UNDECIDABLE),
        ("turn(self.W{0}, self.grad_W{0}, rate)", Verdict.UNDECIDABLE),
        ("pass", Verdict.UNDECIDABLE),
        ("self.W{0} -= rate * self.grad_W{0}", Verdict.DISAGREES),
        ("self.W{0} = self.W{0} - rate * self.grad_W{0}", Verdict.DISAGREES),
    ],
)
def test_gradients_are_transposed_where_the_file_takes_them_as_they_are(
    tmp_path: Path, step: str, verdict: Verdict
) -> None:
    lines = "".join(f"        {step.format(layer)}\n" for layer in (1, 2))
    text = f"{BOTH}\n    def step(self, rate):\n{lines}"
    said = of(tmp_path / "mine.py", text, "Net")
    assert said.verdict is verdict, said.sentence


def test_a_gradient_that_is_turned_back_excuses_itself_alone(tmp_path: Path) -> None:
    lines = "        self.W1 -= rate * self.grad_W1.T\n        self.W2 -= rate * self.grad_W2\n"
    said = of(tmp_path / "mine.py", f"{BOTH}\n    def step(self, rate):\n{lines}", "Net")
    assert said.verdict is Verdict.DISAGREES and "dw2 is transposed" in said.sentence
