"""What a file's functions together say of each of them.

Where the whole is right, each of its functions is right as the file uses it. Where it is not, the
mistake is that of the whole, and what could not be called alone was called there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from compare.contracts.result import Verdict
from compare.examine.starter.function_verdict import FunctionVerdict
from compare.examine.starter.whole_check import Together


def settled(found: Sequence[FunctionVerdict], whole: Together) -> list[FunctionVerdict]:
    """The verdicts on single functions, in the light of what they do together."""
    kept = [one for one in found if one.name != whole.verdict.name]
    own = {one.name: one for one in found if one.name in whole.called}
    if whole.right:
        return [*(as_used(one, whole) for one in kept), whole.verdict]
    if whole.final in own and own[whole.final].verdict is Verdict.AGREES and not whole.settled:
        if any(one.verdict is Verdict.DISAGREES for one in own.values()):
            return list(found)  # the gradient is right, and what is wrong is known
    if whole.ahead:
        kept = [as_used(one, whole) if one.role in AHEAD else one for one in kept]
    of_whole = clearer(own.get(whole.verdict.name), whole)
    # what could not be called alone was called here
    rest = [one for one in kept if one.name not in whole.called or not told_by(whole, one)]
    if whole.result.kind == "loss" and whole.final != of_whole.name:
        rest.append(FunctionVerdict(whole.final, "gradient", whole.place, Verdict.AGREES, "agrees"))
    return [*rest, of_whole]


AHEAD = ("relu", "softmax", "compute_layer")
"""What a forward pass is made of: right as it is used, where that is right."""


def clearer(own: FunctionVerdict | None, whole: Together) -> FunctionVerdict:
    """Of a function's own verdict and that of the whole the one that says more."""
    if own is None or own.verdict is not Verdict.DISAGREES:
        return whole.verdict
    if undecided(whole.verdict):
        return own
    says_more = own.kind == "shape" or (bool(own.diagnosis) and not whole.verdict.diagnosis)
    return own if says_more else whole.verdict


def told_by(whole: Together, one: FunctionVerdict) -> bool:
    """Whether the whole says more of a function than its own call did."""
    found_wrong = one.verdict is Verdict.DISAGREES and undecided(whole.verdict)
    return undecided(one) or (one.role in PARTS and not found_wrong)


PARTS = ("gradient", "loss", "forward")
"""Of which the whole says more than their own call."""


def undecided(one: FunctionVerdict) -> bool:
    """Whether nothing is known of a function."""
    return one.verdict is Verdict.UNDECIDABLE


OF_USE = (None, "value", "shape", "convention")
"""What a right use excuses; that it overflows or writes to its arguments, none does."""


def as_used(one: FunctionVerdict, whole: Together) -> FunctionVerdict:
    """A function that is part of a right whole: right as the file uses it."""
    wrong = one.verdict is not Verdict.AGREES
    if not wrong or one.name not in whole.called or one.kind not in OF_USE:
        return one
    return replace(
        one, verdict=Verdict.AGREES, sentence="agrees", kind=None, diagnosis=(),
        conventions=(f"as {whole.verdict.name} uses it",),
    )  # fmt: skip
