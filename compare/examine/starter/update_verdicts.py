"""What is said of one update: right, a mistake with its line, or not compared.

The fifth part of judging updates (`loop_steps`). A weight may be updated on several ways through
the code; it is right if it is right on all of them. A way that is wrong where others are right is a
mistake only if a line of its own makes it so.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, replace

from compare.contracts.result import Diagnosis, Verdict
from compare.examine.starter.function_verdict import FunctionVerdict
from compare.examine.starter.update_lines import Line, word
from compare.examine.starter.update_paths import Way
from compare.examine.starter.update_reader import Unread
from compare.examine.starter.update_reading import Update
from compare.examine.starter.update_rules import ASCENT, CHOSEN, Rules, shrinks, sign_turned
from compare.examine.starter.update_schedules import readings
from compare.examine.starter.update_words import is_product, of_gradient
from compare.guard.blame import Place

ADVICE = "write it as step(parameters, gradients, state, *, learning_rate, momentum) for --manual"


def climbs(verdict: FunctionVerdict | None) -> bool:
    """Return whether it is said that an update goes up the gradient."""
    return verdict is not None and any(
        one.mistake == "gradient-ascent" for one in verdict.diagnosis
    )


def is_computed_here(update: Update, way: Way) -> bool:
    """Return whether a gradient is multiplied out on the way, or is a difference under no name of
    a gradient, an error: it may as well be its negative."""
    root = re.split(r"[.\[]", update.gradient)[0]
    values = [line.value for line in (*way.before, *way.lines)
              if line.value is not None and line.key.partition("[")[0] == root]  # fmt: skip
    error = not of_gradient(word(update.gradient)) and any(map(is_difference, values))
    return (
        error or is_product(update.gradient) or any(is_product(ast.unparse(one)) for one in values)
    )


def is_difference(value: ast.expr) -> bool:
    """Return whether one thing is taken off another: a target off a prediction, or that off it."""
    return isinstance(value, ast.BinOp) and isinstance(value.op, ast.Sub)


def about_update(target: Line, where: str) -> FunctionVerdict:
    """Return the verdict on an update, of which nothing is said yet."""
    return FunctionVerdict(
        f"the update of {target.key} {where}", "step", Place(target.file, target.number),
        Verdict.UNDECIDABLE, "",
    )  # fmt: skip


class NoUpdate(Exception):
    """Something that moves a weight, but not by a gradient: a numerical derivative does."""


@dataclass(frozen=True)
class Judged:
    """An update of one weight on one way: the verdict, None where it is right."""

    target: Line
    way: Way
    verdict: FunctionVerdict | None
    origin: str = ""
    gradient: str = ""
    update: Update | None = None

    @property
    def wrong(self) -> bool:
        """Return whether it is a mistake."""
        return self.verdict is not None and self.verdict.verdict is Verdict.DISAGREES

    @property
    def own(self) -> tuple[Line, ...]:
        """Return the lines of the way that give the weight its value."""
        lines = tuple(line for line in self.way.lines if line.key == self.target.key)
        return lines or (self.target,)


def judged(
    target: Line,
    way: Way,
    where: str,
    constants: Mapping[str, float],
    known: Set[str],
    *,
    compared: bool = False,
) -> Judged | None:
    """Judge the update of a weight on one way; None where neither gradient nor rate moves it.

    `compared`: its gradient was, so that it is known which way is up.
    """
    about = about_update(target, where)
    try:
        update, verdict = as_read(about, target, way, constants, known)
        if not compared and climbs(verdict) and is_computed_here(update, way):
            verdict = about.undecided(
                f"was not compared: {update.gradient} may be the gradient or its negative; {ADVICE}"
            )
        if verdict is not None and verdict.verdict is Verdict.UNDECIDABLE:
            parts = in_parts(about, target, way, constants, known)
            verdict = min(parts, key=severity) if parts else verdict
    except NoUpdate:
        return None
    except Unread as problem:
        return Judged(target, way, about.undecided(f"was not compared: {problem}; {ADVICE}"))
    except Exception as problem:  # their lines, on numbers they were not written for
        said = about.undecided(f"was not compared: {type(problem).__name__}; {ADVICE}")
        return Judged(target, way, said)
    return Judged(target, way, verdict, update.origin, update.gradient, update)


def as_read(
    about: FunctionVerdict,
    target: Line,
    way: Way,
    constants: Mapping[str, float],
    known: Set[str],
    *,
    part: bool = False,
) -> tuple[Update, FunctionVerdict | None]:
    """Return an update as it is read, and what is said of it: the reading that is right, else the
    likeliest. A `part` of an update may be a decay alone."""
    said: list[tuple[Update, FunctionVerdict | None]] = []
    problems: list[Exception] = []
    for reading in readings(target, way, constants, known):
        try:
            update = reading.update(constants, known)
            decays = part and not update.gradient and shrinks(update)
            said.append((update, None if decays else verdict_on(about, update)))
        except (Unread, NoUpdate) as problem:
            problems.append(problem)
    if not said:
        raise problems[0]
    return next((one for one in said if one[1] is None), said[0])


def severity(verdict: FunctionVerdict | None) -> int:
    """Return what to say first: a mistake, then what is not compared, then what is right."""
    if verdict is None:
        return 2
    return 0 if verdict.verdict is Verdict.DISAGREES else 1


def in_parts(
    about: FunctionVerdict, target: Line, way: Way, constants: Mapping[str, float], known: Set[str]
) -> list[FunctionVerdict | None]:
    """Judge line by line a weight that is updated by several: a step and a decay, two gradients.

    Empty where two lines take the same gradient: they are one step, or one takes the other back.
    """
    own = [line for line in way.lines if line.key == target.key]
    if len(own) < 2 or target not in own:
        return []
    found: list[FunctionVerdict | None] = []
    origins: list[str] = []
    for one in own:
        alone = replace(way, lines=tuple(x for x in way.lines if x is one or x not in own))
        here = replace(about, place=Place(one.file, one.number))
        update, verdict = as_read(here, one, alone, constants, known, part=True)
        found.append(verdict)
        origins += [update.origin] if update.gradient else []
    return found if len(set(origins)) == len(origins) else []


def verdict_on(about: FunctionVerdict, update: Update) -> FunctionVerdict | None:
    """Hold an update against the rules that are known, and against what they are with their sign
    turned.
    """
    if not update.gradient and not {"rate", "-rate"} & set(update.scalars.values()):
        if update.states and "momentum" in update.scalars.values():
            kept = ", ".join(update.states)
            return about.undecided(f"was not compared: no gradient goes into {kept}; {ADVICE}")
        raise NoUpdate
    found = Rules(update)
    if found.fits and (update.certain or not update.gradient):
        return None
    turned = None if found.named else sign_turned(update)
    upwards = turned is not None and Rules(turned, turned=True).fits
    if (found.fits or found.named or upwards) and not update.certain:
        return about.undecided(
            f"was not compared: whether {update.gradient or 'what it takes'} is a gradient is not"
            f" certain; {ADVICE}"
        )
    if found.named:
        return about_named(about, found.named)
    if upwards:
        return about_named(about, ASCENT)
    known = (
        "form of Adam, RMSprop or Adagrad" if found.adaptive else "gradient descent with momentum"
    )
    return about.undecided(f"is no {known} that is known; {ADVICE}")


def about_named(about: FunctionVerdict, named: Diagnosis) -> FunctionVerdict:
    """Return the verdict with the mistake named; a choice is no other name of it."""
    sentence = f"{named.headline} at {about.place.quoted() if about.place else ''}"
    told = named.sentence.partition(" (Only")[0]
    also = tuple(one for one in named.also if not set(one.split(" + ")) <= CHOSEN)
    return replace(
        about.wrong("value", sentence), diagnosis=(replace(named, sentence=told, also=also),)
    )


def on_all_ways(found: Sequence[Judged]) -> FunctionVerdict | None:
    """Return what is said of a weight that is updated on several ways; None where it is right."""
    open_ = [one.verdict for one in found if one.verdict is not None]
    wrong = [one for one in found if one.wrong]
    right = [one for one in found if one.verdict is None]
    for one in wrong:
        if not right or (is_of_its_own(one, right) and not is_flip(one, right)):
            return one.verdict
    if wrong and wrong[0].verdict is not None:
        said = wrong[0].verdict
        return replace(said, diagnosis=(), kind=None).undecided(
            f"was not compared: it is right on one way through the branches, and on another"
            f" {said.sentence[:1].lower()}{said.sentence[1:]}; {ADVICE}"
        )
    return next(iter(open_), None)


def is_of_its_own(one: Judged, right: Iterable[Judged]) -> bool:
    """Return whether a wrong way has one line of the weight, which no right way goes through."""
    lines = {line for other in right for line in numbers(other)}
    return len(one.own) == 1 and not lines & set(numbers(one))


def numbers(one: Judged) -> list[int]:
    """Return the numbers of the lines that give the weight its value."""
    return [line.number for line in one.own]


def is_flip(one: Judged, right: Iterable[Judged]) -> bool:
    """Return whether a right way has the same line with its sign turned: both are wanted."""
    return any(unsigned(one.own) == unsigned(other.own) for other in right)


def unsigned(lines: Sequence[Line]) -> list[str]:
    """Return what is assigned without signs."""
    return [re.sub(r"[+\-\s]", "", written(line)) for line in lines]


def written(line: Line) -> str:
    """Return the text of a value."""
    return ast.unparse(line.value) if line.value is not None else ""
