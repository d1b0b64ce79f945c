"""A class that adds up the gradients of the samples of a mini-batch: whether it adds up them all.

    for x, y in mini_batch:
        nabla_w = nabla_w + backprop(x, y)
    w = w - eta / len(mini_batch) * nabla_w

The step of a mini-batch is the mean of the steps of its samples alone, or their sum: the same of
all weights. What a single step is was compared already; here it is asked how they are put together.
So it is of a training for one epoch, with all samples in one batch.
"""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from math import inf
from typing import Any

import numpy as np

from compare.contracts.arrays import Array, Arrays
from compare.contracts.errors import UserCodeError
from compare.contracts.result import Diagnosis, Verdict
from compare.diagnosis.prediction import BY_NAME
from compare.examine.starter.binding import plain
from compare.examine.starter.chain import places_of_weights, put_weights
from compare.examine.starter.construct import builders
from compare.examine.starter.cut import DECAY
from compare.examine.starter.function_verdict import FunctionVerdict
from compare.examine.starter.networks import point
from compare.examine.starter.readings import UNEQUAL
from compare.examine.starter.recipe import COUNTS, TRAIN, methods_of
from compare.examine.starter.single import FORMS
from compare.examine.starter.slots import RATE, laid_like, set_rate
from compare.guard.blame import Place
from compare.guard.guard import Guard

DIVIDED = "gradient-divided-by-n-twice"
SAMPLES = 3
STEP = 0.125
STEPS = re.compile(rf"{TRAIN.pattern}|(mini_?batch)?(sgd|(stochastic)?gradientdescent)\w*")
BATCH = re.compile(r"(mini)?batch|(training|train)?data|samples|pairs|examples")
MEAN, SUM, LAST, TWICE = "mean", "sum", "one sample alone", "mean, divided once more"
PAIRS, RATED, EPOCH, SIZE, NONE = "pairs", "rate", "one epoch", "how many", "no penalty"
ROWS = ("n", "m", "nsamples", "numsamples")


def put_together(
    cls: type, name: str, form: str, place: Place | None, guard: Guard
) -> Iterator[FunctionVerdict]:
    """Yield what is wrong with the methods of a class that step by a list of pairs (x, y)."""
    for method, parameters in methods_of(cls, STEPS):
        asked = settings(parameters)
        if not form or asked is None:
            continue
        try:
            how = guard.run(functools.partial(ways, cls, method, asked, form), name, None)
        except UserCodeError:
            continue
        line = getattr(cls, method).__code__.co_firstlineno
        at = place and replace(place, line=line)
        about = FunctionVerdict(f"{name}.{method}", "step", at, Verdict.UNDECIDABLE, "")
        yield from wrong(about, how)
        if EPOCH in asked.values() and set(how.values()) in ({MEAN}, {SUM}):
            (way,) = set(how.values())
            words = f"of one batch its step is the {way} of the steps of the samples"
            yield replace(about, verdict=Verdict.AGREES, sentence="agrees", conventions=(words,))


def settings(parameters: Sequence[inspect.Parameter]) -> dict[str, str] | None:
    """What the parameters of a method that steps by a list of pairs are handed: the list, and after
    it rates, one epoch, how many samples there are, and no penalty; None where something else is
    asked for."""
    given: dict[str, str] = {}
    for one in parameters:
        word = plain(one.name)
        meaning = (
            PAIRS if not given and BATCH.fullmatch(word)
            else RATED if RATE.fullmatch(word)
            else EPOCH if word in COUNTS
            else SIZE if given and ("batch" in word or word in ROWS)
            else NONE if DECAY.fullmatch(word)
            else ""
        )  # fmt: skip
        if meaning:
            given[one.name] = meaning
        elif one.default is one.empty:
            return None
    return given if PAIRS in given.values() else None


def ways(cls: type, method: str, asked: Mapping[str, str], form: str) -> dict[str, str]:
    """How the steps of single samples are put together, weight by weight; empty if unknown."""
    parameters, x, targets = point(UNEQUAL, 0)
    pairs = [(a.reshape(FORMS[form]).copy(), b.reshape(FORMS[form]).copy())
             for a, b in zip(x[:SAMPLES], targets[:SAMPLES], strict=True)]  # fmt: skip
    build = next(one for one in builders(cls) if holds(one, parameters))

    def step(batch: list[tuple[Array, Array]]) -> Arrays:
        thing = build((UNEQUAL.F, UNEQUAL.H, UNEQUAL.K), {"x": x, "y": targets})
        put_weights(thing, parameters)
        set_rate(thing, STEP)
        values = {PAIRS: list(batch), RATED: STEP, EPOCH: 1, SIZE: len(batch), NONE: 0.0}
        getattr(thing, method)(**{name: values[one] for name, one in asked.items()})
        found = places_of_weights(thing, parameters)
        return {n: one - laid_like(found[n].array, one.shape) for n, one in parameters.items()}

    alone, whole = [step([pair]) for pair in pairs], step(pairs)
    return {n: way_of(whole[n], np.stack([one[n] for one in alone])) for n in parameters}


def holds(build: Callable[..., Any], parameters: Arrays) -> bool:
    """Whether what is built so holds weights of our sizes."""
    try:
        thing = build((UNEQUAL.F, UNEQUAL.H, UNEQUAL.K), {})
    except Exception:  # their constructor, called in another way than it is made for
        return False
    return set(places_of_weights(thing, parameters)) == set(parameters)


def way_of(whole: Array, alone: Array) -> str:
    """How one step is made of several."""
    # A training may shuffle its samples: which one is the last is not known.
    known = ((MEAN, alone.mean(axis=0)), (SUM, alone.sum(axis=0)),
             *((LAST, one / count) for one in alone for count in (1, len(alone))),
             (TWICE, alone.mean(axis=0) / len(alone)))  # fmt: skip
    found = (name for name, due in known if np.allclose(whole, due, rtol=1e-9, atol=1e-12))
    return next(found, "") if alone.any() else ""


def wrong(about: FunctionVerdict, how: dict[str, str]) -> Iterator[FunctionVerdict]:
    """Say that not all samples count, or that some weights get the mean and others the sum."""
    if not all(how.values()):
        return
    last = [name for name, way in how.items() if way == LAST]
    summed = [name for name, way in how.items() if way == SUM]
    if TWICE in how.values():
        title = BY_NAME[DIVIDED].title
        sentence = "of several samples it steps by their mean, divided by how many there are again"
        yield about.slip(DIVIDED, sentence, title)
    elif last:
        sentence = (
            f"of a mini-batch {' and '.join(last)} get the gradient of {LAST}: it is overwritten"
            " where it should be added up"
        )
        yield about.wrong("value", sentence)
    elif summed and len(summed) < len(how):
        rest = " and ".join(name for name in how if name not in summed)
        sentence = (
            f"of a mini-batch {' and '.join(summed)} get the sum of the gradients, {rest} the mean:"
            " the division by the number of samples is missing there"
        )
        yield replace(about.wrong("value", sentence), diagnosis=named(summed, sentence))


def named(summed: Sequence[str], sentence: str) -> tuple[Diagnosis, ...]:
    """The mistake of the catalogue that the sum is."""
    kinds = {name[0] for name in summed}
    name = {"w": "weight-gradient-summed", "b": "bias-gradient-summed"}.get(
        "".join(kinds), "gradient-summed"
    )
    where = f" in {' and '.join(summed)}"
    return (Diagnosis(name, f"{sentence}.", inf, 0.0, title=BY_NAME[name].title + where),)
