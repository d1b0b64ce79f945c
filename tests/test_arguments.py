"""Settings and arguments that do not fit are refused in one sentence, before any code is called."""

from __future__ import annotations

import doctest
from dataclasses import fields
from pathlib import Path
from typing import Any, get_type_hints

import numpy as np
import pytest

import compare
import compare.contracts.experiment
import compare.examine.point
from compare import BadInput, Experiment, check, run_training
from compare.command.options import parse
from compare.contracts.keywords import Declared, settings_used_by
from compare.contracts.limits import Flag, Maybe, Number, Text, Unfit, Whole
from compare.contracts.setting import POINT, STEP, setting_of
from compare.examine.point import CheckOptions
from manual_mlp import loss_and_gradients

W1, B1 = np.ones((3, 2)), np.zeros(2)
X, Y = np.arange(12.0).reshape(4, 3), np.eye(2)[[0, 1, 1, 0]]


def never(*_: object) -> Any:
    """Code under test that must not be reached."""
    raise AssertionError("called in spite of arguments that do not fit")


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "a width that is text": ({"hidden": "12"}, "hidden: must be whole numbers above 0"),
    "half a unit": ({"hidden": (2.5,)}, "hidden: must be whole numbers above 0"),
    "negative seed": ({"seed": -1}, "seed: must be a whole number from 0"),
    "true for a seed": ({"seed": True}, "seed: must be a whole number from 0"),
    "unknown form": ({"momentum_form": "x"}, "momentum_form: must be one of velocity"),
    "no rate": ({"learning_rate": 0}, "learning_rate: must be a finite number above 0, not 0"),
    "a huge rate": ({"learning_rate": 10**400}, "learning_rate: must be a finite number above 0"),
    "half precision": ({"dtype": np.float16}, "dtype: must be one of float64, float32"),
    "no format": ({"dtype": None}, "dtype: must be one of float64, float32, not None"),
    "near activation": ({"activation": "rellu"}, "did you mean relu?"),
    "negative time": ({"timeout": -3}, "timeout: must be a number of seconds above 0"),
    "no time": ({"timeout": 0}, "timeout: must be a number of seconds above 0"),
    "nan time": ({"timeout": float("nan")}, "timeout: must be a number of seconds above 0"),
    "time as text": ({"timeout": "5"}, "timeout: must be a number of seconds above 0"),
    "endless time": ({"timeout": 1e300}, "timeout: must be a number of seconds above 0"),
    "no inputs": ({"inputs": 0}, "inputs: must be a whole number from 1"),
    "half a class": ({"classes": 2.5}, "classes: must be a whole number from 1"),
    "rows of another width": ({"rows": np.ones((40, 7))}, "rows: has shape (40, 7); (N, 13) is"),
    "empty rows": ({"rows": np.ones((0, 13))}, "rows has no rows"),
    "rows of text": ({"rows": [["a"]]}, "rows: must be an array of real numbers"),
    "misspelt keyword": ({"activations": "tanh"}, "no keyword activations; did you mean activ"),
    "a keyword of trainings": ({"epochs": 3}, "check() has no keyword epochs"),
    "x alone": ({"x": X}, "Give parameters, x and targets together"),
}


@pytest.mark.parametrize(("options", "words"), WRONG.values(), ids=WRONG)
def test_an_argument_that_does_not_fit_is_refused_before_the_call(
    options: dict[str, Any], words: str
) -> None:
    with pytest.raises(BadInput) as caught:
        check(never, **options)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


POINTS: dict[str, tuple[dict[str, Any], str]] = {
    "wrong width": ({"parameters": {"w1": np.ones((4, 2)), "b1": B1}}, "x: has shape (4, 3); (N,"),
    "bias in a row": ({"parameters": {"w1": W1, "b1": B1[None]}}, "b1 has shape (1, 2); (2,)"),
    "flat x": ({"x": X[0]}, "x: has shape (3,); (N, 3) is due"),
    "too few targets": ({"targets": Y[:3]}, "targets: has shape (3, 2); (4, 2)"),
    "class 2 of 2": ({"targets": np.array([0, 1, 2, 0])}, "found 2; classes count from 0"),
    "masked x": ({"x": np.ma.masked_less(X, 2)}, "x: has masked entries"),
    "integers": ({"x": X.astype(int)}, "parameters and x are float64, int64"),
    "another format": ({"dtype": "float32"}, "dtype: is 'float32', but the given arrays have"),
    "other widths": ({"hidden": 5}, "hidden: is (5,), but the given arrays have ()"),
    "other names": ({"parameters": {"w": W1}}, "The parameters are named w;"),
    "a list for parameters": ({"parameters": [W1, B1]}, "parameters: must be a dictionary"),
}  # fmt: skip


@pytest.mark.parametrize(("changes", "words"), POINTS.values(), ids=POINTS)
def test_a_given_point_that_does_not_fit_accuses_the_caller_and_not_the_function(
    changes: dict[str, Any], words: str
) -> None:
    point: dict[str, Any] = {"parameters": {"w1": W1, "b1": B1}, "x": X, "targets": Y}
    with pytest.raises(BadInput) as caught:
        check(never, **(point | changes))
    assert words in str(caught.value)


def test_class_numbers_are_one_hot_rows() -> None:
    point: dict[str, Any] = {"parameters": {"w1": W1, "b1": B1}, "x": X}
    numbers = check(loss_and_gradients, targets=Y.argmax(axis=1), **point)
    assert numbers.worst == check(loss_and_gradients, targets=Y, **point).worst


@pytest.mark.parametrize("dtype", [np.float32, "f4", np.dtype("float32"), "single", "<f4"])
def test_a_format_is_taken_in_every_spelling_of_numpy(dtype: Any) -> None:
    assert Experiment(dtype=dtype).dtype == "float32"
    assert check(loss_and_gradients, dtype=dtype).settings["dtype"] == "float32"


def test_one_width_is_one_hidden_layer_and_numpy_integers_are_integers() -> None:
    assert Experiment(hidden=np.int64(5), seed=np.uint8(3)) == Experiment(hidden=(5,), seed=3)  # type: ignore[arg-type]  # what a caller without types hands over


@pytest.mark.parametrize(
    ("name", "value"),
    [("epochs", -1), ("batch_size", 0), ("momentum", 2.0), ("threads", 0), ("init", "zero")],
)
def test_a_run_is_refused_by_its_settings_in_the_words_of_the_command(
    name: str, value: Any
) -> None:
    with pytest.raises(BadInput) as python:
        run_training(Experiment(**{name: value}))
    with pytest.raises(BadInput) as shell:
        parse([f"--{name.replace('_', '-')}={value}"])
    in_python = str(python.value).removeprefix(f"{name}: ").split(", not ")[0]
    assert in_python.startswith("must be ") and in_python in str(shell.value)


def test_a_run_takes_settings_by_themselves_and_names_the_one_that_is_meant() -> None:
    with pytest.raises(BadInput, match="no keyword epoch; did you mean epochs"):
        run_training(epoch=3)


def test_momentum_without_a_step_is_named_as_not_compared() -> None:
    result = check(loss_and_gradients, momentum_form="buffer")
    assert not result and result.exit_code == 3
    assert "momentum_form is for a step, and none is given" in result.sentence


def test_the_keywords_for_type_checkers_are_those_that_check_takes() -> None:
    used = set(settings_used_by(POINT, STEP)) - {"data"}
    assert set(get_type_hints(Declared)) == used
    assert set(get_type_hints(CheckOptions)) >= used


def test_every_setting_declares_who_uses_it() -> None:
    assert all(setting_of(field).used_by for field in fields(Experiment))


@pytest.mark.parametrize(
    ("limit", "value"),
    [(Flag(), 1), (Whole(1), 1.0), (Text(), 5), (Text(), "a\0b"), (Maybe(Whole(1)), 0)],
)
def test_a_limit_refuses_what_only_looks_right(limit: Any, value: Any) -> None:
    with pytest.raises(Unfit, match=r"^must be"):
        limit.of(value)


def test_limits_read_text_and_take_values_alike() -> None:
    assert Flag().read("True") is Flag().of(True) is True
    assert Text().of(Path("a")) == Text().read("a")
    assert Number("any", lambda _: True).read("2") == 2.0


def test_a_long_wrong_value_is_shown_in_part() -> None:
    with pytest.raises(BadInput) as caught:
        Experiment(activation="x\x1b[31m" * 2000)
    assert len(str(caught.value)) < 200 and "\x1b" not in str(caught.value)


@pytest.mark.parametrize("module", [compare.contracts.experiment, compare.examine.point])
def test_the_examples_of_the_public_docstrings_are_true(module: Any) -> None:
    found = doctest.testmod(module)
    assert found.attempted and not found.failed


def test_a_velocity_that_float32_cannot_hold_is_refused() -> None:
    with pytest.raises(BadInput, match="initial_velocity: must be a number that float32 can hold"):
        Experiment(initial_velocity=1e200, dtype="float32")
    assert Experiment(initial_velocity=1e200).initial_velocity == 1e200
