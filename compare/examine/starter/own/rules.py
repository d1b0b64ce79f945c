"""Whether steps are made of gradients by a rule of squares: Adam, RMSProp or AdaGrad.

The gradients lie beside the weights and are the slopes' own; the numbers of the rule are those that
the text has; how large a step is must be one of its rates.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import product

import numpy as np

from compare.contracts.arrays import Array

NEAR = 1e-6
"""Of a step, as far as its gradients and its rate tell it."""
USUAL = (0.9, 0.99, 0.999, 0.95)
GUARDS = (1e-8, 1e-7, 1e-10, 1e-6, 1e-5, 1e-12, 0.0)
Rule = Callable[[Sequence[Array]], Array]


def rules(numbers: Sequence[float]) -> Iterator[tuple[str, Rule]]:
    """Yield the rules that a text may mean, with their names."""
    shares = [one for one in dict.fromkeys([*numbers, *USUAL]) if 0.3 < one < 1]
    guards = list(dict.fromkeys([*(one for one in numbers if 0 < one <= 1e-2), *GUARDS]))[:9]
    for guard, inside in product(guards, (False, True)):
        yield "AdaGrad", partial(adagrad, guard=guard, inside=inside)
        for share in shares:
            yield "RMSProp", partial(rmsprop, share=share, guard=guard, inside=inside)
        for one, two, corrected in product(shares, shares, (True, False)):
            if one <= two:
                yield "Adam", partial(adam, one=one, two=two, guard=guard, inside=inside,
                                      corrected=corrected)  # fmt: skip
        for one, two in product(shares, shares) if not inside else ():
            if one <= two:
                yield "Adam", partial(adam_in_one, one=one, two=two, guard=guard)


def adagrad(g: Sequence[Array], guard: float, inside: bool) -> Array:
    """Return the step of AdaGrad at a rate of 1."""
    return g[-1] / rooted(np.sum([one**2 for one in g], axis=0), guard, inside)


def rmsprop(g: Sequence[Array], share: float, guard: float, inside: bool) -> Array:
    """Return the step of RMSProp at a rate of 1."""
    return g[-1] / rooted(mean([one**2 for one in g], share), guard, inside)


def rooted(squares: Array, guard: float, inside: bool) -> Array:
    """Return a root with a guard in it or behind it."""
    found: Array = np.sqrt(squares + guard) if inside else np.sqrt(squares) + guard
    return found


def mean(values: Sequence[Array], share: float) -> Array:
    """Return a running mean that began at 0."""
    found = np.zeros_like(values[0])
    for one in values:
        found = share * found + (1 - share) * one
    return found


def adam(
    g: Sequence[Array], one: float, two: float, guard: float, inside: bool, corrected: bool
) -> Array:
    """Return the step of Adam at a rate of 1."""
    m, v = mean(g, one), mean([each**2 for each in g], two)
    if corrected:
        m, v = m / (1 - one ** len(g)), v / (1 - two ** len(g))
    return m / rooted(v, guard, inside)


def adam_in_one(g: Sequence[Array], one: float, two: float, guard: float) -> Array:
    """Return the step of Adam at a rate of 1, both corrections in the rate: the guard stands beside
    a root that was not corrected, as at the end of section 2 of the paper (Kingma and Ba, 2015)."""
    m, v = mean(g, one), mean([each**2 for each in g], two)
    made: Array = np.sqrt(1 - two ** len(g)) / (1 - one ** len(g)) * m / (np.sqrt(v) + guard)
    return made


def rule_of(
    steps: Sequence[Array], gradients: Sequence[Array], numbers: Sequence[float],
    weights: Sequence[Array] = (), decays: Sequence[float] = (),
) -> tuple[str, float] | None:  # fmt: skip
    """Return the name and the rate of the rule that makes all steps of their gradients; arrays by
    turn, all weights one after another. None where there is none. `decays` are the strengths by
    which `weights` may decay beside, as AdamW has it: torch.optim.AdamW."""
    if not all((one != 0).any() for one in steps):
        return None
    for (name, rule), decay in product(rules(numbers), (0.0, *decays)):
        rate = 0.0
        for turn, step in enumerate(steps):
            with np.errstate(all="ignore"):
                made = np.nan_to_num(rule(gradients[: turn + 1]))
            made = made + decay * weights[turn] if decay else made
            place = int(np.argmax(np.abs(made)))
            rate = rate or (step[place] / made[place] if made[place] else 0.0)
            if not rate or not is_near(step, rate * made):
                break
        else:
            return (f"{name} and a decay by {decay:g}" if decay else name), float(rate)
    return None


def is_near(step: Array, due: Array) -> bool:
    """Whether a step is the one that is due, as far as its gradients and its rate tell it."""
    allowed = NEAR * np.abs(due) + NEAR * 1e-3 * np.abs(step).max()
    return bool((np.abs(step - due) <= allowed).all())
