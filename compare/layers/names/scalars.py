"""A number that the reference has, taken to be another one: 0.797 for √(2/π), 1e-3 for 1e-5.

Forward, the number is fitted by a few changed runs, each a secant; backward, where what a factor
multiplies is linear in it, one run gives it. The roundest number that reproduces is said.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

import torch

from compare.contracts.digits import two_values
from compare.layers.names.backward import Slip
from compare.layers.names.case import Case
from compare.layers.names.change import Change
from compare.layers.names.explore import backward_only, slipped
from compare.layers.names.friendly import parameter_of
from compare.layers.names.tape import Ref, Step
from compare.layers.names.trial import IN_BACKWARD, Found, between, share, tried
from compare.layers.program import Tensors, as_written

WORDS = {
    "mul": "factor", "div": "divisor", "add": "summand", "sub": "summand", "rsub": "summand",
    "pow": "exponent", "leaky_relu": "slope", "clamp": "bound", "clamp_min": "bound",
    "clamp_max": "bound", "elu": "factor", "softplus": "factor", "hardtanh": "bound",
    "threshold": "bound", "scalar_tensor": "number", "full": "number", "full_like": "number",
}  # fmt: skip
COMPARISONS = ("le", "lt", "ge", "gt", "eq", "ne")
USUAL = (0.0, 0.01, 0.05, 0.1, 0.2, 0.25, 0.3, 0.5, 1.0, 1.5, 2.0, 3.0, 6.0, 10.0)
STEP = 1e-4
ROUNDS = 5
CLOSE = 1e-5
"""A rounder number is tried where it is so close to the fitted one."""
DIGITS = 7
SHORT = 4
"""Digits of a number that somebody writes down in place of another one."""
CUT_SHORT = 1e-2
"""So close to the due number it is that number, with less digits than it has."""


def in_scalars(case: Case) -> Iterator[Found]:
    """Yield the numbers that give the manual numbers when they are another."""
    budget = case.budget()
    tape = case.tape
    yield from repeated_numbers(case)
    for at, step in enumerate(tape.steps[: tape.boundary]):
        for place in numbers(step) if case.reach.by_both(o for o in step.outs if o >= 0) else ():
            found = forward_number(case, at, step, place) if budget.spend() else None
            if found is not None:
                yield found
    with torch.no_grad(), as_written():
        for at in range(tape.boundary, len(tape.steps)):
            step = tape.steps[at]
            if len(step.outs) != 1 or step.outs[0] < 0 or step.several:
                continue
            if case.reach.by_value(step.outs) and budget.spend():
                found = backward_number(case, at, step)
                if found is not None:
                    yield found


def repeated_numbers(case: Case) -> Iterator[Found]:
    """Yield a number that several forward steps have, and that is another usual one in all."""
    tape, places = case.tape, dict[float, list[tuple[int, int]]]()
    for at, step in enumerate(tape.steps[: tape.boundary]):
        for place in numbers(step, also=COMPARISONS):
            value = abs(float(step.args[place]))
            if value not in (0.0, 1.0):
                places.setdefault(value, []).append((at, place))
    for due, found in places.items():
        for value, beside, spread in other_values(case, due, list(places)):
            others = places.get(beside[0], []) if beside else []
            if len(found) + len(others) < 2:
                continue
            new = {at: (place, value) for at, place in found}
            new |= {at: (place, beside[1]) for at, place in others} if beside else {}
            one = reproduced(case, due, value, beside, new, spread)
            if one is not None:
                yield one


def other_values(
    case: Case, due: float, known: list[float]
) -> Iterator[tuple[float, tuple[float, float] | None, str]]:
    """Yield what a number may be taken to be; with it the rest, if `rest + n due = 1`, and why.

    A share that is spread over n entries, and what is left of 1: a mixture, a moving average, a
    smoothed label.
    """
    for n in (1, *sorted(case.names.sizes)):
        rest = next((v for v in known if abs(v + n * due - 1) < 1e-12 and v != due), None)
        beside = rest is not None and due < 0.5
        for value in USUAL if n == 1 or beside else ():
            if value != due:
                yield value, (rest, 1 - n * value) if beside and rest is not None else None, ""
        for over in sorted(case.names.sizes) if beside else ():
            if rest is not None and n in (1, over) and over > 1:
                value = due * over / (over - 1)
                why = f": it is spread over {over} - 1 entries in place of {over}"
                yield value, (rest, 1 - n * value), why


def reproduced(
    case: Case,
    due: float,
    value: float,
    beside: tuple[float, float] | None,
    new: dict[int, tuple[int, float]],
    why: str,
) -> Found | None:
    """Return what another number in several steps explains."""
    only_backward = not any(name in case.match.outputs for name in case.match.wrong)
    results = case.replaced(new)
    if results is None or not case.match.fits(results):
        return None
    if only_backward:
        results = backward_only(case.tape, case.match, results)
    steps = case.tape.steps
    name = next((n for at in new if (n := parameter_of(steps[at], due))), None)
    also = "" if beside is None else f", and {beside[0]:.7g} to be {beside[1]:.7g}"
    said = f"{name or f'the number {due:.7g}'} is taken to be {value:.7g}{also}{why}"
    return tried(case.match, "value", IN_BACKWARD + said if only_backward else said, results)


def numbers(step: Step, also: tuple[str, ...] = ()) -> list[int]:
    """Return the places of numbers among a step's arguments."""
    if step.name not in WORDS and step.name not in also:
        return []
    first = 0 if step.name in ("scalar_tensor", "full", "full_like", "pow") else 1
    return [n for n, a in enumerate(step.args) if n >= first and is_number(a)]


def is_number(argument: object) -> bool:
    """Return whether an argument is a number that is computed with."""
    return isinstance(argument, float | int) and not isinstance(argument, bool)


def forward_number(case: Case, at: int, step: Step, place: int) -> Found | None:
    """Return what a number of the forward pass is taken to be, in both passes or the second."""
    due = float(step.args[place])
    change = Change(at, "scalar", place, factor=due)
    only_backward = not any(name in case.match.outputs for name in case.match.wrong)

    def run(value: float) -> Tensors | None:
        results = case.changed(replace(change, factor=value), nearly=True)
        if results is None or not case.match.fits(results):
            return None
        return backward_only(case.tape, case.match, results) if only_backward else results

    fitted = fit(case, run, due)
    if fitted is None or not is_written(fitted, due):
        return None
    where = IN_BACKWARD if only_backward else ""
    for value in rounder(fitted):
        if case.match.lonely and not is_round(value):
            break  # some number always fits one number
        results = run(value)
        word = "base" if step.name == "pow" and place == 0 else WORDS[step.name]
        taken, _ = two_values(value, due)
        said = (f"{where}the {word} {case.names.part(step.args[place], 0)} in "
                f"{case.names.noun(step.outs[0])} is taken to be {taken}")  # fmt: skip
        found = None if results is None else tried(
            case.match, "value", said + case.names.place(step), results)  # fmt: skip
        if found is not None:
            return found
    return None


def fit(case: Case, run: object, due: float) -> float | None:
    """Return the number that comes closest to the manual numbers, by secants."""
    assert callable(run)
    value, here = due, dict(case.match.right)
    before = distance(case, here)
    for _ in range(ROUNDS):
        step = STEP * abs(value) if value else STEP
        there = run(value + step)
        c = None if there is None else share(case.match, here, there)
        if c is None or not abs(c) < 1e8:
            return None
        value += c * step
        new = run(value)
        if new is None:
            return None
        after = distance(case, new)
        if not after < 0.5 * before:
            return value if after <= before and before < 1 else None
        here, before = new, after
    return value


def distance(case: Case, results: Tensors) -> float:
    """Return how far numbers are from the manual ones, in the wrong tensors, in allowances."""
    worst = 0.0
    for name in case.match.wrong:
        off = (case.match.manual[name] - results[name]).abs() / (
            case.match.allowances[name] + 1e-300
        )
        worst = max(worst, float(off.max()))
    return worst if worst == worst else float("inf")


def is_written(value: float, due: float) -> bool:
    """Return whether somebody writes a number in place of the due one, or it only fits.

    A short one, its reciprocal, its square or root, 1/√n for instance; or the due one cut short.
    """
    if abs(value) < CLOSE or is_cut_short(value, due):
        return True
    if abs(value - due) <= CLOSE * abs(due):
        return False  # whatever form it has is that of the due one
    forms = (1 / value, value * value, 1 / (value * value))
    return is_short(value, SHORT) or any(is_short(form, SHORT - 1) for form in forms)


def is_cut_short(value: float, due: float) -> bool:
    """Return whether a number is the due one with less digits, rounded or broken off."""
    if abs(value - due) > CUT_SHORT * abs(due):
        return False
    for digits in range(1, DIGITS + 1):
        last = 10.0 ** (math.floor(math.log10(abs(due))) + 1 - digits)
        for cut in (round(due / last) * last, math.trunc(due / last) * last):
            if cut != due and abs(cut - value) <= CUT_SHORT * abs(cut - due):
                return True
    return False


def is_round(value: float) -> bool:
    """Return whether a number is exactly one that somebody writes."""
    return value == float(f"{value:.{SHORT - 1}g}")


def is_short(value: float, digits: int) -> bool:
    """Return whether a number has no more than so many digits."""
    return abs(float(f"{value:.{digits}g}") - value) <= CLOSE * abs(value)


def rounder(value: float) -> Iterator[float]:
    """Yield numbers of few digits close to a number, the roundest first, and the number."""
    seen = set()
    for digits in range(1, DIGITS + 1):
        short = float(f"{value:.{digits}g}")
        if short not in seen and abs(short - value) <= CLOSE * abs(value):
            seen.add(short)
            yield short
    if abs(value) < CLOSE:
        yield 0.0
    yield value


def backward_number(case: Case, at: int, step: Step) -> Found | None:
    """Return the factor of what one step of the backward pass makes."""
    out = case.tape.values[step.outs[0]]
    if not out.is_floating_point():
        return None
    zero = slipped(case, Slip(at, (torch.zeros_like(out),), ""))
    c = None if zero is None else share(case.match, zero, case.match.right)
    if zero is None or c is None or abs(c - 1) < 1e-9:
        return None
    found = tried(case.match, "factor", "", between(zero, case.match.right, c))
    text = None if found is None else factor_text(case, at, step, c)
    if found is None or text is None:
        return None
    lead = "" if found.rank else IN_BACKWARD
    return replace(found, sentence=f"{found.sentence}{lead}{text}{case.names.place(step)}")


def share_there(other: Case, at: int) -> float | None:
    """Return the same factor at other shapes."""
    out = other.tape.values[other.tape.steps[at].outs[0]]
    zero = slipped(other, Slip(at, (torch.zeros_like(out),), ""))
    return None if zero is None else share(other.match, zero, other.match.right)


def factor_text(case: Case, at: int, step: Step, c: float) -> str | None:
    """Say what the factor of a step is, or what was made of it."""
    made = case.names.noun(step.outs[0], 1)
    number = step.args[1] if step.name in ("mul", "div") and len(step.args) > 1 else None
    if number is not None and not isinstance(number, Ref):
        if abs(c) < 1e-9:
            return f"{made} is left out"
        fitted = c * number if step.name == "mul" else number / c
        due = case.names.scale(step, number, CLOSE)
        scales = [due, case.names.scale(step, fitted, CLOSE, taken=due is not None)]
        if None not in scales and scales[0] != scales[1]:
            return f"the scale {scales[0]} is taken to be {scales[1]}"
        if not is_written(fitted, number):
            return None
        taken = next(rounder(fitted))
        if case.match.lonely and not is_round(taken):
            return None
        said = f"the {WORDS[step.name]} {case.names.part(number, 0)} of {made}"
        if taken == 1:
            return f"{said} is missing"
        return f"{said} is taken to be {two_values(taken, number)[0]}"
    if abs(c) < 1e-9:
        return f"the gradient does not flow through {made}"
    form = case.form(c, lambda other: share_there(other, at))
    return None if form is None else f"{made} is {form}"
