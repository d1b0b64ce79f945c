"""What a notebook shows of a Result: verdict, table, diagnosis and pictures, without a style sheet.

A page of its own would bring its own styles into the notebook; this is a piece of the notebook's.
"""

from __future__ import annotations

from compare.contracts.result import Result
from compare.report import words

ROWS = 8
"""As many tensors, weak points and notes; `print(result)` and `save` have the others."""


def notebook_html(result: Result) -> str:
    """Return the result as a piece of HTML, everything in it escaped."""
    from compare.report.page import MARKS, pages, pictures  # matplotlib takes its time

    return (
        pages()
        .get_template("notebook.html.j2")
        .render(
            result=result,
            headline=words.verdict_line(result),
            mark=MARKS[result.verdict],
            words=words,
            pictures=pictures(result),
            rows=ROWS,
        )
    )
