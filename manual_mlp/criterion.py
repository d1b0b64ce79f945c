"""From logits to the number that is minimised: output, loss, reduction, in one value.

    o = output(logits)      L = factor * (1/D) sum_n loss_n(o, t)      t: the targets as they count

D is what the reduction divides by. The sum over rows is a sum of sums over blocks of rows: D is
that of the whole batch, and a block adds its own part.
"""

from dataclasses import dataclass

import numpy as np

from manual_mlp.arrays import Array, Arrays, entry, require_same_shape
from manual_mlp.loss import cross_entropy_gradient, cross_entropy_of_rows
from manual_mlp.losses import LOSSES
from manual_mlp.outputs import OUTPUTS

INSIDE = {("softmax", "cross_entropy"): "softmax", ("sigmoid", "bce"): "sigmoid"}
"""Losses on logits have this inside; as an output it would be applied twice."""


@dataclass(frozen=True, slots=True)
class Criterion:
    """What stands between the logits and the loss.

    `label_smoothing`, `class_weights` and `ignore_index` belong to cross_entropy, as
    `torch.nn.CrossEntropyLoss` has them for class numbers: targets are then one-hot.

    Parameters:
        loss: the name of a loss, in `losses.py`.
        output: the name of what is applied to the logits first, in `outputs.py`.
        reduction: "mean" divides by N for cross_entropy and by N K for the others, as torch does;
            "batch_mean" by N; "sum" by 1.
        loss_factor: what the loss is multiplied by: 1/2 in many a paper's squared error.
        label_smoothing: the share s of every target that is spread over the K classes.
        class_weights: one weight for each class; "mean" divides by the weight of the rows.
        ignore_index: the class whose rows count for nothing.

    Raises:
        ValueError: an unknown name, or settings that exclude each other.

    Example:
        >>> half = Criterion("mse", reduction="batch_mean", loss_factor=0.5)
        >>> half.loss_at(np.array([[3.0, 1.0]]), np.array([[1.0, 1.0]]))
        2.0
    """

    loss: str = "cross_entropy"
    output: str = "identity"
    reduction: str = "mean"
    loss_factor: float = 1.0
    label_smoothing: float = 0.0
    class_weights: tuple[float, ...] | None = None
    ignore_index: int | None = None

    def __post_init__(self) -> None:
        entry(LOSSES, self.loss, "loss")
        entry(OUTPUTS, self.output, "output")
        entry(dict.fromkeys(("mean", "batch_mean", "sum")), self.reduction, "reduction")
        if inside := INSIDE.get((self.output, self.loss)):
            raise ValueError(
                f"{self.loss} takes logits and has the {inside} inside; with the output {inside} "
                "it would be applied twice: leave the output at identity"
            )
        special = self.label_smoothing or self.class_weights or self.ignore_index is not None
        if special and self.loss != "cross_entropy":
            raise ValueError(
                "label_smoothing, class_weights and ignore_index belong to cross_entropy, not to "
                f"{self.loss}"
            )

    @property
    def plain(self) -> bool:
        """Softmax cross-entropy and nothing else, whose exponentials serve loss and gradient."""
        usual = self.loss == "cross_entropy" and self.output == "identity" and self.loss_factor == 1
        return usual and not (self.label_smoothing or self.weighs)

    def counting(self, targets: Array) -> Array:
        """The targets as they count, (N, K).

            t_nk = w_k ((1 - s) y_nk + s / K)        s: label_smoothing, w: class_weights

        and 0 in the rows whose class is `ignore_index`. Source for s: Szegedy, Vanhoucke, Ioffe,
        Shlens & Wojna 2016, CVPR, equation 3.
        """
        t = targets
        if self.label_smoothing:
            t = (1 - self.label_smoothing) * t + self.label_smoothing / t.shape[1]
        return t * self.weights(targets) if self.weighs else t

    @property
    def weighs(self) -> bool:
        """Whether rows or classes count for more or less than 1."""
        return self.class_weights is not None or self.ignore_index is not None

    def weights(self, targets: Array) -> Array:
        """What every entry of the targets counts for, (N, K)."""
        w = np.ones_like(targets)
        if self.class_weights is not None:
            w *= np.asarray(self.class_weights, dtype=w.dtype)
        if self.ignore_index is not None:
            w[targets.argmax(axis=1) == self.ignore_index] = 0
        return w

    def divisor(self, targets: Array) -> float:
        """D, for the whole batch; nan if no row of it counts, as a mean over none is no number."""
        if self.reduction == "sum":
            return 1.0
        if self.weighs and self.reduction == "mean":
            return float((targets * self.weights(targets)).sum()) or np.nan
        every_entry = self.reduction == "mean" and not LOSSES[self.loss].rows
        return float(targets.size if every_entry else len(targets))

    def at(
        self, logits: Array, targets: Array, divisor: float | None = None
    ) -> tuple[float, Arrays]:
        """The part of these rows in L, and dlogits = dL/dlogits, (N, K), with p if it is at hand.

        `divisor` is D of the whole batch, by default of these rows.
        """
        if not self.plain:
            dlogits = self.gradient_at(logits, targets, divisor)
            return self.loss_at(logits, targets, divisor), {"dlogits": dlogits}
        scale = divisor or self.divisor(targets)
        total, p = cross_entropy_of_rows(logits, targets)
        return total / scale, {"p": p, "dlogits": cross_entropy_gradient(p, targets) / scale}

    def loss_at(self, logits: Array, targets: Array, divisor: float | None = None) -> float:
        """L, or the part of these rows if `divisor` is that of a larger batch."""
        if self.plain:
            return self.at(logits, targets, divisor)[0]
        require_same_shape(logits=logits, targets=targets)
        share = self.loss_factor / (divisor or self.divisor(targets))
        o = OUTPUTS[self.output].value(logits)  # (N, K)
        return float(LOSSES[self.loss].terms(o, self.counting(targets)).sum()) * share

    def gradient_at(self, logits: Array, targets: Array, divisor: float | None = None) -> Array:
        """dlogits = dL/dlogits, (N, K), with `divisor` as in `loss_at`.

        do = factor / D * dloss/do        dlogits = what the output passes back of do
        """
        require_same_shape(logits=logits, targets=targets)
        share = self.loss_factor / (divisor or self.divisor(targets))
        o = OUTPUTS[self.output].value(logits)  # (N, K)
        do = LOSSES[self.loss].derivative(o, self.counting(targets)) * share
        return OUTPUTS[self.output].pull(do, logits, o).astype(logits.dtype)
