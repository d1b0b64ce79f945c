"""One difficulty on top of an ordinary point: zeros, denormals, saturation, weights of rank one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

import manual_mlp
from benchmarks.power.case import Setting, Sketch
from benchmarks.power.networks import (
    Generator,
    log_uniform,
    ordinary,
)


def hard(generator: Generator, setting: Setting) -> Sketch:
    """One difficulty out of a list, on top of an ordinary point."""
    chosen = HARD[int(generator.integers(len(HARD)))]
    return chosen(generator, ordinary(generator), setting)


def saturated(generator: Generator, drawn: Sketch, setting: Setting) -> Sketch:
    """The last layer's weights up to 10,000 times as large: softmax is one-hot or nearly."""
    parameters, last = dict(drawn.parameters), len(drawn.parameters) // 2
    factor = log_uniform(generator, 3.0, 1e4)
    parameters[f"w{last}"] = factor * parameters[f"w{last}"]
    return replace(drawn, parameters=parameters)


def fitted(generator: Generator, drawn: Sketch, setting: Setting) -> Sketch:
    """A saturated point whose targets are what the network predicts, but for some samples."""
    loud = saturated(generator, drawn, setting)
    values = manual_mlp.forward(loud.parameters, loud.x, activation=setting.activation)
    labels = values["logits"].argmax(axis=1)  # (N,)
    classes = values["logits"].shape[1]
    wrong = generator.random(len(labels)) < generator.choice([0.0, 0.02])
    labels[wrong] = generator.integers(0, classes, int(wrong.sum()))
    return replace(loud, targets=np.eye(classes)[labels])


def positive(generator: Generator, drawn: Sketch, setting: Setting) -> Sketch:
    """All weights and inputs positive: every sum grows and nothing cancels."""
    parameters = {k: np.abs(v) for k, v in drawn.parameters.items()}
    return replace(drawn, parameters=parameters, x=np.abs(drawn.x))


def rank_one(generator: Generator, drawn: Sketch, setting: Setting) -> Sketch:
    """Weights of rank one: all units of a layer are multiples of one."""
    parameters = dict(drawn.parameters)
    for name, w in drawn.parameters.items():
        if name.startswith("w"):
            parameters[name] = w[:, :1] * generator.normal(size=(1, w.shape[1]))
    return replace(drawn, parameters=parameters)


def with_zeros(generator: Generator, drawn: Sketch, setting: Setting) -> Sketch:
    """Exact zeros: rows of x, features, weights, whole units."""
    x = drawn.x.copy()
    x[generator.random(len(x)) < 0.3] = 0
    x[:, generator.random(x.shape[1]) < 0.3] = 0
    parameters = {k: v * (generator.random(v.shape) < 0.7) for k, v in drawn.parameters.items()}
    for layer in range(1, len(parameters) // 2):
        dead = generator.random(parameters[f"b{layer}"].size) < 0.2
        parameters[f"w{layer}"][:, dead] = 0
        parameters[f"b{layer}"][dead] = 0
    return Sketch(parameters, x, drawn.targets)


def with_denormals(generator: Generator, drawn: Sketch, setting: Setting) -> Sketch:
    """Some features so small that their products leave the normal numbers of either format."""
    tiny = generator.choice([1e-39, 1e-310, 1e-25, 1e-160], drawn.x.shape[1])
    columns = np.where(generator.random(drawn.x.shape[1]) < 0.5, tiny, 1.0)
    return replace(drawn, x=drawn.x * columns)


def one_sample(generator: Generator, drawn: Sketch, setting: Setting) -> Sketch:
    """A batch of 1."""
    return replace(drawn, x=drawn.x[:1], targets=drawn.targets[:1])


HARD: tuple[Callable[[Generator, Sketch, Setting], Sketch], ...] = (
    saturated,
    fitted,
    positive,
    rank_one,
    with_zeros,
    with_denormals,
    one_sample,
)
