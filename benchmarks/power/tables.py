"""The measures of all points as Markdown: false accusations, power, detection, time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from statistics import median

from benchmarks.power.measures import OURS, RULES, Detection, Point
from benchmarks.power.planted import KINDS as ERRORS
from benchmarks.power.planted import SIZES
from benchmarks.power.population import KINDS as POINTS
from benchmarks.power.timing import ALLOWANCES
from benchmarks.power.variants import VARIANTS
from benchmarks.power.ways import SORTED, WAYS
from compare.checks.weak import PROMISED, PROMISED_OF_ANY_SHAPE

DTYPES = ("float64", "float32")
MOST_WEAK = {"float64": 0.03, "float32": 0.10}
"""The share of all gradients that may be weak."""
WIDEST_MEDIAN = 500
"""In u: what the median allowance may be, relative to its entry."""
ENOUGH = 1000
"""Points from which the share of weak ones says something about the population."""
FEW = 10
"""Errors of which nothing is concluded."""
NOT_ASKED = (
    "A rule is asked about wrong gradients only where it accepts the right ones, gradcheck only in "
    "the smallest networks."
)
Row = Sequence[str]


def markdown(title: str, note: str, head: Row, rows: Sequence[Row]) -> str:
    """Return one table under a heading and a note on how to read it."""
    table = "\n".join(map(line, (head, ["---"] * len(head), *rows)))
    return f"### {title}\n\n{note}\n\n{table}\n"


def line(cells: Row) -> str:
    """Return one row."""
    return "| " + " | ".join(cells) + " |"


def percent(part: int, whole: int) -> str:
    """Return a share; neither a few nor nearly all are rounded away."""
    if whole == 0:
        return "none"
    share = 100 * part / whole
    digits = 0 if share in (0, 100) else 1 if 1 <= share < 99.95 else 2
    return f"{share:.{digits}f} %"


def power_of_ten(size: float) -> str:
    """Return 1, 1e-1, 1e-2, ..."""
    return f"{size:.0e}".replace("e+00", "").replace("e-0", "e-")


def of(points: Sequence[Point], dtype: str) -> list[Point]:
    """Return the points of a format at which anything could be said."""
    return [point for point in points if point.dtype == dtype and point.decided]


def accusations(points: Sequence[Point]) -> str:
    """Right gradients that each rule rejects, of those it was shown."""
    rows = []
    for rule in RULES:
        cells = [rule]
        for dtype in DTYPES:
            counts = [point.rejected[rule] for point in of(points, dtype)]
            no, shown = (sum(column) for column in zip(*counts, strict=True)) if counts else (0, 0)
            cells.append(f"{no:,} of {shown:,} ({percent(no, shown)})")
        rows.append(cells)
    note = "Every rule is shown the same answers of right implementations, gradcheck one per point."
    return markdown("Right gradients rejected", note, ("rule", *DTYPES), rows)


def worst_ratio(points: Sequence[Point]) -> float:
    """Return the largest honest ratio, orders sorted on purpose left out."""
    ratios = (r for p in points for way, (r, _) in p.ratios.items() if way not in SORTED)
    return max(ratios, default=0.0)


def counted(ratios: Sequence[float], worst: float) -> list[str]:
    """How many comparisons, how many of them accused, the worst ratio; dashes if there are none."""
    if not ratios:
        return ["0", "–", "–"]
    return [f"{len(ratios):,}", f"{sum(ratio > 1 for ratio in ratios):,}", f"{worst:.2f}"]


def honest_ratios(points: Sequence[Point]) -> str:
    """This project's honest comparisons by kind of point: how many, how many accused, the worst."""
    rows = []
    for kind in (*POINTS, "all"):
        cells = [kind]
        for dtype in DTYPES:
            mine = [point for point in of(points, dtype) if kind in (point.kind, "all")]
            ratios = [ratio for point in mine for ratio, _ in point.ratios.values()]
            cells += counted(ratios, worst_ratio(mine))
        rows.append(cells)
    head = ("points", *(f"{d} {what}" for d in DTYPES for what in ("compared", "accused", "worst")))
    note = (
        "This project by kind of point; loss, gradients and intermediates. Worst, of all but terms "
        "sorted on purpose, is to be <= 0.5."
    )
    return markdown("Honest comparisons, × allowance", note, head, rows)


def by_way(points: Sequence[Point]) -> str:
    """The same by the way in which the gradient was computed."""
    rows = []
    for way in (*VARIANTS, *WAYS):
        cells = [way]
        for dtype in DTYPES:
            ratios = [p.ratios[way][0] for p in of(points, dtype) if way in p.ratios]
            cells += counted(ratios, max(ratios, default=0.0))
        rows.append(cells)
    head = ("way", *(f"{d} {what}" for d in DTYPES for what in ("compared", "accused", "worst")))
    note = (
        f"Worst is to be <= 0.5, and <= 1 for {', '.join(SORTED)}: orders of summation in which "
        "nobody adds but on purpose."
    )
    return markdown("The same by way of computing", note, head, rows)


def power(points: Sequence[Point]) -> str:
    """The allowance and the weak tensors, per format and kind of point."""
    rows = [
        [dtype, kind, *power_row(mine, PROMISED[dtype])]
        for dtype in DTYPES
        for kind in (*POINTS, "all")
        if (mine := [point for point in of(points, dtype) if kind in (point.kind, "all")])
    ]
    head = (
        "format", "points", "gradients", "median allowance of an entry", "all zero",
        "promised scale error", "weak for it",
        f"weak for {power_of_ten(PROMISED_OF_ANY_SHAPE)} of any shape", "weak",
    )  # fmt: skip
    note = (
        "The median over gradients of the median over non-zero entries, relative to the entry, to "
        "be <= 500 u. Weak: a promised error could be missed; a gradient of zeros always is."
    )
    return markdown("What could be seen", note, head, rows)


def power_row(points: Sequence[Point], wanted: float) -> Row:
    """Return the cells of one row of `power`; `wanted` is the promised scale error."""
    tensors = [tensor for point in points for tensor in point.tensors.values()]
    medians = [tensor.median for tensor in tensors if tensor.median is not None]
    counts = (
        sum(not tensor.power.scale <= wanted for tensor in tensors),
        sum(not tensor.power.any_shape <= PROMISED_OF_ANY_SHAPE for tensor in tensors),
        sum(tensor.power.weak for tensor in tensors),
    )
    return (
        f"{len(tensors):,}",
        f"{median(medians):.0f} u" if medians else "none",
        percent(len(tensors) - len(medians), len(tensors)),
        power_of_ten(wanted),
        *(percent(n, len(tensors)) for n in counts),
    )


def planted(points: Sequence[Point], dtype: str, kind: str) -> list[Detection]:
    """Return the errors of a kind that were planted."""
    return [d for point in of(points, dtype) for d in point.detections if d.kind == kind]


def always_from(rule: str, detections: Sequence[Detection]) -> str:
    """Return the smallest size from which on a rule detected everything."""
    missed = [d.missed[rule] for d in detections if rule in d.missed]
    above = [size for size in SIZES if size > max(missed, default=0.0)]
    if len(missed) < FEW:
        return "too few" if missed else "not asked"
    return power_of_ten(above[-1]) if above else "never"


def share_seen(rule: str, detections: Sequence[Detection]) -> str:
    """Return how often a rule detected every size from 1e-3 on, of what it was asked about."""
    missed = [d.missed[rule] for d in detections if rule in d.missed]
    found = sum(size < PROMISED_OF_ANY_SHAPE for size in missed)
    return f"{percent(found, len(missed))} of {len(missed):,}" if missed else "not asked"


def detection(points: Sequence[Point]) -> Iterator[str]:
    """Per format: the smallest size always detected, and the share detected from 1e-3 on."""
    for dtype in DTYPES:
        everything = [planted(points, dtype, kind) for kind in ERRORS]
        strong = [[d for d in group if not (d.weak or d.widened)] for group in everything]
        left_out = [
            ["planted, not weak", *(f"{len(group):,}" for group in strong)],
            ["left out as weak", *shares(everything, lambda d: d.weak)],
            ["left out, too many kinks", *shares(everything, lambda d: d.widened and not d.weak)],
        ]
        cells = (
            (always_from, "Smallest relative error always detected"),
            (share_seen, f"Errors detected from {power_of_ten(PROMISED_OF_ANY_SHAPE)} on"),
        )
        for cell, title in cells:
            rows = [[rule, *(cell(rule, group) for group in strong)] for rule in RULES]
            head = ("rule", *ERRORS)
            yield markdown(f"{title}, {dtype}", NOT_ASKED, head, rows + left_out)


def shares(groups: Sequence[Sequence[Detection]], which: Callable[[Detection], bool]) -> Row:
    """Return of every group the share of those that `which` picks."""
    return [percent(sum(map(which, group)), len(group)) for group in groups]


def times(measured: dict[str, dict[str, float]]) -> str:
    """The time of a whole check, in reference gradients: per network and rule."""
    rows = [
        [rule, *(f"{column[rule]:.2f}" if rule in column else "-" for column in measured.values())]
        for rule in (OURS, ALLOWANCES, *RULES[1:])
    ]
    note = "On one thread, medians; the reference's own gradient included where a rule needs it."
    title = "Time of a whole check, in reference gradients"
    return markdown(title, note, ("rule", *measured), rows)


def most(variant: str) -> float:
    """Return how much of an allowance an honest variant may take."""
    return 1.0 if variant in SORTED else 0.5


def failures(points: Sequence[Point]) -> Iterator[str]:
    """Yield what falls short of the figures that must be reached."""
    if not any(point.decided for point in points):
        yield "nothing was compared"
    for point in points:
        for variant, (ratio, where) in point.ratios.items():
            if not ratio <= most(variant):
                what = "accused" if not ratio <= 1 else "above 0.5"
                yield f"{what}: {variant}, {where} at {ratio:.3g} × allowance; {name(point)}"
        for found in point.detections:
            wanted = PROMISED[point.dtype] if found.kind == "scale" else PROMISED_OF_ANY_SHAPE
            if not (found.weak or found.widened) and found.missed.get(OURS, 0.0) >= wanted:
                size = found.missed[OURS]
                yield f"missed: {found.kind} of {size:g} in d{found.tensor}; {name(point)}"
    if len(points) >= ENOUGH:
        yield from too_weak(points)


def too_weak(points: Sequence[Point]) -> Iterator[str]:
    """Yield which figures about the whole population are missed."""
    for dtype, share in MOST_WEAK.items():
        tensors = [t for point in points if point.dtype == dtype for t in point.tensors.values()]
        weak = sum(tensor.power.weak for tensor in tensors) / len(tensors)
        middle = median(t.median for t in tensors if t.median is not None)
        if weak > share:
            yield f"{weak:.1%} of the {dtype} gradients are weak, more than {share:.0%}"
        if not middle <= WIDEST_MEDIAN:
            yield f"the median allowance in {dtype} is {middle:.0f} u"


def name(point: Point) -> str:
    """Return how to find a point again."""
    return f"case {point.number}, {point.kind}, {point.dtype}, {point.case}"
