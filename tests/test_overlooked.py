"""A function with a mistyped name is named in the verdict of the file it stands in."""

from __future__ import annotations

from types import ModuleType

import pytest

from compare.guard.overlooked import overlooked

MINE = (
    "def loss_and_gradients(parameters, x, targets):\n    return helper(parameters, x, targets)\n"
)
HELPER = "def helper(parameters, x, targets):\n    return 0.0, {}\n"
UPDATE = "def {name}(parameters, gradients, state, *, learning_rate, momentum):\n    pass\n"


def said(text: str, name: str | None = "loss_and_gradients") -> tuple[str, ...]:
    module = ModuleType("mine")
    exec(MINE + HELPER + text, vars(module))  # the tests' own text
    return overlooked(module, module.loss_and_gradients, name)


@pytest.mark.parametrize("name", ["steps", "Step", "stpe", "sgd_update"])
def test_an_update_rule_that_is_not_called_step_is_named(name: str) -> None:
    assert said(UPDATE.format(name=name)) == (f"{name} was not looked at; is it step?",)
    assert not said(UPDATE.format(name=name) + UPDATE.format(name="step"))


@pytest.mark.parametrize("name", ["loss_and_gradient", "lossAndGradients", "loss_and_grads"])
def test_a_second_gradient_of_nearly_the_name_is_named(name: str) -> None:
    text = f"def {name}(parameters, x, targets):\n    pass\n"
    assert said(text) == (f"{name} was not looked at; is it loss_and_gradients?",)
    assert not said(text, None)  # the one to be checked was chosen
    assert not said(text + f"def other(a):\n    return {name}(a, a, a)\n")  # a helper


def test_what_looks_like_neither_is_nobodys_business() -> None:
    assert not said(
        "def relu(z):\n    pass\ndef stop(a):\n    pass\ndef loss(a, b, c):\n    pass\n"
    )
