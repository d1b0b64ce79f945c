"""The ledger of a run: findings, kinks and the worst entry of everything that was compared.

A fault at one update often repeats at every later one. The ledger keeps the first finding of each
check, stage and parameter with its place, and counts the rest, so that a report shows the cause
and not its thousand echoes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from compare.checks.comparison import Comparison
from compare.contracts.measured import Kink, Worst
from compare.contracts.moments import moment
from compare.contracts.records import Record
from compare.contracts.result import Finding, Verdict

ENDLESS = 1e15
"""A ratio above this comes from an allowance next to 0, and its size says nothing."""
CHECKS = ("same_point", "step", "free_run", "structure", "referee")


def bounded(ratio: float) -> str:
    """Return a largest ratio as a summary says it."""
    return f"> {ENDLESS:.0e}" if ratio > ENDLESS else f"{ratio:.2g}"


@dataclass
class Tally:
    """How often a check was made, how often it failed or could not be made, its largest ratio."""

    made: int = 0
    failed: int = 0
    blind: int = 0
    worst_ratio: float = 0.0

    @property
    def verdict(self) -> Verdict:
        """Agrees if it was made and never failed."""
        if self.failed:
            return Verdict.DISAGREES
        return Verdict.AGREES if self.made else Verdict.UNDECIDABLE


@dataclass
class Blind:
    """A tensor that was not compared, for one reason: where first, and at how many points."""

    first: str
    points: int = 0

    @property
    def others(self) -> str:
        """The other points, counted."""
        return f" and at {self.points - 1} more" if self.points > 1 else ""


@dataclass
class Ledger:
    """Everything found so far."""

    findings: dict[tuple[str, ...], Finding] = field(default_factory=dict)
    repeats: dict[tuple[str, ...], int] = field(default_factory=dict)
    kinks: list[Kink] = field(default_factory=list)
    worst: dict[str, Worst] = field(default_factory=dict)
    tallies: dict[str, Tally] = field(default_factory=lambda: {name: Tally() for name in CHECKS})
    epoch_worst: dict[str, Worst] = field(default_factory=dict)
    undecided: list[str] = field(default_factory=list)
    blind: dict[tuple[str, str], Blind] = field(default_factory=dict)

    def find(self, finding: Finding) -> None:
        """Enter a finding, or count it if its like is there already."""
        key = (finding.check, finding.side, finding.stage, finding.parameter or "")
        self.repeats[key] = self.repeats.get(key, 0) + 1
        self.findings.setdefault(key, finding)

    def say_of(self, update: int, words: str, check: str | None = None) -> None:
        """Say what is special about a point of a check, in the findings made there; by one check
        only, where it is given."""
        for key, one in self.findings.items():
            if one.update == update and check in (None, one.check):
                self.findings[key] = replace(one, message=f"{one.message} ({words})")

    def compared(self, key: str, comparison: Comparison) -> None:
        """Keep the worst entry of the whole run under `key`."""
        keep_worst(self.worst, key, comparison.worst)

    def passed_over(self, name: str, why: str, when: str) -> None:
        """Note that `name` was not compared at a point, although nothing was wrong with it."""
        self.blind.setdefault((name, why), Blind(when)).points += 1

    def clauses(self, only: str | None = None) -> tuple[str, ...]:
        """Say what was not compared and where, for every reason or `only` for one."""
        return tuple(
            f"{name} at {one.first}{one.others} ({why})"
            for (name, why), one in self.blind.items()
            if only in (None, why)
        )

    def close_epoch(self) -> Mapping[str, Worst]:
        """Return the worst entries since the last call."""
        closed, self.epoch_worst = self.epoch_worst, {}
        return closed

    @property
    def disagrees(self) -> bool:
        """Whether anything was found."""
        return bool(self.findings)


def keep_worst(table: dict[str, Worst], key: str, worst: Worst) -> None:
    """Keep whichever of the two entries has the larger ratio; no ratio is NaN."""
    known = table.get(key)
    if known is None or worst.ratio > known.ratio:
        table[key] = worst


def finding_of(
    check: str,
    stage: str,
    parameter: str | None,
    comparison: Comparison,
    record: Record,
    side: str,
    mode: str | None = None,
) -> Finding:
    """Turn a failed comparison into a finding with its place and both values.

    `mode` tells what the record is one of: None a training, else `check` or `dump`.
    """
    worst = comparison.worst
    place = f"[{', '.join(map(str, worst.index))}]" if worst.index else ""
    if not comparison.manual_finite:
        size = "is not finite"
    elif worst.ratio <= 1 and not comparison.agrees:
        size = (
            f"is within its allowance, but in root mean square all entries are at "
            f"{comparison.spread:.3g} of theirs, {comparison.ratio:.3g} × what rounding may make"
        )
    elif worst.ratio > ENDLESS:
        size = f"where {worst.reference:.17g} is due"
    else:
        size = f"is {worst.ratio:.3g} × allowance away from the reference's {worst.reference:.17g}"
    who = "" if side == "manual" else f"{side}: "
    comma = "," if size.startswith("where") else ""
    message = (
        f"{who}{comparison.name}{place} = {worst.manual:.17g}{comma} {size}{comma} "
        f"at {moment(mode, check, record.epoch, record.update)}"
    )
    ratio = comparison.ratio if comparison.manual_finite else worst.ratio
    return Finding.at(
        worst, check, stage, message, epoch=record.epoch, update=record.update,
        parameter=parameter, ratio=ratio, side=side,
    )  # fmt: skip
