"""At how many outputs the meaning of a file is looked for, and which of two meanings counts.

What may be made for one output unit is looked at there too; agreeing there is not enough where the
file may have several.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from compare.contracts.errors import UserCodeError
from compare.examine.starter.batches import hands_single_samples
from compare.examine.starter.binding import LAYERS, layers_shown
from compare.examine.starter.chain import started_objects
from compare.examine.starter.networks import EXPONENTIAL, Network, point
from compare.examine.starter.one_output import accused_of_several, wrong_for_several
from compare.examine.starter.readings import UNEQUAL, Sizes
from compare.examine.starter.slots import strengths_of
from compare.examine.starter.subject import Subject
from compare.examine.starter.whole import Search, Whole
from compare.guard.guard import Guard


@dataclass(frozen=True)
class Meant:
    """The meaning of a file that was found, where, and what else has to be said of it.

    `one_only`: it was found at one output unit, and several may be meant.
    """

    whole: Whole
    subject: Subject
    sizes: Sizes
    one_only: bool = False

    @property
    def rank(self) -> int:
        """Its place among meanings in networks of other depths."""
        return self.whole.told.fit.score


def searched(
    text: str,
    subject_at: Callable[[Sizes], Subject],
    networks: Sequence[Network],
    seed: int,
    guard: Guard,
    layers: int = 0,
) -> Meant | None:
    """Search in networks of as many layers as the names say, then in those of two.

    Where the forward pass is a network's, nothing else is meant. Numbers that are named like the
    strength of a penalty are 0 first, and what the file says where that gives no network.
    """
    found: list[Meant] = []
    for count in [layers] if layers else dict.fromkeys((layers_shown(text), LAYERS)):
        meant = searched_at(UNEQUAL.of_layers(count), text, subject_at, networks, seed, guard)
        if meant and (consistent(meant.whole) or meant.whole.told.fit.ahead):
            return meant
        found += [meant] if meant else []
        sizes = UNEQUAL.of_layers(count)
        if has_strengths(subject_at(sizes), sizes, guard):
            kept = searched_at(sizes, text, as_built(subject_at), networks, seed, guard)
            if kept and (consistent(kept.whole) or kept.whole.told.fit.ahead):
                return kept
    return max(found, key=lambda one: one.rank, default=None)


def as_built(subject_at: Callable[[Sizes], Subject]) -> Callable[[Sizes], Subject]:
    """The same with everything that is named like a strength as the file has it."""
    return lambda sizes: replace(subject_at(sizes), kept=True)


def has_strengths(subject: Subject, sizes: Sizes, guard: Guard) -> bool:
    """Whether there is any number, not 0, that a search sets to 0 as the strength of a penalty."""
    parameters, x, targets = point(sizes, 0)
    values = {**parameters, "x": x, "y": targets}
    for _, start in subject.starts:
        with contextlib.suppress(UserCodeError):
            started = guard.run(lambda: start(sizes.widths, values), "start", None)  # noqa: B023
            if any(any(strengths_of(one).values()) for one in started_objects(started)):
                return True
    return bool(subject.constants)


def searched_at(
    unequal: Sizes,
    text: str,
    subject_at: Callable[[Sizes], Subject],
    networks: Sequence[Network],
    seed: int,
    guard: Guard,
) -> Meant | None:
    """Search at five outputs and, for what may be made for one, at one; None if nothing fits."""
    best: Meant | None = None
    several: Meant | None = None
    one_output = replace(unequal, K=1)
    for sizes in (unequal, one_output) if EXPONENTIAL.search(text) else (unequal,):
        subject = subject_at(sizes)
        fitting = [one for one in networks if sizes.K > 1 or not ends_in_softmax(one)]
        search = Search(subject, guard, fitting, sizes, seed, hands_single_samples(text))
        found = search() if fitting else None
        if found and (best is None or consistent(found) or further(found, best.whole)):
            several, best = best, Meant(found, subject, sizes)
        if best and consistent(best.whole):
            break
    if best is None or not best.whole.trusted:
        return None
    if several is None or not wrong_for_several(best.whole, text):
        return best
    declared = len({(one.output, one.loss, one.reduction) for one in networks}) == 1
    accused = accused_of_several(several.whole, text, declared)
    return several if accused else replace(best, one_only=True)


def ends_in_softmax(network: Network) -> bool:
    """Whether a network ends in a softmax: of one unit that is 1, whatever its weights are."""
    return network.loss == "cross_entropy" or network.output == "softmax"


def further(one: Whole, other: Whole) -> bool:
    """Whether the forward pass of one is a network's, and that of the other none."""
    return one.told.fit.ahead and not other.told.fit.ahead


def consistent(whole: Whole) -> bool:
    """Whether all gradients are those of the network that the rest belongs to."""
    return whole.told.fit.right == 2 * whole.layers
