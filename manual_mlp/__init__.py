"""A multi-layer perceptron derived by hand: NumPy only, no automatic differentiation.

Read it in this order; each file is one idea and needs only those before it:

    arrays.py        the letters N, F, H, K, L and dictionaries of named arrays
    activations.py   relu and its siblings: value and derivative
      rectifiers.py, smooth.py                   made of pieces, and without a corner
    layer.py         compute_layer: z = x @ w + b, and what flows back through it
    loss.py          softmax, cross-entropy, and why the gradient is (p - y) / N
    normalise.py, dropout.py, between.py         what else stands between two layers
    network.py       layers in a row: forward, backward
    losses.py, outputs.py, criterion.py          what else may stand above the logits
    penalty.py       what large weights cost
    rows.py          blocks of rows, whose gradients add up
    objective.py     the network as a function: loss_and_gradients, evaluate
    initialise.py    where the weights start
    optimise.py      momentum, in the report's form and in torch's
    optimisers.py    the others: Nesterov, decay, Adam, AMSGrad, RMSprop, Adagrad
    schedules.py     the learning rate from update to update, clipping, early stopping
    per_sample.py    the gradient of every sample; the Hessian times a vector
    curvature.py     the second derivatives it takes
    train.py         the learning loop, one record per update
"""

from manual_mlp import declared
from manual_mlp.activations import ACTIVATIONS, Activation, relu
from manual_mlp.between import Between
from manual_mlp.criterion import Criterion
from manual_mlp.initialise import INITIALISERS, initial_parameters, initial_velocity
from manual_mlp.layer import compute_layer
from manual_mlp.loss import average_ce, cross_entropy, grad_ce, softmax
from manual_mlp.network import backward, forward
from manual_mlp.objective import evaluate, loss_and_gradients
from manual_mlp.optimise import OPTIMISERS, buffer_step, velocity_step
from manual_mlp.penalty import Penalty
from manual_mlp.train import Evaluation, Record, train

__all__ = [
    "ACTIVATIONS",
    "INITIALISERS",
    "OPTIMISERS",
    "Activation",
    "Between",
    "Criterion",
    "Evaluation",
    "Penalty",
    "Record",
    "average_ce",
    "backward",
    "buffer_step",
    "compute_layer",
    "cross_entropy",
    "declared",
    "evaluate",
    "forward",
    "grad_ce",
    "initial_parameters",
    "initial_velocity",
    "loss_and_gradients",
    "relu",
    "softmax",
    "train",
    "velocity_step",
]
