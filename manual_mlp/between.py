"""One hidden layer between two matrix products: normalisation, activation, dropout, and back.

s = (z - mu) / sqrt(v + eps)    n = gamma * s + beta       without normalisation n is z
a = activation(n)
h = a * mask / (1 - dropout)                               without dropout h is a
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from manual_mlp.activations import Activation
from manual_mlp.arrays import Array, Arrays
from manual_mlp.dropout import dropped, dropped_backward
from manual_mlp.normalise import (
    AXES,
    Standardised,
    running,
    scale_gradients,
    scaled,
    standardise,
    standardise_backward,
    standardise_by,
)

Context = Mapping[str, Any]
"""What both sides share besides data and parameters: `training` (True where it is absent),
`mask1`, ... (N, H), True for units that stay, and `running_mean1`, `running_var1`, ... (H,)."""


@dataclass(frozen=True, slots=True)
class Between:
    """What stands between z and h besides the activation.

    With normalisation every hidden layer has the parameters gamma_l and beta_l, (H,); where they
    are not among the parameters n is s. Batch
    normalisation takes the statistics of the batch in training and the running ones in evaluation;
    dropout leaves out nothing in evaluation.

    Parameters:
        normalisation: "none", "layer" or "batch".
        dropout: the share of units that is left out, from 0 to below 1.

    Raises:
        ValueError: an unknown normalisation, or a share that is none.

    Example:
        >>> Between("batch").whole_batch, Between("layer", dropout=0.5).whole_batch
        (True, False)
    """

    normalisation: str = "none"
    dropout: float = 0.0

    def __post_init__(self) -> None:
        if self.normalisation not in ("none", *AXES):
            raise ValueError(
                f"unknown normalisation {self.normalisation!r}: choose one of none, layer, batch"
            )
        if not 0 <= self.dropout < 1:
            raise ValueError(f"dropout must be from 0 to below 1, not {self.dropout}")

    @property
    def whole_batch(self) -> bool:
        """Whether a row depends on the others of its batch: then it cannot go block by block."""
        return self.normalisation == "batch"

    @property
    def as_in_evaluation(self) -> bool:
        """Whether training and evaluation compute the same."""
        return self.normalisation != "batch" and not self.dropout

    def forward(
        self, layer: int, z: Array, act: Activation, parameters: Mapping[str, Array],
        context: Context,
    ) -> Arrays:  # fmt: skip
        """z_l, s_l, n_l, a_l, h_l, as far as they are there, and running statistics after it."""
        training = context.get("training", True)
        values: Arrays = {f"z{layer}": z}
        n = z
        if self.normalisation != "none":
            s = self._standardised(layer, z, context).s  # (N, H)
            n = s
            if f"gamma{layer}" in parameters:
                n = scaled(s, parameters[f"gamma{layer}"], parameters[f"beta{layer}"])
            values |= {f"s{layer}": s, f"n{layer}": n}
        if self.whole_batch and training and f"running_mean{layer}" in context:
            before = context[f"running_mean{layer}"], context[f"running_var{layer}"]
            mean, variance = running(*before, z)
            values |= {f"running_mean{layer}": mean, f"running_var{layer}": variance}
        h = act.value(n)
        if self.dropout and training:
            values[f"a{layer}"] = h
            h = dropped(h, context[f"mask{layer}"], self.dropout)
        return values | {f"h{layer}": h}

    def backward(
        self, layer: int, dh: Array, values: Mapping[str, Array], act: Activation,
        parameters: Mapping[str, Array], context: Context,
    ) -> tuple[Arrays, Arrays]:  # fmt: skip
        """dgamma_l and dbeta_l, and dh_l, da_l, dn_l, dz_l: the lines of `forward` in reverse."""
        shown: Arrays = {f"dh{layer}": dh}
        h = values.get(f"a{layer}", values[f"h{layer}"])
        if f"a{layer}" in values:
            dh = dropped_backward(dh, context[f"mask{layer}"], self.dropout)
            shown[f"da{layer}"] = dh
        n = values.get(f"n{layer}", values[f"z{layer}"])
        dn = dh * act.derivative(n, h)
        if self.normalisation == "none":
            return {}, shown | {f"dz{layer}": dn}
        found = self._standardised(layer, values[f"z{layer}"], context)
        if f"gamma{layer}" not in parameters:
            return {}, shown | {f"dn{layer}": dn, f"dz{layer}": standardise_backward(dn, found)}
        dgamma, dbeta = scale_gradients(dn, found.s)
        dz = standardise_backward(dn * parameters[f"gamma{layer}"], found)
        gradients = {f"gamma{layer}": dgamma, f"beta{layer}": dbeta}
        return gradients, shown | {f"dn{layer}": dn, f"dz{layer}": dz}

    def _standardised(self, layer: int, z: Array, context: Context) -> Standardised:
        if self.whole_batch and not context.get("training", True):
            return standardise_by(
                z, context[f"running_mean{layer}"], context[f"running_var{layer}"]
            )
        return standardise(z, self.normalisation)


PLAIN = Between()


def rows_of(context: Context, rows: slice) -> Context:
    """The context of some rows of a batch."""
    return {name: v[rows] if name.startswith("mask") else v for name, v in context.items()}
