"""Clipping that was not declared: of all gradients together, of each by itself, of entries.

The first wrong update tells by how much its gradients were shortened, if the buffers before it are
known: its step stands between the one without gradients and the one with all of them. What that
makes of the bound must make every other update right as well, those of short gradients too.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise, product

import numpy as np

from compare.allowance.arithmetic import quiet
from compare.checks.clipping import GUARD, Clipping, norm_of
from compare.checks.optimiser_step import OptimiserStep
from compare.contracts.arrays import Float
from compare.contracts.experiment import Experiment
from compare.contracts.result import Diagnosis
from compare.diagnosis.clipped import EachClipped
from compare.diagnosis.identity import Asked, Buffered, Unfolded, Walked, unfolded, worst
from compare.diagnosis.track import Recorded
from compare.mistakes.fits import rounded
from compare.mistakes.mistake import Mistake
from compare.textbook.pair import exact

Piece = tuple[Walked, Buffered]
"""Consecutive records, and the buffers before their first update."""
MOST_TRIED = 1 << 17
"""Entries of all gradients up to which every bound is tried."""
ADDED = (0.0, GUARD, 1e-8)
"""What people add to the norm."""
BOUNDS = tuple(
    float(f"{digits}e{power}")
    for power, digits in product((0, -1, 1, -2, -3, 2), (1, 5, 2, 2.5, 3, 4, 1.5, 6, 7.5, 8))
)
"""Bounds that people type, for an update that is not linear in its gradient."""

TOGETHER = Mistake(
    "gradients-clipped", "gradients clipped to a norm of {0:.4g}, which was not declared",
    "The gradients are clipped before the update: scaled down to a norm of {0:.4g}, taken over "
    "all of them together. `--clip-norm {0:.4g}` declares it.",
    "g = g * min(1, c / norm)", convention=True,
)  # fmt: skip
ENTRIES = Mistake(
    "gradients-clipped", "gradients clipped at {0:.4g}, which was not declared",
    "Every entry of the gradients is held between -{0:.4g} and {0:.4g} before the update. "
    "`--clip-value {0:.4g}` declares it.",
    "g = np.clip(g, -c, c)", convention=True,
)  # fmt: skip
ALONE = Mistake(
    "gradients-clipped-each",
    "each gradient clipped to a norm of {0:.4g}, which was not declared",
    "Every gradient is scaled down to a norm of {0:.4g} by itself before the update. "
    "`--clip-norm` declares clipping, but by the norm of all gradients together.",
    "g = g * min(1, c / np.linalg.norm(g))",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Shortened:
    """A clipping that makes all updates right."""

    mistake: Mistake
    bound: float
    before: float
    after: float

    @property
    def diagnosis(self) -> Diagnosis:
        """What the user reads."""
        return Diagnosis(
            mistake=self.mistake.name,
            sentence=self.mistake.sentence,
            ratio_before=self.before,
            ratio_after=self.after,
            constant=self.bound,
            title=self.mistake.title,
        )


def typed(constant: float) -> bool:
    """Return whether a constant has no more digits than people type."""
    return constant == float(f"{constant:.2e}")


@quiet
def shortened(chains: Sequence[Walked], declared: Experiment) -> Shortened | None:
    """Return the clipping that makes all these updates right; None if none does.

    `chains` are stretches of consecutive records, right updates among them. A bound of many digits
    has to shorten two updates: what shortens one may be any factor.
    """
    step = OptimiserStep.of(replace(declared, clip_norm=None, clip_value=None))
    pieces = [piece for chain in chains for piece in known(step, chain)]
    if not pieces:
        return None
    before = [ratio_of(step, [piece]) for piece in pieces]
    if max(before) <= 1 or any(ratio_of(one, pieces) <= 1 for one in declared_forms(declared)):
        return None  # a declared clipping is left out, or right: what is wrong is a buffer
    first = pieces[next(index for index, one in enumerate(before) if one > 1)]
    for mistake, bound, clipping in guesses(step, *first):
        candidate = replace(step, clipping=clipping)
        if not ratio_of(candidate, pieces, smallest=True) <= 1:
            continue
        after = ratio_of(candidate, pieces)
        if after <= 1 and (typed(bound) or touched(clipping, pieces) > 1):
            whole = touched(clipping, pieces) == sum(len(walked) - 1 for walked, _ in pieces)
            said = worded(mistake, bound, declared if whole else None)
            return Shortened(said, bound, max(before), after)
    return None


def declared_forms(declared: Experiment) -> Iterator[OptimiserStep]:
    """Yield the declared update in the forms of clipping by norm."""
    for guard in ADDED:
        yield Asked(declared, guard).right


def worded(mistake: Mistake, bound: float, declared: Experiment | None) -> Mistake:
    """Return a mistake with its bound in its words.

    `declared`: where every gradient is longer than another bound that was declared, a learning rate
    does the same to gradient descent.
    """
    title, sentence = mistake.title.format(bound), mistake.sentence.format(bound)
    if declared is not None and declared.clip_norm and declared.optimiser == "sgd":
        rate = f"a learning rate of {bound / declared.clip_norm:.4g} times the declared one"
        title = f"{title}, or {rate}"
        sentence = f"{sentence} ({rate[0].upper()}{rate[1:]} does the same: all are longer.)"
    return replace(mistake, title=title, sentence=sentence)


def known(step: OptimiserStep, chain: Walked) -> Iterator[Piece]:
    """Yield the updates of a chain whose buffers are known: each by itself where they were
    recorded, else all of them, from the first update on."""
    starts = [recorded(step, one) for one in chain]
    for number, (start, pair) in enumerate(zip(starts, pairwise(chain), strict=False)):
        if start is not None:
            yield pair, start
        elif number == 0 and pair[0].update == 0:
            yield chain, {}
            return


def recorded(step: OptimiserStep, record: Recorded) -> Buffered | None:
    """Return the buffers before an update, in torch's form; None where they were not recorded."""
    keys = [key for key in step.keys(record.parameters) if key != "t"]
    if not all(key in record.state for key in keys):
        return None
    scale = step.at(getattr(record, "learning_rate", None)).scale or 1.0
    if record.update == 0 and not any(record.state[key].any() for key in keys):
        return {}
    found: Buffered = {name: {} for name in record.parameters}
    for key in keys:
        prefix, _, name = key.partition("_")
        array = record.state[key]
        found[name][prefix] = exact(array, array.dtype) / scale
    return found


def ratio_of(step: OptimiserStep, pieces: Sequence[Piece], *, smallest: bool = False) -> float:
    """Return the worst ratio of all updates, or of their smallest parameter."""
    shapes = pieces[0][0][0].parameters
    names = [min(shapes, key=lambda name: shapes[name].size)] if smallest else list(shapes)
    return max(worst(step, walked, names, start=start, shown=True) for walked, start in pieces)


def touched(clipping: Clipping, pieces: Sequence[Piece]) -> int:
    """Return how many updates a clipping changes."""
    records = [record for walked, _ in pieces for record in walked[:-1]]
    return sum(
        any((pair.value != one.gradients[name]).any() for name, pair in made.items())
        for one in records
        for made in (clipping.pairs(one.gradients),)
    )


def guesses(
    step: OptimiserStep, walked: Walked, start: Buffered
) -> Iterator[tuple[Mistake, float, Clipping]]:
    """Yield what the first wrong of these updates may have been clipped by."""
    for number, moment in enumerate(
        unfolded(step, walked, list(walked[0].parameters), start, shown=True)
    ):
        if moment.ratio > 1:
            before, after = walked[number], walked[number + 1]
            break
    else:
        return
    steps = {name: Line.of(moment, before, after, name) for name in before.parameters}
    if not all(steps.values()):
        entries = sum(g.size for g in before.gradients.values())
        for bound in BOUNDS if entries <= MOST_TRIED else ():
            yield from of_bound(bound)
        return
    lines = {name: line for name, line in steps.items() if line is not None}
    share = sum(one.along for one in lines.values()) / sum(one.square for one in lines.values())
    for guard, bound in product(ADDED, rounded(share * norm_of(before.gradients))):
        yield TOGETHER, bound, Clipping(bound, guard=guard)
    gradients = before.gradients
    largest = max(float(np.abs(one.share * gradients[k]).max()) for k, one in lines.items())
    for bound in rounded(largest):
        yield ENTRIES, bound, Clipping(value=bound)
    name = min(lines, key=lambda name: lines[name].along / lines[name].square)
    alone = lines[name].along / lines[name].square * norm_of({name: gradients[name]})
    for guard, bound in product(ADDED, rounded(alone)):
        yield ALONE, bound, EachClipped(bound, guard=guard)


def share_of(step: OptimiserStep, walked: Walked, start: Buffered) -> float | None:
    """Return by what part of its step the first wrong of these updates moves; None if all are
    right."""
    names = list(walked[0].parameters)
    for number, moment in enumerate(unfolded(step, walked, names, start, shown=True)):
        if moment.ratio > 1:
            before, after = walked[number], walked[number + 1]
            lines = [Line.of_step(moment, before, after, name) for name in names]
            square = sum(one.square for one in lines)
            return sum(one.along for one in lines) / square if square else None
    return None


def of_bound(bound: float) -> Iterator[tuple[Mistake, float, Clipping]]:
    """Yield what may be clipped at a bound."""
    for guard in ADDED:
        yield TOGETHER, bound, Clipping(bound, guard=guard)
    yield ENTRIES, bound, Clipping(value=bound)


@dataclass(frozen=True, slots=True)
class Line:
    """Where an update stands between the one without gradients and the one with all of them."""

    seen: Float
    effect: Float

    @classmethod
    def of(cls, moment: Unfolded, before: Recorded, after: Recorded, name: str) -> Line | None:
        """Return it for one parameter, read off a buffer that was recorded; None where neither
        that nor the parameter is linear in the gradient."""
        step, w, g = moment.step, before.parameters[name], before.gradients[name]
        key = {"sgd": "v", "adam": "m", "adamw": "m", "amsgrad": "m"}.get(step.name, "")
        kept = after.state.get(f"{key}_{name}") if step.keys({name: w}) else None
        if kept is None and step.name != "sgd":
            return None
        ends = []
        for gradient in (np.zeros_like(g), g):
            dw, of = exact(gradient, g.dtype), step.settings_of(name)
            made = step.rule(exact(w, w.dtype), dw, moment.buffers[name], before.update + 1, of)
            ends.append(made[0].value if kept is None else made[1][key].value * step.scale)
        seen = after.parameters[name] if kept is None else kept
        return cls(seen - ends[0], ends[1] - ends[0])

    @classmethod
    def of_step(cls, moment: Unfolded, before: Recorded, after: Recorded, name: str) -> Line:
        """Return where the parameter stands between its place before and that of the full step."""
        step, w = moment.step, before.parameters[name]
        dw, of = step.clipping.pairs(before.gradients)[name], step.settings_of(name)
        made = step.rule(exact(w, w.dtype), dw, moment.buffers[name], before.update + 1, of)[0]
        return cls(np.subtract(after.parameters[name], w, dtype=np.float64), made.value - w)

    @property
    def along(self) -> float:
        """The part of the full effect that was seen."""
        return float((self.seen * self.effect).sum())

    @property
    def square(self) -> float:
        """The full effect."""
        return float((self.effect * self.effect).sum())

    @property
    def share(self) -> Float:
        """How much of each entry of the gradient was taken."""
        return np.where(self.effect == 0, 0.0, self.seen / self.effect)
