"""The verdict on a training that is held against its own loss.

Its loops are looked at from the innermost one outwards, until the steps of one are those of a
loss: its rate times the slopes of that loss, with or without momentum, or a rule of squares of
them. Where some weights move by the slopes of a loss and others do not, the latter are wrong.
"""

from __future__ import annotations

import ast
import re
import time
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from compare.contracts.result import Verdict
from compare.examine.starter.cut_names import loaded, stored
from compare.examine.starter.function_verdict import FunctionVerdict
from compare.examine.starter.own import OWN
from compare.examine.starter.own.beside import BESIDE
from compare.examine.starter.own.chosen import chosen
from compare.examine.starter.own.doubts import averages, doubted
from compare.examine.starter.own.groups import is_loss
from compare.examine.starter.own.marked import ERROR
from compare.examine.starter.own.replay import AT_END, LAST
from compare.examine.starter.own.rows import other_rows
from compare.examine.starter.own.seen import PENALISED, Seen, looked_at, rates_named
from compare.examine.starter.own.taking_part import taking_part
from compare.examine.starter.own.unguarded import unguarded
from compare.examine.starter.own.unmoved import unmoved
from compare.examine.starter.source import Source
from compare.examine.starter.training.parts import Parts
from compare.examine.starter.training.program import Program, program_of
from compare.examine.starter.training.supply import supplies

SECONDS, MOST_SUPPLIES, SHARE = 10.0, 3, 0.02
LIKELIHOOD = re.compile(r".*(likelihood|reward|elbo|logl|return|score).*|ll", re.IGNORECASE)
TO_BE_SMALL = re.compile(r"loss|cost|err|entropy|nll|mse|sse|bce|risk|squares", re.IGNORECASE)
"""Of losses, those that are called so that nobody climbs them; a `J` may be a reward."""
LOGARITHM = re.compile(r"\blog(1p|2|10|addexp)?\(")
PLAIN = "its rate times the slopes"
KINDS = {
    "momentum": f"with momentum {PLAIN}",
    "nesterov": f"with Nesterov's momentum {PLAIN}",
    "last": f"{PLAIN} and a share of the gradient before",
    "gathered": f"{PLAIN} that are gathered over batches",
}
About = Callable[[Source, str, int], FunctionVerdict]


def witnessed(source: Source, about: About) -> tuple[FunctionVerdict, Parts] | None:
    """Return the verdict on the training of a file and what takes part in it; None where its own
    loss shows nothing."""
    program = program_of(source, strength=None)
    if not program.places:
        return None
    with np.errstate(all="ignore"):
        every, whole = seen_in(program)
        right = next(rights(every), None)
        if right is None and every:
            bare, words = unguarded(program)
            again = seen_in(bare)[0] if words else []
            right = next(rights(again), None)
            if right is not None:
                return agreed(source, right, about, words)
            every = again or every
        return agreed(source, right, about) if right else not_right(source, every, about, whole)


def seen_in(program: Program) -> tuple[list[Seen], bool]:
    """Return what the loops of a program show up to the first that is right, and whether all were
    looked at."""
    found: list[Seen] = []
    until = time.process_time() + SECONDS
    for supply, _ in zip(supplies(program.text), range(MOST_SUPPLIES), strict=False):
        try:
            for one in looked_at(program, supply, until):
                if found and one.base is not found[-1].base and any(rights(found)):
                    break
                found.append(one)
        except TimeoutError:
            return found, False
        if found:
            break
    return found, True


def rights(every: Sequence[Seen]) -> Iterator[Seen]:
    """Yield what is right and no part of another loss that is not; squares of an error only where
    no loss is shown."""
    for one in every:
        beside = [other for other in every if other.base is one.base]
        part = any(reads(other, one) and other.told.wrong for other in beside)
        if one.right and not part and not (one.of_squares and shows_a_loss(one, beside)):
            yield one


def shows_a_loss(one: Seen, beside: Sequence[Seen]) -> bool:
    """Whether a loop has a number that is called a loss, if only one that is not finite, or a
    program takes a logarithm, as of a likelihood; what is shown of the distance of its outputs is
    none that it trains by."""
    numbers = [pair for turn in one.base.turns for pair in turn.numbers.items()]
    named = {way for way, value in numbers if is_loss(way) and not value.is_integer()}
    shown = {way for way in named
             if not (way.startswith("half ") or ERROR.fullmatch(way.split(".")[-1]))}  # fmt: skip
    by_log = LOGARITHM.search(one.base.loop.program.text)
    beside_it = shown or by_log or any(not other.of_squares for other in beside)
    return bool(beside_it) and not of_distance(one)


def of_distance(one: Seen) -> bool:
    """Whether what a program shows is the distance of its outputs, and it trains by squares."""
    return "abs(" in one.base.loop.program.text


def reads(other: Seen, one: Seen) -> bool:
    """Whether a loss is computed of another one."""
    name, whole = (each.told.loss.split(".")[-1] for each in (one, other))
    return any(
        name in loaded(part.value) and whole in stored(part)
        for line in one.base.loop.body for part in ast.walk(line)
        if isinstance(part, ast.Assign | ast.AugAssign) and name != whole
    )  # fmt: skip


def agreed(
    source: Source, seen: Seen, about: About, guards: str = ""
) -> tuple[FunctionVerdict, Parts]:
    """Return the verdict on a training whose steps are those of its loss."""
    verdict = about(source, *seen.base.loop.program.places[seen.base.loop.number])
    still = unmoved(seen)
    if still and still.gradients:
        return verdict.slip(*still.slip()), Parts()
    if sentence := doubted(seen) or other_rows(seen.base) or (still.words() if still else ""):
        return verdict.undecided(sentence), Parts()
    words = [f"{OWN}: its steps are {made_of(seen)} of {called(seen)}"]
    words += [f"{guards} left out"] if guards else []
    words += [f"its norm is held to {seen.clipped_to:g}"] if seen.clipped_to else []
    words += [f"{way} is a running statistic of batches, as it is written"
              for way in averages(seen)]  # fmt: skip
    if seen.of_squares:
        words.append("no line of it shows a loss")
    if seen.halved:
        words.append(f"half of {called(seen)} is meant")
    if LIKELIHOOD.fullmatch(name_in(seen)) and seen.told.factor < 0:
        words.append("it climbs")
    found = FunctionVerdict(
        verdict.name, verdict.role, verdict.place, Verdict.AGREES, "agrees",
        conventions=tuple(words),
    )  # fmt: skip
    return found, taking_part(seen)


def made_of(seen: Seen) -> str:
    """Return what the steps are made of, in words."""
    turns = len(seen.steps.turns)
    where = f"along directions of all weights, at {turns} updates"
    rule = f"{seen.rule} of the slopes" if seen.rule else KINDS.get(seen.told.kind, PLAIN)
    power = f"an error of {seen.steps.power():.1g} of the largest slope would show"
    return f"{rule} (central differences {where}; {power})"


def called(seen: Seen) -> str:
    """Return what a loss is called."""
    name = name_in(seen)
    if name.startswith("printed") or name == "print":
        return "the loss it prints"
    return name if seen.of_squares else f"`{name}`"


def name_in(seen: Seen) -> str:
    """Return the name of a loss: that of a list without its place in it."""
    loss = seen.told.loss.partition("()#")[0].removesuffix(AT_END)
    if seen.of_squares:
        return loss
    return ".".join(one for one in loss.split(".") if not one.isdigit() and one != LAST)


def not_right(
    source: Source, every: Sequence[Seen], about: About, whole: bool
) -> tuple[FunctionVerdict, Parts] | None:
    """Return what is said of a training that no loss agrees with."""
    for judge in (slipped, unsaid):
        for one in every:
            verdict = about(source, *one.base.loop.program.places[one.base.loop.number])
            found = judge(one, every, verdict) if whole or judge is unsaid else None
            if found is not None:
                return found, Parts()
    return None


def slipped(one: Seen, every: Sequence[Seen], about: FunctionVerdict) -> FunctionVerdict | None:
    """Return the verdict on a mistake that the slopes of a loss show."""
    told, name = one.told, called(one)
    beside = [other for other in every if other.base is one.base and other is not one]
    shown_beside = one.of_squares and shows_a_loss(one, beside)
    if shown_beside or any(reads(other, one) for other in beside):
        return None
    if told.kind == "added" and (one.is_rate(told.factor) or one.is_rate(2 * told.factor)):
        title = "gradients that are added up from batch to batch"
        said = f"each step is made of the slopes of {name} at all updates so far: they are added up"
        return about.slip("gradients-accumulate", f"{said} and never set back to 0", title)
    climbs = bool(told.factors) and all(one.is_rate(-factor) for factor in told.factors)
    if climbs and TO_BE_SMALL.search(told.loss):
        return about.slip("gradient-ascent", f"its steps go up {name}", "steps up the gradient")
    if told.kind == BESIDE:
        return wrong_gradients(one, about)
    if told.kind != "wrong" or not one.is_rate(told.factor) or not told_apart(one):
        return None
    named = [other for other in beside if not other.of_squares and other.is_rate(other.told.factor)]
    if any(told.wrong & other.told.right for other in named) or chosen(one):
        return None  # they move by another loss, or at another rate
    example = told.example
    assert example is not None
    right, wrong = (" and ".join(sorted(map(shown, names))) for names in (told.right, told.wrong))
    if all(one.steps.fits(group, one.steps.turns[0], -told.factor)
           for group in one.steps.groups if group.name in told.wrong):  # fmt: skip
        title = f"steps up the gradient in {wrong}"
        return about.slip("gradient-ascent", f"its steps of {wrong} go up {name}", title)
    return about.wrong(
        "value",
        f"its steps of {right} are its rate times the slopes of {name}, and those of {wrong} are"
        f" not: along one direction of {shown(example.group)} the slope is"
        f" {example.slope.value:.6g}, its gradient says {example.step / told.factor:.6g}",
    )


def wrong_gradients(one: Seen, about: FunctionVerdict) -> FunctionVerdict:
    """Return the verdict on gradients beside the weights that are not those of the loss."""
    told, name, example = one.told, called(one), one.told.example
    assert example is not None
    right, wrong = (" and ".join(sorted(map(shown, names))) for names in (told.right, told.wrong))
    return about.wrong(
        "value",
        f"the gradients of {right} are the slopes of {name}, and those of {wrong} are not: along"
        f" one direction of {shown(example.group)} the slope is {example.slope.value:.6g}, its"
        f" gradient says {example.step:.6g}",
    )


def told_apart(one: Seen) -> bool:
    """Whether the groups that are right are more than a few numbers, or move by what is called a
    rate, and each wrong one is clearly off, by more than a guard in a logarithm makes."""
    groups = {group.name: group for group in one.steps.groups}
    entries = sum(array.size for name in one.told.right for array in groups[name].starts.values())
    off = []
    for name in one.told.wrong:
        reaches = one.steps.reaches(groups[name], one.steps.turns[0])
        due = [one.told.factor * each.slope.value for each in reaches]
        far = sum(abs(each.step - each_due) for each, each_due in zip(reaches, due, strict=True))
        off.append(far > SHARE * (sum(map(abs, due)) + sum(abs(each.step) for each in reaches)) / 2)
    named = any(np.isclose(rate, one.told.factor, rtol=1e-4) for rate in rates_named(one.base))
    sure = named and not PENALISED.search(one.base.loop.program.text)
    return (entries > 2 or sure) and all(off)


def shown(group: str) -> str:
    """Return the name of a group for a reader."""
    return group.replace(".*", "")


def unsaid(one: Seen, every: Sequence[Seen], about: FunctionVerdict) -> FunctionVerdict | None:
    """Return the verdict on steps that have to do with a loss and are not explained by it."""
    told, name = one.told, called(one)
    if told.kind == "plain" and not one.of_squares and len(told.right) > 1:
        times = one.times
        return about.undecided(
            f"its steps are {times:.6g} times its rate times the slopes of {name}: compare the"
            " factors of the loss with those of the gradient"
        )
    if told.kind == "beside":
        return about.undecided(
            f"the gradients beside its weights are the slopes of {name}, and its steps are made of"
            " them by no rule that is known"
        )
    if one.is_rate(told.factor) and len(told.right) == len(one.steps.groups) > 1:
        return about.undecided(
            f"its first step is its rate times the slopes of {name}, and the next ones are made of"
            " them by no rule that is known"
        )
    return None
