"""NumPy on the problem: the manual gradient and step, and the floor below which none can go."""

from functools import partial

import numpy as np

import manual_mlp
from benchmarks.problem import RATES, Problem
from benchmarks.timing import Call


def manual(problem: Problem) -> dict[str, Call]:
    """Ours: one gradient, and one step of training."""
    parameters, x, targets = problem.parameters, problem.x, problem.targets
    gradient = partial(manual_mlp.loss_and_gradients, parameters, x, targets)
    state = manual_mlp.initial_velocity(parameters)

    def step() -> None:
        _, gradients = gradient()
        manual_mlp.velocity_step(parameters, gradients, state, **RATES)

    return {"manual gradient": gradient, "manual step": step}


def floor(problem: Problem) -> Call:
    """Only the matrix products a gradient needs, same BLAS and layouts, outputs allocated before.

    L forward, L for the weights, L - 1 for what flows back to a hidden layer.
    """
    names = [name for name in problem.parameters if name.startswith("w")]
    weights = [problem.parameters[name] for name in names]
    values = [problem.x, *(np.empty((len(problem.x), w.shape[1]), w.dtype) for w in weights)]
    for value in values[1:]:
        value[...] = np.random.default_rng(1).random(value.shape)
    backward = [value.copy() for value in values]
    gradients = [np.empty_like(w) for w in weights]

    def products() -> None:
        for layer, w in enumerate(weights):
            np.matmul(values[layer], w, out=values[layer + 1])
        for layer in reversed(range(len(weights))):
            np.matmul(values[layer].T, backward[layer + 1], out=gradients[layer])
            if layer > 0:
                np.matmul(backward[layer + 1], weights[layer].T, out=backward[layer])

    return products
