"""One function of a student's file against torch, called in every way it may be meant.

The first reading that agrees decides how it is meant. If none does, it is judged as the
assignment has it.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from compare.checks.comparison import compare_entries
from compare.contracts.arrays import Array
from compare.contracts.errors import UserCodeError
from compare.contracts.result import Diagnosis, Verdict
from compare.examine.starter.derivative_readings import derivative_readings
from compare.examine.starter.entropy_readings import extreme_entropy, loss_readings, slope_readings
from compare.examine.starter.explain import Call, explained, one_mistake_gives
from compare.examine.starter.function_verdict import FunctionVerdict, Trial, judged
from compare.examine.starter.layer_readings import (
    extreme_softmax,
    layer_readings,
    relu_readings,
    softmax_readings,
)
from compare.examine.starter.loss_check import loss_named
from compare.examine.starter.readings import ASSIGNMENT, UNEQUAL, Reading, Sizes, Weight
from compare.examine.starter.single import ALONE, ONE_SAMPLE, over_samples
from compare.guard.blame import Place
from compare.guard.copies import OnCopies
from compare.guard.guard import Guard

READINGS: dict[str, Callable[[Sequence[str], str, Sizes], Iterator[Reading]]] = {
    "relu": relu_readings,
    "relu_derivative": derivative_readings,
    "softmax": softmax_readings,
    "compute_layer": layer_readings,
    "average_ce": loss_readings,
    "grad_ce": slope_readings,
}
"""By role: `(names of the parameters, declared reduction, sizes)` to the readings, likeliest first.
"""
EXPLAINED = 4
"""For how many readings of a wrong function a known mistake is looked for."""
SIZES_WRITTEN_IN = "it works for the sizes of the assignment only: 10 classes, 1000 hidden units"


@dataclass(frozen=True)
class FunctionCheck:
    """Checks functions of one file; `reduction` is what the user declared."""

    guard: Guard
    reduction: str = "mean"

    def __call__(
        self,
        name: str,
        role: str,
        function: Callable[..., Any],
        parameters: Sequence[str],
        place: Place | None,
        form: str = "",
    ) -> FunctionVerdict:
        """Return the verdict on one function; `form` is that of the single samples it is handed."""
        quiet = OnCopies(function, Guard(timeout=self.guard.timeout))
        trials = self.meant(quiet, role, parameters)
        if role in ONE_BY_ONE and (uncalled(trials) or (form and not right(trials[-1]))):
            single = self.alone(function, role, parameters, form or "vector")
            if single is not None:
                return replace(single, name=name, place=place)
        if role in ELEMENTWISE and uncalled(trials):
            for words, pieces in PIECES.items():  # made for numbers, or for one row
                piecewise = OnCopies(pieces(function), Guard(timeout=self.guard.timeout))
                again = self.meant(piecewise, role, parameters)
                if again[-1].compared is not None:
                    said = again[-1].reading.differing(Weight.INTERFACE, words)
                    trials = [*again[:-1], replace(again[-1], reading=said)]
                    quiet, function = piecewise, pieces(function)
                    break
        trial, named = self.named(quiet, role, parameters, trials)
        call = OnCopies(function, self.guard)
        if not trial.timed_out:  # once more, for what it does besides returning
            trial = attempt(call, trial.reading)
        found = replace(judged(name, role, place, trial), diagnosis=named)
        if trial.agrees and role == "softmax":
            found = at_extremes(found, trial, attempt(call, extreme_softmax(trial.reading)))
        elif trial.agrees and role in ("average_ce", "grad_ce"):
            extreme = extreme_entropy(role, trial.reading)
            found = found if extreme is None else remarked(found, attempt(quiet, extreme))
        return with_side_effects(found, list(call.modified.values()))

    def alone(
        self, function: Callable[..., Any], role: str, parameters: Sequence[str], form: str
    ) -> FunctionVerdict | None:
        """The verdict on a function of one sample; None if it is not right for one either.

        What becomes of huge numbers is said of it, and is no disagreement: it is a part of its
        author's own network, of which the same is said.
        """
        single = over_samples(function, form, role)
        quiet = OnCopies(single, Guard(timeout=self.guard.timeout))
        trial = tried(quiet, READINGS[role](parameters, self.reduction, UNEQUAL))[-1]
        if not right(trial):
            return None
        call = OnCopies(single, self.guard)
        said = trial.reading.differing(Weight.INTERFACE, ONE_SAMPLE)
        found = judged("", role, None, replace(attempt(call, said), reading=said))
        far = extreme_softmax(said) if role == "softmax" else extreme_entropy(role, said)
        found = found if far is None else remarked(found, attempt(quiet, far))
        found = with_side_effects(found, list(call.modified.values()))
        return replace(found, layout=ALONE)

    def meant(self, call: OnCopies, role: str, parameters: Sequence[str]) -> list[Trial]:
        """The trials in their order, ending with the one that agrees, if one does.

        Where nothing can be called at sizes of which no two are equal, those of the assignment
        may be written into the code: they are tried then.
        """
        drawn = READINGS[role](parameters, self.reduction, UNEQUAL)
        trials = tried(call, drawn)
        if any(trial.compared is not None or trial.timed_out for trial in trials):
            return trials
        again = tried(call, READINGS[role](parameters, self.reduction, ASSIGNMENT))[-1]
        if not again.agrees:
            return trials
        said = again.reading.differing(Weight.INTERFACE, SIZES_WRITTEN_IN)
        return [*trials, replace(again, reading=said)]

    def named(
        self, call: OnCopies, role: str, parameters: Sequence[str], trials: Sequence[Trial]
    ) -> tuple[Trial, tuple[Diagnosis, ...]]:
        """The trial to talk about, and the mistake that gives its numbers.

        The one that agrees; else the first of the likeliest that a known mistake reproduces.
        """
        if trials[-1].agrees or trials[-1].timed_out:
            return trials[-1], ()
        order = sorted(range(len(trials)), key=lambda place: unlikeliness(trials[place]))
        # One value of one function seldom shows two mistakes apart, and the search takes seconds.
        for trial, calls in self.again(call, role, parameters, trials, order[:EXPLAINED]):
            if one_mistake_gives(role, *calls):
                return trial, explained(role, *calls)
        first = trials[order[0]]
        if role == "average_ce" and finite(first) and first.reading.layout == "rows":
            return first, self.loss_named(call.function, first.reading)
        return first, ()

    def loss_named(self, function: Callable[..., Any], reading: Reading) -> tuple[Diagnosis, ...]:
        """The mistake in a loss, called as it was read."""
        labels = reading.arguments["target"].ndim == 1
        meant = {"target": "labels" if labels else "y", "scores": reading.scores}
        return loss_named(
            function, lambda known: {name: known[meant[name]] for name in reading.arguments},
            reduction=reading.reduction, timeout=self.guard.timeout,
        )  # fmt: skip

    def again(
        self,
        call: OnCopies,
        role: str,
        parameters: Sequence[str],
        trials: Sequence[Trial],
        places: Sequence[int],
    ) -> Iterator[tuple[Trial, list[Call]]]:
        """The trials that gave numbers, each with the same call at other numbers beside it."""
        readings = list(READINGS[role](parameters, self.reduction, replace(UNEQUAL, seed=1)))
        for place in places:
            if place < len(readings) and finite(trials[place]):
                both = (trials[place], attempt(call, readings[place]))
                calls = [(one.reading, one.observed) for one in both if one.observed is not None]
                if len(calls) == 2:
                    yield trials[place], calls


def over_numbers(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function of numbers as one of arrays."""

    @functools.wraps(function)
    def called(*arrays: Array) -> Any:
        return np.vectorize(function, otypes=[float])(*arrays)

    return called


def over_rows(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function of one row as one of matrices."""

    @functools.wraps(function)
    def called(*arrays: Array) -> Any:
        return np.array([function(*rows) for rows in zip(*arrays, strict=True)])

    return called


ONE_BY_ONE = ("softmax", "average_ce", "grad_ce")
"""What may be made for one sample, and is another thing then: sums run over all of it."""
ELEMENTWISE = ("relu", "relu_derivative")
PIECES = {"it takes one sample at a time": over_rows, "it takes one number at a time": over_numbers}
"""What a function may be made for, in place of a matrix."""


def right(trial: Trial) -> bool:
    """True if a call gave what is due, of rows and in no other convention."""
    serious = any(one.weight is not Weight.INTERFACE for one in trial.reading.differences)
    return trial.agrees and not serious and trial.reading.layout in ("", "rows")


def uncalled(trials: Sequence[Trial]) -> bool:
    """True if a function raised, however it was called, and did not hang."""
    return all(trial.error is not None and not trial.timed_out for trial in trials)


def tried(call: OnCopies, readings: Iterable[Reading]) -> list[Trial]:
    """Call a function one way after another, until it agrees.

    A function that hangs is not called a second time.
    """
    trials: list[Trial] = []
    for reading in readings:
        trials.append(attempt(call, reading))
        if trials[-1].agrees or trials[-1].timed_out:
            break
    return trials


def finite(trial: Trial) -> bool:
    """True if numbers of the shape that is due came back, none of them NaN or infinite.

    The logarithm of logits is NaN: a function of probabilities was not meant to be called so.
    """
    seen = trial.observed
    return trial.compared is not None and seen is not None and bool(np.isfinite(seen).all())


def unlikeliness(trial: Trial) -> tuple[bool, bool, bool, bool, int]:
    """Order trials that all fail: first the one that came closest to what the names promise."""
    return (
        trial.compared is None,
        not finite(trial),
        trial.error is not None,
        any(one.weight is Weight.SLIP for one in trial.reading.differences),
        len(trial.reading.differences),
    )


def attempt(call: OnCopies, reading: Reading) -> Trial:
    """Call a function one way."""
    try:
        value = call(reading.arguments)
    except UserCodeError as error:
        return Trial(reading, error=error)
    observed = as_array(value, reading.due.answer.shape)
    if observed is None or observed.shape != reading.due.answer.shape:
        return Trial(reading, value, observed)
    compared = compare_entries("", observed, reading.due.answer, reading.due.allowance)
    return Trial(reading, value, observed, compared)


def as_array(value: Any, shape: tuple[int, ...]) -> Array | None:
    """Return a plain real array of what came back, None if it is none.

    It gets the shape that is due if it only has axes of length 1 too many or too few.
    """
    try:
        array = np.array(value)
    except (ValueError, TypeError):
        return None
    if array.dtype.kind not in "fiub":
        return None
    long = [[n for n in one if n != 1] for one in (array.shape, shape)]
    return array.reshape(shape) if long[0] == long[1] else array


def remarked(found: FunctionVerdict, trial: Trial) -> FunctionVerdict:
    """Add what becomes of certainty: nothing the assignment asks for, but a NaN in a training."""
    if trial.agrees or trial.observed is None:
        return found
    of_p = trial.reading.scores not in ("", "logits")
    where = "logits of ±1e4" if not of_p else "probabilities of 0 and 1"
    finite = np.isfinite(trial.observed).all()
    remark = f"for {where} it is {'wrong' if finite else 'not finite'}"
    return replace(found, conventions=(*found.conventions, remark))


def with_side_effects(found: FunctionVerdict, effects: Sequence[str]) -> FunctionVerdict:
    """Add that a function writes to its arguments: its caller's arrays are others afterwards."""
    if not effects:
        return found
    if found.verdict is Verdict.AGREES:
        sentence = f"right values, but it {' and '.join(effects)}"
        return found.wrong("side effect", sentence, found.worst)
    return replace(found, sentence=f"{found.sentence}; besides, it {' and '.join(effects)}")


def at_extremes(found: FunctionVerdict, ordinary: Trial, trial: Trial) -> FunctionVerdict:
    """Add what became of logits no exponential survives; the assignment asks for just that.

    NaN is NaN whatever made it: the right call at ordinary logits stands beside it.
    """
    if trial.agrees or trial.observed is None or trial.compared is None:
        return found
    finite = np.isfinite(trial.observed).all()
    what = "it is wrong there" if finite else "it is not finite there"
    sentence = f"right for small logits; for logits of ±1e4 {what}"
    calls = [(one.reading, one.observed) for one in (ordinary, trial) if one.observed is not None]
    named = explained("softmax", *calls)
    return replace(found.wrong("overflow", sentence, trial.compared.worst), diagnosis=named)
