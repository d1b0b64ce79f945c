"""Which optimiser an update is: the option that declares it, or the mistake that is in it.

Every class and every usual constant is tried as the update, with buffers carried from the first
one on, and held against the parameters alone: under which names the code keeps its buffers does
not matter. The declared optimiser comes first, then what is wrong in it, then the others.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import chain, pairwise, product

import numpy as np

from compare.checks.clipping import GUARD
from compare.checks.optimiser_step import OptimiserStep
from compare.contracts.experiment import OPTIMISER_NAMES, Experiment, usual_momentum
from compare.diagnosis.clipped import otherwise_clipped, velocity_clipped
from compare.diagnosis.epsilons import first_epsilons
from compare.diagnosis.held_weights import weights_held
from compare.diagnosis.identity import Asked, Identity, Options, Walked, differing, tried, worst
from compare.diagnosis.told_apart import Told
from compare.diagnosis.track import Recorded
from compare.mistakes.catalogue import OTHER_STEP
from compare.mistakes.fits import rounded
from compare.mistakes.mistake import Mistake
from compare.mistakes.optimiser_mistake import OptimiserMistake
from compare.textbook.pair import exact

EPSILONS = (None, 1e-8, 1e-7, 1e-6, 1e-5, 1e-4, 1e-3, 1e-10, 1e-12, 0.0)
BETAS = ((0.9, 0.999), (0.9, 0.99), (0.9, 0.95), (0.9, 0.9), (0.5, 0.999))
ALPHAS = (0.99, 0.9, 0.95, 0.999)
DECAYS = (0.1, 0.01, 1e-3, 1e-4, 5e-4, 0.05)
"""Constants that people type."""
TYPED_GUARDS = (GUARD, 0.0, 1e-8)
"""What people add to the norm by which they clip."""


def identify(walked: Walked, declared: Experiment) -> Identity | None:
    """Return what the updates of consecutive records, from the first one on, are; None if unknown.

    Also None if they are what was declared, in one of the forms of clipping by norm.
    """
    if len(walked) < 3 or walked[0].update != 0:
        return None
    every = tuple(walked[0].parameters)
    guards = TYPED_GUARDS if declared.clip_norm is not None else (GUARD,)
    asked = [Asked(declared, guard) for guard in guards]
    with np.errstate(all="ignore"):
        before = min(worst(one.right, walked, every, np.inf) for one in asked)
        if before <= 1:
            return None
        clipped = (otherwise_clipped(one, walked, before) for one in asked)
        others = (identified(walked, one, before) for one in asked)
        return next(filter(None, chain(clipped, others)), None)


def identified(walked: Walked, declared: Asked, before: float) -> Identity | None:
    """Return what the updates are, with clipping in one form."""
    smallest = min(walked[0].parameters, key=lambda name: walked[0].parameters[name].size)
    largest = max(walked[0].parameters, key=lambda name: walked[0].parameters[name].size)
    few, every = tuple(dict.fromkeys((smallest, largest))), tuple(walked[0].parameters)
    for options, mistake in candidates(declared, walked):
        step = tried(declared, options, mistake)
        if step is None or worst(step, walked, few[:1]) > 1 or worst(step, walked, few) > 1:
            continue
        after = worst(step, walked, every)
        if after <= 1:
            name = options.get("optimiser", declared.experiment.optimiser)
            differ = differing(options, declared.experiment)
            found = Identity(name, differ, mistake, before, after)
            return told_more(found, step, declared.experiment)
    return (
        velocity_clipped(declared, walked, before)
        or weights_held(declared, walked, before)
        or standing_still(declared, walked, before)
        or at_another_rate(declared, walked, before)
    )


def told_more(found: Identity, step: OptimiserStep, declared: Experiment) -> Identity:
    """Return the same with the size of an epsilon, and what was lost on the way to another one."""
    if found.mistake is not None:
        about = "epsilon" in found.mistake.name
        return replace(found, epsilon=step.settings.eps if about else None)
    lost = declared.optimiser == "amsgrad" and found.options == {"optimiser": "adam"}
    return replace(found, forgets=lost)


RATE = Mistake(
    "another-learning-rate", "another learning rate",
    "The learning rate is {rate}, not the one declared.", "learning_rate = c",
)  # fmt: skip
STILL = Mistake(
    "parameter-never-updated", "a parameter that is never updated",
    "Never updated: {names}. All others are updated rightly.", "w = w",
)  # fmt: skip


def at_another_rate(declared: Asked, walked: Walked, before: float) -> Identity | None:
    """Return the learning rate that makes the updates right, if one does.

    The first update is proportional to it unless a decay is coupled to the gradient.
    """
    old, new = walked[0], walked[1]
    name = max(old.parameters, key=lambda name: old.parameters[name].size)
    step, wanted = declared.right, declared.experiment
    w, dw = old.parameters[name], step.clipping.pairs(old.gradients)[name]
    due = step.rule(exact(w, w.dtype), dw, {}, 1, step.settings_of(name))[0].value - w
    size = float((due * due).sum())
    share = float(((new.parameters[name] - w) * due).sum()) / size if size else 0.0
    for rate in rounded(wanted.learning_rate * share) if share > 0 else ():
        there = tried(declared, {"learning_rate": rate}, None)
        if there is None:
            continue
        after = worst(there, walked, tuple(old.parameters))
        if after <= 1:
            said = f"{Told.beside(rate, wanted.learning_rate):.6g}"
            told = replace(RATE, sentence=RATE.sentence.format(rate=said))
            return Identity(wanted.optimiser, {"learning_rate": rate}, told, before, after)
    return None


def standing_still(declared: Asked, walked: Walked, before: float) -> Identity | None:
    """Return which parameters never change where the update is right for all others."""
    names = tuple(walked[0].parameters)
    still = [n for n in names if all(unmoved(n, *pair) for pair in pairwise(walked))]
    moving = [name for name in names if name not in still]
    if not still or not moving:
        return None
    after = worst(declared.right, walked, moving)
    if after > 1:
        return None
    told = replace(STILL, sentence=STILL.sentence.format(names=" and ".join(still)))
    return Identity(declared.experiment.optimiser, {}, told, before, after)


def unmoved(name: str, before: Recorded, after: Recorded) -> bool:
    """Return whether a parameter is the same after an update that should have moved it."""
    moving = bool(before.gradients[name].any())
    return moving and np.array_equal(before.parameters[name], after.parameters[name])


def candidates(asked: Asked, walked: Walked) -> Iterator[tuple[Options, OptimiserMistake | None]]:
    """Yield what the update may be: of each optimiser its settings, then its mistakes."""
    declared = asked.experiment
    others = [name for name in OPTIMISER_NAMES if name != declared.optimiser]
    for name in (declared.optimiser, *others):
        yield from ((options, None) for options in with_momentum(name, declared))
        if name == "sgd" and rates_of(walked) > 1:
            form = "velocity" if declared.momentum_form == "buffer" else "buffer"
            others_of = ({**options, "momentum_form": form} for options in settings_of(name))
            yield from ((options, None) for options in others_of)
        yield from mistakes_of(name, declared, others, EPSILONS[:1])
        if name == "rmsprop":
            yield from mistakes_of(name, declared, others, EPSILONS, without=True)
        more = chain(epsilons_of(name), decays_of(name, asked, walked))
        yield from ((options, None) for options in more)
        yield from mistakes_of(name, declared, others, EPSILONS[1:])
        if name == declared.optimiser:
            yield from own_epsilon(asked, walked)


def own_epsilon(asked: Asked, walked: Walked) -> Iterator[tuple[Options, OptimiserMistake | None]]:
    """Yield the declared optimiser with an epsilon that is read off, wherever it may be added."""
    name = asked.experiment.optimiser
    where = [one for one in OTHER_STEP if name in one.of and "of.eps" in one.slip]
    for mistake in (None, *where) if name != "sgd" else ():

        def made(eps: float, mistake: OptimiserMistake | None = mistake) -> OptimiserStep | None:
            return tried(asked, {"eps": eps}, mistake)

        for eps in first_epsilons(made, walked):
            yield {"optimiser": name, "eps": eps}, mistake


def rates_of(walked: Walked) -> int:
    """Return how many learning rates the updates were made with."""
    return len({getattr(record, "learning_rate", None) for record in walked[:-1]})


STRENGTHS = ("weight_decay", "dampening")
"""What has to be declared for a mistake in it to be looked for."""


def mistakes_of(
    name: str, declared: Experiment, others: Sequence[str], epsilons: Sequence[float | None],
    without: bool = False,
) -> Iterator[tuple[Options, OptimiserMistake | None]]:  # fmt: skip
    """Yield the mistakes of an optimiser, each with these epsilons; None is the declared one.

    `without`: RMSprop without the declared momentum, which most code has not.
    """
    for mistake in OTHER_STEP:
        strengths = [getattr(declared, key) for key, _ in mistake.needs if key in STRENGTHS]
        if name not in mistake.of or (name in others and name == "sgd") or not all(strengths):
            continue
        needed = {key: value for key, value in mistake.needs if key not in STRENGTHS}
        if name == "rmsprop" and (name in others or (declared.momentum and without)):
            needed["momentum"] = 0.0 if without else declared.momentum
        for eps in epsilons:
            if eps is None:
                yield {"optimiser": name, **needed}, mistake
            elif "of.eps" in mistake.slip:
                yield {"optimiser": name, **needed, "eps": eps}, mistake


def settings_of(name: str) -> Iterator[Options]:
    """Yield the usual settings of an optimiser, the commonest first."""
    if name == "sgd":
        for nesterov, dampening in product((False, True), (0.0, 0.9, 0.1, 0.5)):
            yield {"optimiser": name, "nesterov": nesterov, "dampening": dampening}
        return
    if name == "rmsprop":
        shapes = product((False, True), ALPHAS, (0.0, 0.9))
        own: list[Options] = [{"centred": c, "alpha": a, "momentum": m} for c, a, m in shapes]
    elif name == "adagrad":
        own = [{}]
    else:
        own = [{"betas": betas} for betas in BETAS]
    yield from ({"optimiser": name, **options} for options in own)


def with_momentum(name: str, declared: Experiment) -> Iterator[Options]:
    """Yield the usual settings of an optimiser; of gradient descent that was not declared with its
    usual momentum, too."""
    other = name == "sgd" and declared.optimiser != name
    momenta = dict.fromkeys((usual_momentum(name), declared.momentum)) if other else ()
    for options in settings_of(name):
        yield from ({**options, "momentum": momentum} for momentum in momenta)
        if not momenta:
            yield options


def epsilons_of(name: str) -> Iterator[Options]:
    """Yield an optimiser with another epsilon."""
    if name != "sgd":
        usual = next(settings_of(name))
        yield from ({**usual, "eps": eps} for eps in EPSILONS[1:])


def decays_of(name: str, declared: Asked, walked: Walked) -> Iterator[Options]:
    """Yield the optimiser with weight decay: of a strength that is fitted, or usual."""
    bases: list[Options] = [{"optimiser": name}]
    if name == "sgd":
        bases.append({"optimiser": name, "nesterov": True})
    if name == "rmsprop":
        bases = [{"optimiser": name, "momentum": momentum} for momentum in (0.9, 0.0)]
    for base, decoupled, decay_of in product(bases, (False, True), ("all", "weights")):
        form = {"decoupled": decoupled, "decay_of": decay_of}
        linear = decoupled or name == "sgd"
        strengths = fitted(declared, base | form, walked) if linear else DECAYS
        yield from ({**base, **form, "weight_decay": strength} for strength in strengths)


def fitted(declared: Asked, options: Options, walked: Walked) -> Iterator[float]:
    """Yield the strengths of a decay by which the first update moves the largest weight."""
    before, after = walked[0], walked[1]
    name = max(before.parameters, key=lambda name: before.parameters[name].size)
    ends = []
    for strength in (0.0, 1.0):
        step = tried(declared, options | {"weight_decay": strength}, None)
        if step is None:
            return
        w, of = before.parameters[name], step.settings_of(name)
        dw = step.clipping.pairs(before.gradients)[name]
        ends.append(step.rule(exact(w, w.dtype), dw, {}, 1, of)[0].value)
    effect, away = ends[1] - ends[0], after.parameters[name] - ends[0]
    strength = float((away * effect).sum() / (effect * effect).sum())
    if np.isfinite(strength) and strength > 0:
        yield from rounded(strength)
