"""Updates of weights in functions, methods and loops: taken out, run on our numbers, and judged.

Where updates may stand is found here. `update_paths` follows the ways to them, `update_targets`
tells which lines they are, `update_lines` and `update_reading` read them, `update_running` runs
them and `update_verdicts` judges them: against gradient descent with momentum, and against Adam,
RMSprop and Adagrad (`update_adaptive`). `update_siblings` sees those of one place together, and
`update_counts` what counts them. Judged is
    W -= ..., W[:] = ..., W = W - ..., np.subtract(W, ..., out=W), a list or dictionary made anew,
and what a function returns as new weights; under branches, in loops and in functions inside of
functions. What is read and is none of these rules, or cannot be read, is named as not compared.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from math import inf

import numpy as np

from compare.contracts.result import Verdict
from compare.examine.starter.binding import plain
from compare.examine.starter.function_verdict import FunctionVerdict
from compare.examine.starter.missed import names_in, trains_inline
from compare.examine.starter.slots import RATE
from compare.examine.starter.source import Source
from compare.examine.starter.update_adaptive import habits_of
from compare.examine.starter.update_alike import OnWay, idle_velocities, odd_ones, on_every_way
from compare.examine.starter.update_anew import begun_anew
from compare.examine.starter.update_counts import (
    EVERY,
    NEVER,
    is_advanced_often,
    miscounted,
    stays_zero,
)
from compare.examine.starter.update_divided import divided_alike
from compare.examine.starter.update_lines import Line, unaliased, word
from compare.examine.starter.update_own import with_own_gradients
from compare.examine.starter.update_paths import TooMany, Walker, Way, all_lines, is_fresh
from compare.examine.starter.update_reading import Update
from compare.examine.starter.update_rules import ASCENT
from compare.examine.starter.update_schedules import readings
from compare.examine.starter.update_siblings import beside_siblings, unused
from compare.examine.starter.update_sites import LOOSE, Site, constants_of, sites
from compare.examine.starter.update_targets import may_update, relevant, targets
from compare.examine.starter.update_verdicts import (
    ADVICE,
    Judged,
    about_named,
    about_update,
    climbs,
    judged,
    on_all_ways,
)
from compare.examine.starter.update_whole import share_taken
from compare.examine.starter.update_words import is_weight, of_gradient

COEFFICIENT = re.compile(r"(mu|mom|momentum|gamma|beta|rho|decay|decayrate|b)\d")
"""The name, without underscores, of one of two coefficients of means of gradients and squares."""


@dataclass(frozen=True)
class Updates:
    """What became of the updates in a file: what is wrong or unread, a note on right ones, how
    many weights' updates were judged right, the functions they stand in, and those with right ones:
    empty for loose lines.
    """

    found: tuple[FunctionVerdict, ...] = ()
    notes: tuple[str, ...] = ()
    right: int = 0
    functions: frozenset[str] = frozenset()
    descending: frozenset[str] = frozenset()


def loop_steps(
    source: Source, compared: Iterable[str], cut: Mapping[str, bool] | None = None
) -> Updates:
    """Judge the updates of every function, method and loop of a file.

    `cut` names the training loops whose gradients were cut out of them and compared; true: with the
    sign of their updates.
    """
    cut = cut or {}
    done = set(compared)
    constants = constants_of(source)
    everything = [part for one in source.statements for part in ast.walk(one.node)]
    found: list[FunctionVerdict] = []
    notes: list[str] = []
    right, homes, descending = 0, set[str](), set[str]()
    for site in sites(source, done, frozenset(cut)):
        wrong, good, habits = at_site(site, constants | site.defaults, done, cut, everything)
        found += wrong
        right += len(good)
        homes |= {site.home} if wrong or good else set()
        if good:
            descending.add(site.home)
            named = f"the updates of {', '.join(good)} {site.where}"
            notes.append(f"right by gradient descent, momentum or Adam and its kin: {named}")
            notes += [f"{site.where}: {habit}" for habit in habits]
    found += unread_functions(source, done, homes)
    places = frozenset(homes - {""})
    return Updates(tuple(found), tuple(notes), right, places, frozenset(descending))


def unread_functions(source: Source, done: Set[str], homes: Set[str]) -> Iterator[FunctionVerdict]:
    """Yield the functions that take weights, gradients and a rate, and in which no update was read.

    A function that calls one in which some were is a training loop.
    """
    for name, one in source.definitions.items():
        words = [plain(parameter) for parameter in source.signature(name)]
        kinds = (is_weight, of_gradient, RATE.fullmatch)
        takes = all(any(map(kind, words)) for kind in kinds)
        if takes and not source.closure([name]) & (done | homes) and not trains_inline(one.node):
            sentence = f"takes weights, gradients and a rate and was not compared; {ADVICE}"
            about = FunctionVerdict(name, "step", source.where(name), Verdict.UNDECIDABLE, sentence)
            yield by_calling(about, share_taken(source, name))


def by_calling(about: FunctionVerdict, share: float | None) -> FunctionVerdict:
    """Return the verdict on a function that takes so many times rate × gradient off its weights."""
    if share is None or not (np.isclose(share, 1) or share < 0):
        return about
    if share < 0:
        return about.slip(ASCENT.mistake, ASCENT.headline, ASCENT.title)
    return replace(about, verdict=Verdict.AGREES, sentence="agrees",
                   conventions=("it takes rate × gradient off all weights",))  # fmt: skip


def at_site(
    site: Site,
    constants: dict[str, float],
    known: Set[str],
    cut: Mapping[str, bool],
    everything: Sequence[ast.AST] = (),
) -> tuple[list[FunctionVerdict], list[str], list[str]]:
    """Return what is wrong or unread at a site, the weights whose updates are right, and what these
    have otherwise than torch."""
    lines = [line for file, one in site.statements for line in all_lines([one], file)]
    candidates = [line for line in lines if may_update(line, lines)]
    if not candidates:
        return [], [], []
    try:
        ways = ways_through(site, relevant(candidates, lines))
    except TooMany:
        first = candidates[0]
        why = f"was not compared: too many branches lead to it; {ADVICE}"
        return [about_update(first, site.where).undecided(why)], [], []
    found: dict[str, list[Judged]] = {}
    odd: list[OnWay] = []
    looped = {target.key for way in ways if way.repeated for target in targets(way)}
    for way in ways:
        where = site.where if not site.loose or way.repeated else "outside of functions"
        here = replace(way, lines=unaliased(way.lines))
        here = here if way.repeated or not site.loose else once(here, looped)
        on_way: list[Judged] = []
        for target in targets(here):
            whole = cut.get(LOOSE if site.loose else site.home)
            said = judged(target, here, where, constants, known, compared=whole is not None)
            if said and whole and climbs(said.verdict):
                said = replace(said, verdict=None)  # its sign was compared with the gradient
            if said:
                on_way.append(carried(checked(said, site, where), site, where, everything))
        beside = beside_siblings(with_own_gradients(on_way, where, everything), where)
        beside = divided_alike(beside, where)
        odd.append((odd_ones(beside, where), {one.target.key for one in beside}))
        for said in beside:
            found.setdefault(said.target.key, []).append(said)
    verdicts = {key: on_all_ways(several) for key, several in found.items()}
    kept = [one for several in found.values() for one in several if one.verdict is None]
    idle = dict(idle_velocities(kept, site.statements, site.where))
    verdicts = {key: one or idle.get(key) or on_every_way(odd, key)
                for key, one in verdicts.items()} | {key: one for key, one in idle.items()
                if key not in verdicts}  # fmt: skip
    wrong = [verdict for verdict in verdicts.values() if verdict is not None]
    right = [key for key, one in verdicts.items() if one is None]
    habits = (habits_of(one.update, constants) for one in kept if one.update)
    words = [*dict.fromkeys(filter(None, habits))]
    return [*wrong, *unused(site.statements, right, site.where)], right, words


def ways_through(site: Site, wanted: Set[str]) -> list[Way]:
    """Return the ways through a site, those of its loops first."""
    walker = Walker(wanted, [])
    ways = [Way()]
    for file, one in site.statements:
        ways = walker.body([one], ways, file)
    return [*walker.inner, *ways]


def updates_at(site: Site, constants: Mapping[str, float]) -> list[Update]:
    """Return the updates on the way that has most of them; raises `Unread` and `TooMany`."""
    lines = [line for file, one in site.statements for line in all_lines([one], file)]
    wanted = relevant([line for line in lines if may_update(line, lines)], lines)
    ways = [replace(way, lines=unaliased(way.lines)) for way in ways_through(site, wanted)]
    best = max(ways, key=lambda way: len(targets(way)))
    likeliest = [next(readings(target, best, constants, frozenset())) for target in targets(best)]
    return [one.update(constants, frozenset()) for one in likeliest]


def checked(one: Judged, site: Site, where: str) -> Judged:
    """Say of a right update that a coefficient is idle, or that the new weight is kept nowhere."""
    about = about_update(one.target, where)
    if one.verdict is None and (idle := idle_coefficient(one.way, site)):
        unread = replace(about, verdict=Verdict.AGREES)
        return replace(one, verdict=unread.undecided(f"was not compared: {idle} is never read"))
    if one.verdict is None and is_lost(one.target, one.way, site):
        sentence = (
            f"the new {one.target.key} is kept nowhere: neither returned nor written into the array"
            f" that was handed in, at {about.place.quoted() if about.place else ''}"
        )
        return replace(one, verdict=about.wrong("value", sentence))
    return one


def carried(one: Judged, site: Site, where: str, everything: Sequence[ast.AST]) -> Judged:
    """Say of a right update that what it carries on begins anew, or is counted wrongly."""
    slip = begun_anew(one, site, everything) if one.verdict is None else None
    if slip is None:
        return counted(one, where, everything)
    return replace(one, verdict=about_named(about_update(one.target, where), slip))


def counted(one: Judged, where: str, everything: Sequence[ast.AST]) -> Judged:
    """Say of a right update that what counts its updates is wrong, and of one that is right but for
    that."""
    if one.verdict is not None and one.verdict.verdict is Verdict.UNDECIDABLE:
        often = one.update is not None and is_advanced_often(one.update)
        if often or (one.update is not None and stays_zero(one.update, everything)):
            named = about_named(about_update(one.target, where), EVERY if often else NEVER)
            return replace(one, verdict=named)
        return one
    slip = miscounted(one, where, everything) if one.verdict is None else None
    if slip is None:
        return one
    about = about_update(one.target, where)
    if slip is EVERY or is_called(re.split(r"[ .]", where)[-1], everything):
        return replace(one, verdict=about_named(about, slip))
    unseen = "was not compared: what advances its t from update to update is not in this file"
    return replace(one, verdict=about.undecided(unseen))


def is_called(name: str, everything: Iterable[ast.AST]) -> bool:
    """Return whether the file calls a function or method: then its training is there to see."""
    called = (ast.unparse(one.func) for one in everything if isinstance(one, ast.Call))
    return any(one.rpartition(".")[2] == name for one in called)


def once(way: Way, looped: Set[str]) -> Way:
    """Return a way of code that runs once with its buffers made before it, and without what its
    loops do to the weights that they update: these are ways of their own."""
    fresh = tuple(line for line in way.lines if is_fresh(line))
    kept = tuple(
        line for line in way.lines
        if line not in fresh and (line.value is not None or line.key not in looped)
    )  # fmt: skip
    return replace(way, before=(*way.before, *fresh), lines=kept)


def is_lost(target: Line, way: Way, site: Site) -> bool:
    """Return whether a new array is only given to a name of the function's own, and not read."""
    own = [line for line in way.lines if line.key == target.key]
    if not target.key.isidentifier() or any(line.in_place for line in own) or target not in own:
        return False
    nodes = site.nodes
    given = end_of(target, nodes)
    if given is None:
        return False
    ends = [
        part.end_lineno or part.lineno
        for part in nodes
        if isinstance(part, ast.For) and part.lineno <= target.number <= (part.end_lineno or 0)
        and target.key in {one.id for one in ast.walk(part.target) if isinstance(one, ast.Name)}
    ]  # fmt: skip
    if not ends and (way.repeated or not is_local(target.key, site, nodes)):
        return False
    return not any(
        isinstance(part, ast.Name) and part.id == target.key and isinstance(part.ctx, ast.Load)
        and given <= (part.lineno, part.col_offset) and part.lineno <= min(ends, default=inf)
        for part in nodes
    )  # fmt: skip


def is_local(name: str, site: Site, nodes: Sequence[ast.AST]) -> bool:
    """Return whether a name is a function's own, and no function inside of it reads it later."""
    if site.loose or any(isinstance(one, ast.Global | ast.Nonlocal) for one in nodes):
        return False
    inside = [one for one in nodes if isinstance(one, ast.FunctionDef | ast.Lambda)]
    elsewhere = {part.id for one in inside for part in ast.walk(one) if isinstance(part, ast.Name)}
    if {"locals", "vars"} & names_of(nodes):
        return False
    return name in site.parameters or name not in elsewhere


def end_of(target: Line, nodes: Iterable[ast.AST]) -> tuple[int, int] | None:
    """Return where the assignment of a line ends: several may stand in one line of text. None for
    `(w := ...)`, which hands its value on."""
    found = [(target.number, 0)]
    for one in nodes:
        if isinstance(one, ast.NamedExpr) and one.lineno == target.number:
            if one.target.id == target.key:
                return None
        if isinstance(one, ast.Assign | ast.AnnAssign | ast.AugAssign):
            last = one.end_lineno or one.lineno, one.end_col_offset or 0
            if one.lineno <= target.number <= last[0] and target.key in names_in(one, ast.Store):
                found.append(last)
    return max(found)


def idle_coefficient(way: Way, site: Site) -> str:
    """Return the other of two numbered coefficients, as beta2 of beta1, that a function takes and
    never reads, where it divides by a root: the squares then have that of the gradients. Empty
    where there is none."""
    made = [part for line in way.lines if line.value is not None for part in ast.walk(line.value)]
    if not any(
        isinstance(part, ast.Name | ast.Attribute) and "sqrt" in ast.unparse(part) for part in made
    ):
        return ""
    used = {stem(one) for one in coefficients(names_of(made))}
    nodes = site.nodes
    idle = coefficients(set(site.parameters) - names_of(nodes))
    return min((one for one in idle if stem(one) in used), default="")


def coefficients(names: Set[str]) -> set[str]:
    """Return those of the names that a coefficient of a mean has, with a number behind it."""
    return {one for one in names if COEFFICIENT.fullmatch(word(one))}


def stem(name: str) -> str:
    """Return a name without its number."""
    return name.rstrip("0123456789")


def names_of(nodes: Iterable[ast.AST]) -> set[str]:
    """Return the names that are read."""
    return {one.id for one in nodes if isinstance(one, ast.Name) and isinstance(one.ctx, ast.Load)}
