"""What a comparison found, in the words of the project.

Everything downstream (terminal, report.json, plots, page, exit code) reads a `Result` and
nothing else; everything upstream only fills one in. So this file is the vocabulary: the verdict,
what was compared worst, the findings that decided it, the points that proved nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from enum import IntEnum, StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from compare.contracts.measured import EpochRow, Index, PointRow, Worst
from compare.contracts.presentation import reports

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NAMED = 3
"""So many things that were not compared stand in the verdict; the others are counted."""


class Verdict(StrEnum):
    """Three-valued: rounding explains the difference, it does not, or nobody can tell here.

    Example:
        >>> Verdict("agrees") is Verdict.AGREES
        True
    """

    AGREES = "agrees"
    DISAGREES = "disagrees"
    UNDECIDABLE = "undecidable"


class ExitCode(IntEnum):
    """What the command returns to the shell."""

    AGREES = 0
    DISAGREES = 1
    BAD_INPUT = 2
    UNDECIDABLE = 3
    CONTROL_FAILED = 4
    INTERRUPTED = 130


@dataclass(frozen=True, slots=True)
class Finding:
    """One disagreement: which check, where in the run, which stage, and both values there."""

    check: str  # same_point | step | free_run | structure | referee | curves
    stage: str
    message: str
    epoch: int | None = None
    update: int | None = None
    parameter: str | None = None
    index: Index | None = None
    manual: float | None = None
    reference: float | None = None
    ratio: float | None = None
    side: str = "manual"  # whose record is wrong, as far as this check can tell

    @classmethod
    def at(cls, worst: Worst, check: str, stage: str, message: str, **where: Any) -> Self:
        """Return the finding that an entry is; `where`: further fields, by name."""
        return cls(
            check, stage, message, index=worst.index, manual=worst.manual,
            reference=worst.reference, **({"ratio": worst.ratio} | where),
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Weak:
    """A check that could not have failed, or not seen an error of the size in question, and why."""

    check: str
    reason: str
    parameter: str | None = None
    epoch: int | None = None
    update: int | None = None
    smallest_scale_error: float | None = None


@dataclass(frozen=True, slots=True)
class MadeMistake:
    """One mistake of a diagnosis, by name, with its constant, in every layer or in one."""

    mistake: str
    constant: float | None = None
    layer: int | None = None


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """A mistake that reproduces the observed numbers; `also` names those no probe told apart.

    `title` says it in one line, `sentence` in full.

    `_slips` is what computing the mistake again takes, empty if no single point shows it,
    `_tensors` where it shows, empty for everywhere, and `_declares` the settings with which it is
    none. None of them is reported: the sentence says it.
    """

    mistake: str
    sentence: str
    ratio_before: float
    ratio_after: float
    also: tuple[str, ...] = ()
    constant: float | None = None
    title: str = ""
    _slips: tuple[MadeMistake, ...] = field(default=(), repr=False, compare=False)
    _tensors: tuple[str, ...] = field(default=(), repr=False, compare=False)
    _declares: tuple[tuple[str, Any], ...] = field(default=(), repr=False, compare=False)

    @property
    def headline(self) -> str:
        """Return the mistake in one line."""
        return self.title or self.mistake.replace("-", " ")

    @property
    def slips(self) -> tuple[MadeMistake, ...]:
        """Return the mistakes made in loss or gradient, with their constants and layers."""
        return self._slips

    @property
    def declares(self) -> dict[str, Any]:
        """Return the settings with which the code agrees."""
        return dict(self._declares)

    def concerns(self, tensor: str) -> bool:
        """Return whether the diagnosis is about this tensor (`dw1`, ...)."""
        return not self._tensors or tensor in self._tensors


@dataclass(frozen=True, slots=True)
class CheckSummary:
    """How one kind of check went: its own verdict, how often it was made, its sentence."""

    check: str
    verdict: Verdict
    made: int
    worst_ratio: float
    sentence: str


class Presenter(Protocol):
    """What the reports do with a finished Result."""

    def figures(self, result: Result, /) -> dict[str, Figure]: ...
    def notebook_line(self) -> AbstractContextManager[Any]: ...
    def one_line(self, result: Result, /) -> str: ...
    def terminal_text(self, result: Result, /) -> str: ...
    def notebook_html(self, result: Result, /) -> str: ...
    def one_screen(self, result: Result, /) -> str: ...
    def save(self, result: Result, folder: Path, /, *, plots: Sequence[str]) -> Path: ...


def _presenter() -> Presenter:
    loaded: Presenter = reports()
    return loaded


class Disagreement(AssertionError):
    """Raised by `Result.raise_for_disagreement`; its message is one screen.

    It is an `AssertionError`, so that pytest shows a failed test and no error of the test itself.

    Example:
        >>> issubclass(Disagreement, AssertionError)
        True
    """


@dataclass(frozen=True)
class Result:
    """Everything a run or a single check found.

    `bool(result)` is true only for *agrees* with everything compared: `assert check(f)` is a test.
    `str(result)` is what the command prints, and a notebook shows verdict, table, diagnosis and
    pictures.

    Parameters:
        verdict: *agrees*, *disagrees* or *undecidable*.
        kind: who is wrong if somebody is: derivative, loss, update, ...; None if nobody is.
        settings: what was asked for, by the names of `Experiment`.
        environment: the versions, processor and libraries it was computed with.
        sentence: the verdict in one line, with its reason.
        findings: every disagreement, the first one first.
        epochs: a row for every point of the curves; empty for a single check.
        points: a row for every drawn point, for baselines; in no report.
        weak: the checks that could not have failed, and why.
        kinks: where the two sides took different slopes at a point without a derivative.
        diagnosis: the mistakes that reproduce the numbers.
        checks: every kind of check with its own verdict.
        worst: the worst entry of every compared tensor: `loss`, `dw1`, ... of the gradients, `w1`,
            `v_w1`, ... of the updates.
        notes: what else is worth knowing.
        heatmap: `(parameter, manual, reference)` of the first wrong tensor.
        prediction: a mistake's name and the same tensor as that mistake computes it.
        referee: what finite differences of the manual loss say, if they were asked.
        interrupted: the user stopped the run.
        failure: the sentence of code under test that raised or hung on the way; the rest is then
            about the updates done before.
        control_failed: the judge accepted what it must reject: nothing else here can be believed.
        not_compared: what was handed in and not compared (see `lacking`).

    Example:
        >>> from compare import check
        >>> from manual_mlp import loss_and_gradients
        >>> result = check(loss_and_gradients, hidden=(7, 3))
        >>> result.verdict.value, int(result.exit_code), sorted(result.worst)[:1]
        ('agrees', 0, ['db1'])
    """

    verdict: Verdict
    kind: str | None
    settings: Mapping[str, Any]
    environment: Mapping[str, Any]
    sentence: str
    findings: tuple[Finding, ...] = ()
    epochs: tuple[EpochRow, ...] = ()
    points: tuple[PointRow, ...] = ()  # for baselines; in no report
    weak: tuple[Weak, ...] = ()
    kinks: tuple[Any, ...] = ()  # Kink of a network, LayerKink of a layer
    diagnosis: tuple[Diagnosis, ...] = ()
    checks: tuple[CheckSummary, ...] = ()
    worst: Mapping[str, Worst] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    heatmap: tuple[str, NDArray[np.floating], NDArray[np.floating]] | None = None
    prediction: tuple[str, NDArray[np.floating]] | None = None
    referee: Mapping[str, Any] | None = None
    interrupted: bool = False
    failure: str | None = None
    control_failed: bool = False
    not_compared: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return self.exit_code is ExitCode.AGREES

    def __repr__(self) -> str:
        return _presenter().one_line(self)

    def __str__(self) -> str:
        return _presenter().terminal_text(self)

    def _repr_html_(self) -> str:
        return _presenter().notebook_html(self)

    def lacking(self, *what: str) -> Result:
        """Return this result with what was handed in and not compared, each in a clause.

        Agreement about the rest is not what was asked for: *agrees* becomes *undecidable*. Every
        report shows the sentence, so the clauses stand in it.

        Parameters:
            what: one clause for each thing, as "`grad_b` was not found in the file".

        Returns:
            A new result; without clauses this one.
        """
        if not what:
            return self
        clauses = [*what[:NAMED], *([f"and {len(what) - NAMED} more"] if what[NAMED:] else [])]
        named = f"not everything was compared: {'; '.join(clauses)}"
        sentence, verdict = f"{self.sentence} ({named})", self.verdict
        if verdict is Verdict.AGREES:
            verdict = Verdict.UNDECIDABLE
            sentence = f"undecidable: {named} (what was compared {self.sentence})"
        return replace(
            self,
            verdict=verdict,
            sentence=sentence,
            not_compared=(*self.not_compared, *what),
        )

    @property
    def exit_code(self) -> ExitCode:
        """Contract 7; the judge's own failure outranks everything, then the user's Ctrl-C."""
        if self.control_failed:
            return ExitCode.CONTROL_FAILED
        if self.interrupted:
            return ExitCode.INTERRUPTED
        if self.failure is not None:
            return ExitCode.BAD_INPUT
        return {
            Verdict.AGREES: ExitCode.AGREES,
            Verdict.DISAGREES: ExitCode.DISAGREES,
            Verdict.UNDECIDABLE: ExitCode.UNDECIDABLE,
        }[self.verdict]

    def raise_for_disagreement(self) -> None:
        """Do nothing if the verdict is *agrees* and everything was compared.

        Raises:
            Disagreement: with one screen of facts, for every other result.
        """
        __tracebackhide__ = True
        if self.exit_code is not ExitCode.AGREES:
            raise Disagreement(_presenter().one_screen(self))

    def plot(self) -> dict[str, Figure]:
        """Draw the result.

        Returns:
            matplotlib figures by name: `loss`, `accuracy`, `gradients`, ...
        """
        return _presenter().figures(self)

    def save(self, folder: str | Path, *, plots: tuple[str, ...] = ("png",)) -> Path:
        """Write report.json, the plots and report.html.

        Parameters:
            folder: where to; made if it is not there.
            plots: the formats of the plots, any of "png", "svg" and "pdf".

        Returns:
            The path of the folder.

        Raises:
            BadInput: the folder cannot be written, or a format is unknown.
        """
        return _presenter().save(self, Path(folder), plots=plots)
