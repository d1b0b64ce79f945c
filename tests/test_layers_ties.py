"""Among equal entries and at kinks every choice that is a subgradient is right, and no other."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from compare import check_layer
from compare.contracts.result import Verdict

TIED = np.array([[1.0, 1, 1, 0, 0, 2], [0, 0, 0, 0, 0, 0], [3, 2, 3, 2, 3, 2]])
Order = Callable[[Any], Any]


def stable(x: Any) -> Any:
    return np.argsort(x, 1, kind="stable")


def from_the_end(x: Any) -> Any:
    return x.shape[1] - 1 - stable(x[:, ::-1])


def taking(order: Order) -> Callable[..., Any]:
    """A layer that returns the entries in an order, and hands every gradient to its entry."""

    def manual(inputs: Any, dy: Any) -> Any:
        x = inputs["x"]
        places = order(x)
        dx = np.zeros_like(x)
        np.put_along_axis(dx, places, dy, 1)
        return np.take_along_axis(x, places, 1), {"x": dx}

    return manual


def top(x: Any) -> Any:
    return torch.topk(x, 2, 1).values


def ordered(x: Any) -> Any:
    return torch.sort(x, 1).values


@pytest.mark.parametrize("inputs", [{"x": (4, 6)}, {"x": TIED}], ids=["drawn", "tied"])
@pytest.mark.parametrize(
    "order, reference",
    [
        (lambda x: stable(-x)[:, :2], top),
        (lambda x: stable(x)[:, ::-1][:, :2], top),
        (stable, ordered),
        (from_the_end, ordered),
        (lambda x: np.argsort(x, 1), ordered),
        (lambda x: stable(-x), lambda x: torch.sort(x, 1, descending=True).values),
        (lambda x: stable(x)[:, 1:2], lambda x: x.kthvalue(2, 1, keepdim=True).values),
        (lambda x: from_the_end(x)[:, 2:3], lambda x: x.median(1, keepdim=True).values),
    ],
)
def test_any_order_of_equal_entries_is_right(order: Order, reference: Any, inputs: Any) -> None:
    result = check_layer(taking(order), reference, inputs)
    assert result.verdict is Verdict.AGREES and "digits" not in result.sentence


def test_one_entry_cannot_be_taken_twice() -> None:
    def both_to_the_first(inputs: Any, dy: Any) -> Any:
        x = inputs["x"]
        y = -np.sort(-x, 1)[:, :2]
        dx = np.zeros_like(x)
        for row, column in np.ndindex(*y.shape):
            dx[row, np.flatnonzero(x[row] == y[row, column])[0]] += dy[row, column]
        return y, {"x": dx}

    assert check_layer(both_to_the_first, top, {"x": TIED}).verdict is Verdict.DISAGREES


def test_a_sort_whose_gradient_is_not_put_back_is_wrong() -> None:
    manual = taking(stable)
    wrong = check_layer(lambda i, dy: (manual(i, dy)[0], {"x": dy.copy()}), ordered, {"x": (4, 6)})
    assert wrong.verdict is Verdict.DISAGREES


def pooled(share: Callable[[Any], Any]) -> Callable[..., Any]:
    """Max-pooling by 2, with `share` of the mask of the maxima of every window."""

    def manual(inputs: Any, dy: Any) -> Any:
        x = inputs["x"]
        n, c, h, w = x.shape
        windows = x.reshape(n, c, h // 2, 2, w // 2, 2).swapaxes(3, 4).reshape(n, c, -1, 4)
        y = windows.max(-1)
        dx = share((windows == y[..., None]).astype(x.dtype)) * dy.reshape(y.shape)[..., None]
        dx = dx.reshape(n, c, h // 2, w // 2, 2, 2).swapaxes(3, 4).reshape(x.shape)
        return y.reshape(n, c, h // 2, w // 2), {"x": dx}

    return manual


def shared(mask: Any) -> Any:
    return mask / mask.sum(-1, keepdims=True)


def last(mask: Any) -> Any:
    return mask * (np.cumsum(mask[..., ::-1], -1)[..., ::-1] == 1)


@pytest.mark.parametrize("planes", [2, 8])
@pytest.mark.parametrize("seed", [3, 15, 26])
@pytest.mark.parametrize("share, right", [(shared, True), (last, True), (lambda m: m, False)])
def test_tied_maxima_of_many_windows_share_their_gradient(
    share: Any, right: bool, seed: int, planes: int
) -> None:
    x = np.random.default_rng(0).integers(0, 3, (2, planes, 6, 6)).astype(np.float64)
    result = check_layer(pooled(share), lambda x: F.max_pool2d(x, 2), {"x": x}, seed=seed)
    assert (result.verdict is Verdict.AGREES) is right


ZEROS = {"x": np.array([[0.0, 1.0], [0.0, -1.0], [2.0, 0.0]])}


@pytest.mark.parametrize(
    "slopes, right",
    [([1.0], True), ([0.3], True), ([0.1, 0.5, 0.9], False), ([1.0, 0.0, 0.0], False)],
)
@pytest.mark.parametrize("through", [1.0, 0.25])
def test_all_zeros_of_a_rectifier_have_one_slope(
    slopes: list[float], right: bool, through: float
) -> None:
    def manual(inputs: Any, dy: Any) -> Any:
        x = inputs["x"]
        slope = np.where(x > 0, 1, 1 - through)
        at_zero = 1 - through + through * np.resize(slopes, x.shape)
        return x * np.where(x > 0, 1, 1 - through), {"x": dy * np.where(x == 0, at_zero, slope)}

    reference = torch.relu if through == 1 else lambda x: F.leaky_relu(x, 1 - through)
    result = check_layer(manual, reference, ZEROS)
    assert (result.verdict is Verdict.AGREES) is right


@pytest.mark.parametrize("slope", [1.0, -1.0, 0.4])
def test_the_absolute_value_has_one_slope_at_all_its_zeros(slope: float) -> None:
    def manual(inputs: Any, dy: Any, slopes: Any = slope) -> Any:
        x = inputs["x"]
        return np.abs(x), {"x": dy * np.where(x == 0, np.resize(slopes, x.shape), np.sign(x))}

    assert check_layer(manual, torch.abs, ZEROS).verdict is Verdict.AGREES
    other = check_layer(lambda i, dy: manual(i, dy, [slope, 0.2, 0.7]), torch.abs, ZEROS)
    assert other.verdict is Verdict.DISAGREES


def parts(place: Callable[[Any], int]) -> Callable[..., Any]:
    """Adaptive max-pooling of 7 columns to 3, with a place for the maximum of a part."""

    def manual(inputs: Any, dy: Any) -> Any:
        x = inputs["x"]
        y, dx = np.zeros((*x.shape[:2], 3), x.dtype), np.zeros_like(x)
        for n, c, k in np.ndindex(*y.shape):
            start, end = k * 7 // 3, -(-(k + 1) * 7 // 3)
            at = start + place(x[n, c, start:end])
            y[n, c, k] = x[n, c, start:end].max()
            dx[n, c, at] += dy[n, c, k]
        return y, {"x": dx}

    return manual


@pytest.mark.parametrize(
    "place, right",
    [
        (np.argmax, True),
        (lambda part: len(part) - 1 - int(np.argmax(part[::-1])), True),
        (lambda part: 0, False),
    ],
)
@pytest.mark.parametrize("inputs", [(2, 3, 7), np.tile([1.0, 2, 2, 0, 2, 2, 1], (2, 3, 1))])
def test_adaptive_pooling_takes_a_maximum_of_every_part(
    place: Any, right: bool, inputs: Any
) -> None:
    result = check_layer(parts(place), lambda x: F.adaptive_max_pool1d(x, 3), {"x": inputs})
    assert (result.verdict is Verdict.AGREES) is right
    assert not any("no rule" in weak.reason for weak in result.weak)
