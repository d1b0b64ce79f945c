"""The reports as a `Result` sees them: `contracts/presentation.py` says why it looks them up."""

from compare.report.folder import save
from compare.report.message import one_screen
from compare.report.plots import figures

__all__ = ["figures", "one_screen", "save"]
