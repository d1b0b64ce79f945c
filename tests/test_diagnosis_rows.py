"""What shows only in batches longer than a chunk is named by what it does there, or not at all."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from compare import Verdict, check

pytestmark = pytest.mark.slow

Array = NDArray[Any]
Given = tuple[Mapping[str, Array], Array, Array]
Answer = tuple[float, dict[str, Array]]


def sums(parameters: Mapping[str, Array], x: Array, targets: Array) -> Answer:
    """Loss and gradients added up over the rows, with a log that knows no guard."""
    w1, b1, w2, b2 = (parameters[name] for name in ("w1", "b1", "w2", "b2"))
    z1 = x @ w1 + b1
    h1 = np.maximum(z1, 0)
    logits = h1 @ w2 + b2
    e = np.exp(logits - logits.max(axis=1, keepdims=True))
    p = e / e.sum(axis=1, keepdims=True)
    dlogits = p - targets
    dz1 = dlogits @ w2.T * (z1 > 0)
    gradients = {"w1": x.T @ dz1, "b1": dz1.sum(axis=0)}
    gradients |= {"w2": h1.T @ dlogits, "b2": dlogits.sum(axis=0)}
    return -float(np.sum(targets * np.log(p))), gradients


def chunks(size: int, end: int = 0) -> Callable[..., list[Answer]]:
    """The chunks of a batch, each with its own sums; those that begin `end` rows from its end on
    are left out."""

    def made(parameters: Mapping[str, Array], x: Array, targets: Array) -> list[Answer]:
        starts = range(0, len(x) - end, size)
        return [sums(parameters, x[s : s + size], targets[s : s + size]) for s in starts]

    return made


def added(parts: list[Answer], rows: int, parameters: Mapping[str, Array]) -> Answer:
    loss = sum(part[0] for part in parts) / rows
    gradients = {
        name: sum((part[1][name] for part in parts), np.zeros_like(array)) / rows
        for name, array in parameters.items()
    }
    return float(loss), gradients


def right(parameters: Mapping[str, Array], x: Array, targets: Array) -> Answer:
    return added(chunks(8)(parameters, x, targets), len(x), parameters)


def overwritten(parameters: Mapping[str, Array], x: Array, targets: Array) -> Answer:
    parts = chunks(8)(parameters, x, targets)
    loss, _ = added(parts, len(x), parameters)
    return loss, added(parts[-1:], len(x), parameters)[1]


def one_row_lost(parameters: Mapping[str, Array], x: Array, targets: Array) -> Answer:
    loss, _ = right(parameters, x, targets)
    keep = np.arange(len(x)) != 13
    return loss, added([sums(parameters, x[keep], targets[keep])], len(x), parameters)[1]


def last_chunk_dropped(parameters: Mapping[str, Array], x: Array, targets: Array) -> Answer:
    return added(chunks(8, end=8)(parameters, x, targets), len(x), parameters)


def test_chunks_that_are_added_up_are_right() -> None:
    assert check(right).verdict is Verdict.AGREES


@pytest.mark.parametrize(
    ("manual", "mistake"),
    [
        (overwritten, "only-last-chunk-of-gradient"),
        (one_row_lost, "sample-left-out-of-gradient"),
    ],
)
def test_what_no_short_batch_shows_is_named_and_no_logarithm_of_zero(
    manual: Callable[..., Answer], mistake: str
) -> None:
    assert [one.mistake for one in check(manual).diagnosis] == [mistake]


def test_zeros_in_short_batches_are_no_pair_of_mistakes() -> None:
    result = check(last_chunk_dropped)
    assert result.verdict is Verdict.DISAGREES and not result.diagnosis
    assert "1 of 17 rows have no effect on loss and gradients: 16" in result.sentence
