"""What rounding does to normalisation and dropout, forward and back, entry by entry.

    s = (z - mu) r,  r = 1 / sqrt(v + eps)    n = gamma s + beta    a = f(n)    h = q a
    dz = r (ds - mean ds - s mean(ds s))      ds = gamma dn         da = q dh

mu, v and the means run over the units of a row (layer) or over the rows of a unit (batch), m
entries; q is the mask over the share that stays. With J = r (1 - 1/m - s s' / m), the derivative of
s, which is its own transpose,

    A(s)**2 = J**2 A(z)**2 + own        A(dz)**2 = J**2 A(ds)**2 + what s and r carry + own

Where the running statistics are taken, J is r alone. The rules read the reference's values only.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from compare.allowance.arithmetic import Arithmetic
from compare.allowance.sums import additions, over_batch, worst_factors
from compare.contracts.arrays import Float, Values

EPS = 1e-5
AXES = {"layer": 1, "batch": 0}


@dataclass(frozen=True)
class Inside:
    """One hidden layer between z and h, at the reference's z, all (N, H) or broadcast to it.

    `axis` is None where the statistics are given, or where there is no normalisation: then `s` is
    z. `times`: how often each item along the axis occurs. `q`: None without dropout.
    """

    z: Float
    mu: Float
    s: Float
    r: Float
    share: Float  # v / (v + eps): how much of the root the variance is
    gamma: Float | None
    axis: int | None
    times: Float | float
    q: Float | None

    @property
    def count(self) -> int:
        """m, the entries that share mean and variance."""
        return 1 if self.axis is None else self.z.shape[self.axis]

    def rows(self, rows: NDArray[np.int64]) -> Inside:
        """The same for some rows; of a batch for all, which belong together."""
        if self.axis == 0:
            return self
        given = {name: getattr(self, name) for name in ("z", "s")}
        given |= {k: a for k in ("mu", "r", "share") if len(a := getattr(self, k)) > 1}
        if self.q is not None:
            given["q"] = self.q
        return replace(self, **{name: array[rows] for name, array in given.items()})

    def mean(self, entries: Float, *, weighted: bool = False) -> Float:
        """The mean along the axis; `weighted` where squares of errors of equal items add up."""
        given = entries * self.times if weighted else entries
        return np.asarray(given.mean(axis=self.axis, keepdims=True))

    def of_slopes(self, ds: Float) -> Float:
        """J ds, (N, H): what the normalisation passes back."""
        if self.axis is None:
            return self.r * ds
        return np.asarray(self.r * (ds - self.mean(ds) - self.s * self.mean(ds * self.s)))

    def back(self, dn: Float) -> Float:
        """dz from dn."""
        return dn if self.gamma is None else self.of_slopes(dn * self.gamma)

    def most_back(self, dn: Float) -> Float:
        """A bound of |dz| from one of |dn|."""
        if self.gamma is None:
            return dn
        ds, size = dn * np.abs(self.gamma), np.abs(self.s)
        if self.axis is None:
            return self.r * ds
        return np.asarray(self.r * (ds + self.mean(ds) + size * self.mean(ds * size)))

    def squared(self, square: Float) -> Float:
        """J**2 applied to squared errors: sum_i ([i = j] - (1 + s_i s_j)/m)**2 of them, times r**2.

        Equal items err alike, so what they bring to the means weighs as often as they occur.
        """
        if self.axis is None:
            return np.asarray(self.r**2 * square)
        m, s = self.count, self.s
        own = square * np.maximum(1 - 2 * (1 + s * s) / m, 0.0)
        plain, once, twice = (self.mean(square * s**k, weighted=True) for k in range(3))
        found = own + np.maximum(plain + 2 * s * once + s * s * twice, 0.0) / m
        return np.asarray(self.r**2 * found)

    def _factors(self, arithmetic: Arithmetic) -> tuple[float, float]:
        times = over_batch(self.count) if self.axis == 0 else additions(self.count)
        return worst_factors(times, arithmetic.unit**2)

    def _root(self, arithmetic: Arithmetic) -> Float:
        """The squared relative error of r itself: half that of v, and root, quotient and eps."""
        own = 9 * arithmetic.unit**2
        if self.axis is None:
            return np.full_like(self.r, own)
        return np.asarray(self.share**2 * self._variance(arithmetic) / 4 + own)

    def _variance(self, arithmetic: Arithmetic) -> Float:
        """The squared relative error of v itself."""
        of_terms, of_sum = self._factors(arithmetic)
        c = self.s / self.r
        total = self.count * self.mean(c * c)
        fourth = self.count * self.mean(c**4)
        varied = np.divide(
            of_terms * self.count * fourth, total**2, out=np.zeros_like(total), where=total > 0
        )
        return np.asarray(varied + of_sum + 4 * arithmetic.unit**2)

    def statistics(self, z_square: Float, arithmetic: Arithmetic) -> tuple[Float, Float]:
        """A(mu)**2 and A(v)**2, with what z brings along."""
        c = self.s / self.r
        of_mu = self.mean(z_square, weighted=True) / self.count
        of_v = 4 * self.mean(c**2 * z_square, weighted=True) / self.count
        own = self._variance(arithmetic) * self.mean(c**2) ** 2
        return of_mu + self.shared_forward(arithmetic)[0], of_v + own

    def _centre(self, arithmetic: Arithmetic) -> Float:
        """A(mu)**2 of the sum itself, and what z - mu or z r - mu r round."""
        square = arithmetic.unit**2
        found = square * (self.z**2 + self.mu**2)
        if self.axis is not None:
            of_terms, of_sum = self._factors(arithmetic)
            found = found + of_terms * self.mean(self.z**2) + of_sum * self.mu**2
        return np.asarray(found)

    def standardised(self, z_square: Float, arithmetic: Arithmetic) -> Float:
        """A(s)**2."""
        own = self.s**2 * self._root(arithmetic) + self.r**2 * self._centre(arithmetic)
        return np.asarray(self.squared(z_square) + own + arithmetic.floor() ** 2)

    def normalised(self, s_square: Float, n: Float, arithmetic: Arithmetic) -> Float:
        """A(n)**2, for n = gamma s + beta."""
        assert self.gamma is not None
        own = arithmetic.unit**2 * ((self.gamma * self.s) ** 2 + n**2)
        return np.asarray(self.gamma**2 * s_square + own + arithmetic.floor() ** 2)

    def dropped(self, square: Float, a: Float, arithmetic: Arithmetic, floor: float) -> Float:
        """A(h)**2 for h = q a, or A(da)**2 for da = q dh."""
        if self.q is None:
            return square
        return np.asarray(self.q**2 * (square + 3 * (arithmetic.unit * a) ** 2) + floor**2)

    def sloped(
        self, dn_square: Float, dn: Float, z_square: Float, s_square: Float,
        arithmetic: Arithmetic, floor: float,
    ) -> Float:  # fmt: skip
        """A(dz)**2 from A(dn)**2, with the squared allowances of z and s of the way forward."""
        assert self.gamma is not None
        unit, s, r = arithmetic.unit**2, self.s, self.r
        ds = self.gamma * dn
        ds_square = self.gamma**2 * dn_square + unit * ds**2
        dz = self.of_slopes(ds)
        square = self.squared(ds_square) + dz**2 * (self._root(arithmetic) + unit) + floor**2
        if self.axis is None:
            return np.asarray(square)
        mean, slope = self.mean(ds), self.mean(ds * s)
        shared = self.shared_back(dn, z_square, s_square, arithmetic)
        own = 4 * (ds**2 + mean**2 + (slope * s) ** 2) + (slope * r) ** 2 * (self.z**2 + self.mu**2)
        carried = slope**2 * s_square + s**2 * shared.slope + shared.mean
        return np.asarray(square + dz**2 * shared.root + r**2 * (carried + unit * own))

    def shared_back(
        self, dn: Float, z_square: Float, s_square: Float, arithmetic: Arithmetic
    ) -> Shared:
        """A**2 of mean ds, of mean(ds s) and of r, relative: all entries along the axis share them.

        Whoever adds up ds z and takes mu sum ds off rounds at the size of z.
        """
        of_terms, of_sum = self._factors(arithmetic)
        ds = dn if self.gamma is None else self.gamma * dn
        mean, slope, size = self.mean(ds), self.mean(ds * self.s), self.mean(ds**2)
        of_slope = self.mean(ds**2 * s_square, weighted=True) / self.count + of_sum * slope**2
        of_slope = of_slope + of_terms * size * self.r**2 * self.mean(self.z**2)
        of_root = self.mean(self.r**2 * self.s**2 * z_square, weighted=True) / self.count
        return Shared(of_terms * size + of_sum * mean**2, of_slope, of_root)

    def shared_forward(self, arithmetic: Arithmetic) -> tuple[Float, Float]:
        """A(mu)**2 and the squared relative error of r: their own rounding."""
        of_terms, of_sum = self._factors(arithmetic)
        return of_terms * self.mean(self.z**2) + of_sum * self.mu**2, self._root(arithmetic)


class Shared(NamedTuple):
    """Squared allowances of what all entries along the axis share on the way back."""

    mean: Float
    slope: Float
    root: Float


def insides(
    normalisation: str, dropout: float, parameters: Values, values: Values,
    context: Mapping[str, Any], often: Float | None,
) -> dict[int, Inside]:  # fmt: skip
    """Return what stands inside every hidden layer; `often`: how often each row occurs, (N,)."""
    layers = sum(name[0] == "w" for name in parameters)
    training = context.get("training", True)
    found = {}
    for layer in range(1, layers):
        z = np.asarray(values[f"z{layer}"], dtype=np.float64)
        gamma = None
        if normalisation != "none":
            gamma = parameters.get(f"gamma{layer}", np.ones(z.shape[1]))
        q = None
        if dropout and training:
            q = np.asarray(context[f"mask{layer}"], dtype=np.float64) / (1 - dropout)
        running = None
        if normalisation == "batch" and not training:
            running = context[f"running_mean{layer}"], context[f"running_var{layer}"]
        found[layer] = inside(normalisation, z, gamma, q, running, often)
    return found


def inside(
    normalisation: str, z: Float, gamma: Any, q: Float | None, running: tuple[Any, Any] | None,
    often: Float | None,
) -> Inside:  # fmt: skip
    """Return one layer's, from its z in float64."""
    one = np.ones((1, 1))
    if gamma is None:
        return Inside(z, 0 * one, z, one, one, None, None, 1.0, q)
    gamma = np.asarray(gamma, dtype=np.float64)
    if running is not None:
        mu, v = (np.asarray(a, dtype=np.float64)[None] for a in running)
        r = 1 / np.sqrt(v + EPS)
        return Inside(z, mu, (z - mu) * r, r, v * r**2, gamma, None, 1.0, q)
    axis = AXES[normalisation]
    mu = z.mean(axis=axis, keepdims=True)
    v = z.var(axis=axis, keepdims=True)
    r = 1 / np.sqrt(v + EPS)
    times = often[:, None] if axis == 0 and often is not None else 1.0
    return Inside(z, mu, (z - mu) * r, r, v * r**2, gamma, axis, times, q)
