"""The probes of a diagnosis and the passes at them, made once for all tests of a process.

Points and passes do not depend on what the code under test computes, only the comparison with them
does: so a mistake that was tried in one test need not be computed again in the next. A point is
handed out as copies of its arrays, and no pass writes to it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from compare.diagnosis import gradients, match
from compare.textbook import Pass, Point

DRAW = gradients.probes
Drawn = list[tuple[str, Point]]
PROBES: dict[tuple[Any, ...], Drawn] = {}
PASSES: dict[int, Pass] = {}
"""The right pass of every shared point, by the identity of the point."""


def drawn_once(sizes: Sequence[int], **options: Any) -> Drawn:
    """Return the probes of these sizes and options, the same objects each time."""
    key = (tuple(sizes), *(f"{name}={option}" for name, option in sorted(options.items())))
    if key not in PROBES:
        PROBES[key] = DRAW(sizes, **options)
        PASSES.update({id(point): Pass(point) for _, point in PROBES[key]})
    return PROBES[key]


def pass_at(point: Point) -> Pass:
    """Return the right pass at a point, the same one each time the point is a shared one."""
    return PASSES.get(id(point)) or Pass(point)


def share(monkeypatch: Any) -> None:
    """Let a diagnosis use the shared probes and passes."""
    monkeypatch.setattr(gradients, "probes", drawn_once)
    monkeypatch.setattr(match, "Pass", pass_at)
