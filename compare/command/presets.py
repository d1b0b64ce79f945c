"""Settings under one name, as `--preset` takes them.

`report`: the report's run, 784-1000-10 on its own data; v starts at 1e-5 for the weights, on both
sides.
"""

from __future__ import annotations

from typing import Any

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
PRESETS = {"report": REPORT_PRESET}
