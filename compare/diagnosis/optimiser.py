"""Which optimiser an update is: the option that declares it, or the mistake that is in it.

Every class and every usual constant is tried as the update, with buffers carried from the first
one on, and held against the parameters alone: under which names the code keeps its buffers does
not matter. The declared optimiser comes first, then what is wrong in it, then the others.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain, pairwise, product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compare.checks.clipping import Clipping
from compare.checks.optimiser_step import OptimiserStep, widened
from compare.checks.ratio import ratio
from compare.contracts.errors import BadInput
from compare.contracts.experiment import OPTIMISER_NAMES, Experiment
from compare.diagnosis.track import Recorded
from compare.diagnosis.undeclared import Declaration
from compare.mistakes.catalogue import OTHER_STEP
from compare.mistakes.fits import rounded
from compare.mistakes.mistake import Mistake
from compare.mistakes.optimiser_mistake import OptimiserMistake
from compare.textbook.pair import Pair, exact

LABELS = {
    "sgd": "gradient descent", "adam": "Adam", "adamw": "AdamW", "amsgrad": "AMSGrad",
    "rmsprop": "RMSprop", "adagrad": "Adagrad",
}  # fmt: skip
EPSILONS = (None, 1e-8, 1e-7, 1e-6, 1e-5, 1e-4, 1e-3, 1e-10, 1e-12, 0.0)
BETAS = ((0.9, 0.999), (0.9, 0.99), (0.9, 0.95), (0.9, 0.9), (0.5, 0.999))
ALPHAS = (0.99, 0.9, 0.95, 0.999)
DECAYS = (0.1, 0.01, 1e-3, 1e-4, 5e-4, 0.05)
"""Constants that people type."""
Options = dict[str, Any]
Walked = Sequence[Recorded]


@dataclass(frozen=True, slots=True)
class Identity:
    """What an update is: settings that differ from the declared ones, and a mistake or none."""

    optimiser: str
    options: Options
    mistake: Mistake | None
    before: float
    after: float

    @property
    def words(self) -> str:
        """The options of the command."""
        return Declaration(self.options, self.after).words

    @property
    def sentence(self) -> str:
        """What the user reads."""
        if self.mistake is None:
            return f"Your update is {whose(self.optimiser)}: `{self.words}` declares it."
        return self.mistake.sentence + (f" (With `{self.words}`.)" if self.options else "")


def whose(optimiser: str) -> str:
    """Return `Adam's`; gradient descent is nobody's."""
    label = LABELS[optimiser]
    return f"{label}'s" if label[0].isupper() else f"another form of {label}"


def identify(walked: Walked, declared: Experiment) -> Identity | None:
    """Return what the updates of consecutive records, from the first one on, are; None if unknown.

    Also None if they are what was declared.
    """
    if len(walked) < 3 or walked[0].update != 0:
        return None
    smallest = min(walked[0].parameters, key=lambda name: walked[0].parameters[name].size)
    largest = max(walked[0].parameters, key=lambda name: walked[0].parameters[name].size)
    few, every = tuple(dict.fromkeys((smallest, largest))), tuple(walked[0].parameters)
    with np.errstate(all="ignore"):
        before = worst(OptimiserStep.of(declared), walked, every, np.inf)
        if before <= 1:
            return None
        for options, mistake in candidates(declared, walked):
            step = tried(declared, options, mistake)
            if step is None or worst(step, walked, few[:1]) > 1 or worst(step, walked, few) > 1:
                continue
            after = worst(step, walked, every)
            if after <= 1:
                name = options.get("optimiser", declared.optimiser)
                return Identity(name, differing(options, declared), mistake, before, after)
        return (
            otherwise_clipped(declared, walked, before)
            or standing_still(declared, walked, before)
            or at_another_rate(declared, walked, before)
        )


EACH = Mistake(
    "clip-norm-of-each", "each gradient clipped by itself",
    "Every gradient is scaled down by its own norm; the declared norm is that of all of them "
    "together.",
    "g = g * min(1, c / np.linalg.norm(g))",
)  # fmt: skip
UNCLIPPED = Mistake(
    "clipping-left-out", "a declared clipping that is left out",
    "The gradients are not clipped, as was declared.", "g = g",
)  # fmt: skip
BY_VALUE = Mistake(
    "clip-value-for-norm", "entries clipped where the norm is to be",
    "Every entry of the gradients is clipped by itself at the declared norm.",
    "g = np.clip(g, -c, c)",
)  # fmt: skip
RATE = Mistake(
    "another-learning-rate", "another learning rate",
    "The learning rate is {rate}, not the one declared.", "learning_rate = c",
)  # fmt: skip
STILL = Mistake(
    "parameter-never-updated", "a parameter that is never updated",
    "Never updated: {names}. All others are updated rightly.", "w = w",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class EachClipped(Clipping):
    """Clipping of every gradient by its own norm."""

    def pairs(self, gradients: Mapping[str, NDArray[Any]]) -> dict[str, Pair]:
        """Return the gradients that the step uses."""
        alone = ({name: g} for name, g in gradients.items())
        return {name: pair for one in alone for name, pair in Clipping.pairs(self, one).items()}


def otherwise_clipped(declared: Experiment, walked: Walked, before: float) -> Identity | None:
    """Return how else the gradients were clipped than was declared, if that is what is wrong."""
    norm, value = declared.clip_norm, declared.clip_value
    if norm is None and value is None:
        return None
    right, every = OptimiserStep.of(declared), tuple(walked[0].parameters)
    for mistake, clipping in (
        (UNCLIPPED, Clipping()),
        (EACH, EachClipped(norm, value)),
        (BY_VALUE, Clipping(None, norm if value is None else value)),
    ):
        after = worst(replace(right, clipping=clipping), walked, every)
        if after <= 1:
            return Identity(declared.optimiser, {}, mistake, before, after)
    return None


def at_another_rate(declared: Experiment, walked: Walked, before: float) -> Identity | None:
    """Return the learning rate that makes the updates right, if one does.

    The first update is proportional to it unless a decay is coupled to the gradient.
    """
    old, new = walked[0], walked[1]
    name = max(old.parameters, key=lambda name: old.parameters[name].size)
    step = OptimiserStep.of(declared)
    w, dw = old.parameters[name], step.clipping.pairs(old.gradients)[name]
    due = step.rule(exact(w, w.dtype), dw, {}, 1, step.settings_of(name))[0].value - w
    size = float((due * due).sum())
    share = float(((new.parameters[name] - w) * due).sum()) / size if size else 0.0
    for rate in rounded(declared.learning_rate * share) if share > 0 else ():
        there = tried(declared, {"learning_rate": rate}, None)
        if there is None:
            continue
        after = worst(there, walked, tuple(old.parameters))
        if after <= 1:
            told = replace(RATE, sentence=RATE.sentence.format(rate=f"{rate:.6g}"))
            return Identity(declared.optimiser, {"learning_rate": rate}, told, before, after)
    return None


def standing_still(declared: Experiment, walked: Walked, before: float) -> Identity | None:
    """Return which parameters never change where the update is right for all others."""
    names = tuple(walked[0].parameters)
    still = [n for n in names if all(unmoved(n, *pair) for pair in pairwise(walked))]
    moving = [name for name in names if name not in still]
    if not still or not moving:
        return None
    after = worst(OptimiserStep.of(declared), walked, moving)
    if after > 1:
        return None
    told = replace(STILL, sentence=STILL.sentence.format(names=" and ".join(still)))
    return Identity(declared.optimiser, {}, told, before, after)


def unmoved(name: str, before: Recorded, after: Recorded) -> bool:
    """Return whether a parameter is the same after an update that should have moved it."""
    moving = bool(before.gradients[name].any())
    return moving and np.array_equal(before.parameters[name], after.parameters[name])


def differing(options: Options, declared: Experiment) -> Options:
    """Return the options that say something else than what was declared."""
    return {name: value for name, value in options.items() if value != getattr(declared, name)}


def tried(
    declared: Experiment, options: Options, mistake: OptimiserMistake | None
) -> OptimiserStep | None:
    """Return the update so declared; None for settings that exclude each other."""
    try:
        step = OptimiserStep.of(replace(declared, **options))
    except BadInput:
        return None
    return step if mistake is None else replace(step, written=mistake.rule(step.name))


def worst(step: OptimiserStep, walked: Walked, names: Sequence[str], enough: float = 1.0) -> float:
    """Return the worst ratio of the parameters, or the first that is beyond `enough`."""
    old: dict[str, dict[str, Pair]] = {name: {} for name in names}
    found = 0.0
    for before, after in pairwise(walked):
        now = step.at(getattr(before, "learning_rate", None))
        gradients = now.clipping.pairs(before.gradients)
        for name in names:
            w = before.parameters[name]
            dw, of = gradients[name], now.settings_of(name)
            stepped, old[name] = now.rule(exact(w, w.dtype), dw, old[name], before.update + 1, of)
            error = np.abs(after.parameters[name] - stepped.value)
            found = max(found, float(ratio(error, widened(stepped, w)).max(initial=0.0)))
            if not found <= enough:
                return found if np.isfinite(found) else np.inf
    return found


def candidates(
    declared: Experiment, walked: Walked
) -> Iterator[tuple[Options, OptimiserMistake | None]]:
    """Yield what the update may be: of each optimiser its settings, then its mistakes."""
    others = [name for name in OPTIMISER_NAMES if name != declared.optimiser]
    for name in (declared.optimiser, *others):
        yield from ((options, None) for options in settings_of(name))
        yield from mistakes_of(name, declared, others, EPSILONS[:1])
        if name == "rmsprop":
            yield from mistakes_of(name, declared, others, EPSILONS, without=True)
        more = chain(epsilons_of(name), decays_of(name, declared, walked))
        yield from ((options, None) for options in more)
        yield from mistakes_of(name, declared, others, EPSILONS[1:])


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
        if name == "rmsprop" and declared.momentum and without:
            needed["momentum"] = 0.0
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


def epsilons_of(name: str) -> Iterator[Options]:
    """Yield an optimiser with another epsilon."""
    if name != "sgd":
        usual = next(settings_of(name))
        yield from ({**usual, "eps": eps} for eps in EPSILONS[1:])


def decays_of(name: str, declared: Experiment, walked: Walked) -> Iterator[Options]:
    """Yield the optimiser with weight decay: of a strength that is fitted, or usual."""
    bases: list[Options] = [{"optimiser": name}]
    if name == "sgd":
        bases.append({"optimiser": name, "nesterov": True})
    if name == "rmsprop":
        bases.append({"optimiser": name, "momentum": 0.0})
    for base, decoupled, decay_of in product(bases, (False, True), ("all", "weights")):
        form = {"decoupled": decoupled, "decay_of": decay_of}
        linear = decoupled or name == "sgd"
        strengths = fitted(declared, base | form, walked) if linear else DECAYS
        yield from ({**base, **form, "weight_decay": strength} for strength in strengths)


def fitted(declared: Experiment, options: Options, walked: Walked) -> Iterator[float]:
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
