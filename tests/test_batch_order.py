"""The order of the batches: one generator's numbers, drawn when asked for, in any run length."""

from __future__ import annotations

import numpy as np
import pytest

from compare.contracts.errors import BadInput
from compare.contracts.experiment import Experiment
from compare.points.batches import BatchOrder, Shares, all_of, batch_of, updates_of
from compare.points.inputs import draw_inputs

ROWS, SIZE, EPOCHS = 23, 6, 7


def order(epochs: int = EPOCHS, size: int | None = SIZE) -> BatchOrder:
    return BatchOrder(ROWS, size, epochs, np.random.default_rng(5))


def test_epochs_are_the_permutations_of_one_generator_in_any_order_of_asking() -> None:
    generator, lazy = np.random.default_rng(5), order()
    drawn = [generator.permutation(ROWS) for _ in range(EPOCHS)]
    for epoch in [*range(EPOCHS), 0, 3, EPOCHS - 1, 2, -1]:
        np.testing.assert_array_equal(np.concatenate(lazy[epoch]), drawn[epoch])
    assert [len(batch) for batch in lazy[0]] == [6, 6, 6, 5]
    assert len(lazy[2:]) == EPOCHS - 2
    np.testing.assert_array_equal(np.concatenate([*all_of(lazy, ROWS)][:-1]), np.concatenate(drawn))


def test_two_who_walk_together_see_the_same_batches() -> None:
    lazy = order()
    for one, other in zip(all_of(lazy, ROWS), all_of(lazy, ROWS), strict=True):
        np.testing.assert_array_equal(one, other)


def test_an_update_is_found_by_its_number() -> None:
    lazy = order()
    every = [batch for epoch in lazy for batch in epoch]
    assert updates_of(lazy) == len(every) == 28
    for update, batch in enumerate(every):
        np.testing.assert_array_equal(batch_of(lazy, update), batch)
    assert batch_of(lazy, len(every)) is None and batch_of(order(0), 0) is None
    assert updates_of(order(0)) == 0


@pytest.mark.parametrize("size", [None, SIZE])
def test_the_longest_run_begins_at_once(size: int | None) -> None:
    wanted = Experiment(epochs=2**31 - 1, batch_size=size, hidden=(3,))
    endless = draw_inputs(wanted).order
    assert len(endless) == 2**31 - 1
    np.testing.assert_array_equal(endless[0][0], draw_inputs(wanted).order[0][0])


def test_a_share_is_what_a_rank_holds_of_every_batch() -> None:
    lazy, mine = order(), slice(5, 12)
    shared = Shares(lazy, mine)
    for epoch in range(EPOCHS):
        for here, batch in zip(shared[epoch], lazy[epoch], strict=True):
            np.testing.assert_array_equal(here + 5, [row for row in batch if 5 <= row < 12])


def test_a_batch_larger_than_the_data_is_refused() -> None:
    with pytest.raises(BadInput, match="there are only 23 training samples"):
        order(size=24)
