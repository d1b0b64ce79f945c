"""Family: the step of the optimiser: learning rate, direction, decay, start."""

from __future__ import annotations

import numpy as np

from compare.mistakes.step_mistake import (
    FAMILY,
    GRADIENT_LINE,
    RIGHT_START,
    RIGHT_V,
    RIGHT_W,
    STATE_LINE,
    V_LINE,
    W_LINE,
    StepMistake,
    with_velocity,
)
from compare.textbook.step import Moment, Stepped, right_step


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

UPDATE = LEARNING_RATE + DIRECTION + DECAY + START
