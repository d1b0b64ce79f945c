"""A mistake in a network with normalisation or dropout: its slip is of that program's lines."""

from __future__ import annotations

from dataclasses import fields
from functools import cached_property

from compare.mistakes.mistake import NetworkMistake
from compare.textbook.inside import inside, inside_target
from compare.textbook.program import INSIDE, Slip


class InsideMistake(NetworkMistake):
    """One of normalisation or dropout, or one of any network as it is made in such a one."""

    @cached_property
    def parsed(self) -> Slip:
        """Return the slip as code."""
        return Slip(self.slip, self.line, INSIDE)


def inside_of(mistake: NetworkMistake) -> InsideMistake:
    """Return a mistake of any network as it is made in one with normalisation or dropout."""
    if isinstance(mistake, InsideMistake):
        return mistake
    given = {field.name: getattr(mistake, field.name) for field in fields(mistake)}
    if mistake.declared and mistake.functions is not None:
        stages = {"dn" if stage == "dz" else stage: f for stage, f in mistake.functions.items()}
        given |= {"functions": stages}  # what the activation gives on the way back
    slip = inside(mistake.slip) if mistake.functions is None else mistake.slip
    return InsideMistake(**given | {"slip": slip, "line": inside_target(mistake.line)})
