"""Arrays that a file loads and its functions read: the probe's rows are put in their place.

`trainData = np.load(...)` is never run. A function that asks it for its number of rows can still be
called, once `trainData` is the batch it is handed, and the report says so.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import ModuleType
from typing import Any

from numpy.typing import NDArray

from compare.examine.starter.binding import CERTAIN, plain
from compare.examine.starter.source import Opened
from compare.guard.effects import Notes

COUNTS = frozenset("n m numsamples numberofsamples nsamples ntrain numtrain batchsize".split())
"""Names, without underscores, of how many samples there are."""


def stand_ins(opened: Opened) -> dict[str, str]:
    """What each name that was left out may be: `x`, `y` or `rows`; names of other things not."""
    meant = {name: CERTAIN.get(plain(name), "") for name in opened.failed}
    meant |= {name: "rows" for name in opened.failed if plain(name) in COUNTS}
    return {name: what for name, what in meant.items() if what in ("x", "y", "rows")}


def put_in(
    module: ModuleType, wanted: Mapping[str, str], quantities: Mapping[str, NDArray[Any]]
) -> None:
    """Give the module the batch under the names it misses."""
    values: dict[str, Any] = {**quantities, "rows": len(quantities["x"])}
    for name, what in wanted.items():
        setattr(module, name, values[what])


def note_stand_ins(wanted: Mapping[str, str], notes: Notes) -> None:
    """Say what was put in for what."""
    words = {"x": "the inputs it is handed", "y": "the targets", "rows": "the number of samples"}
    for name, what in wanted.items():
        notes.add(f"{name}, which the file loads, was replaced by the batch: {words[what]}")
