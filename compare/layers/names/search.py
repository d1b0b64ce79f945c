"""The search for a name: single tensors first, then changed forward passes, then backward slips."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from compare.contracts.result import Diagnosis
from compare.layers.analysed import as_tensors
from compare.layers.child import Crashed, in_child
from compare.layers.formats import FORMATS
from compare.layers.judged import Judged
from compare.layers.names.backward import results_of, slips
from compare.layers.names.forward import Change, changed_program, changes, sentence
from compare.layers.names.friendly import COUNT, Names
from compare.layers.names.match import Match, factor_named, slack_of
from compare.layers.names.single import TIMES, shown_by
from compare.layers.names.tape import Tape, record
from compare.layers.names.values import made_forward, others, readings
from compare.layers.program import Program, Tensors, as_written

SECONDS = 2.5
"""For each of the two searches: what is not found by then is not named."""
FURTHER = 0.5
"""So much longer once there is one: for those that no number tells apart from it."""
MOST_NAMES = 3
BOTH = ("omitted", "correction", "scaled", "axes")
"""Changes of a value: a backward pass that computes it anew may have them for itself."""


@dataclass(frozen=True)
class Named:
    """What was proved by reproduction, and plain facts where nothing was."""

    diagnosis: tuple[Diagnosis, ...] = ()
    facts: tuple[str, ...] = ()
    prediction: tuple[str, NDArray[Any]] | None = None


@dataclass(frozen=True)
class Found:
    """A changed program that gives the manual numbers; `factors`: how many it needs besides."""

    kind: str
    sentence: str
    results: Tensors
    factors: int = 0


def name_mistake(program: Program, judged: Judged, timeout: float | None) -> Named:
    """Return the mistakes that reproduce the manual numbers at a point, at most three."""
    match = match_of(judged)
    wrong = [name for name in judged.wrong if name not in judged.missing]
    if judged.missing or not wrong or match is None:
        return Named()
    singles = {name: shown_by(match, name) for name in wrong}
    before = max((c.worst.ratio for c in judged.compared.values()), default=float("inf"))
    found: list[Found] = []
    certain = len(wrong) == 1 and is_cause(singles[wrong[0]])
    if not judged.misshapen and not certain:
        found = searched(program, judged, match, timeout)
    if not found and all(is_cause(said) for said in singles.values()):
        texts = [said for said in singles.values() if said is not None]
        return Named(diagnosis=(diagnosis("tensor", "; ".join(texts), before, ()),))
    facts = tuple(said for said in singles.values() if said is not None)
    if not found:
        return Named(facts=facts)
    first, *others = found
    also = tuple(other.sentence for other in others)
    shown = next((name for name in wrong if np.ndim(judged.manual[name])), None)
    prediction = None if shown is None else ("with the mistake", first.results[shown].numpy())
    return Named((diagnosis(first.kind, first.sentence, before, also),), (), prediction)


def diagnosis(kind: str, text: str, before: float, also: tuple[str, ...]) -> Diagnosis:
    """Return a diagnosis; what reproduces the numbers does so within an allowance of its own."""
    return Diagnosis(kind, text, ratio_before=before, ratio_after=1.0, also=also)


def is_cause(said: str | None) -> bool:
    """Return whether a clause names a slip, and not only a factor that nobody can place."""
    return said is not None and " is due" not in said and not said.endswith(TIMES)


def match_of(judged: Judged) -> Match | None:
    """Return what a changed program is held against; None where numbers are not finite."""
    analysed = judged.surveyed.analysed
    manual = {
        n: torch.from_numpy(np.asarray(a, dtype=np.float64)) for n, a in judged.manual.items()
    }
    if not all(bool(torch.isfinite(t).all()) for t in manual.values()):
        return None
    shapes = {name: np.shape(value) for name, value in judged.point.inputs.items()}
    return Match(
        {name: torch.from_numpy(np.asarray(a)) for name, a in analysed.reference.items()},
        manual,
        {name: torch.from_numpy(np.asarray(a)) for name, a in analysed.allowances.items()},
        FORMATS[judged.point.format].unit,
        shapes | dict(judged.surveyed.outputs),
        as_tensors(judged.point.inputs),
        slack_of(max((c.worst.ratio for c in judged.compared.values()), default=float("inf"))),
    )


def searched(program: Program, judged: Judged, match: Match, timeout: float | None) -> list[Found]:
    """Search both passes, in a child process; the simplest explanations first."""
    point = judged.point

    def work() -> list[Found]:
        inputs = as_tensors(point.inputs)
        dy = None if point.dy is None else as_tensors(point.dy)
        tape = record(program, inputs, dy)
        counted = in_counts(tape, match)
        if counted is not None:
            return [counted]
        found = list(in_forward(program, tape, match, inputs, dy))
        for further in (in_values, in_backward, in_tensors):
            if not any(one.factors == 0 for one in found):
                found += further(tape, match)
        least = min((one.factors for one in found), default=0)
        best = [one for one in found if one.factors == least]
        unique = {one.sentence: one for one in best}.values()
        return sorted(unique, key=plainness)[:MOST_NAMES]

    try:
        return in_child(work, timeout)
    except Crashed:
        return []


def plainness(one: Found) -> tuple[bool, int]:
    """Order explanations: what is left out before a mere factor, then the shorter sentence."""
    return one.kind == "factor", len(one.sentence)


def in_forward(
    program: Program, tape: Tape, match: Match, inputs: Tensors, dy: Tensors | None
) -> Iterator[Found]:
    """Yield the changed forward passes whose derivatives are the manual numbers."""
    end = time.monotonic() + SECONDS
    names = Names(tape)
    for change in changes(tape, names):
        if time.monotonic() > end:
            return
        try:
            with as_written():
                results = changed_program(program, tape, change, inputs, dy)
        except (RuntimeError, IndexError):
            continue  # a change that no program can have, of shapes that do not fit
        if any(results[name].shape != right.shape for name, right in match.right.items()):
            continue
        if match.changes_nothing(results):
            continue
        text = sentence(tape, names, change)
        scaled = scaled_path(tape, names, match, change, results) if change.linear else None
        if scaled is not None:
            end = min(end, time.monotonic() + FURTHER)
            yield scaled
        elif (factors := left_over(match, results)) is not None:
            end = min(end, time.monotonic() + FURTHER) if not factors else end
            beside = "".join(f", and {factor}" for factor in factors)
            yield Found(change.kind, text + beside, results, len(factors))
        elif change.kind in BOTH and match.reproduces(mixed := backward_only(tape, match, results)):
            end = min(end, time.monotonic() + FURTHER)
            yield Found(change.kind, f"in the backward pass alone {text}", mixed)


def in_counts(tape: Tape, match: Match) -> Found | None:
    """Return the number of entries that count, which a mean was or was not divided by."""
    names, results, texts = Names(tape), dict(match.right), []
    counts = {
        float(tape.values[number]): names.noun(number)
        for step in tape.steps[: tape.boundary] for number in step.outs
        if number >= 0 and names.noun(number) == COUNT
    }  # fmt: skip
    for name in match.right if counts else ():
        manual, right = match.manual[name], match.right[name]
        if match.near(name, manual, right):
            continue
        if manual.shape != right.shape or not bool(right.any()):
            return None
        c = float((manual * right).sum() / (right * right).sum())
        said = next((said for due, said in count_factors(counts, match.shapes)
                     if abs(c - due) < 1e-6 * abs(due)), None)  # fmt: skip
        if said is None or not match.near(name, manual, c * right, max(1.0, abs(c))):
            return None
        texts.append(f"{name} is {said}")
        results[name] = c * right
    return Found("tensor", "; ".join(texts), results) if texts else None


def count_factors(
    counts: Mapping[float, str], shapes: Mapping[str, Sequence[int]]
) -> Iterator[tuple[float, str]]:
    """Yield the factors of a mean that is taken over another number of entries, or is a sum."""
    for k, noun in counts.items():
        if k < 2:
            continue
        yield k, f"multiplied by {k:g}, {noun}"
        yield 1 / k, f"divided by {k:g}, {noun}, once too often"
        for of, shape in shapes.items():
            for axis, n in enumerate(shape):
                if n != k and n > 1:
                    yield (
                        k / n,
                        f"divided by {n}, the length of axis {axis} of {of}, in place of "
                        f"{k:g}, {noun}",
                    )


def in_values(tape: Tape, match: Match) -> Iterator[Found]:
    """Yield the other numbers of the forward pass that give the manual numbers."""
    end = time.monotonic() + SECONDS
    with torch.no_grad(), as_written():
        for other in others(tape, Names(tape)):
            if time.monotonic() > end:
                return
            try:
                for results, said in readings(tape, other):
                    if not match.changes_nothing(results) and match.reproduces(results):
                        yield Found("value", said, results)
                        break
            except (RuntimeError, IndexError):
                continue


def in_tensors(tape: Tape, match: Match) -> Iterator[Found]:
    """Yield the value of the forward pass that a gradient has once too often, or not at all."""
    names = Names(tape)
    wrong = [n for n in match.right if not match.near(n, match.manual[n], match.right[n])]
    values = {out: tape.values[out] for step in tape.steps[: tape.boundary] for out in step.outs
              if out >= 0 and tape.values[out].is_floating_point()}  # fmt: skip
    for number, value in values.items():
        if value.numel() < 2 or not bool(torch.isfinite(value).all()):
            continue
        for said, power in (("{} is multiplied by {} once too often", 1),
                            ("in {} the factor {} is missing", -1)):  # fmt: skip
            results = dict(match.right)
            for name in wrong:
                factor = spread(value, match.right[name])
                if factor is None or match.manual[name].shape != match.right[name].shape:
                    break
                if not bool(factor.all()) or int((factor != 1).sum()) < factor.numel() / 2:
                    break  # one entry that is off has some such factor by chance
                results[name] = match.right[name] * factor**power
            else:
                if match.reproduces(results):
                    noun = names.noun(number)
                    yield Found("tensor", "; ".join(said.format(n, noun) for n in wrong), results)


def spread(value: Tensor, onto: Tensor) -> Tensor | None:
    """Return a value spread over a tensor's shape: by broadcasting, or over its leading axes."""
    try:
        return value.expand(onto.shape)
    except RuntimeError:
        pass
    if value.numel() and onto.numel() % value.numel() == 0:
        return value.reshape(-1, 1).expand(-1, onto.numel() // value.numel()).reshape(onto.shape)
    return None


def backward_only(tape: Tape, match: Match, results: Tensors) -> Tensors:
    """Return the right outputs beside the gradients of a changed program."""
    made = made_forward(tape)
    return results | {n: match.right[n] for n, number in tape.results.items() if number in made}


def left_over(match: Match, results: Tensors) -> list[str] | None:
    """Return the factors that single tensors still need; None if something else is left."""
    factors = []
    for name in match.right:
        if match.near(name, match.manual[name], results[name]):
            continue
        found = match.factor(name, results[name])
        if found is None or found[1] is None:
            return None
        factors.append(f"{name} is {found[1]}")
    return factors if len(factors) < len(match.right) - 1 else None


def scaled_path(
    tape: Tape, names: Names, match: Match, change: Change, cut: Tensors
) -> Found | None:
    """Return the path that is not cut but multiplied: the gradient is linear in what flows there.

    With g the right gradient and g0 that without the path, c times the path gives g0 + c (g - g0).
    """
    path = {name: right - cut[name] for name, right in match.right.items()}
    weight = {name: 1 / a.clamp_min(1e-3 * float(a.max()) + 1e-300) ** 2
              for name, a in match.allowances.items()}  # fmt: skip
    above = sum(float(((match.manual[n] - cut[n]) * path[n] * weight[n]).sum()) for n in path)
    below = sum(float((path[n] ** 2 * weight[n]).sum()) for n in path)
    if below <= 0 or abs(c := above / below) < 1e-6:
        return None
    results = {name: cut[name] + c * path[name] for name in path}
    text = factor_named(c, match.shapes, 1e-9 + 1e3 * match.unit)
    if text is None or not match.reproduces(results):
        return None
    step = tape.steps[change.at]
    through = step.args[change.argument] if change.kind == "edge" else None
    part = change.other if change.kind == "part" and isinstance(change.other, int) else 0
    noun = names.noun(step.outs[part] if through is None else through.number)
    inside = "" if through is None else f" in {names.noun(step.outs[0])}"
    said = f"what flows back through {noun}{inside} is {text}"
    return Found("factor", said + names.place(step), results)


def in_backward(tape: Tape, match: Match) -> Iterator[Found]:
    """Yield the slips of the backward pass that give the manual numbers."""
    end = time.monotonic() + SECONDS
    names = Names(tape)
    with torch.no_grad(), as_written():
        generator = slips(tape, names)
        while time.monotonic() < end:
            try:
                slip = next(generator, None)
                if slip is None:
                    return
                results = results_of(tape, slip)
            except (RuntimeError, IndexError):
                continue
            if any(results[name].shape != right.shape for name, right in match.right.items()):
                continue
            if match.reproduces(results):
                yield Found("backward", slip.sentence, results)
