"""Family: habits of other libraries in the step: where buffers start, when decay comes."""

from __future__ import annotations

from compare.mistakes.optimiser_mistake import OptimiserMistake

OPTIMISER_HABITS = (
    OptimiserMistake(
        "rmsprop-starts-at-one",
        "a mean square of RMSprop that starts at one",
        "The mean of the squares starts at one, as TensorFlow's first RMSprop has it; torch starts "
        "it at zero.",
        's = of.alpha * (kept(old, "s", dw) + 1.0 * (t == 1)) + (1 - of.alpha) * (dw * dw)',
        program="rmsprop",
        of=("rmsprop",),
        trigger="the first updates",
        convention=True,
    ),
    OptimiserMistake(
        "adagrad-starts-at-a-tenth",
        "a sum of Adagrad that starts at 0.1",
        "The sum of the squares starts at 0.1, the initial_accumulator_value of TensorFlow and "
        "Keras; torch starts it at zero.",
        's = kept(old, "s", dw) + 0.1 * (t == 1) + dw * dw',
        program="adagrad",
        of=("adagrad",),
        trigger="the first updates",
        convention=True,
    ),
    OptimiserMistake(
        "adagrad-starts-at-one",
        "a sum of Adagrad that starts at one",
        "The sum of the squares starts at one; torch starts it at zero.",
        's = kept(old, "s", dw) + 1.0 * (t == 1) + dw * dw',
        program="adagrad",
        of=("adagrad",),
        trigger="the first updates",
        convention=True,
    ),
    OptimiserMistake(
        "adamw-decay-after-the-step",
        "a decay of AdamW that comes after the step",
        "The weight decays after the step, which decays with it: (w - step) (1 - rate decay). "
        "AdamW takes the decay off the weight of before: w - rate decay w - step.",
        "w = w - of.learning_rate / first * (m / divisor) "
        "* (1 - of.learning_rate * of.weight_decay)",
        program="adaptive",
        of=("adamw",),
        needs=(("weight_decay", 0.1),),
        convention=True,
    ),
    OptimiserMistake(
        "nesterov-old-velocity-added",
        "Nesterov's step with the old velocity added",
        "The step is (1 + momentum) v + momentum old v; Sutskever's momentum, written at the "
        "looked-ahead point, takes the old velocity off: (1 + momentum) v - momentum old v.",
        'direction = (1 + of.momentum) * v + of.momentum * kept(old, "v", dw)',
        program="sgd",
        of=("sgd",),
        needs=(("nesterov", True),),
    ),
    OptimiserMistake(
        "nesterov-without-gradient",
        "Nesterov's step without the gradient",
        "The step is momentum v, without the gradient that is added to it once more.",
        "direction = of.momentum * v",
        program="sgd",
        of=("sgd",),
        needs=(("nesterov", True),),
    ),
    OptimiserMistake(
        "nesterov-twice",
        "Nesterov's look ahead made twice",
        "The step looks ahead twice: dw + momentum (dw + momentum v); Nesterov's is dw + momentum "
        "v.",
        "direction = dw + of.momentum * (dw + of.momentum * v)",
        program="sgd",
        of=("sgd",),
        needs=(("nesterov", True),),
    ),
    OptimiserMistake(
        "nesterov-old-velocity-kept",
        "Nesterov's step without the old velocity taken off",
        "The step is (1 + momentum) v; written at the looked-ahead point it takes momentum times "
        "the old velocity off that.",
        "direction = (1 + of.momentum) * v",
        program="sgd",
        of=("sgd",),
        needs=(("nesterov", True),),
    ),
    OptimiserMistake(
        "nesterov-look-ahead-kept",
        "a look ahead that is not taken back",
        "The weights are moved by momentum times the old velocity to look ahead, and then by the "
        "new velocity from there; the gradient is of that point, the step from the weight before.",
        'direction = v + of.momentum * kept(old, "v", dw)',
        program="sgd",
        of=("sgd",),
        needs=(("nesterov", True),),
    ),
    OptimiserMistake(
        "momentum-averaged-and-corrected",
        "a running mean of the gradients, corrected for its start",
        "The velocity is a running mean of the gradients, divided by 1 - momentum**t as Adam's is: "
        "the steps are as large as those without momentum.",
        'v = of.momentum * kept(old, "v", dw) + (1 - of.momentum) * dw\n'
        "direction = v / (1 - of.momentum**t)",
        program="sgd",
        of=("sgd",),
        trigger="from the second update on",
    ),
)  # fmt: skip
