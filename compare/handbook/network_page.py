"""The page of everything a network can be declared with: `python -m compare.handbook.network_page`.

One row for each entry: what it computes, ours, torch's twin, where it has kinks, the mistakes that
are named. Formulas are run by the tests, so a row cannot say what the code does not do.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from compare.allowance.rules import ACTIVATION_RULES
from compare.contracts.between import NORMALISATIONS
from compare.contracts.experiment import ACTIVATION_NAMES, OPTIMISER_NAMES
from compare.contracts.objective import LOSS_NAMES, OUTPUT_NAMES, PENALTY_OVER
from compare.mistakes.catalogue import FAMILIES, OTHER_STEP
from compare.mistakes.declared_activations import ACTIVATIONS as OF_ACTIVATIONS
from compare.mistakes.declared_head import OUTPUTS as OF_OUTPUTS
from compare.mistakes.declared_head import SCALES as OF_SCALES
from compare.mistakes.declared_losses import LOSSES as OF_LOSSES
from compare.mistakes.declared_penalties import COUNTED as OF_COUNTS
from compare.mistakes.declared_penalties import PENALTY as OF_PENALTIES

ACTIVATIONS = {
    "relu": "maximum(z, 0)",
    "leaky_relu": "where(z > 0, z, 0.01 * z)",
    "elu": "where(z > 0, z, exp(z) - 1)",
    "selu": "1.0507009873554805 * where(z > 0, z, 1.6732632423543772 * (exp(z) - 1))",
    "softplus": "log(1 + exp(z))",
    "silu": "z / (1 + exp(-z))",
    "gelu": "z * (1 + erf(z / sqrt(2))) / 2",
    "gelu_tanh": "z * (1 + tanh(sqrt(2 / pi) * (z + 0.044715 * z**3))) / 2",
    "relu6": "minimum(maximum(z, 0), 6)",
    "hardtanh": "minimum(maximum(z, -1), 1)",
    "tanh": "tanh(z)",
    "sigmoid": "1 / (1 + exp(-z))",
    "identity": "z",
}
OUTPUTS = {name: ACTIVATIONS[name] for name in ("identity", "sigmoid", "tanh", "relu")}
OUTPUTS["softmax"] = "exp(z) / exp(z).sum(1, keepdims=True)"
LOSSES = {
    "cross_entropy": "-y * log(exp(o) / exp(o).sum(1, keepdims=True))",
    "bce": "log(1 + exp(o)) - y * o",
    "mse": "(o - y)**2",
    "l1": "abs(o - y)",
    "huber": "where(abs(o - y) <= 1, (o - y)**2 / 2, abs(o - y) - 1 / 2)",
    "hinge": "(1 - y) * maximum(0, 1 - (o * y).sum(1, keepdims=True) + o)",
}
"""What is summed over the outputs, o being the output; the reduction divides."""
SAID_OF_ACTIVATIONS = {
    "softplus": "threshold 40: torch's own of 20 leaves out exp(-20) = 2e-9, which float64 shows",
}
KINKS_OF_ACTIVATIONS = {"elu": "none (0 for elu:ALPHA, ALPHA != 1)"}
KINKS_OF_LOSSES = {"l1": "o = y", "huber": "none (its slope has corners at |o - y| = 1)",
                   "hinge": "1 - o_y + o_k = 0"}  # fmt: skip
COUNTS = {
    "label_smoothing": "(1 - X) * y + X / y.shape[1]",
    "class_weights": "y * W",
    "ignore_index": "y * (y.argmax(1, keepdims=True) != C)",
}
"""What stands in place of the targets y; the mean is over the sum of what is left of them."""
OPTIONS = {
    "label_smoothing": "label_smoothing=X", "class_weights": "weight=W",
    "ignore_index": "ignore_index=C",
}  # fmt: skip
PENALTIES = {"l2": "l2 / 2 * (w**2).sum()", "l1": "l1 * abs(w).sum()"}
NORMALISED = {
    "layer": "gamma * (z - z.mean(1)) / sqrt(z.var(1) + 1e-5) + beta",
    "batch": "gamma * (z - z.mean(0)) / sqrt(z.var(0) + 1e-5) + beta",
}
OPTIMISERS = {
    "sgd": "v = momentum * v + dw; w = w - rate * v",
    "adam": "w = w - rate * m / (1 - beta1**t) / (sqrt(s / (1 - beta2**t)) + eps)",
    "adamw": "w = w - rate * decay * w, then adam",
    "amsgrad": "adam with the largest s so far",
    "rmsprop": "s = alpha * s + (1 - alpha) * dw**2; w = w - rate * dw / (sqrt(s) + eps)",
    "adagrad": "s = s + dw**2; w = w - rate * dw / (sqrt(s) + eps)",
}


@dataclass(frozen=True, slots=True)
class Row:
    """One entry of one table."""

    name: str
    formula: str
    ours: str
    twin: str
    convention: str
    kinks: str
    mistakes: tuple[str, ...]


def activation_rows() -> Iterator[Row]:
    """Yield every activation."""
    import torch

    from torch_reference.activations import activation_module

    named = tuple(one.name for one in (*FAMILIES["activation"], *OF_ACTIVATIONS))
    for name in ACTIVATION_NAMES:
        kinks = ACTIVATION_RULES[name].kinks
        at = ", ".join(f"{kink:g}" for kink in kinks) or KINKS_OF_ACTIVATIONS.get(name, "none")
        said = "torch's slope at a kink" if kinks else SAID_OF_ACTIVATIONS.get(name, "")
        module = activation_module(name)
        twin = f"nn.{type(module).__name__}"
        if isinstance(module, torch.nn.Softplus):
            twin += f"(threshold={module.threshold:g})"
        ours = "manual_mlp.activations"
        yield Row(name, ACTIVATIONS[name], ours, twin, said, at, named)


def output_rows() -> Iterator[Row]:
    """Yield what may stand above the last layer."""
    from torch_reference.criterion import OUTPUTS as MODULES

    named = tuple(one.name for one in (*FAMILIES["softmax"], *OF_OUTPUTS))
    for name in OUTPUT_NAMES:
        twin = f"nn.{type(MODULES[name]()).__name__}"
        kinks = "0" if name == "relu" else "none"
        yield Row(name, OUTPUTS[name], "manual_mlp.outputs", twin, "", kinks, named)


def loss_rows() -> Iterator[Row]:
    """Yield every loss."""
    from torch_reference.criterion import ENTRYWISE
    from torch_reference.criterion import LOSSES as MODULES

    known = (*FAMILIES["cross-entropy"], *FAMILIES["reduction"], *OF_SCALES, *OF_LOSSES)
    named = tuple(one.name for one in known)
    for name in LOSS_NAMES:
        mean = "mean over all entries" if name in ENTRYWISE else "mean over rows"
        twin = f"nn.{getattr(MODULES[name], '__name__', name)}"
        kinks = KINKS_OF_LOSSES.get(name, "none")
        yield Row(name, LOSSES[name], "manual_mlp.losses", twin, mean, kinks, named)


def count_rows() -> Iterator[Row]:
    """Yield what makes rows and classes of a cross-entropy count for more or less."""
    named = tuple(one.name for one in OF_COUNTS)
    for name, formula in COUNTS.items():
        said = "mean over rows" if name == "label_smoothing" else "mean over what is left of y"
        twin = f"nn.CrossEntropyLoss({OPTIONS[name]})"
        yield Row(name, formula, "manual_mlp.criterion", twin, said, "none", named)


def penalty_rows() -> Iterator[Row]:
    """Yield the penalties."""
    named = tuple(one.name for one in (*FAMILIES["loss against gradient"], *OF_PENALTIES))
    for name, formula in PENALTIES.items():
        said = "over the weights; with `--penalise linear` over biases too, with `all` over every "
        said += f"parameter, gamma and beta too; divided by {' or '.join(PENALTY_OVER)}"
        kinks = "w = 0, slope 0" if name == "l1" else "none"
        ours, twin = "manual_mlp.penalty", "square" if name == "l2" else "abs"
        yield Row(name, formula, ours, f"Tensor.{twin}", said, kinks, named)


def between_rows() -> Iterator[Row]:
    """Yield normalisation and dropout."""
    from torch_reference.network import NORMALISATIONS as MODULES

    named = tuple(one.name for one in FAMILIES["normalisation"])
    said = {
        "layer": "eps 1e-5 inside the root, variance over m; no gamma, beta with `--affine false`",
        "batch": "the same; running variance over m - 1, momentum 0.1",
    }
    for name in NORMALISATIONS[1:]:
        twin = f"nn.{MODULES[name].__name__}"
        yield Row(name, NORMALISED[name], "manual_mlp.normalise", twin, said[name], "none", named)
    dropped = tuple(one.name for one in FAMILIES["dropout"])
    said_of_dropout = "divided by what stays; the mask is handed in"
    formula, twin = "a * mask / (1 - P)", "a product: nn.Dropout draws its own mask"
    yield Row("dropout", formula, "manual_mlp.dropout", twin, said_of_dropout, "none", dropped)


def optimiser_rows() -> Iterator[Row]:
    """Yield the optimisers."""
    import torch

    from torch_reference import Recipe

    one: dict[str, Any] = {"w1": torch.nn.Parameter(torch.zeros(1))}
    for name in OPTIMISER_NAMES:
        twin = f"optim.{type(Recipe(name, 0.1).built(one)).__name__}"
        said = "eps outside the root" if "eps" in OPTIMISERS[name] else ""
        formula, own = OPTIMISERS[name], [m for m in OTHER_STEP if name in m.of]
        family = FAMILIES["update"] if name == "sgd" else ()
        named = tuple(mistake.name for mistake in (*family, *own))
        yield Row(name, formula, "manual_mlp.optimisers", twin, said, "none", named)


TABLES = {
    "Activations": activation_rows,
    "Outputs": output_rows,
    "Losses": loss_rows,
    "What rows and classes count for": count_rows,
    "Penalties": penalty_rows,
    "Normalisation and dropout": between_rows,
    "Optimisers": optimiser_rows,
}
HEAD = """# What a network can be declared with

Written by `python -m compare.handbook.network_page docs`; a test holds it against the code, and
runs the formulas. `z` is what an activation takes, `o` the output, `y` the targets; a loss is the
sum of what its row says, divided as its convention says. With `--reduction batch_mean` it is
divided by the rows, with `sum` by nothing; `--loss-factor` multiplies it.
"""


def page() -> str:
    """Return the page."""
    parts = [HEAD]
    for title, rows in TABLES.items():
        found = list(rows())
        parts.append(f"\n## {title}\n")
        parts.append("| name | formula | ours | torch | convention | kinks |")
        parts.append("|---|---|---|---|---|---|")
        for row in found:
            cells = (f"`{row.name}`", f"`{row.formula}`".replace("|", "\\|"), f"`{row.ours}`")
            ends = (row.twin, row.convention, row.kinks.replace("|", "\\|"))
            parts.append(f"| {' | '.join((*cells, *ends))} |")
        for names, of in mistakes_of(found).items():
            listed = ", ".join(f"`{name}`" for name in names)
            parts.append(f"\nMistakes named in this group ({of}): {listed}.")
    return "\n".join(parts) + "\n"


def mistakes_of(rows: list[Row]) -> dict[tuple[str, ...], str]:
    """Return each set of mistakes with the entries it belongs to."""
    found: dict[tuple[str, ...], str] = {}
    for row in rows:
        found[row.mistakes] = (
            f"{found[row.mistakes]}, {row.name}" if row.mistakes in found else row.name
        )
    return found


def main() -> None:
    """Write the page into the folder that is given."""
    (Path(sys.argv[1]) / "network.md").write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
