"""One step of torch.optim.SGD in both momentum forms, against the formulas it stands for."""

from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from torch_reference import FORMS, Recipe, step
from torch_reference.optimisers import Advance, optimiser_step

Array = NDArray[np.floating[Any]]
Arrays = dict[str, Array]
SHAPES = {"w1": (3, 2), "b1": (2,)}


def drawn(prefix: str, seed: int, dtype: type[np.floating[Any]] = np.float64) -> Arrays:
    """Random arrays of the shapes above."""
    generator = np.random.default_rng(seed)
    return {prefix + name: generator.normal(size=s).astype(dtype) for name, s in SHAPES.items()}


def by_hand(
    parameters: Arrays, gradients: Arrays, state: Arrays, rate: float, momentum: float, form: str
) -> tuple[Arrays, Arrays]:
    """The step in the words of the two definitions."""
    inside, outside = (rate, 1.0) if form == "velocity" else (1.0, rate)
    v = {n: momentum * state[f"v_{n}"] + inside * gradients[n] for n in parameters}
    return {n: parameters[n] - outside * v[n] for n in parameters}, {f"v_{n}": v[n] for n in v}


def close(found: tuple[Arrays, Arrays], expected: tuple[Arrays, Arrays], rtol: float) -> None:
    """Assert equal names and nearly equal values."""
    for ours, theirs in zip(found, expected, strict=True):
        assert list(ours) == list(theirs)
        for name in ours:
            np.testing.assert_allclose(ours[name], theirs[name], rtol=rtol)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("momentum", [0.0, 0.9])
@pytest.mark.parametrize(("dtype", "rtol"), [(np.float32, 1e-5), (np.float64, 1e-14)])
def test_a_step_is_the_formula(
    form: str, momentum: float, dtype: type[np.floating[Any]], rtol: float
) -> None:
    arguments = drawn("", 1, dtype), drawn("", 2, dtype), drawn("v_", 3, dtype)
    found = step(*arguments, learning_rate=0.3, momentum=momentum, form=form)
    close(found, by_hand(*arguments, 0.3, momentum, form), rtol)
    assert all(array.dtype == dtype for part in found for array in part.values())


def test_one_step_worked_by_hand_in_both_forms() -> None:
    parameters, gradients = {"w1": np.array([[1.0]])}, {"w1": np.array([[2.0]])}
    state = {"v_w1": np.array([[4.0]])}
    moved, velocity = step(parameters, gradients, state, learning_rate=0.25, momentum=0.5)
    assert (velocity["v_w1"].item(), moved["w1"].item()) == (2.5, -1.5)  # 0.5·4 + 0.25·2; 1 - 2.5
    moved, buffer = step(
        parameters, gradients, state, learning_rate=0.25, momentum=0.5, form="buffer"
    )
    assert (buffer["v_w1"].item(), moved["w1"].item()) == (4.0, 0.0)  # 0.5·4 + 2; 1 - 0.25·4


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("state", [None, {}, {"v_b1": np.zeros(2)}])
def test_absent_state_is_zero(form: str, state: Arrays | None) -> None:
    parameters, gradients = drawn("", 1), drawn("", 2)
    zeros: Arrays = {f"v_{name}": np.zeros(shape) for name, shape in SHAPES.items()}
    found = step(parameters, gradients, state, learning_rate=0.3, momentum=0.9, form=form)
    close(found, by_hand(parameters, gradients, zeros, 0.3, 0.9, form), 1e-14)


def test_the_forms_agree_at_a_constant_learning_rate_and_part_when_it_changes() -> None:
    def run(form: str, rates: list[float]) -> Array:
        parameters, state = drawn("", 1), dict[str, Array]()
        for seed, rate in enumerate(rates):
            gradients = drawn("", seed)
            parameters, state = step(
                parameters, gradients, state, learning_rate=rate, momentum=0.9, form=form
            )
        return parameters["w1"]

    np.testing.assert_allclose(run("velocity", [0.1] * 5), run("buffer", [0.1] * 5), rtol=1e-13)
    changed = [0.1, 0.1, 0.02, 0.02, 0.02]
    assert np.abs(run("velocity", changed) - run("buffer", changed)).max() > 1e-2


def test_a_velocity_survives_a_change_of_the_learning_rate() -> None:
    """With no gradient the velocity decays by the momentum alone, whatever the rate was before."""
    parameters, nothing = drawn("", 1), {name: np.zeros(shape) for name, shape in SHAPES.items()}
    state = drawn("v_", 3)
    for rate in (0.5, 0.01):
        moved, decayed = step(parameters, nothing, state, learning_rate=rate, momentum=0.9)
        np.testing.assert_allclose(decayed["v_w1"], 0.9 * state["v_w1"], rtol=1e-15)
        np.testing.assert_allclose(moved["w1"], parameters["w1"] - decayed["v_w1"], rtol=1e-14)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_a_step_touches_no_argument_and_shares_no_memory(form: str, momentum: float) -> None:
    arguments = drawn("", 1), drawn("", 2), drawn("v_", 3)
    copies = [{name: a.copy() for name, a in part.items()} for part in arguments]
    found = step(*arguments, learning_rate=0.3, momentum=momentum, form=form)
    given = [array for part in arguments for array in part.values()]
    for part, copy in zip(arguments, copies, strict=True):
        for name, array in part.items():
            np.testing.assert_array_equal(array, copy[name])
    for array in [array for part in found for array in part.values()]:
        assert not any(np.shares_memory(array, other) for other in given)
        assert array.flags.c_contiguous


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"form": "nesterov"}, "no momentum form 'nesterov'; there are velocity and buffer"),
        ({"learning_rate": 0.0}, "learning rate is 0.0; it must be above 0"),
        ({"learning_rate": float("nan")}, "learning rate is nan; it must be above 0"),
        ({"device": "abacus"}, "on the device 'abacus'"),
        ({"state": {"v_w9": np.zeros(2)}}, "The keys of the state hold v_w9"),
        ({"state": {"v_w1": np.zeros((2, 3))}}, r"v_w1 has shape \(2, 3\); .* shape \(3, 2\)"),
        ({"state": {"v_b1": np.zeros(2, np.float32)}}, "v_b1 is float32; it must be float64"),
        ({"gradients": {"w1": np.zeros((3, 2))}}, "The gradients lack b1"),
        (
            {"gradients": {"w1": np.zeros((3, 2)), "b1": np.zeros((1, 2))}},
            r"gradient b1 has shape \(1, 2\)",
        ),
    ],
)
def test_what_does_not_fit_is_refused(options: dict[str, Any], words: str) -> None:
    arguments: dict[str, Any] = {
        "parameters": drawn("", 1),
        "gradients": drawn("", 2),
        "state": None,
        "learning_rate": 0.1,
        "momentum": 0.9,
    }
    with pytest.raises(ValueError, match=words):
        step(**(arguments | options))


def test_parameters_of_two_dtypes_are_refused() -> None:
    mixed = drawn("", 1) | {"b1": np.zeros(2, np.float32)}
    with pytest.raises(ValueError, match="of 2 dtypes; they must be of one"):
        step(mixed, mixed, None, learning_rate=0.1, momentum=0.9)


def test_a_training_that_goes_on_counts_its_updates_from_the_recorded_t() -> None:
    generator = np.random.default_rng(4)
    b, db = generator.normal(size=5), generator.normal(size=5)
    state = {"m_b1": 0.1 * db, "s_b1": db * db, "t": np.asarray(7)}
    recipe = Recipe("adam", 0.01)
    parameter = torch.nn.Parameter(torch.from_numpy(b.copy()))
    advance = Advance(recipe, {"b1": parameter}, state)
    parameter.grad = torch.from_numpy(db.copy())
    after = advance()
    expected, _ = optimiser_step(recipe, {"b1": b}, {"b1": db}, state)
    assert int(after["t"]) == 8
    np.testing.assert_array_equal(parameter.detach().numpy(), expected["b1"])
    from_zero, _ = optimiser_step(recipe, {"b1": b}, {"b1": db}, state | {"t": np.asarray(0)})
    assert not np.array_equal(from_zero["b1"], expected["b1"])
