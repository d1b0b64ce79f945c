"""Two inputs in each other's place, where the one is a logarithm: a divergence the wrong way round.

`sum q (log q - log p)` is given log p and q. Who takes the other direction reads log q for the one
and p for the other.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import torch

from compare.layers.names.case import IMPOSSIBLE, Case
from compare.layers.names.explore import backward_only
from compare.layers.names.forward import rerun_program
from compare.layers.names.trial import IN_BACKWARD, Found, tried
from compare.layers.program import Tensors, as_written


def in_roles(case: Case) -> Iterator[Found]:
    """Yield what comes of the logarithm of one input in the place of another, and the reverse."""
    floating = [name for name, x in case.inputs.items() if x.is_floating_point() and x.dim()]
    for log, plain in itertools.permutations(floating, 2):
        one, other = case.inputs[log], case.inputs[plain]
        if one.shape != other.shape or not bool((other > 0).all()):
            continue
        results = exchanged(case, log, plain)
        if results is None:
            continue
        said = f"log `{plain}` stands in place of `{log}`, and exp `{log}` in place of `{plain}`"
        for text, numbers in (
            (said, results),
            (IN_BACKWARD + said, backward_only(case.tape, case.match, results)),
        ):
            found = tried(case.match, "value", text, numbers)
            if found is not None:
                yield found
                break


def exchanged(case: Case, log: str, plain: str) -> Tensors | None:
    """Return the numbers of the program with the two inputs in each other's place."""

    def given(leaves: Tensors) -> Tensors:
        return leaves | {log: torch.log(leaves[plain]), plain: torch.exp(leaves[log])}

    try:
        with as_written():
            return rerun_program(case.program, case.tape, None, case.inputs, case.dy, given=given)
    except IMPOSSIBLE:
        return None
