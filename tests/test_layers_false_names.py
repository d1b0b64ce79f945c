"""Names that fit the numbers and not the cause: beside each what it is, or that it has none."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from compare.contracts.result import Verdict
from compare.layers.check import check_layer
from compare.layers.names.single import EVERYWHERE

pytestmark = pytest.mark.slow

Array = Any
WHOLE = np.array([[1.0, -2.0, 3.0], [4.0, -1.0, 6.0]])


def said(manual: Any, reference: Any, inputs: dict[str, Any], **options: Any) -> str:
    """The name of what is wrong, after the right twin was not accused."""
    assert check_layer(manual(False), reference, inputs, **options).verdict is Verdict.AGREES
    result = check_layer(manual(True), reference, inputs, **options)
    assert result.verdict is Verdict.DISAGREES
    return "; ".join(d.sentence for d in result.diagnosis)


def replaced(due: float, by: float) -> Callable[[Array], Array]:
    return lambda g: np.where(g == due, by, g)


@pytest.mark.parametrize("value, slope, spoil", [
    (lambda x: (x**2).sum(), lambda x: 2 * x, replaced(12.0, 11.0)),
    (lambda x: (x**2).sum() / 2, lambda x: x, replaced(6.0, 4.4)),
    (lambda x: x.mean(), lambda x: 0 * x + 1 / x.size, lambda g: 0.73 * g),
    (lambda x: abs(x).sum(), np.sign, lambda g: 0.73 * g),
    (lambda x: abs(x).mean(), lambda x: np.sign(x) / x.size, lambda g: 0.6 * np.sqrt(6) * g),
    (lambda x: (x**2).sum() / 2, lambda x: x, lambda g: g.clip(-3.5, 3.5)),
], ids=["11 for 12", "4.4 for 6", "mean", "l1", "of norm 0.6", "clipped"])  # fmt: skip
def test_what_is_too_small_by_itself_is_not_called_clipped(
    value: Callable[[Array], Any], slope: Callable[[Array], Array], spoil: Any, request: Any
) -> None:
    """One entry that is wrong, or entries of one size that are all scaled down."""

    def manual(wrong: bool) -> Any:
        def backward(inputs: Any, dy: Any) -> Any:
            g = slope(inputs["x"])
            return value(inputs["x"]), {"x": spoil(g) if wrong else g}

        return backward

    name = said(manual, lambda x: value(x), {"x": WHOLE})
    is_clipped = request.node.callspec.id == "clipped"
    assert ("clipped at ±3.5" in name) is is_clipped
    assert is_clipped or ("clipped" not in name and "norm" not in name)


def drawn(**shapes: tuple[int, ...]) -> dict[str, Any]:
    random = np.random.default_rng(9)
    return {name: random.normal(size=shape) for name, shape in shapes.items()}


def softmax(s: Array) -> Array:
    e = np.exp(s - s.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def classifier(wrong: bool) -> Any:
    """Two layers with ReLU and a softmax; wrong: the slope of ReLU is left out."""

    def manual(inputs: Any, dy: Any) -> Any:
        x, w, v = (inputs[name] for name in "xwv")
        h = np.maximum(x @ w, 0)
        p = softmax(h @ v)
        ds = p * (dy - (dy * p).sum(-1, keepdims=True))
        dz = ds @ v.T * (1 if wrong else h > 0)
        return p, {"x": dz @ w.T, "w": x.T @ dz, "v": h.T @ ds}

    return manual


def attention(omitted: str) -> Callable[[bool], Any]:
    """One head with dropout; wrong: the gradient of queries, keys or values is left out."""

    def make(wrong: bool) -> Any:
        def manual(inputs: Any, dy: Any) -> Any:
            x, *weights, keep = (inputs[name] for name in ("x", "a", "b", "c", "keep"))
            q, k, v = (x @ w for w in weights)
            p = softmax(q @ k.T)
            ds = p * ((dp := dy @ v.T * keep) - (dp * p).sum(-1, keepdims=True))
            parts = {"q": ds @ k, "k": ds.T @ q, "v": (p * keep).T @ dy}
            if wrong:
                parts[omitted] = 0 * parts[omitted]
            dx = sum(d @ w.T for d, w in zip(parts.values(), weights, strict=True))
            grads = dict(zip("abc", (x.T @ d for d in parts.values()), strict=True))
            return (p * keep) @ v, {"x": dx} | grads

        return manual

    return make


def attended(x: Any, a: Any, b: Any, c: Any, keep: Any) -> Any:
    return torch.softmax((x @ a) @ (x @ b).T, -1) * keep @ (x @ c)


HEAD = drawn(x=(5, 3), a=(3, 4), b=(3, 4), c=(3, 2)) | {"keep": 1.25 * (drawn(k=(5, 5))["k"] > -1)}


def test_what_is_multiplied_before_the_softmax_of_a_classifier_is_no_query() -> None:
    name = said(
        classifier,
        lambda x, w, v: torch.softmax(torch.relu(x @ w) @ v, -1),
        drawn(x=(5, 4), w=(4, 6), v=(6, 3)),
    )
    assert "the derivative of ReLU is left out" in name


@pytest.mark.parametrize("omitted, role", [("q", "queries"), ("k", "keys"), ("v", "values")])
def test_what_is_multiplied_before_the_softmax_of_an_attention_keeps_its_role(
    omitted: str, role: str
) -> None:
    name = said(attention(omitted), attended, HEAD, wrt=("x", "a", "b", "c"))
    assert f"the gradient does not flow through the {role}" in name


FIVE_LARGE = np.array([[0.5, -1, 0.7], [-2, 0.9, -0.4], [-1.5, 0.2, -0.6], [0.1, 1.2, 0.8]])
KEPT = np.arange(12).reshape(4, 3) % 2 == 0


def masked_mean(factor: float) -> Callable[[bool], Any]:
    """The mean of x², or of x³ where x is small, over what a mask leaves."""

    def make(wrong: bool) -> Any:
        def manual(inputs: Any, dy: Any) -> Any:
            x, keep = inputs["x"], inputs["keep"]
            large = x > 0.3
            dx = np.where(large, 2 * x, 3 * x**2) * keep / keep.sum()
            return (np.where(large, x**2, x**3) * keep).sum() / keep.sum(), {
                "x": dx * factor if wrong else dx
            }

        return manual

    return make


def mean_of_kept(x: Any, keep: Any) -> Any:
    return (torch.where(x > 0.3, x**2, x**3) * keep).sum() / keep.sum()


@pytest.mark.parametrize("factor, words", [
    (2.0, "dx is doubled"),
    (0.5, "dx is halved"),
    (6.0, "dx is multiplied by 6, the number of entries that count"),
    (6 / 4, "divided by 4, the length of axis 0 of x, in place of 6, the number of entries"),
])  # fmt: skip
def test_a_masked_mean_is_divided_by_no_mask_that_its_divisor_does_not_know(
    factor: float, words: str
) -> None:
    layer = masked_mean(factor), mean_of_kept, {"x": FIVE_LARGE, "keep": KEPT}
    assert words in said(*layer, wrt=("x",))


def test_a_mask_of_another_value_is_not_what_a_mean_was_divided_by() -> None:
    name = said(masked_mean(6 / 5), mean_of_kept, {"x": FIVE_LARGE, "keep": KEPT}, wrt=("x",))
    assert "divided by 5" not in name


def scaled(factor: float, both: bool) -> Callable[[bool], Any]:
    """An attention in torch; wrong: the gradient of the keys, or both, times a factor."""

    def make(wrong: bool) -> Any:
        def manual(inputs: Any, dy: Any) -> Any:
            q, k, v = (inputs[name] for name in "qkv")
            p = torch.softmax(q @ k.T / 5**0.5, -1)
            dp = dy @ v.T
            ds = p * (dp - (dp * p).sum(-1, keepdim=True)) / 5**0.5
            of_keys = factor if wrong else 1.0
            of_queries = of_keys if both else 1.0
            return p @ v, {"q": ds @ k * of_queries, "k": ds.T @ q * of_keys, "v": p.T @ dy}

        return manual

    return make


@pytest.mark.parametrize("form", [torch.bfloat16, torch.float16], ids=str)
@pytest.mark.parametrize("factor, both, words", [
    (1.7, True, ""),
    (1.7, False, ""),
    (0.3, False, ""),
    (2.0, False, "dk is doubled"),
    (5**0.5, True, "the scale 1/√5 is left out"),
    (5**0.5, False, "the scale 1/√5 is missing in what flows back through `k`"),
    (5**-0.5, False, "the scale 1/√5 stands once too often in what flows back through `k`"),
])  # fmt: skip
def test_in_few_digits_not_every_factor_is_the_scale(
    form: torch.dtype, factor: float, both: bool, words: str
) -> None:
    inputs = {
        n: torch.from_numpy(x).to(form) for n, x in drawn(q=(6, 5), k=(7, 5), v=(7, 4)).items()
    }
    name = said(
        scaled(factor, both), lambda q, k, v: torch.softmax(q @ k.T / 5**0.5, -1) @ v, inputs
    )
    assert words in name and EVERYWHERE not in name
    assert ("the scale" in name) is ("the scale" in words)
