"""What a setting declares: its default, its limit, the words of its option, and what uses it."""

from __future__ import annotations

from dataclasses import Field, dataclass, field
from typing import Any, TypeVar

from compare.contracts.limits import Limit

NETWORK, LOSS = "data and network", "what is minimised"
TRAINING, MACHINE = "training", "machine"
"""The groups of options in --help."""
TRAIN, POINT, STEP = "training", "check", "step"
DUMP, STARTER, LAYER = "dump", "starter", "layer"
"""What a setting can be used by: a training, a check at probe points, the check of a `step` beside
it, a dump, an assignment, a layer. A setting given to anything else is named as not used."""

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class Setting:
    """What a field of `Experiment` declares besides its default."""

    limit: Limit
    group: str
    help: str
    used_by: frozenset[str]
    metavar: str | None
    default_said: str | None


def setting(
    default: Value,
    limit: Limit,
    group: str,
    help: str,
    *,
    used_by: tuple[str, ...] = (TRAIN,),
    metavar: str | None = None,
    default_said: str | None = None,
) -> Value:
    """Declare a field: its default, its limit, and its option's group and help.

    `default_said` stands in the help where the default's own name would not say enough.
    """
    declared = Setting(limit, group, help, frozenset(used_by), metavar, default_said)
    made: Any = field(default=default, metadata={"setting": declared})
    return made  # type: ignore[no-any-return]  # a dataclass replaces the field by its default


def setting_of(declared: Field[Any]) -> Setting:
    """Return what a field of `Experiment` declares."""
    found: Setting = declared.metadata["setting"]
    return found
