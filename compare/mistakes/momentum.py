"""Family: the step of the optimiser: what becomes of the velocity."""

from __future__ import annotations

from compare.mistakes.step_mistake import StepMistake

MOMENTUM = (
    StepMistake(
        "velocity-not-carried",
        "a velocity that is not carried on",
        "The velocity is not carried from update to update: this is plain gradient descent.",
        "v = inside * dw",
        seen=5,
    ),
    StepMistake(
        "biases-without-momentum",
        "biases without momentum",
        "The biases are updated without momentum.",
        'v = (momentum if name[0] == "w" else 0) * v + inside * dw',
        only="b",
        seen=4,
    ),
    StepMistake(
        "velocity-carried-one-step",
        "a velocity that remembers one update only",
        "The velocity remembers one update only: the last gradient, not the last velocity.",
        "w = w - outside * v\nv = inside * dw",
        line="w",
    ),
    StepMistake(
        "velocity-not-stored",
        "a velocity that is applied and not stored",
        "The new velocity is applied but never stored: the old one stays.",
        "v = v\nw = w - outside * (momentum * v + inside * dw)",
    ),
    StepMistake(
        "velocity-stays-zero",
        "a velocity that is neither used nor kept",
        "The parameters move by the gradient alone and the velocity stays zero: momentum is left "
        "out.",
        "v = 0 * v\nw = w - outside * inside * dw",
    ),
    StepMistake(
        "old-velocity-applied",
        "a step by the old velocity",
        "The parameters move by the old velocity; the new one is computed afterwards.",
        "old = v\nv = momentum * v + inside * dw\nw = w - outside * old",
    ),
    StepMistake(
        "dampened-after-first",
        "a gradient weighted with 1 - momentum after the first update",
        "The gradient is weighted with 1 - momentum in every update but the first: dampening as "
        "torch.optim.SGD has it.",
        "v = momentum * v + (1 if first else 1 - momentum) * inside * dw",
    ),
    StepMistake(
        "dampened",
        "a gradient weighted with 1 - momentum",
        "The gradient is weighted with 1 - momentum (dampening, a running average): the steps "
        "are that much smaller.",
        "v = momentum * v + (1 - momentum) * inside * dw",
    ),
    StepMistake(
        "momentum-added",
        "a velocity that is added where it should be subtracted",
        "The gradient is taken off and the velocity is added: w + momentum * v - "
        "learning_rate * dw.",
        "w = w + outside * (momentum * v - inside * dw)",
    ),
    StepMistake(
        "nesterov-negated",
        "Nesterov's momentum with a velocity of the opposite sign",
        "This is Nesterov's momentum as Keras has it: v = momentum * v - learning_rate * dw, and "
        "w + momentum * v - learning_rate * dw.",
        "v = momentum * v - inside * dw\nw = w + outside * (momentum * v - inside * dw)",
    ),
    StepMistake(
        "weights-without-momentum",
        "weights without momentum",
        "The weights are updated without momentum.",
        'v = (momentum if name[0] == "b" else 0) * v + inside * dw',
        only="w",
    ),
    StepMistake(
        "velocity-squared-momentum",
        "a momentum that is applied twice",
        "The old velocity is multiplied with the momentum twice.",
        "v = momentum**2 * v + inside * dw",
    ),
    StepMistake(
        "gradient-not-in-velocity",
        "a velocity without the gradient",
        "The velocity never sees the gradient: v = momentum * v, and the gradient is taken off "
        "beside it.",
        "v = momentum * v\nw = w - outside * v - learning_rate * dw",
    ),
    StepMistake(
        "nesterov",
        "Nesterov's momentum",
        "This is Nesterov's momentum: the new velocity is applied with one more factor of "
        "momentum, and the gradient once more.",
        "w = w - outside * (momentum * v + inside * dw)",
    ),
    StepMistake(
        "another-momentum",
        "a momentum of {constant:.4g}",
        "The momentum is {constant:.4g}, not the one declared.",
        "v = c * v + inside * dw",
        free=True,
        sometimes=True,
        example=0.5,
    ),
    StepMistake(
        "parameter-as-velocity",
        "the parameter where the velocity belongs",
        "The parameter itself stands where the velocity belongs.",
        "v = momentum * w + inside * dw",
    ),
    StepMistake(
        "bias-as-velocity",
        "the bias where its velocity belongs",
        "The bias itself stands where its velocity belongs.",
        'v = momentum * (v if name[0] == "w" else w) + inside * dw',
        only="b",
        seen=8,
    ),
    StepMistake(
        "other-momentum-form",
        "the other momentum form",
        "The velocity is kept in the other form: the learning rate stands outside where "
        "inside was declared, or inside for outside. `--momentum-form` declares it.",
        'inside, outside = (1, learning_rate) if form == "velocity" else (learning_rate, 1)',
        convention=True,
    ),
    StepMistake(
        "velocity-reset",
        "a velocity that is set to zero",
        "The velocity is set to zero after the update: the direction it had gathered is lost (at "
        "the end of an epoch, say).",
        "new = momentum * v + inside * dw\nv = 0 * v\nw = w - outside * new",
        sometimes=True,
    ),
    StepMistake(
        "parameter-as-velocity-not-stored",
        "the parameter where the velocity belongs, and a velocity that is not stored",
        "The parameter itself stands where the old velocity belongs, and the new velocity is "
        "applied but never stored.",
        "v = v\nw = w - outside * (momentum * w + inside * dw)",
    ),
    StepMistake(
        "parameter-as-gradient",
        "the parameter in place of its gradient",
        "The parameter itself stands where its gradient belongs.",
        "v = momentum * v + inside * w",
    ),
)
