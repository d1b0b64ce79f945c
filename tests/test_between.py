"""Networks with normalisation and dropout under judgement."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import manual_mlp
from benchmarks.between import planted
from benchmarks.between.__main__ import KINDS, honest
from benchmarks.between.ways import network
from compare import Experiment, check, run_training
from compare.contracts.between import Between
from compare.contracts.errors import BadInput
from compare.contracts.result import Verdict
from compare.examine.sides import our_manual
from compare.handbook.planting import plant
from compare.judge.naming import Named
from compare.mistakes.catalogue import named as mistake_named
from compare.mistakes.dropout import DROPOUT
from compare.mistakes.normalisation import NORMALISATION

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("shared_passes")]

FEW = (
    "dropout-mask-missing-backward",
    "normalisation-statistics-constant",
    "normalisation-eps-outside-forward",
    "normalisation-batch-in-evaluation",
)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize(("kind", "rate"), KINDS)
def test_honest_code_in_five_ways_of_writing_is_not_accused(
    kind: str, rate: float, dtype: str
) -> None:
    made, accused, worst = honest(kind, rate, dtype, 2)
    assert made >= 30 and accused == 0 and worst <= 0.5


@pytest.mark.parametrize("kind", ["layer", "batch"])
def test_a_gradient_scaled_by_one_part_in_a_million_million_is_seen(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # What it is called is not asked; nobody can name it, and looking for a name takes longest.
    monkeypatch.setattr("compare.judge.conclusion.name_mistake", lambda *_: Named())
    right = network("chain", kind, 0.0, "tanh")

    def scaled(parameters: Any, x: Any, targets: Any, *, context: Any = None) -> Any:
        loss, gradients = right(parameters, x, targets, context)
        return loss, {k: g * (1 + 1e-12) if k == "gamma1" else g for k, g in gradients.items()}

    found = check(scaled, hidden=(9,), activation="tanh", normalisation=kind)
    assert found.verdict is Verdict.DISAGREES
    assert any(finding.parameter == "gamma1" for finding in found.findings)


def named(mistake: str, kind: str, rate: float, dtype: str) -> list[str]:
    """What a planted mistake is called."""
    code = planted.network(kind, rate, mistake)
    found = check(
        code, hidden=(9, 7), activation="tanh", normalisation=kind, dropout=rate, dtype=dtype
    )
    assert found.verdict is not Verdict.AGREES
    return [one.mistake for one in found.diagnosis]


@pytest.mark.parametrize("mistake", FEW)
def test_the_mistakes_seen_most_are_named(mistake: str) -> None:
    assert named(mistake, "batch", 0.3 if "dropout" in mistake else 0.0, "float64")[0] == mistake


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("mistake", (*DROPOUT, *NORMALISATION), ids=lambda mistake: mistake.name)
def test_every_mistake_is_named(mistake: Any, dtype: str) -> None:
    kind = "batch" if "running" in mistake.name or "batch" in mistake.name else "layer"
    rate = 0.3 if mistake in DROPOUT else 0.0
    assert named(mistake.name, kind, rate, dtype)[0] == mistake.name


@pytest.mark.parametrize(
    "together",
    [
        "gradient-summed",
        "mask-missing",
        "epsilon-in-log",
        "bias-from-weight-gradient",
        "bias-averaged",
        "l2-in-gradient-only",
        "normalisation-statistics-constant + gradient-summed",
        "dropout-mask-missing-backward + mask-missing",
    ],
)
def test_mistakes_of_any_network_are_named_in_one_with_both(together: str) -> None:
    wrong = plant(
        *map(mistake_named, together.split(" + ")), activation="tanh", between=Between("batch", 0.3)
    )

    def code(parameters: Any, x: Any, targets: Any, *, context: Any = None) -> Any:
        return wrong(parameters, x, targets, context=context)[:2]

    options: Any = {"hidden": (9,), "activation": "tanh", "normalisation": "batch"}
    found = check(code, **options, dropout=0.3)
    assert found.verdict is Verdict.DISAGREES
    assert set(found.diagnosis[0].mistake.split(" + ")) == set(together.split(" + "))


@pytest.mark.parametrize(
    ("normalisation", "dropout", "options"),
    [
        ("layer", 0.0, {"loss": "mse", "output": "sigmoid", "activation": "gelu", "l2": 1e-4}),
        ("batch", 0.3, {"optimiser": "adam", "learning_rate": 0.01, "dtype": "float32"}),
        ("batch", 0.0, {}),
        ("none", 0.5, {"hidden": (16, 8)}),
    ],
)
def test_both_sides_train_alike(normalisation: str, dropout: float, options: Any) -> None:
    asked = Experiment(
        **{"hidden": (12,), "epochs": 2, "batch_size": 700, **options},
        normalisation=normalisation, dropout=dropout,
    )  # fmt: skip
    result = run_training(asked)
    assert result.verdict is Verdict.AGREES, str(result)
    assert ("running_mean1" in result.worst) == (normalisation == "batch")


def test_wrong_running_statistics_are_found() -> None:
    asked = Experiment(hidden=(12,), epochs=2, normalisation="batch")
    ours: Any = our_manual(asked)

    def biased(parameters: Any, x: Any, targets: Any, *, context: Any) -> Any:
        loss, gradients, shown = ours.loss_and_gradients(parameters, x, targets, context=context)
        shown = {k: v * (1 - 1e-9) if k == "running_var1" else v for k, v in shown.items()}
        return loss, gradients, shown

    result = run_training(asked, manual=replace(ours, loss_and_gradients=biased))
    assert result.verdict is Verdict.DISAGREES and result.kind == "intermediate"
    assert "running_var1" in str(result)


def test_what_does_not_fit_is_said_in_one_sentence() -> None:
    def without_context(parameters: Any, x: Any, targets: Any) -> Any:
        return manual_mlp.loss_and_gradients(parameters, x, targets)

    with pytest.raises(BadInput, match="must name an argument `context`"):
        check(without_context, dropout=0.5)
    with pytest.raises(BadInput, match="one sample at a time"):
        check(without_context, normalisation="batch", per_sample=True)
    point: Any = {"x": np.zeros((3, 2)), "targets": np.eye(2)[[0, 1, 1]]}
    parameters = manual_mlp.initial_parameters((2, 4, 2), np.random.default_rng(0))
    with pytest.raises(BadInput, match=r"gamma1, beta1, \.\.\. are missing"):
        check(without_context, parameters=parameters, normalisation="layer", **point)


def test_code_without_a_context_is_checked_in_training_and_told_so() -> None:
    def batch_only(parameters: Any, x: Any, targets: Any) -> Any:
        return network("numpy", "batch", 0.0, "relu")(parameters, x, targets, {})

    found = check(batch_only, normalisation="batch")
    assert found.verdict is Verdict.AGREES
    assert any("running statistics" in note for note in found.notes)


@pytest.mark.parametrize("kind", ["layer", "batch"])
def test_normalisation_that_was_not_declared_is_told_with_its_option(kind: str) -> None:
    def normalising(parameters: Any, x: Any, targets: Any) -> Any:
        scales = {f"gamma{i}": np.ones_like(parameters[f"b{i}"]) for i in (1, 2)}
        scales |= {f"beta{i}": np.zeros_like(parameters[f"b{i}"]) for i in (1, 2)}
        given = parameters | scales
        loss, gradients = network("chain", kind, 0.0, "tanh")(given, x, targets, {})
        return loss, {name: gradients[name] for name in parameters}

    found = check(normalising, hidden=(9, 7), activation="tanh")
    assert found.verdict is Verdict.DISAGREES
    assert f"with `--normalisation {kind} --affine false`" in found.diagnosis[0].sentence
