"""The catalogue: every mistake can be made, its words and its override say the same thing."""

from __future__ import annotations

import ast
import inspect
import re
import sys
from collections.abc import Iterator
from itertools import combinations, product
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import manual_mlp
from compare.contracts.between import Between
from compare.contracts.errors import BadInput
from compare.contracts.result import Diagnosis
from compare.diagnosis.asking import observations
from compare.diagnosis.gradients import probes
from compare.diagnosis.match import Case
from compare.handbook.beside import named_in
from compare.handbook.command import main
from compare.handbook.live import run
from compare.handbook.planting import bare, plant, planted_step
from compare.handbook.wording import pages, write_pages
from compare.mistakes.as_diff import unindented
from compare.mistakes.calls import CALLS
from compare.mistakes.catalogue import (
    CATALOGUE,
    FAMILIES,
    INSIDE,
    NETWORK,
    STEP,
    in_words,
    named,
    titled,
)
from compare.mistakes.mistake import Mistake, NetworkMistake
from compare.mistakes.reduction import REDUCTION
from compare.mistakes.start import START
from compare.textbook import Pass, plain, plain_between, plain_step
from compare.textbook.program import filled, planted
from tests.shared import drawn_once

DOCS = Path(__file__).resolve().parent.parent / "docs"
SIZES = ((12, 9, 5), (9, 7, 6, 5), (8, 8, 8, 5), (7, 9, 7), (8, 8, 8, 8, 5))
ACTIVATIONS = ("relu", "tanh", "sigmoid")
BETWEENS = (Between("layer"), Between("batch", 0.3), Between(dropout=0.3))
WHERE = {"loss", "gradient", "repeated calls", "trainer records", "curves"}

COUNTED = {
    "missing-max-shift": 24,
    "gradient-summed": 17,
    "derivative-overwrites-activation": 12,
    "loss-averaged-over-classes": 9,
    "bias-as-velocity": 8,
    "gradient-at-probabilities": 8,
    "gradient-collapsed-over-batch": 4,
    "epsilon-in-log": 11,
    "global-maximum": 9,
    "weights-stepped-first": 6,
    "validation-after-update": 6,
    "test-is-validation": 1,
    "fan-in-only": 6,
    "variance-as-standard-deviation": 5,
    "mask-missing": 10,
    "biases-without-momentum": 4,
    "parameter-never-updated": 3,
    "softmax-over-batch": 3,
    "bias-not-summed": 4,
    "diagonal-jacobian": 4,
    "target-minus-prediction": 3,
    "velocity-not-carried": 5,
    "softmax-twice": 1,
    "loss-arguments-swapped-with-epsilon": 1,
    "trace-in-loss": 1,
    "matrix-product-in-loss": 1,
    "gradient-divided-by-features": 1,
    "integer-truncation": 1,
    "pre-activation-in-weight-gradient": 1,
    "activation-discarded": 1,
    "backward-not-transposed": 1,
    "error-without-softmax": 1,
    "mask-threshold": 1,
    "binary-cross-entropy": 1,
}
"""Every count of the survey of 70 networks (39 hand-ins and 31 other codes), once."""

every_mistake = pytest.mark.parametrize("mistake", CATALOGUE, ids=lambda mistake: mistake.name)
every_network_mistake = pytest.mark.parametrize("mistake", NETWORK, ids=lambda m: m.name)


def cases(mistake: NetworkMistake, dtype: str) -> Iterator[Case]:
    """Yield what the planted program computes at the probes of every network it can be made in."""
    for sizes, activation, reduction in product(SIZES, ACTIVATIONS, ("mean", "sum")):
        points = probes(sizes, activation=activation, reduction=reduction, dtype=dtype, seed=1)
        if mistake.applies(points[0][1]):
            faulty = plant(mistake, activation=activation, reduction=reduction)
            yield from map(Case, observations(bare(faulty), points))


@every_network_mistake
def test_the_override_reproduces_the_program_with_the_slip_and_the_right_pass_does_not(
    mistake: NetworkMistake,
) -> None:
    shown = 0
    for dtype in ("float64", "float32"):
        for case in cases(mistake, dtype):
            assert case.reproduced(mistake.overrides(mistake.example)), case.known
            shown += case.disagrees
            if shown > 2:
                break
    assert shown > 0


@pytest.mark.slow
@pytest.mark.usefixtures("shared_passes")
@pytest.mark.parametrize("mistake", INSIDE, ids=lambda mistake: mistake.name)
def test_every_override_reproduces_the_program_with_normalisation_and_dropout_too(
    mistake: NetworkMistake,
) -> None:
    shown = 0
    for dtype, between in product(("float64", "float32"), BETWEENS):
        for case in inside_cases(mistake, dtype, between):
            assert case.reproduced(mistake.overrides(mistake.example)), case.known
            shown += case.disagrees
            if shown > 2:
                break
    assert shown > 0


def inside_cases(mistake: NetworkMistake, dtype: str, between: Between) -> Iterator[Case]:
    """Yield what the program with normalisation and dropout computes with the mistake in it."""
    for sizes, activation, reduction in product(SIZES, ACTIVATIONS, ("mean", "sum")):
        options: Any = {"activation": activation, "reduction": reduction, "between": between}
        points = drawn_once(sizes, dtype=dtype, seed=1, **options)
        code = bare(plant(mistake, **options))
        for label, point in points:
            if mistake.applies(point):
                yield from map(Case, observations(code, [(label, point)]))


@pytest.mark.slow
def test_no_two_mistakes_that_are_combined_wait_for_each_other() -> None:
    (_, point), *_ = probes((8, 8, 8, 8), activation="relu", reduction="mean", dtype="f8", seed=1)
    made = [mistake for mistake in NETWORK if mistake.applies(point)]
    for one, other in combinations(made, 2):
        apart = not set(one.stages) & set(other.stages) and not (one.reads and other.reads)
        if apart and (one.reads or other.reads):
            overrides = one.overrides(one.example) | other.overrides(other.example)
            net = Pass(point).having(overrides)
            assert all(net.named(name).value.size for name in point.names)


@pytest.mark.parametrize("activation", ["relu", "tanh", "sigmoid", "identity"])
def test_the_plain_program_without_a_slip_is_right(activation: str) -> None:
    points = probes((12, 9, 7, 5), activation=activation, reduction="mean", dtype="float64", seed=1)
    observed = observations(plant(activation=activation), points)
    assert len(observed) == len(points)
    assert not any(Case(observation).disagrees for observation in observed)


def test_the_plain_step_without_a_slip_is_right() -> None:
    w, dw, v = ({name: np.random.default_rng(i).normal(size=5)} for i, name in
                enumerate(("b1", "b1", "v_b1")))  # fmt: skip
    options = {"learning_rate": 0.1, "momentum": 0.9}
    mine, state = planted_step()(w, dw, v, **options)
    right, right_state = manual_mlp.velocity_step(w, dw, v, **options)
    assert mine["b1"] == pytest.approx(right["b1"], rel=1e-15)
    assert state["v_b1"] == pytest.approx(right_state["v_b1"], rel=1e-15)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_live_run_ends_in_its_own_name(family: str) -> None:
    mistake = FAMILIES[family][0]
    told = [line for line in run(mistake) if line.startswith("Diagnosis: ")]
    assert mistake.name in told[0].removeprefix("Diagnosis: ").replace(",", "").split()


@every_mistake
def test_words_are_complete(mistake: Mistake) -> None:
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", mistake.name)
    sentence = in_words(mistake)
    assert sentence[0] == sentence[0].upper() and sentence[-1] in ".?"
    title = titled(mistake)
    assert title[0] == title[0].upper() and title[-1] not in ".:" and "{" not in title
    assert len(title) <= 80
    assert all(line != slip for line, slip in mistake.changes(mistake.example))
    assert mistake.observable and set(mistake.observable) <= WHERE


def test_no_sentence_speaks_of_a_mean_where_a_sum_was_declared() -> None:
    (_, summed), *_ = probes((12, 9, 5), activation="relu", reduction="sum", dtype="f8", seed=1)
    for mistake in REDUCTION:
        if mistake.applies(summed):
            said = mistake.name + mistake.sentence
            assert not re.search(r"already|/N\b|by N\b|batch N\b|n-twice|N·K", said), said


def test_what_passes_through_a_coarse_format_is_named_by_a_noun() -> None:
    assert in_words(named("float16-hidden")).startswith("The hidden values pass through float16")


def test_a_formula_fed_with_the_input_is_told_for_each_activation_it_applies_to() -> None:
    mistake = named("derivative-formula-of-the-input")
    assert "tanh" in mistake.sentence and "sigmoid" in mistake.sentence


def test_names_are_unique() -> None:
    assert len({mistake.name for mistake in CATALOGUE}) == len(CATALOGUE)


def test_every_count_of_the_survey_stands_at_one_entry() -> None:
    assert {mistake.name: mistake.seen for mistake in CATALOGUE if mistake.seen} == COUNTED


def test_every_family_of_the_catalogue_has_members() -> None:
    assert all(len(mistakes) > 3 for mistakes in FAMILIES.values())


def test_the_pages_of_the_mistakes_are_current() -> None:
    found = [DOCS / "mistakes.md", *(DOCS / "mistakes").glob("*.md")]
    written = {path.relative_to(DOCS).as_posix(): path.read_text("utf-8") for path in found}
    assert written == pages(), (
        "the pages of the mistakes are not what the catalogue says: "
        "python -m compare.mistakes --markdown docs"
    )


BESIDE = (
    "clip-norm-always", "gradients-clipped", "learning-rate-of-update-before", "decay-sign",
    "adam-t-never-advanced", "running-variance-over-n", "slope-at-zero",
)  # fmt: skip


def test_every_name_of_a_mistake_that_the_sources_hold_is_in_the_handbook() -> None:
    names = {
        value.name if isinstance(value, Mistake) else value.mistake
        for module in list(sys.modules.values()) if module.__name__.startswith("compare.")
        for value in vars(module).values() if isinstance(value, Mistake | Diagnosis)
    }  # fmt: skip
    listed = pages()["mistakes.md"]
    assert [name for name in (*names, *BESIDE) if f"| {name} |" not in listed
            and f"mistakes/{name}.md" not in listed] == []  # fmt: skip


def test_a_name_beside_the_catalogue_is_found_with_what_is_said_with_it() -> None:
    source = """
def one(c):
    said = f"the slope is {c}"
    said += ", not 1"
    return Diagnosis("slope-made-up", said, 1.0, 0.0)
def two():
    said = "another"
    return Diagnosis("other-made-up", said, 1.0, 0.0)
"""
    found = {one.name: one.sentence for one in named_in(ast.parse(source))}
    assert found == {"slope-made-up": "the slope is …, not 1", "other-made-up": "another"}


@pytest.mark.slow
def test_the_page_of_a_mistake_that_is_gone_is_taken_away(tmp_path: Path) -> None:
    write_pages(tmp_path)
    (tmp_path / "mistakes" / "no-longer-made.md").write_text("# Old\n")
    assert main(["--markdown", str(tmp_path)]) == 0
    assert len(list((tmp_path / "mistakes").glob("*.md"))) == len(CATALOGUE)


def test_a_slip_needs_its_line_exactly_once() -> None:
    with pytest.raises(BadInput, match=r"'b = 1' occurs 2 times, not once"):
        planted("b = 1\nb = 1", [("b = 1", "b = 2")])


@pytest.mark.parametrize("mistake", (*NETWORK, *CALLS, *STEP), ids=lambda mistake: mistake.name)
def test_every_line_shown_as_right_stands_in_the_program_without_a_slip(mistake: Mistake) -> None:
    source = inspect.getsource(plain_step if mistake in STEP else plain)
    for line, _ in mistake.changes(mistake.example):
        assert source.count(line) == 1


@pytest.mark.parametrize("mistake", INSIDE, ids=lambda mistake: mistake.name)
def test_every_line_shown_as_right_stands_in_the_program_with_normalisation(
    mistake: Mistake,
) -> None:
    source = inspect.getsource(plain_between)
    for line, _ in mistake.changes(mistake.example):
        assert source.count(line) == 1


def test_only_the_constant_of_a_slip_is_filled_in() -> None:
    assert filled("dc = {c} + c * w[i + c]", 32.0) == "dc = {32} + 32 * w[i + 32]"
    assert filled("w[i + c]", -1.0) == "w[i - 1]"
    assert filled("c * dc", 0.01) == "0.01 * dc"


def test_later_lines_of_a_slip_stand_as_far_left_as_the_first() -> None:
    assert unindented("a\n        if b:\n            c") == "a\nif b:\n    c"


def test_the_command_lists_every_name(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    listed = capsys.readouterr().out
    assert all(re.search(rf"^  {mistake.name} ", listed, re.MULTILINE) for mistake in CATALOGUE)


def test_the_command_shows_equation_symptom_fix_and_runs_it(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["gradient-summed"]) == 0
    shown = capsys.readouterr().out
    assert "every gradient is N times too large for a batch of N" in " ".join(shown.split())
    assert "- dlogits = error\n+ dlogits = error / M\n" in shown
    assert "Diagnosis: gradient-summed" in shown


def test_the_command_says_what_to_do_about_an_unknown_name(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["gradient-sumed"]) == 2
    assert "`python -m compare.mistakes` lists all names" in capsys.readouterr().err


def test_an_unknown_name_is_bad_input() -> None:
    with pytest.raises(BadInput, match="no mistake 'nothing'"):
        named("nothing")


def test_every_wrong_spread_differs_from_every_other() -> None:
    spreads = [mistake.spread(64, 48, (2 / 112) ** 0.5) for mistake in START]
    assert len(set(np.round(spreads, 6))) == len(spreads)
