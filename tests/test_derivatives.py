"""Second order and per sample under judgement: ours, other people's, wrong ones."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import manual_mlp
from compare import check_hessian_vector_product, check_per_sample_gradients
from compare.command.main import main
from compare.contracts.errors import BadInput, UserCodeError
from compare.contracts.result import Verdict
from compare.textbook.pair import exact
from compare.textbook.plain_second import BENDS, CURVES
from manual_mlp import curvature
from manual_mlp.curvature import find
from manual_mlp.per_sample import hessian_vector_product, per_sample_gradients
from torch_reference import Reference
from torch_reference.second_order import Margins
from torch_reference.second_order import per_sample_gradients as of_torch

HONEST = 0.5
FACTORS = {"float64": 1e-12, "float32": 1e-4}
every_format = pytest.mark.parametrize("dtype", FACTORS)
every_activation = pytest.mark.parametrize("activation", ["relu", "tanh", "sigmoid", "identity"])
every_bend = pytest.mark.parametrize("activation", sorted(BENDS))


def test_both_sides_know_the_same_second_derivatives() -> None:
    assert set(curvature.BENDS) == set(BENDS) and set(curvature.CURVES) == set(CURVES)


def worst(result: Any) -> float:
    return float(max(one.ratio for one in result.worst.values()))


@every_format
@every_bend
def test_our_hessian_vector_product_agrees_with_torch(activation: str, dtype: str) -> None:
    ours = partial(hessian_vector_product, activation=activation)
    found = check_hessian_vector_product(ours, hidden=(9, 7), activation=activation, dtype=dtype)
    assert found.verdict is Verdict.AGREES and worst(found) <= HONEST


LOSSES: dict[str, dict[str, Any]] = {
    "cross_entropy": {"label_smoothing": 0.1, "class_weights": (1.0, 2.0, 0.5)},
    "bce": {"reduction": "batch_mean"},
    "mse": {"loss_factor": 0.5, "reduction": "sum"},
    "mse behind sigmoid": {"output": "sigmoid"},
    "mse behind tanh": {"output": "tanh"},
    "huber": {},
    "huber behind sigmoid": {"output": "sigmoid"},
    "l1 behind tanh": {"output": "tanh"},
    "hinge": {"reduction": "sum"},
}
PENALTIES: dict[str, dict[str, Any]] = {
    "l2": {"l2": 0.3}, "l1": {"l1": 0.3}, "all over rows": {"l2": 0.3, "l1": 0.1,
    "penalise": "all", "penalty_over": "rows"},
}  # fmt: skip


@every_format
@pytest.mark.parametrize("loss", LOSSES)
def test_our_hessian_vector_product_of_other_losses_agrees_with_torch(
    loss: str, dtype: str
) -> None:
    declared: Any = {"loss": loss.partition(" ")[0], **LOSSES[loss]}
    ours = partial(
        hessian_vector_product, activation="tanh", criterion=manual_mlp.Criterion(**declared)
    )
    asked = {"hidden": (6,), "activation": "tanh", "classes": 3, "dtype": dtype, **declared}
    found = check_hessian_vector_product(ours, **asked)
    assert found.verdict is Verdict.AGREES and worst(found) <= HONEST


@every_format
@pytest.mark.parametrize("kind", PENALTIES)
@pytest.mark.parametrize("right", [True, False])
def test_a_penalty_adds_its_own_curvature(kind: str, dtype: str, right: bool) -> None:
    declared = PENALTIES[kind]
    penalty = manual_mlp.Penalty(**declared if right else {"l2": 0.2})
    ours = partial(hessian_vector_product, activation="tanh", penalty=penalty)
    found = check_hessian_vector_product(
        ours, hidden=(6,), activation="tanh", dtype=dtype, **declared
    )
    assert found.verdict is (Verdict.AGREES if right else Verdict.DISAGREES), found.sentence
    assert not right or worst(found) <= HONEST


@every_format
@pytest.mark.parametrize("alpha", [0.5, 3.0])
def test_an_exponential_unit_bends_by_its_own_number(alpha: float, dtype: str) -> None:
    asked: dict[str, Any] = {"hidden": (9, 7), "activation": f"elu:{alpha}", "dtype": dtype}
    for given, verdict in ((f"elu:{alpha}", Verdict.AGREES), ("elu", Verdict.DISAGREES)):
        ours = partial(hessian_vector_product, activation=given)
        found = check_hessian_vector_product(ours, **asked)
        assert found.verdict is verdict and (given == "elu" or worst(found) <= HONEST)


@every_format
@every_activation
def test_our_per_sample_gradients_agree_with_torch(activation: str, dtype: str) -> None:
    ours = partial(per_sample_gradients, activation=activation)
    found = check_per_sample_gradients(ours, hidden=(9, 7), activation=activation, dtype=dtype)
    assert found.verdict is Verdict.AGREES and worst(found) <= HONEST


@pytest.mark.parametrize("activation", sorted(BENDS))
def test_differences_of_gradients_are_far_and_the_right_activations_are_known(
    activation: str,
) -> None:
    def by_differences(parameters: Any, x: Any, targets: Any, direction: Any) -> Any:
        h = 1e-5
        ends = [
            manual_mlp.loss_and_gradients(
                {k: w + s * h * direction[k] for k, w in parameters.items()}, x, targets,
                activation=activation,
            )[1]
            for s in (1, -1)
        ]  # fmt: skip
        return {k: (ends[0][k] - ends[1][k]) / (2 * h) for k in parameters}

    found = check_hessian_vector_product(by_differences, hidden=(6,), activation=activation)
    assert found.verdict is Verdict.DISAGREES
    for finding in found.findings:
        assert finding.manual == pytest.approx(finding.reference, rel=1e-3, abs=1e-5)


@every_format
def test_a_factor_next_to_one_is_seen(dtype: str) -> None:
    factor = 1 + FACTORS[dtype]

    def product(parameters: Any, x: Any, targets: Any, direction: Any) -> Any:
        right = hessian_vector_product(parameters, x, targets, direction)
        return {k: g * g.dtype.type(factor) for k, g in right.items()}

    def rows(parameters: Any, x: Any, targets: Any) -> Any:
        right = per_sample_gradients(parameters, x, targets)
        return {k: g * g.dtype.type(factor) for k, g in right.items()}

    for found in (
        check_hessian_vector_product(product, dtype=dtype),
        check_per_sample_gradients(rows, dtype=dtype),
    ):
        assert found.verdict is Verdict.DISAGREES and found.kind == "derivative"
        assert {finding.parameter for finding in found.findings} == {"w1", "b1", "w2", "b2"}


def test_a_gradient_divided_by_the_batch_is_named_by_row_and_entry() -> None:
    def averaged(parameters: Any, x: Any, targets: Any) -> Any:
        right = per_sample_gradients(parameters, x, targets)
        return {k: g / g.dtype.type(len(x)) for k, g in right.items()}

    found = check_per_sample_gradients(averaged)
    assert found.verdict is Verdict.DISAGREES
    assert "dw1[" in found.sentence and len(found.findings[0].index or ()) == 3


def test_a_network_with_layer_normalisation_has_per_sample_gradients() -> None:
    ours = partial(per_sample_gradients, between=manual_mlp.Between("layer"), activation="tanh")
    options: Any = {"normalisation": "layer", "activation": "tanh", "hidden": (9,)}
    assert check_per_sample_gradients(ours, **options).verdict is Verdict.AGREES


def test_the_rows_of_the_reference_are_those_of_vmap() -> None:
    rng = np.random.default_rng(0)
    parameters = manual_mlp.initial_parameters((4, 5, 3), rng)
    x, targets = rng.normal(size=(6, 4)), np.eye(3)[rng.integers(3, size=6)]
    reference = Reference((4, 5, 3), activation="tanh")
    each = of_torch(reference, parameters, x, targets)
    for n in range(6):
        _, one = reference.loss_and_gradients(parameters, x[n : n + 1], targets[n : n + 1])
        for name, gradient in one.items():
            np.testing.assert_allclose(each[name][n], gradient, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_the_hinge_that_is_differentiated_twice_is_torchs(reduction: str) -> None:
    g = torch.Generator().manual_seed(0)
    logits = torch.randn(7, 4, generator=g, dtype=torch.float64)
    numbers = torch.randint(4, (7,), generator=g)
    torch.testing.assert_close(
        Margins(reduction)(logits, numbers),
        torch.nn.MultiMarginLoss(reduction=reduction)(logits, numbers),
    )


REFUSED: dict[str, Callable[[], Any]] = {
    "without normalisation and dropout": lambda: check_hessian_vector_product(
        hessian_vector_product, normalisation="layer"
    ),
    "of their own": lambda: check_per_sample_gradients(
        per_sample_gradients, normalisation="batch"
    ),
}  # fmt: skip


@pytest.mark.parametrize("said", REFUSED)
def test_what_cannot_be_checked_is_said(said: str) -> None:
    with pytest.raises(BadInput, match=said):
        REFUSED[said]()


def test_gradients_without_their_rows_are_refused() -> None:
    def whole(parameters: Any, x: Any, targets: Any) -> Any:
        return manual_mlp.loss_and_gradients(parameters, x, targets)[1]

    with pytest.raises(UserCodeError, match=r"is due"):
        check_per_sample_gradients(whole)


def test_the_command_takes_both(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "mine.py"
    file.write_text(
        "from manual_mlp.per_sample import hessian_vector_product, per_sample_gradients\n"
        "def slipped(parameters, x, targets, direction):\n"
        "    found = hessian_vector_product(parameters, x, targets, direction)\n"
        "    return {**found, 'w1': found['w1'] * 1.001}\n"
    )
    common = ["--hidden", "7", "--inputs", "5", "--classes", "3", "--no-plots"]
    out = ["--out", str(tmp_path / "out")]
    for name, code in (("hessian_vector_product", 0), ("per_sample_gradients", 0), ("slipped", 1)):
        assert main(["--manual", f"{file}:{name}", *common, *out]) == code
    said = capsys.readouterr().out
    assert "Hw1" in said and "dw1" in said
    assert main(["--manual", f"{file}:slipped", *common, *out, "--epochs", "1"]) == 2


@every_format
@pytest.mark.parametrize("activation", ["elu", "elu:2", "selu"])
def test_the_bend_of_an_exponential_unit_at_exactly_0_is_torchs(
    activation: str, dtype: str
) -> None:
    unit = {"elu": torch.nn.ELU(), "elu:2": torch.nn.ELU(2.0), "selu": torch.nn.SELU()}[activation]
    z = torch.zeros(1, dtype=getattr(torch, dtype), requires_grad=True)
    (slope,) = torch.autograd.grad(unit(z).sum(), z, create_graph=True)
    (bend,) = torch.autograd.grad(slope.sum(), z)
    at_0 = np.zeros(1, dtype)
    assert find(activation)(at_0, at_0) == bend.numpy() == 0


@every_format
@pytest.mark.parametrize("factor", [1.0, 1.01])
def test_the_bend_of_a_tanh_gelu_written_by_1_less_tanh_squared_is_right_in_its_tails(
    factor: float, dtype: str
) -> None:
    """A difference of order 1 stands in the tails, where z u'u' multiplies it."""
    z = np.linspace(-8, 8, 4001).astype(dtype)
    c, k = z.dtype.type(np.sqrt(2 / np.pi)), z.dtype.type(0.044715)
    t, du = np.tanh(c * (z + k * z**3)), c * (1 + 3 * k * z * z)
    q = z.dtype.type(factor) * (1 - t * t)
    found = q * du + z / 2 * (q * 6 * c * k * z - 2 * t * q * du * du)
    due = BENDS["gelu_tanh"](exact(z, dtype), exact(z, dtype))
    ratio = float((np.abs(found - due.value) / due.allowance).max())
    assert ratio < HONEST if factor == 1.0 else ratio > 1


@every_format
def test_an_exponential_unit_may_be_on_either_side_of_its_jump_only_within_rounding(
    dtype: str,
) -> None:
    z = exact(np.array([-1e-5, 0.0, 1e-5]), dtype)
    moved = z.made(z.value, lambda: np.full(3, 1e-7))
    bend = BENDS["elu"](moved, moved)
    assert bend.allowance[1] > 1  # alpha
    assert bend.allowance[0] < 1e-5 and bend.allowance[2] == 0
