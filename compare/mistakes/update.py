"""Family: the step of the optimiser: learning rate, direction, decay, start."""

from __future__ import annotations

from compare.mistakes.step_mistake import StepMistake

LEARNING_RATE = (
    StepMistake(
        "learning-rate-inside-and-outside",
        "a learning rate that is applied twice",
        "The learning rate is applied twice: inside the velocity and again when the velocity "
        "is applied.",
        "inside, outside = learning_rate, learning_rate",
    ),
    StepMistake(
        "learning-rate-squared",
        "a gradient that is multiplied with the learning rate twice",
        "The gradient is multiplied with the learning rate twice.",
        "v = momentum * v + inside * learning_rate * dw",
    ),
    StepMistake(
        "learning-rate-left-out",
        "a missing learning rate",
        "The learning rate is left out: the velocity is applied in units of the gradient.",
        "inside, outside = 1, 1",
    ),
    StepMistake(
        "another-learning-rate",
        "a learning rate of {constant:.4g}",
        "The learning rate is {constant:.4g}, not the one declared.",
        'inside, outside = (c, 1) if form == "velocity" else (1, c)',
        free=True,
        sometimes=True,
        example=0.05,
    ),
    StepMistake(
        "update-applied-twice",
        "a velocity that is applied twice",
        "The velocity is applied twice in every update.",
        "w = w - outside * v - outside * v",
    ),
)

DIRECTION = (
    StepMistake(
        "gradient-ascent",
        "a step up the gradient",
        "The parameters move up the gradient: + v for - v.",
        "w = w + outside * v",
    ),
    StepMistake(
        "velocity-negated",
        "a velocity of the opposite sign",
        "The velocity is kept with the opposite sign, v = momentum * v - learning_rate * dw "
        "and w + v: the same path, another state. `--momentum-form negative_velocity` declares it.",
        "v = momentum * v - inside * dw\nw = w + outside * v",
        convention=True,
    ),
    StepMistake(
        "momentum-subtracted",
        "an old velocity that is subtracted",
        "The old velocity is subtracted: it brakes where it should push.",
        "v = -momentum * v + inside * dw",
    ),
    StepMistake(
        "gradient-of-update-before",
        "the gradient of the update before",
        "The update uses the gradient of the update before.",
        "v = momentum * v + inside * earlier",
    ),
    StepMistake(
        "gradients-of-two-updates",
        "the gradients of two updates together",
        "The update uses its own gradient and that of the update before together: gradients are "
        "not set to zero in between.",
        "v = momentum * v + inside * (dw + earlier)",
        trigger="a second update",
    ),
    StepMistake(
        "gradient-without-velocity",
        "a velocity that is kept and not used",
        "The parameter moves by the gradient alone; the velocity is computed and never used.",
        "w = w - learning_rate * dw",
    ),
    StepMistake(
        "sign-of-gradient",
        "the sign of the gradient in its place",
        "The update uses the sign of the gradient, not its value.",
        "v = momentum * v + inside * np.sign(dw)",
    ),
    StepMistake(
        "gradient-normalised",
        "a gradient divided by its norm",
        "The gradient of each parameter is divided by its norm before the update.",
        "v = momentum * v + inside * dw / np.linalg.norm(dw)",
    ),
    StepMistake(
        "parameter-never-updated",
        "a parameter that is never updated",
        "The parameter is never updated, although its velocity is.",
        "w = w",
        seen=3,
    ),
    StepMistake(
        "parameter-left-out",
        "a parameter that the update leaves out",
        "The parameter is left out of the update, with its velocity.",
        "v = v * 1\nw = w * 1",
    ),
)

DECAY = (
    StepMistake(
        "weight-decay",
        "weight decay of {constant:.4g}",
        "The update contains weight decay: {constant:.4g} · w is added to the gradient.",
        "v = momentum * v + inside * (dw + c * w)",
        free=True,
        example=0.01,
    ),
    StepMistake(
        "weight-decay-without-rate",
        "weight decay of {constant:.4g} per update, without the learning rate",
        "The parameter shrinks by {constant:.4g} of itself in every update, outside the velocity: "
        "decoupled weight decay that is not multiplied by the learning rate.",
        "w = w - outside * v - c * w",
        free=True,
        example=0.01,
    ),
    StepMistake(
        "l1-decay",
        "an L1 decay of {constant:.4g}",
        "The update contains an L1 term: {constant:.4g} · sign(w) is added to the gradient.",
        "v = momentum * v + inside * (dw + c * np.sign(w))",
        free=True,
        example=0.01,
    ),
    StepMistake(
        "weight-decay-outside",
        "decoupled weight decay of {constant:.4g}",
        "The update contains decoupled weight decay: the parameter shrinks by learning rate "
        "times {constant:.4g}, outside the velocity.",
        "w = w - outside * v - learning_rate * c * w",
        free=True,
        example=0.01,
    ),
)

START = (
    StepMistake(
        "velocity-starts-at-parameter",
        "a velocity that starts as the parameter",
        "The velocity starts as a copy of the parameter (or as the same array).",
        "start = w",
    ),
    StepMistake(
        "velocity-starts-elsewhere",
        "a velocity that starts at {constant:.4g}",
        "The velocity starts at {constant:.4g} in every entry, not where it was declared.",
        "start = np.full_like(w, c)",
        free=True,
        example=1e-5,
    ),
    StepMistake(
        "velocity-starts-at-gradient",
        "a velocity that starts as the gradient",
        "The velocity starts as the gradient, not at zero: the first update has momentum · dw too "
        "much.",
        "v = momentum * (dw if first else v) + inside * dw",
    ),
    StepMistake(
        "first-update-without-rate",
        "a first update without the learning rate",
        "The first update is made without the learning rate; all later ones have it.",
        'rate = 1 if first else learning_rate\ninside, outside = (rate, 1) if form == "velocity" '
        "else (1, rate)",
    ),
)

UPDATE = LEARNING_RATE + DIRECTION + DECAY + START
