"""The embedded data set: the UCI handwritten digits, which need no network and no path.

1,797 images 8x8 of 10 classes, values 0 to 16, here divided by 16. The split is 80 / 10 / 10
per cent (1,437 / 180 / 180) of the same shuffle as any other file's; every class is in every
split. `digits.txt` beside the file tells where it comes from.
"""

from __future__ import annotations

from pathlib import Path

from compare.data.dataset import DataSet, Split
from compare.data.features import as_rows
from compare.data.labels import as_numbers, count_classes
from compare.data.npz import read_npz
from compare.data.raw import Raw
from compare.data.splitting import cut

SIZES = (1_437, 180, 180)
SOURCE = (
    "Optical Recognition of Handwritten Digits, E. Alpaydin and C. Kaynak (1998), UCI Machine"
    " Learning Repository, https://doi.org/10.24432/C50P49, CC BY 4.0"
)


def load_digits() -> DataSet:
    """Return the embedded digits: F = 64, K = 10."""
    [pair] = read_npz(Path(__file__).with_name("digits.npz"))
    labels = as_numbers(pair.labels)
    x = as_rows(Raw(pair.images.values / 16, pair.images.where))  # (N, 64)
    classes = count_classes(labels, pair.labels.where)
    return DataSet("digits", SOURCE, classes, *cut(Split(x, labels), SIZES))
