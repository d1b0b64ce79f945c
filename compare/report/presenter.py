"""The reports as a `Result` sees them: `contracts/presentation.py` says why it looks them up."""

from __future__ import annotations

from typing import TYPE_CHECKING

from compare.contracts.result import Result
from compare.report.folder import save
from compare.report.message import one_line, one_screen
from compare.report.notebook import notebook_html
from compare.report.terminal import terminal_text

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["figures", "notebook_html", "one_line", "one_screen", "save", "terminal_text"]


def figures(result: Result) -> dict[str, Figure]:
    """Return the figures of a result; only now is matplotlib loaded, which takes its time."""
    from compare.report import plots

    return plots.figures(result)
