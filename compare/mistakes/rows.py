"""Family: which samples and classes take part, and in which order."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np

from compare.mistakes.fits import Among
from compare.mistakes.lines import DW_LINE, ERROR_LINE, TERMS_LINE
from compare.mistakes.mistake import NetworkMistake
from compare.mistakes.places import Numbering, arriving_from, left_from, shift, single
from compare.textbook import RIGHT, Pair, Pass, Point
from compare.textbook.pair import Float

FAMILY = "rows and classes"

Keep = Callable[[Pass, float], Float]


EVERY = 64
"""Up to this many samples each one is tried; of more only the ends, and where chunks end."""
CHUNKS = (8, 10, 16, 20, 25, 32, 50, 64, 100, 128, 200, 250, 256, 500, 512, 1000)


def rows(point: Point) -> Iterable[float]:
    """Return the number of every sample, or of the first and last few."""
    n = len(point.targets)
    return range(n) if n <= EVERY else (0, 1, n - 2, n - 1)


def later_rows(point: Point) -> Iterable[float]:
    """Return the number of every sample but the first, or where the last chunk begins."""
    n = len(point.targets)
    if n <= EVERY:
        return range(1, n)
    return sorted({1, n - 1, *(n - n % size for size in CHUNKS if n % size)})


def classes(point: Point) -> Iterable[float]:
    """Return the number of every class."""
    return range(point.targets.shape[1])


def all_but_row(net: Pass, c: float) -> Float:
    """Return (N, 1): 0 for sample c, else 1."""
    kept: Float = (np.arange(net.rows) != c).astype(np.float64)[:, None]
    return kept


def first_rows(net: Pass, c: float) -> Float:
    """Return (N, 1): 1 for the samples before c, else 0."""
    kept: Float = (np.arange(net.rows) < c).astype(np.float64)[:, None]
    return kept


def last_rows(net: Pass, c: float) -> Float:
    """Return (N, 1): 1 for the samples from c on, else 0."""
    kept: Float = (np.arange(net.rows) >= c).astype(np.float64)[:, None]
    return kept


def all_but_class(net: Pass, c: float) -> Float:
    """Return (1, K): 0 for class c, else 1."""
    kept: Float = (np.arange(net.classes) != c).astype(np.float64)[None, :]
    return kept


def keeping(stage: str, keep: Keep) -> Callable[[Pass, int, float], Pair]:
    """Return `stage` with everything set to zero that `keep` does not keep."""
    return lambda net, i, c: RIGHT[stage](net, i) * keep(net, c)


def rolled(net: Pass, _: int, c: float) -> Pair:
    """Return the targets, each row in the place of the one c rows further."""
    return RIGHT["y"](net, 0).arranged(lambda y: np.roll(y, int(c), axis=0))


def number_of_rows(point: Point) -> int:
    """Return N."""
    return len(point.targets)


def number_of_classes(point: Point) -> int:
    """Return K."""
    return int(point.targets.shape[1])


def left_out(
    name: str,
    what: str,
    keep: Keep,
    mask: str,
    values: Callable[[Point], Iterable[float]],
    numbering: Numbering,
) -> tuple[NetworkMistake, NetworkMistake]:
    """Return the mistakes of leaving something out of the gradient, and of loss and gradient."""
    in_gradient = NetworkMistake(
        name=f"{name}-of-gradient",
        family=FAMILY,
        sentence=f"{what} left out of the gradient; the loss is over all.",
        right="dlogits = (p - y) / N over all samples and classes",
        wrong="dlogits = 0 there",
        line=ERROR_LINE,
        slip=f"error = (p - y) * {mask}",
        stages={"error": keeping("error", keep)},
        fit=Among(values, varies=True),
        example=3,
        numbering=numbering,
    )
    in_both = NetworkMistake(
        name=name,
        family=FAMILY,
        sentence=f"{what} left out of loss and gradient.",
        right="sums over all samples and classes",
        wrong="loss and dlogits without them",
        line=ERROR_LINE,
        slip=f"error = (p - y) * {mask}",
        more=((TERMS_LINE, f"terms = -y * log_p * {mask}"),),
        stages={"error": keeping("error", keep), "terms": keeping("terms", keep)},
        fit=Among(values, varies=True),
        example=3,
        numbering=numbering,
    )
    return in_gradient, in_both


ORDER = (
    NetworkMistake(
        name="targets-shifted",
        family=FAMILY,
        sentence="The targets belong to other samples: their rows are shifted by {constant} "
        "(+1: each row has the targets of the one before).",
        right="y_n belongs to x_n",
        wrong="y_{n - c} is used for x_n",
        line=TERMS_LINE,
        slip="y = np.roll(y, {c:.0f}, axis=0)\n    terms = -y * log_p",
        stages={"y": rolled},
        fit=Among(later_rows, varies=True),
        example=3,
        numbering=Numbering(number_of_rows, shift),
        trigger="targets that differ",
    ),
    NetworkMistake(
        name="targets-reversed",
        family=FAMILY,
        sentence="The targets are in reverse order.",
        right="y_n belongs to x_n",
        wrong="y_{N - 1 - n} is used for x_n",
        line=TERMS_LINE,
        slip="y = y[::-1]\n    terms = -y * log_p",
        stages={"y": lambda net, _: RIGHT["y"](net, 0)[::-1]},
        trigger="targets that differ",
    ),
    NetworkMistake(
        name="rows-reversed-in-weight-gradient",
        family=FAMILY,
        sentence="The weight gradient pairs inputs and errors of different samples: one of the two "
        "is in reverse order.",
        right="dw = sum_n h_n dz_n",
        wrong="dw = sum_n h_{N - 1 - n} dz_n",
        line=DW_LINE,
        slip="dw[i] = h[i - 1][::-1].T @ dz[i]",
        stages={"dw": lambda net, i: net.h(i - 1)[::-1].T @ net.dz(i)},
    ),
    NetworkMistake(
        name="rows-shifted-in-weight-gradient",
        family=FAMILY,
        sentence="The weight gradient pairs inputs and errors of different samples: the inputs "
        "are shifted by {constant} against the errors (+1: each stands in the row of the next).",
        right="dw = sum_n h_n dz_n",
        wrong="dw = sum_n h_{n - c} dz_n",
        line=DW_LINE,
        slip="dw[i] = np.roll(h[i - 1], {c:.0f}, axis=0).T @ dz[i]",
        stages={
            "dw": lambda net, i, c: (
                net.h(i - 1).arranged(lambda h: np.roll(h, int(c), axis=0)).T @ net.dz(i)
            )
        },
        fit=Among(later_rows, varies=True),
        example=3,
        numbering=Numbering(number_of_rows, shift),
    ),
)

ROWS = (
    *left_out(
        "sample-left-out",
        "{constant}",
        all_but_row,
        "(np.arange(N) != {c:.0f})[:, None]",
        rows,
        Numbering(number_of_rows, single("sample")),
    ),
    *left_out(
        "last-chunk-left-out",
        "{constant}",
        first_rows,
        "(np.arange(N) < {c:.0f})[:, None]",
        later_rows,
        Numbering(number_of_rows, left_from),
    ),
    *left_out(
        "only-last-chunk",
        "{constant}, as when each chunk overwrites the one before (= for +=): the others are",
        last_rows,
        "(np.arange(N) >= {c:.0f})[:, None]",
        later_rows,
        Numbering(number_of_rows, arriving_from),
    ),
    *left_out(
        "class-left-out",
        "{constant}",
        all_but_class,
        "(np.arange(K) != {c:.0f})",
        classes,
        Numbering(number_of_classes, single("class")),
    ),
    *ORDER,
)
