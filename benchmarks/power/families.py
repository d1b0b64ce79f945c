"""Twenty families of points at which rounding is not what it is on ordinary ones.

Networks, batches and targets as people have them, or get them wrong: pixels of 0 to 255, constant
initial weights, fitted batches, layers of one direction. Each family is a few lines on top of
`draw`, and none of them knows how allowances are found.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np

import manual_mlp
from benchmarks.power.case import Float, Setting, Sketch
from benchmarks.power.networks import Generator, draw_targets, log_uniform, whole
from benchmarks.power.training import separable

Family = Callable[[Generator, Setting], Sketch]


def draw(
    generator: Generator, sizes: tuple[int, ...], rows: int, *, gain: float = 1.0, bias: float = 0.1
) -> Sketch:
    """Normal inputs, weights of standard deviation `gain / sqrt(fan_in)`, biases of `bias`."""
    parameters = {}
    for layer, (fan_in, fan_out) in enumerate(pairwise(sizes), start=1):
        parameters[f"w{layer}"] = gain * generator.normal(size=(fan_in, fan_out)) / np.sqrt(fan_in)
        parameters[f"b{layer}"] = bias * generator.normal(size=fan_out)
    x = generator.normal(size=(rows, sizes[0]))
    return Sketch(parameters, x, draw_targets(generator, rows, sizes[-1]))


def sizes_of(
    generator: Generator, low: int = 4, high: int = 128, depth: int = 3, classes: int = 10
) -> tuple[int, ...]:
    """Return widths of up to `depth` layers, and 2 to `classes` classes."""
    layers = int(generator.integers(1, depth + 1))
    widths = (whole(generator, low, high) for _ in range(layers))
    return (*widths, int(generator.integers(2, classes + 1)))


def some(generator: Generator, gain: float = 1.0, bias: float = 0.1) -> Sketch:
    """A network of ordinary widths, a batch of 8 to 256."""
    return draw(generator, sizes_of(generator), whole(generator, 8, 256), gain=gain, bias=bias)


def with_inputs(drawn: Sketch, x: Float) -> Sketch:
    return Sketch(drawn.parameters, x, drawn.targets)


def with_first_layer(drawn: Sketch, factor: float) -> Sketch:
    """The first layer's weights so much larger: inputs of another size, z of the same."""
    return Sketch(
        drawn.parameters | {"w1": drawn.parameters["w1"] * factor}, drawn.x, drawn.targets
    )


def fitted(drawn: Sketch, setting: Setting, generator: Generator, wrong: float) -> Sketch:
    """Targets as the network predicts them, but for a share of the rows."""
    logits = manual_mlp.forward(drawn.parameters, drawn.x, activation=setting.activation)["logits"]
    labels = logits.argmax(axis=1)
    other = generator.random(len(labels)) < wrong
    labels[other] = generator.integers(0, logits.shape[1], int(other.sum()))
    return Sketch(drawn.parameters, drawn.x, np.eye(logits.shape[1])[labels])


def louder(drawn: Sketch, factor: float) -> Sketch:
    """The last layer so much louder."""
    last = len(drawn.parameters) // 2
    changed = {f"{k}{last}": factor * drawn.parameters[f"{k}{last}"] for k in "wb"}
    return Sketch(drawn.parameters | changed, drawn.x, drawn.targets)


def big(generator: Generator, _: Setting) -> Sketch:
    """Widths of 64 to 2,048."""
    return draw(generator, sizes_of(generator, 64, 2048, 2), whole(generator, 4, 64))


def long_batch(generator: Generator, _: Setting) -> Sketch:
    """2,000 to 20,000 samples."""
    return draw(generator, sizes_of(generator, 4, 24, 2, 5), whole(generator, 2000, 20000))


def scaled_weights(generator: Generator, _: Setting) -> Sketch:
    """Weights of 1e-8 to 1e8."""
    return some(generator, gain=log_uniform(generator, 1e-8, 1e8))


def saturated(generator: Generator, setting: Setting) -> Sketch:
    """A softmax whose largest probability is 1, or nearly."""
    loud = louder(some(generator), log_uniform(generator, 10, 300))
    return fitted(loud, setting, generator, float(generator.choice([0.0, 0.02, 1.0])))


def converged(generator: Generator, setting: Setting) -> Sketch:
    """Every sample fitted, or all but a few."""
    loud = louder(some(generator), log_uniform(generator, 3, 30))
    return fitted(loud, setting, generator, float(generator.choice([0.0, 0.01])))


def trained(generator: Generator, setting: Setting) -> Sketch:
    """After up to 400 updates of gradient descent with momentum of up to 0.99."""
    sizes, rows = sizes_of(generator, 4, 48, 3, 6), whole(generator, 16, 128)
    x, targets = separable(generator, rows, sizes[0], sizes[-1])
    now = draw(generator, sizes, rows).parameters
    velocity = {name: np.zeros_like(w) for name, w in now.items()}
    momentum, rate = float(generator.choice([0.0, 0.9, 0.99])), log_uniform(generator, 0.01, 0.3)
    for _ in range(whole(generator, 1, 400)):
        _, found = manual_mlp.loss_and_gradients(now, x, targets, activation=setting.activation)
        velocity = {k: momentum * velocity[k] - rate * found[k] for k in now}
        now = {k: now[k] + velocity[k] for k in now}
    return Sketch(now, x, targets)


def deep_saturation(generator: Generator, _: Setting) -> Sketch:
    """Hidden units far out on the flat parts of tanh and sigmoid."""
    return some(generator, gain=log_uniform(generator, 3, 30))


def repeated_rows(generator: Generator, _: Setting) -> Sketch:
    """A few rows, many times."""
    drawn = some(generator)
    picked = generator.integers(0, whole(generator, 1, 8), len(drawn.x)) % len(drawn.x)
    return Sketch(drawn.parameters, drawn.x[picked], drawn.targets[picked])


def near_duplicates(generator: Generator, _: Setting) -> Sketch:
    """A few prototypes with jitter, 1e-12 to 1e-2."""
    rows = whole(generator, 100, 1500)
    drawn = draw(generator, sizes_of(generator, 4, 64, 2, 5), rows)
    classes = drawn.targets.shape[1]
    which = generator.integers(0, classes, rows)
    jitter = log_uniform(generator, 1e-12, 1e-2)
    x = 3 * drawn.x[which % rows] * (1 + jitter * generator.normal(size=drawn.x.shape))
    return Sketch(drawn.parameters, x, np.eye(classes)[which])


def sparse(generator: Generator, _: Setting) -> Sketch:
    """Nine inputs in ten are zero."""
    drawn = some(generator)
    return with_inputs(drawn, drawn.x * (generator.random(drawn.x.shape) < 0.1))


def one_hot(generator: Generator, _: Setting) -> Sketch:
    """One input in each row is 1."""
    drawn = some(generator)
    rows, features = drawn.x.shape
    return with_inputs(drawn, np.eye(features)[generator.integers(0, features, rows)])


def pixels(generator: Generator, _: Setting) -> Sketch:
    """Grey values of 0 to 255, most of them 0, as they are."""
    sizes = (784, *sizes_of(generator, 8, 100, 2)[1:])
    drawn = draw(generator, sizes, whole(generator, 8, 128))
    grey = generator.integers(0, 256, drawn.x.shape) * (generator.random(drawn.x.shape) < 0.2)
    return with_first_layer(
        with_inputs(drawn, grey.astype(np.float64)), log_uniform(generator, 1e-3, 1.0)
    )


def huge_feature(generator: Generator, _: Setting) -> Sketch:
    """One feature 1e2 to 1e6 times as large as the others."""
    drawn = some(generator)
    x = drawn.x.copy()
    x[:, 0] *= log_uniform(generator, 1e2, 1e6)
    return with_inputs(drawn, x)


def large_mean(generator: Generator, _: Setting) -> Sketch:
    """Inputs that were not centred: a mean of 10 to 1e5."""
    drawn = some(generator)
    mean = log_uniform(generator, 10, 1e5)
    return with_first_layer(with_inputs(drawn, drawn.x + mean), log_uniform(generator, 1 / mean, 1))


def large_biases(generator: Generator, _: Setting) -> Sketch:
    """Biases of 10 to 1e4."""
    return some(generator, bias=log_uniform(generator, 10, 1e4))


def many_classes(generator: Generator, _: Setting) -> Sketch:
    """200 to 2,000 classes."""
    sizes = (*sizes_of(generator, 4, 40, 2)[:-1], whole(generator, 200, 2000))
    return draw(generator, sizes, whole(generator, 8, 64), gain=log_uniform(generator, 0.1, 10))


def structured_weights(generator: Generator, _: Setting) -> Sketch:
    """Weights that nobody drew: constant, a line, alternating, powers of 2, rounded."""
    drawn = draw(generator, sizes_of(generator, 16, 800, 2), whole(generator, 8, 64))
    parameters = dict(drawn.parameters)
    which = int(generator.integers(6))
    for name, w in drawn.parameters.items():
        if name[0] == "w":
            parameters[name] = structured(which, w, generator)
    binary = generator.random(drawn.x.shape) < 0.35
    x = binary.astype(np.float64) if generator.random() < 0.5 else drawn.x
    return Sketch(parameters, x, drawn.targets)


def structured(which: int, w: Float, generator: Generator) -> Float:
    """Return weights of one structure in the shape of `w`, and about its size."""
    fan_in, fan_out = w.shape
    size = 1 / np.sqrt(fan_in)
    per_unit = size * (1 + 0.3 * generator.normal(size=fan_out))
    if which == 0:
        return np.broadcast_to(per_unit, w.shape).copy()
    if which == 1:
        return np.asarray(np.linspace(-size, size, w.size).reshape(w.shape))
    if which == 2:
        return np.asarray(np.where(np.arange(fan_in) % 2 == 0, 1, -1)[:, None] * per_unit)
    if which == 3:
        return np.asarray(np.exp2(np.round(np.log2(np.abs(w) + 1e-9))) * np.sign(w))
    if which == 4:
        return np.round(w, 2)
    return np.asarray(np.where(np.arange(fan_in) < fan_in // 2, 1, -1)[:, None] * per_unit)


def aligned(generator: Generator, _: Setting) -> Sketch:
    """Layers of rank one, each aligned with the next, behind a first one that is not."""
    depth = int(generator.integers(2, 7))
    sizes = (*(whole(generator, 16, 128) for _ in range(depth)), int(generator.integers(2, 9)))
    drawn = draw(generator, sizes, whole(generator, 8, 64), bias=0.0)
    parameters, before = dict(drawn.parameters), generator.normal(size=sizes[1])
    for layer in range(2, depth + 1):
        after = generator.normal(size=sizes[layer])
        w = np.outer(before, after) / np.sqrt(len(before) * len(after))
        noise = float(generator.choice([0.0, 0.05])) / np.sqrt(len(before))
        parameters[f"w{layer}"] = 1.5 * w + noise * generator.normal(size=w.shape)
        before = after
    x = drawn.x + float(generator.choice([0.0, 30.0]))
    parameters["b1"] = -(x @ parameters["w1"]).mean(axis=0)
    return Sketch(parameters, x, drawn.targets)


def tiny(generator: Generator, _: Setting) -> Sketch:
    """Widths of 1 to 3."""
    depth = int(generator.integers(1, 5))
    sizes = (*(int(n) for n in generator.integers(1, 4, depth)), int(generator.integers(2, 4)))
    return draw(generator, sizes, whole(generator, 1, 64), gain=2.0)


def plain(generator: Generator, _: Setting) -> Sketch:
    """Nothing special."""
    return some(generator)


FAMILIES: dict[str, Family] = {
    "plain": plain,
    "big": big,
    "long batch": long_batch,
    "scaled weights": scaled_weights,
    "saturated": saturated,
    "converged": converged,
    "trained": trained,
    "deep saturation": deep_saturation,
    "repeated rows": repeated_rows,
    "near-duplicate rows": near_duplicates,
    "sparse inputs": sparse,
    "one-hot inputs": one_hot,
    "pixels": pixels,
    "huge feature": huge_feature,
    "large mean": large_mean,
    "large biases": large_biases,
    "many classes": many_classes,
    "structured weights": structured_weights,
    "aligned layers": aligned,
    "tiny": tiny,
}
"""How each is drawn; the names are kinds of points."""
