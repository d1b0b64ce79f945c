"""What another forward pass left behind, read in place of the values of this one."""

from __future__ import annotations

from compare.textbook import Override, Pass
from compare.textbook.program import rerun

Overrides = frozenset[Override]


def read_from(old: Pass, kept: str) -> Overrides:
    """Return the overrides by which the backward pass reads `kept` from the forward pass of `old`.

    `kept` holds letters: x the inputs, h the hidden values, p the probabilities. The loss stays
    that of the forward pass made now.
    """
    slope = "dn" if old.inside else "dz"
    readers = {"x": ("dw",), "h": ("dw", slope), "p": ("error",)}
    stages = {stage for name in kept for stage in readers[name]}
    sources = dict.fromkeys(kept.replace("h", "zhna"), old)  # a slope is written in z or h
    return frozenset(Override(stage, rerun(stage, **sources)) for stage in stages)


def kept_forward(old: Pass, stage: str) -> Overrides:
    """Return the override by which the forward pass itself takes `stage`, z or h, from `old`.

    Then the loss is that of the values kept.
    """
    return frozenset({Override(stage, lambda _, i: old.get(stage, i))})
