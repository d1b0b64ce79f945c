"""`--manual` finds the function it was given, and says in one sentence why it does not."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from compare.contracts.errors import BadInput, UserCodeError
from compare.guard.manual_file import load
from tests.test_bring_guard import point

RIGHT = """
import numpy as np
from manual_mlp import loss_and_gradients as ours, velocity_step

def loss_and_gradients(parameters, x, targets):
    return ours(parameters, x, targets)

def gradients_of_mine(parameters, x, targets):
    return ours(parameters, x, targets)
"""
STEP = """
def step(parameters, gradients, state, *, learning_rate, momentum):
    return velocity_step(
        parameters, gradients, state, learning_rate=learning_rate, momentum=momentum)
"""


@pytest.fixture(autouse=True)
def _modules_kept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """Undo what loading their files leaves in the interpreter."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield
    for name, module in list(sys.modules.items()):
        if str(getattr(module, "__file__", "")).startswith(str(tmp_path)):
            del sys.modules[name]


def written(folder: Path, text: str, name: str = "mine.py") -> str:
    """Write a file and return its path."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return str(path)


@pytest.mark.parametrize("name", ["", ":loss_and_gradients", ":gradients_of_mine"])
def test_a_function_of_a_file_is_found(tmp_path: Path, name: str) -> None:
    loaded = load(written(tmp_path, RIGHT) + name)
    loss, gradients, _ = loaded.implementation(*point())
    assert np.isfinite(loss) and set(gradients) == {"w1", "b1", "w2", "b2"}
    assert (loaded.step, loaded.notes) == (None, ())


def test_a_step_beside_the_function_is_taken_along(tmp_path: Path) -> None:
    assert load(written(tmp_path, RIGHT + STEP)).step is not None


def test_a_function_of_a_module_here_or_installed_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written(tmp_path, "", "paper/__init__.py")
    written(tmp_path, RIGHT, "paper/layers.py")
    monkeypatch.chdir(tmp_path)
    assert load("paper.layers:gradients_of_mine").name == "gradients_of_mine"
    assert load("manual_mlp:loss_and_gradients").step is None


def test_the_main_block_of_a_file_does_not_run(tmp_path: Path) -> None:
    path = written(tmp_path, RIGHT + "\nif __name__ == '__main__':\n    raise SystemExit\n")
    assert load(path).step is None


def test_a_file_may_import_what_lies_beside_it(tmp_path: Path) -> None:
    written(tmp_path, "def half(x):\n    return x / 2\n", "helper_of_mine.py")
    load(written(tmp_path, "from helper_of_mine import half\n" + RIGHT))
    assert sys.path[0] != str(tmp_path) and sys.path[-1] == str(tmp_path)


def test_a_file_beside_it_never_shadows_ours(tmp_path: Path) -> None:
    written(tmp_path, "raise ValueError('not our matplotlib')", "wave.py")
    load(written(tmp_path, RIGHT))
    import wave

    assert Path(wave.__file__).parent != tmp_path


SENTENCES = {
    "no such file": ("{folder}/none.py", RIGHT, "there is no such file"),
    "no such name": ("{file}:lossandgradients", RIGHT, "did you mean loss_and_gradients? (it"),
    "no such name, nothing close": ("{file}:q", RIGHT, "no q (it defines loss_and_gradients, g"),
    "no function at all": ("{file}", "a = 1\n", "no loss_and_gradients, and no other function"),
    "a class": ("{file}:Net", "class Net: ...\n", "Net is a class; give a function loss_and_grad"),
    "not a function": ("{file}:a", "a = 1\n", "a is a value of type int; give a function"),
    "no module": ("no_such.module:f", RIGHT, "no module no_such, neither installed nor here"),
    "neither": ("mine", RIGHT, "give FILE.py, FILE.py:NAME or package.module:NAME"),
    "a notebook": ("mine.ipynb", RIGHT, "give FILE.py, FILE.py:NAME or package.module:NAME"),
    "a syntax error": ("{file}", "def f(:\n", "mine.py, line 1 (`def f(:`): SyntaxError"),
    "raises": ("{file}", "x = 1\ny = x / 0\n", "line 2 (`y = x / 0`): importing mine.py raised Z"),
    "exits": ("{file}", "import sys\nsys.exit(3)\n", "importing mine.py called sys.exit(3)"),
    "imports nothing there": ("{file}", "import no_such\n", "No module named 'no_such'"),
    "other arguments": (
        "{file}:f",
        "def f(x, y):\n    ...\n",
        "line 1 (`def f(x, y):`): f(x, y) cannot be called as f(parameters, x, targets): too many",
    ),
    "a step of other arguments": (
        "{file}",
        RIGHT + "def step(w, lr): ...\n",
        "step(w, lr) cannot be called as step(parameters, gradients, state, *, learning_rate, mom",
    ),
}


@pytest.mark.parametrize(("spec", "text", "words"), SENTENCES.values(), ids=SENTENCES)
def test_what_cannot_be_loaded_is_said_in_one_sentence(
    tmp_path: Path, spec: str, text: str, words: str
) -> None:
    file = written(tmp_path, text)
    with pytest.raises(BadInput) as caught:
        load(spec.format(folder=tmp_path, file=file))
    assert words in str(caught.value) and "\n" not in str(caught.value)


def test_a_module_that_lacks_something_else_is_not_called_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written(tmp_path, "import no_such\n", "lacking.py")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserCodeError, match=r"lacking.py, line 1 .* No module named 'no_such'"):
        load("lacking:f")


def test_a_file_that_hangs_while_it_is_imported_is_stopped(tmp_path: Path) -> None:
    path = written(tmp_path, "while True:\n    pass\n")
    with pytest.raises(UserCodeError, match=r"did not return within 0.1 s.*at mine.py, line \d"):
        load(path, timeout=0.1)


def test_what_a_file_prints_while_it_is_imported_is_noted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    loaded = load(written(tmp_path, "print('hello')\n" + RIGHT))
    assert capsys.readouterr().out == ""
    assert loaded.notes == (
        "importing mine.py prints, first 'hello' at mine.py, line 1; it is kept off the screen",
    )
