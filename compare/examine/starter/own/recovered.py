"""The gradients that no name holds, recovered from the running means or velocities made of them.

    m = b * m + (1 - b) * g        gives g = (m - b * m before) / (1 - b)
    v = b * v + g                  gives g = v - b * v before

`optimiser.step(network.backward(dz))` keeps no gradient, but what its optimiser keeps tells it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from compare.contracts.arrays import Arrays
from compare.examine.starter.own.replay import Turn
from compare.examine.starter.own.steps import Steps

USUAL = (0.9,)


def with_recovered(steps: Steps) -> Iterator[Steps]:
    """Yield the same steps with what lies beside the weights taken for running means of gradients,
    or for velocities, of one share after another."""
    own = {way for one in steps.groups for way in one.starts}
    numbers = steps.base.loop.program.numbers
    for share in dict.fromkeys([*(one for one in numbers if 0.3 < one < 1), *USUAL]):
        for rest in (1 - share, 1.0):
            turns = tuple(recovered(steps.base.turns, steps.base.loop.last, own, share, rest))
            yield replace(steps, base=replace(steps.base, turns=turns), known={})


def recovered(
    turns: Sequence[Turn], last: int, own: set[str], share: float, rest: float
) -> Iterator[Turn]:
    """Yield turns at whose ends what is kept beside the weights is (after - share * before) / rest
    of what it was."""
    for turn in turns:
        before, after = turn.kept[0], turn.kept[last]
        made: Arrays = {
            way: array if way in own else (array - share * before[way]) / rest
            for way, array in after.items()
            if way in own or (way in before and before[way].shape == array.shape)
        }
        yield replace(turn, kept={**turn.kept, last: made})
