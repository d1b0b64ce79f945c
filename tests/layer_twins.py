"""A layer with one mistake and its right twin: what the judge says of the first, and that it does
not accuse the second."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from compare.contracts.result import Verdict
from compare.layers.check import check_layer


def said(manual: Callable[[bool], Any], reference: Any, inputs: Any, **options: Any) -> str:
    """The first name of what is wrong, after the right twin was not accused."""
    assert check_layer(manual(False), reference, inputs, **options).verdict is Verdict.AGREES
    result = check_layer(manual(True), reference, inputs, **options)
    assert result.verdict is Verdict.DISAGREES
    return result.diagnosis[0].sentence
