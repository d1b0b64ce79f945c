"""The figures of a run, one module each, drawn without pyplot."""

from compare.report.plots.alt import alt_texts
from compare.report.plots.gallery import figures, write

__all__ = ["alt_texts", "figures", "write"]
