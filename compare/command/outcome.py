"""What the command has to say in the end: the run's own verdict, and that against a baseline.

One exit code tells both. The worse one wins, in the order of RANK: a judge that failed makes
everything else void, an interrupted run is not a complete answer, and a disagreement stands even
where something about the baseline was wrong.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from compare.contracts.errors import BadInput
from compare.contracts.result import ExitCode, Result

if TYPE_CHECKING:
    from compare.report.baseline import BaselineReport

RANK = (
    ExitCode.AGREES,
    ExitCode.UNDECIDABLE,
    ExitCode.BAD_INPUT,
    ExitCode.DISAGREES,
    ExitCode.INTERRUPTED,
    ExitCode.CONTROL_FAILED,
)


@dataclass(frozen=True, slots=True)
class Outcome:
    """A run's result, its place beside a baseline, what was wrong with a file, what was typed."""

    result: Result
    against: BaselineReport | None = None
    trouble: str | None = None
    command: str = ""

    @property
    def exit_code(self) -> ExitCode:
        """The worst of all."""
        codes = [self.result.exit_code]
        if self.against is not None:
            codes.append(self.against.exit_code)
        if self.trouble is not None:
            codes.append(ExitCode.BAD_INPUT)
        return max(codes, key=RANK.index)

    @property
    def extra(self) -> dict[str, Any]:
        """What report.json says besides: the exit code of all, the command, the baseline's word."""
        found = self.against
        own: dict[str, Any] = {"exit_code": self.exit_code}
        own |= {"command": self.command} if self.command else {}
        if found is None:
            return own
        told = {
            "file": found.path.name,
            "verdict": found.verdict,
            "sentence": found.sentence(),
            "settings": found.settings,
            "environment": found.environment,
            "moved": found.moved,
            "weak": found.weak,
        }
        return own | {"baseline": told}

    def interrupted(self) -> Outcome:
        """Return this outcome of a run that was stopped."""
        return replace(self, result=replace(self.result, interrupted=True))


def outcome(
    result: Result,
    baseline: Path | None,
    save_baseline: Path | None,
    trouble: Sequence[str] = (),
) -> Outcome:
    """Hold `result` against the file `baseline` and keep it in `save_baseline`, where given.

    The comparison comes first, so that both may be one file. What is wrong with the files is told
    in `trouble`, which begins with what was wrong before, and takes nothing from the result.
    """
    from compare.report import baseline as regression

    against = None
    try:
        if baseline is not None:
            against = regression.compare(result, baseline)
        if save_baseline is not None:
            regression.save(result, save_baseline)
    except BadInput as problem:
        trouble = (*trouble, str(problem))
    return Outcome(result, against, "; ".join(trouble) or None)
