"""What is right only where two lengths coincide is told, and accuses nobody."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from compare.contracts.result import Result, Verdict
from compare.layers.check import check_layer

TOLD = "right where lengths coincide"


def row_means(axis: int) -> Any:
    """The means of rows; right where `axis` is 1, the axis whose length they divide by."""

    def manual(inputs: Any, dy: Any) -> Any:
        x = inputs["x"]
        n = x.shape[axis]
        return x.sum(1) / n, {"x": np.repeat(dy[:, None], x.shape[1], 1) / n}

    return manual


def averaged_linear(axis: int) -> Any:
    """`(x @ w + b) / h`, h the number of columns of w; right where `axis` is 1."""

    def manual(inputs: Any, dy: Any) -> Any:
        x, w, b = (inputs[name] for name in "xwb")
        d = dy / w.shape[axis]
        return (x @ w + b) / w.shape[axis], {"x": d @ w.T, "w": x.T @ d, "b": d.sum(0)}

    return manual


def told(result: Result) -> list[str]:
    return [note for note in result.notes if TOLD in note]


@pytest.mark.parametrize("given", ["shape", "array"])
def test_a_mean_over_the_wrong_count_of_a_square_is_told(given: str) -> None:
    inputs = {"x": (4, 4) if given == "shape" else np.random.default_rng(0).normal(size=(4, 4))}
    right = check_layer(row_means(1), lambda x: x.mean(1), inputs)
    wrong = check_layer(row_means(0), lambda x: x.mean(1), inputs)
    assert right.verdict is wrong.verdict is Verdict.AGREES
    assert not told(right)
    (note,) = told(wrong)
    assert "x is 8×4 in place of 4×4, y[" in note and "give lengths that differ" in note


def test_what_changes_together_is_changed_together() -> None:
    def reference(x: Any, w: Any, b: Any) -> Any:
        return (x @ w + b) / w.shape[1]

    inputs = {"x": (3, 4), "w": (4, 4), "b": (4,)}
    assert not told(check_layer(averaged_linear(1), reference, inputs))
    (note,) = told(check_layer(averaged_linear(0), reference, inputs))
    assert "x is 3×8 in place of 3×4 and w is 8×4 in place of 4×4" in note


@pytest.mark.slow
def test_equal_lengths_of_the_output_are_looked_at_too() -> None:
    def manual(inputs: Any, dy: Any) -> Any:
        x, w = inputs["x"], inputs["w"]
        return x @ w / len(x), {"x": dy @ w.T / len(x), "w": x.T @ dy / len(x)}

    def reference(x: Any, w: Any) -> Any:
        return x @ w / w.shape[1]

    assert told(check_layer(manual, reference, {"x": (4, 3), "w": (3, 4)}))
    assert not check_layer(manual, reference, {"x": (4, 3), "w": (3, 5)})


def test_code_for_one_size_is_left_alone() -> None:
    def manual(inputs: Any, dy: Any) -> Any:
        (x,) = inputs.values()
        assert x.shape == (4, 4)
        return np.tanh(x), {"x": dy * (1 - np.tanh(x) ** 2)}

    result = check_layer(manual, torch.tanh, {"x": (4, 4)})
    assert result.verdict is Verdict.AGREES and not told(result)


@pytest.mark.parametrize("function", [torch.amax, torch.amin])
def test_ties_of_arrays_that_are_repeated_are_kinks(function: Any) -> None:
    """An array is repeated to make it longer, and a maximum is tied there."""

    def manual(inputs: Any, dy: Any) -> Any:
        x = inputs["x"] if function is torch.amax else -inputs["x"]
        first = np.zeros_like(x)
        first[x.argmax(0), np.arange(x.shape[1])] = 1
        return function(torch.from_numpy(inputs["x"]), 0).numpy(), {"x": first * dy}

    x = np.random.default_rng(0).normal(size=(4, 4))
    result = check_layer(manual, lambda x: function(x, 0), {"x": x})
    assert result.verdict is Verdict.AGREES and not told(result), result.notes
