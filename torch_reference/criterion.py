"""From logits to the number that is minimised, by torch's own losses.

    loss = loss_factor * Loss(output(logits), targets) + penalty

torch's losses know the reductions mean and sum; the mean over rows of the sum over outputs is the
sum divided by N.
"""

from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from string import digits

import torch
from torch import Tensor, nn

LOSSES: dict[str, Callable[..., nn.Module]] = {
    "cross_entropy": nn.CrossEntropyLoss,
    "bce": nn.BCEWithLogitsLoss,
    "mse": nn.MSELoss,
    "l1": nn.L1Loss,
    "huber": nn.HuberLoss,
    "hinge": nn.MultiMarginLoss,
}
OUTPUTS: dict[str, Callable[[], nn.Module]] = {
    "identity": nn.Identity,
    "sigmoid": nn.Sigmoid,
    "tanh": nn.Tanh,
    "relu": nn.ReLU,
    "softmax": lambda: nn.Softmax(dim=1),
}
ENTRYWISE = ("bce", "mse", "l1", "huber", "hinge")
"""The losses whose mean divides by N * K; cross-entropy's divides by rows."""
INSIDE: dict[str, Callable[[], nn.Module]] = {
    "cross_entropy": OUTPUTS["softmax"],
    "bce": OUTPUTS["sigmoid"],
}
"""What a loss on logits has inside, and what such a network predicts."""
REDUCTIONS = ("mean", "batch_mean", "sum")


class Criterion(nn.Module):
    """`(logits, targets) -> loss`, both `(N, K)`.

    With `class_weights` or `ignore_index` the rows of `targets` are one-hot and torch is given
    their class numbers, as for the hinge loss; its mean then divides by the total weight of the
    rows that count.

    Parameters:
        loss: a key of `LOSSES`.
        output: a key of `OUTPUTS`, applied to the logits first.
        reduction: "mean" is torch's own; "batch_mean" divides the sum by N; "sum" by nothing.
        loss_factor: what the loss is multiplied by.
        label_smoothing: as `nn.CrossEntropyLoss` has it.
        class_weights: its `weight`.
        ignore_index: as `nn.CrossEntropyLoss` has it.

    Raises:
        ValueError: an unknown name.

    Example:
        >>> half = Criterion("mse", reduction="batch_mean", loss_factor=0.5)
        >>> half(torch.tensor([[3.0, 1.0]]), torch.tensor([[1.0, 1.0]])).item()
        2.0
    """

    def __init__(
        self,
        loss: str = "cross_entropy",
        output: str = "identity",
        reduction: str = "mean",
        loss_factor: float = 1.0,
        label_smoothing: float = 0.0,
        class_weights: Sequence[float] | None = None,
        ignore_index: int | None = None,
    ) -> None:
        super().__init__()
        for kind, name, table in (
            ("loss", loss, LOSSES),
            ("output", output, OUTPUTS),
            ("reduction", reduction, dict.fromkeys(REDUCTIONS)),
        ):
            if name not in table:
                raise ValueError(f"There is no {kind} {name!r}; there are {', '.join(table)}.")
        how: dict[str, object] = {"reduction": "mean" if reduction == "mean" else "sum"}
        if label_smoothing:
            how["label_smoothing"] = label_smoothing
        if class_weights is not None:
            how["weight"] = torch.tensor(class_weights, dtype=torch.float64)
        if ignore_index is not None:
            how["ignore_index"] = ignore_index
        self.loss = LOSSES[loss](**how)
        self.output = OUTPUTS[output]()
        self.prediction = INSIDE.get(loss, nn.Identity)()
        self.reduction, self.factor = reduction, loss_factor
        self.every_entry = loss in ENTRYWISE
        self.margins = loss == "hinge"
        self.numbers = self.margins or class_weights is not None or ignore_index is not None

    def forward(self, logits: Tensor, targets: Tensor) -> Tensor:
        rows, classes = targets.shape
        # torch's hinge divides the sum of a row's margins by K, also where it takes no mean.
        scale = self.factor * (classes if self.margins and self.reduction != "mean" else 1)
        scale /= rows if self.reduction == "batch_mean" else 1
        target = targets.argmax(dim=1) if self.numbers else targets
        loss: Tensor = self.loss(self.output(logits), target)
        return loss if scale == 1 else scale * loss

    def divisor(self, targets: Tensor) -> float:
        """What the sum over all these rows is divided by."""
        weight, ignored = (getattr(self.loss, name, None) for name in ("weight", "ignore_index"))
        if self.reduction != "mean":
            return len(targets) if self.reduction == "batch_mean" else 1
        if self.every_entry:
            return targets.numel()
        if not self.numbers:
            return len(targets)
        counted = targets.argmax(dim=1)  # (N,)
        counted = counted[counted != ignored]
        return len(counted) if weight is None else weight[counted].sum().item()

    def summed(self) -> "Criterion":
        """The sum over rows, for parts of a batch: to be divided by the batch's `divisor`."""
        other = deepcopy(self)
        other.reduction = vars(other.loss)["reduction"] = "sum"
        return other

    def predict(self, logits: Tensor) -> Tensor:
        """What the network predicts, `(N, K)`: probabilities where the loss has them inside."""
        predicted: Tensor = self.prediction(self.output(logits))
        return predicted


KINDS = {"weights": ("w",), "linear": ("w", "b"), "all": ("w", "b", "gamma", "beta")}
"""The parameters in a penalty, by their names without the number of the layer."""


class Penalty:
    """`(named parameters, N) -> (l2 / 2 sum w^2 + l1 sum |w|) / M`, M being 1 or N.

    Parameters:
        l2: the strength of the squares.
        l1: the strength of the absolute values.
        penalise: "weights", "linear" (weights and biases) or "all" parameters.
        penalty_over: "1", or "rows" for N.

    Raises:
        ValueError: an unknown name.

    Example:
        >>> bool(Penalty(l2=0.1)), bool(Penalty())
        (True, False)
    """

    def __init__(
        self, l2: float = 0.0, l1: float = 0.0, penalise: str = "weights", penalty_over: str = "1"
    ) -> None:
        if penalise not in KINDS or penalty_over not in ("1", "rows"):
            raise ValueError("penalise is weights, linear or all, penalty_over is 1 or rows.")
        self.l2, self.l1 = l2, l1
        self.kinds, self.over_rows = KINDS[penalise], penalty_over == "rows"

    def __bool__(self) -> bool:
        return bool(self.l2 or self.l1)

    def __call__(self, named: Mapping[str, Tensor], rows: int) -> Tensor:
        counted = [w for name, w in named.items() if name.rstrip(digits) in self.kinds]
        flat = torch.cat([w.reshape(-1) for w in counted])
        total = self.l2 / 2 * flat.square().sum() + self.l1 * flat.abs().sum()
        return total / rows if self.over_rows else total
