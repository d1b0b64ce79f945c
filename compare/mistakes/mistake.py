"""What a mistake is: words for the reader, and the slip that makes it.

The slip is the code somebody writes in place of a line of the plain program. It is what the reader
is shown and, run on pairs, what the diagnosis holds against the numbers seen.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import KW_ONLY, dataclass
from functools import cached_property
from typing import Any

from numpy.typing import NDArray

from compare.mistakes.places import Numbering, Place
from compare.textbook import Override, Pair, Pass, Point
from compare.textbook.program import Slip, Stage, filled
from compare.textbook.scope import LAYERED

Seen = Mapping[str, NDArray[Any]]
Trial = Callable[[float], Pass]
Fit = Callable[[Trial, Seen], Iterable[float]]
"""Candidates for a free constant, best first: `fit(pass with constant c, numbers seen)`."""


@dataclass(frozen=True, eq=False)
class Mistake:
    """The words of a mistake.

    `title` is a noun phrase for one line, `sentence` what the user reads; `{constant}` is filled
    in. The letters N, F, H, K stay as they are: the numbers of a probe are not those of the user's
    data. `slip` is code with `c` for the constant; `line` is the line it replaces, where the slip
    does not tell. `trigger` says when it shows, `observable` where.
    `seen` counts it among 70 hand-written networks (drafts not counted); where variants of it
    were counted together, the first of them has the number and the others have 0. With nothing
    else to tell two explanations apart, the frequent one is named first. A `convention`
    keeps loss and gradient together.
    `example` is the constant of the catalogue's own runs, where there is one.
    """

    name: str
    title: str
    sentence: str
    slip: str
    _: KW_ONLY
    line: str = ""
    trigger: str = "always"
    seen: int = 0
    convention: bool = False
    example: float | None = None

    @property
    def observable(self) -> tuple[str, ...]:
        """Return where it shows: loss, gradient, repeated calls, trainer records, curves."""
        raise NotImplementedError

    @property
    def example_words(self) -> dict[str, object]:
        """Return what fills the braces of the sentence in the catalogue."""
        return {"constant": self.example}

    def changes(self, constant: float | None) -> tuple[tuple[str, str], ...]:
        """Return what stands in place of which line, with the constant filled in."""
        return ((self.line, filled(self.slip, constant)),)


def everywhere(point: Point) -> bool:
    """Return that a mistake can be made in any network."""
    return True


@dataclass(frozen=True, eq=False)
class NetworkMistake(Mistake):
    """A mistake in loss or gradient: its slip overrides stages of the textbook pass.

    `fit` recovers a free constant from the numbers seen. `applies` tells the networks in which
    the mistake can be made; `proof`, if given, is asked about the numbers seen before the
    explanation is accepted. Without `layers` it is never looked for in one layer alone.
    A `guard` keeps a logarithm or quotient finite: a habit of the code, which is no half of a
    mistake. Unless `paired` it is not looked for as one of two in the same numbers: that is for
    what is rare beside another, as it costs the time of one search for every other mistake.
    `declared`: it belongs to a loss, penalty or activation that is declared, which the plain
    program does not have: `slip` is for the reader, `functions` run.
    `numbering` says in words which row or class the constant is. `functions` are the stages of
    what no line of code says: `(pass, layer) -> Pair`; what `reads` is for others, `functions_read`
    is for them.
    """

    _: KW_ONLY
    fit: Fit | None = None
    applies: Callable[[Point], bool] = everywhere
    proof: Callable[[Seen], bool] | None = None
    layers: bool = True
    paired: bool = True
    guard: bool = False
    declared: bool = False
    numbering: Numbering | None = None
    functions: Mapping[str, Callable[..., Pair]] | None = None
    functions_read: tuple[str, ...] = ()

    @cached_property
    def parsed(self) -> Slip:
        """Return the slip as code."""
        return Slip(self.slip, self.line)

    @property
    def stages(self) -> Mapping[str, Callable[..., Pair]]:
        """Return the stages that come out different."""
        return self.parsed.stages if self.functions is None else self.functions

    @cached_property
    def reads(self) -> tuple[str, ...]:
        """Return the stages it reads and that do not reach it in the right computation."""
        if self.functions is not None:
            return self.functions_read
        found = (not_below(stage, function) for stage, function in self.parsed.stages.items())
        return tuple(sorted(set().union(*found)))

    @property
    def example_words(self) -> dict[str, object]:
        """Return what fills the sentence in the catalogue: a row has one number in any batch."""
        if self.numbering is None or self.example is None:
            return {"constant": self.example}
        places = [Place(int(self.example), of) for of in (5, 6)]
        return {"constant": self.numbering.words(places)}

    @property
    def observable(self) -> tuple[str, ...]:
        """Return what the overridden stages reach."""
        overrides = self.overrides(0.0)
        loss = any(override.reaches("loss", 0) for override in overrides)
        gradient = any(
            override.reaches(kind, layer)
            for override in overrides
            for kind in ("dw", "db", "dgamma", "dbeta")
            for layer in (1, 2)
        )
        return ("loss",) * loss + ("gradient",) * gradient

    def changes(self, constant: float | None) -> tuple[tuple[str, str], ...]:
        """Return what stands in place of which line, with the constant filled in."""
        return self.parsed.planted(constant)

    def overrides(
        self, constant: float | None = None, layer: int | None = None
    ) -> frozenset[Override]:
        """Return the overrides that make this mistake, in every layer or in one."""
        bound = constant if self.fit is not None else None
        return frozenset(
            Override(stage, function, layer, bound, self.reads)
            for stage, function in self.stages.items()
        )

    def choices(self, point: Point) -> tuple[int | None, ...]:
        """Return the layers a diagnosis tries: all at once, then each alone."""
        stages = set(self.stages)
        if not self.layers or len(stages) > 1:
            return (None,)
        last = point.depth + 1 if stages & {"z", "dw", "db"} else point.depth
        single = range(1, last) if stages <= set(LAYERED) and last > 2 else range(0)
        return (None, *single)


LAYER, DEPTH = 3, 6
"""A layer with others on both sides, to ask what reaches it."""


def not_below(stage: str, function: Stage) -> set[str]:
    """Return the stages that `function` reads and that do not reach `stage` of themselves."""
    code = function.args[0]
    layer = LAYER if stage in LAYERED else 0
    found = set()
    for name, index in code.reads:
        at = None if index is None else LAYER + code.offset + index
        one = Override(name, function, at if name in LAYERED else None)
        if name != stage and not one.reaches(stage, layer):
            found.add(name)
    return found
