"""What was compared of a class or function as a network is shown gradient by gradient."""

from __future__ import annotations

from pathlib import Path

import pytest

from compare.report import page, words
from compare.report.index import functions
from compare.report.report_json import plain
from compare.report.terminal import tensors, terminal_text
from tests.hand_ins import checked, of_wrong_twin

NET = """import numpy as np

class Net:
    def __init__(self, n_in, n_hidden, n_out):
        self.W1 = np.random.randn(n_in, n_hidden) * 0.1
        self.b1 = np.zeros(n_hidden)
        self.W2 = np.random.randn(n_hidden, n_out) * 0.1
        self.b2 = np.zeros(n_out)

    def forward(self, X):
        self.X = X
        self.z = X @ self.W1 + self.b1
        self.h = np.maximum(0, self.z)
        s = self.h @ self.W2 + self.b2
        e = np.exp(s - s.max(axis=1, keepdims=True))
        self.p = e / e.sum(axis=1, keepdims=True)
        return self.p

    def backward(self, Y):
        d = (self.p - Y) / len(Y)
        self.grad_hidden_out = self.h.T @ d
        self.db2 = d.sum(axis=0)
        dz = (d @ self.W2.T) * (self.z > 0)
        self.dW1 = self.X.T @ dz
        self.db1 = dz.sum(axis=0)
        return {"W1": self.dW1, "b1": self.db1, "W2": self.grad_hidden_out, "b2": self.db2}
"""
MASK = " * (self.z > 0)"


@pytest.mark.slow
def test_every_gradient_of_a_class_has_a_row_and_the_one_quoted_is_the_one_shown(
    tmp_path: Path,
) -> None:
    wrong = of_wrong_twin(tmp_path, NET, MASK, "")
    assert [name.partition(" (")[0] for name in wrong.worst] == [
        f"{one} of Net" for one in ("dw1", "db1", "dw2", "db2")
    ]  # it shows no loss
    ratios = {name.split()[0]: worst.ratio for name, worst in wrong.worst.items()}
    assert ratios["dw1"] > 1 and ratios["db1"] > 1 and ratios["dw2"] < 1 and ratios["db2"] < 1
    (finding,) = wrong.findings
    assert words.about(wrong, finding) == f"dw1{words.where(finding.index)} of Net"
    assert f"dw1{words.where(finding.index)} = {finding.manual:.17g}" in finding.message
    text = page.render(wrong)
    assert f"<strong>dw1{words.where(finding.index)} of Net</strong>" in text
    table = wrong.worst["dw1 of Net"]
    two = table.index != finding.index
    assert ("Two entries: the table shows the largest error of all points" in text) == two
    assert tensors(wrong.worst) == wrong.worst and "dw1 of Net" in terminal_text(wrong)


@pytest.mark.slow
def test_a_class_is_counted_as_a_class_and_a_function_as_a_function(tmp_path: Path) -> None:
    assert checked(tmp_path, NET).sentence.endswith("between 1 class and torch")
    relu = "\ndef relu(z):\n    return np.maximum(z, 0)\n"
    assert "between 1 function, 1 class and torch" in checked(tmp_path, NET + relu).sentence


@pytest.mark.slow
def test_the_function_at_fault_is_still_the_class(tmp_path: Path) -> None:
    wrong = of_wrong_twin(tmp_path, NET, MASK, "")
    assert wrong.findings[0].parameter == "Net"
    assert functions({"settings": wrong.settings, "findings": plain(wrong.findings)}) == ["Net"]


@pytest.mark.slow
def test_the_file_s_own_name_stands_beside_one_that_says_something_else(tmp_path: Path) -> None:
    own = NET.replace("self.dW1", "self.grad_W1")
    named = [name for name in checked(tmp_path, own).worst if "(" in name]
    assert named == ["dw1 of Net (self.grad_W1)"]
    assert not [name for name in checked(tmp_path, NET).worst if "(" in name]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("self.X = X", False),  # it draws its weights only
        ("self.X = X; np.random.rand()", True),
    ],
)
def test_a_class_that_draws_its_weights_only_is_not_said_to_move_a_generator(
    tmp_path: Path, line: str, said: bool
) -> None:
    (check,) = checked(tmp_path, NET.replace("self.X = X", line)).checks
    assert ("global random state" in check.sentence) == said
