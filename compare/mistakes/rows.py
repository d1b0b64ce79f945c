"""Family: which samples and classes take part, and in which order."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

from compare.mistakes.conditions import averaged
from compare.mistakes.fits import Among
from compare.mistakes.mistake import NetworkMistake
from compare.mistakes.places import Numbering, arriving_from, left_from, shift, single
from compare.textbook import Point

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


def chunk_begins(point: Point) -> Iterable[float]:
    """Return the same, and 0: a batch that is no longer than a chunk has one that is the last."""
    return (0, *later_rows(point))


def classes(point: Point) -> Iterable[float]:
    """Return the number of every class."""
    return range(point.targets.shape[1])


def number_of_rows(point: Point) -> int:
    """Return N."""
    return len(point.targets)


def number_of_classes(point: Point) -> int:
    """Return K."""
    return int(point.targets.shape[1])


def left_out(
    name: str,
    title: str,
    what: str,
    mask: str,
    values: Callable[[Point], Iterable[float]],
    numbering: Numbering,
) -> tuple[NetworkMistake, NetworkMistake]:
    """Return the mistakes of leaving something out of the gradient, and of loss and gradient."""
    in_gradient = NetworkMistake(
        f"{name}-of-gradient",
        f"{title} left out of the gradient",
        f"{what} left out of the gradient; the loss is over all.",
        f"error = (p - y) * {mask}",
        fit=Among(values, varies=True),
        example=3,
        numbering=numbering,
    )
    in_both = replace(
        in_gradient,
        name=name,
        title=f"{title} left out of loss and gradient",
        sentence=f"{what} left out of loss and gradient.",
        slip=f"terms = -y * log_p * {mask}\nerror = (p - y) * {mask}",
    )
    return in_gradient, in_both


ORDER = (
    NetworkMistake(
        "targets-shifted",
        "targets that belong to other samples",
        "The targets belong to other samples: their rows are shifted by {constant} (+1: each "
        "row has the targets of the one before).",
        "y = np.roll(y, c, axis=0)\nterms = -y * log_p",
        fit=Among(later_rows, varies=True),
        example=3,
        numbering=Numbering(number_of_rows, shift),
        trigger="targets that differ",
    ),
    NetworkMistake(
        "targets-reversed",
        "targets in reverse order",
        "The targets are in reverse order.",
        "y = y[::-1]\nterms = -y * log_p",
        trigger="targets that differ",
    ),
    NetworkMistake(
        "classes-shifted",
        "targets of the neighbouring class",
        "The columns of the targets are shifted by {constant:+.0f}: classes are counted from 1 on "
        "one side and from 0 on the other.",
        "y = np.roll(y, c, axis=1)\nterms = -y * log_p",
        fit=Among(lambda point: (1, -1)),
        example=1,
        paired=False,
    ),
    NetworkMistake(
        "targets-of-first-row",
        "the targets of the first sample for all",
        "Every sample is compared with the targets of the first.",
        "y = np.ones_like(y) * y[0]\nterms = -y * log_p",
        trigger="targets that differ",
        paired=False,
    ),
    NetworkMistake(
        "rows-reversed-in-weight-gradient",
        "a weight gradient that pairs samples in reverse order",
        "The weight gradient pairs inputs and errors of different samples: one of the two is "
        "in reverse order.",
        "dw[i] = h[i - 1][::-1].T @ dz[i]",
    ),
    NetworkMistake(
        "rows-shifted-in-weight-gradient",
        "a weight gradient that pairs shifted samples",
        "The weight gradient pairs inputs and errors of different samples: the inputs are "
        "shifted by {constant} against the errors (+1: each stands in the row of the next).",
        "dw[i] = np.roll(h[i - 1], c, axis=0).T @ dz[i]",
        fit=Among(later_rows, varies=True),
        example=3,
        numbering=Numbering(number_of_rows, shift),
    ),
)

TARGETS_LEFT = (
    NetworkMistake(
        "class-without-target",
        "a class whose target is not taken off",
        "{constant} left without its target in the gradient: p stands there where p - y belongs, "
        "as where a loop over the classes ends too early or begins too late.",
        "error = p - y * (np.arange(K) != c)",
        fit=Among(classes, varies=True),
        example=3,
        numbering=Numbering(number_of_classes, single("class")),
        paired=False,
    ),
    NetworkMistake(
        "sample-without-target",
        "a sample whose target is not taken off",
        "{constant} left without its target in the gradient: p stands there where p - y belongs, "
        "as where a loop over the samples ends too early or begins too late.",
        "error = p - y * (np.arange(N) != c)[:, None]",
        fit=Among(rows, varies=True),
        example=3,
        numbering=Numbering(number_of_rows, single("sample")),
        paired=False,
    ),
)

COUNTED_TWICE = (
    NetworkMistake(
        "sample-counted-twice",
        "a sample that counts twice",
        "{constant} counted twice in loss and gradient, as where batches overlap or the last one "
        "is filled up.",
        "terms = -y * log_p * (1 + (np.arange(N) == c))[:, None]\n"
        "error = (p - y) * (1 + (np.arange(N) == c))[:, None]",
        fit=Among(rows, varies=True),
        example=3,
        numbering=Numbering(number_of_rows, single("sample")),
        paired=False,
    ),
)

PARTS = (2, 3, 4, 5, 8, 10, 16, 20, 25, 32, 50, 64, 100, 128, 256)
"""Chunks that a batch is cut into; a probe has few rows."""

CHUNKED = (
    NetworkMistake(
        "mean-of-chunk-means",
        "a mean of the means of chunks of {constant:.0f} samples",
        "Loss and gradient are the mean of the means over chunks of {constant:.0f} samples: where "
        "the last chunk is shorter, its samples count for more than the others.",
        "of = np.arange(N) // c\n"
        "many = np.bincount(of)\n"
        "share = (N / (len(many) * many[of]))[:, None]\n"
        "terms = -y * log_p * share\n"
        "of = np.arange(N) // c\n"
        "many = np.bincount(of)\n"
        "share = (N / (len(many) * many[of]))[:, None]\n"
        "error = (p - y) * share",
        applies=averaged,
        fit=Among(lambda point: (c for c in PARTS if c < len(point.targets))),
        example=4,
        trigger="a batch that the chunks do not divide",
        convention=True,
        paired=False,
    ),
)

ROWS = (
    *CHUNKED,
    *left_out(
        "sample-left-out",
        "a sample",
        "{constant}",
        "(np.arange(N) != c)[:, None]",
        rows,
        Numbering(number_of_rows, single("sample")),
    ),
    *left_out(
        "last-chunk-left-out",
        "the last samples",
        "{constant}",
        "(np.arange(N) < c)[:, None]",
        later_rows,
        Numbering(number_of_rows, left_from),
    ),
    *left_out(
        "only-last-chunk",
        "all samples but the last ones",
        "{constant}, as when each chunk overwrites the one before (= for +=): the others are",
        "(np.arange(N) >= c)[:, None]",
        chunk_begins,
        Numbering(number_of_rows, arriving_from),
    ),
    *left_out(
        "class-left-out",
        "a class",
        "{constant}",
        "(np.arange(K) != c)",
        classes,
        Numbering(number_of_classes, single("class")),
    ),
    *TARGETS_LEFT,
    *COUNTED_TWICE,
    *ORDER,
)
