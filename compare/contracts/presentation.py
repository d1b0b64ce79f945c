"""How a `Result` reaches the reports without importing them.

A Result can plot and save itself, and reports read Results: written as imports, that would be a
circle. So the package, which knows both, hands over the reports (`compare/__init__.py`), and they
are loaded when a Result is first shown.
"""

from collections.abc import Callable
from typing import Any

_handed_over: list[Callable[[], Any]] = []


def hand_over(load: Callable[[], Any]) -> None:
    """Say how the reports, a `contracts.result.Presenter`, are loaded."""
    _handed_over[:] = [load]


def reports() -> Any:
    """The reports, loaded."""
    return _handed_over[0]()
