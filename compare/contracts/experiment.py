"""What the user asked for: the settings of one side-by-side run, and nothing that was computed.

The defaults are the default of `python -m compare.run`. No two of its dimensions are equal
(1,437 samples, 64 inputs, 48 hidden units, 10 classes), because a transposed product hides
behind a square shape.

A setting is declared once, as a field with its limit and its help: the command's options, the
checks of their values and the sentences for those that do not fit all come from here.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, fields
from typing import Any

from compare.contracts.between import NORMALISATIONS, Between
from compare.contracts.errors import BadInput
from compare.contracts.known import known_keywords
from compare.contracts.limits import (
    FINITE,
    POSITIVE,
    SHARE,
    Choice,
    Flag,
    Maybe,
    Number,
    Text,
    Whole,
    fitted,
)
from compare.contracts.objective import (
    LOSS_NAMES,
    OUTPUT_NAMES,
    PENALISED,
    PENALTY_OVER,
    REDUCTIONS,
    Objective,
)
from compare.contracts.setting import (
    DUMP,
    LAYER,
    LOSS,
    MACHINE,
    NETWORK,
    POINT,
    STARTER,
    STEP,
    TRAIN,
    TRAINING,
    setting,
    setting_of,
)
from compare.contracts.spellings import ActivationName, FormatName, Numbers, Schedule, Widths

NOT_NEGATIVE = Number("a finite number from 0", lambda x: 0 <= x < math.inf)
DAMPING = Number("a number from 0 to 1", lambda x: 0 <= x <= 1)
ACTIVATION_NAMES = (
    "relu", "leaky_relu", "elu", "selu", "softplus", "silu", "gelu", "gelu_tanh", "relu6",
    "hardtanh", "tanh", "sigmoid", "identity",
)  # fmt: skip
INITIALISER_NAMES = ("xavier", "he", "uniform")
MOMENTUM_FORMS = ("velocity", "buffer", "negative_velocity")
OPTIMISER_NAMES = ("sgd", "adam", "adamw", "amsgrad", "rmsprop", "adagrad")
DECAY_OF = ("all", "weights")
OPTIMISER_SETTINGS = (
    "learning_rate", "momentum", "nesterov", "dampening", "weight_decay", "decoupled", "decay_of",
    "betas", "eps", "alpha", "centred",
)  # fmt: skip
CLIPPING = ("clip_norm", "clip_value")
EPSILON = {"adagrad": 1e-10}
"""What torch adds to the root where nothing is said; 1e-8 elsewhere."""
UNSAID: Any = None
"""In place of a default that depends on another setting."""
DTYPES = ("float64", "float32")
LARGEST_FLOAT32 = 3.4028234e38


def usual_momentum(optimiser: str) -> float:
    """Return the momentum where none is declared: RMSprop's plain form has none, as in torch."""
    return 0.0 if optimiser == "rmsprop" else 0.9


@dataclass(frozen=True, slots=True)
class Experiment:
    """Settings of a run: data, network, loss, training.

    From `bias` to `ignore_index` the network and its loss are declared:

        loss = loss_factor * reduction of Loss(output(logits), targets)
             + (l2 / 2 sum w^2 + l1 sum |w|) / M        M: 1, or N with penalty_over="rows"

    Parameters:
        Every field declares its default, its limit and its meaning, in the words of `--help`.
        `dtype` is taken in any spelling NumPy takes, `hidden` also as one width.

    Raises:
        BadInput: a value that does not fit, or two that exclude each other.

    Example:
        >>> Experiment(hidden=20, dtype="f4").dtype
        'float32'
    """

    data: str | None = setting(
        None, Maybe(Text("a path")), NETWORK,
        "diabetes, the regression data that come with the package, for mse, l1 and huber; or an "
        ".npz file with images and labels, an images file in MNIST's IDX format with its "
        "labels beside it, or a folder of such files, gzipped or not",
        used_by=(TRAIN, POINT), metavar="PATH",
        default_said="the handwritten digits that come with the package",
    )  # fmt: skip
    hidden: tuple[int, ...] = setting(
        (48,), Widths(), NETWORK,
        "widths of the hidden layers, such as 48 or 512,256; `none` for no hidden layer",
        used_by=(TRAIN, POINT), metavar="WIDTHS", default_said="48",
    )  # fmt: skip
    activation: str = setting(
        "relu", ActivationName(ACTIVATION_NAMES), NETWORK,
        f"the function between the layers: {', '.join(ACTIVATION_NAMES)}; leaky_relu:0.2 sets its "
        "slope, elu:0.5 its alpha",
        used_by=(TRAIN, POINT, DUMP, STARTER), metavar="NAME",
    )  # fmt: skip
    epochs: int = setting(
        200, Whole(0), TRAINING, "passes over the training data; 0 compares the start only"
    )
    batch_size: int | None = setting(
        None, Maybe(Whole(1)), TRAINING, "rows per update",
        default_said="all of them, one update per epoch",
    )  # fmt: skip
    learning_rate: float = setting(
        0.1, POSITIVE, TRAINING, "step size; of the averaged or summed loss, see --reduction",
        used_by=(TRAIN, STEP),
    )  # fmt: skip
    momentum: float = setting(
        UNSAID, Maybe(SHARE), TRAINING, "share of the last velocity that is kept",
        used_by=(TRAIN, STEP), default_said="0.9; 0 of rmsprop, as in torch",
    )  # fmt: skip
    momentum_form: str = setting(
        "velocity", Choice(MOMENTUM_FORMS), TRAINING,
        "velocity: v = momentum*v + learning_rate*dw, w -= v; buffer, as torch does: "
        "v = momentum*v + dw, w -= learning_rate*v; negative_velocity, as Keras does: "
        "v = momentum*v - learning_rate*dw, w += v; equal while the learning rate is constant",
        used_by=(TRAIN, STEP),
    )  # fmt: skip
    optimiser: str = setting(
        "sgd", Choice(OPTIMISER_NAMES), TRAINING,
        "of torch.optim, what both sides train with and a `step` is held against; state is {} at "
        "first, then has for w1, b1, ...: of sgd v_w1; of adam and adamw m_w1, s_w1 (means of dw "
        "and dw**2) and t (updates done); of amsgrad r_w1 too (the largest s_w1); of rmsprop s_w1, "
        "a_w1 (mean of dw, if centred) and v_w1 (with momentum); of adagrad s_w1 (sum of dw**2); a "
        "step may have keys of its own",
        used_by=(TRAIN, STEP, DUMP),
    )  # fmt: skip
    nesterov: bool = setting(
        False, Flag(), TRAINING, "of sgd: look ahead by the momentum, w -= rate*(dw + momentum*v)",
        used_by=(TRAIN, STEP, DUMP),
    )  # fmt: skip
    dampening: float = setting(
        0.0, DAMPING, TRAINING, "of sgd: v = momentum*v + (1 - X)*dw after the first update",
        used_by=(TRAIN, STEP, DUMP),
    )  # fmt: skip
    weight_decay: float = setting(
        0.0, NOT_NEGATIVE, TRAINING,
        "of the update, not of the loss: adds X*w to dw; adamw is decoupled",
        used_by=(TRAIN, STEP, DUMP),
    )  # fmt: skip
    decoupled: bool = setting(
        False, Flag(), TRAINING,
        "weight decay takes learning_rate*X*w off w instead of adding X*w to dw",
        used_by=(TRAIN, STEP, DUMP),
    )  # fmt: skip
    decay_of: str = setting(
        "all", Choice(DECAY_OF), TRAINING, "what decays: with `weights` no biases",
        used_by=(TRAIN, STEP, DUMP),
    )  # fmt: skip
    betas: tuple[float, ...] = setting(
        (0.9, 0.999), Numbers(SHARE), TRAINING, "of adam, adamw, amsgrad: shares kept of m and s",
        used_by=(TRAIN, STEP, DUMP), metavar="X,X", default_said="0.9,0.999",
    )  # fmt: skip
    eps: float | None = setting(
        None, Maybe(NOT_NEGATIVE), TRAINING, "added to the root, after the correction of adam",
        used_by=(TRAIN, STEP, DUMP), default_said="1e-8, of adagrad 1e-10",
    )  # fmt: skip
    alpha: float = setting(
        0.99, SHARE, TRAINING, "of rmsprop: share kept of s",
        used_by=(TRAIN, STEP, DUMP),
    )  # fmt: skip
    centred: bool = setting(
        False, Flag(), TRAINING, "of rmsprop: the root is of s - a**2",
        used_by=(TRAIN, STEP, DUMP),
    )  # fmt: skip
    clip_norm: float | None = setting(
        None, Maybe(POSITIVE), TRAINING,
        "before the update all gradients together are shortened to this norm; a `step` does it "
        "itself",
        used_by=(TRAIN, STEP, DUMP), default_said="none",
    )  # fmt: skip
    clip_value: float | None = setting(
        None, Maybe(POSITIVE), TRAINING,
        "before the update every entry of a gradient is held between -X and X; a `step` does it "
        "itself",
        used_by=(TRAIN, STEP, DUMP), default_said="none",
    )  # fmt: skip
    schedule: str | None = setting(
        None, Maybe(Schedule()), TRAINING,
        "how the learning rate changes from update to update, as a share of --learning-rate: "
        "step:EVERY:FACTOR multiplies it by FACTOR every so many updates; cosine falls to 0 "
        "(cosine:LEAST to LEAST), which it would reach one update after the last; "
        "warm_up:LENGTH[:FIRST] rises from FIRST (0.1) to 1 in LENGTH updates; a `step` is given "
        "the rate of its update",
        metavar="KIND", default_said="constant",
    )  # fmt: skip
    patience: int | None = setting(
        None, Maybe(Whole(0)), TRAINING,
        "training stops early after more than N epochs without a new smallest validation loss",
        metavar="N", default_said="no early stopping",
    )  # fmt: skip
    init: str = setting(
        "xavier", Choice(INITIALISER_NAMES), NETWORK,
        "distribution of the initial weights; biases start at zero; xavier is normal with "
        "variance 2/(fan_in + fan_out)",
    )  # fmt: skip
    initial_velocity: float = setting(
        0.0, FINITE, TRAINING,
        "of sgd: where the velocity of every weight starts, on both sides; biases start at zero",
    )  # fmt: skip
    dtype: str = setting(
        "float64", FormatName(DTYPES), NETWORK, "number format both sides compute in",
        used_by=(TRAIN, POINT),
    )  # fmt: skip
    seed: int = setting(
        0, Whole(0), NETWORK,
        "random seed of the initial weights and the order of the rows, the same for both sides",
        used_by=(TRAIN, POINT, STARTER, LAYER),
    )  # fmt: skip
    bias: bool = setting(
        True, Flag(), NETWORK,
        "whether the layers have biases; without them parameters and gradients are w1, w2, ...",
        used_by=(TRAIN, POINT),
    )  # fmt: skip
    normalisation: str = setting(
        "none", Choice(NORMALISATIONS), NETWORK,
        "between z and the activation of every hidden layer, with the parameters gamma1, beta1, "
        "...; batch takes the statistics of the batch in training (eps 1e-5 in the root, variance "
        "over N) and running ones in evaluation (momentum 0.1, variance over N - 1)",
        used_by=(TRAIN, POINT, DUMP),
    )  # fmt: skip
    affine: bool = setting(
        True, Flag(), NETWORK,
        "whether a normalisation has its scale and shift gamma1, beta1, ...; without them it gives "
        "mean 0 and variance 1",
        used_by=(TRAIN, POINT, DUMP), metavar="TRUE|FALSE",
    )  # fmt: skip
    dropout: float = setting(
        0.0, SHARE, NETWORK,
        "the share of hidden units that is left out in training; the others are divided by 1 - X; "
        "the masks are drawn once and handed to both sides in the argument `context`",
        used_by=(TRAIN, POINT, DUMP),
    )  # fmt: skip
    loss: str = setting(
        "cross_entropy", Choice(LOSS_NAMES), LOSS,
        "what loss and gradients are of, on both sides: softmax cross-entropy of the logits, "
        "binary cross-entropy of the logits (bce), squared, absolute or Huber error, multi-class "
        "hinge with margin 1",
        used_by=(TRAIN, POINT, DUMP, STARTER),
    )  # fmt: skip
    output: str = setting(
        "identity", Choice(OUTPUT_NAMES), LOSS,
        "the function between the last layer and the loss; cross_entropy and bce have theirs "
        "inside",
        used_by=(TRAIN, POINT, DUMP, STARTER),
    )  # fmt: skip
    reduction: str = setting(
        "mean", Choice(REDUCTIONS), LOSS,
        "mean: over the rows for cross_entropy, over all entries for the others, as torch does; "
        "batch_mean: sum over the outputs, mean over the rows; sum",
        used_by=(TRAIN, POINT, DUMP, STARTER),
    )  # fmt: skip
    loss_factor: float = setting(
        1.0, POSITIVE, LOSS, "the loss is multiplied by it: 0.5 for the half squared error",
        used_by=(TRAIN, POINT, DUMP, STARTER),
    )  # fmt: skip
    l2: float = setting(
        0.0, NOT_NEGATIVE, LOSS, "adds X/2 times the sum of w² to the loss",
        used_by=(TRAIN, POINT, DUMP, STARTER),
    )  # fmt: skip
    l1: float = setting(
        0.0, NOT_NEGATIVE, LOSS, "adds X times the sum of |w| to the loss",
        used_by=(TRAIN, POINT, DUMP, STARTER),
    )  # fmt: skip
    penalise: str = setting(
        "weights", Choice(PENALISED), LOSS,
        "what l1 and l2 are of: `linear` is weights and biases, `all` every parameter, gamma and "
        "beta of a normalisation too",
        used_by=(TRAIN, POINT, DUMP, STARTER),
    )  # fmt: skip
    penalty_over: str = setting(
        "1", Choice(PENALTY_OVER), LOSS, "`rows` divides l1 and l2 by the rows of the batch",
        used_by=(TRAIN, POINT, DUMP, STARTER),
    )  # fmt: skip
    label_smoothing: float = setting(
        0.0, SHARE, LOSS, "of cross_entropy: targets are (1 - X) y + X/K",
        used_by=(TRAIN, POINT, DUMP, STARTER),
    )  # fmt: skip
    class_weights: tuple[float, ...] | None = setting(
        None, Maybe(Numbers(NOT_NEGATIVE)), LOSS,
        "of cross_entropy, one for each class, as torch.nn.CrossEntropyLoss has them",
        used_by=(TRAIN, POINT, DUMP), metavar="X,X,...", default_said="all 1",
    )  # fmt: skip
    ignore_index: int | None = setting(
        None, Maybe(Whole(0)), LOSS, "of cross_entropy: rows of this class do not count",
        used_by=(TRAIN, POINT, DUMP), metavar="N", default_said="all rows count",
    )  # fmt: skip
    device: str = setting(
        "cpu", Text(), MACHINE,
        "any device torch names, for the reference; the manual side stays on the CPU",
        metavar="NAME",
    )  # fmt: skip
    threads: int | None = setting(
        None, Maybe(Whole(1)), MACHINE,
        "threads of NumPy's BLAS and of torch, the same for both",
        default_said="one for a small network, else left as they are",
    )  # fmt: skip

    def __post_init__(self) -> None:
        for declared in fields(self):
            limit = setting_of(declared).limit
            plain = fitted(declared.name, limit, getattr(self, declared.name))
            object.__setattr__(self, declared.name, plain)
        if self.momentum is UNSAID:
            object.__setattr__(self, "momentum", usual_momentum(self.optimiser))
        if self.dtype == "float32" and abs(self.initial_velocity) > LARGEST_FLOAT32:
            raise BadInput("initial_velocity: must be a number that float32 can hold, or smaller")
        _ = self.objective  # refuses settings that exclude each other
        if len(self.betas) != 2:
            raise BadInput(f"betas: must be two numbers, not {len(self.betas)}")
        if self.nesterov and (self.momentum == 0 or self.dampening):
            raise BadInput("nesterov: needs a momentum above 0 and no dampening")
        if self.initial_velocity and self.optimiser != "sgd":
            raise BadInput(f"initial_velocity: {self.optimiser} has no velocity to start from")
        if self.clip_norm is not None and self.clip_value is not None:
            raise BadInput("clip_norm and clip_value: give one of the two")

    @property
    def objective(self) -> Objective:
        """Return what is minimised."""
        return Objective(**{part.name: getattr(self, part.name) for part in fields(Objective)})

    @property
    def between(self) -> Between:
        """Return what stands between two layers besides the activation."""
        return Between(self.normalisation, self.dropout, self.affine)

    @property
    def plain(self) -> bool:
        """Whether it is the network of the report: softmax cross-entropy, layers with biases."""
        return self.objective.plain and self.bias and self.between.plain

    @property
    def plain_momentum(self) -> bool:
        """Whether the optimiser is gradient descent with momentum and nothing besides."""
        plain = self.optimiser == "sgd" and self.momentum_form != "negative_velocity"
        before = (self.clip_norm, self.clip_value, self.schedule)
        if any(one is not None for one in before):
            return False
        return plain and not (self.nesterov or self.dampening or self.weight_decay)

    @property
    def optimiser_settings(self) -> dict[str, Any]:
        """Return what an update depends on besides the clipping of its gradients."""
        settings = {name: getattr(self, name) for name in OPTIMISER_SETTINGS}
        if self.eps is None:
            settings["eps"] = EPSILON.get(self.optimiser, 1e-8)
        return settings

    @property
    def step_settings(self) -> dict[str, Any]:
        """Return what a `step`, which clips by itself, is given under the names it takes."""
        return self.optimiser_settings | {name: getattr(self, name) for name in CLIPPING}

    def as_settings(self) -> dict[str, Any]:
        """Return the settings as plain values, in declaration order, for reports."""
        return asdict(self)


# The generated __init__ would say "unexpected keyword argument" and not which one is meant.
Experiment.__init__ = known_keywords("Experiment()")(Experiment.__init__)  # type: ignore[method-assign]
