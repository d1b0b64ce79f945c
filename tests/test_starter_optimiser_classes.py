"""A class is left out for an optimiser by what its methods do, never by its name alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from compare.examine.starter.network_class import network_classes
from compare.examine.starter.optimiser_classes import by_updates_alone
from compare.examine.starter.source import Source, open_source
from compare.guard.guard import Guard

NETWORKS = {
    "data": "class NetSGD:\n    def gradients(self, X, y):\n        return self.run(X, y)\n",
    "batches": "class NetAdam:\n    def train(self, batch):\n        self.net.learn(batch)\n",
    "products": "class MLPWithMomentum:\n    def gradients(self):\n"
    "        return np.dot(self.h.T, self.d)\n",
    "inherited": "class Net:\n    def cost(self, X, y):\n        return self.run(X, y)\n"
    "class NetSGD(Net):\n    def gradients(self):\n        return self.g\n",
    "one letter": "class NetSGD:\n    def gradients(self, x, t):\n        return self.run(x, t)\n",
}
OPTIMISERS = {
    "step": "class SGD:\n    def zero_grad(self):\n        pass\n    def step(self):\n"
    "        for p in self.params:\n            p.data -= self.lr * p.grad\n",
    "update": "class Adam:\n    def update(self, x, dx, t):\n        return x - self.lr * dx\n",
}


def opened(text: str, folder: Path) -> Source:
    """A file of this text."""
    path = folder / "net.py"
    path.write_text("import numpy as np\n" + text, encoding="utf-8")
    return open_source(path, guard=Guard(timeout=None))


@pytest.mark.parametrize("text", NETWORKS.values(), ids=NETWORKS)
def test_a_network_named_like_an_optimiser_is_compared(text: str, tmp_path: Path) -> None:
    source = opened(text, tmp_path)
    assert list(source.definitions)[-1] in network_classes(source)
    assert by_updates_alone(source) == ()


@pytest.mark.parametrize("text", OPTIMISERS.values(), ids=OPTIMISERS)
def test_an_optimiser_is_no_network_and_is_named(text: str, tmp_path: Path) -> None:
    source = opened(text, tmp_path)
    (name,) = source.definitions
    assert network_classes(source) == []
    assert by_updates_alone(source)[0].endswith(f"by its updates alone: {name}")
