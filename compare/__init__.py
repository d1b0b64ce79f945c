"""The judge: runs both sides from one start and says whether they differ by more than rounding.

`run_training(Experiment(...))` trains and checks both sides; `check(implementation)` holds one
gradient against torch, and `assert_gradients_match(implementation)` is that for tests. Nothing
here is imported until it is used, so that `import compare` needs neither torch nor matplotlib.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from compare.errors import BadInput
    from compare.experiment import Experiment
    from compare.result import Disagreement, Result, Verdict
    from compare.side_by_side import Progress, run_training
    from compare.sides import Manual
    from compare.single_point import assert_gradients_match, check

HOME = {
    "BadInput": "errors",
    "Disagreement": "result",
    "Experiment": "experiment",
    "Manual": "sides",
    "Progress": "side_by_side",
    "Result": "result",
    "Verdict": "result",
    "assert_gradients_match": "single_point",
    "check": "single_point",
    "run_training": "side_by_side",
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
    "check",
    "run_training",
]


def __getattr__(name: str) -> Any:
    if name not in HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"compare.{HOME[name]}"), name)
