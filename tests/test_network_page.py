"""Every declared entry has a twin, a formula that is what it computes, kinks and mistakes."""

from math import erf
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest

from compare.allowance.between import AXES
from compare.allowance.rules import ACTIVATION_RULES
from compare.checks.optimiser_step import OptimiserStep
from compare.contracts.between import NORMALISATIONS
from compare.contracts.experiment import Experiment
from compare.examine.optimisers import our_rule
from compare.handbook import network_page as page
from compare.mistakes.catalogue import FAMILIES, OTHER_STEP
from compare.mistakes.declared import DECLARED
from compare.textbook.losses import LOSS_RULES, OUTPUT_RULES
from manual_mlp.activations import ACTIVATIONS, find
from manual_mlp.criterion import Criterion
from manual_mlp.dropout import dropped_backward
from manual_mlp.losses import LOSSES
from manual_mlp.normalise import standardise_backward
from manual_mlp.optimisers import AnyRule
from manual_mlp.outputs import OUTPUTS

ROOT = Path(__file__).parent.parent


def run(formula: str, **names: Any) -> Any:
    """Evaluate a formula of the page."""
    of_numpy = {name: getattr(np, name) for name in dir(np) if not name.startswith("_")}
    return eval(formula, {**of_numpy, "erf": np.vectorize(erf), **names})


def drawn() -> tuple[Any, Any]:
    rng = np.random.default_rng(0)
    return rng.normal(size=(6, 4)) * 3, np.eye(4)[rng.integers(4, size=6)]


@pytest.mark.parametrize("title", page.TABLES)
def test_no_entry_lacks_a_twin_ours_a_formula_kinks_or_mistakes(title: str) -> None:
    rows = list(page.TABLES[title]())
    assert rows
    for row in rows:
        assert all((row.formula, row.ours, row.twin, row.kinks, row.mistakes)), row


def test_our_tables_hold_no_more_and_no_less() -> None:
    assert set(page.ACTIVATIONS) == set(ACTIVATIONS)
    assert set(page.OUTPUTS) == set(OUTPUTS)
    assert set(page.LOSSES) == set(LOSSES)
    rules = {type(our_rule(Experiment(optimiser=name))) for name in page.OPTIMISERS}
    assert rules == set(get_args(AnyRule))


def derived(function: Any) -> bool:
    """Whether the docstring of a function says by an equation or in words what it is."""
    return len((function.__doc__ or "").split()) > 3


def test_every_activation_has_a_derivation_an_allowance_and_the_kinks_of_its_rule() -> None:
    paper = (ROOT / "docs" / "derivation.md").read_text(encoding="utf-8")
    for row in page.TABLES["Activations"]():
        written = row.name.replace("gelu_tanh", "gelu (tanh)").replace("_", " ")
        assert f"\\text{{{written}:}}" in paper, f"{row.name} has no line in equation 6.2"
        kinks = ACTIVATION_RULES[row.name].kinks
        assert row.kinks.startswith("none") == (not kinks), row
    assert {name for name in ACTIVATION_RULES if ":" not in name} == set(page.ACTIVATIONS)


def test_every_loss_and_output_has_a_derivation_and_an_allowance() -> None:
    assert set(LOSS_RULES) == set(LOSSES) and set(OUTPUT_RULES) == set(OUTPUTS)
    for name, loss in LOSSES.items():
        assert derived(loss.derivative), name
        kinked = page.KINKS_OF_LOSSES.get(name, "none")
        assert kinked.startswith("none") == (LOSS_RULES[name].corner is None), name
    for name in OUTPUTS:
        assert (OUTPUT_RULES[name].corner is not None) == (name == "relu")


def test_normalisation_and_dropout_have_a_derivation_an_allowance_and_mistakes() -> None:
    assert set(NORMALISATIONS[1:]) == set(page.NORMALISED) == set(AXES)
    assert derived(standardise_backward) and derived(dropped_backward)
    assert all(FAMILIES[name] for name in ("normalisation", "dropout"))


def test_every_optimiser_has_a_recursion_and_an_allowance() -> None:
    for name in page.OPTIMISERS:
        asked = Experiment(optimiser=name)
        assert derived(type(our_rule(asked)))
        assert OptimiserStep.of(asked).name, name


@pytest.mark.parametrize("name", page.ACTIVATIONS)
def test_the_formula_of_an_activation_is_what_ours_computes(name: str) -> None:
    z, _ = drawn()
    np.testing.assert_allclose(run(page.ACTIVATIONS[name], z=z), find(name).value(z), atol=1e-14)


@pytest.mark.parametrize("name", page.OUTPUTS)
def test_the_formula_of_an_output_is_what_ours_computes(name: str) -> None:
    z, _ = drawn()
    np.testing.assert_allclose(run(page.OUTPUTS[name], z=z), OUTPUTS[name].value(z), atol=1e-14)


@pytest.mark.parametrize("name", page.LOSSES)
def test_the_formula_of_a_loss_is_what_ours_sums(name: str) -> None:
    o, y = drawn()
    ours = LOSSES[name].terms(o, y).sum()
    assert run(page.LOSSES[name], o=o, y=y).sum() == pytest.approx(ours, rel=1e-12)


@pytest.mark.parametrize(
    ("name", "how"),
    [
        ("label_smoothing", {"label_smoothing": 0.2}),
        ("class_weights", {"class_weights": (0.5, 1.0, 2.0, 3.0)}),
        ("ignore_index", {"ignore_index": 2}),
    ],
)
def test_the_formula_of_what_counts_is_ours(name: str, how: dict[str, Any]) -> None:
    o, y = drawn()
    names = {"X": 0.2, "W": np.array([0.5, 1.0, 2.0, 3.0]), "C": 2}
    counted = run(page.COUNTS[name], y=y, **names)
    criterion = Criterion("cross_entropy", **how)
    summed = LOSSES["cross_entropy"].terms(o, counted).sum()
    assert summed / counted.sum() == pytest.approx(criterion.loss_at(o, y), rel=1e-12)


def test_every_mistake_of_the_catalogue_of_declared_networks_and_optimisers_is_listed() -> None:
    listed = {name for rows in page.TABLES.values() for row in rows() for name in row.mistakes}
    assert {one.name for one in (*DECLARED, *OTHER_STEP)} <= listed


def test_the_page_is_the_one_the_code_writes() -> None:
    written = (ROOT / "docs" / "network.md").read_text(encoding="utf-8")
    assert written == page.page(), "run python -m compare.handbook.network_page docs"
