"""Somebody else's work through the command: what is printed, what is written, the exit code."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from compare.judge.naming import Named
from compare.run import main
from tests.test_bring_starter import BACK, RIGHT

MINE = """
import numpy as np

calls = 0

def loss_and_gradients(parameters, x, targets):
    w1, b1, w2, b2 = (parameters[name] for name in ("w1", "b1", "w2", "b2"))
    z = x @ w1 + b1
    h = np.maximum(z, 0)
    o = h @ w2 + b2
    o = o - o.max(axis=1, keepdims=True)
    log_p = o - np.log(np.exp(o).sum(axis=1, keepdims=True))
    d = (np.exp(log_p) - targets) / len(x)
    dz = d @ w2.T * (z > 0)
    gradients = {"w1": x.T @ dz, "b1": dz.sum(axis=0), "w2": h.T @ d, "b2": d.sum(axis=0)}
    return -np.sum(targets * log_p) / len(x), gradients

def unmasked(parameters, x, targets):
    loss, gradients = loss_and_gradients(parameters, x, targets)
    p = {name: array.copy() for name, array in parameters.items()}
    h = np.maximum(x @ p["w1"] + p["b1"], 0)
    o = h @ p["w2"] + p["b2"]
    e = np.exp(o - o.max(axis=1, keepdims=True))
    d = (e / e.sum(axis=1, keepdims=True) - targets) / len(x)
    dh = d @ p["w2"].T
    return loss, gradients | {"w1": x.T @ dh, "b1": dh.sum(axis=0)}

def failing(parameters, x, targets):
    global calls
    calls += 1
    if calls > 40:
        raise RuntimeError("enough")
    return loss_and_gradients(parameters, x, targets)

def float32_only(parameters, x, targets):
    assert x.dtype == np.float32
    loss, gradients = loss_and_gradients(parameters, x, targets)
    return loss, {name: 2 * gradient for name, gradient in gradients.items()}

def one_hot_only(parameters, x, targets):
    assert ((targets == 0) | (targets == 1)).all()
    return loss_and_gradients(parameters, x, targets)
"""
STEP = """
def step(parameters, gradients, state, *, learning_rate, momentum):
    for name in parameters:
        state["v_" + name] = momentum * state["v_" + name] + {gradient}
        parameters[name] = parameters[name] - {update}
    return parameters, state
"""


@pytest.fixture(autouse=True)
def _modules_kept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """Undo what loading their files leaves in the interpreter."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield
    for name, module in list(sys.modules.items()):
        if str(getattr(module, "__file__", "")).startswith(str(tmp_path)):
            del sys.modules[name]


@pytest.fixture
def undiagnosed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out the search for a mistake where it is not what is tested."""
    monkeypatch.setattr("compare.judge.conclusion.name_mistake", lambda *_: Named())


class Command:
    """Runs the command in a folder, small and without plots."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder = folder
        self.capsys = capsys

    def __call__(self, *arguments: str, small: bool = True) -> tuple[int, str, str]:
        """Return exit code, output on one line, and what was said on stderr."""
        sizes = ("--hidden", "7") if small else ()
        out = str(self.folder / "out")
        code = main([*arguments, *sizes, "--no-plots", "--out", out])
        said = self.capsys.readouterr()
        return code, " ".join(said.out.split()), said.err

    @property
    def report(self) -> dict[str, Any]:
        """What report.json says."""
        content: dict[str, Any] = json.loads((self.folder / "out" / "report.json").read_text())
        return content

    def file(self, text: str, name: str = "mine.py") -> str:
        """Write a file of theirs and return its path."""
        path = self.folder / name
        path.write_text(text, encoding="utf-8")
        return str(path)


@pytest.fixture
def command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Command:
    """The command, in a folder of its own."""
    return Command(tmp_path, capsys)


def test_a_right_function_agrees_at_probe_points(command: Command) -> None:
    code, said, _ = command("--manual", command.file(MINE), "--hidden", "9", small=False)
    assert code == 0 and "agrees: at all" in said
    assert command.report["settings"]["manual"] == "mine.py"
    assert command.report["settings"]["sizes"] == [64, 9, 10]
    assert command.report["epochs"] == []


def test_a_wrong_function_is_refereed_and_its_mistake_named(command: Command) -> None:
    code, said, _ = command("--manual", command.file(MINE) + ":unmasked")
    assert code == 1
    assert "mask" in command.report["diagnosis"][0]["mistake"]
    assert command.report["referee"]["belongs"].startswith("slope 1: the gradient does not bel")
    assert "disagrees (derivative)" in said


def test_a_function_is_trained_where_epochs_are_asked_for(command: Command) -> None:
    code, _, _ = command("--manual", command.file(MINE), "--epochs", "2", "--seed", "3")
    assert code == 0
    assert [row["epoch"] for row in command.report["epochs"]] == [0, 1, 2]


def test_their_accuracy_and_loss_are_the_curves(command: Command) -> None:
    command("--manual", command.file(MINE), "--epochs", "1")
    for row in command.report["epochs"]:
        assert row["manual"]["validation_accuracy"] == row["reference"]["validation_accuracy"]


@pytest.mark.parametrize("epochs", [(), ("--epochs", "2")], ids=["probe", "training"])
def test_a_right_step_beside_the_function_agrees(command: Command, epochs: tuple[str, ...]) -> None:
    step = STEP.format(gradient="learning_rate * gradients[name]", update="state['v_' + name]")
    code, said, _ = command("--manual", command.file(MINE + step), *epochs)
    assert code == 0 and "step checks" in said
    assert any("step modifies its argument" in note for note in command.report["notes"])


@pytest.mark.usefixtures("undiagnosed")
@pytest.mark.parametrize("epochs", [(), ("--epochs", "2")], ids=["probe", "training"])
def test_a_step_of_another_form_disagrees(command: Command, epochs: tuple[str, ...]) -> None:
    step = STEP.format(gradient="gradients[name]", update="learning_rate * state['v_' + name]")
    code, _, _ = command("--manual", command.file(MINE + step), *epochs)
    assert code == 1 and command.report["kind"] == "update"
    code, _, _ = command(
        "--manual", command.file(MINE + step), *epochs, "--momentum-form", "buffer"
    )
    assert code == 0


def test_code_that_fails_half_way_leaves_the_report_of_the_updates_before(
    command: Command,
) -> None:
    code, said, error = command("--manual", command.file(MINE) + ":failing", "--epochs", "60")
    report = command.report
    assert (code, error) == (2, f"error: {report['failure']}\n")
    assert (report["exit_code"], report["verdict"]) == (2, "disagrees")
    assert report["findings"][0]["message"].startswith("mine.py, line ")
    assert "failing raised RuntimeError: enough" in report["sentence"]
    assert len(report["epochs"]) > 5 and "failing raised" in said


def test_code_made_for_one_size_is_told_that_it_was_called_with_fewer_rows_before(
    command: Command,
) -> None:
    of_one_size = """

SIZE = []


def of_one_size(parameters, x, targets):
    SIZE.append(len(x))
    if SIZE[0] != len(x):
        raise ValueError("another size")
    return loss_and_gradients(parameters, x, targets)
"""
    mine = command.file(MINE + of_one_size) + ":of_one_size"
    code, _, _ = command("--manual", mine, "--epochs", "2")
    said = command.report["sentence"]
    assert code == 2 and "ValueError: another size" in said
    assert "(as the training began; a few calls with fewer rows came before" in said


def test_code_that_fails_at_once_disagrees_with_its_line(command: Command) -> None:
    code, _, error = command("--manual", command.file(MINE) + ":float32_only")
    assert (code, error.startswith("error: mine.py, line ")) == (2, True)
    assert command.report["sentence"].startswith("disagrees (structure): mine.py, line ")


BIASES = """

def {name}(parameters, x, targets):
    loss, gradients, *_ = loss_and_gradients(parameters, x, targets)
    gradients["{tensor}"] = {value}
    return {loss}, gradients
"""
WRONG = {
    "not summed": ("b1", "np.tile(gradients['b1'] / len(x), (len(x), 1))", "loss", "(17, 7)"),
    "transposed": ("w1", "gradients['w1'].T", "loss", "(7, 64)"),
    "of each row": ("b2", "gradients['b2']", "np.full(len(x), loss)", "a loss of shape (17,)"),
    "lost": ("b1", "x.sum(axis=1)", "loss", "(17,)"),
}


@pytest.mark.parametrize("epochs", [(), ("--epochs", "2")], ids=["probe", "training"])
@pytest.mark.parametrize(("tensor", "value", "loss", "words"), WRONG.values(), ids=WRONG)
def test_a_wrong_shape_disagrees_and_the_rest_is_still_looked_at(
    command: Command, tensor: str, value: str, loss: str, words: str, epochs: tuple[str, ...]
) -> None:
    filled = BIASES.format(name="shaped", tensor=tensor, value=value, loss=loss)
    code, _, error = command("--manual", command.file(MINE + filled) + ":shaped", *epochs)
    assert (code, error) == (1, "")
    assert words in command.report["sentence"]
    assert (
        "apart from what has another shape, loss and gradients are right" in command.report["notes"]
    )


UNGUARDED = """
import numpy as np

def loss_and_gradients(P, x, y):
    z, n = x @ P["w1"] + P["b1"], len(x)
    h = np.maximum(z, 0)
    e = np.exp((s := h @ P["w2"] + P["b2"]) - s.max(1, keepdims=True))
    p = e / e.sum(1, keepdims=True)
    d = (p - y) / n
    dz = d @ P["w2"].T * (z > 0)
    loss = -(y * np.log(p)).sum() / n
    return loss, dict(w1=x.T @ dz, b1={b1}, w2=h.T @ d, b2=d.sum(0))
"""
SHAPES = {
    "one row per sample": ("dz", ["bias-not-summed"]),
    "the wrong axis": ("dz.sum(1)", ["bias-summed-over-wrong-axis"]),
    "one number": ("dz.sum()", ["bias-summed-to-a-number"]),
    "one number with axes": ("dz.sum(keepdims=True)", ["bias-summed-to-a-number"]),
    "one number that is a mean": ("dz.mean()", ["bias-averaged-to-a-number"]),
    "another axis": ("dz.sum(0)[:, None]", []),
}


@pytest.mark.parametrize(("b1", "names"), SHAPES.values(), ids=SHAPES)
def test_beside_a_wrong_shape_nothing_beyond_the_range_of_exp_is_a_mistake(
    command: Command, b1: str, names: list[str]
) -> None:
    code, _, error = command("--manual", command.file(UNGUARDED.replace("{b1}", b1)))
    assert (code, error) == (1, "")
    assert [one["mistake"] for one in command.report["diagnosis"]] == names


def test_the_known_mistakes_are_tried_beside_a_wrong_shape(command: Command) -> None:
    filled = BIASES.format(
        name="shaped", tensor="b1", loss="loss",
        value="(gradients.update(w2=gradients['w2'] * len(x)), gradients['b1'][:, None])[1]",
    )  # fmt: skip
    code, _, _ = command("--manual", command.file(MINE + filled) + ":shaped")
    assert code == 1 and "In layer 2 only" in command.report["diagnosis"][0]["sentence"]


@pytest.mark.usefixtures("undiagnosed")
def test_code_that_the_referee_cannot_ask_is_judged_all_the_same(command: Command) -> None:
    code, _, _ = command("--manual", command.file(MINE) + ":float32_only", "--dtype", "float32")
    assert code == 1
    assert any("could not be asked further" in note for note in command.report["notes"])


def test_code_for_one_hot_targets_only_is_noted(command: Command) -> None:
    code, _, _ = command("--manual", command.file(MINE) + ":one_hot_only")
    assert code == 0
    assert any("one-hot only: with soft targets" in note for note in command.report["notes"])


@pytest.mark.usefixtures("undiagnosed")
def test_a_loss_that_is_nan_on_their_side_alone_disagrees(command: Command) -> None:
    text = MINE + "\ndef nan(*point):\n    return np.nan, loss_and_gradients(*point)[1]\n"
    code, said, _ = command("--manual", command.file(text) + ":nan")
    assert code == 1 and "loss = nan is not finite" in said


def test_a_hang_is_given_up_after_the_timeout(command: Command) -> None:
    text = "def loss_and_gradients(parameters, x, targets):\n    while True:\n        pass\n"
    code, _, error = command("--manual", command.file(text), "--timeout", "0.2")
    assert code == 2 and "did not return within 0.2 s; a longer timeout waits" in error


def test_a_starter_file_is_checked_function_by_function(command: Command) -> None:
    text = RIGHT + BACK.format(over=" / len(target)", mask="(z_h > 0)")
    text = text.replace("np.log(prediction)", "np.log(prediction + 1e-5)")
    code, said, _ = command("--starter", command.file(text, "starter.py"))
    assert code == 1
    assert "relu starter.py, line 2: agrees" in said
    assert "back_prop starter.py, line" in said and "read with x_h = h1" in said
    assert command.report["diagnosis"][0]["mistake"] == "epsilon-in-log"
    assert command.report["diagnosis"][0]["constant"] == 1e-5


def test_the_adapter_of_a_starter_file_is_checked_as_a_function(command: Command) -> None:
    text = RIGHT + BACK.format(over=" / len(target)", mask="(z_h > 0)")
    adapter = str(command.folder / "adapter.py")
    code, said, _ = command(
        "--starter", command.file(text, "starter.py"), "--write-adapter", adapter, small=False
    )
    assert code == 0 and "the adapter is adapter.py" in said
    code, _, _ = command("--manual", adapter)
    assert code == 0


def test_a_run_that_is_recorded_agrees_as_a_dump(command: Command) -> None:
    folder = str(command.folder / "dump")
    code, _, _ = command("--epochs", "1", "--record", folder)
    assert code == 0
    code, said, _ = command("--dump", folder, small=False)
    assert code == 0 and "dump · 64-7-10 · relu · float64 · batch 1437" in said


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--manual", "a.py", "--dump", "b"), "not allowed with"),
        (("--starter", "a.py", "--dump", "b"), "not allowed with"),
        (("--write-adapter", "a.py"), "--write-adapter writes what --starter FILE could not bind"),
        (("--starter", "a.py", "--record", "b"), "--record writes down a training run"),
        (("--manual", "a.py"), "--manual a.py: there is no such file"),
        (("--starter", "a.py"), "a.py cannot be read: No such file or directory"),
        (("--dump", "a"), "a is not a folder"),
        (("--timeout", "0"), "--timeout"),
    ],
)
def test_bad_usage_is_one_sentence(
    command: Command, arguments: tuple[str, ...], words: str
) -> None:
    code, _, error = command(*arguments)
    assert code == 2 and words in error and error.count("\n") == 1


def test_recording_needs_a_training(command: Command) -> None:
    code, _, error = command("--manual", command.file(MINE), "--record", "b")
    assert code == 2 and "give --epochs as well" in error


UNUSED: dict[str, tuple[tuple[str, ...], str]] = {
    "starter": (("--starter", "--dtype", "float32"), "--dtype is not used with --starter"),
    "starter, two": (("--starter", "--epochs", "3", "--data", "no"), "--data is not used with"),
    "manual": (("--manual", "--device", "meta"), "--device is not used with --manual without --ep"),
    "rate without step": (("--manual", "--learning-rate", "5"), "--learning-rate is not used with"),
    "preset": (("--starter", "--preset", "report"), "--preset is not used with --starter"),
}


@pytest.mark.parametrize(("arguments", "words"), UNUSED.values(), ids=UNUSED)
def test_an_option_that_is_not_used_is_named_in_the_verdict_and_nothing_is_green(
    command: Command, arguments: tuple[str, ...], words: str
) -> None:
    way, *options = arguments
    code, out, _ = command(way, command.file(MINE if way == "--manual" else RIGHT), *options)
    assert code == 3 and words in " ".join(out.split())


def test_the_rate_and_momentum_of_a_step_reach_its_check(command: Command) -> None:
    right = STEP.format(gradient="learning_rate * gradients[name]", update="state['v_' + name]")
    file = command.file(MINE + right)
    code, out, _ = command("--manual", file, "--learning-rate", "0.5", "--momentum", "0.25")
    assert code == 0, out


def test_a_wrong_intermediate_beside_right_gradients_disagrees(command: Command) -> None:
    shown = (
        MINE
        + """
def doubled(parameters, x, targets):
    loss, gradients = loss_and_gradients(parameters, x, targets)
    return loss, gradients, {"z1": 2 * (x @ parameters["w1"] + parameters["b1"])}

def strange(parameters, x, targets):
    return *loss_and_gradients(parameters, x, targets), {"z9": x, "z1": x}
"""
    )
    code, out, _ = command("--manual", command.file(shown) + ":doubled")
    assert code == 1 and "disagrees (intermediate): z1" in " ".join(out.split())
    code, out, _ = command("--manual", command.file(shown) + ":strange")
    out = " ".join(out.split())
    assert code == 3 and "z9 is no stage of this network; z1 has shape" in out


INSIDE = """

def inside(parameters, x, targets):
    loss, gradients, *_ = loss_and_gradients(parameters, x, targets)
    z1 = x @ parameters["w1"] + parameters["b1"]
    return loss, gradients, {{"{name}": {value}}}
"""


@pytest.mark.parametrize(
    "name, value, code", [("z1", "z1", 0), ("z1", "2 * z1", 1), ("q", "z1", 3)]
)
def test_intermediates_of_a_training_are_compared_or_named(
    command: Command, name: str, value: str, code: int
) -> None:
    mine = command.file(MINE + INSIDE.format(name=name, value=value)) + ":inside"
    found, _, _ = command("--manual", mine, "--epochs", "2")
    assert found == code
    assert (code == 0) or name in command.report["sentence"]
