"""What the arguments of a loss are is read from the file's own calls where their names are silent.

The networks themselves are compared in tests/test_starter_layer_objects.py.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from compare.examine.starter.layer_classes import classes_of
from compare.examine.starter.layer_losses import costs_of
from compare.examine.starter.source import open_source

FUNCTIONS = """
def mse(a, b):
    return np.mean((a - b) ** 2)
def mse_prime(a, b):
    return 2 * (a - b) / a.size
"""
OBJECT = """
class MSE:
    def forward(self, a, b):
        self.a, self.b = a, b
        return np.mean((a - b) ** 2)
    def backward(self):
        return 2 * (self.a - self.b) / self.a.size
cost = MSE()
"""
LOOP = """
for epoch in range(10):
    y = X
    for layer in layers:
        y = layer(y)
    value = VALUE(ORDER)
    gradient = SLOPE
"""
HANDED = """
def train(layers, loss, loss_prime, X, T):
    out = predict(layers, X)
    value = loss(ORDER)
    return loss_prime(ORDER)
train(layers, mse, mse_prime, X, T)
"""
OUT, TARGETS = "self.costs[0].forward(out, y)", "self.costs[0].forward(y, out)"
BOTH = {("mse_prime(out, y)", False, True), ("mse_prime(y, out)", False, False)}


def costs(folder: Path, text: str, order: str) -> set[tuple[str, bool, bool]]:
    """The orders of what tells the sign, whether they accuse and whether they excuse."""
    path = folder / "mine.py"
    path.write_text(text.replace("ORDER", order))
    source = open_source(path)
    return {
        (one.slope if "mse" in one.slope else one.value, one.certain, one.proved)
        for one in costs_of(source, classes_of(source))
    }


@pytest.mark.parametrize(
    ("text", "out", "targets"),
    [
        (FUNCTIONS + LOOP.replace("VALUE", "mse").replace("SLOPE", "mse_prime(ORDER)"),
         "mse_prime(out, y)", "mse_prime(y, out)"),
        (FUNCTIONS + HANDED.replace("out = ", "y = "), "mse_prime(out, y)", "mse_prime(y, out)"),
        (OBJECT + LOOP.replace("VALUE", "cost.forward").replace("SLOPE", "cost.backward()"),
         OUT, TARGETS),
    ],
    ids=["functions", "handed over", "an object"],
)  # fmt: skip
def test_silent_names_mean_what_the_file_hands_over(
    text: str, out: str, targets: str, tmp_path: Path
) -> None:
    assert costs(tmp_path, text, "y, T") == {(out, True, True)}
    assert costs(tmp_path, text, "T.reshape(-1, 1), y") == {(targets, True, True)}


def test_an_order_that_no_call_shows_excuses_nobody(tmp_path: Path) -> None:
    assert costs(tmp_path, FUNCTIONS, "") == BOTH
    unread = FUNCTIONS + "value = mse(u, v)\ngradient = mse_prime(u, v)\n"
    assert {proved for _, _, proved in costs(tmp_path, unread, "")} == {False}


def test_names_that_the_calls_contradict_accuse_nobody(tmp_path: Path) -> None:
    named = FUNCTIONS.replace("(a, b)", "(y_true, y_pred)")
    assert costs(tmp_path, named, "") == {("mse_prime(y, out)", True, True)}
    other = named + HANDED.replace("T)", "y)").replace("(ORDER)", "(out, y)")
    assert costs(tmp_path, other, "") == {("mse_prime(out, y)", False, True)}
