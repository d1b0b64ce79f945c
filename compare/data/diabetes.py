"""The embedded regression data: diabetes after a year, a number for each of 442 patients.

Inputs and targets are brought to mean 0 and variance 1 over all rows, so that the usual learning
rates serve. The split is 60 / 20 / 20 per cent (266 / 88 / 88) of the same shuffle as any other
file's. `diabetes.txt` beside the file tells where it comes from.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from compare.contracts.arrays import Float
from compare.data.dataset import DataSet, Split
from compare.data.splitting import cut, split_sizes

SOURCE = (
    "B. Efron, T. Hastie, I. Johnstone and R. Tibshirani (2004), Least Angle Regression, Annals of"
    " Statistics 32, 407-499, https://www4.stat.ncsu.edu/~boos/var.select/diabetes.html"
)


def load_diabetes() -> DataSet:
    """Return the embedded diabetes data: F = 10, one output, numbers as targets."""
    with np.load(Path(__file__).with_name("diabetes.npz"), allow_pickle=False) as file:
        x = standardised(file["inputs"])  # (442, 10)
        y = standardised(file["targets"].astype(np.float64)[:, None])  # (442, 1)
    nothing = np.zeros(len(x), np.int64)
    parts = cut(Split(x, nothing, y), split_sizes(len(x), "diabetes"))
    return DataSet("diabetes", SOURCE, 1, *parts)


def standardised(columns: Float) -> Float:
    """Every column less its mean, divided by its standard deviation."""
    found: Float = (columns - columns.mean(axis=0)) / columns.std(axis=0)
    return found
