"""Names that fit the numbers and not the cause: beside each what it is, or that it has none."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from compare.contracts.result import Verdict
from compare.layers.check import check_layer

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
