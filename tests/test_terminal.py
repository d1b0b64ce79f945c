"""What the command prints: within 80 columns and one screen, the verdict last, plain in a pipe."""

import io
import os
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from compare.contracts.result import Result, Weak
from compare.report import terminal, words
from compare.report.terminal import Terminal, show, show_files, show_verdict
from tests import results

WAYS_TO_END = (
    results.agreeing,
    results.with_kinks,
    results.with_weak_points,
    results.disagreeing,
    results.non_finite,
    results.undecidable,
    results.interrupted,
    results.control_failed,
)


def printed(result: Result, *, verbose: bool = False) -> str:
    """Return what a pipe of 80 columns gets."""
    file = io.StringIO()
    show(result, Terminal(file, width=80), verbose=verbose)
    return file.getvalue()


@pytest.mark.parametrize("make", WAYS_TO_END, ids=lambda make: make.__name__)
def test_a_result_fits_one_screen(make: Callable[[], Result]) -> None:
    lines = printed(make()).splitlines()
    assert max(map(len, lines)) <= 80
    assert len(lines) <= 30


@pytest.mark.parametrize("make", WAYS_TO_END, ids=lambda make: make.__name__)
def test_the_verdict_comes_last(make: Callable[[], Result]) -> None:
    result = make()
    assert words.verdict_line(result) in one_line(" ".join(printed(result).splitlines()[-3:]))


def one_line(text: str) -> str:
    """Return `text` as if the terminal were endlessly wide."""
    return " ".join(text.split())


def test_every_tensor_has_its_row_with_both_values() -> None:
    result = results.agreeing()
    text = printed(result)
    for name, worst in terminal.tensors(result.worst).items():
        (row,) = [line for line in text.splitlines() if line.split(" ")[0] == name]
        assert f"{worst.manual:.7e}" in row
        assert f"{worst.error:.1e}" in row
        assert f"{worst.ratio:.3f}" in row


def test_the_row_says_where_the_worst_entry_is() -> None:
    (row,) = [line for line in printed(results.disagreeing()).splitlines() if line[:3] == "dw1"]
    worst = results.disagreeing().worst["dw1"]
    assert f"[{worst.index[0]}, {worst.index[1]}]" in row
    assert "> 1e+15" in row


def test_of_many_tensors_the_worst_are_shown_and_the_others_counted() -> None:
    result = results.agreeing(hidden=results.DEEP)
    text = printed(result)
    worst = terminal.tensors(result.worst)
    assert f"and {len(worst) - terminal.ROWS} more tensors, none of them worse" in text
    ratios = sorted((entry.ratio for entry in worst.values()), reverse=True)
    assert f"{ratios[0]:.3f}" in text.splitlines()[3]


def test_a_nan_ratio_counts_as_worst() -> None:
    result = results.agreeing(hidden=results.DEEP)
    nan = replace(result.worst["db7"], ratio=float("nan"))
    text = printed(replace(result, worst={**result.worst, "db7": nan}))
    assert text.splitlines()[3].startswith("db7 ")


def test_curves_and_projections_share_one_line() -> None:
    result = results.agreeing()
    others = {name: worst for name, worst in result.worst.items() if " " in name}
    name = max(others, key=lambda name: others[name].ratio)
    line = f"others 6 curves and projections, worst {others[name].ratio:.3f} × allowance ({name})"
    assert line in one_line(printed(result))


def test_verbose_shows_everything_in_eighty_columns() -> None:
    result = results.agreeing(hidden=results.DEEP)
    lines = printed(result, verbose=True).splitlines()
    assert {line.split(" ")[0] for line in lines} >= set(terminal.tensors(result.worst))
    assert one_line("\n".join(lines)).count("projection") == 40
    assert not any("…" in line for line in lines)
    assert max(map(len, lines)) <= 80


def test_a_disagreement_names_place_values_referee_and_mistake() -> None:
    text = one_line(printed(results.disagreeing(epoch=3)))
    assert "disagrees (derivative): dw1[17, 44] = 5.39" in text
    assert "2.69e+17 × allowance away from the reference's 0.00375" in text
    assert "at epoch 3, update 3" in text
    assert "referee slope 1: the gradient does not belong to the loss (tried on w1 along" in text
    assert "mistake missing-batch-mean: the gradient is summed over the batch" in text


def test_what_the_verdict_tells_is_not_told_again() -> None:
    first = results.disagreeing().findings[0]
    second = replace(first, check="step", stage="update", message="w1 was not updated")
    text = one_line(printed(replace(results.disagreeing(), findings=(first, second))))
    assert text.count(first.message) == 1
    assert "finding step, stage update: w1 was not updated" in text


def test_kinks_take_one_line() -> None:
    text = one_line(printed(results.with_kinks(40)))
    assert "kinks 40 kinks, the first at epoch 0, update 0: sample 17, layer 1, unit 5" in text


def test_weak_points_come_with_their_reason() -> None:
    text = one_line(printed(results.with_weak_points()))
    assert "weak same point, db1, epoch 0, update 0: every entry of the gradient is zero" in text
    assert "(checks that could not have failed there, or not seen an error of the size" in text
    assert words.WEAK not in one_line(printed(results.agreeing()))
    assert "the velocity is zero (no scale error could be seen)" in text


def test_a_long_list_of_weak_points_is_cut_and_counted() -> None:
    weak = tuple(Weak("step", f"reason {n}") for n in range(9))
    result = replace(results.agreeing(), weak=weak)
    assert "reason 2" in printed(result)
    assert "reason 3" not in printed(result)
    assert "and 6 more, all of them in report.json" in printed(result)
    assert "reason 8" in printed(result, verbose=True)


def test_a_judge_that_failed_its_control_has_no_verdict_to_give() -> None:
    assert "internal error: the self-test failed, so there is no verdict" in one_line(
        printed(results.control_failed())
    )


def test_an_interrupted_run_says_that_it_was() -> None:
    text = one_line(printed(results.interrupted()))
    assert text.endswith("(interrupted: this is about the updates done)")


def test_the_verdict_alone_is_one_line() -> None:
    file = io.StringIO()
    show_verdict(results.disagreeing(), Terminal(file, width=80))
    assert file.getvalue() == results.disagreeing().sentence + "\n"


def test_files_are_listed_with_their_folder() -> None:
    file = io.StringIO()
    files = [Path("/somewhere/out/report.json"), Path("/somewhere/out/loss.png")]
    show_files(files, Path("out"), Terminal(file, width=80))
    assert file.getvalue() == "written to out: report.json, loss.png\n"


def test_brackets_in_a_text_are_not_taken_for_markup() -> None:
    result = replace(results.agreeing(), sentence="agrees: see [bold]w1[3][/bold]")
    assert "see [bold]w1[3][/bold]" in printed(result)


@pytest.mark.parametrize("make", WAYS_TO_END, ids=lambda make: make.__name__)
def test_a_pipe_gets_no_spaces_at_the_end_of_a_line(make: Callable[[], Result]) -> None:
    text = printed(make())
    assert text.endswith("\n")
    assert [line for line in text.splitlines() if line != line.rstrip()] == []


def test_a_terminal_gets_its_columns_filled(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = printed(results.with_weak_points())
    monkeypatch.setenv("TERM", "dumb")
    monkeypatch.setattr(Terminal, "is_terminal", property(lambda _: True))
    file = io.StringIO()
    show(results.with_weak_points(), Terminal(file, width=80))
    assert [line.rstrip() for line in file.getvalue().splitlines()] == plain.splitlines()
    assert any(line.endswith(" ") for line in file.getvalue().splitlines())


def test_forty_columns_keep_the_whole_name_of_every_tensor_and_how_wrong_it_is() -> None:
    result = results.disagreeing()
    long = "gradient_of_the_hidden_layer_with_respect_to_its_weights"
    result = replace(result, worst={**result.worst, long: result.worst["dw1"]})
    file = io.StringIO()
    show(result, Terminal(file, width=40))
    lines = file.getvalue().splitlines()
    assert max(map(len, lines)) <= 40
    assert not any("…" in line for line in lines)
    for name, worst in terminal.tensors(result.worst).items():
        if name != long:
            assert [name, *words.ratio(worst.ratio, worst.reference).split()] in [
                line.split() for line in lines
            ]
    start = next(n for n, line in enumerate(lines) if line.startswith("gradient"))
    whole = "".join(line.split("  ")[0].strip() for line in lines[start : start + 3])
    assert whole == long


def test_a_pipe_gets_no_escape_sequences() -> None:
    assert "\x1b" not in printed(results.disagreeing())


@pytest.mark.parametrize(("no_color", "coloured"), [("", True), ("1", False)])
def test_colours_are_for_terminals_that_want_them(
    no_color: str, coloured: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_COLOR", no_color)
    monkeypatch.setenv("TERM", "xterm-256color")
    file = io.StringIO()
    console = Console(file=file, force_terminal=True)
    show(results.agreeing(), console)
    assert ("\x1b[1;32m" in file.getvalue()) is coloured


def test_a_reader_that_has_gone_ends_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    read, write = os.pipe()
    os.close(read)
    monkeypatch.setattr(sys, "stdout", os.fdopen(write, "w"))
    show(results.agreeing(), Terminal())
    show_verdict(results.agreeing(), Terminal())
    sys.stdout.close()
