"""One changed step of the forward pass, and a step as it is met when the program is run again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from torch import Tensor

from compare.layers.names.moments import Terms
from compare.layers.names.tape import Step

BUT_FIRST, BUT_LAST = "but the first", "but the last"
"""At which steps of a loop a change is made, if not at all of them."""


@dataclass(frozen=True)
class Change:
    """One changed step: `kind`, of the argument at `argument`, with `other` (a value or a word).

    `also`: steps of a loop that are changed with it; `steps` says which. `apart`: in which shape a
    value has the `axes`, if in another one.
    """

    at: int
    kind: str
    argument: int = 0
    other: int | str | Step | tuple[Step, Step] | None = None
    linear: bool = False
    axes: tuple[int, ...] = ()
    apart: tuple[int, ...] = ()
    factor: float = 1.0
    also: tuple[int, ...] = ()
    steps: str = ""
    terms: Terms | None = None


class Here(NamedTuple):
    """A step as it is met: its arguments with their values, and all values by number.

    `recorded`: as the reference made them; `live`: as they are made now.
    """

    step: Step
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    recorded: Sequence[Tensor]
    live: Mapping[int, Any]

    def run(self) -> Any:
        """Run the step as it is."""
        return self.step.func(*self.args, **self.kwargs)

    def run_with(self, at: int, value: Any) -> Any:
        """Run the step with another argument in one place."""
        return self.step.func(*replaced(self.args, at, value), **self.kwargs)


def replaced(args: Any, at: int, value: Any) -> Any:
    """Return arguments with one of them replaced."""
    return tuple(value if number == at else argument for number, argument in enumerate(args))
