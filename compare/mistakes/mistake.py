"""What a mistake is: words for the reader, and code that makes it.

The words are the equation as it should be, the equation as it is, the line to change and the
sentence of the diagnosis. The code is an override of one stage (or a few) of the textbook.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from compare.mistakes.places import Numbering, Place
from compare.textbook import Override, Pair, Pass, Point

Seen = Mapping[str, NDArray[Any]]
Trial = Callable[[float], Pass]
Fit = Callable[[Trial, Seen], Iterable[float]]
"""Candidates for a free constant, best first: `fit(pass with constant c, numbers seen)`."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Mistake:
    """The words of a mistake.

    `sentence` is what the user reads; `{constant}` is filled in. The letters N, F, H, K stay as
    they are: the numbers of a probe are not those of the user's data.
    `line` and `slip` are code: as it should be, as the mistake writes it; `more` holds further
    such pairs where one line is not enough. `trigger` says when it shows, `observable` where.
    `seen` counts it among 70 hand-written networks (drafts not counted); where variants of it
    were counted together, the first of them has the number and the others have 0. With nothing
    else to tell two explanations apart, the frequent one is named first. A `convention`
    keeps loss and gradient together.
    `example` is the constant of the catalogue's own runs, where there is one.
    """

    name: str
    family: str
    sentence: str
    right: str
    wrong: str
    line: str
    slip: str
    more: tuple[tuple[str, str], ...] = ()
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


def everywhere(point: Point) -> bool:
    """Return that a mistake can be made in any network."""
    return True


@dataclass(frozen=True, kw_only=True, eq=False)
class NetworkMistake(Mistake):
    """A mistake in loss or gradient: `stages` override those of the textbook pass.

    A stage function is `(pass, layer) -> Pair`, with a third argument where there is a free
    constant, which `fit` recovers from the numbers seen. `applies` tells the networks in which
    the mistake can be made; `proof`, if given, is asked about the numbers seen before the
    explanation is accepted. Without `layers` it is never looked for in one layer alone.
    `numbering` says in words which row or class the constant is; `reads` is that of the overrides.
    """

    stages: Mapping[str, Callable[..., Pair]]
    fit: Fit | None = None
    applies: Callable[[Point], bool] = everywhere
    proof: Callable[[Seen], bool] | None = None
    layers: bool = True
    numbering: Numbering | None = None
    reads: tuple[str, ...] = ()

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
        loss = any(override.reaches("loss", 0, 2) for override in overrides)
        gradient = any(
            override.reaches(kind, layer, 2)
            for override in overrides
            for kind in ("dw", "db")
            for layer in (1, 2)
        )
        return ("loss",) * loss + ("gradient",) * gradient

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
        single = range(1, last) if stages <= LAYERED and last > 2 else range(0)
        return (None, *single)


LAYERED = frozenset({"z", "h", "dw", "db", "dh", "slope", "dz"})
