"""Weights in one vector, or with their biases in a column of ones, are found and put back."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from compare.contracts.result import Verdict
from compare.examine.starter.binding import weights_of
from compare.examine.starter.networks import point
from compare.examine.starter.readings import UNEQUAL
from compare.examine.starter.unrolled import Unrolled, taken_apart
from tests.hand_ins import checked, of_wrong_twin

NAMES = weights_of(2)
FORMS = [
    Unrolled(NAMES), Unrolled(NAMES, order="F"), Unrolled(("w1", "w2", "b1", "b2")),
    Unrolled(NAMES, with_ones=True), Unrolled(NAMES, with_ones=True, order="F"),
    Unrolled(NAMES, lying=("w1",)), Unrolled(NAMES, with_ones=True, last=True, lying=("w1", "w2")),
]  # fmt: skip


@pytest.mark.parametrize("transposed", [False, True])
@pytest.mark.parametrize("form", FORMS)
def test_what_is_put_into_a_vector_is_found_in_it(form: Unrolled, transposed: bool) -> None:
    weights = point(UNEQUAL, 0)[0]
    kept = {name: one.T if transposed else one for name, one in weights.items()}
    _, found = taken_apart((0.5, form(kept.__getitem__)), [form], weights, transposed)
    for name, array in weights.items():
        back = found[f"d{name}"]
        assert np.array_equal(back if back.shape == array.shape else back.T, array)


def test_a_matrix_with_its_biases_in_front_is_taken_apart_alone() -> None:
    weights = point(UNEQUAL, 0)[0]
    form = Unrolled(("w2", "b2"), with_ones=True, only=True)
    theta = form(weights.__getitem__)
    assert np.array_equal(theta[:, 1:], weights["w2"].T)
    found = taken_apart({"theta2": theta, "x": np.ones(3)}, [form], weights, False)
    assert np.array_equal(found["theta2"]["db2"], weights["b2"])
    assert np.array_equal(found["x"], np.ones(3))


COURSE = """
import numpy as np
def sigmoid(z):
    return 1 / (1 + np.exp(-z))
def sigmoidGradient(z):
    return sigmoid(z) * (1 - sigmoid(z))
def nnCostFunction(nn_params, input_layer_size, hidden_layer_size, num_labels, X, labels, lambda_):
    cut = hidden_layer_size * (input_layer_size + 1)
    Theta1 = nn_params[:cut].reshape(hidden_layer_size, input_layer_size + 1, order="F")
    Theta2 = nn_params[cut:].reshape(num_labels, hidden_layer_size + 1, order="F")
    m = X.shape[0]
    a1 = np.hstack([np.ones((m, 1)), X])
    z2 = a1 @ Theta1.T
    a2 = np.hstack([np.ones((m, 1)), sigmoid(z2)])
    a3 = sigmoid(a2 @ Theta2.T)
    Y = np.eye(num_labels)[labels - 1]
    J = -np.sum(Y * np.log(a3) + (1 - Y) * np.log(1 - a3)) / m
    J += lambda_ / (2 * m) * (np.sum(Theta1[:, 1:] ** 2) + np.sum(Theta2[:, 1:] ** 2))
    d3 = a3 - Y
    d2 = (d3 @ Theta2)[:, 1:] * sigmoidGradient(z2)
    Theta1_grad, Theta2_grad = d2.T @ a1 / m, d3.T @ a2 / m
    Theta1_grad[:, 1:] += lambda_ / m * Theta1[:, 1:]
    Theta2_grad[:, 1:] += lambda_ / m * Theta2[:, 1:]
    return J, np.r_[Theta1_grad.ravel(order="F"), Theta2_grad.ravel(order="F")]
"""


@pytest.mark.slow
def test_the_course_in_which_theta_is_one_vector_is_compared(tmp_path: Path) -> None:
    """Theta is read column by column, and the classes are numbered from 1."""
    wrong = of_wrong_twin(tmp_path, COURSE, "lambda_ / m * Theta2[:", "lambda_ * Theta2[:")
    assert wrong.diagnosis[0].mistake == "penalty-not-averaged-in-gradient"


MATRICES = """
import numpy as np
def softmax(z):
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)
def backprop(X, y, Theta1, Theta2):
    a1 = np.insert(X, 0, 1, axis=1)
    h = np.tanh(a1 @ Theta1.T)
    a2 = np.insert(h, 0, 1, axis=1)
    p = softmax(a2 @ Theta2.T)
    delta3 = (p - y) / len(X)
    delta2 = delta3 @ Theta2[:, 1:] * (1 - h**2)
    return -np.mean(np.sum(y * np.log(p), axis=1)), delta2.T @ a1, delta3.T @ a2
"""


def test_two_matrices_with_their_biases_in_front_are_compared(tmp_path: Path) -> None:
    assert checked(tmp_path, MATRICES).verdict is Verdict.AGREES


VECTOR = """
import numpy as np
def objective(theta, X, Y, h):
    d, k = X.shape[1], Y.shape[1]
    v1, b1, v2, b2 = np.split(theta, np.cumsum([d * h, h, h * k]))
    W1, W2 = v1.reshape(h, d).T, v2.reshape(h, k)
    a = np.tanh(X @ W1 + b1)
    e = np.exp(a @ W2 + b2)
    p = e / e.sum(axis=1, keepdims=True)
    r = (p - Y) / len(X)
    s = r @ W2.T * (1 - a**2)
    f = -np.sum(Y * np.log(p)) / len(X)
    return f, np.concatenate([(X.T @ s).T.ravel(), s.sum(0), (a.T @ r).ravel(), r.sum(0)])
"""


def test_a_vector_with_one_weight_transposed_is_compared(tmp_path: Path) -> None:
    assert checked(tmp_path, VECTOR).verdict is Verdict.AGREES


@pytest.mark.slow
def test_a_vector_in_a_form_that_is_not_known_accuses_nobody(tmp_path: Path) -> None:
    """The same, read backwards: no number of it is a network's, which tells of the reading."""
    other = VECTOR.replace("np.split(theta", "np.split(theta[::-1]").replace(
        "ravel()", "ravel()[::-1]"
    )
    assert checked(tmp_path, other).verdict is Verdict.UNDECIDABLE


CLASS = """
import numpy as np
class TwoLayer:
    def __init__(self, d, h, k):
        self.W1 = np.random.randn(d + 1, h) * 0.1
        self.W2 = np.random.randn(h + 1, k) * 0.1
    def forward(self, X):
        one = np.ones((len(X), 1))
        self.X = np.hstack([X, one])
        self.Z1 = self.X @ self.W1
        self.A1 = np.hstack([np.maximum(0, self.Z1), one])
        e = np.exp(self.A1 @ self.W2)
        self.P = e / e.sum(1, keepdims=True)
        return self.P
    def loss(self, Y):
        return -np.sum(Y * np.log(self.P)) / len(Y)
    def backward(self, Y):
        dZ2 = (self.P - Y) / len(Y)
        self.dW2 = self.A1.T @ dZ2
        dZ1 = (dZ2 @ self.W2.T)[:, :-1] * (self.Z1 > 0)
        self.dW1 = self.X.T @ dZ1
"""


@pytest.mark.slow
def test_a_class_whose_weights_have_their_biases_behind_is_compared(tmp_path: Path) -> None:
    wrong = of_wrong_twin(tmp_path, CLASS, " * (self.Z1 > 0)", "")
    assert wrong.diagnosis[0].mistake == "mask-missing"


@pytest.mark.slow
def test_a_class_whose_weights_have_their_biases_in_front_is_compared(tmp_path: Path) -> None:
    front = CLASS.replace("[X, one]", "[one, X]").replace("(0, self.Z1), one]", "(0, self.Z1)]")
    front = front.replace("[np.max", "[one, np.max").replace("[:, :-1]", "[:, 1:]")
    assert checked(tmp_path, front).verdict is Verdict.AGREES


STACKED = """
import numpy as np
def with_bias(a):
    return np.column_stack([a, np.ones(len(a))])
def predict(x, W1, W2):
    h = np.tanh(with_bias(x) @ W1)
    e = np.exp(with_bias(h) @ W2)
    return h, e / e.sum(axis=1, keepdims=True)
def cost(p, y):
    return -np.mean(np.sum(y * np.log(p), axis=1))
def gradients(x, y, W1, W2):
    h, p = predict(x, W1, W2)
    dz2 = (p - y) / len(x)
    dz1 = (dz2 @ W2[:-1].T) * (1 - h ** 2)
    return with_bias(x).T @ dz1, with_bias(h).T @ dz2
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("old", "new", "mistake"),
    [
        ("return with_bias(x).T @ dz1", "return with_bias(2 * x).T @ dz1", ""),
        ("* (1 - h ** 2)", "* (1 - h)", ""),
        ("(p - y)", "(y - p)", "target-minus-prediction"),
    ],
)
def test_functions_of_two_matrices_with_their_biases_below_are_compared(
    tmp_path: Path, old: str, new: str, mistake: str
) -> None:
    """Which of several forms is meant is known when all weights have it."""
    result = of_wrong_twin(tmp_path, STACKED, old, new)
    assert not mistake or [one.mistake for one in result.diagnosis] == [mistake]
