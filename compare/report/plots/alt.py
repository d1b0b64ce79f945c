"""What the figures show, in words and numbers, for readers who cannot see them."""

from __future__ import annotations

from compare.contracts.result import Result
from compare.report import words
from compare.report.plots import series
from compare.report.plots.drift import sentence
from compare.report.plots.heatmap import gradient_of


def alt_texts(result: Result) -> dict[str, str]:
    """Return one sentence or two per figure name, with the numbers one would read off."""
    return {
        "loss": _curves(result, "loss", unit_of(result)),
        "accuracy": _curves(result, "accuracy", ""),
        "gradients": f"Worst error of each parameter's gradient over the epochs. {_worst(result)}",
        "point": f"Worst error of each compared tensor. {_worst(result)}",
        "drift": f"Distance of the two parameter vectors over the epochs. {sentence(result)}",
        "heatmap": _heatmap(result),
        "referee": "Taylor remainder of the manual loss against the step, on logarithmic axes.",
    }


def unit_of(result: Result) -> str:
    """Return the unit of the loss: nats for those that are logarithms."""
    return (
        "nats" if result.settings.get("loss", "cross_entropy") in ("cross_entropy", "bce") else ""
    )


def _curves(result: Result, quantity: str, unit: str) -> str:
    said = [f"Training and validation {quantity} of both sides, and under them their difference."]
    for split in ("train", "validation"):
        curve = series.curve(result, f"{split}_{quantity}")
        if not len(curve.epochs) or not curve.drawn:
            continue
        manual, reference = curve.manual[-1], curve.reference[-1]
        last = f"{split} {quantity} at the last epoch: manual {manual:.4g}, reference"
        apart = series.largest_finite(curve.difference)
        said.append(f"{last} {reference:.4g} {unit}".rstrip() + f"; largest gap {apart:.2g}.")
    return " ".join(said)


def _worst(result: Result) -> str:
    every = {
        f"{name}, epoch {row.epoch}": w for row in result.epochs for name, w in row.worst.items()
    }
    every = every if len(result.epochs) > 1 else dict(result.worst)
    if not every:
        return ""
    first = words.by_ratio(every)[0]
    return f"Largest: {words.times_allowance(every[first].ratio)} ({first})."


def _heatmap(result: Result) -> str:
    if result.heatmap is None:
        return ""
    name, shape = gradient_of(result.heatmap[0]), " × ".join(map(str, result.heatmap[1].shape))
    return f"Heat map of manual − reference for the first wrong tensor, {name} ({shape})."
