"""The names of mistakes: what, changed in the reference, reproduces the manual numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from compare.contracts.result import Diagnosis
from compare.layers.judged import Judged
from compare.layers.program import Program


@dataclass(frozen=True)
class Named:
    """What was proved by reproduction, and plain facts where nothing was."""

    diagnosis: tuple[Diagnosis, ...] = ()
    facts: tuple[str, ...] = ()
    prediction: tuple[str, Any] | None = None


def name_mistake(program: Program, judged: Judged, timeout: float | None) -> Named:
    return Named()
