"""All layers of the benchmark."""

from benchmarks.layers import losses, norms, pointwise, structures

LAYERS = (*norms.LAYERS, *pointwise.LAYERS, *losses.LAYERS, *structures.LAYERS)
