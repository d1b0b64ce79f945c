"""An update inside a training loop is taken out and judged; what cannot be read is never green."""

from __future__ import annotations

from pathlib import Path

import pytest

from compare.contracts.result import Verdict
from compare.examine.starter.loop_steps import loop_steps
from compare.examine.starter.source import open_source
from compare.examine.starter.starter import check_starter
from compare.examine.starter.starter_result import starter_result

HEAD = """import numpy as np


def grads(W1, b1, W2, b2, X, T):
    H = np.maximum(X @ W1 + b1, 0)
    S = H @ W2 + b2
    P = np.exp(S - S.max(1, keepdims=True))
    P /= P.sum(1, keepdims=True)
    D = (P - T) / X.shape[0]
    E = (D @ W2.T) * (H > 0)
    return X.T @ E, E.sum(0), H.T @ D, D.sum(0)


def train(W1, b1, W2, b2, X, T, lr, mom):
    v1 = v2 = v3 = v4 = 0
    for epoch in range(9):
        g1, g2, g3, g4 = grads(W1, b1, W2, b2, X, T)
"""


def loop(*lines: str) -> str:
    """Return a file with a training loop."""
    return HEAD + "".join(f"        {line}\n" for line in lines) + "    return W1\n"


def steps(tmp_path: Path, *lines: str) -> tuple[list[tuple[Verdict, str]], list[str]]:
    """Return what is said of the updates of a loop."""
    path = tmp_path / "mine.py"
    path.write_text(loop(*lines), "utf-8")
    said = loop_steps(open_source(path), set())
    return [(one.verdict, f"{one.name}: {one.sentence}") for one in said.found], list(said.notes)


RIGHT = {
    "plain": ("W1 -= lr * g1", "b1 = b1 - lr * g2"),
    "velocity": ("v1 = mom * v1 + lr * g1", "W1 = W1 - v1"),
    "buffer": ("v1 = mom * v1 + g1", "W1 -= lr * v1"),
    "negative velocity": ("v1 = mom * v1 - lr * g1", "W1 += v1"),
    "in place": ("v1 *= mom", "v1 += lr * g1", "W1 -= v1"),
    "numbers written in": ("v1 = 0.9 * v1 + 0.01 * g1", "W1 = W1 - v1"),
    "running average": ("v1 = mom * v1 + (1 - mom) * g1", "W1 -= lr * v1"),
    "decay": ("W1 -= lr * (g1 + lam * W1)",),
    "one after the other": ("g = g1", "W1 -= lr * g", "g = g2", "b1 -= lr * g"),
}


@pytest.mark.parametrize("lines", RIGHT.values(), ids=RIGHT)
def test_a_right_update_is_a_note(tmp_path: Path, lines: tuple[str, ...]) -> None:
    found, notes = steps(tmp_path, *lines)
    assert found == [] and len(notes) == 1 and "W1" in notes[0] and "in train" in notes[0]


WRONG = {
    "up the gradient": (("W1 = W1 + lr * g1",), "a step up the gradient"),
    "one of four": (("v4 = mom * v4 + g4", "b2 = b2 + lr * v4"), "up the gradient"),
    "the weight for the gradient": (("v1 = mom * v1 + lr * W1", "W1 = W1 - v1"), "in place of its"),
    "velocity reset": (("v1 = 0", "v1 = mom * v1 + lr * g1", "W1 -= v1"), "is not carried on"),
    "rate twice": (("v1 = mom * v1 + lr * g1", "W1 -= lr * v1"), "the learning rate twice"),
    "copied": (("W1 -= lr * g1", "W2 -= lr * g1"), "it takes g1, as the update of W1 does"),
}


@pytest.mark.parametrize(("lines", "words"), WRONG.values(), ids=WRONG)
def test_a_wrong_update_disagrees_with_its_line(
    tmp_path: Path, lines: tuple[str, ...], words: str
) -> None:
    (verdict, said), *_ = steps(tmp_path, *lines)[0]
    assert verdict is Verdict.DISAGREES and words in said and "in train" in said


UNREAD = {
    "a call": ("W1 -= adam(g1)",),
    "two gradients": ("W1 -= lr * (g1 + g3)",),
    "no known method": ("W1 -= lr * g1 ** 3",),
}


@pytest.mark.parametrize("lines", UNREAD.values(), ids=UNREAD)
def test_an_update_that_cannot_be_read_is_undecidable(
    tmp_path: Path, lines: tuple[str, ...]
) -> None:
    (verdict, said), *_ = steps(tmp_path, *lines)[0]
    assert verdict is Verdict.UNDECIDABLE and "the update of W1 in train" in said
    assert "step(parameters, gradients, state" in said


@pytest.mark.parametrize(
    ("line", "verdicts"),
    [
        ("self.W1 -= self.lr * self.dW1", []),
        ("self.W1 += self.lr * self.dW1", [Verdict.DISAGREES]),
        ("self.weights[k] -= self.lr * grads[k]", []),
        ("self.weights[k] = self.weights[k] + self.lr * grads[k]", [Verdict.DISAGREES]),
        ("self.W1 = self.optimiser(self.W1, self.dW1)", []),
    ],
)
def test_the_update_of_a_class_is_judged_like_that_of_a_loop(
    tmp_path: Path, line: str, verdicts: list[Verdict]
) -> None:
    path = tmp_path / "net.py"
    path.write_text(f"class Net:\n    def step(self, grads, k):\n        {line}\n", "utf-8")
    found = loop_steps(open_source(path), {"Net"}).found
    assert [one.verdict for one in found] == verdicts
    assert all("in Net.step" in one.name for one in found)


@pytest.mark.parametrize(("line", "code"), [("W1 -= lr * g1", 0), ("W1 += lr * g1", 1)])
def test_a_file_is_green_only_if_its_updates_are(tmp_path: Path, line: str, code: int) -> None:
    path = tmp_path / "mine.py"
    path.write_text(loop(line), "utf-8")
    result = starter_result(check_starter(path))
    assert result.exit_code == code
    assert code == 0 or "the update of W1 in train" in result.sentence


def of_file(tmp_path: Path, *lines: str) -> list[Verdict]:
    """What is found in functions of a file; empty where all is right."""
    path = tmp_path / "mine.py"
    path.write_text("import numpy as np\n" + "\n".join(lines) + "\n", "utf-8")
    updates = loop_steps(open_source(path), set())
    assert updates.found or updates.right
    return [one.verdict for one in updates.found]


ONE_LINE = {
    "returned": ("def step(W, dW, lr): W = W - lr * dW; return W",),
    "under a branch": ("def step(W, dW, lr):", "    if True: W = W - lr * dW; return W"),
    "listed": ("def step(params, grads, lr):", "    new = []",
               "    for w, g in zip(params, grads):", "        w = w - lr * g; new.append(w)",
               "    return new"),
}  # fmt: skip


@pytest.mark.parametrize("lines", ONE_LINE.values(), ids=ONE_LINE)
def test_a_weight_may_be_read_in_the_line_that_gives_it(
    tmp_path: Path, lines: tuple[str, ...]
) -> None:
    assert of_file(tmp_path, *lines) == []


def test_a_weight_that_is_read_only_before_it_is_given_is_kept_nowhere(tmp_path: Path) -> None:
    lost = "def step(W, dW, lr): old = W; W = W - lr * dW"
    assert of_file(tmp_path, lost) == [Verdict.DISAGREES]


ADAM = (
    "def adam(W, dW, m, v, t, lr=0.001, beta1=0.9, beta2=0.999, eps=1e-8):",
    "    m = beta1 * m + (1 - beta1) * dW",
    "    v = beta2 * v + (1 - beta2) * dW ** 2",
    "    W = W - lr * (m / (1 - beta1 ** t)) / (np.sqrt(v / (1 - beta2 ** t)) + eps)",
    "    return W, m, v",
)


def test_of_two_coefficients_the_squares_have_the_second(tmp_path: Path) -> None:
    assert of_file(tmp_path, *ADAM) == []
    squares = [ADAM[0], ADAM[1], ADAM[2].replace("beta2", "beta1"), *ADAM[3:]]
    assert of_file(tmp_path, *squares) != []
    both = [ADAM[0], *(line.replace("beta2", "beta1") for line in ADAM[1:])]
    assert of_file(tmp_path, *both) == [Verdict.UNDECIDABLE]
