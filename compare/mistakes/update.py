"""Family: the step of the optimiser."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from compare.mistakes.mistake import Mistake
from compare.textbook.pair import Pair
from compare.textbook.step import Moment, Stepped, right_step

FAMILY = "update"
GRADIENT_LINE = "dw = gradients[name]"
STATE_LINE = 'v = state.get(f"v_{name}", np.zeros_like(w))'
V_LINE = "v = momentum * v + learning_rate * dw"
W_LINE = "w = w - v"
RIGHT_V = "v = momentum * v + learning_rate * dw"
RIGHT_W = "w = w - v"
RIGHT_START = "v = 0 before the first update"


@dataclass(frozen=True, kw_only=True, eq=False)
class StepMistake(Mistake):
    """A mistake in the update: `step` replaces it, `start` replaces the first velocity.

    `step(moment[, constant]) -> (parameter, velocity)`, `start(parameter, declared[, constant])`.
    `only` limits it to names that begin so ("b": biases). With `free` the constant is fitted.
    """

    step: Callable[..., Stepped] = right_step
    start: Callable[..., Pair] | None = None
    only: str = ""
    free: bool = False

    @property
    def observable(self) -> tuple[str, ...]:
        """Return that consecutive records show it."""
        return ("trainer records",)


def with_velocity(now: Moment, v: Pair) -> Stepped:
    """Return the right step of the parameter with a mistaken velocity."""
    return now.w - v * now.outside, v


def forgetting(now: Moment) -> Stepped:
    """v = learning_rate * dw."""
    return with_velocity(now, now.dw * now.inside)


def one_step_memory(now: Moment) -> Stepped:
    """The step is momentum * v + learning_rate * dw, but only learning_rate * dw is kept."""
    return right_step(now)[0], now.dw * now.inside


def nesterov(now: Moment) -> Stepped:
    """w = w - (momentum * v + learning_rate * dw) with the new v."""
    v = now.velocity()
    return now.w - (v * now.momentum + now.dw * now.inside) * now.outside, v


def other_form(now: Moment) -> Stepped:
    """The buffer form where the velocity form is declared, or the other way round."""
    inside, outside = now.outside, now.inside
    v = now.v * now.momentum + now.dw * inside
    return now.w - v * outside, v


def decayed(now: Moment, c: float) -> Stepped:
    """dw + c w in place of dw."""
    v = now.v * now.momentum + (now.dw + now.w * c) * now.inside
    return with_velocity(now, v)


def shrunk(now: Moment, c: float) -> Stepped:
    """w = (1 - learning_rate * c) w - v."""
    w, v = right_step(now)
    return w - now.w * (c * now.learning_rate), v


LEARNING_RATE = (
    StepMistake(
        name="learning-rate-inside-and-outside",
        family=FAMILY,
        sentence="The learning rate is applied twice: inside the velocity and again when the "
        "velocity is applied.",
        right="v = momentum * v + learning_rate * dw; w = w - v",
        wrong="v = momentum * v + learning_rate * dw; w = w - learning_rate * v",
        line=W_LINE,
        slip="w = w - learning_rate * v",
        step=lambda now: (
            now.w - now.velocity_with(now.learning_rate) * now.learning_rate,
            now.velocity_with(now.learning_rate),
        ),
        seen=1,
    ),
    StepMistake(
        name="learning-rate-squared",
        family=FAMILY,
        sentence="The gradient is multiplied with the learning rate twice.",
        right=RIGHT_V,
        wrong="v = momentum * v + learning_rate**2 * dw",
        line=V_LINE,
        slip="v = momentum * v + learning_rate**2 * dw",
        step=lambda now: with_velocity(now, now.velocity_with(now.inside * now.learning_rate)),
    ),
    StepMistake(
        name="learning-rate-left-out",
        family=FAMILY,
        sentence="The learning rate is left out: the velocity is applied in units of the gradient.",
        right="v = momentum * v + learning_rate * dw; w = w - v",
        wrong="v = momentum * v + dw; w = w - v",
        line=V_LINE,
        slip="v = momentum * v + dw",
        step=lambda now: (now.w - now.velocity_with(1.0), now.velocity_with(1.0)),
    ),
    StepMistake(
        name="another-learning-rate",
        family=FAMILY,
        sentence="The learning rate is {constant:.4g}, not the one declared.",
        right=RIGHT_V,
        wrong="v = momentum * v + {constant:.4g} * dw",
        line=V_LINE,
        slip="v = momentum * v + {c} * dw",
        step=lambda now, c: (
            with_velocity(now, now.velocity_with(c))
            if now.form == "velocity"
            else (now.w - now.velocity() * c, now.velocity())
        ),
        free=True,
        example=0.05,
    ),
    StepMistake(
        name="update-applied-twice",
        family=FAMILY,
        sentence="The velocity is applied twice in every update.",
        right=RIGHT_W,
        wrong="w = w - 2 v",
        line=W_LINE,
        slip="w = w - v - v",
        step=lambda now: (right_step(now)[0] - now.velocity() * now.outside, now.velocity()),
    ),
)

MOMENTUM = (
    StepMistake(
        name="velocity-not-carried",
        family=FAMILY,
        sentence="The velocity is not carried from update to update: this is plain gradient "
        "descent.",
        right=RIGHT_V,
        wrong="v = learning_rate * dw",
        line=V_LINE,
        slip="v = learning_rate * dw",
        step=forgetting,
        seen=2,
    ),
    StepMistake(
        name="biases-without-momentum",
        family=FAMILY,
        sentence="The biases are updated without momentum.",
        right="v_b = momentum * v_b + learning_rate * db",
        wrong="b = b - learning_rate * db",
        line=V_LINE,
        slip='v = (momentum * v if name[0] == "w" else 0) + learning_rate * dw',
        step=forgetting,
        only="b",
        seen=4,
    ),
    StepMistake(
        name="velocity-carried-one-step",
        family=FAMILY,
        sentence="The velocity remembers one update only: the last gradient, not the last "
        "velocity.",
        right=RIGHT_V,
        wrong="v = momentum * learning_rate * (dw of the update before) + learning_rate * dw",
        line=W_LINE,
        slip="w = w - v\n        v = learning_rate * dw",
        step=one_step_memory,
        seen=1,
    ),
    StepMistake(
        name="velocity-not-stored",
        family=FAMILY,
        sentence="The new velocity is applied but never stored: the old one stays.",
        right="v = momentum * v + learning_rate * dw, kept",
        wrong="w = w - (momentum * v + learning_rate * dw), v as before",
        line=V_LINE,
        slip="old, v = v, momentum * v + learning_rate * dw",
        more=((W_LINE, "w, v = w - v, old"),),
        step=lambda now: (right_step(now)[0], now.v),
    ),
    StepMistake(
        name="old-velocity-applied",
        family=FAMILY,
        sentence="The parameters move by the old velocity; the new one is computed afterwards.",
        right="v first, then w = w - v",
        wrong="w = w - v first, then v",
        line=V_LINE,
        slip="w = w - v",
        more=(("w = w - v\n        w = w - v", "w = w - v\n        " + V_LINE),),
        step=lambda now: (now.w - now.v * now.outside, now.velocity()),
    ),
    StepMistake(
        name="dampened",
        family=FAMILY,
        sentence="The gradient is weighted with 1 - momentum (dampening, a running average): "
        "the steps are that much smaller.",
        right=RIGHT_V,
        wrong="v = momentum * v + (1 - momentum) * learning_rate * dw",
        line=V_LINE,
        slip="v = momentum * v + (1 - momentum) * learning_rate * dw",
        step=lambda now: with_velocity(now, now.velocity_with(now.inside * (1 - now.momentum))),
        seen=1,
    ),
    StepMistake(
        name="nesterov",
        family=FAMILY,
        sentence="This is Nesterov's momentum: the new velocity is applied with one more factor "
        "of momentum, and the gradient once more.",
        right=RIGHT_W,
        wrong="w = w - (momentum * v + learning_rate * dw)",
        line=W_LINE,
        slip="w = w - (momentum * v + learning_rate * dw)",
        step=nesterov,
    ),
    StepMistake(
        name="another-momentum",
        family=FAMILY,
        sentence="The momentum is {constant:.4g}, not the one declared.",
        right=RIGHT_V,
        wrong="v = {constant:.4g} * v + learning_rate * dw",
        line=V_LINE,
        slip="v = {c} * v + learning_rate * dw",
        step=lambda now, c: with_velocity(now, now.v * c + now.dw * now.inside),
        free=True,
        example=0.5,
    ),
    StepMistake(
        name="parameter-as-velocity",
        family=FAMILY,
        sentence="The parameter itself stands where the velocity belongs.",
        right=RIGHT_V,
        wrong="v = momentum * w + learning_rate * dw",
        line=V_LINE,
        slip="v = momentum * w + learning_rate * dw",
        step=lambda now: with_velocity(now, now.w * now.momentum + now.dw * now.inside),
        seen=1,
    ),
    StepMistake(
        name="bias-as-velocity",
        family=FAMILY,
        sentence="The bias itself stands where its velocity belongs.",
        right="v_b = momentum * v_b + learning_rate * db",
        wrong="v_b = momentum * b + learning_rate * db",
        line=V_LINE,
        slip='v = momentum * (v if name[0] == "w" else w) + learning_rate * dw',
        step=lambda now: with_velocity(now, now.w * now.momentum + now.dw * now.inside),
        only="b",
        seen=8,
    ),
    StepMistake(
        name="other-momentum-form",
        family=FAMILY,
        sentence="The velocity is kept in the other form: the learning rate stands outside where "
        "inside was declared, or inside for outside. Check `--momentum-form`.",
        right="v = momentum * v + learning_rate * dw; w = w - v",
        wrong="v = momentum * v + dw; w = w - learning_rate * v",
        line=V_LINE,
        slip="v = momentum * v + dw",
        more=((W_LINE, "w = w - learning_rate * v"),),
        step=other_form,
        convention=True,
    ),
)

DIRECTION = (
    StepMistake(
        name="gradient-ascent",
        family=FAMILY,
        sentence="The parameters move up the gradient: + v for - v.",
        right=RIGHT_W,
        wrong="w = w + v",
        line=W_LINE,
        slip="w = w + v",
        step=lambda now: (now.w + now.velocity() * now.outside, now.velocity()),
    ),
    StepMistake(
        name="velocity-negated",
        family=FAMILY,
        sentence="The velocity is kept with the opposite sign, v = momentum * v - learning_rate * "
        "dw and w + v: the same path, another state.",
        right="v = momentum * v + learning_rate * dw; w = w - v",
        wrong="v = momentum * v - learning_rate * dw; w = w + v",
        line=V_LINE,
        slip="v = momentum * v - learning_rate * dw",
        more=((W_LINE, "w = w + v"),),
        step=lambda now: (
            now.w + now.velocity_with(-now.inside) * now.outside,
            now.velocity_with(-now.inside),
        ),
        convention=True,
    ),
    StepMistake(
        name="momentum-subtracted",
        family=FAMILY,
        sentence="The old velocity is subtracted: it brakes where it should push.",
        right=RIGHT_V,
        wrong="v = -momentum * v + learning_rate * dw",
        line=V_LINE,
        slip="v = -momentum * v + learning_rate * dw",
        step=lambda now: with_velocity(now, now.dw * now.inside - now.v * now.momentum),
    ),
    StepMistake(
        name="gradient-of-update-before",
        family=FAMILY,
        sentence="The update uses the gradient of the update before.",
        right="dw of this update",
        wrong="dw of the update before",
        line=GRADIENT_LINE,
        slip='before = globals().setdefault("before", {})\n'
        "        dw, before[name] = before.get(name, 0 * w), gradients[name]",
        step=lambda now: with_velocity(now, now.v * now.momentum + now.earlier * now.inside),
    ),
    StepMistake(
        name="parameter-never-updated",
        family=FAMILY,
        sentence="The parameter is never updated, although its velocity is.",
        right=RIGHT_W,
        wrong="w = w",
        line=W_LINE,
        slip="w = w.copy()",
        step=lambda now: (now.w, now.velocity()),
        seen=3,
    ),
    StepMistake(
        name="parameter-left-out",
        family=FAMILY,
        sentence="The parameter is left out of the update, with its velocity.",
        right="every parameter is updated",
        wrong="w = w, v = v",
        line=V_LINE,
        slip="dw = 0 * dw",
        more=((W_LINE, "w = w.copy()"),),
        step=lambda now: (now.w, now.v),
    ),
)

DECAY = (
    StepMistake(
        name="weight-decay",
        family=FAMILY,
        sentence="The update contains weight decay: {constant:.4g} · w is added to the gradient.",
        right=RIGHT_V,
        wrong="v = momentum * v + learning_rate * (dw + {constant:.4g} w)",
        line=V_LINE,
        slip="v = momentum * v + learning_rate * (dw + {c} * w)",
        step=decayed,
        free=True,
        example=0.01,
    ),
    StepMistake(
        name="weight-decay-outside",
        family=FAMILY,
        sentence="The update contains decoupled weight decay: the parameter shrinks by "
        "learning rate times {constant:.4g}, outside the velocity.",
        right=RIGHT_W,
        wrong="w = w - v - learning_rate * {constant:.4g} w",
        line=W_LINE,
        slip="w = w - v - learning_rate * {c} * w",
        step=shrunk,
        free=True,
        example=0.01,
    ),
)

START = (
    StepMistake(
        name="velocity-starts-at-parameter",
        family=FAMILY,
        sentence="The velocity starts as a copy of the parameter (or as the same array).",
        right=RIGHT_START,
        wrong="v = w before the first update",
        line=STATE_LINE,
        slip='v = state.get(f"v_{name}", w)',
        start=lambda w, declared: w,
        seen=8,
    ),
    StepMistake(
        name="velocity-starts-elsewhere",
        family=FAMILY,
        sentence="The velocity starts at {constant:.4g} in every entry, not where it was declared.",
        right=RIGHT_START,
        wrong="v = {constant:.4g} before the first update",
        line=STATE_LINE,
        slip='v = state.get(f"v_{name}", np.full_like(w, {c}))',
        start=lambda w, declared, c: w.arranged(np.zeros_like) + c,
        free=True,
        example=1e-5,
    ),
)

UPDATE = LEARNING_RATE + MOMENTUM + DIRECTION + DECAY + START
