"""The functions that the assignment names, each checked alone and in the light of who calls it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from compare.contracts.errors import UserCodeError
from compare.contracts.result import Verdict
from compare.examine.starter.binary_loss import binary_loss
from compare.examine.starter.function_check import FunctionCheck
from compare.examine.starter.function_verdict import FunctionVerdict
from compare.examine.starter.held import Held
from compare.examine.starter.loss_pairs import several_returned
from compare.examine.starter.network_class import Found
from compare.examine.starter.numbering import FROM_ONE, from_one, takes_one_off
from compare.examine.starter.single import (
    ALONE,
    by_sample,
    called_by_sample,
    calls_unread,
    made_for_one,
)
from compare.examine.starter.source import Opened, Source
from compare.examine.starter.training.handed import handed_in

EITHER = "right for one vector, not for a batch; which of them {} hands it is not known"


def roles_checked(
    file: Held, opened: Opened, of_classes: Found, reduction: str
) -> list[FunctionVerdict]:
    """Check the functions of the assignment, each alone."""
    check = FunctionCheck(file.source.guard, reduction)
    alone = {**of_classes.handed, **(file.whole.handed if file.whole is not None else {})}
    return [checked(check, file.source, opened, name, role, alone, of_classes.verdicts)
            for name, role in file.roles.items()]  # fmt: skip


def checked(
    check: FunctionCheck,
    source: Source,
    opened: Opened,
    name: str,
    role: str,
    alone: Mapping[str, str],
    classes: Sequence[FunctionVerdict],
) -> FunctionVerdict:
    """Check one of the functions of the assignment; say why where it could not be called."""
    place = source.where(name)
    try:
        function = opened.get(name)
    except UserCodeError as error:
        return FunctionVerdict(name, role, place, Verdict.UNDECIDABLE, f"not defined: {error}")

    def found(form: str) -> FunctionVerdict:
        return check(name, role, function, source.signature(name), place, form)

    several = several_returned(source, name, function, check) if role == "average_ce" else None
    if several is not None:
        return several
    of_batch = found(by_sample(alone, name, called_by_sample(source, name)))
    if role == "average_ce":
        of_batch = binary_loss(source, of_batch, function)
    if (
        role in ("average_ce", "grad_ce")
        and of_batch.verdict is not Verdict.AGREES
        and takes_one_off(source, name)
    ):
        again = check(name, role, from_one(function), source.signature(name), place, "")
        if again.verdict is Verdict.AGREES:
            return replace(again, conventions=(*again.conventions, FROM_ONE), numbers=FROM_ONE)
    if of_batch.verdict is not Verdict.DISAGREES:
        return of_batch
    if unread := [one for one in classes if calls_unread(source, one, name)]:
        return made_for_one(of_batch, found("vector"), unread[0].name)
    return as_its_program_calls(source, of_batch, found) if role == "softmax" else of_batch


def as_its_program_calls(
    source: Source, of_batch: FunctionVerdict, found: Callable[[str], FunctionVerdict]
) -> FunctionVerdict:
    """The verdict on a softmax that is wrong for a batch: right where the file hands it single
    vectors throughout, and unknown where a function that calls it was not run."""
    of_one = found("vector")
    if of_one.layout != ALONE:
        return of_batch
    seen = handed_in(source, of_batch.name)
    if not seen.form:
        return of_batch
    if seen.unreached:
        return replace(of_one, conventions=()).undecided(EITHER.format(", ".join(seen.unreached)))
    return found(seen.form)
