"""What a file that came without options says of itself: its network, and the optimiser of its step.

The depth is that at which it can be called, the activation and the loss those with which what it
returns is right. The optimiser of a step that takes no momentum is the one that makes its first
updates, called with its own defaults. What is read off is said in a note, with its option.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

import manual_mlp
from compare.checks.optimiser_step import OptimiserStep
from compare.contracts.arrays import Arrays
from compare.contracts.errors import BadInput, UserCodeError
from compare.contracts.experiment import OPTIMISER_NAMES, OPTIMISER_SETTINGS, Experiment
from compare.contracts.records import Record
from compare.diagnosis.identity import LABELS, worst
from compare.diagnosis.optimiser import identify
from compare.diagnosis.undeclared import Declaration, Implementation, shows_loss, undeclared
from compare.examine.identifying import first_updates
from compare.guard.optimiser import takes_momentum
from compare.points.diagnostic import ORDINARY, probe


@dataclass(frozen=True, slots=True)
class ReadOff:
    """The experiment that the code is held against, and what of it no option said.

    `unknown`: the step is of no optimiser that is known, and is not compared.
    """

    experiment: Experiment
    parts: tuple[str, ...] = ()
    unknown: bool = False

    @property
    def note(self) -> str:
        """What was read off, in a sentence."""
        return f"not declared, and read off the file: {', '.join(self.parts)}" * bool(self.parts)


SMALL = (7, 5, 9, 6)
"""Widths of hidden layers at which the depth is tried."""
INPUTS, CLASSES, ROWS = 8, 4, 11
SAID_BY_A_LOSS = {"activation", "loss", "output", "reduction"}
SAID_BY_AN_UPDATE = {"activation"}
"""Of a network without a loss a factor is a mistake, or the learning rate."""
OF_ADAM = ("adam", "adamw", "amsgrad")


def read_off(
    implementation: Implementation,
    step: Callable[..., Any] | None,
    experiment: Experiment,
    given: Collection[str],
    *,
    network: bool,
) -> ReadOff:
    """Return what the code says of itself where no option does.

    `network`: of its network too; else only of a step that contract 2 cannot call.
    """
    notes: tuple[str, ...] = ()
    if network:
        experiment, notes = network_of(implementation, experiment, given)
    if step is None or not experiment.plain_momentum or takes_momentum(step):
        return ReadOff(experiment, notes)
    if not can_be_called(step):
        return ReadOff(experiment, notes)
    found = optimiser_of(step, experiment, given)
    if found is None:
        return ReadOff(experiment, notes, unknown=True)
    return ReadOff(found[0], (*notes, found[1]))


def network_of(
    implementation: Implementation, experiment: Experiment, given: Collection[str]
) -> tuple[Experiment, tuple[str, ...]]:
    """Return the experiment with the network of this code, and what was read off, in notes."""
    notes: list[str] = []
    if "hidden" not in given and (hidden := depth_of(implementation, experiment)) is not None:
        experiment = replace(experiment, hidden=hidden)
        layers = "1 layer" if not hidden else f"{len(hidden) + 1} layers"
        notes.append(f"a network of {layers}")
    known = SAID_BY_A_LOSS if shows_loss(implementation) else SAID_BY_AN_UPDATE
    sizes = (INPUTS, *SMALL[: len(experiment.hidden)], CLASSES)
    found = undeclared(implementation, experiment, sizes)
    if found is not None and set(found.options) <= known - set(given):
        experiment = replace(experiment, **found.options)
        notes.append(f"`{found.words}`")
    return experiment, tuple(notes)


def depth_of(implementation: Implementation, experiment: Experiment) -> tuple[int, ...] | None:
    """Return the hidden layers with which the code can be called; None if the declared ones do."""
    tried = [SMALL[:layers] for layers in (len(experiment.hidden), 1, 2, 3, 4, 0)]
    found = next((one for one in tried if can_take(implementation, experiment, one)), tried[0])
    return None if len(found) == len(experiment.hidden) else found


def can_take(
    implementation: Implementation, experiment: Experiment, hidden: tuple[int, ...]
) -> bool:
    """Whether the code can be called with the parameters of these hidden layers."""
    point = probe(
        (INPUTS, *hidden, CLASSES), ROWS, ORDINARY,
        activation=experiment.activation, reduction=experiment.reduction, dtype=experiment.dtype,
        generator=np.random.default_rng(experiment.seed), objective=experiment.objective,
        bias=experiment.bias, between=experiment.between,
    )  # fmt: skip
    try:
        implementation(point.parameters, point.x, point.targets, **point.how)
    except UserCodeError:
        return False
    return True


def can_be_called(step: Callable[..., Any]) -> bool:
    """Whether a step asks for nothing that no optimiser has."""
    named = dict.fromkeys(n for n in OPTIMISER_SETTINGS if n in inspect.signature(step).parameters)
    try:
        inspect.signature(step).bind({}, {}, {}, **named)
    except TypeError:
        return False
    return "learning_rate" in named


def optimiser_of(
    step: Callable[..., Any], experiment: Experiment, given: Collection[str]
) -> tuple[Experiment, str] | None:
    """Return the experiment with the optimiser of this step, and a note; None if it is unknown.

    One with a known mistake is the optimiser that the mistake is in.
    """
    like = drawn(experiment)
    declared = list(optimisers(step, experiment, given))
    for one in declared:
        walked = first_updates(step, one, like)
        if walked and (makes(one, walked) or makes(one, turned(walked), ROUNDED)):
            return one, said(one, experiment)
    for one in declared[:1]:
        identity = identify(first_updates(step, one, like), one)
        if identity is not None:
            options = {"optimiser": identity.optimiser} if identity.mistake else identity.options
            found = replace(one, **options)
            return found, said(found, experiment)
    return None


ROUNDED = 1e3
"""Allowances that a subtraction more may take."""


def makes(experiment: Experiment, walked: Sequence[Record], enough: float = 1.0) -> bool:
    """Whether an optimiser makes these updates."""
    names = tuple(walked[0].parameters)
    return worst(OptimiserStep.of(experiment), walked, names, enough) <= enough


def turned(walked: Sequence[Record]) -> Sequence[Record]:
    """Return the updates in the opposite direction: those of a step up the gradient are then right,
    since no drawn gradient depends on the parameters."""
    first = walked[0].parameters
    made = []
    for one in walked:
        now = {name: 2 * first[name] - w for name, w in one.parameters.items()}
        made.append(
            manual_mlp.Record(one.update, 0, np.arange(1), 0.0, one.gradients, now, {}, None)
        )
    return made


def optimisers(
    step: Callable[..., Any], experiment: Experiment, given: Collection[str]
) -> Iterator[Experiment]:
    """Yield the optimisers that a step may be by its keywords, each with the step's defaults."""
    named = inspect.signature(step).parameters
    own = {name: named[name].default for name in OPTIMISER_SETTINGS if name in named}
    own = {k: v for k, v in own.items() if k not in given and v is not inspect.Parameter.empty}
    names = OF_ADAM if "betas" in named else OPTIMISER_NAMES
    for name in names:
        for settings in (own, {}):
            try:
                yield replace(experiment, **{"momentum": 0.0, **settings, "optimiser": name})
            except BadInput:
                continue
            break


def drawn(experiment: Experiment) -> Arrays:
    """Return parameters of a small network, for updates of a step."""
    point = probe(
        (INPUTS, SMALL[0], CLASSES), ROWS, ORDINARY, activation="relu", reduction="mean",
        dtype=experiment.dtype, generator=np.random.default_rng(experiment.seed),
    )  # fmt: skip
    return dict(point.parameters)


def said(found: Experiment, asked: Experiment) -> str:
    """Say which optimiser a step was taken for, with the options that declare it."""
    usual = replace(asked, optimiser=found.optimiser).optimiser_settings
    now = found.optimiser_settings
    differing = {name: value for name, value in now.items() if value != usual[name]}
    if found.optimiser in OF_ADAM:
        differing.pop("momentum", None)
    words = Declaration({"optimiser": found.optimiser, **differing}, 0.0).words
    return f"step is held against {LABELS[found.optimiser]}, `{words}`"
