"""What another forward pass left behind, read in place of the values of this one."""

from __future__ import annotations

from compare.textbook import Override, Pair, Pass
from compare.textbook.functions import slope

Overrides = frozenset[Override]


def read_from(old: Pass, kept: str) -> Overrides:
    """Return the overrides by which the backward pass reads `kept` from the forward pass of `old`.

    `kept` holds letters: x the inputs, h the hidden values, p the probabilities. The loss stays
    that of the forward pass made now.
    """

    def below(net: Pass, i: int) -> Pair:
        return (old if "xh"[i > 1] in kept else net).h(i - 1)

    overrides = {Override("dw", lambda net, i: below(net, i).T @ net.dz(i))}
    if "h" in kept:
        overrides.add(Override("slope", lambda net, i: slope(old.h(i), net.activation)))
    if "p" in kept:
        overrides.add(Override("error", lambda net, _: old.p - net.y))
    return frozenset(overrides)


def kept_forward(old: Pass, stage: str) -> Overrides:
    """Return the override by which the forward pass itself takes `stage`, z or h, from `old`.

    Then the loss is that of the values kept.
    """
    return frozenset({Override(stage, lambda _, i: old.get(stage, i))})
