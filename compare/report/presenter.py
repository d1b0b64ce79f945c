"""The reports as a `Result` sees them: `contracts/presentation.py` says why it looks them up."""

from compare.report.folder import save
from compare.report.message import one_line, one_screen
from compare.report.notebook import notebook_html
from compare.report.plots import figures
from compare.report.terminal import terminal_text

__all__ = ["figures", "notebook_html", "one_line", "one_screen", "save", "terminal_text"]
