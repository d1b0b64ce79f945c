"""What the user asked for: the settings of one side-by-side run, and nothing that was computed.

The defaults are the default of `python -m compare.run`. No two of its dimensions are equal
(1,437 samples, 64 inputs, 48 hidden units, 10 classes), because a transposed product hides
behind a square shape.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

ACTIVATION_NAMES = ("relu", "tanh", "sigmoid", "identity")
INITIALISER_NAMES = ("xavier", "he", "uniform")
MOMENTUM_FORMS = ("velocity", "buffer")
REDUCTIONS = ("mean", "sum")
DTYPES = ("float64", "float32")


@dataclass(frozen=True, slots=True)
class Experiment:
    """Settings of a run. `batch_size=None` is full batch; `threads=None` takes one thread for
    a small network and leaves the BLAS alone for a large one.

    `initial_velocity` is the value every weight's velocity starts at, on both sides (biases start
    at zero); the report's is 1e-5.
    """

    data: str | None = None
    hidden: tuple[int, ...] = (48,)
    activation: str = "relu"
    epochs: int = 200
    batch_size: int | None = None
    learning_rate: float = 0.1
    momentum: float = 0.9
    momentum_form: str = "velocity"
    init: str = "xavier"
    initial_velocity: float = 0.0
    dtype: str = "float64"
    seed: int = 0
    reduction: str = "mean"
    device: str = "cpu"
    threads: int | None = None

    def as_settings(self) -> dict[str, Any]:
        """Return the settings as plain values, in declaration order, for reports."""
        return asdict(self)


REPORT_PRESET: dict[str, Any] = {
    "hidden": (1000,),
    "activation": "relu",
    "epochs": 200,
    "batch_size": None,
    "learning_rate": 0.1,
    "momentum": 0.9,
    "momentum_form": "velocity",
    "init": "xavier",
    "initial_velocity": 1e-5,
    "reduction": "mean",
}
"""The report's run: 784-1000-10 on its own data; v starts at 1e-5 for the weights, both sides."""
