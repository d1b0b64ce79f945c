"""Weights of ours for a training that is handed its first ones: alone, or in the container that the
functions which it hands them on to ask for."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from itertools import pairwise
from typing import Any

import numpy as np

from compare.contracts.arrays import Array
from compare.examine.starter.binding import LAYERS, layers_shown, weight_called, weights_of
from compare.examine.starter.bundles import bundles_of
from compare.examine.starter.source import Source
from compare.examine.starter.training.supply import Supply

SCALE = 0.3


def weights_given(
    source: Source, node: ast.FunctionDef, names: Iterable[str], supply: Supply
) -> dict[str, Any]:
    """Return what is passed for those of the parameters that are weights."""
    layers = layers_shown(source.text)
    widths = supply.sizes_of_two if layers == LAYERS else supply.sizes
    if layers != len(widths) - 1:
        return {}
    arrays = drawn(widths, transposed=supply.columns)
    found: dict[str, Any] = {}
    for name in names:
        if alone := weight_called(name, layers):
            found[name] = arrays[alone]
            continue
        for bundle in bundles_of(source, node, name, layers)[:1]:
            if set(bundle.quantities) <= set(weights_of(layers)):
                found[name] = bundle.built(lambda one: arrays[one].copy())
    return found


def drawn(widths: tuple[int, ...], *, transposed: bool) -> dict[str, Array]:
    """Return weights and biases of these widths; of code with samples in columns as it has them."""
    generator = np.random.default_rng(5)
    found: dict[str, Array] = {}
    for layer, (one, two) in enumerate(pairwise(widths), 1):
        weight = SCALE * generator.normal(size=(one, two))
        bias = SCALE * generator.normal(size=(1, two))
        found[f"w{layer}"] = np.ascontiguousarray(weight.T if transposed else weight)
        found[f"b{layer}"] = np.ascontiguousarray(bias.T if transposed else bias)
    return found
