"""The verdict on a file's functions together, and what it says of each of them.

Where forward pass, loss and gradient together are right, each of them is right as the file uses
it: a softmax made for one vector, hidden units that are tanh. Where they are not, the mistake is
that of the whole, and no single function is accused of what it was never meant for.
"""

from __future__ import annotations

import ast
import functools
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

from compare.contracts.errors import BadInput, UserCodeError
from compare.contracts.result import Result, Verdict
from compare.diagnosis.prediction import BY_NAME
from compare.examine.starter.answered import mean_gradients, names_of
from compare.examine.starter.function_verdict import FunctionVerdict
from compare.examine.starter.networks import Network, candidates, point
from compare.examine.starter.numbering import FROM_ONE, LABELS, MIXED, SHIFTED, numbers_in
from compare.examine.starter.one_function import Declared, belongs, checked, started_at
from compare.examine.starter.one_output import (
    SEVERAL_UNTOLD,
)
from compare.examine.starter.own_loss import (
    NETWORK,
    UNKNOWN,
    declared_by,
    is_of_no_known_loss,
)
from compare.examine.starter.pairs_handed import of_all
from compare.examine.starter.readings import Sizes
from compare.examine.starter.single import handed
from compare.examine.starter.source import Opened, Source
from compare.examine.starter.strengths import Strength, strength_in
from compare.examine.starter.subject import (
    DEFAULTS,
    Subject,
    class_of,
    of_functions,
    with_constants,
)
from compare.examine.starter.unshown import term_unshown, unshown
from compare.examine.starter.weight_layout import in_its_shape
from compare.examine.starter.whole import Whole
from compare.examine.starter.whole_loss import TrainingLines
from compare.examine.starter.whole_search import Meant, searched
from compare.examine.starter.whole_used import compared_in
from compare.examine.starter.whole_words import said, without_dropout
from compare.guard.blame import Place
from compare.guard.guard import Guard

ONE_OUTPUT_SAID = "compared with one output unit"


@dataclass(frozen=True)
class Together:
    """The verdict on the whole, its result, the function that gave the gradients and where it is,
    the functions that its numbers came from, those that are only named in what was called, and the
    form of those that got single samples."""

    verdict: FunctionVerdict
    result: Result
    final: str
    place: Place | None
    called: frozenset[str]
    idle: frozenset[str]
    handed: Mapping[str, str]
    right: bool
    """Whether the whole agrees, as far as it was compared."""
    ahead: bool
    """Whether its forward pass is a network's."""
    own_loss: bool
    """Whether its gradients are those of a loss that cannot be declared."""

    @property
    def settled(self) -> bool:
        """Whether nothing is left to find out about the functions that were called."""
        named = bool(self.verdict.diagnosis) and self.result.kind != "structure"
        return self.right or self.own_loss or named


def functions_together(source: Source, declared: Declared) -> Together | None:
    """The functions of a file as one gradient; None where nothing gives gradients of all weights.

    They are executed in a module of their own: what they leave behind is nobody else's.
    """
    names = [name for name, one in source.definitions.items()
             if isinstance(one.node, ast.FunctionDef)]  # fmt: skip
    opened = source.load(names)
    guard = Guard(timeout=declared.timeout)
    at = functools.partial(of_functions, source, opened, guard)
    return together(source, opened, with_constants(opened, at), declared, "")


def class_together(
    source: Source, name: str, declared: Declared, layers: int = 0,
    made: Mapping[str, str] = DEFAULTS,
) -> Together | None:  # fmt: skip
    """The methods of a class as one gradient, each handed what another returned; of so many
    `layers`, or as many as names say; `made` with words other than its defaults."""
    found = class_of(source, name, Guard(timeout=declared.timeout), made)
    return None if found is None else together(source, *found, declared, name, layers)


def together(
    source: Source,
    opened: Opened,
    subject_at: Callable[[Sizes], Subject],
    declared: Declared,
    name: str,
    layers: int = 0,
) -> Together | None:
    """Search for the meaning of a file, then check it in that meaning."""
    networks = list(candidates(source.text, declared.network, list(declared.settings)))
    guard = Guard(timeout=declared.timeout)
    meant = searched(source.text, subject_at, networks, declared.seed, guard, layers)
    if meant is None:
        return None
    subject, sizes = meant.subject, meant.sizes
    whole = of_all(meant.whole, sizes, guard)
    strength = strength_in(whole, subject, declared.settings, sizes, guard)
    whole = replace(whole, chain=whole.chain.at(strength.passed))
    declared = replace(declared, settings={**declared.settings, **strength.declared})
    given = point(sizes, 0)
    alone = handed(opened.module, lambda: whole.chain.run(*given), guard, len(given[1]))
    if form := whole.chain.mode.form:
        alone = dict.fromkeys(source.definitions, form) | alone
    try:
        whole, result = named_in(whole, networks, subject, declared, sizes)
        whole, strength, result = of_its_own_loss(whole, strength, result, subject, declared, sizes)
    except (BadInput, UserCodeError):
        return None
    result = without_overwritten(result, whole)
    meant = replace(meant, whole=whole)
    verdict = verdict_on(meant, source, result, declared.network, strength, name)
    own = is_of_no_known_loss(result, declared.settings)
    own = own and belongs(whole, subject, declared, sizes)
    verdict = verdict.undecided(UNKNOWN) if own else verdict
    shown = unshown(whole, subject, source, opened, declared.network, sizes)
    term = term_unshown(whole, subject, source, opened, verdict.diagnosis, sizes)
    verdict = verdict.undecided(term) if term else weakened(verdict, meant, result, strength, shown)
    seed, reduction = declared.seed, declared.network.reduction
    verdict = in_its_shape(verdict, turned_in(whole, subject, sizes, guard), source)
    lines = TrainingLines(whole, subject, source, opened, sizes, reduction, seed)
    verdict = lines(verdict) if not name else verdict
    names = names_of(subject.flow, whole.final)
    called = compared_in(whole, opened.module, names, guard, sizes, declared.seed)
    inner = {one for call in whole.chain.calls for one in subject.flow.calls(call.name)}
    return Together(
        verdict, result, whole.final, source.where(whole.final),
        called | classes_in(whole, sizes, guard), frozenset(inner) - called, alone,
        result.verdict is Verdict.AGREES, whole.told.fit.p, own,
    )  # fmt: skip


def verdict_on(
    meant: Meant, source: Source, result: Result, asked: Network, strength: Strength, name: str
) -> FunctionVerdict:
    """Return the result of a check as the verdict on a function of the file, or on a class."""
    whole = meant.whole
    blamed = name or (loss_of(whole) if result.kind == "loss" else whole.final)
    words = (*said(whole, meant.subject, asked, strength), *result.notes)
    if meant.sizes.K == 1:
        words = (ONE_OUTPUT_SAID, *words)
    role = "gradient" if blamed in (name, whole.final) else "loss"
    passed = [value for call in whole.chain.calls for _, value in call.passed]
    numbers = numbers_in(passed)
    verdict = in_words(blamed, role, without_our_labels(result, bool(numbers)), words)
    verdict = replace(verdict, place=source.where(blamed), numbers=numbers)
    mixed = {LABELS, FROM_ONE} <= set(passed) and verdict.verdict is Verdict.AGREES
    return verdict.slip(SHIFTED, MIXED, BY_NAME[SHIFTED].title) if mixed else verdict


def weakened(
    verdict: FunctionVerdict, meant: Meant, result: Result, strength: Strength, shown: str
) -> FunctionVerdict:
    """Return the verdict, undecided where it agrees and something was not compared, or where more
    than the gradient is taken off the weights (a decay, a velocity) and no mistake is known."""
    dropped = without_dropout(meant.whole, meant.subject)
    only = SEVERAL_UNTOLD if meant.one_only else ""
    lacking = " and ".join(filter(None, (strength.lacking, *dropped, shown, only)))
    if lacking and verdict.verdict is Verdict.AGREES:
        alone = lacking == shown  # a loss that the training shows makes up for it
        return replace(verdict.undecided(lacking), lacking=not alone)
    if meant.whole.chain.moves and result.kind == "derivative" and not verdict.diagnosis:
        return verdict.undecided("what its step takes off the weights was not told")
    return verdict


def turned_in(whole: Whole, subject: Subject, sizes: Sizes, guard: Guard) -> list[str]:
    """The weights whose gradients the functions of a file return in the transpose of the shape
    that the weights have there."""
    chain = replace(whole.chain, shaped=True)
    parameters, x, targets = point(sizes, 0)

    def shapes() -> dict[str, tuple[int, ...]]:
        ran = chain.run(dict(parameters), x, targets)
        found = mean_gradients(ran, whole.final, names_of(subject.flow, whole.final), parameters)
        return {name: one.shape for name, one in found.items()}

    if whole.chain.mode.one_by_one or whole.chain.moves:
        return []
    found: dict[str, tuple[int, ...]] = guard.run(shapes, whole.final, None)
    return [name for name, shape in found.items() if shape != parameters[name].shape]


def classes_in(whole: Whole, sizes: Sizes, guard: Guard) -> set[str]:
    """The names of the classes of the objects that the weights lie in."""
    started = started_at(whole, sizes, 0, guard)
    found: set[str] = set()
    queue = list(started.made.values())
    for thing in queue:
        listed = isinstance(thing, list | tuple)
        held = list(thing) if listed else list(getattr(thing, "__dict__", {}).values())
        for one in held:
            container = isinstance(one, list | tuple) or hasattr(one, "__dict__")
            if container and all(one is not other for other in queue):
                queue.append(one)
        found.add(type(thing).__name__)
    return found


def named_in(
    whole: Whole, networks: Iterable[Network], subject: Subject, declared: Declared, sizes: Sizes
) -> tuple[Whole, Result]:
    """The result, in the network in which a mistake is known where no number tells the network.

    Of code that returns nothing but wrong gradients its text shows the hidden units, not more.
    """
    result = checked(whole, subject, declared, sizes)
    if result.verdict is not Verdict.DISAGREES or result.diagnosis or whole.told.fit.score:
        return whole, result
    meant = whole.told.network
    for other in networks:
        if other.activation != meant.activation and other == replace(
            meant, activation=other.activation
        ):
            instead = replace(whole, told=replace(whole.told, network=other))
            again = checked(instead, subject, declared, sizes)
            if again.diagnosis:
                return instead, again
    return whole, result


def of_its_own_loss(
    whole: Whole, strength: Strength, result: Result, subject: Subject, declared: Declared,
    sizes: Sizes,
) -> tuple[Whole, Strength, Result]:  # fmt: skip
    """The result with what the file's own loss declares, if it agrees with that."""
    options = declared_by(result, declared.settings, whole.told.network.loss) if whole.loss else {}
    if not options:
        return whole, strength, result
    ends = {name: value for name, value in options.items() if name in NETWORK}
    beside = {name: value for name, value in options.items() if name not in NETWORK}
    network = replace(whole.told.network, **ends)
    instead = replace(whole, told=replace(whole.told, network=network))
    also = replace(declared, settings={**declared.settings, **beside})
    again = checked(instead, subject, also, sizes)
    if again.verdict is not Verdict.AGREES:
        return whole, strength, result
    return instead, replace(strength, declared={**strength.declared, **beside}), again


def loss_of(whole: Whole) -> str:
    """The function whose value was taken for the loss."""
    return whole.loss or whole.final


def without_our_labels(result: Result, numbers: bool) -> Result:
    """The result without what we did ourselves: made class numbers of soft targets."""
    return without(result, HARDENED) if numbers else result


def without_overwritten(result: Result, whole: Whole) -> Result:
    """The result without what cannot be: the loss of a function of its own is called before the
    gradient, which may overwrite its probabilities. That it is NaN has another cause."""
    return without(result, OVERWRITTEN) if whole.loss not in ("", whole.final) else result


def without(result: Result, mistake: str) -> Result:
    """The result without one of its mistakes."""
    gone = [one for one in result.diagnosis if one.mistake == mistake]
    if not gone:
        return result
    kept = tuple(one for one in result.diagnosis if one not in gone)
    sentence = result.sentence.replace(f"{gone[0].headline}: ", "")
    return replace(result, diagnosis=kept, sentence=sentence)


HARDENED, OVERWRITTEN = "targets-hardened", "delta-overwrites-probabilities"


def in_words(name: str, role: str, result: Result, words: Iterable[str]) -> FunctionVerdict:
    """The verdict of the check, as that of one function of the file."""
    agrees = result.verdict is Verdict.AGREES
    sentence = "agrees" if agrees else result.sentence.partition(": ")[2] or result.sentence
    kind = None if agrees else "convention" if result.kind == "convention" else "value"
    return FunctionVerdict(
        name, role, None, result.verdict, sentence, kind, tuple(words), diagnosis=result.diagnosis
    ).compared_as(result)
