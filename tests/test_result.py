"""A Result in hand: true only for agreement with everything compared, short to look at."""

from __future__ import annotations

import io
from dataclasses import replace
from html import unescape
from typing import Any

import pytest

from compare import Disagreement, Result, check
from compare.report import junit, page, terminal
from manual_mlp import loss_and_gradients
from tests import results


def summed(parameters: Any, x: Any, targets: Any) -> Any:
    """A wrong gradient: the sum over the batch."""
    loss, gradients = loss_and_gradients(parameters, x, targets)
    return loss, {name: len(x) * gradient for name, gradient in gradients.items()}


ENDINGS = {
    "agrees": (results.agreeing(epochs=3), True),
    "agrees up to kinks": (results.with_kinks(), True),
    "disagrees": (results.disagreeing(epochs=3), False),
    "undecidable": (results.undecidable(), False),
    "interrupted": (results.interrupted(after=2), False),
    "control failed": (results.control_failed(), False),
    "failed": (replace(results.agreeing(epochs=3), failure="it raised"), False),
    "lacking": (results.agreeing(epochs=3).lacking("z1 has another shape"), False),
}


@pytest.mark.parametrize(("result", "true"), ENDINGS.values(), ids=ENDINGS)
def test_a_result_is_true_only_where_the_exit_code_is_0(result: Result, true: bool) -> None:
    assert bool(result) is true
    assert bool(result) == (result.exit_code == 0)
    if not true:
        with pytest.raises(Disagreement):
            result.raise_for_disagreement()


@pytest.mark.slow
def test_asserting_a_wrong_gradient_fails() -> None:
    assert check(loss_and_gradients)
    assert not check(summed)


@pytest.mark.parametrize("result", [one for one, _ in ENDINGS.values()], ids=ENDINGS)
def test_the_repr_is_one_short_line_with_the_verdict(result: Result) -> None:
    assert len(repr(result)) < 200 and "\n" not in repr(result)
    assert str(result.verdict) in repr(result)


def test_the_text_is_what_the_command_prints() -> None:
    result = results.disagreeing(epochs=3)
    printed = io.StringIO()
    terminal.show(result, terminal.Terminal(printed, width=80))
    assert str(result).split() == printed.getvalue().split()
    assert result.sentence.split()[-1] in str(result)


@pytest.mark.slow
def test_a_notebook_shows_verdict_table_diagnosis_and_pictures() -> None:
    shown = check(summed)._repr_html_()
    for piece in ("disagrees", "<table>", "dw1", "gradient-summed", "data:image/png;base64,"):
        assert piece in shown
    style = shown.partition("<style>")[2].partition("</style>")[0]
    assert style.count(" img {") == style.count(".compare-result img") - 1 > 0  # its own pictures
    assert "<html" not in shown


@pytest.mark.slow
def test_a_notebook_escapes_what_others_wrote() -> None:
    hostile = replace(results.agreeing(epochs=3), sentence="<script>", notes=("<b>",))
    assert "<script>" not in hostile._repr_html_() and "<b>" not in hostile._repr_html_()


WHAT = "step_00001.NPZ is no step's name"


@pytest.mark.slow
def test_what_was_not_compared_makes_agreement_undecidable_and_is_said_everywhere() -> None:
    result = results.agreeing(epochs=3).lacking(WHAT)
    assert result.verdict == "undecidable" and result.exit_code == 3
    for written in (str(result), junit.render(result), page.render(result)):
        assert WHAT in " ".join(unescape(written).split())


def test_what_was_not_compared_takes_nothing_from_a_disagreement() -> None:
    result = results.disagreeing(epochs=3).lacking(WHAT)
    assert result.exit_code == 1 and WHAT in result.sentence


def test_of_many_things_not_compared_the_verdict_names_the_first_and_counts_the_rest() -> None:
    result = results.agreeing(epochs=3).lacking(*(f"array {n}" for n in range(9)))
    assert "array 2; and 6 more" in result.sentence and "array 3" not in result.sentence
    assert len(result.not_compared) == 9


def test_a_result_that_lacks_nothing_stays_as_it_is() -> None:
    result = results.agreeing(epochs=3)
    assert result.lacking() is result
