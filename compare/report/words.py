"""How numbers, places and facts are worded, once for every report that is made for people.

Differences are manual - reference, errors are quoted as × allowance, and a place is given as far
as it is known: epoch, update, tensor, index.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from typing import Any

from compare.contracts import moments
from compare.contracts.digits import two_values
from compare.contracts.measured import Index, Kink, LayerKink, Worst
from compare.contracts.records import PARAMETER
from compare.contracts.result import Diagnosis, Finding, Result, Weak

KINDS = {
    "derivative": "the manual gradient is not the derivative of the manual loss",
    "loss": "the manual loss, or only its reporting, is wrong",
    "loss and derivative": "neither the manual loss nor its gradient is right",
    "function": "loss and gradient belong together, but to another function than the reference",
    "reporting": "the reported curves are not those of the weights",
    "update": "the manual optimiser step is wrong",
    "data": "the two sides did not see the same rows in the same order",
    "convention": "loss and gradient belong together, but not in the declared convention",
    "intermediate": "a recorded intermediate is wrong beside a right loss and gradient",
    "structure": "a call failed, or what came back has the wrong form",
    "forward": "the forward pass computes something else than the reference",
    "forward and derivative": "neither the output nor its gradient is the reference's",
    "training": "the curves start as the declared training does and then leave it: other updates, "
    "other rows or other settings",
    "digits": "the algebra is right and loses digits: one precision up the same code agrees",
    "value": "a function returns other numbers than torch",
    "non-finite": "one side is not a finite number where the other is",
    "clipped": "something is clipped, far below a last digit of the largest entries",
}


ENDLESS = 1e15
"""A ratio above this comes from an allowance next to 0."""

WEAK = "checks that could not have failed there, or not seen an error of the size in question"
"""What a weak point is: nothing against the code, and little for it."""

OURS = "manual_mlp"
"""What `Manual.name` is where nobody brought a manual side."""
FAR = 1000.0
"""Who is off by more allowances than this is wrong, and how much more makes no difference."""


def values(one: float | None, other: float | None) -> tuple[str, str]:
    """Return two compared values with ten digits or as many as they differ in, `-` for none."""
    if one is None or other is None:
        return as_written(one), as_written(other)
    return two_values(one, other, 10)


def as_written(number: float | None) -> str:
    """Return a number with ten digits, `-` where there is none."""
    return "-" if number is None else f"{number:.10g}"


def both(worst: Worst, form: str = "g") -> tuple[str, str]:
    """Return the two values of an entry for a table; of those that differ by more than rounding
    in digits that show it."""
    if worst.ratio <= 1:
        return f"{worst.manual:.7{form}}", f"{worst.reference:.7{form}}"
    return two_values(worst.manual, worst.reference, 7, form)


def ratio(number: float, reference: float | None = None) -> str:
    """Return a ratio: three decimals where they mean something, three digits beyond.

    The allowance of a 0 is next to nothing: how much larger a ratio is says nothing there.
    """
    if number > ENDLESS and reference == 0:
        return "0 is due"
    if ENDLESS < number < math.inf:
        return f"> {ENDLESS:.0e}"
    return f"{number:.3f}" if number < 10 else f"{number:.3g}"


def times_allowance(number: float | None, reference: float | None = None) -> str:
    """Return a ratio in its unit, `0.284 × allowance`; nothing if there is none."""
    if number is None:
        return ""
    said = ratio(number, reference)
    return f"where {said}" if said == "0 is due" else f"{said} × allowance"


def where(index: Index | None) -> str:
    """Return an index as it is written in code, nothing for a scalar."""
    return str(list(index)) if index else ""


def name_of(check: str) -> str:
    """Return a check's name as prose has it: `same point`; a function keeps its own name."""
    return {"same_point": "same point", "free_run": "free run"}.get(check, check)


def kind_of(kind: str | None) -> str:
    """Return what a kind of disagreement means, in a clause; an unlisted one is its own word."""
    return "" if kind is None else KINDS.get(kind, kind)


def who(result: Result) -> str:
    """Return who is wrong, as far as the first finding can tell."""
    if result.findings and result.findings[0].side == "reference":
        return "the reference side's own record contradicts itself; the manual side is not accused"
    return kind_of(result.kind)


def listing(parts: Iterable[str]) -> str:
    """Join those parts that say something."""
    return ", ".join(part for part in parts if part)


def verdict_line(result: Result) -> str:
    """Return the verdict in one sentence; a judge that failed its control has none to give."""
    if result.control_failed:
        return f"internal error: the self-test failed, so there is no verdict: {result.sentence}"
    if result.failure is not None and result.failure not in result.sentence:
        return f"{result.sentence} (ended by the code under test: this is about what came before)"
    if result.interrupted:
        return f"{result.sentence} (interrupted: this is about the updates done)"
    return result.sentence


def moment(result: Result, found: Finding | Weak | Kink) -> str:
    """Return when something was found: `epoch 3, update 21`, or what this result has instead."""
    check = "same_point" if isinstance(found, Kink) else found.check
    return moments.moment(result.settings.get("mode"), check, found.epoch, found.update)


def finding_line(finding: Finding) -> str:
    """Return a disagreement in one line; its message says where and by how much."""
    return f"{name_of(finding.check)}, stage {finding.stage}: {finding.message}"


def untold(result: Result) -> list[Finding]:
    """Return the findings that the verdict's own sentence does not tell already."""
    return [finding for finding in result.findings if finding.message not in result.sentence]


def two_entries(result: Result) -> str:
    """Return what the table and the verdict quote, where that is two entries of one tensor.

    A finding is where something first went wrong, so that one can look there; the table is of all.
    """
    first = next(iter(result.findings), None)
    if first is None or first.check not in ("same_point", "step"):
        return ""
    rows = [worst for name, worst in result.worst.items() if is_row_of(name, first)]
    quoted = str((first.index, first.manual))  # NaN is not even itself
    if not rows or any(str((worst.index, worst.manual)) == quoted for worst in rows):
        return ""
    points = len(result.epochs) < 2 and result.settings.get("mode") != "dump"
    of, first_of = ("all points", "point") if points else ("the run", "update")
    return (
        f"the table shows the largest error of {of}, the verdict that of the first wrong {first_of}"
    )


def is_layer(result: Result) -> bool:
    """Return whether a single layer was judged, at points, and no run."""
    return result.settings.get("mode") == "layer"


def about(result: Result, finding: Finding) -> str:
    """Return the entry a finding is about: `dw1[2, 3]`, in a student's class `dw1[2, 3] of Net`."""
    name, place = finding.parameter or finding.stage, where(finding.index)
    if finding.parameter is None or is_layer(result):
        return f"{name}{place}"
    if re.fullmatch(PARAMETER, name):
        rows = tensors_of(finding)
        said = (row for row in rows if finding.message.startswith((f"{row}[", f"{row} ")))
        return f"{next(said, name)}{place}"
    of_class = re.fullmatch(f"d{PARAMETER}", finding.stage)
    return f"{finding.stage}{place} of {name}" if of_class else f"{name}{place}"


def is_tensor(name: str) -> bool:
    """Return whether something compared is a tensor: curves and projections have names of several
    words, and so has only a tensor of a student's: `dw1 of Net`."""
    return " " not in name or " of " in name


def tensors_of(finding: Finding) -> tuple[str, ...]:
    """Return the rows of the table that a finding may come from."""
    name = finding.parameter
    if name is None:
        return (finding.stage,)
    buffers = (f"{prefix}_{name}" for prefix in "vmsra")
    return (name, *buffers) if finding.check == "step" else (f"d{name}", f"d{name} projection")


def is_row_of(name: str, finding: Finding) -> bool:
    """Return whether a row of the table is of the tensor a finding is about."""
    of_class = name.partition(" (")[0] == f"{finding.stage} of {finding.parameter}"
    return of_class or name in tensors_of(finding)


def referee_line(referee: Mapping[str, Any] | None) -> str:
    """Return what the third witness says of the manual gradient; empty if it was not asked."""
    if referee is None:
        return ""
    return f"{referee['belongs']} (tried on {referee['parameter']} along {referee['direction']})"


def kinks_line(result: Result) -> str:
    """Return the kinks in one line, with the place of the first; empty without any."""
    if not result.kinks:
        return ""
    first = result.kinks[0]
    if isinstance(first, LayerKink):
        return f"{count(len(result.kinks), 'kink')}, the first in {layer_kink(first)}"
    place = f"sample {first.sample}, layer {first.layer}, unit {first.unit}, z = {first.z:.2g}"
    when = moment(result, first)
    return f"{count(len(result.kinks), 'kink')}, the first at {when}: {place}"


def layer_kink(kink: LayerKink) -> str:
    """Return where a decision of a layer went the other way, and how far."""
    branch = "" if kink.slope == 1 else f", slope {kink.slope:.3g} of the way to the other branch"
    return f"{kink.operation}{where(kink.index)}, {kink.margin:.2g} from the tie{branch}"


def weak_lines(result: Result) -> list[str]:
    """Return one line per weak point."""
    return [weak_line(result, weak) for weak in result.weak]


def weak_line(result: Result, weak: Weak) -> str:
    """Return one weak point: what proves little, where, and why."""
    place = listing((name_of(weak.check), weak.parameter or "", moment(result, weak)))
    smallest = weak.smallest_scale_error
    if smallest is None:
        return f"{place}: {weak.reason}"
    if math.isinf(smallest):
        return f"{place}: {weak.reason} (no scale error could be seen)"
    return f"{place}: {weak.reason} (smallest scale error seen {smallest:.1g})"


def tried(number: float) -> str:
    """Return the ratio without a mistake; a large one in words.

    It comes from points of the diagnosis' own, so its size is nothing to hold against the table
    of the run, and beside a right number of 0 it is as large as the allowance is small.
    """
    return ratio(number) if number <= FAR else f"more than {FAR:.0f}"


def diagnosis_line(diagnosis: Diagnosis) -> str:
    """Return a named mistake with the evidence, and those it could not be told apart from."""
    line = (
        f"{diagnosis.mistake}: {diagnosis.sentence} (with this mistake the numbers match to "
        f"{diagnosis.ratio_after:.2g}, without it {tried(diagnosis.ratio_before)} × allowance)"
    )
    others = [name for name in diagnosis.also if name not in diagnosis.sentence]
    return f"{line}; or {', '.join(others)}" if others else line


def subject(settings: Mapping[str, Any]) -> str:
    """Return the name of the file that was checked; empty for this project's own manual side."""
    if settings.get("mode") in ("starter", "dump"):
        return str(settings.get("data") or "")
    name = str(settings.get("manual") or "")
    return "" if name == OURS else name


def settings_line(settings: Mapping[str, Any]) -> str:
    """Return the run in one line; settings that are not there are not mentioned.

    A file that was checked comes first: many reports lie side by side.
    """
    said = {key: setting for key, setting in settings.items() if setting is not None}
    brought = "" if said.get("mode") in ("starter", "dump") else subject(said)
    if said.get("mode") == "layer":
        return " · ".join(filter(None, [brought, layer_line(said)]))
    parts = [
        brought,
        str(said.get("data", "")),
        network(said),
        *(str(said.get(key, "")) for key in ("activation", "dtype")),
        count(said["epochs"], "epoch") if "epochs" in said else "",
        batch(said),
        f"seed {said['seed']}" if "seed" in said else "",
    ]
    return " · ".join(filter(None, parts))


def layer_line(settings: Mapping[str, Any]) -> str:
    """Return a layer, the shapes of its inputs and the formats it was judged in, on one line."""
    shapes = {name: "×".join(map(str, shape)) for name, shape in settings["inputs"].items()}
    inputs = ", ".join(f"{name} {shape or 'scalar'}" for name, shape in shapes.items())
    return " · ".join(
        [settings["reference"], inputs, settings["dtype"], f"seed {settings['seed']}"]
    )


def batch(settings: Mapping[str, Any]) -> str:
    """Return how many rows were looked at together; `full batch` for a run that names none."""
    if "batch_size" in settings:
        return f"batch {settings['batch_size']}"
    return "" if "mode" in settings else "full batch"


def network(settings: Mapping[str, Any]) -> str:
    """Return the widths of the layers as far as they are known, of a deep network its depth."""
    widths = settings.get("sizes", settings.get("hidden"))
    if widths is None:
        return ""
    if len(widths) > 6:
        return f"{len(widths) - 1 if 'sizes' in settings else len(widths) + 1} layers"
    listed = "-".join(map(str, widths))
    return listed if "sizes" in settings else f"hidden {listed or 'none'}"


def worst_line(worst: Mapping[str, Worst]) -> str:
    """Return how many comparisons there were besides the tensors, and the worst of them."""
    if not worst:
        return ""
    name = by_ratio(worst)[0]
    made = count(len(worst), "curve or projection", "curves and projections")
    return f"{made}, worst {times_allowance(worst[name].ratio)} ({name})"


def thread_pool(pool: Mapping[str, Any]) -> str:
    """Return a library that starts threads: `openblas 0.3.27 (Haswell), 2 threads`."""
    kind = f" ({pool['architecture']})" if pool.get("architecture") else ""
    name = " ".join(filter(None, [pool["library"], pool.get("version")]))
    return f"{name}{kind}, {count(pool['threads'], 'thread')}"


def count(number: int, thing: str, things: str | None = None) -> str:
    """Return `1 epoch`, `2 epochs`."""
    return f"{number} {thing if number == 1 else things or thing + 's'}"


def by_ratio(worst: Mapping[str, Worst]) -> list[str]:
    """Return the tensors' names, worst first; a ratio that is NaN is worse than any number."""
    ranked = {name: math.inf if math.isnan(w.ratio) else w.ratio for name, w in worst.items()}
    return sorted(ranked, key=lambda name: -ranked[name])
