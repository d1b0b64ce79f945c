"""One point of a layer, analysed: the right numbers, what rounding allows, what nobody can say.

The plain reference is run beside the pass. Where the pass does not return its numbers, it analysed
another program, and nothing may be said from it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from compare.contracts.arrays import Arrays
from compare.layers.analysis import Analysis
from compare.layers.formats import FORMATS, LAMBDA
from compare.layers.program import Program, Tensors, as_written
from compare.layers.seen import SEEN, hidden
from compare.layers.shaken import with_spread
from compare.layers.walk import KeptWide

SAME = 1e-6
"""Part of an allowance by which pass and plain program may differ, in the formats below float64."""


@dataclass(frozen=True)
class Analysed:
    """`reference` and `allowances` by tensor, float64. `doubt`: why nothing can be said, if so.

    `unruled` are operations without a rule: what follows from them accuses nobody. `steps` and
    `decisions` are how many operations were met, and how many of them chose.
    """

    reference: Arrays
    allowances: Arrays
    doubt: str | None = None
    unruled: tuple[str, ...] = ()
    overflowing: tuple[str, ...] = ()
    steps: int = 0
    decisions: int = 0


def walked(
    program: Program, inputs: Tensors, dy: Tensors | None, judged: str
) -> tuple[Analysis, Tensors, Tensors]:
    """Return the pass, its results, and their allowances."""
    form = FORMATS[judged]
    analysis = Analysis(form)
    with as_written():
        given = {k: analysis.leaf(t) if t.dtype is torch.float64 else t for k, t in inputs.items()}
        seeds = None if dy is None else {k: analysis.leaf(t) for k, t in dy.items()}
        with analysis, analysis.functions:
            found = program.run(given, seeds)
    scale = LAMBDA * form.sides**0.5
    allowances = {name: scale * analysis.sigma(t) for name, t in found.items()}
    return analysis, found, allowances


def analyse(program: Program, inputs: Tensors, dy: Tensors | None, judged: str) -> Analysed:
    """Run the reference plainly and under the pass, at one point, for one format."""
    with as_written(), KeptWide():  # type: ignore[no-untyped-call]  # torch's own has no types
        plain = program.run(inputs, dy)
    analysis, found, allowances = walked(program, inputs, dy, judged)
    checked = allowances
    if strays(analysis, plain, found, allowances):
        checked = with_spread(program, inputs, dy, judged, allowances, plain)
    return Analysed(
        {name: t.numpy() for name, t in plain.items()},
        {name: t.numpy() for name, t in allowances.items()},
        doubt(analysis, plain, found, checked)
        or blind(analysis, plain, found, allowances, checked),
        tuple(sorted(analysis.unruled)),
        tuple(sorted(analysis.overflowing)),
        analysis.steps,
        len(analysis.decisions),
    )


def doubt(analysis: Analysis, plain: Tensors, found: Tensors, allowances: Tensors) -> str | None:
    """Return why this pass tells nothing, or None."""
    if analysis.random:
        drawn = ", ".join(sorted(analysis.random))
        return f"the reference draws random numbers ({drawn}); give the mask as an input"
    for name, right in plain.items():
        if not bool(torch.isfinite(right).all()):
            return f"the reference is not finite in {name}"
    astray = strays(analysis, plain, found, allowances)
    return f"the analysis does not reproduce the reference's own {astray[0]}" if astray else None


def blind(
    analysis: Analysis, plain: Tensors, found: Tensors, before: Tensors, wider: Tensors
) -> str | None:
    """Return why a pass that is off by the spread of the roundings alone tells nothing, or None.

    A difference of the promised size may be that of another program.
    """
    part = part_of(analysis)
    for name in strays(analysis, plain, found, before):
        off = (found[name] - plain[name]).abs()
        arrays = (off, plain[name], part * before[name], part * wider[name])
        if hidden(*(t.numpy() for t in arrays))[0] > SEEN[analysis.format.name]:
            return f"roundings grow so far in {name} that the analysis cannot be told from another"
    return None


def part_of(analysis: Analysis) -> float:
    """Return the part of an allowance by which pass and plain program may differ."""
    return 1.0 if analysis.format.name == "float64" else SAME


def strays(analysis: Analysis, plain: Tensors, found: Tensors, allowances: Tensors) -> list[str]:
    """Return the finite tensors of the plain program that the pass does not reproduce."""
    part = part_of(analysis)
    return [
        name for name, right in plain.items()
        if bool(torch.isfinite(right).all())
        and bool(((found[name] - right).abs() > part * allowances[name]).any())
    ]  # fmt: skip


def wider_allowances(
    program: Program,
    inputs: Tensors,
    dy: Tensors | None,
    judged: str,
    allowances: Arrays,
    manual: Arrays,
) -> Arrays:
    """Return the allowances with the spread of the reference rounded at random."""
    known = {n: torch.from_numpy(np.asarray(a)) for n, a in allowances.items()}
    observed = {n: torch.from_numpy(np.asarray(a, dtype=np.float64)) for n, a in manual.items()}
    wider = with_spread(program, inputs, dy, judged, known, observed)
    return {name: t.numpy() for name, t in wider.items()}


def as_tensors(arrays: Arrays) -> Tensors:
    """Return the arrays as torch's: floating ones in float64, others as they are."""
    return {
        name: torch.from_numpy(np.array(a, dtype=np.float64 if a.dtype.kind == "f" else a.dtype))
        for name, a in arrays.items()
    }
