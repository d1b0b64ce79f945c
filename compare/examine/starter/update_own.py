"""Each update takes the gradient of its own weight: none that another one takes, or is named after.

A part of judging updates (`loop_steps`). Of two that take one gradient the one is wrong whose name
it has not; where no name says whose it is, the later one.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from compare.examine.starter.binding import AROUND, plain
from compare.examine.starter.update_lines import word
from compare.examine.starter.update_verdicts import Judged, about_update


def with_own_gradients(found: Sequence[Judged], where: str) -> list[Judged]:
    """Return the updates of one way, those wrong that take another weight's gradient."""
    said = []
    for place, one in enumerate(found):
        twins = [other for other in found if other is not one and shares(other, one)]
        own = [other for other in twins if is_its_own(other)]
        first = not any(other in twins for other in found[:place])
        sentence = ""
        if twins and not is_its_own(one) and (own or not first):
            other = (own or twins)[0].target.key
            sentence = f"it takes {one.gradient}, as the update of {other} does"
        elif one.verdict is None and (other := exchanged(one, found)):
            sentence = f"it takes {one.gradient}, which is named like the gradient of {other}"
        about = about_update(one.target, where)
        said.append(replace(one, verdict=about.wrong("value", sentence)) if sentence else one)
    return said


def shares(one: Judged, other: Judged) -> bool:
    """Return whether two weights are moved by one gradient, on the same way."""
    same = bool(one.origin) and one.origin == other.origin
    return same and one.target.key != other.target.key and one.way == other.way


def is_its_own(one: Judged) -> bool:
    """Return whether a gradient has the name of the weight that it moves."""
    return inner(one.gradient) == word(one.target.key) != ""


def inner(gradient: str) -> str:
    """Return the weight that a gradient is named after: b2 of `db2`, `g_b2` and `grads["b2"]`."""
    found = AROUND.match(re.sub("^g(?=[wb])", "d", plain(word(gradient))))
    return found["inner"] if found else ""


def exchanged(one: Judged, found: Sequence[Judged]) -> str:
    """Return the other weight whose name a gradient has, where every gradient there has that of one
    of the weights: `W1 -= dW0` beside `W2 -= dW1` counts from 0."""
    keys = {word(other.target.key): other.target.key for other in found}
    names = [inner(other.gradient) for other in found]
    trade = len(set(names)) == len(names) and set(names) <= set(keys)
    return keys[inner(one.gradient)] if trade and not is_its_own(one) else ""
