"""One point of a layer, analysed: the right numbers, what rounding allows, what nobody can say.

The plain reference is run beside the pass. Where the pass does not return its numbers, it analysed
another program, and nothing may be said from it.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import torch

from compare.contracts.arrays import Arrays
from compare.layers.analysis import Analysis
from compare.layers.formats import FORMATS, LAMBDA
from compare.layers.program import Program, Tensors, as_written
from compare.layers.shaken import spread_as_a_whole, with_spread
from compare.layers.walk import KeptWide

SAME = 1e-6
"""Part of an allowance by which pass and plain program may differ, in the formats below float64."""


@dataclass(frozen=True)
class Analysed:
    """`reference` and `allowances` by tensor, float64. `doubt`: why nothing can be said, if so.

    `unruled` are operations without a rule: what follows from them accuses nobody. `ties` counts
    the decisions that rounding could have turned.
    """

    reference: Arrays
    allowances: Arrays
    doubt: str | None = None
    unruled: tuple[str, ...] = ()
    overflowing: tuple[str, ...] = ()
    unused: tuple[str, ...] = field(default=())


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
    analysis, found, allowances = walk = walked(program, inputs, dy, judged)
    if strays(analysis, plain, found, allowances):
        allowances = with_spread(program, inputs, dy, judged, walk, plain)
    return Analysed(
        {name: t.numpy() for name, t in plain.items()},
        {name: t.numpy() for name, t in allowances.items()},
        doubt(analysis, plain, found, allowances),
        tuple(sorted(analysis.unruled)),
        tuple(sorted(analysis.overflowing)),
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


def strays(analysis: Analysis, plain: Tensors, found: Tensors, allowances: Tensors) -> list[str]:
    """Return the finite tensors of the plain program that the pass does not reproduce."""
    part = 1.0 if analysis.format.name == "float64" else SAME
    return [
        name for name, right in plain.items()
        if bool(torch.isfinite(right).all())
        and bool(((found[name] - right).abs() > part * allowances[name]).any())
    ]  # fmt: skip


def wider_allowances(
    program: Program, inputs: Tensors, dy: Tensors | None, judged: str, manual: Arrays
) -> Arrays:
    """Return the allowances with the spread of the reference rounded at random."""
    walk = walked(program, inputs, dy, judged)
    observed = {n: torch.from_numpy(np.asarray(a, dtype=np.float64)) for n, a in manual.items()}
    wider = with_spread(program, inputs, dy, judged, walk, observed)
    return {name: t.numpy() for name, t in wider.items()}


def whole_spread(
    program: Program, inputs: Tensors, dy: Tensors | None, judged: str
) -> dict[str, float]:
    """Return by tensor the relative error that it may have as a whole."""
    analysis, found, _ = walked(program, inputs, dy, judged)
    script = [decision.found for decision in analysis.decisions]
    return spread_as_a_whole(program, inputs, dy, judged, script, found)


def as_tensors(arrays: Arrays) -> Tensors:
    """Return the arrays as torch's: floating ones in float64, others as they are."""
    return {
        name: torch.from_numpy(np.array(a, dtype=np.float64 if a.dtype.kind == "f" else a.dtype))
        for name, a in arrays.items()
    }
