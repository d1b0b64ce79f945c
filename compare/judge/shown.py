"""The intermediates that the manual side shows: compared at a point, or named as not compared."""

from __future__ import annotations

from compare.checks.comparison import Comparison
from compare.checks.examined import Examined
from compare.checks.running import compare_running, slip_of
from compare.checks.stages import first_wrong_stage, not_compared
from compare.contracts.arrays import Arrays
from compare.contracts.records import Record
from compare.judge.ledger import finding_of
from compare.judge.point import PointJudge


def enter_shown(judge: PointJudge, record: Record, examined: Examined, shown: Arrays) -> list[str]:
    """Enter the first wrong stage beside a right loss and gradient; return what is not compared.

    Where loss or gradient are wrong, the conclusion asks for the stages itself.
    """
    depth = sum(name.startswith("w") for name in record.parameters)
    if examined.agrees:
        wrong = first_wrong_stage(examined, shown, depth) or wrong_statistic(judge, examined, shown)
        if wrong is not None:
            found = finding_of("same_point", wrong.name, None, wrong, record, "manual", judge.mode)
            judge.ledger.find(found)
    return not_compared(examined, shown, depth)


def wrong_statistic(judge: PointJudge, examined: Examined, shown: Arrays) -> Comparison | None:
    """Return the first of the next running statistics that is wrong, if the manual side shows them.

    A training compares them from update to update; a point alone has them here only.
    """
    given = examined.expected, shown, judge.arithmetic
    wrong = [one for one in compare_running(*given).values() if not one.agrees]
    if wrong:
        judge.statistics.append(slip_of(*given))
    return next(iter(wrong), None)
