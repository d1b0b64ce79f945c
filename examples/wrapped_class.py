"""The class of network_class.py as a function of contract 1: five lines.

python -m compare.run --manual examples/wrapped_class.py --activation tanh
"""

from __future__ import annotations

from network_class import Array, Network


def loss_and_gradients(
    parameters: dict[str, Array], x: Array, targets: Array
) -> tuple[float, dict[str, Array]]:
    """Return the loss at the parameters and its gradients, by the parameters' names."""
    names = ("w1", "b1", "w2", "b2")
    network = Network(*(parameters[name] for name in names))
    network.forward(x)
    gradients = dict(zip(names, network.backward(targets), strict=True))
    return network.loss(targets), gradients
