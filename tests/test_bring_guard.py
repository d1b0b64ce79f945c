"""Their code cannot hurt the result: one hostile function after another.

Each raises, hangs, exits, scribbles or returns nonsense, and the line that does it is marked
`# here`. What is required is one sentence that begins with that line, and a world that is
afterwards as it was before.
"""

from __future__ import annotations

import inspect
import random
import re
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from compare import check
from compare.contracts.errors import BadInput, UserCodeError
from compare.guard.blame import at_line, code_of, home_of, name_of, return_of
from compare.guard.deadline import TimedOut, within
from compare.guard.effects import Notes
from compare.guard.implementation import GuardedImplementation, GuardedReduction, GuardedStep
from manual_mlp import loss_and_gradients, velocity_step

Array = NDArray[Any]
Arrays = dict[str, Array]
Function = Callable[..., Any]
N, F, H, K = 7, 5, 4, 3


def point(dtype: str = "float64") -> tuple[Arrays, Array, Array]:
    """Parameters, x and targets of a network no two dimensions of which are equal."""
    rng = np.random.default_rng(1)
    shapes = {"w1": (F, H), "b1": (H,), "w2": (H, K), "b2": (K,)}
    parameters = {name: rng.normal(size=shape).astype(dtype) for name, shape in shapes.items()}
    targets = np.eye(K)[rng.integers(K, size=N)].astype(dtype)
    return parameters, rng.normal(size=(N, F)).astype(dtype), targets


def marked(function: Function) -> str:
    """Return `test_bring_guard.py, line 12` for the line marked `# here`."""
    lines, first = inspect.getsourcelines(function)
    offset = next(i for i, line in enumerate(lines) if "# here" in line)
    return f"{Path(__file__).name}, line {first + offset} "


def refused(function: Function, *, timeout: float | None = 20.0) -> str:
    """Call a hostile function as an implementation and return the sentence it got."""
    with pytest.raises(UserCodeError) as caught:
        GuardedImplementation(function, timeout=timeout)(*point())
    assert "\n" not in str(caught.value)
    return str(caught.value)


def raises(parameters: Arrays, x: Array, targets: Array) -> Any:
    return x @ parameters["w2"]  # here


def raises_without_words(parameters: Arrays, x: Array, targets: Array) -> Any:
    raise Speechless  # here


class Speechless(Exception):
    def __str__(self) -> str:
        raise RuntimeError


def exits(parameters: Arrays, x: Array, targets: Array) -> Any:
    sys.exit("bye")  # here


def recurses(parameters: Arrays, x: Array, targets: Array) -> Any:
    return recurses(parameters, x, targets)  # here


def asserts(parameters: Arrays, x: Array, targets: Array) -> Any:
    assert x.shape == targets.shape  # here


def wrong_key(parameters: Arrays, x: Array, targets: Array) -> Any:
    return 1.0, parameters["w3"]  # here


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (raises, "raises raised ValueError: matmul"),
        (raises_without_words, "raised Speechless"),
        (exits, "called sys.exit('bye'); a gradient has to return"),
        (recurses, "raised RecursionError: maximum recursion depth exceeded"),
        (asserts, "raised AssertionError"),
        (wrong_key, "raised KeyError: 'w3'"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_what_a_function_does_wrong_is_one_sentence_with_its_line(
    function: Function, words: str
) -> None:
    sentence = refused(function)
    assert sentence.startswith(marked(function))
    assert words in sentence


def test_the_line_is_the_last_one_of_theirs_not_numpys() -> None:
    def in_numpy(parameters: Arrays, x: Array, targets: Array) -> Any:
        return np.linalg.inv(x)  # here

    assert refused(in_numpy).startswith(marked(in_numpy))


def test_ctrl_c_in_their_code_stays_ctrl_c() -> None:
    def interrupted(parameters: Arrays, x: Array, targets: Array) -> Any:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        GuardedImplementation(interrupted)(*point())


def spins(parameters: Arrays, x: Array, targets: Array) -> Any:
    while True:
        x = x + 0.0  # here


def sleeps(parameters: Arrays, x: Array, targets: Array) -> Any:
    time.sleep(60)  # here


def swallows(parameters: Arrays, x: Array, targets: Array) -> Any:
    while True:
        try:
            time.sleep(0.001)
        except BaseException:
            x = x + 0.0


@pytest.mark.parametrize("function", [spins, sleeps])
def test_a_hang_is_stopped_at_the_line_it_is_in(function: Function) -> None:
    sentence = refused(function, timeout=0.1)
    assert "did not return within 0.1 s; a longer timeout waits" in sentence
    assert sentence.startswith(f"{function.__name__} did not return")  # no line is to blame
    assert re.search(rf"it was interrupted at {Path(__file__).name}, line \d+ \(`", sentence)


def test_a_hang_that_catches_everything_meets_the_signal_again() -> None:
    assert "did not return within 0.1 s" in refused(swallows, timeout=0.1)


def swallows_between(parameters: Arrays, x: Array, targets: Array) -> Any:
    """It is hardly ever outside of its `try`, where a signal would get through."""
    while True:
        try:
            for _ in range(10**9):
                x = x + 0.0
        except BaseException:
            pass


def test_a_hang_that_hardly_leaves_its_try_is_stopped_too() -> None:
    began = time.monotonic()
    assert "did not return within 0.1 s" in refused(swallows_between, timeout=0.1)
    assert time.monotonic() - began < 60


@pytest.fixture
def released() -> Iterator[threading.Event]:
    """An event that frees an abandoned thread when the test is over."""
    event = threading.Event()
    yield event
    event.set()


def test_off_the_main_thread_a_hang_is_left_behind(released: threading.Event) -> None:
    def waits(parameters: Arrays, x: Array, targets: Array) -> Any:
        released.wait()  # here

    sentences: list[str] = []
    thread = threading.Thread(target=lambda: sentences.append(refused(waits, timeout=0.1)))
    thread.start()
    thread.join()
    assert f"it was interrupted at {marked(waits)}" in sentences[0]


def test_off_the_main_thread_values_and_errors_come_back() -> None:
    seen: list[Any] = []

    def work() -> None:
        seen.append(within(20.0, lambda: 7))
        try:
            within(20.0, lambda: 1 // 0)
        except ZeroDivisionError as error:
            seen.append(type(error))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [7, ZeroDivisionError]


def test_a_deadline_inside_a_deadline_leaves_the_outer_one_running() -> None:
    def outer() -> None:
        assert within(20.0, lambda: 1) == 1
        time.sleep(60)

    with pytest.raises(TimedOut):
        within(0.1, outer)


def test_without_a_deadline_the_call_is_made_here() -> None:
    assert within(None, threading.current_thread) is threading.current_thread()


def honest(parameters: Arrays, x: Array, targets: Array) -> Any:
    return loss_and_gradients(parameters, x, targets)


def noted(function: Function) -> str:
    """Call a function that is right but untidy; return its notes after checking its numbers."""
    implementation = GuardedImplementation(function)
    loss, gradients, _ = implementation(*point())
    expected, slopes = loss_and_gradients(*point())
    assert loss == expected
    for name, slope in slopes.items():
        np.testing.assert_array_equal(gradients[name], slope, strict=True)
    return "\n".join(implementation.notes)


def test_an_honest_function_is_not_noted() -> None:
    assert noted(honest) == ""


def test_printing_is_kept_off_the_screen_and_noted_once(
    capsys: pytest.CaptureFixture[str],
) -> None:
    def prints(parameters: Arrays, x: Array, targets: Array) -> Any:
        print("loss so far", x[0, 0])  # here
        print("more", file=sys.stderr)
        return honest(parameters, x, targets)

    implementation = GuardedImplementation(prints)
    implementation(*point())
    implementation(*point())
    assert capsys.readouterr() == ("", "")
    (note,) = implementation.notes
    assert note.startswith("prints prints, first 'loss so far") and note.endswith("(2 times)")
    assert marked(prints).strip() in note


def test_warnings_of_theirs_are_noted_and_stop_nothing() -> None:
    def warns(parameters: Arrays, x: Array, targets: Array) -> Any:
        np.log(np.zeros(1))  # here
        warnings.warn("mind the gap", stacklevel=1)
        return honest(parameters, x, targets)

    notes = noted(warns)
    assert "warns: RuntimeWarning: divide by zero encountered in log" in notes
    assert marked(warns).strip() in notes
    assert "warns: UserWarning: mind the gap" in notes


def test_global_random_state_is_put_back() -> None:
    def reseeds(parameters: Arrays, x: Array, targets: Array) -> Any:
        np.random.seed(3)  # noqa: NPY002  it is what they do
        random.random()
        return honest(parameters, x, targets)

    before = random.getstate()
    np.random.seed(5)  # noqa: NPY002  the global generator is the one they change
    undisturbed = np.random.random()  # noqa: NPY002
    np.random.seed(5)  # noqa: NPY002
    notes = noted(reseeds)
    assert np.random.random() == undisturbed  # noqa: NPY002
    assert random.getstate() == before
    assert "moves NumPy's global random state" in notes and "moves Python's global" in notes


def test_torchs_random_state_is_put_back_where_torch_is_loaded() -> None:
    torch = pytest.importorskip("torch")

    def draws(parameters: Arrays, x: Array, targets: Array) -> Any:
        torch.rand(1)
        return honest(parameters, x, targets)

    before = torch.get_rng_state()
    assert "moves torch's global random state" in noted(draws)
    assert torch.equal(before, torch.get_rng_state())


def test_numpys_error_state_is_put_back() -> None:
    def silences(parameters: Arrays, x: Array, targets: Array) -> Any:
        np.seterr(all="ignore")
        return honest(parameters, x, targets)

    before = np.geterr()
    assert "changes NumPy's error state" in noted(silences)
    assert np.geterr() == before


def test_a_limit_of_recursion_and_removed_modules_are_put_back() -> None:
    def spoils(parameters: Arrays, x: Array, targets: Array) -> Any:
        answer = honest(parameters, x, targets)
        sys.setrecursionlimit(200)
        del sys.modules["compare.guard.blame"]
        return answer

    depth, module = sys.getrecursionlimit(), sys.modules["compare.guard.blame"]
    said = noted(spoils)
    assert "changes the limit of recursion" in said and "removes loaded modules" in said
    assert sys.getrecursionlimit() == depth
    assert sys.modules["compare.guard.blame"] is module


def test_arguments_that_are_written_to_are_copies_and_the_line_is_named() -> None:
    def scribbles(parameters: Arrays, x: Array, targets: Array) -> Any:
        answer = honest(parameters, x, targets)
        parameters["w1"] -= 0.1  # here
        return answer

    parameters, x, targets = point()
    implementation = GuardedImplementation(scribbles)
    implementation(parameters, x, targets)
    implementation(parameters, x, targets)
    np.testing.assert_array_equal(parameters["w1"], point()[0]["w1"])
    assert implementation.modified == {"parameters"}
    (note,) = implementation.notes
    assert note.startswith("scribbles modifies its argument parameters at ")
    assert marked(scribbles).strip() in note and note.endswith("it got a copy")


def test_a_dictionary_that_loses_a_key_counts_as_modified() -> None:
    def pops(parameters: Arrays, x: Array, targets: Array) -> Any:
        answer = honest(parameters, x, targets)
        parameters.pop("w1")
        return answer

    implementation = GuardedImplementation(pops)
    implementation(*point())
    assert implementation.modified == {"parameters"}


def test_what_they_keep_of_ours_and_reuse_of_theirs_cannot_reach_us() -> None:
    kept: list[Array] = []
    buffer: Arrays = {}

    def keeps(parameters: Arrays, x: Array, targets: Array) -> Any:
        kept.append(x)
        loss, gradients = honest(parameters, x, targets)
        buffer.update(gradients)
        return loss, buffer

    parameters, x, targets = point()
    _, first, _ = GuardedImplementation(keeps)(parameters, x, targets)
    kept[0][:] = 9
    buffer["w1"][:] = 9
    np.testing.assert_array_equal(x, point()[1])
    assert not (first["w1"] == 9).any()


def test_a_nan_in_the_arguments_is_no_modification() -> None:
    parameters, x, targets = point()
    x[0, 0] = np.nan
    implementation = GuardedImplementation(honest)
    implementation(parameters, x, targets)
    assert implementation.modified == set()


def returning(change: Callable[[float, Arrays], Any]) -> Function:
    """Return a function whose only fault is what it hands back."""

    def returns(parameters: Arrays, x: Array, targets: Array) -> Any:
        return change(*loss_and_gradients(parameters, x, targets))

    return returns


WRONG: dict[str, tuple[Callable[[float, Arrays], Any], str]] = {
    "nothing": (lambda loss, g: None, "returned None; it must return (loss, gradients)"),
    "only the loss": (lambda loss, g: loss, "returned a float; it must return (loss, gradients)"),
    "four values": (lambda loss, g: (loss, *g.values()), "returned a tuple of 5; it must"),
    "swapped": (lambda loss, g: (g, loss), "returned (gradients, loss); the loss comes first"),
    "a list of gradients": (
        lambda loss, g: (loss, list(g.values())),
        "returned a list of 4 as its gradients; a dictionary with the keys w1, b1, w2, b2 is due",
    ),
    "losses": (
        lambda loss, g: (np.full(N, loss), g),
        "returned a loss of shape (7,) (one for each sample; average them); it must be one number",
    ),
    "loss (1, 1)": (lambda loss, g: (np.ones((1, 1)), g), "returned a loss of shape (1, 1);"),
    "complex loss": (lambda loss, g: (1j, g), "returned a complex as its loss"),
    "loss of objects": (lambda loss, g: (np.array(None), g), "returned an array of object"),
    "truth as loss": (lambda loss, g: (True, g), "returned a bool as its loss; it must be a real"),
    "missing key": (
        lambda loss, g: (loss, {"w1": g["w1"], "w2": g["w2"]}),
        "returned gradients without b1, b2; the keys are w1, b1, w2, b2",
    ),
    "other keys": (
        lambda loss, g: (loss, {f"d{name}": array for name, array in g.items()}),
        "without w1, b1, w2, b2 and with unknown dw1, db1, dw2, db2; the keys are w1, b1, w2, b2",
    ),
    "a list": (
        lambda loss, g: (loss, g | {"b1": g["b1"].tolist()}),
        "returned a list of 4 as gradient b1; it must be a NumPy array",
    ),
    "float32": (
        lambda loss, g: (loss, g | {"w2": g["w2"].astype(np.float32)}),
        "returned gradient w2 as float32; its arguments are float64",
    ),
    "integers": (
        lambda loss, g: (loss, g | {"w2": g["w2"].astype(int)}),
        "returned gradient w2 as int64; its arguments are float64",
    ),
    "transposed": (
        lambda loss, g: (loss, g | {"w1": g["w1"].T}),
        "returned gradient w1 of shape (4, 5); (5, 4) is due: it is transposed",
    ),
    "flat": (
        lambda loss, g: (loss, g | {"w1": g["w1"].ravel()}),
        "returned gradient w1 of shape (20,); (5, 4) is due",
    ),
    "not summed": (
        lambda loss, g: (loss, g | {"b1": np.ones((N, H))}),
        "returned gradient b1 of shape (7, 4); (4,) is due: it is not summed over the batch",
    ),
    "wrong axis": (
        lambda loss, g: (loss, g | {"b1": np.ones((1, N))}),
        "returned gradient b1 of shape (1, 7); (4,) is due: it is summed over the wrong axis",
    ),
    "intermediates as a list": (
        lambda loss, g: (loss, g, [1]),
        "returned a list of 1 as intermediates; a dictionary of arrays is due",
    ),
    "an intermediate number": (
        lambda loss, g: (loss, g, {"z1": 1.0}),
        "returned a float as intermediate 'z1'; give a float array",
    ),
    "of another library": (
        lambda loss, g: (loss, g | {"b1": Path()}),
        "as gradient b1; it must be a NumPy array",
    ),
}


@pytest.mark.parametrize(("change", "words"), WRONG.values(), ids=WRONG)
def test_a_wrong_return_value_is_one_sentence(
    change: Callable[[float, Arrays], Any], words: str
) -> None:
    sentence = refused(returning(change))
    assert sentence.startswith(f"{Path(__file__).name}, line ")
    assert ": returns " in sentence and words in sentence


def test_a_wrong_return_value_is_blamed_on_the_line_of_the_return() -> None:
    def returns(parameters: Arrays, x: Array, targets: Array) -> Any:
        loss = 1.0
        return loss, None  # here

    assert refused(returns).startswith(marked(returns))


def test_a_bias_gradient_of_one_row_is_accepted_and_noted() -> None:
    notes = noted(returning(lambda loss, g: (loss, g | {"b1": g["b1"][None, :]})))
    assert notes == "returns returns gradient b1 of shape (1, 4); read as (4,)"


def test_the_bias_gradient_of_a_single_unit_may_be_a_number() -> None:
    def summed(parameters: Arrays, x: Array, targets: Array) -> Any:
        z = x @ parameters["w1"] + parameters["b1"]
        d = (1 / (1 + np.exp(-z)) - targets) / len(x)
        loss = np.mean(np.logaddexp(0, z) - targets * z)
        return loss, {"w1": x.T @ d, "b1": d.sum()}

    found = check(summed, hidden=(), classes=1, loss="bce")
    assert found.verdict == "agrees", found.sentence
    assert any("gradient b1 of shape (); read as (1,)" in note for note in found.notes)


@pytest.mark.parametrize("loss", [np.float64(2), np.array(2.0), np.array(2), 2, np.float32(2)])
def test_a_loss_may_be_any_real_number_without_axes(loss: Any) -> None:
    implementation = GuardedImplementation(returning(lambda _, g: (loss, g)))
    assert implementation(*point())[0] == 2.0


@pytest.mark.parametrize("loss", [np.nan, np.inf])
def test_a_loss_that_is_not_finite_is_a_value_for_the_judge(loss: float) -> None:
    assert not np.isfinite(GuardedImplementation(returning(lambda _, g: (loss, g)))(*point())[0])


def test_intermediates_come_back_by_name() -> None:
    def shows(parameters: Arrays, x: Array, targets: Array) -> Any:
        return loss_and_gradients(parameters, x, targets, intermediates=True)

    _, _, shown = GuardedImplementation(shows)(*point())
    assert {"z1", "h1", "logits", "p", "dlogits", "dh1", "dz1"} <= shown.keys()


def test_arguments_arrive_contiguous_and_in_one_dtype() -> None:
    def looks(parameters: Arrays, x: Array, targets: Array) -> Any:
        assert x.flags.c_contiguous and x.flags.writeable and targets.dtype == np.float32
        return honest(parameters, x, targets)

    parameters, x, targets = point("float32")
    GuardedImplementation(looks)(parameters, np.asfortranarray(x), targets)


class Network:
    """A callable object, as some people write them."""

    def __call__(self, parameters: Arrays, x: Array) -> Any:
        return honest(parameters, x, x)


def test_a_function_of_other_arguments_is_refused_before_it_is_called() -> None:
    with pytest.raises(UserCodeError, match=r"Network\(parameters.*\) -> .* cannot be called as"):
        GuardedImplementation(Network())
    with pytest.raises(UserCodeError, match="float cannot be called; give a function"):
        GuardedImplementation(1.0)  # type: ignore[arg-type]
    with pytest.raises(UserCodeError, match=r"Network is a class; give .* `manual-mlp check FILE`"):
        GuardedImplementation(Network)


def test_names_and_places_survive_partial_methods_and_objects() -> None:
    bound = partial(partial(honest), targets=np.eye(K))
    assert name_of(bound) == "honest"
    home = home_of(bound)
    assert home is not None and home.file == __file__
    assert code_of(Network()) is Network.__call__.__code__
    assert (home_of(len), return_of(len), name_of(Network())) == (None, None, "Network")


def test_user_code_errors_are_bad_input() -> None:
    assert issubclass(UserCodeError, BadInput)


def step_of(change: Callable[[Arrays, Arrays], Any]) -> GuardedStep:
    """Return a guarded step whose only fault is what it hands back."""

    def step(
        parameters: Arrays,
        gradients: Arrays,
        state: Arrays,
        *,
        learning_rate: float,
        momentum: float,
    ) -> Any:
        rates = {"learning_rate": learning_rate, "momentum": momentum}
        return change(*velocity_step(parameters, gradients, state, **rates))

    return GuardedStep(step)


def stepped(step: GuardedStep) -> tuple[Arrays, Arrays]:
    """Take one step from the usual point."""
    parameters, x, targets = point()
    _, gradients = loss_and_gradients(parameters, x, targets)
    state = {f"v_{name}": np.ones_like(array) for name, array in parameters.items()}
    return step(parameters, gradients, state, learning_rate=0.1, momentum=0.9)


def test_a_step_of_contract_2_passes() -> None:
    parameters, state = stepped(step_of(lambda p, s: (p, s)))
    assert set(parameters) == {"w1", "b1", "w2", "b2"}
    assert set(state) == {"v_w1", "v_b1", "v_w2", "v_b2"}


def test_an_absent_state_entry_means_zeros() -> None:
    _, state = stepped(step_of(lambda p, s: (p, {})))
    assert all((array == 0).all() for array in state.values())


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda p, s: None, "returned None; it must return (parameters, state)"),
        (lambda p, s: (p, None), "returned None as its state"),
        (lambda p, s: ({"w1": p["w1"]}, s), "returned parameters without b1, w2, b2"),
        (lambda p, s: (p, s | {"m_w1": p["w1"]}), "with unknown m_w1; the keys are v_w1"),
    ],
)
def test_a_wrong_step_is_one_sentence(change: Callable[[Arrays, Arrays], Any], words: str) -> None:
    with pytest.raises(UserCodeError) as caught:
        stepped(step_of(change))
    assert words in str(caught.value)


def test_a_step_that_cannot_take_the_rates_is_refused_before_it_is_called() -> None:
    def step(parameters: Arrays, gradients: Arrays, state: Arrays, lr: float) -> Any: ...

    with pytest.raises(UserCodeError, match="cannot be called as step"):
        GuardedStep(step)


def test_notes_count_what_is_said_again() -> None:
    notes = Notes()
    for _ in range(1200):
        notes.add("it prints")
    notes.add("it warns", about="a")
    notes.add("it warns otherwise", about="a")
    assert notes.sentences() == ("it prints (1,200 times)", "it warns (2 times)")


def test_a_sum_over_ranks_is_made_once_also_where_it_writes_to_its_arguments() -> None:
    """What one rank's sum leaves as it was, another's changes: both have to call equally often."""
    calls = []

    def in_place(loss: Array, gradients: Arrays, rows: Array) -> tuple[Array, Arrays]:
        calls.append(int(rows))
        gradients["w1"] += 1
        return loss, gradients

    reduction = GuardedReduction(in_place)
    given = {"w1": np.zeros((2, 3))}
    _, found = reduction(0.5, given, 4)
    assert calls == [4] and reduction.modified == {"gradients"}
    assert found["w1"].all() and not given["w1"].any()


def test_an_instruction_of_no_line_is_at_its_function() -> None:
    code = test_an_instruction_of_no_line_is_at_its_function.__code__
    assert at_line(code, None).line == code.co_firstlineno
    assert at_line(code, 7).line == 7
