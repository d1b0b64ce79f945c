"""The shapes that are timed, and the numbers that every contender works on."""

from dataclasses import dataclass

import numpy as np

import manual_mlp
from manual_mlp.arrays import Array, Arrays

SHAPES: list[tuple[int, tuple[int, ...]]] = [
    (32, (16, 32, 4)),
    (128, (784, 256, 10)),
    (1_437, (64, 48, 10)),
    (1_437, (64, 128, 10)),
    (10_000, (784, 1_000, 10)),
    (10_000, (784, 512, 512, 10)),
]
RATES = {"learning_rate": 0.01, "momentum": 0.9}


@dataclass(frozen=True, slots=True)
class Problem:
    """One shape: parameters, x (N, F) and one-hot targets (N, K) in one dtype."""

    parameters: Arrays
    x: Array
    targets: Array

    @property
    def sizes(self) -> list[int]:
        """F, H, ..., K."""
        weights = [w for name, w in self.parameters.items() if name.startswith("w")]
        return [len(weights[0]), *(w.shape[1] for w in weights)]


def draw(rows: int, sizes: tuple[int, ...], dtype: str) -> Problem:
    """Random rows between 0 and 1, random labels, Xavier weights."""
    generator = np.random.default_rng(0)
    labels = generator.integers(0, sizes[-1], rows)
    return Problem(
        manual_mlp.initial_parameters(sizes, generator, dtype=dtype),
        generator.random((rows, sizes[0])).astype(dtype),
        np.eye(sizes[-1], dtype=dtype)[labels],
    )


def label(rows: int, sizes: tuple[int, ...]) -> str:
    """`1,437×(64–128–10)`: the batch and the layers."""
    return f"{rows:,}×({'–'.join(map(str, sizes))})"
