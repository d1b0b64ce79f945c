"""Blocks of rows change no number of the reference, and what it keeps does not grow with N."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
import torch

import manual_mlp
import torch_reference.blocks
from manual_mlp.rows import row_blocks
from torch_reference import Criterion, Penalty, Reference, train
from torch_reference.criterion import LOSSES, REDUCTIONS

SIZES, ROWS = (4, 6, 5), 23


def batch(rows: int = ROWS) -> tuple[Any, Any, Any]:
    """Parameters, x (N, F), and one-hot targets (N, K)."""
    generator = np.random.default_rng(0)
    parameters = manual_mlp.initial_parameters(SIZES, generator)
    x = generator.normal(size=(rows, SIZES[0]))
    return parameters, x, np.eye(SIZES[-1])[generator.integers(0, SIZES[-1], rows)]


@contextmanager
def blocks_of(rows: int) -> Iterator[None]:
    """So many rows in a block, at most."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch_reference.blocks, "BLOCK_BYTES", 1)
        patch.setattr(torch_reference.blocks, "LEAST_ROWS", rows)
        yield


def same(blocks: Any, whole: Any) -> None:
    for one, other in zip(blocks, whole, strict=True):
        if not isinstance(other, dict):
            assert one == pytest.approx(other, rel=1e-13)
            continue
        assert list(one) == list(other)
        for name in other:
            np.testing.assert_allclose(one[name], other[name], 1e-11, 1e-15, err_msg=name)


DECLARED: list[dict[str, Any]] = [
    *({"loss": loss, "reduction": reduction} for loss in LOSSES for reduction in REDUCTIONS),
    *(
        {"class_weights": (1.0, 2, 3, 4, 0.5), "label_smoothing": 0.1, "reduction": reduction}
        | more
        for reduction in REDUCTIONS
        for more in ({}, {"ignore_index": 2})
    ),
    {"ignore_index": 2, "loss_factor": 0.3},
    {"loss": "hinge", "class_weights": (1.0, 2, 3, 4, 0.5), "loss_factor": 0.3},
]


@pytest.mark.parametrize("rows", [1, 4, 22])
@pytest.mark.parametrize("declared", DECLARED, ids=str)
def test_blocks_add_up_to_what_torch_finds_for_all_rows(
    declared: dict[str, Any], rows: int
) -> None:
    reference = Reference(SIZES, criterion=Criterion(**declared), penalty=Penalty(0.1, 0.02))
    whole = reference.loss_and_gradients(*batch(), intermediates=True)
    evaluated = reference.evaluate(*batch(), intermediates=True)
    with blocks_of(rows):
        assert len(reference.row_blocks(ROWS)) > 1
        same(reference.loss_and_gradients(*batch(), intermediates=True), whole)
        same(reference.evaluate(*batch(), intermediates=True), evaluated)


def test_a_block_of_ignored_rows_adds_nothing() -> None:
    parameters, x, _ = batch(6)
    targets = np.eye(5)[[2, 2, 2, 0, 1, 2]]
    reference = Reference(SIZES, criterion=Criterion(ignore_index=2))
    whole = reference.loss_and_gradients(parameters, x, targets)
    with blocks_of(3):
        same(reference.loss_and_gradients(parameters, x, targets), whole)


@pytest.mark.parametrize("size", [ROWS, 9])
def test_a_run_by_blocks_is_the_run(size: int) -> None:
    parameters, x, targets = batch()
    order = [np.split(np.arange(ROWS), range(size, ROWS, size))] * 3
    reference = Reference(SIZES, penalty=Penalty(l2=0.1))

    def run() -> list[Any]:
        return list(
            train(
                reference, parameters, None, (x, targets), batch(11)[1:], order,
                learning_rate=0.1, momentum=0.9,
            )
        )  # fmt: skip

    whole = run()
    with blocks_of(4):
        for one, other in zip(run(), whole, strict=True):
            same([one.loss, one.gradients], [other.loss, other.gradients])
            assert (one.evaluation is None) == (other.evaluation is None)
            if one.evaluation and other.evaluation:
                names = type(one.evaluation).__dataclass_fields__
                found, due = (
                    [getattr(record.evaluation, name) for name in names] for record in (one, other)
                )
                assert found == pytest.approx(due, rel=1e-13)


def test_both_sides_cut_a_batch_into_the_same_blocks() -> None:
    for sizes in ((784, 1000, 10), (2, 9000), (64, 32, 100)):
        for dtype in (np.float32, np.float64):
            generator = np.random.default_rng(0)
            parameters = manual_mlp.initial_parameters(sizes, generator, dtype=np.dtype(dtype))
            reference = Reference(sizes, dtype=dtype)
            for rows in (0, 1, 512, 513, 1437, 40_000):
                assert reference.row_blocks(rows) == row_blocks(rows, parameters)


def test_what_autograd_keeps_does_not_grow_with_the_rows() -> None:
    kept: list[int] = []

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        kept.append(tensor.numel())
        return tensor

    reference = Reference(SIZES)
    with blocks_of(10), torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        reference.loss_and_gradients(*batch(1000))
    assert max(kept) <= 10 * max(SIZES)


def test_the_criterion_is_copied_once_for_all_blocks_and_calls() -> None:
    reference = Reference(SIZES)
    with blocks_of(4), patch.object(Criterion, "summed", autospec=True) as summed:
        summed.side_effect = lambda criterion: criterion
        for _ in range(3):
            reference.loss_and_gradients(*batch())
    assert summed.call_count == 1
