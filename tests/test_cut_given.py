"""Loose cells of a notebook, without functions or loops: data and first weights are handed over,
what is computed from them is compared.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from compare.examine.starter.starter import check_starter
from tests.test_cut import notebook

pytestmark = pytest.mark.slow

SCALED = (
    "import numpy as np\n%matplotlib inline",
    "data = np.loadtxt('digits.csv', delimiter=',')\nX = data[:, :64] / 16\n"
    "y = data[:, 64].astype(int)\nY = np.eye(10)[y]\nN, D = X.shape\nH = 32",
    "rng = np.random.default_rng(1)\nW1 = rng.normal(0, 0.1, (D, H))\nb1 = np.zeros(H)\n"
    "W2 = rng.normal(0, 0.1, (H, 10))\nb2 = np.zeros(10)\nlr = 0.5",
    "z1 = X @ W1 + b1\na1 = np.maximum(0, z1)\nz2 = a1 @ W2 + b2",
    "e = np.exp(z2 - z2.max(axis=1, keepdims=True))\np = e / e.sum(axis=1, keepdims=True)\n"
    "loss = -np.mean(np.sum(Y * np.log(p), axis=1))\nprint(loss)",
    "dz2 = (p - Y) / N\ndW2 = a1.T @ dz2\ndb2 = dz2.sum(axis=0)\n"
    "dz1 = dz2 @ W2.T * (z1 > 0)\ndW1 = X.T @ dz1\ndb1 = dz1.sum(axis=0)",
    "W1 -= lr * dW1\nb1 -= lr * db1\nW2 -= lr * dW2\nb2 -= lr * db2",
)
MARKED = (
    "import numpy as np\nimport pandas as pd",
    "df = pd.read_csv('train.csv')\npixels = df.drop('label', axis=1).values\n"
    "labels = df['label'].values\nX = (pixels - pixels.mean()) / 255.0\nn = X.shape[0]\nK = 10\n"
    "Y = np.zeros((n, K))\nY[np.arange(n), labels] = 1",
    "W1 = np.random.normal(0, 0.1, (X.shape[1], 25))\nb1 = np.zeros((1, 25))\n"
    "W2 = np.random.normal(0, 0.1, (25, K))\nb2 = np.zeros((1, K))",
    *SCALED[3:5],
    SCALED[5].replace("N", "n"),
)
"""The labels are marked in rows of zeros."""


def judged(tmp_path: Path, cells: tuple[str, ...]) -> tuple[str, list[str]]:
    """The verdict on the only thing in the cells, and the mistakes."""
    file = tmp_path / "mine.ipynb"
    file.write_text(notebook(*cells))
    (one,) = check_starter(file, declared={"activation": "relu"}).functions
    return one.verdict, [found.mistake for found in one.diagnosis]


@pytest.mark.parametrize("cells", [SCALED, MARKED])
def test_right_cells_agree(tmp_path: Path, cells: tuple[str, ...]) -> None:
    assert judged(tmp_path, cells) == ("agrees", [])


@pytest.mark.parametrize("cells", [SCALED, MARKED])
def test_a_mistake_in_cells_is_named(tmp_path: Path, cells: tuple[str, ...]) -> None:
    wrong = tuple(cell.replace(" * (z1 > 0)", "") for cell in cells)
    assert judged(tmp_path, wrong) == ("disagrees", ["mask-missing"])


def test_what_a_loop_sets_anew_is_no_first_weight(tmp_path: Path) -> None:
    """The bias is 0 again in each turn: what is taken off it is lost, and that is not agreed to."""
    setting, rest = SCALED[2].replace("b1 = np.zeros(H)\n", ""), "\n".join(SCALED[3:])
    loop = "\n    ".join(["for epoch in range(100):", "b1 = np.zeros(H)", *rest.split("\n")])
    assert judged(tmp_path, (*SCALED[:2], setting, loop))[0] != "agrees"


def test_cells_and_then_a_loop_of_the_same_are_one_training(tmp_path: Path) -> None:
    assert judged(tmp_path, (*SCALED, again("db1 = dz1.sum(axis=0)"))) == ("agrees", [])


def test_a_loop_that_does_more_than_the_cells_is_not_excused_by_them(tmp_path: Path) -> None:
    file = tmp_path / "mine.ipynb"
    more = again("db1 = dz1.sum(axis=0)\ndb1 = db1 * 2")
    file.write_text(notebook(*SCALED, more))
    found = check_starter(file, declared={"activation": "relu"}).functions
    assert {one.verdict for one in found} != {"agrees"}


def again(line: str) -> str:
    """The cells in a loop, with the last of the gradients in these words."""
    body = "\n".join(SCALED[3:]).replace("db1 = dz1.sum(axis=0)", line)
    return "for epoch in range(100):\n    " + body.replace("\n", "\n    ")
