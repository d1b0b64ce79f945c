"""What a run keeps of the updates behind it does not grow with their number."""

from collections.abc import Iterator
from typing import Any
from weakref import ref

from compare import Experiment, run_training
from compare.contracts.records import Record


def test_of_every_side_only_the_records_that_are_looked_at_stay_in_memory() -> None:
    weights: dict[str, list[ref[Any]]] = {"manual": [], "reference": []}
    alive: dict[str, list[int]] = {"manual": [], "reference": []}

    def watched(side: str) -> Any:
        def tap(records: Iterator[Record], _: Any) -> Iterator[Record]:
            for record in records:
                weights[side].append(ref(record.gradients["w1"]))
                yield record
                del record
                alive[side].append(sum(one() is not None for one in weights[side]))

        return tap

    experiment = Experiment(hidden=(4,), epochs=5)
    assert run_training(experiment, tap=watched("manual"), reference_tap=watched("reference"))
    assert max(alive["manual"]) <= 2 and max(alive["reference"]) <= 1
