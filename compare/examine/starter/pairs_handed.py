"""Losses of a list of samples, `[(x, y), ...]`, beside gradients of one sample at a time.

    def total_cost(self, data):
        return sum(cost(self.feedforward(x), y) for x, y in data) / len(data)

It is handed all samples at once, and has to be the mean of what it gives for each alone, or their
sum: how steps of several are put together is asked elsewhere (`minibatch`).
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from compare.contracts.errors import UserCodeError
from compare.examine.starter.answered import mean_loss
from compare.examine.starter.chain import PAIR, PAIRS, Chain
from compare.examine.starter.networks import point
from compare.examine.starter.readings import Sizes
from compare.examine.starter.whole import Whole
from compare.guard.guard import Guard

SAME = 1e-9


def of_all(whole: Whole, sizes: Sizes, guard: Guard) -> Whole:
    """The same with all samples in a list that was read as one alone, where that is no sum of
    them: what the loss makes of several then counts."""
    if not any(value == PAIR for call in whole.chain.calls for _, value in call.passed):
        return whole
    every = with_all(whole.chain)
    try:
        alone, together = (guard.run(lambda: loss_of(one, sizes), "", None)  # noqa: B023
                           for one in (whole.chain, every))  # fmt: skip
    except UserCodeError:
        return whole
    rows = len(point(sizes, 0)[1])
    if alone is None or together is None or np.isclose(together, rows * alone, SAME, 0.0):
        return whole
    return replace(whole, chain=every)


def with_all(chain: Chain) -> Chain:
    """The same calls with all samples for one."""
    calls = (replace(one, passed=tuple((name, PAIRS if value == PAIR else value)
                                       for name, value in one.passed))
             for one in chain.calls)  # fmt: skip
    return replace(chain, calls=tuple(calls))


def loss_of(chain: Chain, sizes: Sizes) -> float | None:
    """The loss that some calls give at one point."""
    parameters, x, targets = point(sizes, 0)
    return mean_loss(chain.run(dict(parameters), x, targets))
