"""Code that returns new weights and no gradient is judged by the gradient it must have used."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import manual_mlp
from compare import check
from compare.command.main import main
from compare.contracts.errors import BadInput

pytestmark = pytest.mark.slow

Arrays = dict[str, NDArray[Any]]
SMALL: dict[str, Any] = {"inputs": 6, "hidden": (7,), "classes": 3}


def update(
    parameters: Arrays, x: NDArray[Any], targets: NDArray[Any], *, learning_rate: float
) -> Arrays:
    """Plain gradient descent, in place, as such code is written."""
    _, gradients = manual_mlp.loss_and_gradients(parameters, x, targets)
    for name, gradient in gradients.items():
        parameters[name] -= learning_rate * gradient
    return parameters


def doubled(
    parameters: Arrays, x: NDArray[Any], targets: NDArray[Any], *, learning_rate: float
) -> Arrays:
    """Twice the gradient in the first layer."""
    _, gradients = manual_mlp.loss_and_gradients(parameters, x, targets)
    factors = {"w1": 2}
    return {k: w - learning_rate * factors.get(k, 1) * gradients[k] for k, w in parameters.items()}


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_a_right_update_agrees_within_half_its_allowance(dtype: str) -> None:
    result = check(update, dtype=dtype, **SMALL)
    assert result.verdict == "agrees", result.sentence
    assert result.checks[0].worst_ratio <= 0.5
    assert "update returns new weights: gradients are read from them, no loss is" in result.notes


def test_a_wrong_update_disagrees_at_the_gradient_it_used() -> None:
    result = check(doubled, **SMALL)
    assert result.verdict == "disagrees"
    assert result.findings[0].parameter == "w1"


def test_a_slip_of_a_millionth_shows() -> None:
    def slipped(
        parameters: Arrays, x: NDArray[Any], targets: NDArray[Any], *, learning_rate: float
    ) -> Arrays:
        after = update(dict(parameters), x, targets, learning_rate=learning_rate * (1 + 1e-6))
        return after

    assert check(slipped, **SMALL).verdict == "disagrees"


def test_an_update_that_returns_no_weights_is_bad_input() -> None:
    def nothing(parameters: Any, x: Any, targets: Any, *, learning_rate: float) -> None:
        return None

    with pytest.raises(BadInput, match="returned None as its parameters"):
        check(nothing, **SMALL)  # type: ignore[arg-type]  # what it returns is the point


def test_a_declared_loss_is_read_from_an_update_too() -> None:
    def descent(
        parameters: Arrays, x: NDArray[Any], targets: NDArray[Any], *, learning_rate: float
    ) -> Arrays:
        _, gradients, _ = manual_mlp.declared.loss_and_gradients(
            parameters, x, targets, criterion=manual_mlp.Criterion("mse", "sigmoid")
        )
        return {k: np.asarray(w - learning_rate * gradients[k]) for k, w in parameters.items()}

    assert check(descent, loss="mse", output="sigmoid", **SMALL).verdict == "agrees"


FILE = """
import numpy as np

def update(parameters, x, targets, *, learning_rate):
    w1, b1, w2, b2 = (parameters[name] for name in ("w1", "b1", "w2", "b2"))
    h = np.maximum(x @ w1 + b1, 0)
    e = np.exp(h @ w2 + b2 - (h @ w2 + b2).max(axis=1, keepdims=True))
    d = (e / e.sum(axis=1, keepdims=True) - targets) / len(x)
    dz = (d @ w2.T) * (h > 0)
    return {
        "w1": w1 - learning_rate * x.T @ dz, "b1": b1 - learning_rate * dz.sum(axis=0),
        "w2": w2 - learning_rate * h.T @ d, "b2": b2 - learning_rate * d.sum(axis=0),
    }
"""


def test_the_command_takes_an_update_from_a_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "mine.py"
    path.write_text(FILE)
    arguments = ["--manual", f"{path}:update", "--no-plots", "--out", str(tmp_path / "out")]
    assert main([*arguments, "--hidden", "7"]) == 0
    assert "gradients are read from them" in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize(("rate", "code"), [("learning_rate", 0), ("1.001 * learning_rate", 1)])
def test_an_update_from_a_file_is_trained_with_epochs(rate: str, code: int, tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text(FILE.replace("learning_rate *", f"{rate} *"))
    arguments = ["--manual", f"{path}:update", "--no-plots", "--out", str(tmp_path / "out")]
    assert main([*arguments, "--epochs", "2", "--momentum", "0"]) == code


@pytest.mark.parametrize(
    ("more", "left_out"),
    [
        (["--momentum", "0", "--schedule", "cosine"], "leave out --schedule,"),
        (["--momentum", "0.9", "--clip-norm", "1"], "leave out --momentum and --clip-norm,"),
    ],
)
def test_what_an_update_is_not_held_against_is_named_by_its_options(
    more: list[str], left_out: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "mine.py"
    path.write_text(FILE)
    arguments = ["--manual", f"{path}:update", "--no-plots", "--out", str(tmp_path / "out")]
    assert main([*arguments, "--epochs", "2", *more]) == 2
    assert left_out in " ".join(capsys.readouterr().err.split())


ONE = """
import numpy as np

def loss_and_gradients(parameters, x, target):
    w1, b1, w2, b2 = (parameters[name] for name in ("w1", "b1", "w2", "b2"))
    h = np.maximum(x @ w1 + b1, 0)
    z = h @ w2 + b2
    loss = float(np.sum(np.logaddexp(0, z) - target * z))
    d = 1 / (1 + np.exp(-z)) - target
    dz = (w2 @ d) * (h > 0)
    return loss, {"w1": np.outer(x, dz), "b1": dz, "w2": np.outer(h, d), "b2": d}
"""


def test_the_command_takes_one_sample_at_a_time_and_one_output(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text(ONE)
    shape = ["--inputs", "6", "--hidden", "7", "--classes", "1", "--loss", "bce"]
    end = ["--no-plots", "--quiet", "--out", str(tmp_path / "out")]
    assert main(["--manual", str(path), "--per-sample", *shape, *end]) == 0
    assert main(["--per-sample", *end]) == 2
    path.write_text(ONE.replace("(h > 0)", "1.0"))
    assert main(["--manual", str(path), "--per-sample", *shape, *end]) == 1
