"""Keywords and functions that are not known: the one that is meant, and what there is."""

from __future__ import annotations

import inspect
import pickle
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

import manual_mlp
from compare import BadInput, Experiment, check_layer, run_training
from compare.contracts.known import known_keywords


def test_a_misspelt_keyword_is_told_the_one_that_is_meant() -> None:
    wrong: dict[str, Any] = {"timeuot": 3}
    with pytest.raises(BadInput, match=r"check_layer\(\) has no keyword timeuot; did you mean t"):
        check_layer(layer, torch.tanh, {"x": (4, 3)}, **wrong)
    with pytest.raises(BadInput, match=r"Experiment\(\) has no keyword epoch; did you mean epoc"):
        Experiment(**{"epoch": 3})  # type: ignore[arg-type]


def test_what_is_spelt_right_is_taken_as_before() -> None:
    assert replace(Experiment(epochs=3), hidden=(4,)).epochs == 3
    assert pickle.loads(pickle.dumps(Experiment(epochs=3))) == Experiment(epochs=3)
    assert "epochs" in inspect.signature(Experiment).parameters
    assert known_keywords("f()")(lambda a, b=2: a + b)(1, b=3) == 4


def layer(inputs: Any, dy: Any) -> Any:
    y = np.tanh(inputs["x"])
    return y, {"x": dy * (1 - y * y)}


def missing_key(inputs: Any, dy: Any) -> Any:
    return layer({"x": inputs["input"]}, dy)


def missing_attribute(inputs: Any, dy: Any) -> Any:
    return layer({"x": inputs.x}, dy)


@pytest.mark.parametrize("manual", [missing_key, missing_attribute])
def test_a_layer_that_misses_a_key_is_told_the_keys_there_are(manual: Any) -> None:
    assert check_layer(layer, torch.tanh, {"x": (4, 3)})
    said = rf"it is called as {manual.__name__}\(inputs, dy\); inputs has the keys x"
    with pytest.raises(BadInput, match=said):
        check_layer(manual, torch.tanh, {"x": (4, 3)})


def test_a_training_of_a_function_says_what_it_needs() -> None:
    function: Any = manual_mlp.loss_and_gradients
    with pytest.raises(BadInput, match=r"give Manual\(loss_and_gradients, manual_mlp.evaluate"):
        run_training(epochs=1, manual=function)
