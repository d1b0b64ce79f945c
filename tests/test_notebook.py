"""A notebook, executed by a kernel: what its cells show of a result, its figures and a run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from compare.report import notebook
from compare.report.notebook import DARK, THEMES

nbclient = pytest.importorskip("nbclient", reason="nbclient is not installed")
nbformat = pytest.importorskip("nbformat", reason="nbformat is not installed")
pytest.importorskip("ipykernel", reason="ipykernel is not installed")

CELLS = (
    """from compare import Experiment, check, run_training
from manual_mlp import loss_and_gradients
def summed(parameters, x, targets):
    loss, gradients = loss_and_gradients(parameters, x, targets)
    return loss, {name: len(x) * dw for name, dw in gradients.items()}
result = check(summed)
result""",
    "result.plot()",
    "print(result)",
    "[result]",
    "run_training(Experiment(hidden=(4,), epochs=3))",
    "from compare import assert_gradients_match\nassert_gradients_match(summed)",
    "def short(parameters, x, targets):\n    return x @ targets, {}\ncheck(short)",
)
SHOWN, FIGURES, PRINTED, REPR, RUN, FAILED, RAISED = range(len(CELLS))


@pytest.fixture(scope="module")
def cells() -> Iterator[list[Any]]:
    """The cells of a notebook after every one of them was run."""
    notebook = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(source) for source in CELLS],
        metadata={"kernelspec": {"name": "python3", "display_name": "Python 3"}},
    )
    nbclient.NotebookClient(notebook, timeout=120, allow_errors=True).execute()
    yield notebook.cells


def data(cell: Any, kind: str) -> str:
    """What a cell shows of one kind, all of it together."""
    found = (output["data"].get(kind, "") for output in cell.outputs if "data" in output)
    return "".join(found)


pytestmark = [
    pytest.mark.slow,
    # What the client and the kernel's libraries deprecate among themselves is not ours.
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::RuntimeWarning:zmq"),
]


def test_a_result_shows_verdict_table_mistake_and_pictures(cells: list[Any]) -> None:
    html = data(cells[SHOWN], "text/html")
    assert "disagrees" in html and "gradient-summed" in html
    assert "<table>" in html and "data:image/png;base64," in html
    assert "prefers-color-scheme: dark" in html and DARK in html
    assert DARK in (Path(notebook.__file__).parent / "page.css").read_text(encoding="utf-8")


def test_plot_shows_every_figure_by_itself(cells: list[Any]) -> None:
    html = data(cells[FIGURES], "text/html")
    assert html.count("<img ") >= 2
    assert THEMES in html and THEMES in data(cells[SHOWN], "text/html")


def test_print_is_the_terminal_s_text_and_repr_one_line(cells: list[Any]) -> None:
    printed = "".join(output["text"] for output in cells[PRINTED].outputs)
    assert "worst of" in printed and "disagrees (derivative)" in printed
    shown = data(cells[REPR], "text/plain")
    assert shown.startswith("[<Result disagrees") and "\n" not in shown


def test_a_run_shows_its_progress_and_takes_it_away(cells: list[Any]) -> None:
    shown = [output for output in cells[RUN].outputs if "data" in output]
    assert "agrees" in shown[-1]["data"]["text/html"]
    assert [one["data"]["text/plain"] for one in shown[:-1]] == [""]


def test_a_failing_assertion_is_short(cells: list[Any]) -> None:
    (failure,) = cells[FAILED].outputs
    assert failure["ename"] == "Disagreement"
    assert "gradient-summed" in failure["evalue"] or "summed" in failure["evalue"]


def test_a_line_of_a_cell_is_told_as_that(cells: list[Any]) -> None:
    html = data(cells[RAISED], "text/html")
    assert "a cell, line 2 (" in html and "parameters has the keys w1, b1, w2, b2" in html
    assert "digits" not in html
