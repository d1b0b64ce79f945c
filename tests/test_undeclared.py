"""A right gradient of another loss is told from a mistake, with the option that declares it."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest

import manual_mlp
from compare import check
from compare.contracts.experiment import Experiment
from compare.diagnosis.undeclared import undeclared
from compare.judge.naming import Named

FIELDS = manual_mlp.Criterion.__dataclass_fields__
OTHERS: dict[str, dict[str, Any]] = {
    "--l2 0.05": {"l2": 0.05},
    "--l1 0.01": {"l1": 0.01},
    "--l2 0.3 --penalty-over rows": {"l2": 0.3, "penalty_over": "rows"},
    "--l2 0.05 --penalise all": {"l2": 0.05, "penalise": "all"},
    "--label-smoothing 0.1": {"label_smoothing": 0.1},
    "--reduction sum": {"reduction": "sum"},
    "--loss mse": {"loss": "mse"},
    "--loss mse --reduction batch_mean --loss-factor 0.5": {
        "loss": "mse", "reduction": "batch_mean", "loss_factor": 0.5,
    },
    "--loss mse --output sigmoid --l2 0.01": {"loss": "mse", "output": "sigmoid", "l2": 0.01},
    "--loss bce --reduction batch_mean": {"loss": "bce", "reduction": "batch_mean"},
    "--loss hinge": {"loss": "hinge"},
    "--loss huber": {"loss": "huber"},
    "--output tanh": {"output": "tanh"},
    "--activation gelu": {"activation": "gelu"},
    "--activation elu --loss mse --reduction sum": {
        "activation": "elu", "loss": "mse", "reduction": "sum",
    },
}  # fmt: skip


def written(**declared: Any) -> Callable[..., tuple[Any, ...]]:
    """The hand-derived network of these settings."""
    above = {k: v for k, v in declared.items() if k in FIELDS}
    below = {k: v for k, v in declared.items() if k in ("l1", "l2", "penalise", "penalty_over")}
    return partial(
        manual_mlp.declared.loss_and_gradients,
        activation=declared.get("activation", "relu"),
        criterion=manual_mlp.Criterion(**above),
        penalty=manual_mlp.Penalty(**below),
    )


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("words", OTHERS)
def test_the_options_that_were_left_out_are_found(words: str, dtype: str) -> None:
    asked = Experiment(hidden=(11,), dtype=dtype)
    found = undeclared(written(**OTHERS[words]), asked, (13, 11, 5))
    assert found is not None
    assert found.words == words
    assert found.ratio <= 1.0


@pytest.mark.slow
@pytest.mark.parametrize("normalisation", ["layer", "batch"])
def test_scales_that_a_penalty_leaves_out_are_told_by_its_option(normalisation: str) -> None:
    from manual_mlp import Between

    code = partial(
        manual_mlp.declared.loss_and_gradients,
        penalty=manual_mlp.Penalty(l2=0.05, penalise="linear"),
        between=Between(normalisation),
    )
    how: dict[str, Any] = {"hidden": (11,), "l2": 0.05, "normalisation": normalisation}
    assert check(code, penalise="linear", **how)
    result = check(code, penalise="all", **how)
    assert result.kind == "convention" and "`--penalise linear`" in result.sentence


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize(
    "words",
    [
        "--class-weights 1,4,2",
        "--reduction batch_mean --class-weights 0.5,2,1",
        "--reduction sum --class-weights 0.5,2,1",
        "--ignore-index 2",
        "--reduction sum --ignore-index 0",
        "--activation tanh --ignore-index 2",
        "--activation gelu --class-weights 1,4,2",
        "--ignore-index 1 --l2 0.05",
        "--activation tanh --reduction sum --class-weights 0.5,2,1 --l1 0.01",
        "--class-weights 1,4,2 --l2 0.05 --penalise all",
    ],
)
def test_weights_of_classes_and_ignored_rows_are_found(words: str, dtype: str) -> None:
    options = dict(zip(words.split()[::2], words.split()[1::2], strict=True))
    how: dict[str, Any] = {"reduction": options.get("--reduction", "mean")}
    how |= {
        name: options[f"--{name}"] for name in ("activation", "penalise") if f"--{name}" in options
    }
    how |= {name: float(options[f"--{name}"]) for name in ("l2", "l1") if f"--{name}" in options}
    if "--class-weights" in options:
        how["class_weights"] = (0.5, 2.0, 1.0)
    else:
        how["ignore_index"] = int(options["--ignore-index"])
    found = undeclared(written(**how), Experiment(hidden=(4,), dtype=dtype), (5, 4, 3))
    assert found is not None and found.words == words


@pytest.mark.slow
def test_a_mistake_beside_class_weights_is_no_declaration() -> None:
    weighed = written(class_weights=(0.5, 2.0, 1.0))

    def wrong(parameters: Any, x: Any, targets: Any) -> tuple[float, Any]:
        loss, gradients, *_ = weighed(parameters, x, targets)
        return loss, gradients | {"b1": gradients["b1"] * 1.001}

    assert undeclared(wrong, Experiment(hidden=(4,)), (5, 4, 3)) is None


@pytest.mark.parametrize("kind", ["layer", "batch"])
def test_a_normalisation_without_parameters_is_a_convention(kind: str) -> None:
    def normalised(parameters: Any, x: Any, targets: Any) -> tuple[float, Any]:
        inside = manual_mlp.Between(kind)
        found = manual_mlp.loss_and_gradients(parameters, x, targets, between=inside)
        return found[0], found[1]

    found = undeclared(normalised, Experiment(hidden=(7,)), (6, 7, 3))
    assert found is not None
    assert found.words == f"--normalisation {kind} --affine false"


def test_an_undeclared_loss_of_a_normalised_network_is_a_convention() -> None:
    asked = Experiment(hidden=(7,), normalisation="layer")

    def squared(parameters: Any, x: Any, targets: Any, context: Any) -> tuple[float, Any]:
        found = manual_mlp.loss_and_gradients(
            parameters, x, targets, criterion=manual_mlp.Criterion("mse"),
            between=manual_mlp.Between("layer"), context=context,
        )  # fmt: skip
        return found[0], found[1]

    found = undeclared(squared, asked, (6, 7, 3))
    assert found is not None and found.words == "--loss mse"


def test_another_rate_of_dropout_is_a_convention() -> None:
    def dropped(parameters: Any, x: Any, targets: Any, context: Any) -> tuple[float, Any]:
        inside = manual_mlp.Between("none", 0.5)
        found = manual_mlp.loss_and_gradients(
            parameters, x, targets, between=inside, context=context
        )
        return found[0], found[1]

    found = undeclared(dropped, Experiment(hidden=(7,), dropout=0.3), (6, 7, 3))
    assert found is not None and found.words == "--dropout 0.5"


def updating(scale: float = 1.0, **declared: Any) -> Callable[..., Any]:
    """Code that returns new weights and no loss."""
    gradient_of = written(**declared)

    def update(parameters: Any, x: Any, targets: Any, *, learning_rate: float) -> Any:
        _, gradients, *_ = gradient_of(parameters, x, targets)
        return {k: w - learning_rate * scale * gradients[k] for k, w in parameters.items()}

    return update


@pytest.mark.parametrize("words", ["--loss mse", "--l2 0.05", "--activation gelu"])
def test_an_update_by_another_loss_names_the_option_and_says_nothing_of_a_loss(words: str) -> None:
    result = check(updating(**OTHERS[words]), hidden=(7,), inputs=6, classes=3)
    assert (result.kind, [one.mistake for one in result.diagnosis]) == (
        "convention", ["not-declared"],
    )  # fmt: skip
    assert "your update takes the gradient of another loss" in result.sentence
    assert f"`{words}`" in result.sentence and "your loss" not in result.sentence


@pytest.mark.slow
def test_an_update_of_twice_the_gradient_is_no_convention() -> None:
    result = check(updating(2.0), hidden=(7,), inputs=6, classes=3)
    assert result.kind == "derivative"
    assert "--loss-factor" not in result.sentence


def test_another_strength_than_the_declared_one_is_no_term_that_was_not_declared() -> None:
    result = check(written(l2=0.05), hidden=(7,), inputs=6, classes=3, l2=0.2)
    assert [one.mistake for one in result.diagnosis] == ["not-declared"]
    assert "it agrees with `--l2 0.05`" in result.sentence


def test_what_is_to_be_left_out_is_said_to_be() -> None:
    asked = Experiment(hidden=(4,), class_weights=(0.5, 2.0, 1.0))
    found = undeclared(written(), asked, (5, 4, 3))
    assert found is not None and found.with_words == "without `--class-weights`"


def test_it_is_said_first_and_is_a_convention() -> None:
    result = check(written(loss="mse", output="sigmoid"), hidden=(7,), inputs=6, classes=3)
    assert (result.verdict, result.kind, result.exit_code) == ("disagrees", "convention", 1)
    assert result.sentence == (
        "disagrees (convention): your gradient is the gradient of your loss; your loss is not the "
        "one declared, softmax cross-entropy over relu units; it agrees with `--loss mse --output "
        "sigmoid` (in Python loss='mse', output='sigmoid')"
    )
    assert [one.mistake for one in result.diagnosis] == ["not-declared"]
    assert result.diagnosis[0].ratio_after <= 1.0 < result.diagnosis[0].ratio_before


def looking_for_no_mistake(monkeypatch: pytest.MonkeyPatch) -> None:
    """What nothing explains is looked for longest, and what it is called is not asked here."""
    monkeypatch.setattr("compare.judge.conclusion.name_mistake", lambda *_: Named())


@pytest.mark.slow
def test_a_loss_that_cannot_be_declared_is_said_to_be_another_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    looking_for_no_mistake(monkeypatch)

    def tempered(parameters: Any, x: Any, targets: Any) -> tuple[float, Any]:
        last = parameters | {"w2": parameters["w2"] / 1.7, "b2": parameters["b2"] / 1.7}
        loss, gradients = manual_mlp.loss_and_gradients(last, x, targets)
        return loss, gradients | {"w2": gradients["w2"] / 1.7, "b2": gradients["b2"] / 1.7}

    result = check(tempered, hidden=(7,), inputs=6, classes=3)
    assert result.kind == "function"
    assert result.sentence.startswith(
        "disagrees (function): your gradient is the gradient of your loss; your loss is not the "
        "one declared"
    )


@pytest.mark.slow
def test_a_wrong_gradient_of_another_loss_is_no_convention(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    looking_for_no_mistake(monkeypatch)

    def wrong(parameters: Any, x: Any, targets: Any) -> tuple[float, Any]:
        loss, gradients, _ = written(loss="mse", output="sigmoid")(parameters, x, targets)
        return loss, gradients | {"w1": gradients["w1"] * np.float64(1 + 1e-6)}

    assert undeclared(wrong, Experiment(hidden=(11,)), (13, 11, 5)) is None
    result = check(wrong, hidden=(7,), inputs=6, classes=3)
    assert "it agrees with" not in result.sentence


def test_a_declared_loss_is_not_declared_again() -> None:
    asked = Experiment(hidden=(11,), loss="mse", output="sigmoid")
    found = undeclared(written(loss="mse", output="sigmoid"), asked, (13, 11, 5))
    assert found is None


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_a_penalty_alone_is_no_loss_to_declare(dtype: str) -> None:
    asked = Experiment(hidden=(11,), dtype=dtype)
    assert undeclared(lambda parameters, x, targets: (0.0, parameters), asked, (13, 11, 5)) is None
