"""Mistakes of a training of a normalised network are named from its records as well."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import manual_mlp
from compare import run_training
from compare.contracts.between import Between
from compare.contracts.records import Record as Recorded
from compare.diagnosis.records import diagnose_records
from compare.examine.sides import our_manual
from manual_mlp import Record
from tests.faults import SMALL, small_data

pytestmark = pytest.mark.slow

Array = Any
SIZES, ROWS = (7, 6, 4), 15
KINDS = {"layer": Between("layer"), "batch": Between("batch"), "dropout": Between("none", 0.3)}
Batches = Callable[[int, list[Array]], tuple[Array, Array]]
"""Which rows of the inputs and of the targets an update looks at."""


def masks(between: Between, record: Recorded) -> dict[str, Array]:
    """What dropout keeps in an update."""
    return between.masks(SIZES, len(record.batch), (record.update,))


def trained(between: Between, rows: Batches) -> tuple[list[Record], tuple[Array, Array]]:
    """Return the records of two epochs of a network whose updates look at `rows`."""
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(ROWS, SIZES[0])), np.eye(4)[rng.integers(4, size=ROWS)]
    now = manual_mlp.initial_parameters(SIZES, rng) | between.scales(SIZES)
    order = np.split(rng.permutation(ROWS), 3)
    made = []
    for update in range(6):
        given, wanted = rows(update, order)
        one = Record(update, update // 3, order[update % 3], 0.0, {}, now, {}, None)
        loss, gradients, *_ = manual_mlp.loss_and_gradients(
            now, x[given], y[wanted], context=masks(between, one),
            between=manual_mlp.Between(between.normalisation, between.dropout),
        )  # fmt: skip
        made.append(replace(one, loss=loss, gradients=gradients))
        now = {name: w - 0.5 * gradients[name] for name, w in now.items()}
    return made, (x, y)


MISTAKES: dict[str, Batches] = {
    "batches-not-shuffled": lambda t, order: (np.arange(5) + t % 3 * 5,) * 2,
    "batch-of-another-update": lambda t, order: (order[(t + 1) % 3],) * 2,
    "targets-of-another-batch": lambda t, order: (order[t % 3], order[(t + 1) % 3]),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", MISTAKES)
def test_rows_of_another_update_are_named_in_a_normalised_network(name: str, kind: str) -> None:
    between = KINDS[kind]
    made, data = trained(between, MISTAKES[name])
    how: dict[str, Any] = {
        "between": between, "context_of": lambda record: masks(between, record)
    }  # fmt: skip
    assert [one.mistake for one in diagnose_records(made, data, **how)] == [name]
    right, data = trained(between, lambda t, order: (order[t % 3],) * 2)
    assert diagnose_records(right, data, **how) == ()


def doubled(step: Any) -> Any:
    """Return a step of twice the learning rate."""

    def wrong(*arguments: Any, learning_rate: float, **more: Any) -> Any:
        return step(*arguments, learning_rate=2 * learning_rate, **more)

    return wrong


@pytest.mark.parametrize("kind", ["layer", "batch"])
def test_a_wrong_step_of_a_normalised_network_is_named(kind: str) -> None:
    asked = replace(SMALL, normalisation=kind)
    manual = our_manual(asked)
    result = run_training(
        asked, manual=replace(manual, step=doubled(manual.step)), data=small_data()
    )
    assert result.kind == "update"
    assert [one.mistake for one in result.diagnosis] == ["another-learning-rate"]
