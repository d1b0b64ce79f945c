"""What the user asked for: the settings of one side-by-side run, and nothing that was computed.

The defaults are the default of `python -m compare.run`. No two of its dimensions are equal
(1,437 samples, 64 inputs, 48 hidden units, 10 classes), because a transposed product hides
behind a square shape.

A setting is declared once, as a field with its limit and its help: the command's options, the
checks of their values and the sentences for those that do not fit all come from here.
"""

from __future__ import annotations

from dataclasses import Field, asdict, dataclass, field, fields
from typing import Any, TypedDict, TypeVar

from compare.contracts.errors import BadInput
from compare.contracts.limits import (
    FINITE,
    POSITIVE,
    SHARE,
    Choice,
    Format,
    Limit,
    Maybe,
    Text,
    Whole,
    Widths,
    did_you_mean,
    fitted,
)

ACTIVATION_NAMES = ("relu", "tanh", "sigmoid", "identity")
INITIALISER_NAMES = ("xavier", "he", "uniform")
MOMENTUM_FORMS = ("velocity", "buffer")
REDUCTIONS = ("mean", "sum")
DTYPES = ("float64", "float32")

NETWORK, TRAINING, MACHINE = "data and network", "training", "machine"
"""The groups of options in --help."""
TRAIN, POINT, STEP, DUMP, STARTER = "training", "check", "step", "dump", "starter"
"""What a setting can be used by: a training, a check at probe points, the check of a `step` beside
it, a dump, an assignment. A setting given to anything else is named as not used."""

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class Setting:
    """What a field of `Experiment` declares besides its default."""

    limit: Limit
    group: str
    help: str
    used_by: frozenset[str]
    metavar: str | None
    default_said: str | None


def setting(
    default: Value,
    limit: Limit,
    group: str,
    help: str,
    *,
    used_by: tuple[str, ...] = (TRAIN,),
    metavar: str | None = None,
    default_said: str | None = None,
) -> Value:
    """Declare a field: its default, its limit, and its option's group and help.

    `default_said` stands in the help where the default's own name would not say enough.
    """
    declared = Setting(limit, group, help, frozenset(used_by), metavar, default_said)
    made: Any = field(default=default, metadata={"setting": declared})
    return made  # type: ignore[no-any-return]  # a dataclass replaces the field by its default


def setting_of(declared: Field[Any]) -> Setting:
    """Return what a field of `Experiment` declares."""
    found: Setting = declared.metadata["setting"]
    return found


@dataclass(frozen=True, slots=True)
class Experiment:
    """Settings of a run. `batch_size=None` is full batch; `threads=None` takes one thread for
    a small network and leaves the BLAS alone for a large one.

    `initial_velocity` is the value every weight's velocity starts at, on both sides (biases start
    at zero); the report's is 1e-5.

    Raises `BadInput` for a value that does not fit. `dtype` is taken in any spelling NumPy takes,
    `hidden` also as one width.

    >>> Experiment(hidden=20, dtype="f4").dtype
    'float32'
    """

    data: str | None = setting(
        None, Maybe(Text("a path")), NETWORK,
        "an .npz file with images and labels, an images file in MNIST's IDX format with its "
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
        "relu", Choice(ACTIVATION_NAMES), NETWORK, "the function between the layers",
        used_by=(TRAIN, POINT, DUMP),
    )  # fmt: skip
    epochs: int = setting(
        200, Whole(0), TRAINING, "passes over the training data; 0 compares the start only"
    )
    batch_size: int | None = setting(
        None, Maybe(Whole(1)), TRAINING, "rows per update",
        default_said="all of them, one update per epoch",
    )  # fmt: skip
    learning_rate: float = setting(
        0.1, POSITIVE, TRAINING, "of the loss as --reduction has it",
        used_by=(TRAIN, STEP), metavar="X",
    )  # fmt: skip
    momentum: float = setting(
        0.9, SHARE, TRAINING, "share of the last velocity that is kept",
        used_by=(TRAIN, STEP), metavar="X",
    )  # fmt: skip
    momentum_form: str = setting(
        "velocity", Choice(MOMENTUM_FORMS), TRAINING,
        "velocity: v = momentum*v + learning_rate*dw, w -= v; buffer, as torch does: "
        "v = momentum*v + dw, w -= learning_rate*v; equal while the learning rate is constant",
        used_by=(TRAIN, STEP),
    )  # fmt: skip
    init: str = setting(
        "xavier", Choice(INITIALISER_NAMES), NETWORK,
        "distribution of the initial weights; biases start at zero; xavier is normal with "
        "variance 2/(fan_in + fan_out)",
    )  # fmt: skip
    initial_velocity: float = setting(
        0.0, FINITE, TRAINING,
        "where the velocity of every weight starts, on both sides; biases start at zero",
        metavar="X",
    )  # fmt: skip
    dtype: str = setting(
        "float64", Format(DTYPES), NETWORK, "number format both sides compute in",
        used_by=(TRAIN, POINT),
    )  # fmt: skip
    seed: int = setting(
        0, Whole(0), NETWORK,
        "of the initial weights and the order of the rows, both drawn once and handed to both "
        "sides",
        used_by=(TRAIN, POINT, STARTER),
    )  # fmt: skip
    reduction: str = setting(
        "mean", Choice(REDUCTIONS), TRAINING,
        "whether loss and gradients are the mean or the sum over the batch, on both sides",
        used_by=(TRAIN, POINT, DUMP, STARTER),
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

    def as_settings(self) -> dict[str, Any]:
        """Return the settings as plain values, in declaration order, for reports."""
        return asdict(self)


class Declared(TypedDict, total=False):
    """The keywords of `check` that are settings of an `Experiment`, for type checkers."""

    hidden: int | tuple[int, ...] | list[int]
    activation: str
    learning_rate: float
    momentum: float
    momentum_form: str
    dtype: Any
    seed: int
    reduction: str


def settings_used_by(*uses: str) -> tuple[str, ...]:
    """Return the names of the settings that any of these uses, in declaration order."""
    return tuple(one.name for one in fields(Experiment) if setting_of(one).used_by & set(uses))


def require_known(given: dict[str, Any], known: tuple[str, ...], what: str) -> None:
    """Raise `BadInput` for a keyword that is not known, with the one that may be meant."""
    for name in given:
        if name not in known:
            listed = ", ".join(known)
            raise BadInput(
                f"{what} has no keyword {name}{did_you_mean(name, known)} (it takes {listed})"
            )


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
"""The report's run: 784-1000-10 on its own data; v starts at 1e-5 for the weights, both sides."""
