"""What the measurement of the diagnosis fails for, and what it only tells."""

from __future__ import annotations

from benchmarks.diagnosis.__main__ import SECONDS, failures, slow
from benchmarks.diagnosis.measures import Score, names
from compare.contracts.result import Diagnosis


def scored(*, right: bool, seconds: float) -> Score:
    score = Score("an answer")
    score.add(right, right, seconds, "")
    return score


def test_an_answer_that_takes_long_is_told_and_fails_nothing() -> None:
    late = scored(right=True, seconds=SECONDS + 1)
    assert list(slow([late])) == ["an answer: 6.0 s, more than 5 s"]
    assert not list(failures({"time": [late]}))


def test_a_wrong_name_fails_however_fast() -> None:
    assert list(failures({"time": [scored(right=False, seconds=0.1)]})) == ["an answer: 0 of 1"]


def test_a_mistake_that_was_observable_nowhere_fails() -> None:
    assert list(failures({"update": [Score("an answer")]})) == ["an answer was observable nowhere"]


def told(mistake: str, *also: str) -> Diagnosis:
    return Diagnosis(mistake, "", ratio_before=2.0, ratio_after=0.5, also=also)


def test_a_network_told_before_the_mistake_in_it_counts_as_both() -> None:
    found = [told("activation-is-relu"), told("one-minus-target", "error-negated")]
    assert names(found) == [
        "activation-is-relu + one-minus-target", "activation-is-relu + error-negated",
    ]  # fmt: skip


def test_two_findings_apart_do_not_count_as_two_mistakes_in_the_same_numbers() -> None:
    assert names([told("loss-summed"), told("mask-missing")]) == []
