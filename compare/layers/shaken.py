"""The reference rounded at random: what its own arithmetic does to its numbers, taken together.

Squares of errors add as if every entry's error were its own: of `e U` they are `V (U ∘ U)`. Where a
program feeds its results back, as an unrolled recurrence does, the entries of one step share the
errors of all steps before, and those along the direction that U shrinks least outlive the others.
After t steps they are as large as ρ(U)ᵗ, and by the rule as √ρ(U ∘ U)ᵗ, which for a U of h equal
entries is less by √h in every step: right code is then further off than the rules say. So what
every operation rounds itself is taken down once, the program is run with its decisions kept and
every result moved by that much, and the spread of its results is allowed for as well, wherever
numbers are further off than honest ones are by the rules. No manual number enters. In float64,
which rounds a movement of one rounding away or doubles it, all are moved `AMPLIFIED` times as far.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from compare.checks.comparison import HONEST
from compare.layers.analysis import Analysis
from compare.layers.formats import FORMATS, LAMBDA, Format
from compare.layers.program import Program, Tensors, as_written
from compare.layers.trees import tensors
from compare.layers.walk import Walk
from compare.layers.whole_functions import WholeFunctions

DRAWS = 32
"""So many runs give the spread of an entry; the rules' allowance stays where it is larger."""
STUDENT = 6.2211
"""What an allowance is in place of 5 standard deviations where these come from `DRAWS` runs.

Results move linearly with so many small roundings, so their movements are normal. A normal error is
beyond 5 of its standard deviations once in 1.7 million. Over the root mean square s of n
independent ones of its kind it has Student's distribution with n degrees,
    P(|e| > k s) = 1 - sin a (1 + 1/2 cos² a + ... + (1 3 ... (n - 3)) / (2 4 ... (n - 2)) cosⁿ⁻² a)
with tan a = k / √n, and is as rarely beyond k s for k = 6.22 and n = 32. (Of 8 runs k is 14.2, and
an entry in 950 is beyond 5.)
"""
AMPLIFIED = {"float64": 2.0**9}
"""By judged format: so many times its roundings results are moved, and their spread is divided by
that; 1 in those that float64 has digits for. 2**-44 stays as small as linear movements have to be,
and the roundings of the runs themselves are below a 500th of it.
"""
HOPELESS = {2: 3_200.0, 4: 68.0, 8: 10.0}
"""After so many runs: a difference so many times too large is not brought back by further ones.

These would have to have a spread as many times as large. A mean of n = 2 m squares is below y / m
of the true one with a probability of at most yᵐ / m!: 1e-7 for m = 1 and y = 1e-7, a 3,200th in s;
for m = 2 and y = 0.00045, a 68th; for m = 4 and y = 0.04, a tenth.
"""


class OwnRounding(Analysis):  # type: ignore[no-untyped-call]  # torch's __init_subclass__
    """A pass in which nothing is carried on: `taken` is what every result rounds itself.

    `script` are the decisions, in their order.
    """

    def __init__(self, judged: Format) -> None:
        super().__init__(judged)
        self.taken: list[list[Tensor | None]] = []
        self.script: list[Tensor] = []

    def decide(self, kind: str, found: Tensor, operands: tuple[Any, ...]) -> Tensor:
        self.script.append(found)
        return found

    def leaf(self, x: Tensor) -> Tensor:
        self.take(super().leaf(x))
        return x

    def apart(self, packet: Any, how: Any, args: Any, kwargs: Any) -> Any:
        """Take down also what torch's own formula leaves out."""
        out = super().apart(packet, how, args, kwargs)
        self.take(out)
        return out

    def carry(self, func: Any, args: Any, kwargs: Any, out: Any) -> None:
        super().carry(func, args, kwargs, out)
        self.take(out)

    def copied(self, target: Tensor, source: Any) -> None:
        """What is copied was taken down already."""

    def take(self, out: Any) -> None:
        """Keep the roots of the variances, and forget these: what is met next is exact again."""
        variances = [self.variance(x) for x in tensors(out)]
        self.taken.append([None if v is None else torch.sqrt(v) for v in variances])
        self.held.clear()
        self.bytes = 0


class Shaken(Walk):  # type: ignore[no-untyped-call]  # torch's __init_subclass__
    """The same walk, with every result moved by what was taken down, at once, times `far`."""

    def __init__(self, own: OwnRounding, seed: int, far: float) -> None:
        super().__init__()
        self.far = far
        self.taken = iter(own.taken)
        self.script = iter(own.script)
        self.generator = torch.Generator().manual_seed(seed)

    def decide(self, kind: str, found: Tensor, operands: tuple[Any, ...]) -> Tensor:
        return next(self.script)

    def leaf(self, x: Tensor) -> Tensor:
        """Return an input moved by half a last digit."""
        x = x.clone()
        self.shake(x)
        return x

    def apart(self, packet: Any, how: Any, args: Any, kwargs: Any) -> Any:
        out = super().apart(packet, how, args, kwargs)
        self.shake(out)
        return out

    def carry(self, func: Any, args: Any, kwargs: Any, out: Any) -> None:
        self.shake(out)

    def shake(self, out: Any) -> None:
        """Move results by normal numbers of their own sizes."""
        for x, sigma in zip(tensors(out), next(self.taken), strict=True):
            if sigma is not None:
                x += (
                    self.far * sigma * torch.randn(x.shape, generator=self.generator, dtype=x.dtype)
                )


def one_run(
    program: Program, inputs: Tensors, dy: Tensors | None, walk: OwnRounding | Shaken
) -> Tensors:
    """Run the program once under a walk that enters its inputs."""
    with as_written():
        given = {k: walk.leaf(t) if t.dtype is torch.float64 else t for k, t in inputs.items()}
        seeds = None if dy is None else {k: walk.leaf(t) for k, t in dy.items()}
        with walk, WholeFunctions():
            return program.run(given, seeds)


def runs(
    program: Program, inputs: Tensors, dy: Tensors | None, judged: str
) -> tuple[Tensors, Iterator[Tensors]]:
    """Return the results of the program, and by how much `DRAWS` random roundings move them."""
    own, far = OwnRounding(FORMATS[judged]), AMPLIFIED.get(judged, 1.0)
    found = one_run(program, inputs, dy, own)

    def movement(number: int) -> Tensors:
        moved = one_run(program, inputs, dy, Shaken(own, number, far))
        return {name: (moved[name] - t) / far for name, t in found.items()}

    return found, map(movement, range(1, DRAWS + 1))


def with_spread(
    program: Program,
    inputs: Tensors,
    dy: Tensors | None,
    judged: str,
    allowances: Tensors,
    observed: Tensors,
) -> Tensors:
    """Return the allowances of a pass with the spread; as they are if that cannot do."""
    found, moving = runs(program, inputs, dy, judged)
    squares = {name: torch.zeros_like(t) for name, t in found.items()}
    factor = STUDENT * FORMATS[judged].sides ** 0.5

    def wider(count: int) -> Tensors:
        return {
            name: torch.maximum(allowances[name], factor * torch.sqrt(square / count))
            for name, square in squares.items()
        }

    for number, moved in enumerate(moving, 1):
        for name, t in moved.items():
            squares[name] += t.square().nan_to_num(0.0)
        times = HOPELESS.get(number)
        if times and hopeless(observed, found, allowances, wider(number), times):
            return allowances
    return wider(DRAWS)


def spread_as_a_whole(
    program: Program, inputs: Tensors, dy: Tensors | None, judged: str
) -> dict[str, float]:
    """Return by tensor t how large `<e, t> / <t, t>` may be: of all runs, and of one rounding more.

    That one is of a number that all entries share.
    """
    found, moving = runs(program, inputs, dy, judged)
    squares = dict.fromkeys(found, 0.0)
    for moved in moving:
        for name, t in found.items():
            size = float((t * t).sum())
            whole = float((moved[name] * t).sum()) / size if size > 0 else torch.inf
            squares[name] += whole**2 / DRAWS
    shared = LAMBDA * FORMATS[judged].unit
    return {name: math.hypot(STUDENT * square**0.5, shared) for name, square in squares.items()}


def hopeless(
    observed: Tensors, found: Tensors, allowances: Tensors, wider: Tensors, times: float
) -> bool:
    """Return whether every tensor that is too far off is so `times` over, with these as well.

    Too far off for honest code, that is; where none is, further runs may widen what they like.
    """
    before, after = (ratios(observed, found, each) for each in (allowances, wider))
    far = [name for name, ratio in before.items() if ratio > HONEST]
    return bool(far) and all(after[name] > times for name in far)


def ratios(observed: Tensors, found: Tensors, allowances: Tensors) -> dict[str, float]:
    """Return the largest difference of every tensor that can be compared, in allowances."""
    return {
        n: float(((observed[n] - found[n]).abs() / allowances[n]).nan_to_num(0.0).max())
        for n in allowances
        if n in observed and observed[n].shape == found[n].shape and found[n].numel()
    }
