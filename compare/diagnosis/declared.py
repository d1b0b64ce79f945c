"""Another network than the declared one, computed rightly: the option that would declare it.

Code with leaky units, a squared error or a weight penalty makes no mistake if its gradient belongs
to its loss. Every declaration that the judge knows is tried as the loss; where it fits, the
gradient is held against it, and a mistake is looked for in the network that was really meant.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product

import numpy as np

from compare.contracts.between import NORMALISATIONS, Between
from compare.contracts.errors import BadInput
from compare.contracts.experiment import ACTIVATION_NAMES
from compare.contracts.objective import LOSS_NAMES, OUTPUT_NAMES, REDUCTIONS, Objective
from compare.contracts.result import Diagnosis
from compare.diagnosis.match import Case, ratios
from compare.diagnosis.observation import Observation
from compare.mistakes.catalogue import IN_A_CALL
from compare.mistakes.derivative import LEAKS
from compare.mistakes.fits import rounded
from compare.textbook import Pass, Point

CLOSE = 1e-6
"""Relative distance within which a loss is that of a candidate, before it is looked at closely."""
FACTORS = (1.0, 0.5, 2.0)
STEEPER = (*(f"leaky_relu:{c:g}" for c in LEAKS), "elu:0.5")
"""Constants that people write besides the defaults."""
CONVENTIONS = {mistake.name for mistake in IN_A_CALL if mistake.convention}


@dataclass(frozen=True)
class Declaration:
    """What would have to be declared, as options of the command, and in words."""

    options: str
    title: str
    activation: str | None = None
    objective: Objective | None = None
    between: Between | None = None

    @property
    def name(self) -> str:
        """Return the name that the catalogue has for it, or else which option was not given."""
        known = f"activation-is-{self.activation}"
        option = self.options.split()[0].lstrip("-")
        return known if known in CONVENTIONS else f"undeclared-{option}"

    @property
    def keywords(self) -> str:
        """Return the options as keywords of `check`: `--loss-factor 0.5` is `loss_factor=0.5`."""
        words = self.options.split()
        pairs = zip(words[::2], words[1::2], strict=True)
        return ", ".join(f"{name[2:].replace('-', '_')}={literal(value)}" for name, value in pairs)

    def at(self, point: Point) -> Point:
        """Return the point of the network so declared."""
        point = replace(
            point,
            activation=self.activation or point.activation,
            between=self.between or point.between,
        )
        if self.objective is None:
            return point
        return replace(point, objective=self.objective, reduction=self.objective.reduction)


def literal(value: str) -> str:
    """Return the value of an option as Python writes it: a number, a truth value, or a string."""
    if value in ("true", "false"):
        return value.capitalize()
    try:
        float(value)
    except ValueError:
        return repr(value)
    return value


def undeclared(cases: Sequence[Case]) -> tuple[Diagnosis, list[Observation]] | None:
    """Return what the loss of all these cases is, and the cases as ones of that network.

    None if no declaration fits, or the loss is right as it is.
    """
    if len(cases) < 2 or not all(case.wrong.get("loss") and case.finite for case in cases):
        return None
    with np.errstate(all="ignore"):
        for declaration in declarations(cases):
            points = [declaration.at(case.point) for case in cases]
            if all(map(same_loss, cases, points)):
                found = [
                    replace(case.observation, point=point)
                    for case, point in zip(cases, points, strict=True)
                ]
                return said(declaration, cases), found
    return None


def said(declaration: Declaration, cases: Sequence[Case]) -> Diagnosis:
    """Return the declaration in words."""
    return Diagnosis(
        mistake=declaration.name,
        sentence=f"The network is another one than the declared: {declaration.title}. "
        f"`{declaration.options}` declares it (in Python {declaration.keywords}).",
        ratio_before=max(case.worst(frozenset()) for case in cases),
        ratio_after=1.0,
        title=f"{declaration.title}, which was not declared",
    )


def same_loss(case: Case, point: Point) -> bool:
    """Return whether the loss seen is that of a point."""
    try:
        expected = Pass(point).named("loss")
    except (BadInput, KeyError, ValueError):  # not a loss for such targets
        return False
    return float(ratios(case.seen["loss"], expected).max(initial=0.0)) <= 1.0


def declarations(cases: Sequence[Case]) -> Iterator[Declaration]:
    """Yield every declaration that may give the loss of the first case."""
    case = cases[0]
    for name in (*ACTIVATION_NAMES, *STEEPER):
        if name != case.point.activation and case.point.depth > 1:
            yield Declaration(f"--activation {name}", f"the activation is {name}", name)
    yield from penalties(case)
    if case.point.between.normalisation == "none" and case.point.depth > 1:
        yield from map(normalised, NORMALISATIONS[1:])
    if case.point.objective is None or case.point.objective.plain:
        yield from losses(case)


def normalised(kind: str) -> Declaration:
    """Return the declaration of a normalisation without scale and shift."""
    title = f"{kind} normalisation, without gamma and beta, in front of the activation"
    return Declaration(
        f"--normalisation {kind} --affine false", title, between=Between(kind, affine=False)
    )


def penalties(case: Case) -> Iterator[Declaration]:
    """Yield the penalties whose strength the last weight gradient and the loss agree on."""
    declared = case.point.minimised
    w = case.right.w(case.point.depth).value
    name = f"dw{case.point.depth}"
    if name not in case.seen or case.seen[name].shape != w.shape:
        return
    away = case.seen[name] - case.right.named(name).value
    for kind, slope in (("l2", w), ("l1", np.sign(w))):
        strength = float((away * slope).sum() / (slope * slope).sum())
        if not np.isfinite(strength) or strength <= 0:
            continue
        for over, times in (("1", 1), ("rows", len(case.point.targets))):
            for penalise in ("weights", "all"):
                for c in rounded(strength * times):
                    more = replace(declared, penalise=penalise, penalty_over=over)
                    objective = replace(more, l2=c) if kind == "l2" else replace(more, l1=c)
                    yield Declaration(*penalty_words(kind, c, over, penalise), None, objective)


def penalty_words(kind: str, c: float, over: str, penalise: str) -> tuple[str, str]:
    """Return the options and the words of a penalty."""
    options, title = f"--{kind} {c:.6g}", f"an {kind.upper()} penalty of strength {c:.6g}"
    if over == "rows":
        options, title = f"{options} --penalty-over rows", f"{title} / N"
    if penalise == "all":
        options, title = f"{options} --penalise all", f"{title} on weights and biases"
    return options, title


def losses(case: Case) -> Iterator[Declaration]:
    """Yield the losses that give the number seen, with the reduction and factor that do."""
    seen = float(case.seen["loss"])
    for loss, output, reduction in product(LOSS_NAMES, OUTPUT_NAMES, REDUCTIONS):
        value = value_of(case.point, loss, output, reduction)
        for factor in FACTORS if value else ():
            if abs(seen / (factor * value) - 1) < CLOSE:
                objective = Objective(loss, output, reduction, factor)
                yield Declaration(*loss_words(objective), None, objective)


def value_of(point: Point, loss: str, output: str, reduction: str) -> float:
    """Return a loss at a point, 0 where there is none or it is not finite."""
    try:
        objective = Objective(loss, output, reduction)
        value = Pass(replace(point, objective=objective, reduction=reduction)).named("loss").value
    except (BadInput, KeyError, ValueError):  # no such loss, or not for such targets
        return 0.0
    return float(value) if np.isfinite(value) else 0.0


def loss_words(objective: Objective) -> tuple[str, str]:
    """Return the options and the words of a loss."""
    options = [f"--loss {objective.loss}"]
    title = f"the loss is {objective.loss}"
    if objective.output != "identity":
        options.append(f"--output {objective.output}")
        title += f" of {objective.output} outputs"
    if objective.reduction != "mean":
        options.append(f"--reduction {objective.reduction}")
        title += f", {objective.reduction}"
    if objective.loss_factor != 1.0:
        options.append(f"--loss-factor {objective.loss_factor:g}")
        title += f", times {objective.loss_factor:g}"
    return " ".join(options), title
