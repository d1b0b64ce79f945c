"""Hostile code under test: nothing green without a verdict, nothing lost, one sentence each."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
import warnings
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from compare import BadInput, check
from compare.guard.effects import Notes, Printed
from manual_mlp import loss_and_gradients
from tests.test_command_process import COMMAND, ENVIRONMENT

pytestmark = pytest.mark.slow

RIGHT = "import os, sys\nfrom manual_mlp import loss_and_gradients as right\n"
DEFINED = "def loss_and_gradients(parameters, x, targets):\n"


class Run:
    """A finished `--manual`, in a folder of its own."""

    def __init__(self, folder: Path, text: str, *arguments: str) -> None:
        file = folder / "mine.py"
        file.write_text(RIGHT + text, encoding="utf-8")
        done = subprocess.run(
            [*COMMAND, "--manual", str(file), "--no-plots", "--out", "o", *arguments],
            env=ENVIRONMENT, cwd=folder, capture_output=True, encoding="utf-8", timeout=120,
            check=False,
        )  # fmt: skip
        self.code, self.out, self.error = done.returncode, done.stdout, done.stderr
        path = folder / "o" / "report.json"
        self.report: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}


EXITS = {
    "in the function": DEFINED + "    os._exit(0)\n",
    "at import": "os._exit(0)\n",
    "by another name": "import posix\n" + DEFINED + "    posix._exit(0)\n",
}


@pytest.mark.parametrize("text", EXITS.values(), ids=EXITS)
def test_code_that_ends_the_process_is_not_green_and_leaves_a_report(
    tmp_path: Path, text: str
) -> None:
    done = Run(tmp_path, text)
    assert done.code == 2
    assert "ended the process itself, with exit status 0" in done.error
    assert done.report["exit_code"] == 2 and done.report["failure"]


def test_an_exit_left_to_the_end_does_not_change_the_exit_code(tmp_path: Path) -> None:
    text = (
        "import atexit\natexit.register(os._exit, 0)\n"
        + DEFINED
        + "    loss, g = right(parameters,"
        " x, targets)\n    return loss, {k: 2 * v for k, v in g.items()}\n"
    )
    done = Run(tmp_path, text)
    assert done.code == done.report["exit_code"] == 1


def test_a_fork_in_the_function_gives_one_verdict(tmp_path: Path) -> None:
    done = Run(tmp_path, DEFINED + "    os.fork()\n    return right(parameters, x, targets)\n")
    assert done.code == 0 and done.out.count("agrees:") == 1


def test_closed_outputs_and_a_deleted_folder_take_no_report(tmp_path: Path) -> None:
    text = DEFINED + (
        "    import tempfile\n    with tempfile.TemporaryDirectory() as folder:\n"
        "        os.chdir(folder)\n    try:\n        os.close(1)\n    except OSError:\n"
        "        pass\n    return right(parameters, x, targets)\n"
    )
    done = Run(tmp_path, text)
    assert done.code == done.report["exit_code"] == 0
    assert "Traceback" not in done.error
    assert any("changes the current folder" in note for note in done.report["notes"])


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_signal_to_the_command_leaves_a_valid_report(tmp_path: Path, number: int) -> None:
    file = tmp_path / "mine.py"
    waiting = "    open('started', 'w').close()\n    import time\n    time.sleep(60)\n"
    file.write_text(RIGHT + DEFINED + waiting)
    with subprocess.Popen(
        [*COMMAND, "--manual", str(file), "--no-plots", "--out", "o"],
        env=ENVIRONMENT, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    ) as process:  # fmt: skip
        while not (tmp_path / "started").exists():
            time.sleep(0.05)
        process.send_signal(number)
        if number == signal.SIGINT:  # the first one waits for an update, which never comes
            time.sleep(0.2)
            process.send_signal(number)
        assert process.wait(60) == 130
    report = json.loads((tmp_path / "o" / "report.json").read_text())
    assert report["interrupted"] and report["exit_code"] == 130


class Tuple(tuple[Any, ...]):
    """A tuple that cannot be looked at."""

    def __getitem__(self, _: Any) -> Any:
        raise IndexError("mine")


class Endless(dict[str, Any]):
    """A dictionary without an end."""

    def __iter__(self) -> Any:
        yield from map(str, count())


async def asynchronous(parameters: Any, x: Any, targets: Any) -> Any:
    """Return a coroutine."""
    return loss_and_gradients(parameters, x, targets)


def returning(change: Any) -> Any:
    """Return an implementation whose right answer is changed."""

    def function(parameters: Any, x: Any, targets: Any) -> Any:
        return change(*loss_and_gradients(parameters, x, targets))

    return function


HOSTILE = {
    "a huge loss": (returning(lambda _, g: (10**400, g)), "whole number as its loss that no float"),
    "no end": (returning(lambda a, g: (a, Endless(g))), "gradients with unknown 0, 1"),
    "async": (asynchronous, "is an async function; a plain one is due"),
}


@pytest.mark.parametrize(("function", "words"), HOSTILE.values(), ids=HOSTILE)
def test_what_cannot_be_read_is_one_sentence(function: Any, words: str) -> None:
    with warnings.catch_warnings(), pytest.raises(BadInput) as caught:
        warnings.simplefilter("error")
        check(function, timeout=20)
    assert words in str(caught.value) and "\n" not in str(caught.value)


def test_a_returned_value_that_raises_disagrees() -> None:
    result = check(returning(lambda *a: Tuple(a)), timeout=20)
    assert not result and "what function returned raised IndexE" in result.sentence


def test_a_function_wrapped_in_itself_is_checked() -> None:
    function = returning(lambda a, g: (a, g))
    function.__wrapped__ = function
    assert check(function)


def test_a_missed_key_is_shown_with_the_keys_there_are() -> None:
    def theirs(parameters: Any, x: Any, targets: Any) -> Any:
        return parameters["W1"]

    result = check(theirs)
    assert result.verdict == "disagrees" and result.sentence.endswith(
        "theirs raised KeyError: 'W1'; it is called as theirs(parameters, x, targets); "
        "parameters has the keys w1, b1, w2, b2"
    )


def test_a_layer_that_was_not_read_shows_in_the_keys_there_are() -> None:
    def of_one_layer(parameters: Any, x: Any, targets: Any) -> Any:
        return x @ parameters["w1"] - targets

    sentence = check(of_one_layer, hidden=(11,)).sentence
    assert "raised ValueError" in sentence and sentence.endswith("has the keys w1, b1, w2, b2")


def test_gradients_switched_off_are_switched_on_again() -> None:
    import torch

    def theirs(parameters: Any, x: Any, targets: Any) -> Any:
        torch.set_grad_enabled(False)
        return loss_and_gradients(parameters, x, targets)

    result = check(theirs)
    assert result and torch.is_grad_enabled()
    with torch.no_grad():
        assert check(loss_and_gradients)
    with torch.inference_mode():
        assert check(loss_and_gradients)


def test_checks_on_several_threads_leave_everything_as_found() -> None:
    before = sys.stdout, sys.stderr, list(warnings.filters), os.getcwd()
    verdicts: list[bool] = []

    def work(seed: int) -> None:
        verdicts.append(bool(check(loss_and_gradients, seed=seed)))

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (sys.stdout, sys.stderr, list(warnings.filters), os.getcwd()) == before
    assert verdicts == [True] * 6


def test_a_check_inside_the_function_under_test_does_not_wait_for_itself() -> None:
    def theirs(parameters: Any, x: Any, targets: Any) -> Any:
        assert check(loss_and_gradients, hidden=(3,))
        return loss_and_gradients(parameters, x, targets)

    found: list[Any] = []
    thread = threading.Thread(target=lambda: found.append(check(theirs)))
    thread.start()
    thread.join(120)
    assert found and found[0]


def test_printing_without_a_newline_costs_the_same_every_time() -> None:
    printed = Printed(None)
    for _ in range(1000):
        printed.write(".")
    assert len(printed.first) <= 200
    notes = Notes()
    printed.note("it", notes)
    assert len(notes.sentences()) == 1
