"""The searches for slips that are made at several steps of the backward pass."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from compare.layers.names.case import Case
from compare.layers.names.in_time import exchanged, shifted
from compare.layers.names.repeats import repeated
from compare.layers.names.trial import Found, tried
from compare.layers.program import Tensors, as_written


def in_time(case: Case) -> Iterator[Found]:
    """Yield what a backward pass gives that is off by one in time."""
    return those_that_fit(case, shifted(case.tape, case.names, case.reach))


def in_sequences(case: Case) -> Iterator[Found]:
    """Yield what a backward pass gives that reads another sequence at every step."""
    return those_that_fit(case, exchanged(case.tape, case.names, case.reach))


def in_repeats(case: Case) -> Iterator[Found]:
    """Yield what one slip gives that is made at all like steps."""
    return those_that_fit(case, repeated(case.tape, case.names, case.reach))


def those_that_fit(case: Case, trials: Iterator[tuple[Tensors, str]]) -> Iterator[Found]:
    """Yield the trials that give the manual numbers, until the evaluations are spent."""
    budget = case.budget()
    with torch.no_grad(), as_written():
        for results, said in trials:
            if not budget.spend():
                return
            found = tried(case.match, "backward", said, results)
            if found is not None:
                yield found
