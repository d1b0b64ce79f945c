"""The functions that the steps or the loss of a training are made of: those whose values change
them. One that returns nothing takes part if it was called."""

from __future__ import annotations

import time

import numpy as np

from compare.examine.starter.own.replay import Turn, replayed
from compare.examine.starter.own.seen import Seen
from compare.examine.starter.training.parts import Parts

SECONDS, MOST = 3.0, 30


def taking_part(seen: Seen) -> Parts:
    """Return what takes part in a training, methods as `Class.method`."""
    base = seen.base
    ways = [way for one in seen.steps.groups for way in one.starts]
    names = sorted(set().union(*(one.called for one in base.turns)) - {"print"})
    until = time.process_time() + SECONDS
    path = set()
    for name in names[:MOST]:
        turns = replayed(base.loop, base.supply, 1, base.shift, base.ends, base.asked, name)
        if time.process_time() > until:
            break
        if not turns or differs(turns[0], base.turns[0], ways, base.loop.last, seen.told.loss):
            path.add(name)
    silent = base.turns[0].silent
    loss = seen.told.loss.partition("()#")[0]
    return Parts(frozenset(path | silent), frozenset({loss} if "()#" in seen.told.loss else ()))


def differs(one: Turn, other: Turn, ways: list[str], last: int, loss: str) -> bool:
    """Whether the weights at the end of a turn, or its loss, are other ones."""
    if last not in one.kept or one.numbers.get(loss) != other.numbers.get(loss):
        return True
    return any(way not in one.kept[last]
               or not np.array_equal(one.kept[last][way], other.kept[last][way])
               for way in ways)  # fmt: skip
