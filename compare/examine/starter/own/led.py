"""What moves a weight beside the slopes of a loss, and is meant to: a decay, another array that it
follows, or a turn that it waits for."""

from __future__ import annotations

import numpy as np

from compare.examine.starter.own.groups import Group
from compare.examine.starter.own.steps import LOOKED_AT, Steps

MOST_DECAY = 0.5


def decay_of(steps: Steps, group: Group, factor: float) -> float:
    """Return the share of itself that a group loses at a step beside its slopes; 0 if none."""
    known = [one for one in steps.reaches(group, steps.turns[0]) if one.weights and factor]
    shares = [(one.step - factor * one.slope.value) / one.weights / factor for one in known]
    several = sum(one.size for one in group.starts.values()) > 2 and len(shares) > 1
    alike = several and np.allclose(shares, shares[0], rtol=1e-3)
    return shares[0] if alike and 0 < shares[0] < MOST_DECAY else 0.0


def is_led(steps: Steps, group: Group) -> bool:
    """Whether a group is moved by no slope and is not meant to be: it stands still at a turn, as
    one of two that take turns, or goes a part of the way to another array, as a running mean."""
    return any(stands_still(steps, group, turn) or goes_to(steps, group, turn)
               for turn in steps.turns[:LOOKED_AT])  # fmt: skip


def stands_still(steps: Steps, group: Group, turn: int) -> bool:
    """Whether a turn does not change a group."""
    before, after = steps.kept(turn, 0), steps.kept(turn, steps.base.loop.last)
    return all(np.array_equal(before[way], after[way]) for way in group.starts)


def goes_to(steps: Steps, group: Group, turn: int) -> bool:
    """Whether a turn moves an array of a group a part of the way to another array of its shape."""
    before, after = steps.kept(turn, 0), steps.kept(turn, steps.base.loop.last)
    for way in group.starts:
        moved = after[way] - before[way]
        for kept in (before, after):
            for other, array in kept.items():
                if other not in group.starts and array.shape == moved.shape and moved.size > 2:
                    gap = array - before[way]
                    part = float((moved * gap).sum()) / (float((gap**2).sum()) or 1.0)
                    off = np.abs(moved - part * gap).max()
                    if 0 < part < 1 and off <= 1e-9 * np.abs(moved).max():
                        return True
    return False
