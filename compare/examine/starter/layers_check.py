"""The verdicts on layers as objects: composed as the file's training does, compared as a class.

Every layer and every loss is looked at in some network. A network that may be meant in another way
accuses nobody; what is in none that could be compared is said in one sentence.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from math import inf

from compare.contracts.result import Diagnosis, Verdict
from compare.diagnosis.prediction import BY_NAME
from compare.examine.starter.class_options import may_drop
from compare.examine.starter.function_verdict import FunctionVerdict
from compare.examine.starter.layer_classes import (
    bases_of,
    classes_of,
    last_backward,
    methods_of,
)
from compare.examine.starter.layer_losses import is_slope, loss_classes
from compare.examine.starter.layer_objects import NAME, Composed, compositions
from compare.examine.starter.layer_strengths import strengths_checked
from compare.examine.starter.networks import candidates
from compare.examine.starter.one_function import Declared
from compare.examine.starter.source import Source
from compare.examine.starter.subject import class_of
from compare.examine.starter.whole_check import Together, class_together
from compare.examine.starter.whole_search import consistent, searched
from compare.guard.guard import Guard

OWN = frozenset({"forward", "loss", "backward", "train", NAME})
"""What the class of the layers itself is made of."""
EARLY = "weights-stepped-too-early"
STEPPED = (
    "A layer moves its weights before the gradient goes back through them: what it hands on is"
    " right only as the learning rate goes to 0."
)
PENALTIES = frozenset({"l1", "l2"})
MOST = 8
"""So many networks are put together for one loss or layer."""
ADVICE = (
    "put them into a class with forward(x), a loss and backward(y) that makes them, and run the"
    " same command again, or compare them one by one with --layer (docs/layers.md)"
)


ORDER = (
    "was not compared: it agrees with output and targets in one order of the arguments of its"
    " loss, which neither their names nor a call that could be read says; name them y_true and"
    " y_pred and run the same command again"
)


@dataclass
class Layers:
    """The verdicts on networks of layers, what they are made of, and the names that were compared
    in them."""

    verdicts: list[FunctionVerdict] = field(default_factory=list)
    parts: set[str] = field(default_factory=set)
    called: set[str] = field(default_factory=set)
    kinds: set[str] = field(default_factory=set)
    """The layers, losses and containers of layers of a file."""

    @property
    def right(self) -> bool:
        """Whether all that was compared agrees."""
        return all(one.verdict is Verdict.AGREES for one in self.verdicts)


def layers_checked(source: Source, classes: Iterable[str], declared: Declared) -> Layers:
    """Compare the layers of a file; nothing where it has none, or a class that makes them.

    `classes`: those that would be looked at one by one.
    """
    found, layers, looked_at = Layers(), classes_of(source), set(classes)
    if PENALTIES & set(declared.settings):
        layers = replace(layers, strengths={})  # they are part of the network that is declared
    if not looked_at & set(layers.weighted):
        return found
    parts = set[str]()
    for ways in compositions(source, layers):
        if told := judged(ways[:MOST], declared):
            parts |= told[0].parts
            found.verdicts.append(as_said(source, *told))
            found.called |= (told[1].called - OWN) | told[0].parts
            if not (told[1].right or told[0].unapplied):
                break  # what else its layers do does not matter any more
    kinds = {*layers.weighted, *layers.plain, *loss_classes(source, layers)}
    found.kinds = (kinds | set(layers.holders)) & looked_at
    if found.verdicts:
        run = went_back(source, parts)
        above = {base for one in kinds for base in bases_of(source, one)}
        found.parts = (found.kinds | found.called | above) & looked_at
        called = {one for one in kinds & found.called if computes_back(source, one)}
        left = ((kinds & looked_at) - found.called | called) - run
        if found.right and not PENALTIES & set(declared.settings):
            quiet, weighted = Guard(timeout=declared.timeout), sorted(parts & set(layers.weighted))
            made = layers.made_of(source)
            found.verdicts += strengths_checked(source, weighted, quiet, made, layers.moves)
        found.verdicts += [unseen(source, left)] if left and found.right else []
    return found


def went_back(source: Source, parts: Iterable[str]) -> set[str]:
    """The classes whose backward passes were run: the parts of a network, and what these call it
    of."""
    run = set(parts)
    for name in parts:
        one = source.definitions[name].node if name in source.definitions else None
        if one is not None and last_backward(ast.walk(one)):
            run |= source.closure([name])
    return run


def computes_back(source: Source, name: str) -> bool:
    """Whether the backward pass of a class does more than hand on what it is given, or raise."""
    methods = methods_of(source, name)
    slopes = [one for key, one in methods.items() if is_slope(key)]
    return any(isinstance(part, ast.BinOp | ast.AugAssign)
               for one in slopes for part in ast.walk(one))  # fmt: skip


def together_said(
    source: Source, layers: Layers, verdicts: Sequence[FunctionVerdict]
) -> list[FunctionVerdict]:
    """The verdicts on classes, with one sentence of layers that could not be compared."""
    unread = {one.name for one in verdicts if one.verdict is Verdict.UNDECIDABLE} & layers.kinds
    if len(unread) < 2:
        return list(verdicts)
    return [*(one for one in verdicts if one.name not in unread), unseen(source, unread)]


def judged(ways: Iterable[Composed], declared: Declared) -> tuple[Composed, Together] | None:
    """The first network that agrees and is shown by the file, else one that agrees, undecided, else
    the one that is certainly meant."""
    tried = sorted(ways, key=lambda one: not one.proved)
    fits = (one for one in tried if class_fits(one.source, NAME, declared, one.layers))
    right = next(fits, None)
    for one in [right] if right is not None else [one for one in tried if one.certain]:
        together = class_together(one.source, NAME, declared, one.layers)
        if together is not None:
            found = undropped(one, unapplied(one, early(one, together, declared)))
            return one, unproved(found) if right is one and not one.proved else found
    return None


def unapplied(one: Composed, together: Together) -> Together:
    """The same, undecided where it fits with a softmax that no training of the file applies."""
    if not one.unapplied:
        return together
    why = f"a network's with {one.unapplied} behind its layers, which its training does not apply"
    verdict = replace(together.verdict.undecided(why), diagnosis=(), worst=None)
    return replace(together, verdict=verdict, right=False)


def undropped(one: Composed, together: Together) -> Together:
    """The same, undecided where one of its layers drops units: it was made to drop none."""
    nodes = one.source.definitions
    dropping = [name for name in sorted(one.parts) if name in nodes and may_drop(nodes[name].node)]
    if not (together.right and dropping):
        return together
    why = f"its dropout was not compared: {' and '.join(dropping)} was made to drop nothing"
    return replace(together, verdict=together.verdict.undecided(why), right=False)


def unproved(found: Together) -> Together:
    """What agrees with arguments of a loss in an order that the file does not show."""
    return replace(found, verdict=found.verdict.undecided(ORDER)) if found.right else found


def early(one: Composed, together: Together, declared: Declared) -> Together:
    """The same with the mistake of layers that step before they hand the gradient on, which makes
    it right only as the rate goes to 0."""
    if together.right or together.verdict.diagnosis or one.slowly is None:
        return together
    if not class_fits(one.slowly, NAME, declared, one.layers):
        return together
    mistake = BY_NAME[EARLY]
    named = Diagnosis(EARLY, STEPPED, inf, 0.0, title=mistake.title)
    verdict = together.verdict
    sentence = f"{mistake.title}: {verdict.sentence}"
    return replace(together, verdict=replace(verdict, diagnosis=(named,), sentence=sentence))


def as_said(source: Source, one: Composed, together: Together) -> FunctionVerdict:
    """The verdict, by the names of the layers."""
    first = one.words.split(" ")[0]
    words = [word for word in together.verdict.conventions if not word.startswith("read as")]
    return replace(
        together.verdict, name=one.words, place=source.where(first), conventions=tuple(words)
    )


def unseen(source: Source, names: Iterable[str]) -> FunctionVerdict:
    """Say which layers were in no network that could be compared."""
    left = sorted(names)
    sentence = f"was not compared: what puts its layers together was not found; {ADVICE}"
    name = ", ".join(left)
    return FunctionVerdict(name, "gradient", source.where(left[0]), Verdict.UNDECIDABLE, sentence)


def class_fits(source: Source, name: str, declared: Declared, layers: int) -> bool:
    """Whether the gradients of a class are a network's, to the digits that tell networks apart."""
    guard = Guard(timeout=declared.timeout)
    found = class_of(source, name, guard)
    if found is None:
        return False
    networks = list(candidates(source.text, declared.network, list(declared.settings)))
    meant = searched(source.text, found[1], networks, declared.seed, guard, layers)
    return meant is not None and consistent(meant.whole)
