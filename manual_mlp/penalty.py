"""What large weights cost: L1 and L2 terms of the loss, and their gradients.

    R = (l2 / 2 sum w^2 + l1 sum |w|) / M        dR/dw = (l2 w + l1 sign w) / M

M is 1, or N where the term is divided by the rows as the loss is. With l2 / 2 the derivative has no
factor of 2. Biases are left out, and gamma and beta of a normalisation, unless they are
asked for.

Source: Goodfellow, Bengio & Courville 2016, Deep Learning, section 7.1.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from manual_mlp.arrays import Array, Arrays, entry


@dataclass(frozen=True, slots=True)
class Penalty:
    """The penalty R of large weights, with its gradient.

    At a weight of exactly 0 the slope of |w| is taken as 0, as torch has it.

    Parameters:
        l2: the strength of l2 / 2 sum w^2.
        l1: the strength of l1 sum |w|.
        penalise: "weights", "linear" (weights and biases) or "all" parameters.
        penalty_over: M above: "1", or "rows" for N.

    Raises:
        ValueError: an unknown name.

    Example:
        >>> Penalty(l2=0.5).gradients_at({"w1": np.array([[2.0]]), "b1": np.array([7.0])}, rows=3)
        {'w1': array([[1.]])}
    """

    l2: float = 0.0
    l1: float = 0.0
    penalise: str = "weights"
    penalty_over: str = "1"

    def __post_init__(self) -> None:
        entry(dict.fromkeys(("weights", "linear", "all")), self.penalise, "penalise")
        entry(dict.fromkeys(("1", "rows")), self.penalty_over, "penalty_over")

    @property
    def nothing(self) -> bool:
        """Whether nothing is added at all."""
        return self.l2 == 0 == self.l1

    def penalised(self, name: str) -> bool:
        """Whether the parameter `name` counts."""
        linear = self.penalise == "linear" and not name.startswith(("gamma", "beta"))
        return self.penalise == "all" or linear or name.startswith("w")

    def loss_at(self, parameters: Mapping[str, Array], rows: int) -> float:
        """R."""
        if self.nothing:
            return 0.0
        total = 0.0
        for name, w in parameters.items():
            if self.penalised(name):
                total += self.l2 / 2 * float(np.vdot(w, w)) + self.l1 * float(np.abs(w).sum())
        return total / (rows if self.penalty_over == "rows" else 1)

    def gradients_at(self, parameters: Mapping[str, Array], rows: int) -> Arrays:
        """dR/dw of every parameter that counts."""
        if self.nothing:
            return {}
        share = 1 / (rows if self.penalty_over == "rows" else 1)
        return {
            name: share * (self.l2 * w + self.l1 * np.sign(w))
            for name, w in parameters.items()
            if self.penalised(name)
        }

    def moved_along(self, direction: Mapping[str, Array], rows: int) -> Arrays:
        """The gradient's derivative along a direction v: l2 v / M, for |w| has no curvature."""
        share = self.l2 / (rows if self.penalty_over == "rows" else 1)
        return {name: share * v for name, v in direction.items() if share and self.penalised(name)}
