"""The reports as a `Result` sees them: `contracts/presentation.py` says why it looks them up."""

from __future__ import annotations

from compare.contracts.result import Result
from compare.report.folder import save
from compare.report.message import one_line, one_screen
from compare.report.notebook import Figures, notebook_html
from compare.report.progress import notebook_line
from compare.report.terminal import terminal_text

__all__ = [
    "figures", "notebook_html", "notebook_line", "one_line", "one_screen", "save", "terminal_text",
]  # fmt: skip


def figures(result: Result) -> Figures:
    """Return the figures of a result; only now is matplotlib loaded, which takes its time."""
    from compare.report import plots

    return Figures(plots.figures(result))
