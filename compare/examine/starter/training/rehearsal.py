"""What the training of a file shows when it is run over rows of ours.

A training whose steps are torch's is right in all that its steps are made of. One whose are not may
be so for what its loop does: targets that are not those of the rows, gradients that are added up
from batch to batch, or a mistake in the gradients (`loop_mistakes`).
"""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from compare.contracts.result import Verdict
from compare.diagnosis.prediction import BY_NAME
from compare.examine.starter.cut_rehearsal import OTHER, OTHER_ROWS
from compare.examine.starter.function_verdict import FunctionVerdict
from compare.examine.starter.networks import Network, candidates
from compare.examine.starter.numbering import SHIFTED
from compare.examine.starter.one_function import Declared
from compare.examine.starter.own.unmoved import unmoved_in
from compare.examine.starter.own.witness import witnessed
from compare.examine.starter.source import Source
from compare.examine.starter.training.carried import (
    begun_anew,
    made_anew,
    out_of_step,
    without_momentum,
)
from compare.examine.starter.training.exact import recovered
from compare.examine.starter.training.followed import rule_of
from compare.examine.starter.training.later_steps import kinds_of, stale
from compare.examine.starter.training.loop_mistakes import explained
from compare.examine.starter.training.made_targets import shifted_targets
from compare.examine.starter.training.parts import Parts, parts_of
from compare.examine.starter.training.penalised import Penalised
from compare.examine.starter.training.program import Program, program_of
from compare.examine.starter.training.scale import losses_meant
from compare.examine.starter.training.stepped_outside import stepped_outside
from compare.examine.starter.training.stepping import batch_known
from compare.examine.starter.training.steps import multiple
from compare.examine.starter.training.still import nothing_moves
from compare.examine.starter.training.stopped import stops
from compare.examine.starter.training.trained import Training, training_of
from compare.examine.starter.update_sites import LOOSE
from compare.guard.blame import Place

RUN = "run over rows of ours, its steps are torch's gradient times a rate"
LEFT = "run over rows of ours, the gradients it leaves are torch's"
NONE_OF_IT = (
    "run over rows of ours, its first step is no multiple of torch's gradient, and no mistake that"
    " is known explains it"
)
STALE = "a backward pass with what an earlier forward pass has left"
ADDED_UP = "gradients that are added up from batch to batch"


@dataclass(frozen=True)
class Rehearsed:
    """The verdict on a training and, where it is right, what takes part in it.

    `followed`: its updates are gradient descent, with or without momentum. `penalised`: penalties
    were left out.
    """

    verdict: FunctionVerdict
    parts: Parts = field(default_factory=Parts)
    followed: bool = False
    penalised: bool = False
    own: bool = False
    """Whether it was held against its own loss, and not against torch."""

    @property
    def told(self) -> bool:
        """Whether everything is told: a mistake, or steps of which nothing was left out."""
        right = self.verdict.verdict is Verdict.AGREES and self.followed and not self.penalised
        return right or self.verdict.verdict is Verdict.DISAGREES


def rehearse(source: Source, declared: Declared) -> Rehearsed | None:
    """Run the training of a file and say what it shows; None where it shows nothing.

    Where its network is none that can be declared, its own loss is asked.
    """
    found = beside_torch(source, declared)
    if found is not None and found.told:
        return found
    shown = witnessed(source, about_loop)
    if shown is None or (found and shown[0].verdict is Verdict.UNDECIDABLE):
        return found
    return Rehearsed(*shown, followed=True, own=True)


def beside_torch(source: Source, declared: Declared) -> Rehearsed | None:
    """What a training shows beside torch."""
    program = program_of(source)
    if not program.places:
        return None
    networks = list(candidates(source.text, declared.network, list(declared.settings)))
    with np.errstate(all="ignore"):
        training = training_of(program, networks)
        if training is None:
            return without_steps(source, program, networks)
        return shown(source, program, training, declared.network)


def shown(source: Source, program: Program, training: Training, asked: Network) -> Rehearsed | None:
    """What a training shows."""
    about = about_loop(source, *program.places[training.loop])
    if training.other:
        sentence = (
            f"its first step is made of the rows in {training.batch} and of other targets than"
            f" theirs, the targets{training.other}: one of the two is shuffled or picked in another"
            " way"
        )
        return Rehearsed(about.slip(OTHER, sentence, OTHER_ROWS))
    if training.fit.whole:
        return right_or_added_up(source, program, training, about, asked)
    wrong = explained(source, training, about)
    if wrong is None and not batch_known(source, program, training):
        return None
    return Rehearsed(wrong or about.undecided(NONE_OF_IT))


def without_steps(
    source: Source, program: Program, networks: Sequence[Network]
) -> Rehearsed | None:
    """What a program shows of which no loop moves any weights."""
    still = nothing_moves(source, program, networks)
    if still is None:
        return of_other_classes(source, program) or stopped(source, program)
    about = about_loop(source, *program.places[still.loop])
    words = " and ".join(still.weights)
    if still.gradients:
        sentence = f"its loop computes gradients, and no step of it moves {words}"
        title = "a training that moves nothing: its updates are lost"
        return Rehearsed(about.slip("parameter-never-updated", sentence, title))
    return Rehearsed(about.undecided(f"run over rows of ours, no turn of its loop moves {words}"))


def of_other_classes(source: Source, program: Program) -> Rehearsed | None:
    """What is said of a loop that makes its targets of class numbers, each of the next one."""
    found = shifted_targets(program)
    if found is None:
        return None
    loop, named = found
    about = about_loop(source, *program.places[loop])
    sentence = f"the target that its loop makes for a row is of the class beside that in {named}"
    return Rehearsed(about.slip(SHIFTED, sentence, BY_NAME[SHIFTED].title))


def stopped(source: Source, program: Program) -> Rehearsed | None:
    """What is said of a training that stops in its first turn."""
    found = stops(source, program)
    if found is None:
        return None
    loop, why = found
    about = about_loop(source, *program.places[loop])
    return Rehearsed(about.undecided(f"run over rows of ours, its loop stops with {why}"))


def about_loop(source: Source, file: str, line: int) -> FunctionVerdict:
    """The verdict on a loop, of which nothing is said yet, by the name of the function it is in."""
    nodes: list[ast.stmt] = [one.node for one in source.definitions.values() if one.file == file]
    names: list[str] = []
    while holding := [one for one in nodes if isinstance(one, ast.FunctionDef | ast.ClassDef)
                      and one.lineno <= line <= (one.end_lineno or line)]:  # fmt: skip
        names.append(holding[0].name)
        nodes = holding[0].body if isinstance(holding[0], ast.ClassDef) else []
    name = ".".join(names) or LOOSE
    return FunctionVerdict(name, "gradient", Place(file, line), Verdict.UNDECIDABLE, "")


def right_or_added_up(
    source: Source, program: Program, training: Training, about: FunctionVerdict, asked: Network
) -> Rehearsed | None:
    """The verdict on a training whose first step is right: the next ones must be, too."""
    found = recovered(training, training.step, training.rows, training.fit)
    if found.worst() > 1 or not of_its_text(source, training.network):
        return None
    if left := moved_otherwise(training):
        sentence = f"its gradients are right, and its first step moves {left} by none of them"
        return Rehearsed(about.undecided(sentence))
    if up := climbing(training):
        title = f"a step up the gradient in {' and '.join(up)}"
        return Rehearsed(about.slip("gradient-ascent", title, title))
    if outside := stepped_outside(program, training):
        return Rehearsed(about.slip(*outside))
    kinds, place = list(kinds_of(training)), program.places[training.loop]
    plain = not (training.fit.ways or training.fit.rest) and set(kinds) <= {"plain"}
    numbers = [one for one in program.numbers if one not in program.rates]
    rule = None if plain else rule_of(training, numbers)
    if kinds and not rule and (wrong := wrong_step(training, kinds[-1], len(kinds), about)):
        return Rehearsed(wrong)
    told = begun_anew(source, training) or made_anew(source, training, *place)
    if told := told or (without_momentum(source, training) if plain else None):
        return Rehearsed(about.slip(*told))
    if "momentum" in kinds and not rule and (names := out_of_step(training)):
        said = f"{' and '.join(names)}: moved by no share of the last step and of the gradient"
        return Rehearsed(about.undecided(f"{said}, as the others are"))
    if still := unmoved_in(source, training.loop, training.supply):
        return Rehearsed(about.slip(*still.slip()) if still.gradients
                         else about.undecided(still.words()))  # fmt: skip
    shown = rule.words() if rule else LEFT if training.fit.ways else RUN
    words = (shown, *training.network.words(Network()))
    verdict = replace(about, verdict=Verdict.AGREES, sentence="agrees", conventions=words)
    parts = parts_of(program, training)
    momentum = not (plain or training.fit.ways)
    losses = losses_meant(training, parts, program, asked, rule, momentum=momentum)
    if not losses:
        return None
    right = Rehearsed(verdict, parts, plain or rule is not None, program.penalised)
    if not program.penalised:
        return right
    return with_penalty(right, Penalised(source, training, losses, rule))


def wrong_step(
    training: Training, how: str, number: int, about: FunctionVerdict
) -> FunctionVerdict | None:
    """The verdict on a step that is not right; None on one that is."""
    if how == "added":
        sentence = (
            f"its step {number + 1} is made of the gradients of both batches: they are added up"
            " and never set back to 0"
        )
        return about.slip("gradients-accumulate", sentence, ADDED_UP)
    if how:
        return None
    if stale(training, number):
        sentence = (
            f"its step {number + 1} moves {training.chain.weights[-1]} by the gradient at the"
            f" weights before step {number}: no forward pass is made in between"
        )
        return about.slip("forward-pass-of-call-before", sentence, STALE)
    return about.undecided(
        f"its first step is right, and step {number + 1} is none of its gradient"
    )


def with_penalty(found: Rehearsed, penalty: Penalised) -> Rehearsed:
    """What a right training shows in the light of its penalty."""
    said = penalty.said()
    if isinstance(said, tuple):
        return replace(found, verdict=found.verdict.slip(*said), penalised=False)
    if not said:
        return found
    words = (*found.verdict.conventions, said)
    return replace(found, verdict=replace(found.verdict, conventions=words), penalised=False)


def of_its_text(source: Source, network: Network) -> bool:
    """Whether the network that a step fits is one that the text shows: where it shows a logarithm,
    a squared error is none."""
    text = re.sub(r"logit\w*|login\w*|logg\w*", "", source.text)
    return network.loss != "mse" or not re.search(r"\blog\w*\(", text)


def moved_otherwise(training: Training) -> str:
    """The weights that are not moved by their gradient where others are, of gradients that lie
    beside them; a bias of few units moves by it with every optimiser."""
    if not training.fit.ways:
        return ""
    due, step = training.due(training.step, training.rows), training.step
    factors = {name: multiple(step.taken[name], one, step.near)
               for name, one in due.items() if one.ndim > 1}  # fmt: skip
    left = [training.chain.ways()[name] for name, one in factors.items() if not one > 0]
    return " and ".join(left) if len(left) < len(factors) else ""


def climbing(training: Training) -> list[str]:
    """The parameters that move up their gradient, where only the gradients were seen."""
    if not training.fit.ways:
        return []
    due, step = training.due(training.step, training.rows), training.step
    return [name for name, one in step.taken.items() if multiple(one, due[name], step.near) < 0]
