"""What a notebook shows of a Result: verdict, table, diagnosis and pictures, without a style sheet.

A page of its own would bring its own styles into the notebook; this is a piece of the notebook's.
"""

from __future__ import annotations

from compare.contracts.result import Result

ROWS = 8
"""As many tensors, weak points and notes; `print(result)` and `save` have the others."""


def notebook_html(result: Result) -> str:
    """Return the result as a piece of HTML, everything in it escaped."""
    from compare.report.page import filled, pictures  # matplotlib takes its time

    return filled("notebook.html.j2", result, pictures=pictures(result), rows=ROWS)
