"""Inputs and weights of scale 1e-6 to 1e6, as far as a format carries them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

import manual_mlp
from benchmarks.power.case import Setting, Sketch
from benchmarks.power.networks import Generator, log_uniform, sketch

CARRIED = 3 / 4
"""How often the last layer brings the logits back to order 1."""


def scales(generator: Generator, setting: Setting) -> Sketch:
    """Inputs of one scale and weights of another, each from 1e-6 to 1e6.

    In three cases out of four the last layer's weights are such that the logits are of scale 0.01
    to 30 again: otherwise softmax is 1 and 0 or does not depend on the network, at every such
    point. The others are left as they are, whatever underflows or overflows in them.
    """
    drawn = sketch(generator, *(log_uniform(generator, 1e-6, 1e6) for _ in range(2)))
    logits = manual_mlp.forward(drawn.parameters, drawn.x, activation=setting.activation)["logits"]
    size = float(np.std(logits))
    if generator.random() > CARRIED or not 0 < size < np.inf:
        return drawn
    last, factor = len(drawn.parameters) // 2, log_uniform(generator, 1e-2, 30.0) / size
    louder = {name: factor * drawn.parameters[name] for name in (f"w{last}", f"b{last}")}
    return replace(drawn, parameters=drawn.parameters | louder)
