"""The structural probes of an implementation, examined and entered in the ledger.

What is examined stands in `checks/structure.py`, which knows no ledger.
"""

from __future__ import annotations

from collections.abc import Sequence

from compare.checks.structure import Structure, examine_structure
from compare.contracts.records import Implementation
from compare.judge.point import PointJudge
from compare.points.probe import Probe


def enter_structure(
    judge: PointJudge, implementation: Implementation, probes: Sequence[Probe]
) -> Structure:
    """Examine the structure at the first three of `draw_probes`, and enter what was found."""
    found = examine_structure(implementation, judge.same_point, *probes[:3])
    tally = judge.ledger.tallies["structure"]
    judge.random = found.random
    tally.made += 1
    tally.failed += len(found.findings)
    for finding in found.findings:
        judge.ledger.find(finding)
    return found
