"""One function of a student's file against torch, called in every way it may be meant.

The first reading that agrees decides how it is meant. If none does, it is judged as the
assignment has it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compare.checks.comparison import compare_entries
from compare.contracts.errors import UserCodeError
from compare.contracts.result import Verdict
from compare.examine.starter.entropy_readings import extreme_entropy, loss_readings, slope_readings
from compare.examine.starter.explain import explained
from compare.examine.starter.function_verdict import FunctionVerdict, Trial, judged
from compare.examine.starter.layer_readings import (
    extreme_softmax,
    layer_readings,
    relu_readings,
    softmax_readings,
)
from compare.examine.starter.readings import Reading
from compare.guard.blame import Place
from compare.guard.copies import OnCopies
from compare.guard.guard import Guard

Array = NDArray[Any]
READINGS: dict[str, Callable[[Sequence[str], str], Iterator[Reading]]] = {
    "relu": relu_readings,
    "softmax": softmax_readings,
    "compute_layer": layer_readings,
    "average_ce": loss_readings,
    "grad_ce": slope_readings,
}
"""By role: `(names of the parameters, declared reduction)` to the readings, likeliest first."""


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
    ) -> FunctionVerdict:
        """Return the verdict on one function."""
        quiet = OnCopies(function, Guard(timeout=self.guard.timeout))
        trial = meant(quiet, READINGS[role](parameters, self.reduction))
        call = OnCopies(function, self.guard)
        if not trial.timed_out:  # once more, for what it does besides returning
            trial = attempt(call, trial.reading)
        found = judged(name, role, place, trial)
        if trial.agrees and role == "softmax":
            found = at_extremes(found, attempt(call, extreme_softmax(trial.reading.layout)))
        elif trial.agrees and role in ("average_ce", "grad_ce"):
            extreme = extreme_entropy(role, trial.reading)
            found = found if extreme is None else remarked(found, attempt(quiet, extreme))
        return with_side_effects(found, list(call.modified.values()))


def meant(call: OnCopies, readings: Iterable[Reading]) -> Trial:
    """Return the first trial that agrees, or else the one to talk about.

    A function that hangs is not called a second time.
    """
    trials: list[Trial] = []
    for reading in readings:
        trials.append(attempt(call, reading))
        if trials[-1].agrees or trials[-1].timed_out:
            return trials[-1]
    return min(trials, key=lambda trial: (trial.compared is None, trial.error is not None))


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
    where = "logits of ±1e4" if trial.reading.scores == "logits" else "probabilities of 0 and 1"
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


def at_extremes(found: FunctionVerdict, trial: Trial) -> FunctionVerdict:
    """Add what became of logits no exponential survives; the assignment asks for just that."""
    if trial.agrees or trial.observed is None or trial.compared is None:
        return found
    finite = np.isfinite(trial.observed).all()
    what = "it is wrong there" if finite else "it is not finite there"
    sentence = f"right for small logits; for logits of ±1e4 {what}"
    named = explained("softmax", trial.reading, trial.observed)
    return replace(found.wrong("overflow", sentence, trial.compared.worst), diagnosis=named)
