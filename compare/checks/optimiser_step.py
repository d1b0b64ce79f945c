"""The step check for every optimiser of `torch.optim`: one update, each buffer beside torch's.

torch gives the numbers, the textbook's equations on pairs give what rounding may change in them.
State with the documented keys is compared and replayed from what was recorded. State kept under
names of one's own is seen by what it does to the parameters: the reference follows with its own,
whose allowance is carried from update to update.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compare.allowance.arithmetic import quiet
from compare.checks.clipping import Clipping, norm_of
from compare.checks.comparison import Comparison, compare_entries
from compare.contracts.arrays import Arrays
from compare.contracts.experiment import Experiment
from compare.textbook.pair import Pair, exact
from compare.textbook.plain_optimisers import RULES, OptimiserSettings, Rule

UNCLIPPED = Clipping()
COUNTING = ("adam", "adamw", "amsgrad")
CONSTANTS = 2.0
"""Roundings of what all entries share: constants that each side rounds its own way."""
Allowed = dict[str, NDArray[np.float64]]


@dataclass(frozen=True, slots=True)
class ReplayedState:
    """The reference's state: its numbers, and their allowances by key (none: exact)."""

    values: Arrays
    allowances: Allowed


@dataclass(frozen=True, slots=True)
class OptimiserStep:
    """Replays updates of the optimiser `name`; with `decay_of` weights no bias decays.

    `written`: the recursion as somebody wrote it, by default the right one.
    """

    name: str
    settings: OptimiserSettings
    form: str = "buffer"
    decay_of: str = "all"
    clipping: Clipping = UNCLIPPED
    written: Rule | None = None

    @classmethod
    def of(cls, experiment: Experiment) -> OptimiserStep:
        """Return the update that an experiment declares."""
        asked = dict(experiment.optimiser_settings)
        decay_of = asked.pop("decay_of")
        clipping = Clipping(experiment.clip_norm, experiment.clip_value)
        settings = OptimiserSettings(**asked)
        return cls(experiment.optimiser, settings, experiment.momentum_form, decay_of, clipping)

    @property
    def scale(self) -> float:
        """Return velocity / buffer of sgd, whose state may be kept in either form."""
        if self.name != "sgd" or self.form == "buffer":
            return 1.0
        return self.settings.learning_rate * (1 if self.form == "velocity" else -1)

    def at(self, rate: float | None) -> OptimiserStep:
        """Return the update at another learning rate; None for this one."""
        if rate is None or rate == self.settings.learning_rate:
            return self
        if rate == 0 and self.name == "sgd" and self.form != "buffer":
            return self.standing()
        return replace(self, settings=replace(self.settings, learning_rate=rate))

    def standing(self) -> OptimiserStep:
        """Return the update at a rate of 0 of a velocity that has the rate inside.

        It goes on and the gradient adds nothing, nor does a decay; no buffer of torch's is that
        velocity divided by its rate, but at a rate of 1 with gradients of 0 it is.
        """
        still = replace(self.settings, learning_rate=1.0, weight_decay=0.0)
        return replace(self, settings=still, clipping=Clipping(value=0.0))

    def keys(self, parameters: Mapping[str, Any]) -> tuple[str, ...]:
        """Return the keys of the state after an update: `m_w1`, `s_w1`, ..., and `t` of adam."""
        ones = np.ones(1)
        prefixes = RULES[self.name](ones, ones, {}, 1, self.settings)[1]
        keys = tuple(f"{prefix}_{name}" for prefix in prefixes for name in parameters)
        return (*keys, "t") if self.counts else keys

    @property
    def plain(self) -> bool:
        """Whether a parameter moves by the learning rate times its new buffer, nothing else."""
        clips = self.clipping.norm is not None or self.clipping.value is not None
        return not (clips or self.settings.nesterov or self.settings.weight_decay)

    @property
    def counts(self) -> bool:
        """Whether an update depends on how many came before."""
        return self.name in COUNTING

    def settings_of(self, name: str, among: Sequence[str] = ()) -> OptimiserSettings:
        """Return the settings of one parameter `among` all: a bias may not decay."""
        of = self.settings
        if among:
            of = replace(of, place=among.index(name) + 1, places=len(among))
        decays = self.decay_of == "all" or name[0] == "w"
        return of if decays else replace(of, weight_decay=0.0)

    @quiet
    def __call__(
        self, parameters: Arrays, gradients: Arrays, state: ReplayedState
    ) -> tuple[Arrays, Allowed, ReplayedState]:
        """Return the reference's next parameters, their allowances, and its next state."""
        expected, after = self.by_torch(parameters, gradients, state.values)
        allowed: Allowed = {}
        carried: Allowed = {}
        clipped = self.clipping.pairs(gradients)
        for name, w in parameters.items():
            stepped, buffers = self.by_hand(name, w, clipped[name], state)
            allowed[name] = widened(stepped, w)
            for key, pair in buffers.items():
                carried[key] = widened(pair, pair)
                after[key] = (after[key] * self.scale).astype(w.dtype)
        return expected, allowed, ReplayedState(after | {"t": np.asarray(done(state) + 1)}, carried)

    @property
    def rule(self) -> Rule:
        """Return the recursion of one parameter."""
        return self.written or RULES[self.name]

    def by_hand(
        self, name: str, w: NDArray[Any], dw: Pair, state: ReplayedState
    ) -> tuple[Pair, dict[str, Pair]]:
        """Return one parameter and its buffers after the update by the textbook, on pairs."""
        old = self.pairs_of(name, state)
        of = self.settings_of(name)
        stepped, buffers = self.rule(exact(w, w.dtype), dw, old, done(state) + 1, of)
        return stepped, {f"{key}_{name}": pair * self.scale for key, pair in buffers.items()}

    def by_torch(
        self, parameters: Arrays, gradients: Arrays, state: Arrays
    ) -> tuple[Arrays, Arrays]:
        """Return parameters and buffers after the update by torch; both in torch's own form."""
        from torch_reference import Recipe, optimiser_step

        clipping = self.clipping
        left = clipping.longer and clipping.share(norm_of(gradients)) == 1
        declared = asdict(self.settings)
        del declared["place"], declared["places"]
        recipe = Recipe(
            self.name, **declared, decay_of=self.decay_of,
            clip_norm=None if left else clipping.norm, clip_value=clipping.value,
            clip_guard=clipping.guard,
        )  # fmt: skip
        stored = {
            key: array if key == "t" else (array / self.scale).astype(array.dtype)
            for key, array in state.items()
        }
        return optimiser_step(recipe, parameters, gradients, stored)

    def pairs_of(self, name: str, state: ReplayedState) -> dict[str, Pair]:
        """Return the buffers of one parameter, in torch's form."""
        return {
            key.removesuffix(f"_{name}"): pair_of(array, state.allowances.get(key)) / self.scale
            for key, array in state.values.items()
            if key != "t" and key.endswith(f"_{name}")
        }


def done(state: ReplayedState) -> int:
    """Return how many updates came before."""
    return int(state.values.get("t", np.int64(0)))


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
