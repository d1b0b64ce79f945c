"""The report's sections as runnable cases: `python -m compare.handbook.report_cases`.

Each case runs what the report derived or printed (`report_code`) on numbers and hands the result
to the diagnosis. `--markdown` writes docs/report.md.
"""

from __future__ import annotations

import argparse
import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property, partial
from textwrap import fill
from typing import Any

import numpy as np

import manual_mlp
from compare.contracts.arrays import Array
from compare.contracts.result import Diagnosis
from compare.diagnosis.curves import diagnose_curves
from compare.diagnosis.gradients import diagnose_gradients
from compare.diagnosis.observation import Observation
from compare.diagnosis.step import diagnose_step
from compare.handbook import report_code as report
from compare.handbook.live import UpdateRecord
from compare.points.diagnostic import ORDINARY, probe
from compare.textbook import Point

WIDTH = 96
MUCH = 1000.0
"""A right computation that is off by more than this many allowances is not close."""
EPOCHS, RATES = 6, (0.9, 0.1)


@dataclass(frozen=True)
class ReportCase:
    """One thing the report derived: where, its code, what was assumed to run it, the diagnosis."""

    section: str
    code: Callable[..., Any]
    assumed: str
    diagnose: Callable[[], tuple[Diagnosis, ...]]

    @cached_property
    def found(self) -> tuple[Diagnosis, ...]:
        """Return the diagnosis, made once."""
        return self.diagnose()


def head(reduction: str, **seen: Callable[[Array, Array, Array], Any]) -> tuple[Diagnosis, ...]:
    """Diagnose functions of (logits, p, y), given by the name of what they compute."""
    generator = np.random.default_rng(0)
    logits, y = 2 * generator.normal(size=(6, 5)), np.eye(5)[[0, 3, 1, 4, 3, 2]]
    p = manual_mlp.softmax(logits)
    point = Point({"w1": np.eye(5), "b1": np.zeros(5)}, logits, y, "relu", reduction)
    values = {name: np.asarray(function(logits, p, y)) for name, function in seen.items()}
    return diagnose_gradients(Observation(point, values))


def average(logits: Array, p: Array, y: Array) -> float:
    """Return the right average cross-entropy."""
    return manual_mlp.average_ce(y, p)


def layer(function: Callable[..., Array], name: str) -> tuple[Diagnosis, ...]:
    """Diagnose `relu` or `compute_layer` as part of a network."""
    point = network((7, 6, 5))
    z = point.x @ point.parameters["w1"] + point.parameters["b1"]
    arguments = (z,) if name == "h1" else (point.x, *map(point.parameters.get, ("w1", "b1")))
    return diagnose_gradients(Observation(point, {name: function(*arguments)}))


def network(sizes: tuple[int, ...]) -> Point:
    """Return a network of the report's kind; the loss it derives is a sum over the batch."""
    return probe(
        sizes,
        6,
        ORDINARY,
        activation="relu",
        reduction="sum",
        dtype=np.float64,
        generator=np.random.default_rng(0),
    )


def gradient(name: str, derived: Callable[..., Array]) -> tuple[Diagnosis, ...]:
    """Diagnose one gradient of section 1.2 beside a right loss.

    There are as many inputs as classes, or 1.2.4 has no shape.
    """
    point = network((5, 7, 5))
    values = manual_mlp.forward(point.parameters, point.x)
    known = {
        "x_in": point.x,
        "x_h": values["h1"],
        "w_h": point.parameters["w1"],
        "w_o": point.parameters["w2"],
        "p_o": manual_mlp.softmax(values["logits"]),
        "y": point.targets,
    }
    wanted = inspect.signature(derived).parameters
    found = derived(**{argument: known[argument] for argument in wanted})
    loss = manual_mlp.cross_entropy(values["logits"], point.targets, reduction="sum")
    return diagnose_gradients(Observation(point, {"loss": np.asarray(loss), name: found}))


class School:
    """A small data set, and training on it as the report has it and as it should be."""

    def __init__(self) -> None:
        generator = np.random.default_rng(0)
        self.start = manual_mlp.initial_parameters((8, 7, 4), generator)
        self.data = [self.draw(generator, rows) for rows in (40, 20)]

    def draw(self, generator: np.random.Generator, rows: int) -> tuple[Array, Array]:
        """Return random inputs and labels."""
        return generator.normal(size=(rows, 8)), np.eye(4)[generator.integers(4, size=rows)]

    def side(self, which: int) -> tuple[Any, Any, Any]:
        """Return weights, measure and gradients on training (0) or validation data (1)."""
        data = self.data[which]
        return (
            dict(self.start),
            lambda w: manual_mlp.evaluate(w, *data),
            lambda w: manual_mlp.loss_and_gradients(w, *data)[1],
        )

    def curves(self, which: int) -> dict[str, Array]:
        """Return the right curves of training on that part of the data, without the last point."""
        training, validation = self.data[which], self.data[1]
        order = [[np.arange(len(training[0]))]] * EPOCHS
        records = manual_mlp.train(
            self.start,
            {},
            training,
            validation,
            order,
            loss_and_gradients=manual_mlp.loss_and_gradients,
            evaluate=manual_mlp.evaluate,
            step=manual_mlp.velocity_step,
            learning_rate=RATES[1],
            momentum=RATES[0],
        )
        points = [record.evaluation for record in records if record.evaluation][:EPOCHS]
        names = ("train_loss", "train_accuracy", "validation_loss", "validation_accuracy")
        return {name: np.array([getattr(point, name) for point in points]) for name in names}


def printed_loop() -> tuple[Diagnosis, ...]:
    """Diagnose the training curve of the loop as it is printed."""
    school = School()
    losses, accuracies = report.learning_as_printed(EPOCHS, *school.side(0), RATES)
    drawn = {"train_loss": losses, "train_accuracy": accuracies}
    return diagnose_curves(drawn, school.curves(0))


def meant_loop() -> tuple[Diagnosis, ...]:
    """Diagnose all four curves of the loop as it was meant."""
    school = School()
    training, validation = report.learning_as_meant(EPOCHS, school.side(0), school.side(1), RATES)
    own = {f"trained_on_{n}": c for n, c in school.curves(1).items() if n.startswith("validation")}
    drawn = {
        "train_loss": training[0],
        "train_accuracy": training[1],
        "validation_loss": validation[0],
        "validation_accuracy": validation[1],
    }
    return diagnose_curves(drawn, school.curves(0) | own)


def update() -> tuple[Diagnosis, ...]:
    """Diagnose the report's update over a few records."""
    generator = np.random.default_rng(0)
    w = {"w1": generator.normal(size=(4, 3)), "b1": generator.normal(size=3)}
    v = {name: np.zeros_like(array) for name, array in w.items()}
    records = []
    for number in range(4):
        d = {name: generator.normal(size=array.shape) for name, array in w.items()}
        state = {f"v_{name}": array for name, array in v.items()}
        records.append(UpdateRecord(number, dict(w), d, state))
        report.updated(w, v, d, *RATES)
    return diagnose_step(records, learning_rate=RATES[1], momentum=RATES[0])


SUM = "L has no 1/N there, so it is held against the sum over the batch."
CASES = (
    ReportCase("1.1.1", report.relu, "", partial(layer, report.relu, "h1")),
    ReportCase(
        "1.1.2", report.softmax, "", lambda: head("mean", p=lambda z, p, y: report.softmax(z))
    ),
    ReportCase("1.1.3", report.compute_layer, "", partial(layer, report.compute_layer, "z1")),
    ReportCase(
        "1.1.4",
        report.average_ce,
        "Called with probabilities.",
        lambda: head("mean", loss=lambda z, p, y: report.average_ce(y, p)),
    ),
    ReportCase(
        "1.1.5, the loss",
        report.derived_loss,
        SUM,
        lambda: head("sum", loss=lambda z, p, y: report.derived_loss(y, p)),
    ),
    ReportCase(
        "1.1.5, the derivation",
        report.derived_gradient,
        SUM,
        lambda: head("sum", dlogits=lambda z, p, y: report.derived_gradient(y, p)),
    ),
    ReportCase(
        "1.1.5, the code",
        report.grad_ce,
        "Called with probabilities under the name logits, as the report's own caller does; held "
        "against the average, like `average_ce`.",
        lambda: head("mean", loss=average, dlogits=lambda z, p, y: report.grad_ce(y, p)),
    ),
    ReportCase(
        "1.1.5, the code, called as its arguments are named",
        report.grad_ce,
        "Called with logits; " + SUM,
        lambda: head("sum", dlogits=lambda z, p, y: report.grad_ce(y, z)),
    ),
    ReportCase("1.2.1", report.dw_o, SUM, partial(gradient, "dw2", report.dw_o)),
    ReportCase("1.2.2", report.db_o, SUM, partial(gradient, "db2", report.db_o)),
    ReportCase("1.2.3", report.dw_h, SUM, partial(gradient, "dw1", report.dw_h)),
    ReportCase(
        "1.2.4",
        report.db_h,
        SUM + " As many inputs as classes: with any other number the product has no shape.",
        partial(gradient, "db1", report.db_h),
    ),
    ReportCase("1.3.1, the update", report.updated, "", update),
    ReportCase(
        "1.3.1, the loop as printed",
        report.learning_as_printed,
        "With right gradients, so that only the loop is tested.",
        printed_loop,
    ),
    ReportCase(
        "1.3.1, the loop as meant",
        report.learning_as_meant,
        "With right gradients, and with the same initial weights for both sets.",
        meant_loop,
    ),
)


def told(found: tuple[Diagnosis, ...]) -> Iterator[str]:
    """Yield what the tool says about one case."""
    if not found:
        yield "Right: every number is within its allowance."
    for diagnosis in found:
        constant = "" if diagnosis.constant is None else f" (constant {diagnosis.constant:g})"
        also = f", or {', '.join(diagnosis.also)}" if diagnosis.also else ""
        yield f"{diagnosis.mistake}{constant}{also}"
        yield fill(diagnosis.sentence, WIDTH, initial_indent="  ", subsequent_indent="  ")
        far = f"more than {MUCH:.0f}" if diagnosis.ratio_before > MUCH else "more than 1"
        yield f"  With it at most 1 × allowance, computed rightly {far} × allowance."


HEAD = """# The report, section by section

The report derives the network in its sections 1.1 to 1.3. Here everything it derived runs as it is
printed (`compare/handbook/report_code.py`), and the diagnosis says what it is. This page is written
by `python -m compare.handbook.report_cases --markdown`; a test holds it to what the code prints.
What each slip does to a training run is measured in [derivation.md](derivation.md), and every
mistake named here is described in [mistakes.md](mistakes.md).
"""


def markdown() -> str:
    """Return docs/report.md."""
    parts = [HEAD]
    for case in CASES:
        code = inspect.getsource(case.code).rstrip()
        output = "\n".join(told(case.found))
        assumed = f"{case.assumed}\n\n" if case.assumed else ""
        parts.append(
            f"## {case.section}\n\n```py\n{code}\n```\n\n{assumed}```text\n{output}\n```\n"
        )
    return "\n".join(parts)


def terminal() -> Iterator[str]:
    """Yield every case with its diagnosis."""
    for case in CASES:
        yield f"{case.section}: {case.code.__name__}"
        yield from told(case.found)
        yield ""


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m compare.handbook.report_cases")
    parser.add_argument("--markdown", action="store_true", help="print docs/report.md")
    print(markdown() if parser.parse_args().markdown else "\n".join(terminal()), end="")
