"""Names of mistakes that no single point shows: in the rows, the update, the start, the curves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, replace
from itertools import pairwise
from typing import TYPE_CHECKING

from compare.contracts.arrays import Arrays
from compare.contracts.experiment import Experiment
from compare.contracts.measured import Curves, EpochRow
from compare.contracts.records import Record
from compare.judge.naming import Named, from_trail
from compare.judge.naming_first import OF_THE_START, of_the_start, without_start
from compare.judge.point import PointJudge
from compare.judge.run import Judge

if TYPE_CHECKING:
    from compare.diagnosis.track import Recorded, Settings

Curve = dict[str, list[float]]
OTHER_FORM = "other-momentum-form"
RATE = "another-learning-rate"
POINT_KINDS = ("derivative", "loss", "function", "loss and derivative")
"""Kinds that a single point shows; looking at the wrong rows gives the loss of another function."""


def name_run_mistake(judge: Judge, kind: str | None) -> Named:
    """Name a mistake that no single point shows: in the rows, the update, the start, the curves."""
    wanted = judge.experiment
    if kind is None:
        return Named()
    from compare.diagnosis.curves import diagnose_curves
    from compare.diagnosis.start import diagnose_start
    from compare.diagnosis.step import diagnose_step

    if kind in POINT_KINDS and judge.suspect is not None:
        return Named(from_trail(judge))
    if kind == "update" and not wanted.plain_momentum:
        return name_update(judge, judge.inputs.state)
    if kind == "update" and len(judge.trail) > 1:
        found = diagnose_step(
            judge.trail,
            learning_rate=wanted.learning_rate,
            momentum=wanted.momentum,
            form=wanted.momentum_form,
            start=judge.inputs.state,
        )
        if found:
            return with_options(judge, Named(found))
        begun = without_start(judge.trail)
        if begun and (found := of_the_start([begun], wanted)):
            return Named(found)
        return name_update(judge, judge.inputs.state)
    if kind == "data" and judge.first is not None:
        reference = judge.inputs.parameters
        return Named(diagnose_start(judge.first, scheme=wanted.init, reference=reference))
    if kind == "reporting":
        manual, reference_curves, allowed = drawn(judge.rows)
        return Named(diagnose_curves(manual, reference_curves, allowed))
    return Named()


def name_update(judge: PointJudge, start: Arrays | None = None) -> Named:
    """Name the mistake of the wrong updates, with when it begins, or say facts about them.

    One cause is looked for first, whatever it is; then two together, which takes seconds.
    """
    if not judge.ledger.tallies["step"].failed:
        return Named()
    if judge.begun:
        found = of_the_start(judge.begun, judge.experiment, judge.updates.right)
        return Named(found, () if found else (OF_THE_START,))
    from compare.diagnosis.rates import at_other_rates
    from compare.diagnosis.scheduled import on_schedule

    wanted, wrong = judge.experiment, judge.updates.wrong
    rates = at_other_rates(stretches(judge), wanted) if wrong else None
    if rates is not None:
        return Named((rates,))
    if wrong and (schedule := on_schedule(stretches(judge), wanted)):
        return Named((schedule,), convention=True)
    declared = momentum_of(wanted, start or judge.state) if wrong else ()
    alone = next(filter(None, (of_momentum(judge, one, pairs=False) for one in declared)), None)
    if wrong and (alone is None or alone.diagnosis[0].mistake == RATE):
        rates = at_other_rates(stretches(judge), wanted, multiples=True)
        if rates is not None:
            return Named((rates,))
    unknown = f"no known mistake of {wanted.optimiser} reproduces the update"
    named = with_options(judge, alone or Named(facts=(unknown,)))
    if named.diagnosis or not (wrong and wanted.plain_momentum):
        return named
    return (
        in_the_other_form(judge, declared[0])
        or of_momentum(judge, declared[0], pairs=True)
        or Named(facts=facts_of(judge, declared[0]))
    )


def momentum_of(wanted: Experiment, start: Arrays) -> tuple[Settings, ...]:
    """Return the declared momentum, with what clipping and decay stand before it; empty for any
    other optimiser, and for forms that the plain step has not."""
    from compare.diagnosis.identity import Asked
    from compare.diagnosis.optimiser import TYPED_GUARDS
    from compare.diagnosis.track import Settings

    plain = Settings(wanted.learning_rate, wanted.momentum, wanted.momentum_form, start)
    if wanted.plain_momentum:
        return (plain,)
    of_sgd = wanted.optimiser == "sgd" and wanted.momentum_form in ("velocity", "buffer")
    if not of_sgd or wanted.nesterov or wanted.dampening:
        return ()
    guards = TYPED_GUARDS if wanted.clip_norm is not None else TYPED_GUARDS[:1]
    return tuple(replace(plain, before=Asked(wanted, guard).right) for guard in guards)


def of_momentum(judge: PointJudge, declared: Settings, *, pairs: bool) -> Named | None:
    """Return the mistake of the momentum, if one makes the updates; of a declared decay or clipping
    none, what else is declared with it is told apart elsewhere."""
    from compare.diagnosis.updates import diagnose_updates

    seen = judge.updates
    found = diagnose_updates(seen.wrong, declared, seen.right, pairs=pairs)
    first = [*pairwise(judge.walked)] if judge.mode == "dump" and not found else []
    if seen.wrong[0][0].update in [before.update for before, _ in first]:
        # Velocities are known from the first on.
        found = diagnose_updates(first, declared, pairs=pairs)
    if declared.before is not None:
        found = tuple(one for one in found if "decay" not in one.mistake)
    when = since(judge)
    said = tuple(replace(one, sentence=one.sentence + when) for one in found)
    return Named(said) if said else None


def in_the_other_form(judge: PointJudge, declared: Settings) -> Named | None:
    """Return the mistake that makes the updates of momentum whose rate stands elsewhere than was
    declared, with the option for that."""
    form = "velocity" if declared.form == "buffer" else "buffer"
    found = of_momentum(judge, replace(declared, form=form), pairs=False)
    more = f" (With `--momentum-form {form}`.)"
    if found is None:
        return None
    return Named(tuple(replace(one, sentence=one.sentence + more) for one in found.diagnosis))


def facts_of(judge: PointJudge, declared: Settings) -> tuple[str, ...]:
    """Return plain facts about updates that no mistake makes."""
    from compare.diagnosis.updates import OTHER, step_facts

    return (OTHER, *step_facts(judge.updates.wrong, declared))


def with_options(judge: PointJudge, named: Named) -> Named:
    """Return the same with the options that declare the update, where some do; or what it is.

    A learning rate that is another one at every update is what clipping looks like.
    """
    from compare.diagnosis.optimiser import identify
    from compare.diagnosis.reproduced import reproduces
    from compare.diagnosis.shortened import shortened, typed

    best, wanted = (named.diagnosis[0] if named.diagnosis else None), judge.experiment
    if best is not None and best.mistake == OTHER_FORM:
        return named
    measured = best is not None and best.mistake == RATE and not typed(best.constant or 0.0)
    declared = (wanted.clip_norm or wanted.clip_value) is not None
    identity = identify(walked(judge), wanted) if declared or not measured else None
    if identity is not None and not reproduces(identity, wanted, judge.updates.wrong):
        identity = None
    known = identity is not None and identity.mistake is not None and identity.mistake.name != RATE
    if declared and known and identity is not None and (best is None or best.mistake == RATE):
        return Named((identity.diagnosis,))
    if best is None or measured or (declared and best.mistake == RATE):
        clipped = shortened(stretches(judge), wanted)
        if clipped is not None:
            return Named((clipped.diagnosis,), convention=clipped.mistake.convention)
    if identity is None:
        return named
    if set(identity.options) == {"momentum_form"}:
        return Named((identity.diagnosis,), convention=True)
    if identity.mistake is None and named.diagnosis:
        best, *others = named.diagnosis
        more = f"{best.sentence} `{identity.words}` declares it."
        return Named((replace(best, sentence=more), *others), convention=True)
    if named.diagnosis:
        return named
    return Named((identity.diagnosis,), convention=identity.mistake is None)


def stretches(judge: PointJudge) -> Sequence[Sequence[Recorded]]:
    """Return all consecutive records that were kept, right updates among them."""
    from compare.diagnosis.updates import chains

    whole = walked(judge)
    if judge.walked or (isinstance(judge, Judge) and judge.trail):
        return [whole]
    return chains([*judge.updates.right, *judge.updates.wrong])


def walked(judge: PointJudge) -> list[Record]:
    """Return consecutive records from the first update on, as many as were kept."""
    if judge.walked:
        return judge.walked
    if isinstance(judge, Judge) and judge.trail:
        return list(judge.trail)
    found: list[Record] = []
    for before, after in judge.updates.wrong:
        if found and found[-1].update != before.update:
            break
        found[-1:] = [before, after]
    return found


def since(judge: PointJudge) -> str:
    """Say which updates are wrong where some before or between them are right."""
    seen = judge.updates
    if not seen.right_before and not seen.right_since:
        return ""
    numbers = [str(before.update) for before, _ in seen.wrong]
    if seen.right_since:
        return f" (Not at every update: at {', '.join(numbers)}.)"
    return f" (From update {numbers[0]} on.)"


def drawn(rows: Sequence[EpochRow]) -> tuple[Curve, Curve, Curve]:
    """The curves of both sides and the bands of their losses, by name."""
    names = [item.name for item in fields(Curves)]
    manual = {name: [getattr(row.manual, name) for row in rows] for name in names}
    reference = {name: [getattr(row.reference, name) for row in rows] for name in names}
    bands = {
        "train_loss": [row.band.train_loss for row in rows],
        "validation_loss": [row.band.validation_loss for row in rows],
    }
    return manual, reference, bands
