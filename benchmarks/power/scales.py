"""Inputs and weights of scale 1e-6 to 1e6, as far as a format carries them."""

from __future__ import annotations

import numpy as np

import manual_mlp
from benchmarks.power.case import Float, Setting, Sketch
from benchmarks.power.networks import Generator, log_uniform, sketch

CARRIED = 3 / 4
"""How often z is brought back to an ordinary scale where a function bends."""


def scales(generator: Generator, setting: Setting) -> Sketch:
    """Inputs of one scale and weights of another, each from 1e-6 to 1e6.

    In three cases out of four the weights before softmax, tanh and sigmoid are such that z is of
    scale 0.01 to 30 again: otherwise these are flat, and no gradient depends on anything. The
    others are left as they are, whatever underflows or overflows in them.
    """
    drawn = sketch(generator, *(log_uniform(generator, 1e-6, 1e6) for _ in range(2)))
    if generator.random() > CARRIED:
        return drawn
    parameters, depth = dict(drawn.parameters), len(drawn.parameters) // 2
    bends = setting.activation in ("tanh", "sigmoid")
    for layer in range(1 if bends else depth, depth + 1):
        name = f"z{layer}" if layer < depth else "logits"
        z = manual_mlp.forward(parameters, drawn.x, activation=setting.activation)[name]
        parameters |= rescaled(parameters, layer, z, log_uniform(generator, 1e-2, 30.0))
    return Sketch(parameters, drawn.x, drawn.targets)


def rescaled(parameters: dict[str, Float], layer: int, z: Float, scale: float) -> dict[str, Float]:
    """Return the layer's weights and biases for which z has the given scale."""
    size = float(np.sqrt(np.mean(np.square(z))))
    factor = scale / size if 0 < size < np.inf else 1.0
    return {name: factor * parameters[name] for name in (f"w{layer}", f"b{layer}")}
