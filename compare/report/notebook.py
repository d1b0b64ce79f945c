"""What a notebook shows of a Result: verdict, table, diagnosis and pictures, in its own style.

A page of its own would bring its own styles into the notebook; this is a piece of the notebook's,
and says of its pictures only that they are dark where the notebook is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from markupsafe import Markup

from compare.contracts.result import Result

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ROWS = 8
"""As many tensors, weak points and notes; `print(result)` and `save` have the others."""


DARK = "invert(0.905) hue-rotate(180deg)"
"""White becomes nearly black and every colour keeps its hue, as in the style sheet of the page."""
THEMES = f"""<style>
@media (prefers-color-scheme: dark) {{ .compare-result img {{ filter: {DARK}; }} }}
[data-jp-theme-light="true"] .compare-result img {{ filter: none; }}
[data-jp-theme-light="false"] .compare-result img,
.vscode-dark .compare-result img {{ filter: {DARK}; }}
</style>"""
"""A notebook may be dark where the system is not, and says so where it is shown in JupyterLab."""


class Figures(dict[str, "Figure"]):
    """Figures by name, which a notebook shows below each other, with or without `%matplotlib`."""

    def _repr_html_(self) -> str:
        from compare.report.page import drawn, inline

        images = (f'<p><img src="{inline(pixels)}" alt="{name}" style="max-width: 100%"></p>'
                  for name, pixels in drawn(self))  # fmt: skip
        return f'<div class="compare-result">{THEMES}{"".join(images)}</div>'


def notebook_html(result: Result) -> str:
    """Return the result as a piece of HTML, everything in it escaped."""
    from compare.report.page import filled, pictures  # matplotlib takes its time

    shown = pictures(result)
    return filled("notebook.html.j2", result, pictures=shown, rows=ROWS, themes=Markup(THEMES))
