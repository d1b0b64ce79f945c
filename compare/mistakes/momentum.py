"""Family: the step of the optimiser: what becomes of the velocity."""

from __future__ import annotations

from compare.mistakes.step_mistake import (
    FAMILY,
    RIGHT_V,
    RIGHT_W,
    V_LINE,
    W_LINE,
    StepMistake,
    with_velocity,
)
from compare.textbook.step import Moment, Stepped, right_step


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
        seen=5,
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
        line=f"{V_LINE}\n        {W_LINE}",
        slip=f"{W_LINE}\n        {V_LINE}",
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
