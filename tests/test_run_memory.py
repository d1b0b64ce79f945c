"""What a run keeps of the updates behind it does not grow with their number."""

from collections.abc import Iterator
from typing import Any
from unittest.mock import patch
from weakref import ref

from compare import Experiment, run_training
from compare.checks.same_point import SamePoint
from compare.contracts.records import Record


def test_while_a_point_is_checked_one_earlier_record_is_in_memory_at_most() -> None:
    made: dict[str, list[ref[Any]]] = {"manual": [], "reference": []}
    most = dict.fromkeys(made, 0)

    def watched(side: str) -> Any:
        def tap(records: Iterator[Record], _: Any) -> Iterator[Record]:
            for record in records:
                made[side].append(ref(record.gradients["w1"]))
                yield record
                del record

        return tap

    expect = SamePoint.expect

    def counted(*point: Any) -> Any:
        for side, arrays in made.items():
            most[side] = max(most[side], sum(one() is not None for one in arrays))
        return expect(*point)

    with patch.object(SamePoint, "expect", counted):
        experiment = Experiment(hidden=(4,), epochs=5)
        assert run_training(experiment, tap=watched("manual"), reference_tap=watched("reference"))
    assert most == {"manual": 2, "reference": 1}
