"""The step check for every optimiser of `torch.optim`: one update, each buffer beside torch's.

torch gives the numbers, the textbook's equations on pairs give what rounding may change in them.
State with the documented keys is compared and replayed from what was recorded. State kept under
names of one's own is seen by what it does to the parameters: the reference follows with its own,
whose allowance is carried from update to update.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compare.checks.comparison import Comparison, compare_entries
from compare.contracts.records import Arrays
from compare.textbook.pair import Pair, exact
from compare.textbook.plain_optimisers import RULES, OptimiserSettings

COUNTING = ("adam", "adamw", "amsgrad")
CONSTANTS = 2.0
"""Roundings of what all entries share: constants that each side rounds its own way."""


@dataclass(frozen=True, slots=True)
class Followed:
    """The reference's state: its numbers, and their allowances by key (none: exact)."""

    values: Arrays
    allowances: dict[str, NDArray[np.float64]]


@dataclass(frozen=True, slots=True)
class OptimiserStep:
    """Replays updates of the optimiser `name`."""

    name: str
    settings: OptimiserSettings
    form: str = "buffer"

    @property
    def scale(self) -> float:
        """Return velocity / buffer of sgd, whose state may be kept in either form."""
        if self.name != "sgd" or self.form == "buffer":
            return 1.0
        return self.settings.learning_rate * (1 if self.form == "velocity" else -1)

    def keys(self, parameters: Mapping[str, Any]) -> tuple[str, ...]:
        """Return the keys of the state after an update: `m_w1`, `s_w1`, ..., and `t` of adam."""
        ones = np.ones(1)
        prefixes = RULES[self.name](ones, ones, {}, 1, self.settings)[1]
        keys = tuple(f"{prefix}_{name}" for prefix in prefixes for name in parameters)
        return (*keys, "t") if self.counts else keys

    @property
    def counts(self) -> bool:
        """Whether an update depends on how many came before."""
        return self.name in COUNTING

    def __call__(
        self, parameters: Arrays, gradients: Arrays, state: Followed
    ) -> tuple[Arrays, dict[str, NDArray[np.float64]], Followed]:
        """Return the reference's next parameters, their allowances, and its next state."""
        from torch_reference.optimisers import optimiser_step

        stored = {
            key: array if key == "t" else (array / self.scale).astype(array.dtype)
            for key, array in state.values.items()
        }
        expected, after = optimiser_step(
            self.name, parameters, gradients, stored, **asdict(self.settings)
        )
        t = int(state.values.get("t", np.int64(0))) + 1
        allowed: dict[str, NDArray[np.float64]] = {}
        carried: dict[str, NDArray[np.float64]] = {}
        for name, w in parameters.items():
            old = {
                key.removesuffix(f"_{name}"): pair_of(array, state.allowances.get(key)) / self.scale
                for key, array in state.values.items()
                if key != "t" and key.endswith(f"_{name}")
            }
            dw = exact(gradients[name], w.dtype)
            stepped, buffers = RULES[self.name](exact(w, w.dtype), dw, old, t, self.settings)
            allowed[name] = widened(stepped, w)
            for prefix, pair in buffers.items():
                key, kept = f"{prefix}_{name}", pair * self.scale
                carried[key] = widened(kept, kept)
                after[key] = (after[key] * self.scale).astype(w.dtype)
        return expected, allowed, Followed(after | {"t": np.asarray(t)}, carried)


def widened(pair: Pair, before: Any) -> NDArray[np.float64]:
    """Return the allowance with the roundings of shared constants.

    They scale what was added, so of a parameter the movement counts, of a buffer all of it.
    """
    moved = pair.value if before is pair else pair.value - before
    wide: NDArray[np.float64] = pair.allowance + CONSTANTS * pair.arithmetic.unit * np.abs(moved)
    return wide


def pair_of(array: NDArray[Any], allowance: NDArray[np.float64] | None) -> Pair:
    """Return a buffer with what rounding may have done to it so far."""
    made = exact(array, array.dtype)
    return made if allowance is None else Pair(made.value, allowance, made.dtype)


def compare_update(
    manual: Mapping[str, NDArray[Any]],
    expected: Mapping[str, NDArray[Any]],
    allowed: Mapping[str, NDArray[np.float64]],
) -> dict[str, Comparison]:
    """Compare everything that both sides have, entry by entry."""
    return {
        name: compare_entries(name, manual[name], expected[name], allowance, allowance.size)
        for name, allowance in allowed.items()
    }
