"""What is wrong in an update that means to be Adam, RMSprop or Adagrad.

Beside the right forms (`update_adaptive`): the mistakes of the catalogue that nobody makes on
purpose, run on the same gradients with the numbers of the update. The one that takes the same steps
is its name.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from itertools import pairwise, permutations, product
from math import inf

import numpy as np

from compare.contracts.result import Diagnosis
from compare.examine.starter.update_adaptive import (
    Meant,
    divides_by_root,
    meant,
    near,
    takes_largest,
)
from compare.examine.starter.update_lines import keys_in
from compare.examine.starter.update_reading import Update
from compare.examine.starter.update_running import MANY, NAME, UPDATES, Array, Record, run
from compare.mistakes.catalogue import OTHER_STEP
from compare.mistakes.optimiser_mistake import OptimiserMistake, with_slips
from compare.textbook.plain_optimisers import OptimiserSettings, Rule

ACCUSED = frozenset({
    "adam-constant-t", "adam-without-root", "adam-gradients-added-up", "adam-corrected-by-beta1",
    "adam-corrected-by-beta2", "adam-correction-without-root", "adam-corrections-multiplied",
    "adam-corrected-means-kept", "adam-absolute-for-square", "rmsprop-without-root",
    "rmsprop-absolute-for-square", "rmsprop-stale-mean", "adagrad-without-root",
    "adagrad-absolute-for-square", "adagrad-stale-sum", "adam-first-mean-uncorrected",
    "adam-second-mean-uncorrected", "adam-mean-begins-anew", "adam-squares-begin-anew",
    "adam-means-begin-anew", "adam-gradient-not-squared", "rmsprop-gradient-not-squared",
    "adagrad-gradient-not-squared", "amsgrad-largest-fed-back",
})  # fmt: skip
"""What nobody does on purpose, and what shows wherever the count of the updates begins. Where
neither mean is corrected that may be meant: RMSprop with momentum."""
UNCORRECTED = "adam-without-t"
"""A choice, beside which a slip may stand."""


def squares(update: Update) -> bool:
    """Return whether an update keeps a mean or sum of squares, or divides by a root."""
    kept = {*update.states, *update.carried.values()}
    means = [line.value for line in (*update.before, *update.lines) if line.key in kept]
    return divides_by_root(update) or any(
        is_square(node) for value in means if value for node in ast.walk(value)
    )


def is_square(node: ast.AST) -> bool:
    """Return whether something is squared there."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Pow):
        return isinstance(node.right, ast.Constant) and node.right.value == 2
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult):
        written = [ast.unparse(one) for one in factors(node) if keys_in(one)]
        return len(set(written)) < len(written)
    return isinstance(node, ast.Call) and ast.unparse(node.func).endswith("square")


def factors(node: ast.expr) -> list[ast.expr]:
    """The factors of a product, one after another."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult):
        return [*factors(node.left), *factors(node.right)]
    return [node]


def slip_of(update: Update) -> Diagnosis | None:
    """The known mistake that takes the steps of an update, None where none does."""
    with np.errstate(all="ignore"):
        for first in (1, 0):
            largest = takes_largest(update)
            records = run(update, first, MANY if largest else UPDATES)
            steps = [a.parameters[NAME] - b.parameters[NAME] for a, b in pairwise(records)]
            made = wrong_rules(largest=largest)
            for (mistake, rule), settings in product(made, settings_of(meant(update))):
                due = taken(rule, records, settings)
                if all(alike(one, other) for one, other in zip(steps, due, strict=True)):
                    return Diagnosis(mistake.name, mistake.sentence, inf, 0.0, title=mistake.title)
    return None


def alike(seen: Array, due: Array) -> bool:
    """Return whether two steps are the same to rounding, where they are numbers: both are none
    where a root is taken of what is negative."""
    some = np.isfinite(due)
    same = np.array_equal(some, np.isfinite(seen))
    return bool(same and some.any()) and near(seen[some], due[some])


def wrong_rules(*, largest: bool) -> Iterator[tuple[OptimiserMistake, Rule]]:
    """The rules with a mistake in them; those of Adam without its correction too, and those of
    AMSGrad where the `largest` is taken of something."""
    (uncorrected,) = (one for one in OTHER_STEP if one.name == UNCORRECTED)
    for mistake in (one for one in OTHER_STEP if one.name in ACCUSED):
        own = mistake.name.partition("-")[0]
        for optimiser in dict.fromkeys((own, "amsgrad") if largest else (own,)):
            if optimiser not in mistake.of or (optimiser == "amsgrad" and not largest):
                continue
            yield mistake, mistake.rule(optimiser)
            if optimiser in uncorrected.of and mistake.parsed.beside(uncorrected.parsed):
                yield mistake, with_slips(mistake, uncorrected)["RULES"][optimiser]


def settings_of(numbers: Meant) -> Iterator[OptimiserSettings]:
    """What the numbers of an update may stand for; of two names the first is of the gradients."""
    pairs = [tuple(numbers.shares)] if numbers.named else list(permutations(numbers.shares, 2))
    pairs = [one for one in pairs if len(one) == 2] or [(b, b) for b in numbers.shares[:1]]
    for rate, (beta1, beta2), eps in product(numbers.rates, pairs, (*numbers.smalls, 0.0)):
        yield OptimiserSettings(
            rate, 0.0, False, 0.0, 0.0, False, (beta1, beta2), eps, beta2, False
        )


def taken(rule: Rule, records: Sequence[Record], settings: OptimiserSettings) -> Iterator[Array]:
    """What a rule takes off the weight, update by update."""
    old: dict[str, Array] = {}
    for t, record in enumerate(records[:-1], start=1):
        w, old = rule(record.parameters[NAME], record.gradients[NAME], old, t, settings)
        yield record.parameters[NAME] - w
