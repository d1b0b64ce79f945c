"""From a suspect to the named mistake: the bridge between the judge and the diagnosis.

The implementation itself is asked first, at probes that have power; if it is right there (a fault
at one update, a state that went wrong) or cannot be called elsewhere, the recorded numbers are
all there is, and they are asked as they are.
"""

from __future__ import annotations

from compare.experiment import Experiment
from compare.point_judge import Suspect
from compare.records import Implementation
from compare.result import Diagnosis

MOST_RECORDED = 1 << 21
"""Entries of the widest activation matrix up to which a recorded point is recomputed in full."""


def name_mistake(
    experiment: Experiment, suspect: Suspect | None, implementation: Implementation
) -> tuple[Diagnosis, ...]:
    """Return the known mistakes that reproduce what the suspect computed, best first."""
    if suspect is None:
        return ()
    from compare.diagnosis import diagnose

    found = diagnose(
        implementation,
        sizes=widths(suspect),
        activation=experiment.activation,
        reduction=experiment.reduction,
        dtype=experiment.dtype,
        seed=experiment.seed,
    )
    return found or from_record(experiment, suspect)


def widths(suspect: Suspect) -> tuple[int, ...]:
    """The network's widths F, H, ..., K, read off the recorded parameters."""
    parameters = suspect.record.parameters
    biases = (parameters[f"b{layer}"].size for layer in range(1, len(parameters) // 2 + 1))
    return (suspect.x.shape[1], *biases)


def from_record(experiment: Experiment, suspect: Suspect) -> tuple[Diagnosis, ...]:
    """Diagnose the recorded point itself, unless recomputing it would take too long."""
    from compare.diagnosis import diagnose_gradients, observe
    from compare.textbook import Point

    record = suspect.record
    if len(suspect.x) * max(widths(suspect)) > MOST_RECORDED:
        return ()
    point = Point(
        record.parameters,
        suspect.x,
        suspect.targets,
        experiment.activation,
        experiment.reduction,
        experiment.dtype,
    )
    return diagnose_gradients(observe(point, record.loss, record.gradients))
