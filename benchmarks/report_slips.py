"""What the slips of the report do to the numbers: `python -m benchmarks.report_slips`.

Each slip runs the default experiment from the default start. What this prints is quoted at the
end of docs/derivation.md, where the slips are explained; a test holds the quotation to it.
"""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Callable, Iterable, Iterator, Sequence
from math import e, log

import numpy as np
from threadpoolctl import threadpool_limits

import manual_mlp
from benchmarks.slips import (
    ALL,
    EPSILON,
    SLIPS,
    LossAndGradients,
    batch_sums_left_out,
    from_dlogits,
    one_for_p_in_db_h,
    one_for_p_in_dw_o,
    right,
    w_h_for_w_o,
)
from compare.contracts.experiment import Experiment
from compare.points.inputs import Inputs, draw_inputs
from manual_mlp.arrays import Array, Arrays

EXPERIMENT = Experiment()


def stepped(
    parameters: Arrays,
    gradients: Arrays,
    state: Arrays,
    learning_rate: float = EXPERIMENT.learning_rate,
) -> tuple[Arrays, Arrays]:
    """One update in the report's form."""
    return manual_mlp.velocity_step(
        parameters,
        gradients,
        state,
        learning_rate=learning_rate,
        momentum=EXPERIMENT.momentum,
    )


def trained(
    function: LossAndGradients,
    start: Arrays,
    x: Array,
    y: Array,
    learning_rate: float = EXPERIMENT.learning_rate,
) -> Arrays:
    """The parameters after the default number of full-batch updates."""
    parameters, state = start, manual_mlp.initial_velocity(start)
    for _ in range(EXPERIMENT.epochs):
        _, gradients = function(parameters, x, y)
        parameters, state = stepped(parameters, gradients, state, learning_rate)
    return parameters


def angle_and_length(wrong: Arrays, true: Arrays, names: Sequence[str]) -> tuple[float, float]:
    """Cosine between two gradients and the ratio of their norms, over the named tensors."""
    a, b = (np.concatenate([g[name].ravel() for name in names]) for g in (wrong, true))
    of_a, of_b = float(np.linalg.norm(a)), float(np.linalg.norm(b))
    return float(a @ b) / (of_a * of_b), of_a / of_b


def gradient_rows(inputs: Inputs) -> Iterator[list[str]]:
    """For each slip its gradient at the start, and where 200 epochs with it lead."""
    start, (x, y) = inputs.parameters, inputs.training
    beginning, true = right(start, x, y)
    for slip in SLIPS:
        shown, gradients = slip.function(start, x, y)
        angle = angle_and_length(gradients, true, slip.wrong or ALL)
        at_start = [", ".join(slip.wrong) or "-", f"{angle[0]:.3f}", f"{angle[1]:.4g}"]
        parameters = trained(slip.function, start, x, y)
        at_end = ["diverges", "-", "-", "-"]
        if (after := manual_mlp.evaluate(parameters, x, y))[0] < 10 * beginning:
            displayed = slip.function(parameters, x, y)[0], after[1]
            at_end = [
                *cells(displayed),
                *cells(manual_mlp.evaluate(parameters, *inputs.validation)),
            ]
        yield [slip.name, *at_start, f"{shown:.5f}", *at_end]


def loop_rows(inputs: Inputs) -> Iterator[list[str]]:
    """What a loop shows last, and what the weights it has trained really do."""
    start, training, validation = inputs.parameters, inputs.training, inputs.validation
    once, _ = stepped(start, right(start, *training)[1], manual_mlp.initial_velocity(start))
    final, own = trained(right, start, *training), trained(right, start, *validation)
    for name, showing, validating, real in (
        ("nothing wrong", final, final, final),
        ("second weights trained on the validation data", final, own, final),
        ("update after the loop", start, start, once),
    ):
        measured = (
            manual_mlp.evaluate(showing, *training),
            manual_mlp.evaluate(validating, *validation),
            manual_mlp.evaluate(real, *validation),
        )
        yield [name, *(cell for loss_and_accuracy in measured for cell in cells(loss_and_accuracy))]


def cells(loss_and_accuracy: tuple[float, float]) -> tuple[str, str]:
    """A loss with five decimals and an accuracy in per cent."""
    loss, accuracy = loss_and_accuracy
    return f"{loss:.5f}", f"{100 * accuracy:.1f} %"


def epsilon_fact(inputs: Inputs) -> str:
    """The range of a row's loss with the epsilon, and how far p - y is from its derivative."""
    start, (x, y) = inputs.parameters, inputs.training
    p = manual_mlp.softmax(manual_mlp.forward(start, x)["logits"])  # (N, K)
    r = y * p / (p + EPSILON)
    dlogits = (p * r.sum(axis=1, keepdims=True) - r) / len(x)
    _, own = from_dlogits(start, x, y, lambda logits: dlogits)
    _, used = right(start, x, y)
    off = sum(float(np.sum((used[n] - own[n]) ** 2)) for n in ALL) ** 0.5
    size = sum(float(np.sum(own[n] ** 2)) for n in ALL) ** 0.5
    return (
        f"Epsilon in the log: a row with p = 1 costs {-log(1 + EPSILON):.5f}, a row with p = 0"
        f" costs {-log(EPSILON):.3f}. The gradient used differs from the derivative of the loss"
        f" shown by {off / size:.1e} of its length."
    )


def floor_fact(inputs: Inputs) -> str:
    """Where a loss curve ends whose logits are drawn towards the one-hot targets."""
    classes = inputs.sizes[-1]
    return (
        "Softmax left out: the logits are drawn towards y. At logits = y the loss is"
        f" log(e + {classes - 1}) - 1 = {log(e + classes - 1) - 1:.5f}."
    )


def growth_fact(inputs: Inputs) -> str:
    """How far w_o runs when its gradient does not see p."""
    start, (x, y) = inputs.parameters, inputs.training
    reached = (trained(function, start, x, y)["w2"] for function in (one_for_p_in_dw_o, right))
    wrong, true = (float(np.linalg.norm(w2)) for w2 in reached)
    return f"`1 - y` in `dL/dw_o`: after 200 epochs the norm of w2 is {wrong:.1f}, not {true:.1f}."


def slow_fact(inputs: Inputs) -> str:
    """A slip that diverges may pass unseen at a learning rate ten times smaller."""
    start, (x, y) = inputs.parameters, inputs.training
    slow = EXPERIMENT.learning_rate / 10
    reached = (trained(function, start, x, y, slow) for function in (one_for_p_in_db_h, right))
    wrong, true = (" and ".join(cells(manual_mlp.evaluate(end, x, y))) for end in reached)
    return (
        f"`1 - y` in `dL/db_h` at a learning rate of {slow}: after 200 epochs training is at"
        f" {wrong}, not at {true}."
    )


def square_fact(inputs: Inputs) -> str:
    """`w_h` for `w_o`: refused by the shapes, unless there are as many inputs as classes."""
    x, y = inputs.training
    classes = inputs.sizes[-1]
    outcome = outcome_of(lambda: w_h_for_w_o(inputs.parameters, x, y))
    few = x[:, np.argsort(x.var(axis=0), kind="stable")[-classes:]]  # (N, K)
    sizes = (classes, *EXPERIMENT.hidden, classes)
    start = manual_mlp.initial_parameters(sizes, np.random.default_rng(EXPERIMENT.seed))
    wrong, true = (function(start, few, y)[1] for function in (w_h_for_w_o, right))
    cosine, ratio = angle_and_length(wrong, true, ("b1",))
    ends = [right(trained(function, start, few, y), few, y)[0] for function in (w_h_for_w_o, right)]
    return (
        f"`w_h` for `w_o` in `dL/db_h`: {y.shape} @ {inputs.parameters['w1'].shape} {outcome}. With"
        f" only the {classes} pixels of largest variance as inputs it is computed: cosine of b1"
        f" {cosine:.3f}, norm ratio {ratio:.4g}, loss after 200 epochs {ends[0]:.5f}, not"
        f" {ends[1]:.5f}."
    )


def batch_fact(inputs: Inputs) -> str:
    """Biases that are not summed over the batch become one row of biases per sample."""
    x, y = inputs.training
    rows = {name: (len(x), *b.shape) for name, b in inputs.parameters.items() if b.ndim == 1}
    start = inputs.parameters | {name: np.zeros(shape) for name, shape in rows.items()}
    reached = trained(batch_sums_left_out, start, x, y)
    loss, _ = batch_sums_left_out(reached, x, y)
    outcome = outcome_of(lambda: batch_sums_left_out(reached, *inputs.validation))
    means = reached | {name: reached[name].mean(axis=0) for name in rows}
    validation = manual_mlp.evaluate(means, *inputs.validation)
    return (
        f"Batch sums left out: b1 becomes {rows['b1']}, b2 {rows['b2']}. After 200 epochs the"
        f" training loss is {loss:.5f}; adding these biases to the {len(inputs.validation[0])}"
        f" validation rows {outcome}. With the means of the biases over the rows, validation ends"
        f" at {' and '.join(cells(validation))}."
    )


def outcome_of(compute: Callable[[], object]) -> str:
    """What became of an attempt: whether its shapes fit is part of the measurement."""
    try:
        compute()
    except ValueError:
        return "raises ValueError"
    return "is computed"


FACTS = (epsilon_fact, floor_fact, growth_fact, slow_fact, square_fact, batch_fact)
GRADIENT_HEADS = (
    "slip",
    "wrong in",
    "cosine",
    "norm ratio",
    "loss shown, start",
    "loss shown, end",
    "accuracy",
    "validation loss",
    "validation accuracy",
)
LOOP_HEADS = (
    "slip",
    "training loss shown",
    "accuracy shown",
    "validation loss shown",
    "accuracy shown",
    "validation loss in truth",
    "accuracy in truth",
)


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table: the first column to the left, the numbers to the right."""
    ruler = ["---", *["---:"] * (len(heads) - 1)]
    return "\n".join(f"| {' | '.join(row)} |" for row in (heads, ruler, *rows))


def measurements() -> str:
    """Two tables and a list, in Markdown."""
    inputs = draw_inputs(EXPERIMENT)
    # Some slips diverge, and the matrices are too small to be worth sharing out among threads.
    with np.errstate(over="ignore", invalid="ignore"), threadpool_limits(limits=1):
        tables = table(GRADIENT_HEADS, gradient_rows(inputs)), table(LOOP_HEADS, loop_rows(inputs))
        return "\n\n".join([*tables, "\n".join(f"- {fact(inputs)}" for fact in FACTS)])


if __name__ == "__main__":
    ArgumentParser("python -m benchmarks.report_slips", description=__doc__).parse_args()
    print(measurements())
