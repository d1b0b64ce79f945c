"""The judge: runs both sides from one start and says whether they differ by more than rounding.

`run_training(Experiment(...))` trains and checks both sides; `check(implementation)` holds one
gradient against torch, and `assert_gradients_match(implementation)` is that for tests.
`check_layer(manual, reference, inputs)` does the same for any layer, against any torch module or
function, and `assert_layer_matches` is that for tests. Nothing
here is imported until it is used, so that `import compare` needs neither torch nor matplotlib.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from compare.contracts.presentation import hand_over

if TYPE_CHECKING:
    from compare.contracts.errors import BadInput
    from compare.contracts.experiment import Experiment
    from compare.contracts.records import Manual
    from compare.contracts.result import Disagreement, Result, Verdict
    from compare.examine.derivatives import (
        check_hessian_vector_product,
        check_per_sample_gradients,
    )
    from compare.examine.point import assert_gradients_match, check
    from compare.examine.training import Progress, run_training
    from compare.layers.check import assert_layer_matches, check_layer
    from compare.layers.watching import same, watch

hand_over(lambda: import_module("compare.report.presenter"))

HOME = {
    "BadInput": "contracts.errors",
    "Disagreement": "contracts.result",
    "Experiment": "contracts.experiment",
    "Manual": "contracts.records",
    "Progress": "examine.training",
    "Result": "contracts.result",
    "Verdict": "contracts.result",
    "assert_gradients_match": "examine.point",
    "assert_layer_matches": "layers.check",
    "check": "examine.point",
    "check_hessian_vector_product": "examine.derivatives",
    "check_layer": "layers.check",
    "check_per_sample_gradients": "examine.derivatives",
    "run_training": "examine.training",
    "same": "layers.watching",
    "watch": "layers.watching",
}
__all__ = [
    "BadInput",
    "Disagreement",
    "Experiment",
    "Manual",
    "Progress",
    "Result",
    "Verdict",
    "assert_gradients_match",
    "assert_layer_matches",
    "check",
    "check_hessian_vector_product",
    "check_layer",
    "check_per_sample_gradients",
    "run_training",
    "same",
    "watch",
]


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])


def __getattr__(name: str) -> Any:
    if name == "__version__":
        return import_module("compare.contracts.version").version_of("manual-mlp")
    if name not in HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"compare.{HOME[name]}"), name)
